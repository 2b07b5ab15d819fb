"""Figures fit for a paper: their letters stay letters, their bytes are the same each time, their colours are few."""

import textwrap
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from rcinterp.files import printable, whole_file
from rcinterp.files.pictures import WholeFigure

#: Of lines and letters.
INK = "#333333"
#: Of what stands behind data.
FAINT = "#999999"
#: Blue, vermilion, orange, bluish green and grey, which readers without red, green or blue cones tell apart.
BLUE, VERMILION, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#E69F00", "#009E73", "#767676"

#: Points: of titles, of labels, of numbers, and of the smallest print.
TITLE_SIZE, LABEL_SIZE, TICK_SIZE, SMALL_SIZE = 9, 8, 7, 6

_TITLE_LETTER = 0.073  # inches: of a title, with some to spare

#: Text that a drawing program can edit, in SVG, PDF and PostScript, and names that do not change from run to run.
_VECTOR = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "rcinterp",
}
#: What would say when a file was written, by format.
_UNDATED = {"svg": {"Date": None}, "svgz": {"Date": None}, "pdf": {"CreationDate": None}}


class LogoFigure(WholeFigure):
    """A figure that pyplot does not know of, that Jupyter shows, and whose files have text that can be edited.

    Its text stands as it is: a ``$`` in a name begins no formula. What cannot be seen is marked, and lines are cut.
    """

    def draw(self, renderer: Any) -> None:
        """Draw it."""
        with rc_context({"text.parse_math": False}):  # of what is made while it is drawn, as numbers at an axis
            for text in self.findobj(Text):
                text.set_parse_math(False)
                text.set_text("\n".join(as_label(line) for line in text.get_text().split("\n")))
            super().draw(renderer)

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save whole or not at all; SVG and PDF keep text as text, and the same figure gives the same bytes."""
        suffix = Path(fname).suffix[1:] if isinstance(fname, str | Path) else ""
        kind = str(options.get("format") or suffix or rcParams["savefig.format"]).lower()
        if kind in _UNDATED:
            options["metadata"] = _UNDATED[kind] | dict(options.get("metadata") or {})
        with rc_context(_VECTOR):  # type: ignore[arg-type]  # its keys are literals there
            super().savefig(fname, **options)

    def _repr_png_(self) -> bytes:
        png = BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


def settle(figure: Figure) -> Figure:
    """Lay a figure out, once: laid out anew at each drawing, nothing would stand where it stood before."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write <path>.png, 150 dots an inch, and <path>.svg."""
    with whole_file(path.with_suffix(".png")) as part:
        figure.savefig(part, dpi=150)
    with rc_context({"svg.hashsalt": "rcinterp"}), whole_file(path.with_suffix(".svg")) as part:
        figure.savefig(part, metadata={"Date": None})


def style_axes(ax: Axes, *, without: tuple[str, ...] = ("top", "right")) -> None:
    """Thin lines in ink, small numbers, and no frame at those sides."""
    ax.spines[list(without)].set_visible(False)
    ax.spines[:].set_color(INK)
    ax.spines[:].set_linewidth(0.6)
    ax.tick_params(labelsize=TICK_SIZE, length=2, width=0.6, color=INK, labelcolor=INK)


def as_label(name: object, most: int = 120) -> str:
    """A name as a figure shows it: what cannot be seen is marked, and what is too long is cut."""
    line = printable(str(name)[: 2 * most])
    return line if len(line) <= most else f"{line[: most - 1]}…"


def wrap_title(title: str, inches: float) -> str:
    """A title in lines that are no wider."""
    return "\n".join(line for part in title.split("\n") for line in textwrap.wrap(part, int(inches / _TITLE_LETTER)))


def small_numbers(value: float, _: float = 0.0) -> str:
    """A number of an axis, without a power of ten above it."""
    return f"{value:.6g}".replace("-", "−")


def signed(value: float, digits: int = 3) -> str:
    """A number with its sign, the minus as wide as the plus."""
    return f"{value:+.{digits}g}".replace("-", "−")
