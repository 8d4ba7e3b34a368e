"""Notebooks become reports, all of them or none."""

import base64
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from analytics_lib import render
from analytics_lib.errors import NotebookError, OutputError, ParameterError
from analytics_lib.render import staging
from tests.support import toy_notebooks as toy

DAY = 24 * 60 * 60
slow = pytest.mark.slow


@pytest.fixture
def notebooks(tmp_path: Path) -> Path:
    folder = tmp_path / "notebooks"
    toy.write(folder, "lead_funnel", toy.chart(), toy.table("Stages"), toy.FACTS)
    toy.write(folder, "duration_trends", toy.FACTS, title="Durations")
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def run(
    output: Path,
    notebooks: Path,
    names: Iterable[str] = ("lead_funnel",),
    parameters: Mapping[str, object] | None = None,
    **options: object,
) -> list[render.Rendered]:
    return render.run(list(names), output, parameters or {}, notebooks=notebooks, **options)


def files(folder: Path) -> dict[str, bytes]:
    """Everything in the folder, hidden or not."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def page_of(rendered: render.Rendered) -> str:
    return rendered.page.read_text("utf-8")


@slow
def test_a_report_is_page_notebook_figures_tables_and_facts(output, notebooks, capfd):
    [rendered] = run(output, notebooks, parameters={"min_team_size": 7, "data": 'a "{lake}"\\\n'})

    assert sorted(files(output)) == [
        "lead_funnel/facts.json",
        "lead_funnel/funnel.png",
        "lead_funnel/lead_funnel.html",
        "lead_funnel/lead_funnel.ipynb",
        "lead_funnel/stages.csv",
    ]
    assert (output / "lead_funnel" / "funnel.png").read_bytes() == toy.png()
    assert (output / "lead_funnel" / "stages.csv").read_text() == "stage,sessions\nsession,7\n"
    assert rendered.facts == {"start": "2026-01-01", "end": "2026-01-31", "records": 600}
    assert (rendered.name, rendered.page) == ("lead_funnel", output / "lead_funnel" / "lead_funnel.html")
    assert rendered.seconds > 0
    saved = json.loads((output / "lead_funnel" / "lead_funnel.ipynb").read_text())
    assert saved["metadata"]["papermill"]["parameters"]["data"] == 'a "{lake}"\\\n'
    assert [cell["execution_count"] for cell in saved["cells"] if cell["cell_type"] == "code"] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert capfd.readouterr() == ("", "")


@slow
def test_the_page_says_what_it_is(output, notebooks):
    page = page_of(run(output, notebooks)[0])

    assert "<title>Lead funnel, 2026-01-01 to 2026-01-31</title>" in page
    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    assert "1 to 31 January 2026 (UTC)" in page
    assert 'alt="Of 600 sessions 112 were qualified"' in page
    assert "min_team_size" not in page, "the code is hidden"
    assert base64.b64encode(toy.png()).decode() in page
    assert not re.search(r"<(script|link|iframe)|https?://", page)


@slow
def test_two_reports_are_made_with_progress_by_cell_in_the_order_asked(output, notebooks):
    calls: list[tuple[str, int, int]] = []
    made = run(
        output,
        notebooks,
        ["lead_funnel", "duration_trends"],
        progress=lambda name, done, cells: calls.append((name, done, cells)),
    )

    assert [rendered.name for rendered in made] == ["lead_funnel", "duration_trends"]
    assert [call for call in calls if call[0] == "duration_trends"] == [
        ("duration_trends", done, 4) for done in range(5)
    ]
    assert calls.count(("lead_funnel", 6, 6)) == 1


@slow
def test_a_second_run_replaces_the_first_and_leaves_other_reports_alone(output, notebooks):
    run(output, notebooks, ["lead_funnel", "duration_trends"])
    before = files(output / "duration_trends")
    (output / "lead_funnel" / "old.csv").write_text("from a table that is gone")

    run(output, notebooks, parameters={"min_team_size": 9})

    assert files(output / "duration_trends") == before
    assert "old.csv" not in files(output / "lead_funnel")
    assert "session,9" in (output / "lead_funnel" / "stages.csv").read_text()


@slow
def test_one_failure_keeps_every_last_good_report_and_names_the_cell(output, notebooks):
    run(output, notebooks, ["lead_funnel", "duration_trends"])
    good = files(output)
    toy.write(notebooks, "duration_trends", "a = 1", "# the median\n\nraise ValueError('no\\n  sessions')", "b = 2")

    with pytest.raises(NotebookError) as error:
        run(output, notebooks, ["lead_funnel", "duration_trends"])

    failed = output / "failed" / "duration_trends.ipynb"
    message = str(error.value)
    assert f" of {failed}:\n" in message
    assert "Report duration_trends failed in cell 5 " in message, "the cell papermill adds counts"
    assert "(`# the median`)" in message
    assert "ValueError: no sessions" in message
    cells = json.loads(failed.read_text())["cells"]
    assert "".join(cells[4]["source"]).startswith("# the median")
    assert [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"] == [1, 2, 3, 4, None]
    assert {name: content for name, content in files(output).items() if not name.startswith("failed")} == good


@slow
def test_a_success_takes_the_failed_copy_away(output, notebooks):
    (output / "failed").mkdir(parents=True)
    (output / "failed" / "lead_funnel.ipynb").write_text("{}")

    run(output, notebooks)

    assert not (output / "failed").exists()


@slow
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("import sys\nsys.exit()", "SystemExit"),
        ("import os\nos._exit(0)", "the kernel died"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "the kernel died"),
    ],
)
def test_a_notebook_that_leaves_early_failed(output, notebooks, code, reason, capfd):
    toy.write(notebooks, "lead_funnel", code, toy.FACTS)

    with pytest.raises(NotebookError, match=re.escape(reason)) as error:
        run(output, notebooks)

    assert "in cell 4 (`import " in str(error.value)
    assert list(files(output)) == ["failed/lead_funnel.ipynb"]
    assert capfd.readouterr() == ("", "")


@slow
def test_a_cell_allowed_to_fail_by_its_tag_fails_the_report(output, notebooks):
    import nbformat

    path = notebooks / "lead_funnel.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].source = "1 / 0"
    notebook.cells[2].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, path)

    with pytest.raises(NotebookError, match="ZeroDivisionError: division by zero"):
        run(output, notebooks)


def test_an_unknown_parameter_is_refused_before_anything_runs(output, notebooks):
    with pytest.raises(ParameterError) as error:
        run(output, notebooks, parameters={"min_size": 3})

    assert str(notebooks / "lead_funnel.ipynb") in str(error.value)
    assert "'min_size'" in str(error.value)
    assert "Allowed: data, start, min_team_size;" in str(error.value)
    assert not output.exists()


def test_a_missing_notebook_is_named_with_those_there_are(output, notebooks):
    with pytest.raises(NotebookError, match=r"nonsense\.ipynb .*Notebooks there: duration_trends, lead_funnel"):
        run(output, notebooks, ["nonsense"])


@pytest.mark.parametrize("content", ['{"cells": 1}', "no json", ""])
def test_a_file_that_is_no_notebook_is_named(output, notebooks, content):
    (notebooks / "lead_funnel.ipynb").write_text(content)
    with pytest.raises(NotebookError, match=r"lead_funnel\.ipynb cannot be read as a notebook"):
        run(output, notebooks)


def test_an_output_that_is_a_file_is_left_alone(output, notebooks):
    output.write_text("mine")

    with pytest.raises(OutputError, match=r"reports: it is a file, not a folder\. Name a folder"):
        run(output, notebooks)

    assert output.read_text() == "mine"


def test_an_output_below_a_file_is_refused(tmp_path, notebooks):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="Not a directory"):
        run(tmp_path / "file" / "reports", notebooks)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_without_permission_is_refused(output, notebooks):
    output.mkdir(mode=0o500)
    with pytest.raises(OutputError, match=r"Permission denied .* that you may write to"):
        run(output, notebooks)


@slow
def test_a_disk_that_is_full_for_the_notebook_is_no_fault_of_it(output, notebooks):
    toy.write(notebooks, "lead_funnel", "raise OSError(28, 'No space left on device')")

    with pytest.raises(OutputError, match="No space left on device"):
        run(output, notebooks)


def test_a_full_disk_is_said_plainly(tmp_path):
    with (
        pytest.raises(OutputError, match=r"Cannot write reports to .*: the disk is full\."),
        staging.explained(tmp_path),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "page.html")


@slow
def test_a_report_that_cannot_be_put_into_place_puts_back_the_others(output, notebooks):
    run(output, notebooks)
    good = files(output)
    (output / "duration_trends").write_text("a file in the way")

    with pytest.raises(OutputError, match=r"Not a directory .*duration_trends"):
        run(output, notebooks, ["lead_funnel", "duration_trends"], {"min_team_size": 9})

    assert files(output) == {**good, "duration_trends": b"a file in the way"}


@slow
@pytest.mark.parametrize("existed", [True, False])
def test_ctrl_c_leaves_everything_as_it_was(output, notebooks, existed):
    if existed:
        (output / "lead_funnel").mkdir(parents=True)
        (output / "lead_funnel" / "lead_funnel.html").write_text("last good")
    toy.write(notebooks, "duration_trends", "import time\ntime.sleep(60)")

    def interrupt(name: str, done: int, _: int) -> None:
        if (name, done) == ("duration_trends", 3):
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(output, notebooks, ["lead_funnel", "duration_trends"], progress=interrupt)

    assert time.monotonic() - began < 30
    assert output.exists() == existed
    assert files(output) == ({"lead_funnel/lead_funnel.html": b"last good"} if existed else {})


@slow
def test_a_real_ctrl_c_stops_the_kernel_and_says_nothing(output, notebooks, tmp_path):
    pid = tmp_path / "pid"
    sleep = f"import os, pathlib, time\npathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    toy.write(notebooks, "lead_funnel", sleep)
    call = (
        "import sys; from pathlib import Path; from analytics_lib import render\n"
        f"try: render.run(['lead_funnel'], Path({str(output)!r}), {{}}, notebooks=Path({str(notebooks)!r}))\n"
        "except KeyboardInterrupt: sys.exit(130)"
    )
    process = subprocess.Popen([sys.executable, "-c", call], stdout=-1, stderr=subprocess.STDOUT, text=True)
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
        assert process.poll() is None, process.communicate()

    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=30)[0] == ""
    assert process.returncode == 130
    assert not output.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@slow
def test_leftovers_of_a_killed_run_go_after_a_day(output, notebooks):
    fresh, stale = output / ".analytics-run-fresh", output / ".analytics-run-stale"
    for leftover in (fresh, stale):
        (leftover / "new" / "lead_funnel").mkdir(parents=True)
    os.utime(stale, (time.time() - DAY - 60,) * 2)

    run(output, notebooks)

    assert sorted(path.name for path in output.iterdir()) == [fresh.name, "lead_funnel"]


@slow
def test_what_a_caller_said_is_text(output, notebooks):
    hostile = "<script>document.title='x'</script><img src=x onerror=alert(1)>"
    toy.write(
        notebooks,
        "lead_funnel",
        toy.answer(f"The top query was {hostile}, [click](javascript:alert(1))"),
        toy.answer(f"{hostile}\n\n- {hostile}"),
        f"import sys\nprint({hostile!r})\nprint({hostile!r}, file=sys.stderr)",
        repr(hostile),
        toy.chart(name="../../../etc/passwd", alt=f'"{hostile}'),
        toy.table(hostile.replace("<", "&lt;")),
        "from IPython.display import Javascript, SVG, display\ndisplay(Javascript('document.title = 1'))",
        title=f"Leads {hostile}",
    )

    [rendered] = run(output, notebooks)

    page = page_of(rendered)
    assert "&lt;script&gt;" in page
    assert not re.search(r"<script|<img src=x|<svg|javascript:", page)
    assert page.count("<img ") == 1
    assert "-etc-passwd.png" not in files(output)
    assert (rendered.folder / "etc-passwd.png").exists()


@slow
def test_figures_without_a_name_or_with_the_same_are_all_kept(output, notebooks):
    unnamed = toy.shows({"image/png": base64.b64encode(toy.png()).decode()})
    toy.write(notebooks, "lead_funnel", unnamed, toy.chart("daily"), toy.chart("daily"))

    [rendered] = run(output, notebooks)

    assert sorted(path.name for path in rendered.folder.glob("*.png")) == [
        "daily-3.png",
        "daily.png",
        "figure-1.png",
    ]
    assert 'alt="Figure"' in page_of(rendered)


@slow
def test_two_runs_at_once_into_one_output_do_no_harm(output, notebooks):
    call = (
        "import sys; from pathlib import Path; from analytics_lib import render\n"
        f"render.run(['lead_funnel'], Path({str(output)!r}), {{}}, notebooks=Path({str(notebooks)!r}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", call], stderr=-1, text=True) for _ in range(2)]

    assert [process.communicate(timeout=60)[1] for process in both] == ["", ""]
    assert [process.returncode for process in both] == [0, 0]
    assert [path.name for path in output.iterdir()] == ["lead_funnel"]


def test_importing_it_is_cheap():
    heavy = "{'papermill', 'nbconvert', 'nbformat', 'jupyter_client', 'jinja2', 'pandas'}"
    call = f"import sys, analytics_lib.render; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", call], capture_output=True, text=True).stdout == "set()\n"
