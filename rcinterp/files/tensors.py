"""Files of safetensors, whose header is compared with what is expected before memory is taken."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rcinterp.dense import why_not_dense
from rcinterp.errors import InputError
from rcinterp.memory import require_memory


class TensorFile:
    """An open file of tensors; its header has been checked against the file's size by safetensors itself.

    Attributes
    ----------
    shapes : dict of str to tuple of int
    metadata : dict of str to str
    """

    def __init__(self, file: Any, path: Path) -> None:
        self._file, self._path = file, path
        self.shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no dict
        self.metadata: dict[str, str] = file.metadata() or {}

    def read(self) -> dict[str, Tensor]:
        """All tensors."""
        require_memory(f"{self._path}", self._path.stat().st_size, "free memory, or use another machine")
        return {name: self._file.get_tensor(name) for name in self.shapes}


@contextmanager
def open_tensors(path: str | os.PathLike[str], expected: str, advice: str) -> Iterator[TensorFile]:
    """Open a file of safetensors.

    Raises
    ------
    InputError
        If the file is missing, damaged or none; what is wrong with it within the context, too.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: cannot be read as {expected} (it is no file); {advice}.")
        with safe_open(path, framework="pt") as file:
            yield TensorFile(file, path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {expected}; {advice}.") from None
    except (OSError, SafetensorError, OverflowError, RuntimeError) as error:
        told = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as {expected} ({told}); {advice}.") from None


def what_is_lost(found: Tensor, wanted: Tensor) -> str | None:
    """What stands in the way of putting a tensor of a file in the place of another; None if nothing does.

    Rounding to fewer digits is none: models are loaded in single and half precision from files of more.
    """
    if (why := why_not_dense(found)) is not None:
        return why
    if found.is_floating_point() and not _rank(wanted) and (found % 1 == 0).all():  # numbers that were averaged
        return None
    if _rank(found) > _rank(wanted):
        return f"is {_name(found.dtype)}, expected {_name(wanted.dtype)}"
    return None


def _rank(value: Tensor) -> int:
    """Kinds of numbers, of which each holds those before it: whole, real, complex."""
    return 2 * value.is_complex() + value.is_floating_point()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
