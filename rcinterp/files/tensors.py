"""Files of safetensors, whose header is compared with what is expected before memory is taken."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

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
