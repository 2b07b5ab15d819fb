"""Sequence logos: of one matrix on one axes, and of a bank of filters, each beside its reverse complement."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import is_color_like
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError, require_whole
from rcinterp.motifs.centring import Filters, filters_by_name
from rcinterp.motifs.groups import name_in_full
from rcinterp.motifs.matrices import as_matrix, reverse_complement_motif
from rcinterp.report.figures import INK, LogoFigure

#: The usual hues (A green, C blue, G orange, T red), darkened and spread so that each has a contrast of at least 3 to
#: white and no two look alike to a reader without red, green or blue cones (CIE76 distance at least 25).
ACCESSIBLE_COLORS: Mapping[str, str] = {"A": "#1B9E77", "C": "#1F4E9E", "G": "#D08000", "T": "#B5202B"}

#: Opacity of what hangs below the axis, so that the eye reads what stands on it.
FADED = 0.5

_LETTERS = "ACGT"


def plot_logo(
    matrix: NDArray[Any] | Tensor,
    ax: Axes | None = None,
    *,
    title: str | None = None,
    ylabel: str | None = None,
    color_scheme: Mapping[str, Any] = ACCESSIBLE_COLORS,
) -> Axes:
    """Logo of one matrix, its entries drawn as letters of that height.

    Parameters
    ----------
    matrix : ndarray or Tensor, shape (4, W)
        Rows A, C, G, T, in any unit: weights, mean-centred weights, PPM, bits. Heights are drawn as given, the tallest
        letter farthest from the axis; negative ones hang below it, upside down and paler.
    ax : Axes, optional
        Where to draw. By default a new figure, ``ax.figure``, which pyplot does not know of and Jupyter shows.
    title, ylabel : str, optional
        The title is set left. The y label should say the unit.
    color_scheme : dict[str, color], optional
        A matplotlib colour for each of A, C, G, T; by default ``ACCESSIBLE_COLORS``.

    Returns
    -------
    Axes
        With the letters in four collections, labelled A, C, G, T, of one path a position. Positions are 0-based;
        nothing is shown or saved.

    Raises
    ------
    InputError
        `matrix` is not finite or not (4, W), or `color_scheme` has no colour for a letter.

    Notes
    -----
    The shapes of the letters and their places are logomaker's; but a shape is laid out once and then moved, not laid
    out again for each of the 4 W letters, which is some fifty times faster.

    References
    ----------
    Tareen & Kinney 2020, Logomaker, Bioinformatics 36:2272. Shrikumar, Greenside & Kundaje 2017, figure 5.

    Examples
    --------
    >>> import numpy as np
    >>> ax = plot_logo(np.eye(4) - 0.25, title="ACGT", ylabel="weight (centred)")
    >>> ax.figure.savefig("logo.png")
    """
    heights = _check_matrix(matrix)
    _check_colors(color_scheme)
    if ax is None:
        ax = LogoFigure(figsize=(max(2.4, 0.8 + 0.26 * heights.shape[1]), 1.6), layout="constrained").subplots()
    draw_letters(ax, heights, color_scheme=color_scheme)
    _style_axes(ax, heights)
    if title is not None:
        ax.set_title(title, loc="left", fontsize=9)
    if ylabel is not None:
        ax.set_ylabel(ylabel, fontsize=8)
    return ax


def plot_filters(
    filters: Filters,
    table: pd.DataFrame | None = None,
    *,
    names: Sequence[Hashable] | None = None,
    max_filters: int | None = None,
    both_strands: bool = True,
    ylabel: str | None = None,
    color_scheme: Mapping[str, Any] = ACCESSIBLE_COLORS,
) -> Figure:
    """Logos of a bank of filters, a row each: the filter at the left, its reverse complement (RC) at the right.

    Parameters
    ----------
    filters : ndarray or Tensor, shape (F, 4, W), or dict[str, ndarray or Tensor of shape (4, W)]
        Drawn as given. The paper centres the weights first: ``plot_filters(mean_center(weight).weight)``.
    table : DataFrame, optional
        One row a filter to draw, from the top down: its name, as a column or index ``filter``, and any of
        ``contribution``, ``best_match`` (motif; with a q-value of 1 it is no match), ``match_q`` and ``rc_similarity``
        (to its own RC), told in the row's title. By default all filters, in their order.
    names : sequence of F names, optional
        Names of a bank (F, 4, W), as they stand in `table`; by default ``filter_0``, ``filter_1``, ...
    max_filters : int, optional
        Rows drawn at most; all by default.
    both_strands : bool
        Whether to draw the RC too; by default yes.
    ylabel : str, optional
        Unit of the heights.
    color_scheme : dict[str, color], optional
        As in `plot_logo`.

    Returns
    -------
    Figure
        Unknown to pyplot, so that it needs no closing; Jupyter shows it, ``figure.savefig(path)`` saves it. The two
        strands of a filter have the same limits; two filters do not.

    Raises
    ------
    InputError
        There is nothing to draw, `table` has no ``filter`` or names one that `filters` does not have, or a matrix, a
        name or `max_filters` cannot be used.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, figure 5 and section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> bank = np.stack([np.eye(4), -np.eye(4)])
    >>> figure = plot_filters(bank, pd.DataFrame({"filter": ["filter_1", "filter_0"], "contribution": [0.5, -0.2]}))
    >>> [ax.get_title("left") for ax in figure.axes[::2]]
    ['filter_1 · contribution +0.5', 'filter_0 · contribution −0.2']
    """
    matrices = filters_by_name(filters, names, caller="plot_filters")
    rows = _select_rows(matrices, table, max_filters)
    figure, grid = _lay_out(len(rows), 1 + both_strands, max(matrices[row["filter"]].shape[1] for row in rows))
    for row, axes in zip(rows, grid, strict=True):
        matrix = matrices[row["filter"]]
        plot_logo(matrix, axes[0], title=_describe(row), ylabel=ylabel, color_scheme=color_scheme)
        if both_strands:
            plot_logo(reverse_complement_motif(matrix), axes[1], color_scheme=color_scheme)
            axes[1].set_title("reverse complement", loc="right", fontsize=8, color=INK)
    return figure


def draw_letters(
    ax: Axes, heights: NDArray[np.float64], first: int = 0, *, color_scheme: Mapping[str, Any] = ACCESSIBLE_COLORS
) -> None:
    """Letters of a matrix (4, W), its first position at x = `first`, on axes that stay as they are."""
    for letter, row, paths in zip(_LETTERS, heights, _place_letters(heights, first), strict=True):
        alpha = np.where(row < 0, FADED, 1.0)
        letters = PathCollection(paths, facecolors=color_scheme[letter], alpha=alpha, linewidths=0, label=letter)
        ax.add_collection(letters, autolim=False)


@lru_cache(maxsize=1)
def letter_shapes() -> dict[str, Path]:
    """Shape of each letter on the unit square about x = 0, as logomaker draws it."""
    ax = Figure().subplots()
    return {letter: logomaker.Glyph(0, letter, floor=0, ceiling=1, ax=ax).patch.get_path() for letter in _LETTERS}


def stack_letters(heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each letter stands: the end of it that is nearest to the axis, (4, W)."""
    order = np.argsort(heights, axis=0, kind="stable")  # from the bottom up
    sizes = np.take_along_axis(heights, order, axis=0)
    tops = np.minimum(sizes, 0).sum(axis=0) + np.cumsum(np.abs(sizes), axis=0)
    bases = np.empty_like(heights)
    np.put_along_axis(bases, order, np.where(sizes < 0, tops, tops - sizes), axis=0)
    return bases


def _place_letters(heights: NDArray[np.float64], first: int) -> Iterator[list[Path]]:
    """Placed shapes of A, then of C, G and T: one path a position, empty where the letter has no height."""
    for letter, sizes, bases in zip(_LETTERS, heights, stack_letters(heights), strict=True):
        shape = letter_shapes()[letter]
        vertices = np.asarray(shape.vertices)
        placed = zip(range(first, first + len(sizes)), sizes, bases, strict=True)
        yield [Path(vertices * (1, size) + (position, base), shape.codes) for position, size, base in placed]


def _style_axes(ax: Axes, heights: NDArray[np.float64]) -> None:
    """0-based positions, the axis at 0, few ticks and no frame."""
    bottom = np.minimum(heights, 0).sum(axis=0).min()
    top = np.maximum(heights, 0).sum(axis=0).max()
    width = heights.shape[1]
    ax.set_xlim(-0.6, width - 0.4)
    ax.set_ylim(bottom, top if top > bottom else 1.0)
    ax.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    ax.axhline(0, color=INK, linewidth=0.6, zorder=0)
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.spines["left"].set_color(INK)
    ax.tick_params(labelsize=7, length=2, width=0.6, color=INK, labelcolor=INK)


def _lay_out(n_rows: int, n_columns: int, width: int) -> tuple[Figure, NDArray[Any]]:
    """Figure and its grid of axes, sized in inches: 0.2 a position, one row as high as the next however many."""
    logo_width, logo_height, gap = max(6.4 / n_columns, 0.2 * width), 0.8, 0.5
    figure_width = 0.7 + n_columns * logo_width + (n_columns - 1) * 0.4
    figure_height = n_rows * (logo_height + gap) + 0.1
    figure = LogoFigure(figsize=(figure_width, figure_height))
    grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey="row")
    figure.subplots_adjust(
        left=0.6 / figure_width,
        right=1 - 0.1 / figure_width,
        top=1 - 0.3 / figure_height,
        bottom=0.3 / figure_height,
        hspace=gap / logo_height,
        wspace=0.4 / logo_width,
    )
    return figure, grid


def _select_rows(
    matrices: Mapping[Hashable, Any], table: pd.DataFrame | None, max_filters: int | None
) -> list[dict[Hashable, Any]]:
    """Rows of the table to draw, from the top down."""
    if max_filters is not None:
        require_whole("max_filters", max_filters, 1, "plot_filters")
    if table is None:
        table = pd.DataFrame({"filter": list(matrices)})
    elif "filter" not in table.columns:
        table = table.reset_index()
    if "filter" not in table.columns or table.empty:
        raise InputError(
            f"plot_filters: got a table of {len(table)} rows with columns {', '.join(map(str, table.columns))}, "
            "expected at least one row and a column or index 'filter'. Name the index: table.rename_axis('filter')."
        )
    unknown = [name for name in table["filter"] if name not in matrices]
    if unknown:
        raise InputError(
            f"plot_filters: the table has filter {unknown[0]!r}, but the filters are {_abbreviate(list(matrices))}. "
            "Give the bank's names in the same spelling, names=[...]."
        )
    return table.head(max_filters or len(table)).to_dict("records")


def _abbreviate(names: Sequence[Hashable]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} ... {names[-1]!r}"


def _describe(row: Mapping[Hashable, Any]) -> str:
    """Title of a filter: its name, and what the table knows of it."""
    parts = [str(row["filter"])]
    if pd.notna(row.get("contribution")):
        parts.append(f"contribution {row['contribution']:+.3g}".replace("-", "−"))
    if "best_match" in row:
        match = row["best_match"]
        if isinstance(match, str):
            match = name_in_full(match, row.get("match_factor"), row.get("match_known"))
        parts.append(_describe_match(match, row.get("match_q")))
    if pd.notna(row.get("rc_similarity")):
        parts.append(f"similarity to its RC {row['rc_similarity']:.2f}".replace("-", "−"))
    return " · ".join(parts)


def _describe_match(match: str | None, q_value: float | None) -> str:
    if pd.isna(q_value):
        return "no match" if pd.isna(match) else str(match)
    return "no match" if pd.isna(match) or q_value >= 1 else f"{match} (q = {q_value:.1g})"


def _check_matrix(matrix: NDArray[Any] | Tensor) -> NDArray[np.float64]:
    heights = as_matrix(matrix.detach().cpu().double().numpy() if isinstance(matrix, Tensor) else matrix, "given")
    if not np.isfinite(heights).all():
        raise InputError(
            f"plot_logo: got a matrix with {np.sum(~np.isfinite(heights))} entries that are not finite, expected "
            "heights. Leave out such a filter (its training diverged) or use np.nan_to_num(matrix)."
        )
    return heights


def _check_colors(color_scheme: Mapping[str, Any]) -> None:
    missing = [letter for letter in _LETTERS if not is_color_like(color_scheme.get(letter))]
    if missing:
        raise InputError(
            f"plot_logo: got a color_scheme without a matplotlib colour for {', '.join(missing)}, expected one for "
            "each of A, C, G, T. Start from {**ACCESSIBLE_COLORS, 'A': 'black'}."
        )
