"""Models that end in a sigmoid or softmax: what is read of them is the logit before it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

Kind: TypeAlias = Literal["sigmoid", "softmax", "hardsigmoid", "logsigmoid", "log_softmax"]
#: Functions whose return is a probability or its logarithm, by their names in torch.
_KINDS: dict[str, Kind] = {
    "sigmoid": "sigmoid",
    "expit": "sigmoid",
    "special_expit": "sigmoid",
    "softmax": "softmax",
    "hardsigmoid": "hardsigmoid",
    "log_sigmoid": "logsigmoid",
    "logsigmoid": "logsigmoid",
    "log_softmax": "log_softmax",
}
_SOFTMAXES = ("softmax", "log_softmax")
_LOGARITHMS = ("log", "log2", "log10", "log1p", "softplus", "logaddexp", "log_sigmoid", "logsigmoid", "log_softmax")
#: Functions by which a probability may be written by hand.
_PERHAPS = {"exp", "exp2", "pow", "rpow", "tanh", "erf", "special_ndtr", "softplus", "logaddexp", "clamp", "clip"} | {
    *("hardtanh", "arctan", "atan")
}
_JOINING = {"cat", "concat", "concatenate", "stack", "hstack", "vstack", "dstack", "column_stack", "where"}
_DIFFERENCES = {"sub", "subtract", "rsub", "isub"}
_RATIOS = {"div", "divide", "true_divide", "truediv", "rtruediv", "itruediv", "reciprocal"}
_MANY = 256  # classes from which the logit of a softmax is calculated by a formula of less memory


@dataclass(frozen=True)
class Squash:
    """The sigmoid or softmax that ends a model.

    Attributes
    ----------
    kind : str
        "sigmoid", "softmax", "hardsigmoid", "logsigmoid" or "log_softmax".
    number : int
        How many of them the model calls before it.
    is_logged : bool
        Whether the model returns the logarithm of what it gives.
    """

    kind: Kind
    number: int
    is_logged: bool = False

    @property
    def gives(self) -> str:
        """What the model returns."""
        return "log-probability" if self.is_logged or self.kind.startswith("log") else "probability"

    def __str__(self) -> str:
        """Put it in words."""
        return f"{'the logarithm of ' * self.is_logged}a {self.kind}"


@dataclass(frozen=True)
class Mark:
    """How a tensor was made of a probability.

    Attributes
    ----------
    is_sure : bool
        Of what a sigmoid or softmax returned; else of what may be a part of one that is written by hand.
    has_log : bool
        Whether its logarithm was taken.
    is_logit : bool
        Whether its logit was taken.
    is_ratio : bool
        Whether it is one of two such tensors, perhaps odds.
    """

    is_sure: bool
    has_log: bool
    is_logit: bool = False
    is_ratio: bool = False


class _Squashing(TorchFunctionMode):
    """What a model's sigmoids and softmaxes are called on; for use in a ``with``."""

    def __init__(self) -> None:
        super().__init__()
        self._n_calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", "")).strip("_")
        names = sorted(kwargs.keys() - {"out"}, key=lambda one: (one != "input", one))
        given = [*args, *(kwargs[one] for one in names)]
        kind = _KINDS.get(name)
        if kind is None or not given or not isinstance(given[0], Tensor):
            return self.other(name, given, lambda: func(*args, **kwargs))
        dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
        self._n_calls += 1
        return self.call(Squash(kind, self._n_calls - 1), given[0], dim, lambda: func(*args, **kwargs))

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """What takes the place of one call."""
        raise NotImplementedError

    def other(self, name: str, args: Sequence[Any], function: Any) -> Any:
        """What takes the place of a call of another function."""
        raise NotImplementedError


class NoteSquashing(_Squashing):
    """Note what each sigmoid and softmax returns while a model runs, and what is made of it.

    Attributes
    ----------
    is_in_model : bool
        Whether it is the model that runs, in which a call can be told again by its number.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_in_model = True
        self._returned: list[tuple[Squash, Tensor, Tensor]] = []
        self._marks: dict[int, tuple[Tensor, Mark]] = {}  # with the tensors, whose numbers would else be given anew

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """The call itself, noted if its logit can be had: of a softmax, over the classes of each sequence."""
        output = function()
        if self.is_in_model and (squash.kind not in _SOFTMAXES or (output.dim() == 2 and dim in (1, -1))):
            self._returned.append((squash, output, output.clone()))
        self._marks[id(output)] = output, Mark(True, squash.kind.startswith("log"))
        return output

    def other(self, name: str, args: Sequence[Any], function: Any) -> Any:
        """The call itself; what it returns is marked if all that it was given is."""
        given = [value for value in _tensors_of(args) if value.is_floating_point()]
        marks = [mark for value in given if (mark := self.mark_of(value)) is not None]
        squash = self.behind(args[0]) if name == "log" and marks and self.is_in_model else None
        are_constants = name not in _JOINING  # a part of what is joined may be the output for one sequence
        is_all = all(self.mark_of(value) is not None or (are_constants and value.numel() == 1) for value in given)
        output = function()
        if squash is not None and not squash.gives.startswith("log"):
            self._returned.append((replace(squash, is_logged=True), output, output.clone()))
        mark = None
        if name in ("logit", "special_logit"):
            mark = Mark(False, False, is_logit=True)
        elif marks and is_all:
            has_log = any(mark.has_log for mark in marks) and name not in ("exp", "exp2")
            is_ratio = any(mark.is_ratio for mark in marks)
            is_logit = any(mark.is_logit for mark in marks) or (is_ratio and name in ("log", "log2", "log10"))
            if name in _DIFFERENCES and len(marks) == 2:
                is_logit |= all(mark.has_log for mark in marks)
            if name in _RATIOS:
                is_ratio = len(marks) == 2
            is_sure = any(mark.is_sure for mark in marks)
            mark = Mark(is_sure, has_log or name in _LOGARITHMS, is_logit, is_ratio)
        elif given and name in _PERHAPS:
            mark = Mark(False, name in _LOGARITHMS)
        for value in _tensors_of((output,)):
            self._marks.pop(id(value), None)  # changed in place
            if mark is not None:
                self._marks[id(value)] = value, mark
        return output

    def mark_of(self, value: Tensor) -> Mark | None:
        """How a tensor was made of a probability; None if it was not, or not of it alone."""
        return self._marks[id(value)][1] if id(value) in self._marks else None

    def behind(self, logit: Tensor) -> Squash | None:
        """The call that returned what `logit` (n,) is a part of, as it is; None if something was done with it since."""
        place = logit.untyped_storage().data_ptr()
        for squash, output, copy in reversed(self._returned):
            if output.untyped_storage().data_ptr() == place and torch.equal(output, copy):
                return squash
        return None


def _tensors_of(values: Any) -> list[Tensor]:
    """Tensors among some values, and in the lists and tuples among them."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [part for part in value if isinstance(part, Tensor)]
    return found


class LogitsInstead(_Squashing):
    """While a model runs, the sigmoid or softmax that ends it returns the logit of its probability."""

    def __init__(self, squash: Squash) -> None:
        super().__init__()
        self.squash = squash
        self._logits: Tensor | None = None

    def call(self, squash: Squash, given: Tensor, dim: Any, function: Any) -> Any:
        """The logit, if it is this call; else the call itself."""
        if squash != replace(self.squash, is_logged=False):
            return function()
        self._logits = logits_of_softmax(given) if squash.kind in _SOFTMAXES else given
        return self._logits

    def other(self, name: str, args: Sequence[Any], function: Any) -> Any:
        """The call itself, unless it takes the logarithm of what would be the probability."""
        is_log = self.squash.is_logged and name == "log" and args[0] is self._logits
        return self._logits if is_log else function()


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
