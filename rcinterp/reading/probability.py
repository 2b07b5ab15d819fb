"""Models that end in a sigmoid or softmax: what is read of them is the logit before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

#: Functions whose return is a probability, by their names in torch.
_KINDS: dict[str, Literal["sigmoid", "softmax"]] = {
    "sigmoid": "sigmoid",
    "expit": "sigmoid",
    "special_expit": "sigmoid",
    "softmax": "softmax",
}
_MANY = 256  # classes from which the logit of a softmax is calculated by a formula of less memory


@dataclass(frozen=True)
class Squash:
    """The sigmoid or softmax that ends a model.

    Attributes
    ----------
    kind : "sigmoid" or "softmax"
    number : int
        How many of them the model calls before it.
    """

    kind: Literal["sigmoid", "softmax"]
    number: int


class _Squashing(TorchFunctionMode):
    """What a model's sigmoids and softmaxes are called on; for use in a ``with``.

    Attributes
    ----------
    n_calls : int
        How many of them were called.
    takes_logit : bool
        Whether `torch.logit` was called.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_calls = 0
        self.takes_logit = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", "")).strip("_")
        self.takes_logit |= name in ("logit", "special_logit")
        kind = _KINDS.get(name)
        if kind is None or not args or not isinstance(args[0], Tensor):
            return func(*args, **kwargs)
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        self.n_calls += 1
        return self.call(Squash(kind, self.n_calls - 1), args[0], dim, lambda: func(*args, **kwargs))

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """What takes the place of one call."""
        raise NotImplementedError


class NoteSquashing(_Squashing):
    """Note what each sigmoid and softmax returns while a model runs."""

    def __init__(self) -> None:
        super().__init__()
        self._returned: list[tuple[Squash, Tensor, Tensor]] = []

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """The call itself, noted if its logit can be had: of a softmax, over the classes of each sequence."""
        output = function()
        if squash.kind == "sigmoid" or (output.dim() == 2 and dim in (1, -1)):
            self._returned.append((squash, output, output.clone()))
        return output

    def behind(self, logit: Tensor) -> Squash | None:
        """The call that returned what `logit` (n,) is a part of, as it is; None if something was done with it since."""
        place = logit.untyped_storage().data_ptr()
        for squash, output, copy in reversed(self._returned):
            if output.untyped_storage().data_ptr() == place and torch.equal(output, copy):
                return squash
        return None


class LogitsInstead(_Squashing):
    """While a model runs, the sigmoid or softmax that ends it returns the logit of its probability."""

    def __init__(self, squash: Squash) -> None:
        super().__init__()
        self.squash = squash

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """The logit, if it is this call; else the call itself."""
        if squash != self.squash:
            return function()
        return given if squash.kind == "sigmoid" else logits_of_softmax(given)


def logits_of_softmax(values: Tensor) -> Tensor:
    r"""Logit of each probability of a softmax, :math:`\log p_c / (1 - p_c) = z_c - \log \sum_{k \neq c} e^{z_k}`.

    Parameters
    ----------
    values : Tensor, shape (n, n_classes)
        What the softmax is taken of.

    Returns
    -------
    Tensor, shape (n, n_classes)
    """
    n_classes = values.shape[1]
    if n_classes == 1:
        return values
    if n_classes > _MANY:
        logs = values.log_softmax(1)
        return logs - torch.log(-torch.expm1(logs).clamp(max=-torch.finfo(values.dtype).tiny))
    itself = torch.eye(n_classes, dtype=torch.bool, device=values.device)
    others = values[:, None, :].expand(-1, n_classes, -1).masked_fill(itself, -torch.inf)
    return values - others.logsumexp(2)


def are_probabilities(values: Sequence[Tensor]) -> bool:
    """Whether all values lie between 0 and 1."""
    return all(bool(((value >= 0) & (value <= 1)).all()) for value in values)
