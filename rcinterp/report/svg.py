"""Pictures of a page, written as SVG: logos, alignments, contributions, curves."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from markupsafe import Markup
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from rcinterp.report.logos import ACCESSIBLE_COLORS, FADED, letter_shapes, stack_letters

_LETTER, _BAR, _HEIGHT = 9, 12, 52  # units of a picture: width of a letter, of a model's bar, height of the drawing
_LEFT, _TOP, _BOTTOM = 24, 4, 11  # margins, for numbers
_BAR_WIDTH = 120  # of a bar with its interval
_CHART_LEFT, _CHART_WIDTH, _CHART_HEIGHT = 44, 260, 150
_FINE = 10  # steps of a unit in which letters are placed
_SHORTEST = 2.0  # units, about pixels of the page: a letter of less height cannot be read
_BITS = (0.0, 2.0)  # the vertical axis that pages share
_SEGMENTS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
_COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True))


@lru_cache(maxsize=1)
def letter_definitions() -> Markup:
    """What a page with logos needs once, before the first of them: the shapes of A, C, G and T, and how they turn.

    Each letter is a symbol of its own, that which hangs below the axis another, in lower case, upside down and paler.
    Both hold a second shape, that of the complement in a mirror, which shows in its place where the class is "rc": the
    logo of a reverse complement is the logo itself, mirrored.
    """
    symbols = "".join(
        _define(letter if above else letter.lower(), letter, above) for above in (True, False) for letter in "ACGT"
    )
    style = ".r{visibility:hidden;visibility:var(--r,hidden)}.f{visibility:var(--f,visible)}.rc{--f:hidden;--r:visible}"
    content = f"<style>{style}</style><defs>{symbols}<g id=bits>{_vertical_axis(*_BITS)}</g></defs>"
    return Markup(f'<svg class="letters" width="0" height="0" aria-hidden="true">{content}</svg>')


def _define(identity: str, letter: str, above: bool) -> str:
    """One letter as a symbol of width and height 1, and its complement in a mirror."""
    paler = "" if above else f' fill-opacity="{FADED:g}"'
    shapes = "".join(
        f'<path class="{kind}" style="fill:var(--{of},{ACCESSIBLE_COLORS[of]})"{paler} '
        f'd="{_outline(letter_shapes()[of], turn, above)}"/>'
        for kind, of, turn in (("f", letter, 1), ("r", _COMPLEMENT[letter], -1))
    )
    return f'<symbol id="{identity}" viewBox="0 0 1 1" preserveAspectRatio="none">{shapes}</symbol>'


def draw_logo(
    matrix: NDArray[np.float64], label: str, span: tuple[float, float] | None = None, identity: str = ""
) -> Markup:
    """Logo of one matrix, as `plot_logo` draws it, for a page that has the `letter_definitions`.

    Parameters
    ----------
    matrix : ndarray, shape (4, W)
        Rows A, C, G, T. Letters that are too small to be seen are left out.
    label : str
        What a screen reader says.
    span : (float, float), optional
        Ends of the vertical axis; by default those of the letters.
    identity : str
        By which `draw_reverse_complement` finds the letters; of its own on the page.
    """
    matrix = np.nan_to_num(matrix, posinf=0, neginf=0)  # a filter of a model that has diverged shows no letters
    low, high = _span_of(matrix, span)
    named, axes = (f" id={identity}", f" id={identity}-axes") if identity else ("", "")
    stacks = _stacks(matrix, (low, high), _LEFT, _TOP, named)
    n_positions = matrix.shape[1]
    return _picture(_LETTER * n_positions, label, f"<g{axes}>{_axes((low, high), n_positions)}</g>{stacks}")


def draw_reverse_complement(n_positions: int, label: str, identity: str) -> Markup:
    """Logo of the reverse complement of the matrix whose own logo stands on the page under that identity."""
    mirror = f"transform=matrix(-1,0,0,1,{2 * _LEFT + _LETTER * n_positions},0)"
    content = f"<use href=#{identity}-axes /><use class=rc href=#{identity} {mirror} />"
    return _picture(_LETTER * n_positions, label, content)


def draw_alignment(motif: NDArray[np.float64], target: NDArray[np.float64], start: int, label: str) -> Markup:
    """A known motif above a filter's, both in bits, at the places where they were compared.

    Parameters
    ----------
    motif, target : ndarray, shapes (4, W) and (4, V)
        Of the filter, and the known one as it lies on it; letter heights in bits.
    start : int
        Position of the filter's motif on which the target begins; negative where it hangs over.
    label : str
        What a screen reader says.
    """
    left = min(0, start)
    n_positions = max(motif.shape[1], start + target.shape[1]) - left
    below = _HEIGHT + 6
    first, last = max(0, start), min(motif.shape[1], start + target.shape[1])
    shade = (
        f'<rect class="under" x={_LEFT + _LETTER * (first - left)} y=0 width={_LETTER * (last - first)} '
        f"height={below + _HEIGHT + 2 * _TOP} />"
    )
    parts = [shade, "<use href=#bits />"]
    for matrix, at, down in ((target, start - left, 0), (motif, -left, below)):
        x, foot = _LEFT + _LETTER * at, _TOP + down + _HEIGHT
        parts.append(_stacks(matrix, _BITS, x, _TOP + down))
        parts.append(_path("axis", f"M{x} {foot}h{_LETTER * matrix.shape[1]}"))
    size = f"0 0 {_LEFT + _LETTER * n_positions + 2} {below + _HEIGHT + 2 * _TOP}"
    return Markup('<svg role="img" aria-label="{}" viewBox="{}">{}</svg>').format(label, size, Markup("".join(parts)))


def _stacks(matrix: NDArray[np.float64], span: tuple[float, float], x: float, y: float, named: str = "") -> str:
    """The letters of a matrix on an axis with those ends, from a place on; those too small to be seen are left out."""
    low, high = span
    scale = _HEIGHT / (high - low) * _FINE
    letters: list[str] = []
    for letter, sizes, bases in zip("ACGT", matrix, stack_letters(matrix), strict=True):
        for position, (size, base) in enumerate(zip(sizes, bases, strict=True)):
            top, height = round((high - max(base, base + size)) * scale), round(abs(size) * scale)
            if height >= _SHORTEST * _FINE:
                shown = letter if size > 0 else letter.lower()
                letters.append(f"<use href=#{shown} x={position} y={top} height={height} />")
    return (
        f'<svg{named} x={x} y={y} width={_LETTER} height={_HEIGHT} viewBox="0 0 1 {_HEIGHT * _FINE}" '
        f"preserveAspectRatio=none overflow=visible>{''.join(letters)}</svg>"
    )


def draw_interval(value: float, low: float | None, high: float | None, span: tuple[float, float]) -> Markup:
    """A bar from 0 to a value, and its interval as a line; on an axis with those ends, which hold 0."""
    scale = _BAR_WIDTH / ((span[1] - span[0]) or 1)
    zero, end = (_round((at - span[0]) * scale) for at in (0.0, value))
    content = _path("bar", f"M{zero} 3H{end}V11H{zero}z") + _path("axis", f"M{zero} 0V14")
    if low is not None and high is not None:
        ends = [_round((at - span[0]) * scale) for at in (low, high)]
        content += _path("axis", f"M{ends[0]} 7H{ends[1]}M{ends[0]} 4.5v5M{ends[1]} 4.5v5")
    return Markup('<svg class="interval" aria-hidden="true" viewBox="-1 0 {} 14">{}</svg>').format(
        _BAR_WIDTH + 2, Markup(content)
    )


def draw_curves(curves: Mapping[str, Sequence[float]], label: str, x_label: str) -> Markup:
    """Lines over 1, 2, 3, ... with one vertical axis; their names stand at the right ends."""
    values = np.array([value for curve in curves.values() for value in curve if np.isfinite(value)])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    n = max(len(curve) for curve in curves.values())
    step = _CHART_WIDTH / max(1, n - 1)
    content = _frame(low, high, _CHART_WIDTH)
    taken: list[float] = []
    for number, (name, curve) in enumerate(curves.items()):
        places = [
            (_round(_CHART_LEFT + i * step), (high - v) / (high - low) * _CHART_HEIGHT + _TOP)
            for i, v in enumerate(curve)
        ]
        drawn = [f"{x} {_round(y)}" for x, y in places if np.isfinite(y)]
        if not drawn:
            continue
        content += _path(f"line l{number}", "M" + "L".join(drawn))
        y = float(drawn[-1].split()[1]) + 3
        while any(abs(y - other) < 11 for other in taken):
            y += 11
        taken.append(y)
        content += _text(_CHART_LEFT + _CHART_WIDTH + 5, y, name, f"name l{number}")
    content += _text(_CHART_LEFT, _TOP + _CHART_HEIGHT + 12, "1") + _text(
        _CHART_LEFT + _CHART_WIDTH, _TOP + _CHART_HEIGHT + 12, str(n)
    )
    content += _text(_CHART_LEFT + _CHART_WIDTH / 2, _TOP + _CHART_HEIGHT + 12, x_label)
    return _chart(content, label, _CHART_LEFT + _CHART_WIDTH + 110)


def draw_points(x: ArrayLike, y: ArrayLike, label: str, x_label: str, y_label: str) -> Markup:
    """A point a pair, and the line on which both are equal; both axes have the same ends."""
    pairs = np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    pairs = pairs[:, np.isfinite(pairs).all(axis=0)]
    low, high = (float(pairs.min()), float(pairs.max())) if pairs.size else (0.0, 1.0)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    side, scale = _CHART_HEIGHT, _CHART_HEIGHT / (high - low)
    points = "".join(
        f"M{_round(_CHART_LEFT + (a - low) * scale)} {_round(_TOP + (high - b) * scale)}h0" for a, b in pairs.T
    )
    diagonal = _path("axis faint", f"M{_CHART_LEFT} {_TOP + side}L{_CHART_LEFT + side} {_TOP}")
    content = _frame(low, high, side) + diagonal + _path("points", points)
    content += _text(_CHART_LEFT, _TOP + side + 12, f"{low:.3g}".replace("-", "−"))
    content += _text(_CHART_LEFT + side, _TOP + side + 12, f"{high:.3g}".replace("-", "−"))
    content += _text(_CHART_LEFT + side / 2, _TOP + side + 22, x_label)
    content += f'<text transform="translate(9 {_TOP + side / 2}) rotate(-90)">{y_label}</text>'
    return _chart(content, label, _CHART_LEFT + side + 16)


def _frame(low: float, high: float, width: float) -> str:
    """Vertical axis with its numbers, and the horizontal one."""
    values = MaxNLocator(nbins=4, steps=[1, 2, 5, 10], min_n_ticks=2).tick_values(low, high)
    ticks = [float(tick) for tick in values if low <= tick <= high]
    at = {tick: _TOP + (high - tick) / (high - low) * _CHART_HEIGHT for tick in ticks}
    lines = f"M{_CHART_LEFT} {_TOP}v{_CHART_HEIGHT}h{width:g}"
    lines += "".join(f"M{_CHART_LEFT - 3} {_round(y)}h3" for y in at.values())
    numbers = "".join(_text(_CHART_LEFT - 5, y + 3, f"{tick:g}".replace("-", "−"), "end") for tick, y in at.items())
    return f"{_path('axis', lines)}{numbers}"


def _chart(content: str, label: str, width: float) -> Markup:
    size = f"0 0 {width:g} {_TOP + _CHART_HEIGHT + 26}"
    return Markup('<svg role="img" class="chart" aria-label="{}" viewBox="{}">{}</svg>').format(
        label, size, Markup(content)
    )


def _span_of(matrix: NDArray[np.float64], span: tuple[float, float] | None) -> tuple[float, float]:
    low, high = span or (float(np.minimum(matrix, 0).sum(0).min()), float(np.maximum(matrix, 0).sum(0).max()))
    return (low, high) if high > low else (low, low + 1)


def _axes(span: tuple[float, float], n_positions: int) -> str:
    """The line at 0, the vertical axis with its numbers, and those of the positions."""
    low, high = span
    zero = _path("axis", f"M{_LEFT} {_round(_TOP + high * _HEIGHT / (high - low))}h{_LETTER * n_positions}")
    ticks = MaxNLocator(nbins=4, steps=[1, 2, 5, 10], integer=True).tick_values(0, max(1, n_positions - 1))
    shown = [int(tick) for tick in ticks if 0 <= tick < n_positions]
    positions = "".join(_text(_LEFT + _LETTER * (tick + 0.5), _TOP + _HEIGHT + 9, f"{tick}") for tick in shown)
    vertical = "<use href=#bits />" if span == _BITS else _vertical_axis(low, high)
    return f"{zero}{vertical}{positions}"


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
    line = f"M{_LEFT} {_round(zero)}h{width:g}"
    content = f"{_vertical_axis(low, high)}{_path('bar', bars)}{_path('axis', line + crosses)}"
    return _picture(width, label, content)


def _picture(width: float, label: str, content: str, right: float = 2) -> Markup:
    size = f"0 0 {_LEFT + width + right:g} {_TOP + _HEIGHT + _BOTTOM}"
    return Markup('<svg role="img" aria-label="{}" viewBox="{}">{}</svg>').format(label, size, Markup(content))


def _vertical_axis(low: float, high: float) -> str:
    """The axis at the left, and its numbers."""
    scale = _HEIGHT / (high - low)
    margin = 1e-9 * (high - low)
    values = MaxNLocator(nbins=3, steps=[1, 2, 5, 10], min_n_ticks=2).tick_values(low, high)
    ticks = [float(tick) for tick in values if low - margin <= tick <= high + margin]
    at = {tick: _TOP + (high - tick) * scale for tick in ticks}
    lines = f"M{_LEFT} {_TOP}v{_HEIGHT}" + "".join(f"M{_LEFT - 2} {_round(y)}h2" for y in at.values())
    numbers = "".join(_text(_LEFT - 4, y + 2.5, f"{tick:g}".replace("-", "−"), "end") for tick, y in at.items())
    return f"{_path('axis', lines)}{numbers}"


def _path(kind: str, d: str) -> str:
    return f'<path class="{kind}" d="{d}" />'


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    """A number or word; its place of a kind is an attribute, since styles do not reach into what a page uses twice."""
    given = {"": "", "end": " text-anchor=end"}.get(kind, f' class="{kind}"')
    return f"<text x={_round(x)} y={_round(y)}{given}>{text}</text>"


def _outline(shape: Path, turn: int, above: bool) -> str:
    """The d of a letter on the unit square, y downwards; mirrored if `turn` is -1, upside down if not `above`."""

    def parts() -> Iterator[str]:
        for vertices, code in shape.iter_segments(curves=True, simplify=False):
            x, y = turn * vertices[::2] + 0.5, 1 - vertices[1::2] if above else vertices[1::2]
            ends = " ".join(f"{round(value, 3):g}" for pair in zip(x, y, strict=True) for value in pair)
            yield "Z" if code == Path.CLOSEPOLY else _SEGMENTS[code] + ends

    return "".join(parts())


def _round(value: float) -> str:
    """A number of a picture, to a tenth of a unit."""
    return f"{round(float(value), 1) + 0.0:g}"
