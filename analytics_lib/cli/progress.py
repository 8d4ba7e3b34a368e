"""Progress on a terminal: one line on standard error that is drawn over and, at the end, wiped."""

import sys
import time

_SECONDS_BETWEEN = 0.1


class Progress:
    """Called with (done, total). Silent where standard error is no terminal, and for work done in a blink."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._shown = 0.0
        self._width = 0
        self._states: dict[str, str] = {}

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._width:
            sys.stderr.write(f"\r{' ' * self._width}\r")
            sys.stderr.flush()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` are done."""
        self._draw(f"{self._subject}: {done:,} of {total:,}", final=done >= total)

    def counted(self, done: int) -> None:
        """Show that `done` are done, of nobody knows how many."""
        self._draw(f"{self._subject}: {done:,}", final=False)

    def amounts(self, done: int, total: int, done_bytes: int, total_bytes: int) -> None:
        """Show that `done` of `total` are done, with their sizes."""
        sizes = f"{done_bytes / 1e6:,.1f} of {total_bytes / 1e6:,.1f} MB"
        self._draw(f"{self._subject}: {done:,} of {total:,}, {sizes}", final=done >= total)

    def named(self, name: str, done: int, total: int) -> None:
        """Show that `done` of `total` of `name` are done, beside the others that run."""
        self._states[name] = f"{name} {done}/{total}"
        self._draw(f"{self._subject}: {'   '.join(self._states.values())}", final=done >= total)

    def _draw(self, text: str, *, final: bool) -> None:
        now = time.monotonic()
        if not sys.stderr.isatty() or (now - self._shown < _SECONDS_BETWEEN and not final):
            return
        self._shown = now
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()
        self._width = len(text)
