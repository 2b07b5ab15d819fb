"""DNA sequences in and out: strings, FASTA files and one-hot arrays.

A one-hot array has shape (N, 4, L), rows A, C, G, T; N and every IUPAC ambiguity letter is an all-zero column. Records
and positions are counted from 0.
"""

from __future__ import annotations

import gzip
import os
import warnings
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rcinterp.dense import why_not_dense
from rcinterp.errors import InputError
from rcinterp.files import read_text, split_words, write_at_once
from rcinterp.files.paths import as_path
from rcinterp.memory import require_memory

#: What every public function takes for sequences: a FASTA path, a list of them, strings, or a one-hot (N, 4, L).
SequenceInput: TypeAlias = (
    "str | os.PathLike[str] | Sequence[os.PathLike[str]] | list[str] | tuple[str, ...] | pd.Series[str] | "
    "NDArray[np.generic] | torch.Tensor"
)

_BASES, _AMBIGUITY = "ACGT", "NRYSWKMBDHV"
_UNKNOWN, _NO_BASE = len(_BASES), 255


def _tables() -> tuple[bytes, bytes]:
    """Return the tables byte -> code (A, C, G, T: 0 to 3; ambiguous: 4; no base: 255) and code -> byte."""
    codes = bytearray([_NO_BASE]) * 256
    for code, letters in enumerate((*_BASES, _AMBIGUITY)):
        for letter in letters + letters.lower():
            codes[ord(letter)] = code
    return bytes(codes), (_BASES + "N").encode().ljust(256, b"?")


_TO_CODE, _TO_LETTER = _tables()
#: In place of a letter that is no base, in texts that this table, byte -> upper-case letter, has changed.
_WRONG = "?"
_TO_UPPER = _TO_CODE.translate(_TO_LETTER)
_NO_BLANKS = str.maketrans("", "", "\n \t")
#: Bytes that the name and the sequence of a record take beside their letters, about.
_BYTES_OF_RECORD = 150


def one_hot(
    sequences: str | list[str] | tuple[str, ...] | pd.Series[str], dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Turn sequences of one length into a one-hot tensor.

    Parameters
    ----------
    sequences : str, or list, tuple or Series of str
        N sequences of L bp, in any case; one str is one sequence (N = 1). A Series' index names the records in
        messages.
    dtype : torch.dtype, default torch.float32
        The tensor's type.

    Returns
    -------
    torch.Tensor
        Shape (N, 4, L), rows A, C, G, T. N and the ambiguity letters RYSWKMBDHV are all-zero columns.

    Raises
    ------
    InputError
        For no sequence at all, an empty one, unequal lengths, or a letter that is no base.

    Examples
    --------
    >>> import torch
    >>> one_hot("ACn", dtype=torch.int64)
    tensor([[[1, 0, 0],
             [0, 1, 0],
             [0, 0, 0],
             [0, 0, 0]]])
    """
    return _one_hot(as_records(sequences, origin="one_hot"), "one_hot", dtype)


def _one_hot(records: pd.Series[str], origin: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return codes_to_one_hot(encode_records(records, origin), dtype)


def encode_records(records: pd.Series[str], origin: str) -> NDArray[np.uint8]:
    """Codes (N, L) of records of one length: 0 to 3 for A, C, G, T, and 4 for N.

    Raises
    ------
    InputError
        If their lengths differ, or a letter is no base; `origin` is what it begins with.
    """
    lengths = records.str.len().to_numpy()
    differing = np.flatnonzero(lengths != lengths[0])
    if differing.size:
        i = int(differing[0])
        raise InputError(
            f"{origin}: {name_record(records.index, i)} is {lengths[i]} bp long, but record 0 is {lengths[0]} bp "
            f"(all are {lengths.min()} to {lengths.max()} bp); expected one length: cut windows of one length, "
            "e.g. with bedtools getfasta."
        )
    return _encode(records, origin).reshape(len(records), -1)


def codes_to_one_hot(codes: NDArray[np.uint8], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Turn base codes (N, L), 0 to 3 for A, C, G, T and anything else for N, into a one-hot tensor (N, 4, L).

    Examples
    --------
    >>> import numpy as np
    >>> decode(codes_to_one_hot(np.array([[0, 3, 4]], dtype=np.uint8)))
    ['ATN']
    """
    shape = (len(codes), len(_BASES), codes.shape[1])
    require_memory(f"a one-hot {shape}", 4 * codes.size * dtype.itemsize, "give fewer or shorter sequences")
    x = torch.empty(shape, dtype=dtype)
    for code in range(len(_BASES)):
        x[:, code] = torch.from_numpy(codes == code)
    return x


def decode(x: NDArray[np.generic] | torch.Tensor) -> list[str]:
    """Turn a one-hot array back into upper-case strings; the inverse of `one_hot`.

    Parameters
    ----------
    x : tensor or ndarray, shape (N, 4, L)
        One-hot sequences of any type, on any device.

    Returns
    -------
    list of str
        N sequences of L bp; an all-zero column is N.

    Raises
    ------
    InputError
        If the shape is not (N, 4, L), or a column is neither all zero nor a single 1.

    Examples
    --------
    >>> decode(one_hot(["ACGT", "ttrn"]))
    ['ACGT', 'TTNN']
    """
    hot = _as_tensor(x, "decode").detach().cpu()
    codes = torch.full((hot.shape[0], hot.shape[2]), _UNKNOWN, dtype=torch.uint8)
    for code in range(len(_BASES)):
        codes.masked_fill_(hot[:, code] == 1, code)
    expected = codes_to_one_hot(codes.numpy(), hot.dtype)
    if not torch.equal(expected, hot):
        i, _, position = (expected != hot).nonzero()[0].tolist()
        raise InputError(
            f"decode: record {i} has the column {hot[i, :, position].tolist()} at position {position}; expected "
            "one-hot columns (a single 1, or all 0 for N). For probabilities, take the likeliest base first."
        )
    return _spell(codes.numpy(), [codes.shape[1]] * len(codes))


def as_one_hot(sequences: SequenceInput, origin: str = "as_one_hot") -> torch.Tensor:
    """Turn whatever a user may hold as sequences into a one-hot tensor; what public functions call at their boundary.

    Parameters
    ----------
    sequences : path, list of paths, list, tuple or Series of str, ndarray, or tensor
        A FASTA path, or a list of `pathlib.Path`, read one after another; N strings of L bp; or an array (N, 4, L) of
        any type. **One str is a path**, never a sequence: put a single sequence in a list.
    origin : str, default "as_one_hot"
        What messages begin with, e.g. the function and argument that the sequences came through; for a file, its path.

    Returns
    -------
    torch.Tensor
        Shape (N, 4, L), floating point. A tensor that is floating point already is returned as it is, without a copy;
        everything else becomes float32 on its device.

    Raises
    ------
    InputError
        As `read_fasta` and `one_hot` do; for another shape, no sequence, or values that are not finite numbers.

    Notes
    -----
    Values of an array are not required to be 0 and 1: soft sequences (a probability for each base) are let through.

    Examples
    --------
    >>> as_one_hot(["ACGTN", "TTTTT"]).shape
    torch.Size([2, 4, 5])
    """
    if isinstance(sequences, np.ndarray) and sequences.dtype.kind in "OUT":
        sequences = sequences.tolist()
    if isinstance(sequences, (np.ndarray, torch.Tensor)):
        return _as_tensor(sequences, origin)
    return codes_to_one_hot(read_codes(sequences, origin)[0])


def read_codes(sequences: SequenceInput, origin: str) -> tuple[NDArray[np.uint8], list[str] | None]:
    """Codes (N, L) of letters, as `encode_records` has them, and their names where they have any.

    Parameters
    ----------
    sequences : path, list of paths, or list, tuple or Series of str
        FASTA files are read one after another.
    origin : str
        What messages begin with; for a file, its path.

    Raises
    ------
    InputError
        As `read_fasta` and `encode_records`; if the sequences of two files differ in length.
    """
    paths = paths_of(sequences, origin)
    if paths is None:
        records = as_records(sequences, origin)
        return encode_records(records, origin), names_of(records)
    parts: list[NDArray[np.uint8]] = []
    names: list[str] = []
    for path in paths:
        records = read_fasta(path)
        parts.append(encode_records(records, str(path)))
        names += map(str, records.index)
        if parts[-1].shape[1] != parts[0].shape[1]:
            raise InputError(
                f"{path}: its sequences are {parts[-1].shape[1]} bp long, but those of {paths[0]} "
                f"{parts[0].shape[1]} bp; expected one length in all files: cut windows of one length, e.g. with "
                "bedtools getfasta."
            )
    return np.concatenate(parts) if len(parts) > 1 else parts[0], names


def paths_of(sequences: object, origin: str) -> list[str | os.PathLike[str]] | None:
    """The files that sequences are in; None if they are none."""
    if isinstance(sequences, (str, os.PathLike)):
        return [sequences]
    if not isinstance(sequences, (list, tuple)) or not sequences or not isinstance(sequences[0], os.PathLike):
        return None
    for i, one in enumerate(sequences):
        if not isinstance(one, os.PathLike):
            raise InputError(
                f"{origin}: got {type(one).__name__} at {i} of a list of paths, expected pathlib.Path throughout: a "
                "str in a list is a sequence."
            )
    return list(sequences)


class NamedSequences(NamedTuple):
    """Sequences, and their names where they have any.

    Attributes
    ----------
    x : torch.Tensor, shape (N, 4, L)
    names : list of str or None
    """

    x: torch.Tensor
    names: list[str] | None


def load_sequences(sequences: SequenceInput, origin: str = "sequences") -> NamedSequences:
    """Turn whatever a user may hold as sequences into a one-hot tensor and their names; a file is read once.

    Parameters
    ----------
    sequences : path, list of paths, list, tuple or Series of str, ndarray, or tensor
        As in `as_one_hot`.
    origin : str
        What messages begin with.

    Raises
    ------
    InputError
        As `as_one_hot`.
    """
    if isinstance(sequences, (np.ndarray, torch.Tensor)):
        return NamedSequences(as_one_hot(sequences, origin), None)
    codes, names = read_codes(sequences, origin)
    return NamedSequences(codes_to_one_hot(codes), names)


def letters_of(x: torch.Tensor) -> list[str]:
    """Sequences (N, 4, L) as upper-case strings; N where a column is no single letter, whatever it holds."""
    codes = letter_codes(x)
    return _spell(codes, [codes.shape[1]] * len(codes))


def letter_codes(x: torch.Tensor) -> NDArray[np.uint8]:
    """Letters of one-hot sequences (N, 4, L) as 0 to 3 for A, C, G, T, (N, L); 4 where a column is no single letter."""
    known = (x.amax(1) > 0.5) & (x.sum(1) < 1.5)  # not N, whatever it is padded with
    return torch.where(known, x.argmax(1), 4).to(torch.uint8).cpu().numpy()


def reverse_complement_codes(codes: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Reverse complements of letters (N, L) as `letter_codes` has them."""
    turned: NDArray[np.uint8] = np.array([3, 2, 1, 0, 4], dtype=np.uint8)[codes[:, ::-1]]
    return turned


def strandless_keys(x: torch.Tensor) -> list[bytes]:
    """One key a sequence (N, 4, L), the same for its reverse complement.

    A column of four equal values is N. A sequence with another column that is no letter is known by its numbers.
    """
    codes = letter_codes(x)
    pairs = zip(codes, reverse_complement_codes(codes), strict=True)
    keys = [_digest(min(one.tobytes(), other.tobytes())) for one, other in pairs]
    most, least = x.amax(1), x.amin(1)
    is_letter = (most == 1) & (least == 0) & (x.sum(1) == 1)
    soft = torch.nonzero(~(is_letter | (most == least)).all(1)).flatten().tolist()
    for row in soft:
        values = x[row].detach().float().cpu() + 0.0  # no -0.0
        keys[row] = _digest(min(one.numpy().tobytes() for one in (values, values.flip(0, 1))))
    return keys


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def names_of(sequences: SequenceInput) -> list[str] | None:
    """Return the names of sequences: the headers of FASTA files, or the index of a Series; None for others.

    Examples
    --------
    >>> import pandas as pd
    >>> names_of(pd.Series(["ACGT"], index=["chr1:5-9"])), names_of(["ACGT"])
    (['chr1:5-9'], None)
    """
    paths = paths_of(sequences, "names_of")
    if paths is not None:
        return [str(name) for path in paths for name in read_fasta(path).index]
    if not isinstance(sequences, pd.Series) or isinstance(sequences.index, pd.RangeIndex):
        return None
    return [str(name) for name in sequences.index]


def _as_tensor(x: NDArray[np.generic] | torch.Tensor, origin: str) -> torch.Tensor:
    """Return x as a floating-point tensor of shape (N, 4, L), or say what is wrong with it."""
    if not isinstance(x, (np.ndarray, torch.Tensor)):
        raise InputError(
            f"{origin}: got {type(x).__name__}, expected a tensor or array (N, 4, L). For str, use one_hot."
        )
    shape = tuple(x.shape)
    if x.ndim != 3 or shape[1] != len(_BASES) or 0 in shape:
        raise InputError(f"{origin}: got x of shape {shape}, expected (N, 4, L){_shape_advice(x)}.")
    if isinstance(x, np.ndarray):
        if x.dtype.kind not in "biuf":
            raise InputError(
                f"{origin}: got an array of {x.dtype}, expected numbers; convert it with x.astype('float32')."
            )
        if np.ma.is_masked(x):
            raise InputError(f"{origin}: got an array with masked values, expected numbers; fill them, x.filled(0).")
        x = torch.from_numpy(np.require(x, np.float32, ["C", "W"]))
    if x.is_complex():
        raise InputError(f"{origin}: got a tensor of {x.dtype}, expected real numbers; give its real part, x.real.")
    if (why := why_not_dense(x)) is not None:
        raise InputError(f"{origin}: got a tensor that {why}; give a plain tensor.")
    if not x.is_floating_point():
        x = x.float()
    if not torch.stack(torch.aminmax(x.detach())).isfinite().all():
        raise InputError(f"{origin}: got x with NaN or infinite values, expected a one-hot of 0 and 1; build it anew.")
    return x


def _shape_advice(x: NDArray[np.generic] | torch.Tensor) -> str:
    if 0 in x.shape:
        return " with at least one sequence of at least 1 bp"
    if x.ndim == 3 and x.shape[2] == len(_BASES):
        swap = "transpose" if isinstance(x, torch.Tensor) else "swapaxes"
        return f". If your one-hot is (N, L, 4), use x.{swap}(1, 2)"
    if x.ndim == 2 and x.shape[0] != len(_BASES) != x.shape[1]:
        return ". If these are codes of letters, use rcinterp.data.sequences.codes_to_one_hot; for strings, one_hot"
    if x.ndim == 2:
        return f". For a single sequence, use {'x[None]' if x.shape[0] == len(_BASES) else 'x.T[None]'}"
    return ", rows A, C, G, T. For strings, use one_hot"


def as_records(sequences: object, origin: str = "as_records") -> pd.Series[str]:
    """Return strings as a Series, after a check that each is a sequence at all.

    Parameters
    ----------
    sequences : str, or list, tuple or Series of str
        N sequences of any lengths, at least 1 bp each.
    origin : str, default "as_records"
        What messages begin with: the function or file that the strings came through.

    Returns
    -------
    pandas.Series of str
        The sequences as given; a Series keeps its index.

    Raises
    ------
    InputError
        For another type, no sequence at all, or an empty sequence.

    Examples
    --------
    >>> as_records(["ACG", "T"]).tolist()
    ['ACG', 'T']
    """
    strings = [sequences] if isinstance(sequences, str) else sequences
    if not isinstance(strings, (list, tuple, pd.Series)):
        advice = "read_fasta(path) reads a file" if isinstance(strings, os.PathLike) else "or convert it with list(...)"
        raise InputError(f"{origin}: got {type(strings).__name__}, expected a list or Series of str; {advice}.")
    if not len(strings):
        raise InputError(f"{origin}: got no sequences, expected at least one; check what selected them.")
    index = strings.index if isinstance(strings, pd.Series) else pd.RangeIndex(len(strings))
    for i, string in enumerate(strings):
        if not isinstance(string, str):
            given = f"is {type(string).__name__}, expected str; {_string_advice(string)}"
            raise InputError(f"{origin}: {name_record(index, i)} {given}.")
        if not string:
            advice = "remove the record or fill in its sequence"
            raise InputError(f"{origin}: {name_record(index, i)} has no sequence; {advice}.")
    return strings if isinstance(strings, pd.Series) else pd.Series(list(strings), index=index)


def _string_advice(given: object) -> str:
    """How to make a sequence of what is no str."""
    if isinstance(given, (np.ndarray, torch.Tensor)):
        library = "torch" if isinstance(given, torch.Tensor) else "np"
        return f"stack one-hot arrays of one shape with {library}.stack"
    if isinstance(given, bytes):
        return "decode it with .decode()"
    if type(given).__module__.startswith("Bio."):
        return "give str(record.seq)" if hasattr(given, "seq") else "give str(...) of it"
    return "remove the record or fill in its sequence"


def name_record(index: pd.Index, i: int) -> str:
    """Return what messages call record i (counted from 0) of a Series with this index.

    Examples
    --------
    >>> import pandas as pd
    >>> name_record(pd.Index(["chr1:5-8"]), 0), name_record(pd.RangeIndex(1), 0)
    ("record 0 ('chr1:5-8')", 'record 0')
    """
    return f"record {i}" if isinstance(index, pd.RangeIndex) else f"record {i} ({str(index[i])!r})"


def _encode(records: pd.Series[str], origin: str) -> NDArray[np.uint8]:
    """Return the codes of all records, one after the other, or name the first letter that is no base."""
    codes = np.frombuffer("".join(records).encode("ascii", "replace").translate(_TO_CODE), dtype=np.uint8)
    wrong = np.flatnonzero(codes == _NO_BASE)
    if wrong.size:
        ends = records.str.len().to_numpy().cumsum()
        i = int(np.searchsorted(ends, wrong[0], side="right"))
        position = int(wrong[0] - ends[i] + len(records.iloc[i]))
        raise _wrong_letter(f"{origin}: {name_record(records.index, i)}", records.iloc[i], position)
    return codes


def _spell(codes: NDArray[np.uint8], lengths: Iterable[int]) -> list[str]:
    """Return upper-case strings of the given lengths from the codes of all of them, one after the other."""
    letters = codes.tobytes().translate(_TO_LETTER).decode()
    return [letters[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]


def read_fasta(path: str | os.PathLike[str]) -> pd.Series[str]:
    """Read the sequences of a FASTA file, plain or gzip.

    Parameters
    ----------
    path : path
        The file. Gzip is recognised by its first bytes, whatever the name.

    Returns
    -------
    pandas.Series of str
        Upper-case sequences ("sequence") of A, C, G, T and N, indexed by the first word of their headers ("name"), in
        the file's order. Names may repeat, lengths may differ.

    Raises
    ------
    InputError
        If the file is missing, a folder, empty, not text, damaged or without headers, a record has no sequence, or a
        letter is no base, or if it takes more memory than is free. The message names the file, the line where the
        record begins, and the record, counted from 0.

    Warns
    -----
    UserWarning
        If names repeat, or a record has none; it names the line.

    Notes
    -----
    Soft-masked (lower-case) bases are read as bases; every IUPAC ambiguity letter is read as N.

    Examples
    --------
    >>> write_fasta("peaks.fa.gz", ["ACGT", "ttr"], names=["a", "b"])
    >>> read_fasta("peaks.fa.gz").to_dict()
    {'a': 'ACGT', 'b': 'TTN'}
    """
    text = read_text(path, "a FASTA file", f"check the path{_list_advice(path)}")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    begin = len(text) - len(text.lstrip("\n \t"))
    if begin == len(text):
        raise InputError(f"{path}: the file is empty; expected FASTA records ('>name', then the sequence).")
    if text[begin] != ">":
        given = text[begin : begin + 20]
        raise InputError(f"{path}: starts with {given!r}, expected '>' and a name; convert the file to FASTA.")
    n_records = 1 + text.count("\n>", begin)
    n_bytes = 3 * len(text) + _BYTES_OF_RECORD * n_records
    require_memory(f"{path}: reading its {n_records} records", n_bytes, "split the file")
    names: list[str] = []
    sequences: list[str] = []
    starts = np.empty(n_records, dtype=np.int64)
    stop = begin - 1
    for i in range(n_records):
        starts[i] = start = stop + 1
        stop = text.find("\n>", start)
        stop = len(text) if stop < 0 else stop
        header, _, body = text[start + 1 : stop].partition("\n")
        names.append(next(iter(split_words(header)), ""))
        sequences.append(body.translate(_NO_BLANKS).encode("ascii", "replace").translate(_TO_UPPER).decode())
        if not sequences[-1] or not names[-1].isprintable() or _WRONG in sequences[-1]:
            raise _wrong_record(f"record {i} ({names[-1]!r})", body.translate(_NO_BLANKS), path, _line_at(text, start))
    index = pd.Index(names, name="name")
    _warn_of_names(index, text, starts, path)
    return pd.Series(sequences, index=index, name="sequence")


def _line_at(text: str, start: int) -> int:
    """The line, from 1, that begins at a place of a text."""
    return 1 + text.count("\n", 0, start)


def _wrong_record(record: str, sequence: str, path: str | os.PathLike[str], line: int) -> InputError:
    """The error of a record that has no sequence, a letter that is no base, or a name that cannot be seen."""
    if not sequence:
        return InputError(f"{path}: line {line}: {record} has no sequence; remove the record or fill in its sequence.")
    letters = sequence.encode("ascii", "replace").translate(_TO_UPPER).decode()
    if (position := letters.find(_WRONG)) >= 0:
        return _wrong_letter(f"{path}: {record}", sequence, position, f" (the record begins in line {line})")
    return InputError(f"{path}: line {line}: {record} has a character in its name that cannot be seen; rename it.")


def _wrong_letter(record: str, sequence: str, position: int, place: str = "") -> InputError:
    """The error of a letter that is no base."""
    letter = sequence[position]
    advice = "RNA must be converted to DNA first: replace U by T" if letter in "Uu" else "mask or remove it"
    return InputError(
        f"{record} has {letter!r} at position {position}; expected A, C, G, T, N or another IUPAC letter of DNA "
        f"({_AMBIGUITY[1:]}); {advice}{place}."
    )


def _warn_of_names(names: pd.Index[str], text: str, starts: NDArray[np.int64], path: str | os.PathLike[str]) -> None:
    """Warn of records without a name, and of names that stand there before."""
    missing = np.flatnonzero(names == "")
    if len(missing):
        more = f", as have {len(missing) - 1} others" if len(missing) > 1 else ""
        warnings.warn(
            f"{path}: line {_line_at(text, starts[missing[0]])}: record {missing[0]} has no name behind '>'{more}; "
            "name it, or tell such sequences apart by their numbers.",
            stacklevel=3,
        )
    rows = np.flatnonzero(names.duplicated() & (names != ""))
    if len(rows):
        more = f", as do {len(rows) - 1} others" if len(rows) > 1 else ""
        warnings.warn(
            f"{path}: line {_line_at(text, starts[rows[0]])}: the name {names[rows[0]]!r} stands there before{more}; "
            "tell such sequences apart by their numbers, which tables have too, or rename them.",
            stacklevel=3,
        )


def _list_advice(path: str | os.PathLike[str]) -> str:
    """Return the advice for one sequence given where one str is a path."""
    is_sequence = _NO_BASE not in os.fsencode(path).translate(_TO_CODE)
    return ", or put a single sequence in a list: ['ACGT']" if is_sequence else ""


def write_fasta(
    path: str | os.PathLike[str],
    sequences: list[str] | tuple[str, ...] | pd.Series[str],
    names: Iterable[object] | None = None,
) -> None:
    """Write sequences to a FASTA file, one line each; the same input gives the same bytes.

    Parameters
    ----------
    path : path
        The file, replaced if there is one; gzip if its name ends in ".gz".
    sequences : list, tuple or Series of str
        Sequences of any lengths, written as they are.
    names : iterable of str, optional
        One header each. Left out, a Series' index, or else 0, 1, 2, ...

    Raises
    ------
    InputError
        For sequences or names that `read_fasta` would refuse, another number of names than of sequences, a name of more
        than one line, or a path that cannot be written.

    Examples
    --------
    >>> write_fasta("two.fa", ["ACGT", "TTT"], names=["first", "second"])
    """
    path = as_path(path, "write_fasta")
    records = as_records(sequences, "write_fasta")
    _encode(records, "write_fasta")
    given: object = names
    if not isinstance(given, Iterable | None):
        raise InputError(f"write_fasta: got names of type {type(given).__name__}, expected a list of one name each.")
    headers = [str(name) for name in (records.index if names is None else names)]
    if len(headers) != len(records):
        raise InputError(f"write_fasta: got {len(headers)} names for {len(records)} sequences; expected one name each.")
    for i, header in enumerate(headers):
        if len(f"{header}|".splitlines()) > 1:
            raise InputError(f"write_fasta: name {i} is {header!r}, expected one line; remove its line breaks.")
        try:
            header.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"write_fasta: name {i} is {header!r}, which cannot be written as text (UTF-8: {error.reason}); "
                "rename it."
            ) from None
        if not "".join(split_words(header)[:1]).isprintable():
            raise InputError(
                f"write_fasta: name {i} is {header!r}, which has a character that cannot be seen; rename it."
            )
    data = "".join(f">{header}\n{record}\n" for header, record in zip(headers, records, strict=True)).encode()
    try:
        write_at_once(path, gzip.compress(data, compresslevel=6, mtime=0) if str(path).endswith(".gz") else data)
    except OSError as error:
        raise InputError(
            f"write_fasta: cannot write {path} ({error.strerror}); check the path and its folder."
        ) from None
