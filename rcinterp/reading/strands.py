"""Whether a model gives a sequence and its reverse complement (RC) the same answer, and by how much it does not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rcinterp.data.coded import turned
from rcinterp.errors import InputError
from rcinterp.files import printable
from rcinterp.reading.inputs import Args, Inputs, ModelInput, as_inputs
from rcinterp.reading.logits import Func
from rcinterp.reading.model import BATCH_SIZE, N_LOOKED_AT, Runner, differ
from rcinterp.reading.outputs import Kind, look_at_outputs
from rclayers import reverse_complement
from rclayers.testing import RCReport, check_rc

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Sequences that are named in a figure, at most: those whose logits differ most.
N_WORST = 3


@dataclass(frozen=True, eq=False)
class StrandConsistency:
    """How far a model's logits of sequences and of their reverse complements agree.

    Attributes
    ----------
    table : DataFrame
        One row a task; docs/explanation/definitions.md has its columns.
    logits : DataFrame
        One row a sequence and task: task, sequence (its row), name, forward and reverse, the logit of either strand.
    check : RCReport or None
        Which layer breaks the symmetry (`rclayers.testing.check_rc`); None if that was not or could not be found out.
    kinds : tuple of str or None
        Of each task, what its outputs seem to be if they are no logits: "probabilities", say. Which strand's are called
        positive, those above 0, is not told of such: ``flipped`` and ``conjoined_flipped`` are NaN.
    """

    table: pd.DataFrame
    logits: pd.DataFrame
    check: RCReport | None
    kinds: tuple[Kind | None, ...] = ()

    def kind_of(self, task: int) -> Kind | None:
        """What the outputs of a task seem to be if they are no logits."""
        return self.kinds[task] if task < len(self.kinds) else None

    def worst(self, task: int = 0, n: int = N_WORST) -> pd.DataFrame:
        """Rows of `logits` whose strands differ most."""
        rows = self.logits[self.logits["task"] == task]
        order = (rows["forward"] - rows["reverse"]).abs().sort_values(ascending=False, kind="stable").index
        return rows.loc[order[:n]]

    def plot(self, task: int = 0) -> Figure:
        """Logit of the reverse complement against the logit of the sequence, one point a sequence, the worst named."""
        from rcinterp.files.pictures import WholeFigure

        rows, row = self.logits[self.logits["task"] == task], self.table[self.table["task"] == task].iloc[0]
        figure = WholeFigure(figsize=(4.2, 4.4), layout="constrained")
        ax = figure.subplots()
        ends = [min(rows["forward"].min(), rows["reverse"].min()), max(rows["forward"].max(), rows["reverse"].max())]
        ax.plot(ends, ends, color="#999999", linewidth=0.8, zorder=0)
        ax.plot(rows["forward"], rows["reverse"], ".", color="#1F4E9E", markersize=3, alpha=0.6)
        for one in self.worst(task).to_dict("records"):
            name = printable(str(one["name"])[:24])
            ax.annotate(name, (one["forward"], one["reverse"]), fontsize=6, color="#333333", parse_math=False)
        ax.set_title(f"task {task}: r = {row['logit_correlation']:.4f}", loc="left", fontsize=9)
        ax.set(xlabel="logit, sequence", ylabel="logit, reverse complement", box_aspect=1)
        return figure

    def __str__(self) -> str:
        """Put it in sentences, one a task, and one on the layer that breaks the symmetry."""
        said = [
            f"task {row['task']}: correlation {row['logit_correlation']:.4f} between the strands, largest difference "
            f"of the logit {row['rc_difference']:.3g}, {self._say_calls(row)}."
            for row in self.table.to_dict("records")
        ]
        return "\n".join([*said, *([str(self.check)] if self.check is not None else [])])

    def _say_calls(self, row: dict[Any, Any]) -> str:
        if (kind := self.kind_of(row["task"])) is not None:
            return f"calls not compared, as the outputs seem to be {kind}, which have no sign"
        return (
            f"{100 * row['flipped']:.1f} % of the sequences called from one strand alone, "
            f"{100 * row['conjoined_flipped']:.1f} % called otherwise by the mean of both"
        )


def strand_consistency(
    model: nn.Module,
    x: ModelInput,
    args: Args = None,
    *,
    func: Func | None = None,
    device: str | torch.device | None = None,
    batch_size: int = BATCH_SIZE,
    verbose: bool = False,
) -> StrandConsistency:
    """Whether a model gives a sequence and its reverse complement the same logits, and which layer is to blame if not.

    Parameters
    ----------
    model : nn.Module
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile, which is added up over its
        positions; comes back as it was. Of one that ends in a sigmoid or softmax, the logit before it is read.
    x : Tensor (N, 4, L), or a FASTA path, or a list or Series of str, or a tuple of them and further inputs
    args : sequence of Tensor, optional
        Further inputs: N rows each, or one row for all. A map (n, C, L) is turned with its sequence.
    func, device, batch_size, verbose
        How the model is run, as in `rcinterp.Reader`.

    Returns
    -------
    StrandConsistency

    Raises
    ------
    InputError
        If the model cannot be run on the sequences, or there are fewer than two.

    Warns
    -----
    UserWarning
        If outputs seem to be probabilities or their logarithms, or are not repeatable.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, figure 4 and section 3.1.

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> found = strand_consistency(compact_model(1, 2, 60, widths=(11,), pool=10, stride=10), x)
    >>> found.table["flipped"].tolist(), found.check.is_invariant
    ([0.0], True)
    """
    inputs = as_inputs(x, args, "strand_consistency")
    if len(inputs) < 2:
        raise InputError(f"strand_consistency: got {len(inputs)} sequence, expected at least two.")
    runner = Runner(model, 0, func, batch_size, device, verbose)
    with runner.borrowed():
        runner = runner.settled(inputs)
        with torch.no_grad():
            two = runner.all_logits(runner.whole_batch(inputs.rows(slice(2)))).double().cpu()
        found = compare_strands(runner, [inputs])
        by_task = found.logits.pivot(index="sequence", columns="task", values="forward").to_numpy()
        head = torch.tensor(by_task[:N_LOOKED_AT])
        outputs = look_at_outputs(runner, inputs, [head], differ(runner, two, head[:2], head))
        found = without_calls(found, outputs.kinds)
    for message in outputs.messages("which strand's are called positive cannot be told"):
        warnings.warn(message, stacklevel=2)
    return replace(found, check=_check(model, inputs, func))


def compare_strands(runner: Runner, parts: Sequence[Inputs]) -> StrandConsistency:
    """Logits of both strands of a lent, settled model; the sequences of several parts follow each other."""
    forward, reverse = (
        np.concatenate([_logits(runner, turn(inputs)) for inputs in parts]) for turn in (lambda same: same, _turned)
    )
    n = len(forward)
    given: list[str | None] = []
    for inputs in parts:
        given += inputs.names or [None] * len(inputs)
    names = [str(row if name is None else name) for row, name in enumerate(given)]
    tables = [
        pd.DataFrame(
            {
                "task": task,
                "sequence": np.arange(n),
                "name": names,
                "forward": forward[:, task],
                "reverse": reverse[:, task],
            }
        )
        for task in range(forward.shape[1])
    ]
    table = pd.DataFrame([_compare(task, forward[:, task], reverse[:, task]) for task in range(forward.shape[1])])
    return StrandConsistency(table, pd.concat(tables, ignore_index=True), None)


def without_calls(found: StrandConsistency, kinds: tuple[Kind | None, ...]) -> StrandConsistency:
    """The same, without the shares of sequences that are called positive where outputs are no logits."""
    are_logits = pd.Series([kind is None for kind in kinds])
    calls = {name: found.table[name].where(are_logits) for name in ("flipped", "conjoined_flipped")}
    return replace(found, table=found.table.assign(**calls), kinds=kinds)


def _compare(task: int, forward: NDArray[np.float64], reverse: NDArray[np.float64]) -> dict[str, float]:
    difference, mean = np.abs(forward - reverse), (forward + reverse) / 2
    varies = np.ptp(forward) > 0 and np.ptp(reverse) > 0
    return {
        "task": task,
        "logit_correlation": float(np.corrcoef(forward, reverse)[0, 1]) if varies else float("nan"),
        "rc_difference": float(difference.max()),
        "mean_rc_difference": float(difference.mean()),
        "flipped": float(((forward > 0) != (reverse > 0)).mean()),
        "conjoined_flipped": float(((forward > 0) != (mean > 0)).mean()),
    }


def _logits(runner: Runner, inputs: Inputs) -> NDArray[np.float64]:
    """Logits of every task, (N, n_tasks)."""
    found = []
    with torch.no_grad():
        for batch in runner.batches(inputs, "strands"):
            found.append(runner.all_logits(batch).double().cpu())
    values: NDArray[np.float64] = torch.cat(found).numpy()
    if not np.isfinite(values).all():
        n_bad = int((~np.isfinite(values).all(axis=1)).sum())
        raise InputError(
            f"strand_consistency: the model's logits are not finite on some sequences, {n_bad} of {len(values)}, "
            "expected numbers: the model has diverged, or takes the logarithm of 0."
        )
    return values


def _turned(inputs: Inputs) -> Inputs:
    further = tuple(reverse_complement(value) if value.dim() == 3 else value for value in inputs.further)
    return Inputs(turned(inputs.x), further)


def _check(model: nn.Module, inputs: Inputs, func: Func | None) -> RCReport | None:
    """The layer that breaks the symmetry; None for a model that cannot be copied or run on the CPU."""
    args: list[Tensor] = [value[:4] for value in inputs.further]
    try:
        return check_rc(model, inputs.length, args=args, func=func, n_sequences=min(4, len(inputs)))
    except Exception:  # whatever hinders it, the numbers stand without
        return None
