"""Opens a page from disk in headless Chromium and says what is wrong with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Quiet (no updates, no sync), and able to run as root in a container.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (380, 1280)
SCHEMES = ("light", "dark")


@contextmanager
def chromium() -> "Iterator[Browser]":
    """A headless Chromium; without one the test is skipped, or fails if ANALYTICS_REQUIRE_BROWSER=1."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        message = f"no Chromium on the PATH ({', '.join(NAMES)}), so pages are not looked at"
        if os.environ.get("ANALYTICS_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def check_page(browser: "Browser", path: Path) -> None:
    """Raises AssertionError listing every fault of the page in light and dark, narrow and wide."""
    faults: list[str] = []
    for scheme in SCHEMES:
        for width in WIDTHS:
            where = f"{path.name}, {scheme}, {width} px"
            faults += [f"{where}: {fault}" for fault in _faults(browser, path, scheme, width)]
    assert not faults, "\n".join(faults)


def _faults(browser: "Browser", path: Path, scheme: str, width: int) -> Iterator[str]:
    # The page's own policy forbids every script; axe is one, so that policy is set aside.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    try:
        page = context.new_page()
        heard: list[str] = []
        page.on("console", lambda said: heard.append(f"console {said.type}: {said.text}"))
        page.on("pageerror", lambda error: heard.append(f"script error: {error}"))
        page.on("request", lambda asked: _local(asked.url) or heard.append(f"request to {asked.url}"))
        page.goto(path.resolve().as_uri(), wait_until="load")
        yield from _structure(page)
        yield from _accessibility(page)
        yield from heard
    finally:
        context.close()


def _local(url: str) -> bool:
    return url.startswith(("file:", "data:"))


def _structure(page: "Page") -> Iterator[str]:
    if not page.title().strip():
        yield "no title"
    if (wide := page.evaluate("document.documentElement.scrollWidth - innerWidth")) > 0:
        yield f"scrolls sideways by {wide} px"
    for image in page.evaluate("[...document.images].map(i => [i.alt.trim(), i.complete && i.naturalWidth])"):
        if not image[0]:
            yield "a picture has no alternative text"
        if not image[1]:
            yield f"a picture did not load: {image[0]}"
    if (headings := page.locator("h1").count()) != 1:
        yield f"{headings} headings of the first level"


def _accessibility(page: "Page") -> Iterator[str]:
    from axe_playwright_python.sync_playwright import Axe

    for found in Axe().run(page).response["violations"]:
        nodes = "; ".join(node["html"][:120] for node in found["nodes"])
        yield f"axe {found['id']} ({found['help']}): {nodes}"
