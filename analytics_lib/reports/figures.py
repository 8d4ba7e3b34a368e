"""The look of every figure, and the Chart that notebooks show, with its alternative text."""

import io
import logging
import textwrap
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analytics_lib.period import Period

if TYPE_CHECKING:  # matplotlib is imported where something is drawn: a table alone should not wait for it
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart by colour-blind readers and in print.
BLUE, ORANGE, GREEN, RED, SKY, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#9CCBEB", "#8A8F98"
_MUTED = "#5A6270"
_STYLE = Path(__file__).with_name("workspace.mplstyle")
_WIDTH_INCHES, _PIXELS_PER_INCH, _PNG_SCALE = 7.4, 100, 2
_TITLE_WIDTH = 58
_LEGEND_COLUMNS = 3
_LABEL_WIDTH = 30
logging.getLogger("matplotlib").addHandler(logging.NullHandler())  # else Python prints into the page what it logs


@dataclass(frozen=True, slots=True)
class Chart:
    """A matplotlib figure that knows its file name and says its finding to those who cannot see it."""

    name: str
    alt: str
    figure: "Figure"

    def png(self) -> bytes:
        """The picture, at twice the pixels of its size on the page."""
        import matplotlib as mpl

        buffer = io.BytesIO()
        with mpl.rc_context(fname=_STYLE), warnings.catch_warnings():  # the last labels are made while drawing
            # A caller's script may have no glyph here; the table has the text.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            self.figure.savefig(buffer, format="png", dpi=_PIXELS_PER_INCH * _PNG_SCALE, metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = (round(inches * _PIXELS_PER_INCH) for inches in self.figure.get_size_inches())
        about = {"alt": self.alt, "name": self.name, "width": width, "height": height}
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": about}


@contextmanager
def chart(name: str, finding: str, subtitle: str, *, height: float = 3.6) -> Iterator[tuple[Chart, "Axes"]]:
    """A chart and its axes to draw on; the finding is its title and, with the subtitle, its alternative text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(fname=_STYLE):
        figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
        axes = figure.subplots()
        yield Chart(name, f"{finding} {subtitle}", figure), axes
        figure.suptitle(_wrapped(finding), x=0.01, ha="left", fontsize=14, fontweight="bold")
        axes.set_title(subtitle, fontsize=10.5, color=_MUTED, pad=10 + 20 * _legend_rows(axes))
        if not axes.has_data():
            _say_empty(axes)


def _legend_rows(axes: "Axes") -> int:
    key = axes.get_legend()
    return -(-len(key.get_texts()) // _LEGEND_COLUMNS) if key else 0


def _wrapped(text: str) -> str:
    """The text on as few lines as it needs, of about the same length."""
    lines = -(-len(text) // _TITLE_WIDTH)
    return textwrap.fill(text, max(20, len(text) // lines + 8))


def _say_empty(axes: "Axes") -> None:
    axes.text(0.5, 0.5, "no sessions in this period", transform=axes.transAxes, ha="center", color=_MUTED)
    axes.set_xticks([])
    axes.set_yticks([])


def label(text: object, width: int = _LABEL_WIDTH) -> str:
    """A caller's or a tool's text as a label: one line, no control characters, not too long."""
    line = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in str(text))
    folded = " ".join(line.split())
    return folded if len(folded) <= width else f"{folded[: width - 1]}…"


def labels(texts: Iterable[object], width: int = _LABEL_WIDTH) -> list[str]:
    """Labels for bars: two texts that look alike once shortened stay two bars."""
    shown: list[str] = []
    for text in texts:
        short = label(text, width) or "(blank)"
        shown.append(short + "\u200b" * sum(other.rstrip("\u200b") == short for other in shown))
    return shown


def count_axis(axes: "Axes", title: str) -> None:
    """The y axis counts: whole numbers from 0."""
    axes.set_ylabel(title)
    axes.set_ylim(0, max(1, axes.dataLim.y1) * 1.06)
    _count_ticks(axes.yaxis)


def _count_ticks(axis: "Axis") -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def day_axis(axes: "Axes", period: Period) -> None:
    """The x axis shows every day of the period."""
    from matplotlib.dates import AutoDateLocator, date2num, num2date
    from matplotlib.ticker import FuncFormatter

    half_a_day = timedelta(hours=12)
    start, end = (datetime.combine(day, time()) for day in (period.start, period.end))
    axes.set_xlim(date2num(start - half_a_day), date2num(end + half_a_day))
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=9))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: f"{num2date(day).day} {num2date(day):%b}"))
    axes.set_xlabel("UTC day")


def percent_axis(axis: "Axis") -> None:
    """An axis of rates from 0 to 1, written as per cent."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(nbins=6))
    axis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate * 100:.3g} %"))


def horizontal(axes: "Axes", title: str) -> None:
    """For lying bars that count: the grid stands, and the first row is on top."""
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(title)
    axes.set_xlim(left=0)
    _count_ticks(axes.xaxis)
    axes.invert_yaxis()


def legend(axes: "Axes") -> None:
    """The key between the subtitle and the axes."""
    axes.legend(
        ncols=_LEGEND_COLUMNS, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, borderpad=0, handlelength=1.2
    )
