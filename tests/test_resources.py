"""The project's own files are found from a checkout and from a wheel, whatever the working folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from analytics_lib import resources
from analytics_lib.errors import AnalyticsError

CHECKOUT = Path(__file__).parent.parent
BUNDLED = ("sql", "notebooks", "data/samples")


def files_below(folder: Path) -> set[str]:
    return {
        file.relative_to(CHECKOUT).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and not {".ipynb_checkpoints", "__pycache__"} & set(file.parts)
    }


@pytest.mark.parametrize("folder", BUNDLED)
def test_a_checkout_gives_its_own_folders(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resources.path(*folder.split("/")) == CHECKOUT / folder


def test_the_bundle_of_a_wheel_is_taken_before_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_bundled" / "sql").mkdir(parents=True)
    monkeypatch.setattr(resources, "_BUNDLE", tmp_path / "_bundled")
    assert resources.path("sql") == tmp_path / "_bundled" / "sql"


def test_a_missing_file_is_named_with_the_place_where_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(resources, "_BUNDLE", tmp_path / "_bundled")
    with pytest.raises(AnalyticsError, match=r"sql/gone\.sql is missing from .*restore it with git"):
        resources.path("sql", "gone.sql")


def test_a_stranger_s_folder_beside_an_installation_without_a_bundle_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sql").mkdir()
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(resources, "_BUNDLE", tmp_path / "_bundled")
    with pytest.raises(AnalyticsError, match="neither its bundled files"):
        resources.path("sql")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(CHECKOUT))
    (built,) = folder.glob("analytics_lib-*.whl")
    return built


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_the_project_s_files_and_nothing_else(wheel: Path) -> None:
    package = files_below(CHECKOUT / "analytics_lib")
    bundle = {f"analytics_lib/_bundled/{file}" for folder in BUNDLED for file in files_below(CHECKOUT / folder)}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == package | bundle
    assert "analytics_lib/py.typed" in held


@pytest.mark.slow
def test_the_wheel_installed_elsewhere_reports_on_its_own_samples(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    pip("--python", str(home / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel))
    (site_packages,) = home.glob("lib/python*/site-packages")
    borrowed = [folder for folder in sys.path if folder.endswith("site-packages")]
    (site_packages / "borrowed.pth").write_text("\n".join(borrowed))

    def run(*command: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANALYTICS_", "PYTHON"))}
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = run(
        str(home / "bin" / "python"),
        "-c",
        "import analytics_lib, analytics_lib.resources as r\n"
        "for parts in ('sql',), ('notebooks',), ('data', 'samples'): print(r.path(*parts))",
    )
    bundle = site_packages / "analytics_lib" / "_bundled"
    assert found.splitlines() == [str(bundle / folder) for folder in BUNDLED]

    report = json.loads(run(str(home / "bin" / "analytics-lib"), "report", "lead_funnel", "--format", "json"))
    assert report["records"] > 0
