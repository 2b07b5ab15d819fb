"""The paper's compact models and their traditional twins."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any, cast

from torch import Tensor, nn

from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory
from rcinterp.training.baseline import KmerBaseline
from rcinterp.training.initialisation import initialise_as_keras
from rcinterp.training.sizes import choose_sizes
from rclayers import (
    RCBatchNorm1d,
    RCConv1d,
    RCLinear,
    RCMaxPool1d,
    RCWeightedSum1d,
    SeparableLinear,
    Strandwise,
    SymmetryError,
    WeightedSum1d,
)

_READ_OUTS = ("weighted_sum", "dense", "separable")


@dataclass(frozen=True)
class Architecture:
    """What it takes to build a compact model again; the fields are the arguments of `compact_model`."""

    n_layers: int
    n_filters: int
    length: int
    rc: bool
    n_tasks: int
    widths: tuple[int, ...]
    pool: int
    stride: int
    read_out: str

    @property
    def map_length(self) -> int:
        """Positions of the last convolution's output."""
        return self.length - sum(width - 1 for width in self.widths)

    @property
    def map_sizes(self) -> tuple[int, ...]:
        """Numbers in the map of each convolution, of one sequence."""
        lengths = accumulate((1 - width for width in self.widths), initial=self.length)
        return tuple((1 + self.rc) * self.n_filters * length for length in islice(lengths, 1, None))

    @property
    def pooled_length(self) -> int:
        """Positions after pooling (section 3.6.3)."""
        return 1 + (self.map_length - self.pool) // self.stride

    @property
    def n_weights(self) -> int:
        """Weights of convolutions and read-out, without what has one value a filter: at least these are stored."""
        channels = [4, *[(1 + self.rc) * self.n_filters] * (len(self.widths) - 1)]
        n = sum(channel * self.n_filters * width for channel, width in zip(channels, self.widths, strict=True))
        if self.read_out == "dense":
            return n + self.n_filters * self.pooled_length * self.n_tasks
        n += self.n_filters * self.n_tasks
        return n + self.pooled_length * (self.n_tasks if self.read_out == "separable" else self.n_filters)


class CompactModel(nn.Sequential):
    """Logits (N, n_tasks) of one-hot sequences (N, 4, length); made by `compact_model`.

    Attributes
    ----------
    architecture : Architecture
    provenance : dict
        How it was trained (seed, recipe, hashes of the data); empty for a fresh model. Filled by `fit`, kept by
        `save_model` and `load_model`.
    baseline : KmerBaseline or None
        The logistic regression on 6-mers that `fit` trained beside it; kept likewise.

    Notes
    -----
    Layers, in order: ``conv1, norm1, relu1``, ..., ``pool``, then ``weighted_sum, head``, or ``flatten, head``, or
    ``head`` alone if that is separable.
    docs/how-to/original-weights.md tells which array of the original goes where.
    """

    def __init__(self, layers: "OrderedDict[str, nn.Module]", architecture: Architecture) -> None:
        super().__init__(layers)
        self.architecture = architecture
        self.provenance: dict[str, Any] = {}
        self.baseline: KmerBaseline | None = None

    def __getitem__(self, index: int | slice) -> Any:
        """Layer, or `nn.Sequential` of some layers."""
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self.named_children())[index]))
        return super().__getitem__(index)

    def forward(self, x: Tensor) -> Tensor:
        """Logits: (N, 4, length) -> (N, n_tasks)."""
        given: object = x
        if not isinstance(given, Tensor):
            raise InputError(
                f"the model got {type(given).__name__}, expected a tensor; use rcinterp.predict(model, ...)."
            )
        if x.dim() != 3 or tuple(x.shape[1:]) != (4, self.architecture.length):
            fix = (
                "If your one-hot is (N, L, 4), use x.transpose(1, 2)."
                if x.dim() == 3 and x.shape[2] == 4
                else ("Give sequences of the length that the model was built for, one-hot in rows A, C, G, T.")
            )
            raise InputError(
                f"the model got x of shape {tuple(x.shape)}, expected (N, 4, {self.architecture.length}). {fix}"
            )
        logits: Tensor = super().forward(x)  # type: ignore[no-untyped-call]  # so it is in torch
        return logits


def compact_model(  # noqa: PLR0913  # the architecture of section 3.4, each number by its name
    n_layers: int,
    n_filters: int,
    length: int,
    rc: bool = True,
    n_tasks: int = 1,
    widths: Sequence[int] | None = None,
    pool: int | None = None,
    stride: int | None = None,
    read_out: str | None = None,
) -> CompactModel:
    """The paper's model: convolutions with batch norm and ReLU, one max pooling, and a read-out; logits out.

    Parameters
    ----------
    n_layers : int
        Convolutions: 1 or 3 in the paper.
    n_filters : int
        Independent filters of each convolution; RC layers have twice as many channels.
    length : int
        Length of the sequences, in bp.
    rc : bool
        Whether weights are shared between the strands; False gives the traditional twin.
    n_tasks : int
        Outputs.
    widths : sequence of int, optional
        Width of each convolution. Simulated data: (21,).
    pool, stride : int, optional
        Max pooling: 20/20 for simulated data. Of `widths`, `pool` and `stride`, those that are not given are the
        paper's, 15 (then 14) and 40/20 (section 3.4.2), if windows of these sizes tile the length and there are at
        least four; else the nearest that do (`rcinterp.training.sizes.choose_sizes`).
    read_out : "weighted_sum", "dense" or "separable", optional
        What follows the pooling; when not given, the paper's: "weighted_sum" for rc=True, "dense" for rc=False.

    Returns
    -------
    CompactModel
        Initialised as the paper was, from torch's global generator (`fit` draws again, from its seed).

    Raises
    ------
    InputError, SymmetryError
        If the sizes do not fit the length; for rc=True also if the pooling would not treat both ends alike.

    Notes
    -----
    "weighted_sum": a weighted sum over positions, then a dense layer; for rc=True it weighs both strands alike. With a
    single output that layer is redundant, so it is frozen: weights 1, bias 0 (section 3.4.2). "dense": one dense layer
    on all pooled values; for rc=True on the sum of what the two strands show. "separable": the same, but that each
    output's weights are the product of a profile over positions and of one weight a filter (`rclayers.SeparableLinear`,
    with a bias).

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 3.4 and 3.5; Alexandari, Shrikumar & Kundaje 2017 ("separable").

    Examples
    --------
    >>> model = compact_model(1, 20, 200, n_tasks=3, widths=(21,), pool=20, stride=20)
    >>> count_parameters(model)
    1983
    """
    sizes = {"n_layers": n_layers, "n_filters": n_filters, "length": length, "n_tasks": n_tasks}
    sizes |= {name: size for name, size in (("pool", pool), ("stride", stride)) if size is not None}
    sizes = {name: require_whole(name, size, 1, "compact_model") for name, size in sizes.items()}
    if isinstance(widths, int):
        raise InputError(f"compact_model: got widths={widths}, expected one a layer, e.g. widths=({widths},).")
    if read_out is None:
        read_out = "weighted_sum" if rc else "dense"
    if widths is not None:
        widths = tuple(require_whole("widths", width, 1, "compact_model") for width in widths)
    elif sizes["n_layers"] > sizes["length"]:
        raise InputError(
            f"compact_model: got n_layers={n_layers} for a length of {length} bp, expected fewer layers: each takes "
            "positions from the ends."
        )
    chosen = choose_sizes(sizes["n_layers"], sizes["length"], widths, sizes.get("pool"), sizes.get("stride"))
    sizes |= {"pool": chosen.pool, "stride": chosen.stride}
    architecture = Architecture(rc=bool(rc), widths=chosen.widths, read_out=read_out, **sizes)
    check_architecture(architecture)
    require_memory(
        f"compact_model: a model of {architecture.n_weights:.3g} weights",
        4 * architecture.n_weights,
        "use fewer filters or layers, or smaller widths (--filters, --layers and --width on the command line)",
    )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 4
    for i, width in enumerate(architecture.widths, start=1):
        if rc:
            layers[f"conv{i}"] = RCConv1d(channels, n_filters, width)
            layers[f"norm{i}"] = RCBatchNorm1d(n_filters)
        else:
            layers[f"conv{i}"] = nn.Conv1d(channels, n_filters, width)
            layers[f"norm{i}"] = nn.BatchNorm1d(n_filters, eps=1e-3, momentum=0.01)
        layers[f"relu{i}"] = nn.ReLU()
        channels = 2 * n_filters if rc else n_filters
    pooling = (architecture.pool, architecture.stride)
    layers["pool"] = RCMaxPool1d(*pooling) if rc else nn.MaxPool1d(*pooling)
    layers |= _read_out(architecture)
    model = CompactModel(layers, architecture)
    initialise_as_keras(model)
    return model


def _read_out(architecture: Architecture) -> dict[str, nn.Module]:
    rc, n_filters, length = architecture.rc, architecture.n_filters, architecture.pooled_length
    dense = RCLinear if rc else nn.Linear
    if architecture.read_out == "dense":
        flatten = Strandwise(nn.Flatten()) if rc else nn.Flatten()
        return {"flatten": flatten, "head": dense(n_filters * length, architecture.n_tasks)}
    if architecture.read_out == "separable":
        return {"head": SeparableLinear(n_filters, length, architecture.n_tasks, rc=rc, bias=True)}
    weighted_sum = RCWeightedSum1d if rc else WeightedSum1d
    head = dense(n_filters, architecture.n_tasks)
    if architecture.n_tasks == 1:
        nn.init.ones_(head.weight)
        nn.init.constant_(cast(Tensor, head.bias), 0)
        head.requires_grad_(False)
    return {"weighted_sum": weighted_sum(n_filters, length), "head": head}


def check_architecture(architecture: Architecture) -> None:
    """Refuse sizes that do not fit each other."""
    if len(architecture.widths) != architecture.n_layers:
        raise InputError(
            f"compact_model: got {len(architecture.widths)} widths for {architecture.n_layers} layers, expected one "
            "a layer, e.g. widths=(15, 14, 14)."
        )
    if architecture.read_out not in _READ_OUTS:
        raise InputError(
            f"compact_model: got read_out={architecture.read_out!r}, expected one of {', '.join(_READ_OUTS)}."
        )
    spare = architecture.map_length - architecture.pool
    if spare < 0:
        raise InputError(
            f"compact_model: got length={architecture.length}, expected at least {architecture.length - spare} bp for "
            f"widths {architecture.widths} and a pool of {architecture.pool}. Use longer sequences or a smaller pool "
            "(--pool on the command line)."
        )
    if architecture.stride > architecture.length:
        raise InputError(
            f"compact_model: got stride={architecture.stride} for a length of {architecture.length} bp, expected no "
            "more than that; use a smaller stride (--stride on the command line)."
        )
    if architecture.rc and (spare % architecture.stride) % 2:
        raise SymmetryError(
            f"compact_model: with length={architecture.length} an odd number of positions "
            f"({spare % architecture.stride}) is left over by the pooling ({architecture.pool}/{architecture.stride}), "
            f"which breaks the reverse-complement guarantee. Lengths that work: {architecture.length - 1} or "
            f"{architecture.length + 1}; or change a width by one (widths=, --width on the command line)."
        )


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters, each shared weight counted once (section 3.6).

    Parameters
    ----------
    model : nn.Module

    Returns
    -------
    int

    Examples
    --------
    >>> count_parameters(compact_model(1, 2, 60, widths=(11,), pool=10, stride=10))
    104
    """
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
