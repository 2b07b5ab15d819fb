"""Figure 7: RC against traditional models of as many and of twice as many filters, by size and by data set."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rcinterp.report.figures import as_label
from rcinterp.studies._chip import chip_run, folders
from rcinterp.studies._drawing import COLOURS, legend_above, mean_and_range, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate

#: Filters a layer of the RC models, for the first data set (a); the others have the middle one (b).
SIZES = (8, 16, 32)
PERFORMANCE = {"valid_auroc": "auROC", "valid_auprc": "auPRC"}


def make_runs(options: Options) -> list[Run]:
    """All sizes for the first data set, the middle one for the others; traditional models of those and twice those."""
    runs = []
    for i, data in enumerate(folders(options)):
        sizes = SIZES if i == 0 and not options.small else SIZES[1:2]
        traditional = sorted({n for size in sizes for n in (size, 2 * size)})
        for seed in range(options.seeds):
            runs += [chip_run(_label(n, True), n, data, seed, options) for n in sizes]
            runs += [chip_run(_label(n, False), n, data, seed, options, rc=False) for n in traditional]
    return runs


def _label(n_filters: int, rc: bool) -> str:
    return f"{'RC' if rc else 'traditional'}, {n_filters} filters"


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Validation performance by number of filters and data set."""
    table = tabulate(runs, results)
    table.insert(2, "n_filters", [run.model["n_filters"] for run in runs])
    summary = summarise(table, ["data", "model", "n_parameters"], list(PERFORMANCE))
    return Findings(
        {"results": table, "summary": summary, "claims": tabulate_claims(_lines(table))}, judge(table), draw(table)
    )


def judge(results: pd.DataFrame) -> str:
    """Each RC model against the traditional ones of as many filters and of twice as many."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    lines: list[str | Claim] = [heading(results)]
    for column, name in PERFORMANCE.items():
        for data, rows in results.groupby("data", sort=False):
            for n in _rc_sizes(rows):
                lines += [
                    claim(f"{data}: validation {name}", rows, column, _label(n, True), _label(other, False), 3)
                    for other in (n, 2 * n)
                ]
    return lines


def draw(results: pd.DataFrame) -> Figure:
    """(a) by number of filters on the first data set, (b) by data set: means, lowest to highest over seeds."""
    figure, axes = new_figure(2, 2, width=8, height=6)
    first = results["data"].iloc[0]
    for row, (column, name) in zip((axes[:2], axes[2:]), PERFORMANCE.items(), strict=True):
        on_first = results[results["data"] == first]
        _draw_groups(row[0], [(f"{n} filters", on_first, n) for n in _rc_sizes(on_first)], column)
        of_middle = [(str(data), rows, SIZES[1]) for data, rows in results.groupby("data", sort=False)]
        _draw_groups(row[1], of_middle, column)
        row[0].set_ylabel(f"validation {name}")
        row[0].set_title(f"(a) {first}", fontsize=9)
        row[1].set_title(f"(b) {SIZES[1]} filters", fontsize=9)
    legend_above(figure, axes[0], 3)
    return figure


def _draw_groups(ax: Axes, groups: Sequence[tuple[str, pd.DataFrame, int]], column: str) -> None:
    """Of each group: the RC model of n filters, the traditional ones of n and of 2n."""
    kinds = (("RC", 1), ("traditional, as many filters", 1), ("traditional, twice as many", 2))
    for i, (_, rows, n) in enumerate(groups):
        for j, (kind, factor) in enumerate(kinds):
            values = rows.loc[rows["model"] == _label(factor * n, kind == "RC"), column]
            label = kind if i == 0 else None
            mean_and_range(ax, i + 0.2 * (j - 1), values, fmt="o", capsize=3, color=COLOURS[j], label=label)
    ax.set_xticks(range(len(groups)), [as_label(name) for name, *_ in groups], fontsize=8)
    ax.set_xlim(-0.6, len(groups) - 0.4)


def _rc_sizes(rows: pd.DataFrame) -> list[int]:
    return [n for n in SIZES if _label(n, True) in set(rows["model"])]


STUDY = Study("fig7", make_runs, report, data="several")
