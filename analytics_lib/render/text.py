"""Markdown to HTML for a report's page: no scripts, no pictures from elsewhere, headings in order.

What a notebook computes can hold what a caller said. Raw HTML in it is shown as text, a link as its words.
"""

import functools
from typing import Any


def authors(markdown: str) -> str:
    """HTML of a markdown cell, which the notebook's author wrote."""
    return str(_markdown(trusted=True)(markdown))


def outputs(markdown: str) -> str:
    """HTML of a computed markdown output."""
    return str(_markdown(trusted=False)(markdown))


def inline(markdown: str) -> str:
    """HTML of a heading's words, without the heading."""
    paragraph = outputs(markdown.replace("\n", " ")).strip()
    return paragraph.removeprefix("<p>").removesuffix("</p>")


@functools.cache
def _markdown(*, trusted: bool) -> Any:
    import mistune
    from mistune.renderers.html import HTMLRenderer

    class Renderer(HTMLRenderer):
        """One h1 a page, which the header has; what a picture shows is its text."""

        def heading(self, text: str, level: int, **attrs: Any) -> str:
            return super().heading(text, max(level, 2), **attrs)

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return mistune.escape(text)

        def link(self, text: str, url: str, title: str | None = None) -> str:
            return super().link(text, url, title) if trusted else text

    return mistune.create_markdown(renderer=Renderer(escape=True), plugins=["strikethrough", "table"])
