"""Motifs that are one pattern, and the motif that they have in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from rcinterp.motifs import Motif, information_content, reverse_complement_motif
from rcinterp.motifs.meme import DEFAULT_N_SITES
from rcinterp.motifs.similarity import compare_matrices, similarity_matrix

#: Clusters of motifs are one pattern if the mean similarity between them is at least this (docs/evidence/seeds.md).
SAME_PATTERN = 0.6
#: Positions at either end of a consensus that hold less than this, in bits, are cut off.
MIN_FLANK_BITS = 0.25


def cluster_motifs(
    motifs: Sequence[NDArray[np.float64]], threshold: float = SAME_PATTERN, method: str = "average"
) -> NDArray[np.int64]:
    """Number of the cluster of each motif.

    Parameters
    ----------
    motifs : sequence of N ndarrays, shape (4, W), of any widths
        PPMs, each with a preference somewhere.
    threshold : float
        Similarity between two clusters from which on they are one.
    method : str
        Linkage, as scipy names it.

    Returns
    -------
    ndarray, shape (N,)
        0, 1, ...; the same number for motifs of one cluster.

    Notes
    -----
    The similarity is `similarity_matrix`'s: the cosine of two centred PPMs at the best shift, in the better
    orientation. A centred PPM is zero where nothing is preferred, so a flank of no information counts for nothing; to
    weigh positions by their information once more tells motifs apart less well (docs/evidence/seeds.md). By average
    linkage, the similarity of two clusters is the mean over pairs of their motifs: one odd motif neither chains two
    patterns together, as by single linkage, nor splits one, as by complete linkage.
    """
    if len(motifs) == 1:
        return np.zeros(1, dtype=np.int64)
    tree = linkage(squareform(1 - similarity_matrix(motifs), checks=False), method)
    return np.asarray(fcluster(tree, 1 - threshold, criterion="distance") - 1, dtype=np.int64)


def find_consensus(motifs: Sequence[Motif]) -> Motif:
    """The motif that motifs of one pattern have in common.

    Parameters
    ----------
    motifs : sequence of Motif
        Of one cluster; `n_sites` is None for all of them, which then count alike, or for none.

    Returns
    -------
    Motif
        In the orientation of the cluster's medoid, with the sum of the sites.

    Notes
    -----
    The medoid is the motif of the largest sum of similarities. Every other is moved, and turned if need be, to where
    it is most similar to it (`compare_matrices`). Letters are then averaged with the numbers of sites as weights,

    ``P[a, j] = sum over m of n[m] p[m, a, j - s[m]] / sum over m of n[m]``,

    over the motifs m that reach position j. Positions at either end that no more than half of the sites reach are cut
    off, then those of less than `MIN_FLANK_BITS`.
    """
    weights = np.array([DEFAULT_N_SITES if motif.n_sites is None else motif.n_sites for motif in motifs])
    medoid = motifs[int(similarity_matrix([motif.ppm for motif in motifs]).sum(1).argmax())].ppm
    widest = max(motif.ppm.shape[1] for motif in motifs)
    counts = np.zeros((4, 2 * widest + medoid.shape[1]))
    for motif, weight in zip(motifs, weights, strict=True):
        found = compare_matrices(motif.ppm, medoid)
        turned = reverse_complement_motif(motif.ppm) if found.orientation == "-" else motif.ppm
        start = widest + found.shift
        counts[:, start : start + turned.shape[1]] += weight * turned
    reached = counts.sum(0)
    counts = _cut(counts, reached > min(weights.sum() / 2, np.nextafter(reached.max(), 0)))
    ppm = counts / counts.sum(0)
    n_sites = None if all(motif.n_sites is None for motif in motifs) else float(weights.sum())
    return Motif(_cut(ppm, information_content(ppm) >= MIN_FLANK_BITS), n_sites)


def _cut(matrix: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """From the first position kept to the last; the whole if there is none."""
    positions = np.flatnonzero(kept)
    return matrix[:, positions[0] : positions[-1] + 1] if positions.size else matrix
