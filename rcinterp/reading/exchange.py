"""Contributions and motifs in the forms that other tools read: TF-MoDISco-lite's .npz files, logomaker's tables."""

import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.data.sequences import SequenceInput, as_one_hot
from rcinterp.errors import InputError
from rcinterp.files import whole_folder
from rcinterp.files.arrays import read_arrays
from rcinterp.files.paths import as_path
from rcinterp.motifs.matrices import as_matrix

#: Names of the two files in a folder, and of the array in each.
SEQUENCES_FILE, CONTRIBUTIONS_FILE, ARRAY = "ohe.npz", "contributions.npz", "arr_0"


class ModiscoInput(NamedTuple):
    """What TF-MoDISco looks for motifs in.

    Attributes
    ----------
    sequences : Tensor, shape (N, 4, L), float32
        One-hot, rows A, C, G, T.
    contributions : Tensor, shape (N, 4, L), float32
        Per base.
    """

    sequences: Tensor
    contributions: Tensor


def save_modisco(
    folder: str | os.PathLike[str], sequences: SequenceInput, contributions: NDArray[Any] | Tensor
) -> Path:
    r"""Write sequences and per-base contributions as TF-MoDISco-lite's command line reads them.

    Parameters
    ----------
    folder : path
        For ohe.npz and contributions.npz; made if need be.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list of str
        One-hot; N columns are zeros.
    contributions : ndarray or Tensor, shape (N, 4, L)
        Best the hypothetical ones, a value for each letter at each position (of gradient x input: the gradient). The
        actual ones, zero for the letters that are not there (gradient x input itself), will do.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If shapes differ, the sequences are not one-hot, contributions are not finite or all zero, or a file cannot be
        written.

    Notes
    -----
    Each file holds one array ``arr_0``, (N, 4, L), float32. Then ::

        modisco motifs -s ohe.npz -a contributions.npz -n 2000 -w 200 -o results.h5

    ``-w``, the width about the centre of the sequences that is looked at, is 400 bp if not given; it must be even and
    no more than L, or modisco stops. It multiplies `-a` by the one-hot itself, so both kinds give the same actual
    contributions; only from hypothetical ones can its hCWM differ from its CWM.

    References
    ----------
    Shrikumar et al. 2018, TF-MoDISco (arXiv:1811.00416). https://github.com/jmschrei/tfmodisco-lite, version 3.0.0.

    Examples
    --------
    >>> import tempfile
    >>> from rcinterp import one_hot
    >>> x = one_hot(["ACGTA", "CCGTN"])
    >>> folder = save_modisco(tempfile.mkdtemp(), x, 0.5 * x)
    >>> load_modisco(folder).contributions.sum(dim=(1, 2)).tolist()
    [2.5, 2.0]
    """
    given: object = folder
    if not isinstance(given, str | os.PathLike):
        raise InputError(
            f"save_modisco: got a folder of type {type(given).__name__}, expected a path, which comes first: "
            "save_modisco(folder, sequences, contributions)."
        )
    folder = as_path(folder, "save_modisco")
    x = as_one_hot(sequences, "save_modisco: sequences").detach().cpu()
    values = as_one_hot(contributions, "save_modisco: contributions").detach().cpu()
    if x.shape != values.shape:
        raise InputError(
            f"save_modisco: got sequences {tuple(x.shape)} and contributions {tuple(values.shape)}, expected one shape "
            "(N, 4, L). Give the contributions of these sequences."
        )
    if not (torch.isin(x, torch.tensor([0.0, 1.0], dtype=x.dtype)).all() and (x.sum(1) <= 1).all()):
        raise InputError(
            "save_modisco: got sequences that are not one-hot, expected a single 1 at each position, or none for N. "
            "Are sequences and contributions the right way round?"
        )
    if not values.any():
        raise InputError(
            "save_modisco: got contributions that are all zero, expected some. Has the model been trained?"
        )
    try:
        with whole_folder(folder, (SEQUENCES_FILE, CONTRIBUTIONS_FILE)) as part:
            for name, array in ((SEQUENCES_FILE, x), (CONTRIBUTIONS_FILE, values)):
                np.savez_compressed(part / name, array.float().numpy())  # numpy calls it arr_0
    except OSError as error:
        raise InputError(f"save_modisco: cannot write to {folder} ({error.strerror}). Give another folder.") from error
    return folder


def load_modisco(folder: str | os.PathLike[str]) -> ModiscoInput:
    """Sequences and contributions from a folder that `save_modisco` wrote.

    Parameters
    ----------
    folder : path
        Holds ohe.npz and contributions.npz, each with an array ``arr_0`` (N, 4, L).

    Returns
    -------
    ModiscoInput

    Raises
    ------
    InputError
        If a file is missing, has no such array, or the two arrays do not have one shape (N, 4, L).
    """
    sequences, contributions = (
        _load(as_path(folder, "load_modisco") / name) for name in (SEQUENCES_FILE, CONTRIBUTIONS_FILE)
    )
    if sequences.shape != contributions.shape or sequences.ndim != 3 or sequences.shape[1] != 4:
        raise InputError(
            f"load_modisco: {folder} holds sequences {tuple(sequences.shape)} and contributions "
            f"{tuple(contributions.shape)}, expected one shape (N, 4, L). Write them with save_modisco."
        )
    return ModiscoInput(sequences, contributions)


def _load(path: Path) -> Tensor:
    if not path.exists():
        raise InputError(f"load_modisco: found no file {path}, expected one that save_modisco wrote.")
    expected = f"load_modisco: {path} is no .npz file with an array {ARRAY}, expected one that save_modisco wrote"
    try:
        array = read_arrays(path, "an .npz file", "write it with save_modisco").get(ARRAY)
    except InputError as error:
        raise InputError(f"{expected} ({str(error).removeprefix(f'{path}: ').rstrip('.')}).") from None
    if array is None or not zipfile.is_zipfile(path):
        raise InputError(f"{expected}.")
    with np.errstate(over="ignore"):  # too large a number becomes an infinite one
        values = array.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise InputError(f"{expected} (it has values that are NaN or infinite).")
    return torch.from_numpy(values)


def to_logomaker(matrix: NDArray[Any] | Tensor) -> pd.DataFrame:
    """A matrix as the table that logomaker draws: one row a position, columns A, C, G, T.

    Parameters
    ----------
    matrix : ndarray or Tensor, shape (4, W)
        Rows A, C, G, T, in any unit: weights, probabilities, bits, contributions of one sequence.

    Returns
    -------
    DataFrame, shape (W, 4)
        float64; the index is ``pos``, 0-based.

    Raises
    ------
    InputError
        If it is not a (4, W) matrix of finite numbers.

    References
    ----------
    Tareen & Kinney 2020, Logomaker, Bioinformatics 36:2272.

    Examples
    --------
    >>> import numpy as np
    >>> to_logomaker(np.eye(4)).loc[2].to_dict()
    {'A': 0.0, 'C': 0.0, 'G': 1.0, 'T': 0.0}
    """
    values = as_matrix(matrix.detach().cpu().double().numpy() if isinstance(matrix, Tensor) else matrix, "given")
    if not np.isfinite(values).all():
        raise InputError(
            "to_logomaker: got NaN or infinite values, expected finite heights. Use np.nan_to_num(matrix)."
        )
    return pd.DataFrame(values.T, columns=list("ACGT"), index=pd.RangeIndex(values.shape[1], name="pos"))
