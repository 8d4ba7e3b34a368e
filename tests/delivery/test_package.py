"""The zip of the function: what is in it, the same bytes each time, and that it works by itself."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.arrivals import payload
from tests.support.wild import session

CHECKOUT = Path(__file__).parents[2]
ADOPTING = {"adopting.py", "mapping.py", "shapes.py"}  # for the command; the handler does not need them
MODULES = ["__init__", "errors", "location", "numerals", "record", "schema"]


def packed(target: Path, checkout: Path = CHECKOUT) -> Path:
    command = [sys.executable, "-I", checkout / "infra" / "package.py", target]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{target}: ") and done.stderr == ""
    return target


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("build") / "new" / "lambda.zip")


def test_the_zip_holds_the_modules_that_the_handler_needs_and_is_small(archive: Path) -> None:
    assert archive.stat().st_size < 60_000
    files = {file.name for file in (CHECKOUT / "analytics_lib" / "delivery").glob("*.py")}
    delivery = [f"delivery/{name}" for name in files - ADOPTING]
    expected = [f"analytics_lib/{name}" for name in (*(f"{name}.py" for name in MODULES), *delivery)]
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == sorted(expected)
    assert [file.name for file in archive.parent.iterdir()] == ["lambda.zip"]


def test_the_same_sources_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(CHECKOUT / "analytics_lib", copy / "analytics_lib", copy_function=shutil.copy)
    shutil.copytree(CHECKOUT / "infra", copy / "infra")
    (copy / "analytics_lib" / "record.py").chmod(0o600)
    os.utime(copy / "analytics_lib" / "schema.py", (0, 0))
    assert packed(tmp_path / "lambda.zip", copy).read_bytes() == archive.read_bytes()


LAMBDA = """
import json, sys
sys.path.insert(0, sys.argv[1])
from analytics_lib.delivery import handler
assert "boto3" not in sys.modules and handler.__file__.startswith(sys.argv[1])
stored = {}
class S3:
    def put_object(self, Bucket, Key, Body, ContentType):
        stored[Key] = Body.decode()
handler._client = lambda service: S3()
handler.handle(json.load(sys.stdin), None)
print(json.dumps(stored))
"""


def test_the_zip_alone_delivers_where_nothing_is_installed(archive: Path) -> None:
    data = base64.b64encode(gzip.compress(payload(json.dumps(session())))).decode()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", LAMBDA, archive],
        input=json.dumps({"awslogs": {"data": data}}),
        env={"ANALYTICS_LAKE": "s3://lake/agents"},
        capture_output=True,
        text=True,
        check=True,
    )
    key = "agents/sessions/dt=2026-02-01/room-1-1769940120.json"
    assert (json.loads(done.stdout), done.stderr) == ({key: json.dumps(session()) + "\n"}, "")
