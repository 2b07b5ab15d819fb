"""Figure 5: does RC weight sharing lead to cleaner filters? One RC and one traditional model a seed, on real data."""

import os
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from rcinterp.datasets import Dataset, load_split
from rcinterp.errors import InputError
from rcinterp.inference import predict
from rcinterp.interpretation import Interpretation, interpret
from rcinterp.logos import plot_filters
from rcinterp.models import compact_model, count_parameters, save_model
from rcinterp.motifs import information_content, load_motifs, reverse_complement_motif
from rcinterp.similarity import compare_matrices
from rcinterp.studies._runner import Run, run_all
from rcinterp.training import fit
from rclayers import reverse_complement

#: The motif that the paper shows on top.
CANONICAL = "CTCF_known1"
#: Filters of each model that the tables and the figure show: one of RC, four of the traditional in the paper.
N_TOP = 4


@dataclass(frozen=True)
class Fig5Settings:
    """Sizes of section 3.5; 80 epochs of 5,000 samples in batches of 100, the best epoch kept."""

    rc_filters: int = 8
    traditional_filters: int = 16
    width: int = 15
    epochs: int = 80


@dataclass(frozen=True, eq=False)
class Fig5Study:
    """What the study found.

    Attributes
    ----------
    results : DataFrame
        One row a model and seed: model, seed, n_parameters, auroc, auprc, best_epoch, rc_difference (largest
        |logit(x) - logit(rc x)|), and of the top filter: filter, score, similarity (to its own reverse complement),
        palindrome_p, best_match, q_value, canonical_similarity; weighted_similarity (of all filters with a positive
        score, weighted by it).
    top_filters : DataFrame
        The same of the four largest filters of each model.
    verdict : str
        On the paper's claim.
    figure : Figure
        Logos, the canonical motif on top.
    """

    results: pd.DataFrame
    top_filters: pd.DataFrame
    verdict: str
    figure: Figure


def study_fig5(
    data: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    seeds: int = 10,
    settings: Fig5Settings | None = None,
    jobs: int = 1,
    progress: bool = True,
) -> Fig5Study:
    """RC model of 8 filters against the traditional model of 16 with RC augmentation, over seeds 0, 1, ...

    Parameters
    ----------
    data : path
        Folder with train*.pos.fa, train*.neg.fa, valid*.pos.fa and valid*.neg.fa (plain or .gz); one length.
    folder : path
        results.tsv, top_filters.tsv, verdict.txt, fig5.png and fig5.svg are written here, and each run below runs/.
        A study that was stopped goes on where it stopped.
    seeds : int
        Number of seeds.
    settings : Fig5Settings, optional
    jobs : int
        Processes; the numbers do not depend on it.
    progress : bool
        A bar on standard error.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 2.2.2, 3.4.2, 3.5 and 3.8, figure 5.
    """
    if seeds < 1:
        raise InputError(f"study_fig5: got seeds={seeds}, expected at least 1; the paper has 10.")
    settings = settings or Fig5Settings()
    folder = Path(folder)
    train, valid = load_split(data)
    shared = {
        **asdict(settings),
        "rcinterp": version("rcinterp"),
        "train_sha256": train.sha256,
        "valid_sha256": valid.sha256,
    }
    runs = [
        Run(f"{model}-seed{seed}", {"model": model, "seed": seed, **shared})
        for seed in range(seeds)
        for model in ("rc", "traditional")
    ]
    found = run_all(runs, partial(_train_and_read, train, valid), folder / "runs", jobs=jobs, progress=progress)
    top_filters = _table([row for result in found for row in result["top_filters"]])
    results = _table([result["summary"] for result in found])
    study = Fig5Study(results, top_filters, _judge(results), _draw(found, _median_seed(results)))
    results.to_csv(folder / "results.tsv", sep="\t", index=False)
    top_filters.to_csv(folder / "top_filters.tsv", sep="\t", index=False)
    (folder / "verdict.txt").write_text(study.verdict + "\n", encoding="utf-8")
    study.figure.savefig(folder / "fig5.png", dpi=150)
    with rc_context({"svg.hashsalt": "rcinterp"}):  # the same bytes for the same filters
        study.figure.savefig(folder / "fig5.svg", metadata={"Date": None})
    return study


def _train_and_read(train: Dataset, valid: Dataset, run: Run, folder: Path) -> dict[str, Any]:
    """One run: train, read, and put into numbers."""
    settings = run.settings
    rc = settings["model"] == "rc"
    n_filters = settings["rc_filters"] if rc else settings["traditional_filters"]
    model = compact_model(1, n_filters, train.length, rc=rc, widths=(settings["width"],))
    fit(
        model,
        train,
        valid,
        seed=settings["seed"],
        epochs=settings["epochs"],
        patience=None,
        augment=not rc,
        checkpoint=folder / "checkpoint.safetensors",
        progress=False,
    )
    save_model(model, folder)
    found = interpret(model, valid.positives(), valid.negatives())
    found.save(folder, run.name)
    difference = (predict(model, valid.x) - predict(model, reverse_complement(valid.x))).abs().max()
    top = _top_filters(found, {"model": settings["model"], "seed": settings["seed"]})
    summary = {
        "model": settings["model"],
        "seed": settings["seed"],
        "n_parameters": count_parameters(model),
        **found.scores,
        "best_epoch": model.provenance["best_epoch"],
        "rc_difference": float(difference),
        **{key: value for key, value in top[0].items() if key not in ("model", "seed", "rank")},
        "weighted_similarity": _weighted_similarity(found.table),
    }
    weights = {row["filter"]: found.filters[row["filter"]].tolist() for row in top}
    return {"summary": summary, "top_filters": top, "weights": weights}


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    text = pd.Series([""]).dtype  # whatever pandas takes for text, also if no filter has a match
    return pd.DataFrame(rows).astype({"best_match": text, "q_value": float})


def _top_filters(found: Interpretation, run: dict[str, Any]) -> list[dict[str, Any]]:
    canonical = load_motifs("encode")[CANONICAL]
    rows = []
    for rank, (_, row) in enumerate(found.table.head(N_TOP).iterrows(), start=1):
        kept = {name: row[name] for name in ("filter", "score", "similarity", "palindrome_p", "best_match", "q_value")}
        kept = {name: None if pd.isna(value) else value for name, value in kept.items()}
        similarity = compare_matrices(found.filters[row["filter"]], canonical).value
        rows.append({**run, "rank": rank, **kept, "canonical_similarity": similarity})
    return rows


def _weighted_similarity(table: pd.DataFrame) -> float:
    positive = table[(table["score"] > 0) & table["similarity"].notna()]
    if positive.empty:
        return float("nan")
    return float(np.average(positive["similarity"], weights=positive["score"]))


def _judge(results: pd.DataFrame) -> str:
    """The paper's claim, put to a one-sided exact Wilcoxon rank-sum test (section 3.8)."""
    models = {name: results[results["model"] == name.lower()] for name in ("RC", "traditional")}
    lines = [
        f"{len(models['RC'])} seeds; one-sided exact Wilcoxon rank-sum tests (section 3.8)",
        _claim("palindrome score of the top filter", "similarity", models, "traditional", "RC"),
        _claim("contribution-weighted palindrome score", "weighted_similarity", models, "traditional", "RC"),
        _claim(f"similarity of the top filter to {CANONICAL}", "canonical_similarity", models, "RC", "traditional"),
        "auROC: " + ", ".join(f"{name} {_spread(rows['auroc'], 4)}" for name, rows in models.items()),
    ]
    for name, rows in models.items():
        lines.append(f"largest |logit(x) - logit(rc x)| of the {name} models: {rows['rc_difference'].max():.2g}")
    return "\n".join(lines)


def _claim(what: str, column: str, models: dict[str, pd.DataFrame], high: str, low: str) -> str:
    """One line: both models' values, and whether they are higher in the model that is said to be."""
    p = _p_greater(models[high], models[low], column)
    holds = "higher" if p < 0.05 else "not significantly higher"
    values = ", ".join(f"{name} {_spread(models[name][column])}" for name in (high, low))
    return f"{what}: {values}: {holds} in the {high} model, p = {p:.3g}"


def _p_greater(one: pd.DataFrame, other: pd.DataFrame, column: str) -> float:
    return float(mannwhitneyu(one[column], other[column], alternative="greater", method="exact").pvalue)


def _spread(values: pd.Series, digits: int = 2) -> str:
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def _median_seed(results: pd.DataFrame) -> int:
    """Seed of the RC model of median auROC (the lower of two): a typical one."""
    ranked = results[results["model"] == "rc"].sort_values("auroc", kind="stable")
    return int(ranked["seed"].iloc[(len(ranked) - 1) // 2])


def _draw(found: list[dict[str, Any]], seed: int) -> Figure:
    """Logos as in figure 5: the canonical motif, RC's top filter and the traditional model's top four."""
    canonical = load_motifs("encode")[CANONICAL]
    drawn = {f"{CANONICAL} (bits)": canonical * information_content(canonical)}
    rows: list[dict[str, Any]] = [{"filter": f"{CANONICAL} (bits)"}]
    for result in found:
        model = result["summary"]["model"]
        if result["summary"]["seed"] != seed:
            continue
        for row in result["top_filters"][: 1 if model == "rc" else N_TOP]:
            name = f"{'RC' if model == 'rc' else 'Traditional'} {row['rank']}"
            drawn[name] = _turn_to(np.array(result["weights"][row["filter"]]), canonical)
            rows.append({**row, "filter": name})
    table = pd.DataFrame(rows)[["filter", "score", "similarity"]]
    figure = plot_filters(drawn, table)
    figure.text(0.995, 0.002, f"seed {seed}", ha="right", va="bottom", fontsize=7, color="#666666")
    return figure


def _turn_to(weight: NDArray[np.float64], canonical: NDArray[np.float64]) -> NDArray[np.float64]:
    return reverse_complement_motif(weight) if compare_matrices(weight, canonical).orientation == "-" else weight
