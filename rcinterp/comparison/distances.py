"""How far two columns of motifs are apart, for every query column and every target column at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FLAT = 1e-9  # a column this near to uniform has no direction
_NEAR = 1e-6  # squares below it lose digits in a product, and are computed from differences
# OpenBLAS gives a product of up to 2^18 multiplications to one thread. Larger ones share a pool of threads, for which
# callers in several threads wait.
_PRODUCT_OF_ONE_THREAD = 2**18


@dataclass(frozen=True)
class ColumnDistance:
    """A distance that a matrix product gives; minus it is the score of two columns.

    Attributes
    ----------
    query_factor, target_factor : callable
        Turn columns (4, W) and (4, T) into the product's factors, (W, K) and (K, T).
    is_squared : bool
        Whether the product is the distance's square: Euclidean, computed anew for columns that are nearly equal.
    """

    query_factor: Callable[[Floats], Floats]
    target_factor: Callable[[Floats], Floats]
    is_squared: bool

    def products(self, query: Floats, columns: Floats, factor: Floats, out: Floats) -> None:
        """Write the product of all columns, and with it the order of their distances, into `out`.

        Parameters
        ----------
        query, columns : numpy.ndarray, shapes (4, W) and (4, T)
        factor : numpy.ndarray, shape (K, T)
            The `target_factor` of the columns, which is the same for all queries.
        out : numpy.ndarray, shape (W, T)
        """
        left = self.query_factor(query)
        size = max(_PRODUCT_OF_ONE_THREAD // left.size, 1)
        for start in range(0, columns.shape[1], size):
            part = slice(start, start + size)
            np.matmul(left, factor[:, part], out=out[:, part])
        if self.is_squared:
            for row in np.flatnonzero(out.min(axis=1) < _NEAR):
                near = np.flatnonzero(out[row] < _NEAR)
                out[row, near] = ((query[:, row, None] - columns[:, near]) ** 2).sum(axis=0)

    def finish(self, products: Floats) -> Floats:
        """Turn products into distances, in place."""
        return np.sqrt(products, out=products) if self.is_squared else products

    def between(self, query: Floats, columns: Floats) -> Floats:
        """Return the distances of every two columns, (W, T)."""
        out = np.empty((query.shape[1], columns.shape[1]))
        self.products(query, columns, self.target_factor(columns), out)
        return self.finish(out)


def _left_of_squares(query: Floats) -> Floats:
    """With `_right_of_squares`, |x|^2 + |y|^2 - 2 x y."""
    return np.vstack([query, (query**2).sum(axis=0), np.ones(query.shape[1])]).T


def _right_of_squares(columns: Floats) -> Floats:
    return np.vstack([-2 * columns, np.ones(columns.shape[1]), (columns**2).sum(axis=0)])


def _directions(matrix: Floats) -> Floats:
    """Return the columns less 1/4, each divided by its norm; 0 for uniform columns."""
    centred = matrix - 0.25
    norms = np.linalg.norm(centred, axis=0)
    directions: Floats = np.where(norms > _FLAT, centred / np.maximum(norms, _FLAT), 0.0)
    return directions


def _opposite_directions(query: Floats) -> Floats:
    return -_directions(query).T


#: Tomtom's ``-dist ed``.
EUCLIDEAN = ColumnDistance(_left_of_squares, _right_of_squares, is_squared=True)
#: Minus the correlation of every two columns (Tomtom's ``-dist pearson``); 0 where one of them is uniform. As in
#: Tomtom, 1/4 is taken for the mean of a column.
PEARSON = ColumnDistance(_opposite_directions, _directions, is_squared=False)
