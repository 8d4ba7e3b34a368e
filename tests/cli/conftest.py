"""The console script in this process, and small lakes to run it on."""

import gc
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from analytics_lib.cli import main
from tests.support.wild import at, call, lake_of, session


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    status: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """`cli("report", "lead_funnel")` in an empty working folder: exit status, standard output, standard error."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*words: object) -> Done:
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as stopped:
                main([str(word) for word in words])
        finally:
            signal.signal(signal.SIGTERM, before)
            gc.enable()
            gc.unfreeze()
        return Done(int(stopped.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sessions on 31 January and 1 February 2026, a copy and a broken line among them."""
    root = lake_of(
        tmp_path_factory.mktemp("lake"),
        session(team_size=9, urgency="high"),
        session(_session_id="room-2", tool_calls=[call(query="price", results_found=False)]),
        session(_session_id="room-3", _timestamp=at("2026-01-31T10:00:00"), duration_seconds=None),
    )
    folder = root / "sessions" / "dt=2026-02-01"
    (folder / "copy.json").write_bytes(next(folder.glob("room-1-*")).read_bytes())
    (folder / "broken.json").write_bytes(b"broken\n")
    return root
