"""Settings: a flag wins over the environment, that over analytics.toml, that over the defaults."""

from pathlib import Path

import pytest

from analytics_lib import resources
from analytics_lib.errors import SettingsError, UsageError
from analytics_lib.location import Location
from analytics_lib.settings import Settings, load

ENVIRONMENT = {"ANALYTICS_DATA": "from-environment", "ANALYTICS_ENGINE": "athena"}


def file(folder: Path, text: str) -> Path:
    (folder / "analytics.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_defaults_are_the_samples_and_duckdb(tmp_path: Path) -> None:
    found = load(environment={}, folder=tmp_path)
    assert (found.data, found.engine) == (resources.path("data", "samples"), "duckdb")


def test_a_flag_wins_over_the_environment_that_over_the_file(tmp_path: Path) -> None:
    file(tmp_path, 'data = "from-file"\nengine = "duckdb"')
    in_file = load(environment={}, folder=tmp_path)
    in_environment = load(environment=ENVIRONMENT, folder=tmp_path)
    in_flags = load("from-flag", "duckdb", environment=ENVIRONMENT, folder=tmp_path)
    assert [(each.data, each.engine) for each in (in_file, in_environment, in_flags)] == [
        (Path("from-file"), "duckdb"),
        (Path("from-environment"), "athena"),
        (Path("from-flag"), "duckdb"),
    ]


def test_each_setting_falls_through_by_itself_and_an_empty_variable_is_not_set(tmp_path: Path) -> None:
    file(tmp_path, 'data = "from-file"')
    found = load(environment={"ANALYTICS_ENGINE": "athena", "ANALYTICS_DATA": ""}, folder=tmp_path)
    assert (found.data, found.engine) == (Path("from-file"), "athena")


def test_the_file_in_the_working_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file(tmp_path, 'data = "from-file"'))
    assert load(environment={}).data == Path("from-file")


def test_a_path_is_data_too(tmp_path: Path) -> None:
    found = load(tmp_path / "lake", environment={}, folder=tmp_path)
    assert isinstance(found, Settings)
    assert found.data == tmp_path / "lake"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('dta = "lake"', "has an unknown setting 'dta'; known are data, engine"),
        ("data = 5", "data is a text in quotes; 5 is none"),
        ('data = "lake', "cannot be read: "),
        ('engine = "presto"', "there is no engine 'presto'; there are duckdb, athena"),
        ("[data]\nroot = 'x'", "data is a text in quotes"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(environment={}, folder=file(tmp_path, text))
    assert message in str(error.value)
    assert "analytics.toml" in str(error.value) or "engine" in text


def test_a_file_that_is_no_text_or_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "analytics.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"analytics\.toml cannot be read"):
        load(environment={}, folder=tmp_path)
    (tmp_path / "analytics.toml").unlink()
    (tmp_path / "analytics.toml").mkdir()
    with pytest.raises(SettingsError, match=r"analytics\.toml cannot be read"):
        load(environment={}, folder=tmp_path)


def test_an_unknown_engine_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no engine 'presto'"):
        load(engine="presto", environment={}, folder=tmp_path)
    with pytest.raises(SettingsError, match="there is no engine 'presto'"):
        load(environment={"ANALYTICS_ENGINE": "presto"}, folder=tmp_path)


@pytest.mark.parametrize("place", ["S3://bucket/a", "s3:/bucket/a", "https://bucket.s3.amazonaws.com/a"])
def test_a_misspelt_place_on_s3_is_refused_wherever_it_stands(tmp_path: Path, place: str) -> None:
    said = f"^'{place}' is no data folder; a place on S3 is written as s3://BUCKET/PREFIX$"
    with pytest.raises(UsageError, match=said):
        load(place, environment={}, folder=tmp_path)
    with pytest.raises(UsageError, match=said):
        load(environment={"ANALYTICS_DATA": place}, folder=tmp_path)
    with pytest.raises(UsageError, match=said):
        load(environment={}, folder=file(tmp_path, f'data = "{place}"'))
    assert load("s3://bucket/a", environment={}, folder=tmp_path).data == Location("bucket", "a")
