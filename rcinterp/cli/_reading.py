"""Options of the commands that read a model: each is defined once, and becomes a keyword of Python's functions."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcinterp.cli._common import shows_progress
from rcinterp.cli._help import Decorated, option
from rcinterp.cli._types import FILE, FURTHER, MOTIFS, SEED, Number, Whole
from rcinterp.errors import InputError, nearest_names
from rcinterp.files import parse_whole
from rcinterp.memory import require_memory

if TYPE_CHECKING:
    from torch import Tensor, nn

_METHODS = ["gradient_x_activation", "ablation", "integrated_gradients", "deeplift"]
#: Of an array; numpy before 2.0 has no more than 32.
_MOST_AXES = 30
#: Of a number; Python reads 4,300.
_MOST_DIGITS = 4000
_MODEL, _SEQUENCES, _MEASURED, _MOTIFS = "Model", "Sequences", "What is measured", "Motifs"

CLASSES = (
    option(
        "--positives",
        type=FILE,
        multiple=True,
        required=True,
        group=_SEQUENCES,
        help="FASTA, plain or gzip; best not seen in training. Once a file.",
    ),
    option("--negatives", type=FILE, multiple=True, required=True, group=_SEQUENCES, help="FASTA. Once a file."),
)
WEIGHTS = option(
    "--weights", type=FILE, group=_MODEL, help="For FILE.py:NAME: its state_dict, .safetensors or of torch.save."
)
RUN = (
    option(
        "--output", group=_MODEL, help="Of a model that returns a tuple or dict: the part meant, such as 1 or counts."
    ),
    option("--logit", is_flag=True, group=_MODEL, help="The outputs are probabilities: read their logits."),
    option(
        "--args",
        "further",
        type=FURTHER,
        multiple=True,
        group=_MODEL,
        help="A further input of the model, in its order: .npy or .npz with one row a sequence, those of the positives "
        "first, or a single row; or zeros:4,1000 for zeros of that shape.",
    ),
    option("--device", group=_MODEL, help="Where it runs: cpu or cuda.  [default: cuda if there is one]"),
    option("--batch-size", type=Whole(1), default=100, group=_MODEL, help="Sequences at a time."),
)
TARGET = (
    option("--target", default="0", group=_MEASURED, help="Which output: its number, from 0, or its name."),
    option(
        "--targets",
        "target_names",
        type=FILE,
        group=_MEASURED,
        help="Names of the outputs, one a line, the first for output 0.  [default: the model's task_names, if any]",
    ),
)
INTERPRET = (
    option(
        "--method",
        type=click.Choice(_METHODS),
        default="gradient_x_activation",
        group=_MEASURED,
        help="How contributions are measured.",
    ),
    option(
        "--baseline",
        type=click.Choice(["zero", "mean"]),
        default="zero",
        group=_MEASURED,
        help="What an activation is compared with: none, or its mean over the negatives.",
    ),
    option("--seed", type=SEED, default=0, group=_MEASURED, help="Of the resamples of contributions."),
    option("--scheduler", group=_MEASURED, help="Address of a Dask scheduler, whose workers read the sequences."),
    option(
        "--motifs",
        type=MOTIFS,
        default="encode",
        group=_MOTIFS,
        help='Known motifs: "encode", or a motif file of any format.',
    ),
    option(
        "--motifs-from",
        type=click.Choice(["sites", "weights", "likelihood"]),
        default="sites",
        group=_MOTIFS,
        help="How a filter becomes a motif.",
    ),
    option(
        "--distance",
        type=click.Choice(["euclidean", "pearson"]),
        default="euclidean",
        group=_MOTIFS,
        help="Of two positions of motifs.",
    ),
    option(
        "--threshold",
        type=Number(0, 1, min_open=True),
        default=0.5,
        group=_MOTIFS,
        help="Share of a filter's top contribution that a site must reach.",
    ),
    option(
        "--flank",
        type=Whole(0),
        default=0,
        group=_MOTIFS,
        help="Further bp beside each site that a motif may show.",
    ),
)


def together(*options: Any) -> Callable[[Decorated], Decorated]:
    """One decorator of several options, or of tuples of them, in their order."""
    single = [one for given in options for one in (given if isinstance(given, tuple) else (given,))]

    def decorate(function: Decorated) -> Decorated:
        for one in reversed(single):
            function = one(function)
        return function

    return decorate


def run_options(output: str | None, logit: bool, further: Sequence[str], device: str | None, batch_size: int) -> Any:
    """How a model is run: keywords of `rcinterp.Reader`."""
    from rcinterp.cli._own_models import choose_output

    return {
        "func": choose_output(output, logit),
        "args": load_further(further),
        "device": device,
        "batch_size": batch_size,
        "verbose": shows_progress(),
    }


def name_device(device: str | None) -> str:
    """Where a model runs."""
    import torch

    return device or ("cuda" if torch.cuda.is_available() else "cpu")


def load_further(given: Sequence[str]) -> "tuple[Tensor, ...] | None":
    """Further inputs of a model, one tensor each, of files of numpy arrays, or of zeros; None if there are none."""
    return tuple(tensor for one in given for tensor in _tensors_of(one)) or None


def _tensors_of(given: str) -> "list[Tensor]":
    import torch

    if given.startswith("zeros:"):
        sizes = [parse_whole(size.strip(" \t")) or 0 for size in given.removeprefix("zeros:").split(",")]
        if not all(sizes) or len(sizes) > _MOST_AXES:
            raise InputError(f"--args: got {given!r}, expected zeros: and the shape of one row, such as zeros:4,1000.")
        shape = (1, *sizes)
        require_memory(f"--args: an array {shape}", 4 * math.prod(shape), "give smaller sizes")
        return [torch.zeros(shape)]
    if not Path(given).exists():
        raise InputError(f"--args: {given}: no such file, expected .npy or .npz; check the path.")
    from rcinterp.files.arrays import read_arrays

    try:
        arrays = read_arrays(given, "arrays of numbers, .npy or .npz", "check the file")
    except InputError as error:
        raise InputError(f"--args: {error}") from None
    return [_as_tensor(array, f"--args: {given}: {name}") for name, array in arrays.items()]


def _as_tensor(array: Any, what: str) -> "Tensor":
    """A tensor of an array of numbers, of which none is NaN or infinite."""
    import torch

    try:
        tensor = torch.as_tensor(array)
    except TypeError:
        raise InputError(
            f"{what} is of the type {array.dtype}, which torch does not have, expected at most 64 bits a number; save "
            "array.astype(numpy.float64)."
        ) from None
    if tensor.isnan().any():
        raise InputError(f"{what} has values that are NaN, expected numbers; fill them, or leave their sequences out.")
    if tensor.isinf().any():
        raise InputError(
            f"{what} has values that are infinite, expected finite numbers; limit them, or leave their sequences out."
        )
    return tensor


def with_as_many_names(func: Any, names: Path | None, model: "nn.Module") -> Any:
    """Function from what a model returns to its logits, which refuses another number of names than of outputs."""
    if names is None:
        return func
    known, source = _names_of(names, model)

    def check(returned: Any) -> Any:
        logits = returned if func is None else func(returned)
        if getattr(logits, "ndim", 0) > 1 and logits.shape[1] != len(known):
            raise InputError(
                f"--targets: {source} has {len(known)} names, expected {logits.shape[1]}, one for each output of the "
                "model, the first for output 0."
            )
        return logits

    return check


def find_targets(given: Sequence[str], names: Path | None, model: "nn.Module") -> list[int]:
    """Numbers of the outputs that are meant, each by its number or name."""
    known, source = _names_of(names, model)
    found = [_find_target(one, known, source) for one in given]
    check_each_once("--target", found)
    return found


def check_each_once(name: str, values: Sequence[Any]) -> None:
    """Refuse what is given twice."""
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise InputError(f"{name}: got {twice[0]} twice, expected each once. Leave one out.")


def _names_of(names: Path | None, model: "nn.Module") -> tuple[list[str], str]:
    """Names of outputs, and where they are from."""
    if names is None:
        own = getattr(model, "task_names", None)
        return ([str(name) for name in own] if isinstance(own, list | tuple) else []), "the model's task_names"
    from rcinterp.files import read_text, split_lines

    text = read_text(names, "the names of the outputs, one a line")
    found = [line.strip(" \t") for line in split_lines(text.rstrip(" \t\r\n"))]
    if "" in found:
        raise InputError(
            f"{names}: line {found.index('') + 1} is blank, expected a name a line: the names after it would be of "
            "other outputs. Fill or remove it."
        )
    return found, str(names)


def _find_target(given: str, known: list[str], source: str) -> int:
    if given.isascii() and given.isdecimal():
        return int(
            given[:_MOST_DIGITS]
        )  # more are no number of an output either, which is checked where they are known
    if known.count(given) == 1:
        return known.index(given)
    if not known:
        raise InputError(
            f"--target: got {given!r}, expected a number from 0; for names give --targets FILE, one name a line."
        )
    if given in known:
        raise InputError(f"--target: {given!r} stands {known.count(given)} times in {source}; give its number, from 0.")
    near = nearest_names(given, known)
    raise InputError(
        f"--target: got {given!r}, expected a number from 0 or a name of {source}, such as {', '.join(near)}."
    )
