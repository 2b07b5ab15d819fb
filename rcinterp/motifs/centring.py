"""Mean-centring: filters moved to mean zero over A, C, G, T at each position, without changing what they compute."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.motifs.matrices import as_matrix

#: A bank of filters (F, 4, W), or matrices (4, W), of possibly different widths, by name.
Filters: TypeAlias = NDArray[Any] | Tensor | Mapping[str, NDArray[Any] | Tensor]


class CentredFilters(NamedTuple):
    """Centred filters and the bias that makes up for what was removed; of the kind that `mean_center` was given.

    Attributes
    ----------
    weight : ndarray or Tensor, shape (F, 4, W) or (4, W)
        Mean zero over the four letters at each position.
    bias : ndarray or Tensor, shape (F,), or a scalar for a single filter
    """

    weight: Any
    bias: Any


def mean_center(weight: NDArray[Any] | Tensor, bias: NDArray[Any] | Tensor | None = None) -> CentredFilters:
    """Centre filters: mean zero over A, C, G, T at each position, with the bias that keeps their output on sequences.

    Parameters
    ----------
    weight : ndarray or Tensor, shape (F, 4, W) or (4, W)
        Floating-point filters that read one-hot DNA, rows A, C, G, T: the first layer of a network. The filters of a
        later layer read no letters: nothing of them can be moved into a bias.
    bias : ndarray or Tensor, shape (F,), or a scalar for a single filter, optional
        The layer's bias, of the same kind and dtype as `weight`; zeros by default.

    Returns
    -------
    CentredFilters
        ``(weight, bias)``, of the kind, dtype and device given. Tensors keep their gradient graph.

    Raises
    ------
    InputError
        `weight` is not a floating-point array or tensor of shape (F, 4, W) or (4, W), or `bias` does not fit it.

    Notes
    -----
    With m[f, j] the mean of weight[f, :, j] ::

        weight'[f, c, j] = weight[f, c, j] - m[f, j],        bias'[f] = bias[f] + sum over j of m[f, j].

    Each position of one-hot DNA sums to 1, so the convolution's output is unchanged. An N, a column of zeros, sums to
    0: under position j of the filter it adds 0 to the original output and m[f, j] to the new one. The centred filter
    reads an N as the average of the four letters, and zero padding likewise, so its output there is the original's
    plus the sum of the m[f, j] of the positions that lie on an N or on padding.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.5. Shrikumar et al. 2016 (DeepLIFT, arXiv:1605.01713),
    section 2.6. The numbers are those of DeepLIFT 0.6.13, ``mean_normalise_weights_for_sequence_convolution``.

    Examples
    --------
    >>> import numpy as np
    >>> weight, bias = mean_center(np.array([[[3.0], [1.0], [0.0], [0.0]]]))
    >>> weight[0, :, 0].tolist(), bias.tolist()
    ([2.0, 0.0, -1.0, -1.0], [1.0])
    """
    _check_weight(weight)
    mean = weight.mean(-2)
    removed = mean.sum(-1)
    if bias is not None:
        _check_bias(bias, weight)
        removed = bias + removed
    return CentredFilters(weight - mean[..., None, :], removed)


def is_dead(matrix: NDArray[np.float64]) -> bool:
    """Whether a matrix (4, W) prefers no letter anywhere, up to rounding, or is not finite."""
    if not np.isfinite(matrix).all():
        return True
    return bool(np.linalg.norm(mean_center(matrix).weight) <= 1e-12 * np.linalg.norm(matrix))


def filters_by_name(
    filters: Filters, names: Sequence[Hashable] | None = None, *, caller: str
) -> dict[Hashable, NDArray[np.float64]]:
    """Filters as float64 matrices (4, W) by name, whatever they came as.

    Parameters
    ----------
    filters : ndarray or Tensor, shape (F, 4, W), or dict[str, ndarray or Tensor of shape (4, W)]
    names : sequence of F different names, optional
        The names of a bank (F, 4, W); by default ``filter_0``, ``filter_1``, ... A dict has its own.
    caller : str
        The function that the messages name.

    Returns
    -------
    dict[name, ndarray of shape (4, W)]
        In the order given.

    Raises
    ------
    InputError
        `filters` is neither of the two, or holds none, or `names` does not give each of them one name of its own.
    """
    if isinstance(filters, Mapping):
        names = list(filters) if names is None else names
        matrices = [as_matrix(_to_numpy(matrix), str(name)) for name, matrix in filters.items()]
    else:
        bank = _to_numpy(filters)
        if bank.ndim != 3 or bank.shape[1] != 4:
            raise InputError(
                f"{caller}: got filters of shape {bank.shape}, expected (F, 4, W) or a dict of matrices (4, W), rows "
                "A, C, G, T. Give filters[None] for a single one, filters.transpose(2, 1, 0) for channels-last kernels "
                "(W, 4, F); the filters of a later layer read no letters."
            )
        names = [f"filter_{i}" for i in range(len(bank))] if names is None else names
        matrices = [as_matrix(matrix, f"filter_{i}") for i, matrix in enumerate(bank)]
    if not matrices or len(names) != len(matrices) or len(set(names)) != len(names):
        raise InputError(
            f"{caller}: got {len(matrices)} filters and {len(names)} names, {len(set(names))} of them different, "
            "expected at least one filter and one name each. Leave names out to number the filters."
        )
    return dict(zip(names, matrices, strict=True))


def _to_numpy(matrix: ArrayLike | Tensor) -> NDArray[Any]:
    return matrix.detach().cpu().double().numpy() if isinstance(matrix, Tensor) else np.asarray(matrix)


def _check_weight(weight: NDArray[Any] | Tensor) -> None:
    is_float = (isinstance(weight, Tensor) and weight.is_floating_point()) or (
        isinstance(weight, np.ndarray) and np.issubdtype(weight.dtype, np.floating)
    )
    if not is_float:
        raise InputError(
            f"mean_center: got weight of type {type(weight).__name__} and dtype {getattr(weight, 'dtype', 'unknown')}, "
            "expected a floating-point numpy array or torch tensor. Convert it, e.g. np.asarray(weight, dtype=float)."
        )
    if weight.ndim not in (2, 3) or weight.shape[-2] != 4:
        raise InputError(
            f"mean_center: got weight of shape {tuple(weight.shape)}, expected (F, 4, W) or (4, W), rows A, C, G, T. "
            "For channels-last kernels (W, 4, F) use weight.transpose(2, 1, 0); only filters that read one-hot DNA, "
            "those of the first layer, can be centred."
        )


def _check_bias(bias: NDArray[Any] | Tensor, weight: NDArray[Any] | Tensor) -> None:
    expected = (torch.is_tensor(weight), weight.dtype, tuple(weight.shape[:-2]))
    given = (torch.is_tensor(bias), getattr(bias, "dtype", None), tuple(np.shape(bias)))
    if given != expected:
        raise InputError(
            f"mean_center: got bias of type {type(bias).__name__}, dtype {given[1]} and shape {given[2]}, expected "
            f"{expected[2]} of {type(weight).__name__} and {weight.dtype}, as weight. Pass the bias of the same layer."
        )
