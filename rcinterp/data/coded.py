"""Sequences of one byte a base, in memory or on disk, of which a batch at a time becomes one-hot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.data.sequences import (
    SequenceInput,
    as_one_hot,
    codes_to_one_hot,
    letter_codes,
    read_codes,
    reverse_complement_codes,
)
from rcinterp.errors import InputError
from rclayers import reverse_complement

#: Largest code, that of N.
_UNKNOWN = 4


class CodedSequences:
    """N sequences of L bp as codes of one byte: 0 to 3 for A, C, G, T, and 4 for N.

    Indexing gives one-hot sequences (n, 4, L), float32: a batch, and never all of them.

    Parameters
    ----------
    codes : array of uint8, shape (N, L)
        A NumPy array, or one that stays on disk: ``np.load(path, mmap_mode="r")``, ``np.memmap``, a zarr array. What
        is read of it is read by slices of rows.

    Raises
    ------
    InputError
        If it has another shape or type, no sequence, or, when they are read, other codes.

    Examples
    --------
    >>> import numpy as np
    >>> sequences = CodedSequences(np.array([[0, 1, 2, 3, 4], [3, 3, 3, 3, 3]], dtype=np.uint8))
    >>> sequences.shape, sequences[:1].shape
    ((2, 4, 5), torch.Size([1, 4, 5]))
    """

    def __init__(self, codes: Any) -> None:
        if isinstance(codes, Tensor):
            codes = codes.numpy()
        shape = tuple(getattr(codes, "shape", ()))
        if len(shape) != 2 or 0 in shape or getattr(codes, "dtype", None) != np.uint8:
            given = f"{getattr(codes, 'dtype', type(codes).__name__)} of shape {shape}"
            raise InputError(
                f"CodedSequences: got {given}, expected codes (N, L) of type uint8, 0 to 3 for A, C, G, T and 4 for N."
            )
        self.codes = codes
        self._is_turned = False

    def __len__(self) -> int:
        return int(self.codes.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, 4, L), as of one-hot sequences."""
        return (len(self), 4, int(self.codes.shape[1]))

    def __getitem__(self, rows: slice | Tensor) -> Tensor:
        return codes_to_one_hot(self.read(rows))

    def read(self, rows: slice | Tensor) -> NDArray[np.uint8]:
        """Codes (n, L) of some sequences.

        Raises
        ------
        InputError
            If they are not 0 to 4.
        """
        which = rows.numpy() if isinstance(rows, Tensor) else rows
        if isinstance(which, np.ndarray) and which.dtype == bool:
            which = np.flatnonzero(which)
        if not isinstance(which, slice) and np.ndim(which) != 1:
            raise InputError(f"CodedSequences: got the index {rows!r}, expected a slice or a tensor of rows, as x[:5].")
        if isinstance(which, np.ndarray) and not isinstance(self.codes, np.ndarray):
            places, back = np.unique(which, return_inverse=True)  # what zarr and its like take
            found = np.asarray(self.codes.oindex[places] if hasattr(self.codes, "oindex") else self.codes[places])[back]
        else:
            found = np.asarray(self.codes[which])
        if found.size and found.max() > _UNKNOWN:
            raise InputError(
                f"CodedSequences: got the code {found.max()}, expected 0 to 3 for A, C, G, T and 4 for N. For letters "
                "give strings, or the path of a FASTA file."
            )
        return reverse_complement_codes(found) if self._is_turned else found

    def reverse_complement(self) -> CodedSequences:
        """The reverse complements, of which a batch at a time is turned."""
        turned = CodedSequences(self.codes)
        turned._is_turned = not self._is_turned
        return turned

    def windows(self, rows: Tensor, positions: Tensor) -> Tensor:
        """One-hot letters (n, 4, w) at some positions (n, w) of some sequences (n,)."""
        return codes_to_one_hot(np.take_along_axis(self.read(rows), positions.numpy(), axis=1))


#: Sequences that are read: one-hot, or of one byte a base.
Sequences: TypeAlias = "Tensor | CodedSequences"


def load_for_reading(
    sequences: SequenceInput | CodedSequences, origin: str = "sequences"
) -> tuple[Sequences, list[str] | None]:
    """Whatever a user may hold as sequences, at one byte a base if they are letters, and their names.

    Raises
    ------
    InputError
        As `rcinterp.data.sequences.as_one_hot`.
    """
    if isinstance(sequences, CodedSequences):
        return sequences, None
    if isinstance(sequences, np.ndarray) and sequences.dtype.kind in "OUT":
        return load_for_reading(sequences.tolist(), origin)
    if isinstance(sequences, np.ndarray | Tensor):
        return as_one_hot(sequences, origin), None
    codes, names = read_codes(sequences, origin)
    return CodedSequences(codes), names


def coded_if_letters(x: Sequences) -> Sequences:
    """One-hot sequences as codes, if each column is one letter or all zeros; else what was given."""
    if isinstance(x, CodedSequences):
        return x
    parts = []
    for batch in batches_of(x):
        n_ones = (batch == 1).sum(1)
        if not bool(((n_ones <= 1) & ((batch != 0).sum(1) == n_ones)).all()):
            return x
        parts.append(letter_codes(batch))
    return CodedSequences(np.concatenate(parts))


def batches_of(x: Sequences, n_letters: int = 10_000_000) -> Iterator[Tensor]:
    """One-hot sequences (n, 4, L), about so many letters at a time."""
    size = max(1, n_letters // x.shape[2])
    return (x[start : start + size] for start in range(0, len(x), size))


def windows_of(x: Sequences, rows: Tensor, positions: Tensor) -> Tensor:
    """Letters (n, 4, w) at some positions (n, w) of some sequences (n,), float32."""
    if isinstance(x, CodedSequences):
        return x.windows(rows, positions)
    return x[rows[:, None], :, positions].transpose(1, 2).float().cpu()


def turned(x: Sequences) -> Sequences:
    """Reverse complements of sequences."""
    return x.reverse_complement() if isinstance(x, CodedSequences) else reverse_complement(x)
