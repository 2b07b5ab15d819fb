"""Pictures of a page, written as SVG: logos, positions of sites, contributions by model."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from markupsafe import Markup
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rcinterp.report.logos import ACCESSIBLE_COLORS, FADED, letter_shapes, stack_letters

_LETTER, _BAR, _HEIGHT = 9, 12, 52  # units of a picture: width of a letter, of a model's bar, height of the drawing
_LEFT, _TOP, _BOTTOM = 24, 4, 11  # margins, for numbers
_SHORTEST = 0.05  # units: a letter of less height cannot be seen
_SEGMENTS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}


@lru_cache(maxsize=1)
def letter_definitions() -> Markup:
    """What a page with logos needs once, before the first of them: the shapes of A, C, G and T."""
    shapes = "".join(
        f'<path id="{letter}" fill="{ACCESSIBLE_COLORS[letter]}" d="{_outline(shape)}"/>'
        for letter, shape in letter_shapes().items()
    )
    return Markup(f'<svg class="letters" width="0" height="0" aria-hidden="true"><defs>{shapes}</defs></svg>')


def draw_logo(matrix: NDArray[np.float64], label: str, span: tuple[float, float] | None = None) -> Markup:
    """Logo of one matrix, as `plot_logo` draws it, for a page that has the `letter_definitions`.

    Parameters
    ----------
    matrix : ndarray, shape (4, W)
        Rows A, C, G, T. Letters that are too small to be seen are left out.
    label : str
        What a screen reader says.
    span : (float, float), optional
        Ends of the vertical axis; by default those of the letters.
    """
    low, high = span or (float(np.minimum(matrix, 0).sum(0).min()), float(np.maximum(matrix, 0).sum(0).max()))
    if high <= low:
        high = low + 1
    scale = _HEIGHT / (high - low)
    above: list[str] = []
    below: list[str] = []
    for letter, sizes, bases in zip("ACGT", matrix, stack_letters(matrix), strict=True):
        for position, (size, base) in enumerate(zip(sizes, bases, strict=True)):
            if abs(size) * scale >= _SHORTEST:
                place = f"{_LEFT + _LETTER * (position + 0.5):g} {_round((high - base) * scale + _TOP)}"
                use = f'<use href="#{letter}" transform="matrix({_LETTER} 0 0 {_round(-size * scale)} {place})"/>'
                (above if size > 0 else below).append(use)
    width = _LETTER * matrix.shape[1]
    faded = f'<g opacity="{FADED:g}">{"".join(below)}</g>' if below else ""
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True).tick_values(0, max(1, matrix.shape[1] - 1))
    shown = [int(tick) for tick in ticks if 0 <= tick < matrix.shape[1]]
    positions = "".join(_text(_LEFT + _LETTER * (tick + 0.5), _TOP + _HEIGHT + 9, f"{tick}") for tick in shown)
    content = f"{_vertical_axis(low, high, width)}{''.join(above)}{faded}{positions}"
    return _picture(width, label, content)


def draw_positions(middles: NDArray[np.float64], length: int, label: str) -> Markup:
    """Histogram of where sites lie in sequences of that length [bp]."""
    counts, _ = np.histogram(middles, bins=20, range=(0, length))
    step, bottom = 6, _TOP + _HEIGHT
    heights = counts * (_HEIGHT / max(1, counts.max()))
    bars = "".join(f"M{_LEFT + step * i} {bottom}v{_round(-h)}h{step}V{bottom}z" for i, h in enumerate(heights) if h)
    line = f'<path class="axis" d="M{_LEFT} {bottom}h{step * 20}"/>'
    ends = _text(_LEFT, bottom + 9, "0") + _text(_LEFT + step * 20, bottom + 9, str(length))
    return _picture(step * 20, label, f'<path class="bar" d="{bars}"/>{line}{ends}', right=10)


def draw_bars(values: Sequence[float], label: str, span: tuple[float, float]) -> Markup:
    """A bar a value, on an axis with those ends; a cross for a value that is missing (NaN)."""
    low, high = span if span[1] > span[0] else (span[0], span[0] + 1)
    scale = _HEIGHT / (high - low)
    zero = _TOP + high * scale
    bars, crosses = "", ""
    for i, value in enumerate(values):
        x = _LEFT + _BAR * i + 2
        if np.isnan(value):
            crosses += f"M{x + 1} {_round(zero - 3)}l6 6m0-6l-6 6"
        else:
            bars += f"M{x} {_round(zero)}v{_round(-value * scale)}h{_BAR - 4}V{_round(zero)}z"
    width = _BAR * len(values)
    content = f'{_vertical_axis(low, high, width)}<path class="bar" d="{bars}"/><path class="axis" d="{crosses}"/>'
    return _picture(width, label, content)


def _picture(width: float, label: str, content: str, right: float = 2) -> Markup:
    size = f"0 0 {_LEFT + width + right:g} {_TOP + _HEIGHT + _BOTTOM}"
    return Markup('<svg role="img" aria-label="{}" viewBox="{}">{}</svg>').format(label, size, Markup(content))


def _vertical_axis(low: float, high: float, width: float) -> str:
    """The line at 0, the axis at the left, and its numbers."""
    scale = _HEIGHT / (high - low)
    margin = 1e-9 * (high - low)
    values = MaxNLocator(nbins=3, steps=[1, 2, 5, 10], min_n_ticks=2).tick_values(low, high)
    ticks = [float(tick) for tick in values if low - margin <= tick <= high + margin]
    at = {tick: _TOP + (high - tick) * scale for tick in ticks}
    lines = f"M{_LEFT} {_TOP}v{_HEIGHT}M{_LEFT} {_round(_TOP + high * scale)}h{width:g}"
    lines += "".join(f"M{_LEFT - 2} {_round(y)}h2" for y in at.values())
    numbers = "".join(_text(_LEFT - 4, y + 2.5, f"{tick:g}".replace("-", "−"), "end") for tick, y in at.items())
    return f'<path class="axis" d="{lines}"/>{numbers}'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{_round(x)}" y="{_round(y)}" text-anchor="{anchor}">{text}</text>'


def _outline(shape: Path) -> str:
    """The d of a path."""

    def parts() -> Iterator[str]:
        for vertices, code in shape.iter_segments(curves=True, simplify=False):
            yield "Z" if code == Path.CLOSEPOLY else _SEGMENTS[code] + " ".join(f"{value:.3g}" for value in vertices)

    return "".join(parts())


def _round(value: float) -> str:
    """A number of a picture, to a hundredth of a unit."""
    return f"{round(float(value), 2) + 0.0:g}"
