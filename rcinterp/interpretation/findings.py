"""What `interpret` found, as data, and what there is to say of it in sentences."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.interpretation.answer import answer, carries
from rcinterp.interpretation.origin import Origin
from rcinterp.interpretation.settings import Settings
from rcinterp.interpretation.verdicts import CONTRIBUTION_Q_VALUE, LEAST_AUROC, describe_outputs
from rcinterp.reading.contributions import Histogram, describe_missing_intervals
from rcinterp.reading.faithfulness import Faithfulness
from rcinterp.reading.strands import StrandConsistency
from rcinterp.training.performance import TRAINED_ON, can_tell, is_chance


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """What `interpret` found; `rcinterp.Interpretation` says what each attribute is."""

    table: pd.DataFrame
    contributions: pd.DataFrame
    palindromes: pd.DataFrame
    matches: pd.DataFrame
    triage: pd.DataFrame
    sites: pd.DataFrame
    filters: dict[str, NDArray[np.float64]]
    ppms: dict[str, NDArray[np.float64]]
    performance: dict[str, float]
    faithfulness: Faithfulness | None
    settings: Settings
    layer: str
    unit: str
    length: int
    is_probability: bool
    other_layers: tuple[str, ...] = ()
    baseline: dict[str, float] | None = None
    leakage: tuple[str, ...] = ()
    repeats: tuple[str, ...] = ()
    n_sequences: tuple[int, int] | None = None
    is_training_data: bool = False
    targets: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    best_sites: pd.DataFrame | None = None
    distributions: dict[str, Histogram] = field(default_factory=dict)
    strands: StrandConsistency | None = None
    history: pd.DataFrame | None = None
    origin: Origin | None = None
    motif_starts: dict[str, int] = field(default_factory=dict)
    of_outputs: tuple[str, ...] = ()
    n_outputs: int = 1

    @property
    def target(self) -> int:
        """Which logit was read."""
        return 0 if self.origin is None else self.origin.target

    @property
    def carrying(self) -> pd.DataFrame:
        """Rows of `table` of the filters that carry the prediction, as `answer` counts them.

        Their contribution is significant (q of at most 0.05) and at least a twentieth of the largest, signs aside.
        """
        return self.table[[carries(row) for row in self.table.to_dict("records")]]

    @property
    def answer(self) -> str:
        """The answer in a few sentences: how many filters carry the prediction, what they show, what is an artefact."""
        return answer(self.table, self.performance["auroc"], describe_outputs(self.n_outputs, self.target))

    def notes(self) -> list[str]:
        """Sentences on the model and on how it was read: how good it is, what was scored how, and how faithfully."""
        row = self.contributions.iloc[0]
        cut_at = f"{row['cut_at']} ({row['cut_reason']})" if row["cut_reason"] else row["cut_at"]
        n_significant = int((self.table["contribution_q"] <= CONTRIBUTION_Q_VALUE).sum())
        output = "" if row["output"] == "as returned" else f" to the model's output {row['output']}"
        said = [
            f"On these sequences the model reaches auROC {self.performance['auroc']:.4f} and auPRC "
            f"{self.performance['auprc']:.4f}.",
            f"Layer {self.layer}, {len(self.table)} filters; contribution{output} by "
            f"{row['method'].replace('_', ' ')} at the {cut_at}; {n_significant} of them are significant "
            f"(q <= {CONTRIBUTION_Q_VALUE:g}).",
        ]
        if self.baseline is not None:
            said.insert(1, _compare_with_baseline(self.performance, self.baseline))
        said += self._cautions()
        if self.faithfulness is not None:
            said.append(f"Faithfulness: {self.faithfulness}.")
        return said

    def warnings(self) -> list[str]:
        """Sentences on what would mislead a reader who does not know it."""
        said = self._cautions()
        if self.performance["auroc"] < LEAST_AUROC:
            outputs = describe_outputs(self.n_outputs, self.target)
            said.append(
                f"The model calls the negatives positive: {outputs}perhaps the two classes are the wrong way round."
            )
        if (chance := self.chance()) is not None:
            said.append(f"{chance[:1].upper()}{chance[1:]}")
        if self.baseline is not None and self.performance["auroc"] <= self.baseline["auroc"]:
            said.append(_compare_with_baseline(self.performance, self.baseline))
        for row in self.contributions.head(1).to_dict("records"):  # the same in every row
            if row["cut_reason"]:
                reason = row["cut_reason"]
                said.append(f"Contributions were taken at the convolution, not after its nonlinearity: {reason}.")
            if row["output"] != "as returned":
                said.append(f"Contributions are to the model's output {row['output']}.")
        if self.faithfulness is not None and (self.faithfulness.pearson < 0 or self.faithfulness.slope < 0):
            said.append(
                f"The contributions disagree with exact ablation (r = {self.faithfulness.pearson:.2f}, slope "
                f"{self.faithfulness.slope:.2f}): do not trust their signs or their order."
            )
        return said

    def chance(self) -> str | None:
        """The sentence on a model that does no better than chance, or None; one below `LEAST_AUROC` has its own."""
        auroc = self.performance["auroc"]
        if self.n_sequences is None or auroc < LEAST_AUROC or not is_chance(auroc, *self.n_sequences):
            return None
        if not can_tell(*self.n_sequences):
            n_positive, n_negative = self.n_sequences
            return (
                f"{n_positive} positives and {n_negative} negatives are too few to tell whether the model tells these "
                f"classes apart (auROC {auroc:.4f} may be chance): read more sequences."
            )
        return (
            f"the model tells these classes apart no better than chance (auROC {auroc:.4f}): do not read its filters "
            "as motifs."
        )

    def missing_intervals(self) -> str | None:
        """How many filters have no interval, and why, without a full stop; None if all have one."""
        return None if self.n_sequences is None else describe_missing_intervals(self.table, self.n_sequences)

    def _cautions(self) -> list[str]:
        said = [f"When the model was trained: {message}" for message in self.leakage]
        if self.is_training_data:
            said.append(f"{TRAINED_ON[:1].upper()}{TRAINED_ON[1:]}.")
        said += [f"Of the sequences that were read, {message}" for message in self.repeats]
        if (without := self.missing_intervals()) is not None:
            said.append(f"{without[:1].upper()}{without[1:]}.")
        if self.other_layers:
            said.append(f"The sequence is also read by {', '.join(self.other_layers)}, whose filters are not shown.")
        said += [f"{message[:1].upper()}{message[1:]}" for message in self.of_outputs]
        if self.is_probability and not any("if they are" in message for message in self.of_outputs):
            said.append(
                "All outputs lie between 0 and 1: if they are probabilities, contributions add up better on their "
                "logits, func=lambda y: torch.logit(y, eps=1e-6)."
            )
        return said


def _compare_with_baseline(performance: dict[str, float], baseline: dict[str, float]) -> str:
    """The sentence on composition and short words alone."""
    gain = performance["auroc"] - baseline["auroc"]
    what = "the model has learned more" if gain > 0 else "nothing shows that the model has learned more"
    return (
        f"A logistic regression on counts of 6-mers, trained on the same sequences as the model, reaches auROC "
        f"{baseline['auroc']:.4f} and auPRC {baseline['auprc']:.4f}: {what} than composition and short words."
    )
