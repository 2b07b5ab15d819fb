"""Whether a motif resembles a known one by the order of its columns, or by their composition alone."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional
from tqdm import tqdm

from rcinterp.comparison.queries import QuerySource, read_queries
from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory
from rcinterp.motifs import MotifSource, load_motifs
from rcinterp.motifs.centring import mean_center
from rclayers import reverse_complement

#: Copies of a motif with shuffled columns that it is compared with.
N_SHUFFLES = 99


def shuffled_p_values(
    matches: pd.DataFrame,
    queries: QuerySource,
    motifs: MotifSource = "encode",
    *,
    n_shuffles: int = N_SHUFFLES,
    seed: int = 0,
    progress: bool = False,
) -> pd.Series:
    r"""How often a query with its columns in another order is as similar to any known motif as the query to its match.

    Tomtom's null distribution draws columns one by one, so that a motif of nothing but G and C, say, has small p-values
    with all known motifs of that kind, in whatever order its columns stand. This p-value asks for the order.

    Parameters
    ----------
    matches : DataFrame
        Rows of what `rcinterp.compare_motifs` returned: columns Query_ID and Target_ID.
    queries, motifs
        As they were given to it.
    n_shuffles : int
        Copies of each query, whose columns are shuffled.
    seed : int
        Of the shuffles; those of a query do not depend on the others.
    progress : bool
        A bar on standard error.

    Returns
    -------
    Series of float
        One a row of `matches`, with its index: ``(1 + copies as similar) / (1 + n_shuffles)``. A motif whose columns
        all are alike has 1, and one of few columns has few orders: GATA alone, of 24, is not below 0.02.

    Raises
    ------
    InputError
        If a query or a target of `matches` is not among those given, or `n_shuffles` is no number of copies.

    Notes
    -----
    Similarity is that of `compare_matrices`: the cosine of centred matrices at the best shift, in the better
    orientation. The copies' largest similarity over all known motifs is taken, so that whichever of a shuffled motif's
    matches is looked at, it has p <= a in a share a of the shuffles (a permutation test).

    Examples
    --------
    >>> from rcinterp import compare_motifs, load_motifs
    >>> queries = {"CTCF": load_motifs("encode")["CTCF_known1"]}
    >>> table = compare_motifs(queries).head(1)
    >>> shuffled_p_values(table, queries).tolist()
    [0.01]
    """
    require_whole("n_shuffles", n_shuffles, 1, "shuffled_p_values")
    require_memory(f"shuffled_p_values: {n_shuffles:,} copies", 4000 * n_shuffles, "use fewer")
    given = {name: matrix for name, (matrix, _) in read_queries(queries).items()}
    bank = _Bank(load_motifs(motifs))
    p = np.full(len(matches), np.nan)
    places_of = matches.groupby("Query_ID", sort=False).indices
    for name, places in tqdm(places_of.items(), "shuffled motifs", leave=False, disable=not progress):
        targets = list(matches["Target_ID"].iloc[places])
        unknown = [target for target in targets if target not in bank.number]
        if name not in given or unknown:
            missing = f"query {name}" if name not in given else f"target {unknown[0]}"
            raise InputError(f"shuffled_p_values: {missing} of the matches is not among those given. Give the same.")
        p[places] = bank.p_values(given[str(name)], targets, n_shuffles, seed)
    return pd.Series(p, index=matches.index, dtype=float)


class _Bank:
    """Known motifs side by side, to be scanned with a query and its shuffled copies at once."""

    def __init__(self, motifs: Mapping[str, NDArray[np.float64]]) -> None:
        self.number = {name: i for i, name in enumerate(motifs)}
        self.matrices = [_direction(ppm) for ppm in motifs.values()]
        self._laid_out: dict[int, tuple[torch.Tensor, NDArray[np.intp]]] = {}

    def p_values(
        self, query: NDArray[np.float64], targets: list[str], n_shuffles: int, seed: int
    ) -> NDArray[np.float64]:
        """Of one query's matches."""
        own = _direction(query)
        rng = np.random.default_rng(seed)
        orders = [np.arange(own.shape[1]), *(rng.permutation(own.shape[1]) for _ in range(n_shuffles))]
        similarities = self._similarities(np.stack([own[:, order] for order in orders]))
        of_copies = similarities[1:].max(axis=1)
        of_matches = similarities[0, [self.number[target] for target in targets]]
        tolerance = 1e-6  # a copy in which equal columns changed places is as similar
        as_similar = (of_copies[None] >= of_matches[:, None] - tolerance).sum(axis=1)
        return np.asarray((1 + as_similar) / (1 + n_shuffles))

    def _similarities(self, copies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of every copy (n, 4, W) with every known motif, in the better orientation: (n, motifs)."""
        width = copies.shape[2]
        if width not in self._laid_out:
            self._laid_out.clear()
            gap = np.zeros((4, width - 1))
            widths = np.array([matrix.shape[1] for matrix in self.matrices])
            pieces = [gap, *(piece for matrix in self.matrices for piece in (matrix, gap))]
            starts = np.concatenate([[0], np.cumsum(widths + width - 1)[:-1]]).astype(np.intp)
            self._laid_out[width] = torch.from_numpy(np.concatenate(pieces, axis=1)).float(), starts
        laid, starts = self._laid_out[width]
        kernels = torch.from_numpy(copies).float()
        scanned = functional.conv1d(laid[None], torch.cat([kernels, reverse_complement(kernels)]))[0].numpy()
        better = np.maximum(*np.split(scanned, 2))
        return np.asarray(np.maximum.reduceat(better, starts, axis=1), dtype=np.float64)


def _direction(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred and of norm 1, or 0 where no letter is preferred."""
    centred = np.asarray(mean_center(matrix).weight, dtype=np.float64)
    norm = float(np.linalg.norm(centred))
    return centred / norm if norm > 0 else centred
