"""Every way of respecting both strands, side by side, in the table of Zhou et al. next to their published values."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.studies._data import Simulated
from rcinterp.studies._drawing import COLOURS, legend_above, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._simulation import as_by_zhou, simulated, simulated_run
from rcinterp.studies._statistics import Claim, correct, heading, spread, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate

#: What is trained: name, filters, and what makes it differ from a traditional model. An RC model of 20 filters has 40
#: channels: traditional ones of 40 filters cost as much as it does.
TRAINED: dict[str, tuple[int, dict[str, Any]]] = {
    "standard": (20, {"rc": False}),
    "standard, 40 filters": (40, {"rc": False}),
    "RC augmentation": (20, {"rc": False, "augment": True}),
    "RC augmentation, 40 filters": (40, {"rc": False, "augment": True}),
    "conjoined in training": (20, {"rc": False, "conjoined": True}),
    "RC weight sharing, weighted sum": (20, {"rc": True}),
    "RC weight sharing, strands summed + dense": (20, {"rc": True, "read_out": "dense"}),
}
#: What is made of a trained model by reading both strands afterwards.
POST_HOC = {
    "standard": "post-hoc conjoined",
    "standard, 40 filters": "post-hoc conjoined, 40 filters",
    "RC augmentation": "post-hoc conjoined, augmented",
    "RC augmentation, 40 filters": "post-hoc conjoined, augmented, 40 filters",
}
#: Test auROC and auPRC of Zhou, Shrikumar & Kundaje 2022: means over 10 seeds, computed from their tables by seed.
PUBLISHED = {
    (200, "standard"): (0.919, 0.870),
    (200, "RC augmentation"): (0.950, 0.919),
    (200, "conjoined in training"): (0.944, 0.910),
    (200, "post-hoc conjoined"): (0.9476, 0.9147),
    (200, "post-hoc conjoined, augmented"): (0.9645, 0.9421),
    (200, "RC weight sharing, strands summed + dense"): (0.9609, 0.9359),
    (1000, "standard"): (0.655, 0.495),
    (1000, "RC augmentation"): (0.758, 0.622),
    (1000, "conjoined in training"): (0.742, 0.600),
    (1000, "post-hoc conjoined"): (0.704, 0.550),
    (1000, "post-hoc conjoined, augmented"): (0.792, 0.670),
    (1000, "RC weight sharing, strands summed + dense"): (0.850, 0.756),
}
LENGTHS = (200, 1000)
#: The strategy that all others are compared with.
SHARED = "RC weight sharing, weighted sum"


def make_runs(options: Options) -> list[Run]:
    """Seven trainings a length and seed; wrong labels are those of Zhou et al. unless told."""
    data = [simulated(length, options) for length in options.lengths or LENGTHS]
    if options.noise != "shuffled":
        data = [as_by_zhou(one) for one in data]
    return [
        simulated_run(name, n_filters, seed, options, data=one, **how)
        for one in data
        for seed in range(options.seeds)
        for name, (n_filters, how) in TRAINED.items()
    ]


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Clean test performance of every strategy, best epoch by validation auROC; published values beside them."""
    channels = [run.model["n_filters"] * (2 if run.model["rc"] else 1) for run in runs]
    table = _with_post_hoc(tabulate(runs, results).assign(labels=[_labels(run) for run in runs], channels=channels))
    columns = ["test_auroc", "test_auprc", "valid_auroc"]
    summary = summarise(table, ["length", "labels", "strategy", "n_parameters", "channels", "passes"], columns)
    published = [PUBLISHED.get((row["length"], row["strategy"]), (None, None)) for row in summary.to_dict("records")]
    summary["published_auroc"], summary["published_auprc"] = (
        pd.Series(v, dtype=float) for v in zip(*published, strict=True)
    )
    claims = tabulate_claims(list(_claims(table).values())).assign(labels=", ".join(table["labels"].unique()))
    return Findings({"results": table, "summary": summary, "claims": claims}, judge(table), draw(table))


def _labels(run: Run) -> str:
    """How labels were made wrong: shuffled in training and validation set, or flipped in the training set."""
    assert isinstance(run.data, Simulated)
    shares = {"shuffled": run.data.label_noise, "flipped": run.data.flipped}
    return ", ".join(f"{share:.0%} {how}" for how, share in shares.items() if share) or "clean"


def _with_post_hoc(trained: pd.DataFrame) -> pd.DataFrame:
    """Add a row for every model that can be conjoined afterwards, its scores in the columns of the others.

    Their rc_difference, 0 by construction, is not measured.
    """
    post_hoc_columns = {c: c.removeprefix("post_hoc_") for c in map(str, trained) if c.startswith("post_hoc_")}
    parts = [trained.assign(strategy=trained["model"])]
    for name, post_hoc in POST_HOC.items():
        rows = trained[trained["model"] == name]
        scores = rows[list(post_hoc_columns)].rename(columns=post_hoc_columns)
        parts.append(rows.assign(strategy=post_hoc, **scores).drop(columns="rc_difference"))
    table = pd.concat(parts, ignore_index=True).drop(columns=list(post_hoc_columns))
    table.insert(0, "length", table["data"].str.removesuffix(" bp").astype(int))
    order = [name for trained_name in TRAINED for name in (trained_name, POST_HOC.get(trained_name)) if name]
    rank = table["strategy"].map(order.index)
    table = table.assign(rank=rank).sort_values(["length", "rank", "seed"], ignore_index=True).drop(columns="rank")
    # Passes over a sequence that a prediction costs, each of so many channels: an RC filter has two.
    table.insert(2, "passes", 1 + table["strategy"].str.contains("onjoined").astype(int))
    return table.drop(columns=["model", "data"])


def judge(results: pd.DataFrame) -> str:
    """Who wins at each length, and how RC weight sharing fares against every other strategy."""
    labels = ", ".join(results["labels"].unique())
    lines = [heading(results, f"labels of training: {labels}; clean test auROC; ")]
    claims = _claims(results)
    corrected = dict(zip(claims, correct([one.p for one in claims.values()]), strict=True))
    for length, rows in results.groupby("length"):
        means = _ranked(rows)
        lines.append(f"{length} bp: highest mean: {means.index[0]}, {means.iloc[0]:.4f}")
        for name in means.index:
            compared = ""
            if name != SHARED:
                told = [
                    f"{way}: p = {claims[key].p:.3g}, corrected {corrected[key]:.3g}"
                    for way, key in (("higher", (length, SHARED, name)), ("lower", (length, name, SHARED)))
                ]
                compared = f"; {SHARED} {', '.join(told)}"
            lines.append(f"  {name}: {spread(rows.loc[rows['strategy'] == name, 'test_auroc'], 4)}{compared}")
    return "\n".join(lines)


def _claims(results: pd.DataFrame) -> dict[tuple[Any, str, str], Claim]:
    """Both claims on RC weight sharing and every other strategy at each length, by length and strategies."""
    found = {}
    for length, rows in results.groupby("length"):
        of = {name: rows.loc[rows["strategy"] == name, "test_auroc"] for name in _ranked(rows).index}
        for name in of:
            if name != SHARED:
                for high, low in ((SHARED, name), (name, SHARED)):
                    found[length, high, low] = Claim(
                        f"{length} bp: clean test auROC", high, low, (of[high], of[low]), 4
                    )
    return found


def _ranked(rows: pd.DataFrame) -> pd.Series:
    """Mean of every strategy, the highest first."""
    return rows.groupby("strategy")["test_auroc"].mean().sort_values(ascending=False)


def draw(results: pd.DataFrame) -> Figure:
    """Every seed a dot, means as bars, the published mean a cross."""
    lengths = sorted(results["length"].unique())
    figure, axes = new_figure(1, len(lengths), width=4.2 * len(lengths) + 1.5, height=4.2, sharey=True)
    names = list(dict.fromkeys(results["strategy"]))[::-1]
    for ax, length in zip(axes, lengths, strict=True):
        for i, name in enumerate(names):
            scores = results.loc[(results["length"] == length) & (results["strategy"] == name), "test_auroc"]
            ax.plot(scores, [i] * len(scores), ".", color=COLOURS[0 if name.startswith("RC w") else 1], alpha=0.5)
            ax.plot([scores.mean()], [i], "|", markersize=14, color="black")
            if (length, name) in PUBLISHED:
                ax.plot([PUBLISHED[length, name][0]], [i], "x", color=COLOURS[2])
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.set(xlabel="clean test auROC", title=f"{length} bp, labels {', '.join(results['labels'].unique())}")
    axes[0].plot([], [], "x", color=COLOURS[2], label="published mean (Zhou et al.)")
    axes[0].plot([], [], "|", color="black", markersize=10, label="mean")
    legend_above(figure, axes[0], 2)
    return figure


STUDY = Study("strategies", make_runs, report, has_lengths=True, has_noise=True)
