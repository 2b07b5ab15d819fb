"""What a comparison of models found: tables, logos, files, a page."""

import os
from collections.abc import Hashable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.errors import InputError, require_whole
from rcinterp.files import whole_folder, write_table
from rcinterp.files.paths import as_path
from rcinterp.files.proofs import removable, seal
from rcinterp.files.results import PATTERNS
from rcinterp.motifs import write_meme
from rcinterp.report.figures import save_figure
from rcinterp.stability.drawing import plot_patterns
from rcinterp.stability.page import write_patterns
from rcinterp.stability.rates import expected_new
from rcinterp.stability.tables import MOSTLY

#: Fewer models say little of what a further one shows: with all 5 of 5, at least 48 % of such models do.
FEW_MODELS = 5
_MAX_DRAWN = 30  # patterns in the pictures that are saved; a page high enough for hundreds is no picture


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """What `compare_models` found.

    Attributes
    ----------
    table : DataFrame
        One row a pattern, the most frequent first, of equally frequent ones the largest contribution.
    members : DataFrame
        One row a filter, and how its motif lies on the consensus of its pattern.
    left_out : DataFrame
        One row a filter that was not compared, and why.
    models : DataFrame
        One row a model.
    contributions : DataFrame, one row a pattern, one column a model
        Contribution of each pattern in each model, summed over its filters there; NaN where a model does not show it.
    consensus : dict of str to ndarray, shape (4, W)
        Letter probabilities of each pattern, in the orientation of its best match.
    warnings : tuple of str
        What would mislead a reader who does not know it, in sentences, each after the models of which it holds: those
        of `Interpretation.warnings` of each.

    Notes
    -----
    docs/explanation/definitions.md has the columns of the tables.
    """

    table: pd.DataFrame
    members: pd.DataFrame
    left_out: pd.DataFrame
    models: pd.DataFrame
    contributions: pd.DataFrame
    consensus: dict[str, NDArray[np.float64]]
    warnings: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The answer in a few sentences."""
        n_models, n_with = len(self.models), self.table["n_models"]
        patterns = f"{len(n_with)} pattern{'s' * (len(n_with) != 1)}"
        said = [f"1 model shows {patterns}"]
        if n_models > 1:
            said = [f"{n_models} models show {patterns}, {(n_with == n_models).sum()} of them in every model"]
            again = self.models["seen_again"]
            if again.notna().any():
                said.append(
                    f"Of what a model's filters contribute, {again.mean():.0%} (by model {again.min():.0%} to "
                    f"{again.max():.0%}) lies in patterns that a second model shows too; the second has "
                    f"{self.models['missed'].mean():.1f} patterns that the first lacks"
                )
            new = expected_new(n_with, n_models)
            said.append(f"A further model would add about {new:.1f} patterns that none of these shows")
        artefacts = int((self.table["hybrid_share"] >= MOSTLY).sum())
        if artefacts:
            said.append(f"{artefacts} of the patterns {'are artefacts' if artefacts > 1 else 'is an artefact'}")
        if 1 < n_models < FEW_MODELS and len(self.table):
            low = self.table["share_low"].max()
            said.append(f"{n_models} models are few: what all of them show, at least {low:.0%} of such models show")
        empty = self.models.loc[self.models["n_compared"] == 0, "model"]
        if len(empty):
            said.append(f"Without a filter to compare, and counted all the same: {', '.join(empty)}")
        return ". ".join(said) + "."

    def __repr__(self) -> str:
        return f"ModelComparison({self.summary})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.summary)}</p>" + str(self.table.to_html(index=False, float_format="{:.3g}".format))

    def plot(self, max_patterns: int | None = 8) -> Figure:
        """Logos of the consensus motifs, and each pattern's contribution in each model; a cross: not in this model."""
        if max_patterns is not None:
            require_whole("max_patterns", max_patterns, 1, "plot")
        self._check_not_empty("plot")
        rows = self.table.head(max_patterns or len(self.table))
        titles = [
            f"{row['pattern']} · in {row['n_models']} of {len(self.models)} models · {_name(row)}"
            for row in rows.to_dict("records")
        ]
        return plot_patterns(
            titles, [self.consensus[name] for name in rows["pattern"]], self.contributions.loc[rows["pattern"]]
        )

    def to_meme(self, path: str | os.PathLike[str]) -> None:
        """Write the consensus motifs to a MEME file, with their numbers of sites."""
        self._check_not_empty(str(path))
        n_sites = dict(zip(self.table["pattern"], self.table["n_sites"], strict=True))
        write_meme(path, self.consensus, n_sites={name: n for name, n in n_sites.items() if n == n})

    def to_html(self, path: str | os.PathLike[str], title: str = "Patterns") -> None:
        """Write a report: one file, its pictures inside."""
        tables = {
            "patterns": self.table,
            "members": self.members,
            "models": self.models,
            "left_out": self.left_out,
            "contributions": self.contributions,
        }
        write_patterns(path, title, self.summary, tables, self.consensus, self.warnings)

    def save(self, folder: str | os.PathLike[str], title: str = "Patterns") -> Path:
        """Write report.html, and patterns, members, left_out, models and pattern_contributions, a .tsv file each.

        If there is a pattern, consensus.meme, and the first 30 in patterns.png and .svg, too.

        Returns
        -------
        Path
            Of the report.
        """
        folder = as_path(folder, "save")
        with whole_folder(folder, PATTERNS, removable(folder, PATTERNS)) as part:
            for name in ("members", "left_out", "models"):
                write_table(part / f"{name}.tsv", getattr(self, name))
            write_table(part / "patterns.tsv", self.table)
            write_table(part / "pattern_contributions.tsv", self.contributions, index=True)
            if len(self.table):
                self.to_meme(part / "consensus.meme")
                save_figure(self.plot(max_patterns=_MAX_DRAWN), part / "patterns")
            self.to_html(part / "report.html", title)
            seal(part / "report.html")
        return folder / "report.html"

    def _check_not_empty(self, what: str) -> None:
        if not len(self.table):
            raise InputError(f"{what}: no filter of any model was compared, expected one; left_out tells the reasons.")


def _name(row: dict[Hashable, Any]) -> str:
    """What the catalogue calls a pattern, for a title."""
    if row["verdict_kinds"] == "known motif":
        return f"{row['best_match']} (q = {row['match_q']:.1g})"
    return "no p-value" if row["verdict_kinds"] == "not compared" else str(row["verdict_kinds"])
