"""What a model's outputs show on a few sequences: probabilities that pass for logits, numbers that do not repeat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from rcinterp.reading.inputs import Inputs
from rcinterp.reading.model import N_LOOKED_AT, Runner, Watch, find_unsteady
from rcinterp.reading.probability import Mark

#: What outputs are that are no logits.
Kind: TypeAlias = Literal["probabilities", "log-probabilities", "scaled probabilities"]
#: How many different outputs tell what no function shows.
FEWEST_DIFFERENT = 5
#: Range of outputs between 0 and 1 that a model whose logits are small for want of training hardly has.
WIDE = 0.8


@dataclass(frozen=True)
class Outputs:
    """What a model's outputs show.

    Attributes
    ----------
    kinds : tuple of str or None
        Of each output: what it is if it is no logit.
    unsteady : str or None
        The sentence on outputs that are not repeatable.
    """

    kinds: tuple[Kind | None, ...]
    unsteady: str | None = None

    def messages(self, harm: str, targets: Iterable[int] | None = None) -> list[str]:
        """Sentences on what is doubtful; none if nothing is.

        Parameters
        ----------
        harm : str
            What becomes of probabilities that pass for logits.
        targets : iterable of int, optional
            The outputs that are read; all by default.
        """
        read = self.kinds if targets is None else [self.kinds[target] for target in targets]
        said = [_SAID[kind].format(harm=harm) for kind in dict.fromkeys(read) if kind is not None]
        return said if self.unsteady is None else [*said, self.unsteady]


_SAID: dict[Kind, str] = {
    "probabilities": (
        "all outputs lie between 0 and 1: if they are probabilities, {harm}. Read their logits, func=lambda y: "
        "torch.logit(y, eps=1e-6); on the command line --logit."
    ),
    "log-probabilities": (
        "no output is above 0: if they are log-probabilities, {harm}. Read their logits, func=lambda y: "
        "torch.logit(y.exp(), eps=1e-6); on the command line name a model that returns probabilities, with --logit."
    ),
    "scaled probabilities": (
        "the outputs are made of what a sigmoid or softmax returned: if they are probabilities on another scale, "
        "{harm}. Read their logits, for per cent func=lambda y: torch.logit(y / 100, eps=1e-6)."
    ),
}


def look_at_outputs(runner: Runner, inputs: Inputs, heads: Sequence[Tensor], is_doubtful: bool) -> Outputs:
    """What the outputs of a lent, settled model are, and whether they are repeatable.

    What they are is told by the functions that the model ends in, and by values: all are between 0 and 1, none is
    above 0, or they (or their exponentials) add up to 1 over the classes.

    Parameters
    ----------
    runner : Runner
    inputs : Inputs
    heads : sequence of Tensor, shapes (n, n_tasks)
        Outputs of the first sequences of these inputs, and of others.
    is_doubtful : bool
        Whether some outputs of these inputs have been seen to differ, so that it is worth to run two again.
    """
    values = torch.cat(list(heads))
    kinds = tuple(_kind_of(values, column, runner.mark) for column in range(values.shape[1]))
    unsteady = find_unsteady(runner, inputs.rows(slice(len(heads[0]))), heads[0]) if is_doubtful else None
    return Outputs(kinds, unsteady)


def run_heads(runner: Runner, parts: Sequence[Inputs]) -> list[Tensor]:
    """Outputs of the first `N_LOOKED_AT` sequences of each part, float64, on the CPU; the model is lent."""
    quiet = replace(runner, verbose=False, watch=Watch())
    with torch.no_grad():
        few = [part.rows(slice(N_LOOKED_AT)) for part in parts]
        return [torch.cat([quiet.all_logits(batch).double().cpu() for batch in quiet.batches(part)]) for part in few]


def _kind_of(values: Tensor, column: int, mark: Mark | None) -> Kind | None:
    """What a column of outputs (n, n_tasks) is that were made so."""
    own = values[values[:, column].isfinite(), column]
    is_sure, has_log = (mark is not None and mark.is_sure), (mark is not None and mark.has_log)
    if mark is not None and mark.is_logit and not _add_up(values.exp()):  # else a share of a sum, not odds
        return None
    are_many = len(own) >= N_LOOKED_AT and len(set(own.tolist())) >= FEWEST_DIFFERENT
    if not len(own):
        return None
    if bool(((own >= 0) & (own <= 1)).all()) and not has_log:
        is_wide = mark is not None or float(own.max() - own.min()) > WIDE or _add_up(values)
        return "probabilities" if is_sure or (are_many and is_wide) else None
    if bool((own <= 0).all()) and (has_log or _add_up(values.exp())):
        return "log-probabilities" if is_sure or are_many else None
    return "scaled probabilities" if is_sure and not has_log else None


def _add_up(values: Tensor) -> bool:
    """Whether they add up to 1 over several classes."""
    return values.shape[1] > 1 and bool(((values.sum(1) - 1).abs() < 1e-2).all())
