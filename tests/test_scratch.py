"""Folders for what must not stay: gone with their process, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_lib.scratch import Scratch

_HOLD = (
    "import time; from analytics_lib.scratch import Scratch; s = Scratch(); print(s.path, flush=True); time.sleep(600)"
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # After tmp_path, which would else lie in it; not below tmp_path, as the path of a kernel's socket must be short.
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr("tempfile.tempdir", None)
        yield Path(folder)


def holding() -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen([sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_it_is_private_and_gone_on_leaving(temporary: Path) -> None:
    with Scratch() as folder:
        (folder / "deep").mkdir()
        assert (folder.parent, folder.stat().st_mode & 0o777) == (temporary, 0o700)
    assert os.listdir(temporary) == []


def test_it_is_gone_with_its_object(temporary: Path) -> None:
    scratch = Scratch()
    assert len(os.listdir(temporary)) == 1
    del scratch
    assert os.listdir(temporary) == []


def test_the_next_one_removes_what_a_killed_process_left_and_nothing_else(temporary: Path) -> None:
    killed, left = holding()
    living, kept = holding()
    for name in ("analytics_lib-link", "analytics_lib-file", "somebody's"):
        (temporary / name).touch() if name.endswith("file") else (temporary / name).symlink_to(Path.home())
    killed.kill()
    killed.communicate()
    assert left.is_dir()
    with Scratch():
        there = set(os.listdir(temporary))
    living.kill()
    living.communicate()
    assert left.name not in there
    assert {kept.name, "analytics_lib-link", "analytics_lib-file", "somebody's"} <= there


@pytest.mark.slow
@pytest.mark.parametrize("ending", [None, "failure", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_leaves_nothing_in_the_temporary_folder(temporary: Path, tmp_path: Path, ending: object) -> None:
    command = [sys.executable, "-m", "analytics_lib", "run", "lead_funnel", "--output", str(tmp_path / "out")]
    environment = os.environ | ({"MPLBACKEND": "none of its names"} if ending == "failure" else {})
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    if isinstance(ending, signal.Signals):
        for _ in range(300):
            if any((temporary / name / "lead_funnel.json").exists() for name in os.listdir(temporary)):
                break
            time.sleep(0.1)
        time.sleep(2)  # the notebook is under way
        process.send_signal(ending)
    _, err = process.communicate(timeout=120)
    statuses = {None: 0, "failure": 1, signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == statuses[ending], err
    if ending is signal.SIGKILL:
        for _ in range(100):  # its kernels end when they miss it
            with Scratch():
                pass
            if not os.listdir(temporary):
                break
            time.sleep(0.1)
    assert os.listdir(temporary) == []
