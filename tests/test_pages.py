"""A report's page, looked at in a browser: see `tests/support/browser.py`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_lib import render
from tests.support import toy_notebooks as toy
from tests.support.browser import check_page, chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow]
HOSTILE = "<script>console.error('ran')</script><img src='https://example.com/x.png' onerror='console.error(1)'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything that a notebook may show, some of it wide, long or hostile."""
    folder = tmp_path_factory.mktemp("page")
    notice = toy.shows({"text/markdown": "The newest day is old."}, {"text/markdown": {"kind": "notice"}})
    toy.write(
        folder / "notebooks",
        "lead_funnel",
        toy.answer(f"**112 of 600** sessions were leads; the top query was {HOSTILE}"),
        notice,
        toy.chart("funnel"),
        toy.table("Stages"),
        toy.table("Leads", columns=40, value="room-2026-01-01-with-a-long-name"),
        toy.table("Leads", columns=2, value="a" * 300),
        f"print({HOSTILE!r}, 'x' * 500)",
        repr(HOSTILE),
        toy.answer("## Caveats\n\n- few sessions\n- `" + "y" * 300 + "`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"),
        toy.FACTS,
    )
    made = render.run(["lead_funnel"], folder / "reports", {}, notebooks=folder / "notebooks")
    return made[0].page


def test_a_page_is_without_fault_in_every_mode_and_width(browser, page):
    check_page(browser, page)


def test_nothing_that_a_caller_said_runs_or_loads(browser, page):
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(page.as_uri())
    assert opened.evaluate("[document.scripts.length, document.images.length, document.links.length]") == [
        0,
        1,
        0,
    ]
    assert HOSTILE in opened.inner_text("main")
    context.close()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("<h1>a</h1><div style='width: 2000px'>wide</div>", "scrolls sideways"),
        ("<h1>a</h1><img src='data:image/png;base64,AAAA' alt='a chart'>", "did not load: a chart"),
        ("<h1>a</h1><img src='data:image/png;base64,AAAA' alt=''>", "no alternative text"),
        ("<h1>a</h1><script>console.log('said')</script>", "console log: said"),
        ("<h1>a</h1><script>nothing.here()</script>", "script error"),
        ("<h1>a</h1><img src='http://127.0.0.1:9/x.png' alt='a'>", r"request to http://127\.0\.0\.1"),
        ("<h1>a</h1><p style='color: #ccc; background: #fff'>pale</p>", "axe color-contrast"),
        ("<h1>a</h1><h1>b</h1>", "2 headings"),
    ],
)
def test_the_check_finds_the_fault(browser, tmp_path, body, fault):
    path = tmp_path / "page.html"
    policy = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"  # must not hide a fault
    path.write_text(f"<!DOCTYPE html><html lang=en>{policy}<title>t</title><main>{body}</main></html>")
    with pytest.raises(AssertionError, match=fault):
        check_page(browser, path)
