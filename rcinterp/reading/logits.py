"""From what a model returns to its logits: which part is read, and how a profile becomes one number."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from rcinterp.dense import why_not_dense
from rcinterp.errors import InputError

#: From what a model returns to its logits: (n, n_tasks), (n,) or (n, n_tasks, positions).
Func: TypeAlias = Callable[[Any], Tensor]


def as_logits(output: Any, func: Func | None, n: int) -> Tensor:
    """(n, n_tasks) of whatever the model returned; profiles are added up over their positions."""
    logits = output if func is None else _apply(func, output)
    if not isinstance(logits, Tensor):
        keys = f" with {', '.join(map(repr, logits))}" if isinstance(logits, dict) else ""
        raise InputError(
            f"the {'model' if func is None else 'func'} returned {type(logits).__name__}{keys}, expected one tensor of "
            'logits. Say which part is meant, e.g. func=lambda y: y["counts"] for a dict, func=lambda y: y[1] for a '
            "tuple; on the command line --output counts, or --output 1."
        )
    if (why := why_not_dense(logits)) is not None:
        raise InputError(
            f"the {'model' if func is None else 'func'} returned logits of which the tensor {why}. Give a plain "
            "tensor with func=."
        )
    if logits.is_complex():
        raise InputError(
            f"the {'model' if func is None else 'func'} returned complex logits ({logits.dtype}), expected real ones. "
            "Say which real number of each is meant, e.g. func=lambda y: y.abs()."
        )
    if n == 1 and (logits.dim() == 0 or (logits.dim() == 1 and len(logits) > 1)):  # a squeezed batch axis
        logits = logits[None]
    if logits.dim() == 0 or logits.shape[0] != n:
        raise InputError(
            f"the model returned logits of shape {tuple(logits.shape)} for {n} sequences, expected (n, n_tasks), "
            "(n,) or (n, n_tasks, positions). Turn them with func=."
        )
    if logits.dim() == 1:
        return logits[:, None]
    if logits.dim() == 2:
        return logits
    wide = torch.promote_types(logits.dtype, torch.float32)  # thousands of positions are too many for half precision
    return logits.flatten(2).sum(-1, dtype=wide)


def _apply(func: Func, output: Any) -> Any:
    """Call the user's function, and turn what it raises into one line."""
    try:
        return func(output)
    except InputError:
        raise
    except Exception as error:  # whatever it is, it is the user's own
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"func: raised {type(error).__name__} ({error}) on what the model returned ({given}), expected a function "
            "from that to a tensor of logits."
        ) from error


def profile_score(logits: Tensor) -> Tensor:
    """One logit of a predicted profile of reads, for its shape (BPNet): its logits weighted by their softmax.

    Parameters
    ----------
    logits : Tensor, shape (n, n_strands, positions)

    Returns
    -------
    Tensor, shape (n, 1)
        ``sum over strands and positions of logit · softmax(logit)``, the softmax over both and without gradient; the
        logits less their mean.

    References
    ----------
    Avsec et al. 2021 (BPNet), Nat. Genet. 53:354, section "DeepLIFT contribution scores".
    """
    flat = logits.flatten(1)
    flat = flat - flat.mean(-1, keepdim=True)
    return (flat * flat.softmax(-1).detach()).sum(-1, keepdim=True)
