"""Filters of which is known what they are: motifs as a network would hold them, and hybrids of both strands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcinterp.motifs import reverse_complement_motif
from rcinterp.palindromes.finding import PALINDROMIC_MOTIF, find_palindromes

Matrix = NDArray[np.float64]

#: Share of a motif's squared norm, of the most that the filter can hold, that must lie within the filter.
_KEPT = 0.8
#: Distance of the two copies of a hybrid, in widths of the motif: at most, if superposed, and at least, side by side.
HYBRIDS = {"superposed": (0.0, 0.5), "side by side": (0.75, np.inf)}
#: A hybrid whose strands do not overlap: what lies beyond its axis is cut off the motif, whose RC fills that side.
CUT = "cut at the axis"
#: Share of the motif's squared norm that the cut leaves, at least.
_LEFT_BY_CUT = 0.7
#: What else a filter may be.
MOTIF, PALINDROMIC, HALF, NOISE, SYMMETRIC_NOISE = "motif", "palindromic motif", "half-site", "noise", "symmetric noise"
#: Of the stronger strand.
SHARES = (0.5, 0.7)


@dataclass(frozen=True)
class Noise:
    """How far a filter is from its motif.

    Attributes
    ----------
    form : "weights" or "PPM"
        Log-odds with noise, or letter frequencies of sites.
    n_sites : int
        Sites that the motif is estimated anew from; one pseudocount is added.
    level : float
        Norm of the noise of weights, as a share of their own norm; a PPM has that of its sites only.
    """

    form: str
    n_sites: int
    level: float = 0.0

    def __str__(self) -> str:
        return f"{self.form}, {self.n_sites} sites" + (f", noise {self.level:g}" if self.form == "weights" else "")


#: From little noise to much.
NOISES = (
    Noise("weights", 200, 0.1),
    Noise("weights", 100, 0.3),
    Noise("weights", 30, 0.5),
    Noise("PPM", 200),
    Noise("PPM", 30),
)


@dataclass(frozen=True, eq=False)
class Query:
    """A filter and the truth about it.

    Attributes
    ----------
    kind : str
        A key of `HYBRIDS`, `CUT`, or one of the other kinds.
    matrix : ndarray, shape (4, W)
    motif : str, optional
        Its motif; noise has none.
    noise : Noise, optional
    share : float
        Of the stronger strand.
    """

    kind: str
    matrix: Matrix
    motif: str | None = None
    noise: Noise | None = None
    share: float = 1.0


def family(name: str) -> str:
    """Of an ENCODE motif: the factors that it is of, e.g. CTCF of CTCF_known1."""
    return name.split("_")[0]


def split_families(motifs: Mapping[str, Matrix], seed: int) -> tuple[dict[str, Matrix], dict[str, Matrix]]:
    """The motifs of one half of the families, drawn at random, and those of the other."""
    families = np.random.default_rng(seed).permutation(sorted({family(name) for name in motifs}))
    first = set(families[: len(families) // 2])
    one, other = ({n: ppm for n, ppm in motifs.items() if (family(n) in first) == side} for side in (True, False))
    return one, other


def draw_queries(
    motifs: Mapping[str, Matrix], n: int, widths: Sequence[int], noises: Sequence[Noise], seed: int
) -> list[Query]:
    """`n` filters of each kind for each width and noise; of noise itself, for each width. (4, V) PPMs by name."""
    rng = np.random.default_rng(seed)
    own = find_palindromes(motifs, n_permutations=1).set_index("filter")
    palindromic = own["rc_similarity"] >= PALINDROMIC_MOTIF
    halves = {name: motifs[name][:, : int(own["rc_axis"][name]) + 1] for name in own.index[palindromic]}
    others = {name: motifs[name] for name in own.index[~palindromic]}
    of_kind = {MOTIF: others, PALINDROMIC: {name: motifs[name] for name in halves}, HALF: halves}
    queries = []
    for width in widths:
        for noise in noises:
            for kind, sources in of_kind.items():
                for name in rng.choice(list(sources), n):
                    queries.append(Query(kind, perturbed_motif(sources[name], width, noise, rng), str(name), noise))
            for kind in HYBRIDS:
                queries += _draw_hybrids(others, n, width, kind, noise, rng)
        for kind in (NOISE, SYMMETRIC_NOISE):
            queries += [Query(kind, noise_filter(width, kind == SYMMETRIC_NOISE, rng)) for _ in range(n)]
    for width in widths:
        for noise in noises:
            queries += _draw_hybrids(others, n, width, CUT, noise, rng)
    return queries


def _draw_hybrids(
    sources: Mapping[str, Matrix], n: int, width: int, kind: str, noise: Noise, rng: np.random.Generator
) -> Iterator[Query]:
    left = n
    while left:
        name, share = str(rng.choice(list(sources))), rng.uniform(*SHARES)
        matrix = perturbed_hybrid(sources[name], width, share, kind, noise, rng)
        if matrix is not None:
            left -= 1
            yield Query(kind, matrix, name, noise, share)


def perturbed_motif(ppm: Matrix, width: int, noise: Noise, rng: np.random.Generator) -> Matrix:
    """The motif anywhere in a filter of that width, in either orientation: (4, width)."""
    start = rng.choice(_starts(ppm, width))
    return _turned(_filter([(ppm, start, 1.0)], width, noise, rng), rng)


def perturbed_hybrid(
    ppm: Matrix, width: int, share: float, kind: str, noise: Noise, rng: np.random.Generator
) -> Matrix | None:
    """The motif and its reverse complement in one filter, `share` of the first; None if `kind` does not fit in it."""
    if kind == CUT:
        return _cut_hybrid(ppm, width, share, noise, rng)
    starts = _starts(ppm, width)
    here, there = np.meshgrid(starts, (width - ppm.shape[1]) - starts, indexing="ij")
    least, most = (limit * ppm.shape[1] for limit in HYBRIDS[kind])
    possible = np.argwhere((abs(here - there) >= least) & (abs(here - there) <= most))
    if not len(possible):
        return None
    i, j = rng.choice(possible)
    copies = [(ppm, here[i, j], share), (reverse_complement_motif(ppm), there[i, j], 1 - share)]
    return _turned(_filter(copies, width, noise, rng), rng)


def _cut_hybrid(ppm: Matrix, width: int, share: float, noise: Noise, rng: np.random.Generator) -> Matrix | None:
    left = ((ppm - 0.25) ** 2).sum(0).cumsum()
    possible = 1 + np.flatnonzero(left >= _LEFT_BY_CUT * left[-1])
    possible = possible[possible <= width // 2]
    if not len(possible):
        return None
    cut = ppm[:, : rng.choice(possible)]
    axis = int(rng.integers(cut.shape[1], width - cut.shape[1] + 1))
    copies = [(cut, axis - cut.shape[1], share), (reverse_complement_motif(cut), axis, 1 - share)]
    return _turned(_filter(copies, width, noise, rng), rng)


def noise_filter(width: int, palindromic: bool, rng: np.random.Generator) -> Matrix:
    """Gaussian weights, symmetric about the centre if palindromic."""
    weights = rng.normal(size=(4, width))
    return weights + reverse_complement_motif(weights) if palindromic else weights


def _starts(ppm: Matrix, width: int) -> NDArray[np.int_]:
    """Where the motif may start in the filter, below 0 or beyond its end too."""
    norms = ((ppm - 0.25) ** 2).sum(0)
    starts = np.arange(-ppm.shape[1] + 1, width)
    kept = np.array([norms[max(0, -s) : width - s].sum() for s in starts])
    return np.asarray(starts[kept >= _KEPT * kept.max()])


def _filter(copies: list[tuple[Matrix, int, float]], width: int, noise: Noise, rng: np.random.Generator) -> Matrix:
    """Copies (ppm, start, share) in one filter."""
    if noise.form == "PPM":
        placed = [(_placed(ppm, start, width, 0.25), share) for ppm, start, share in copies]
        counts = np.sum([_counts(ppm, round(share * noise.n_sites), rng) for ppm, share in placed], axis=0) + 0.25
        return np.asarray(counts / counts.sum(0))
    odds = [(_log_odds(ppm, noise.n_sites, rng), start, share) for ppm, start, share in copies]
    weights = np.sum([share * _placed(weight, start, width, 0.0) for weight, start, share in odds], axis=0)
    weights -= weights.mean(0)
    random = rng.normal(size=weights.shape)
    return np.asarray(weights + noise.level * np.linalg.norm(weights) / np.linalg.norm(random) * random)


def _counts(ppm: Matrix, n_sites: int, rng: np.random.Generator) -> Matrix:
    return rng.multinomial(n_sites, (ppm / ppm.sum(0)).T).T.astype(float)


def _log_odds(ppm: Matrix, n_sites: int, rng: np.random.Generator) -> Matrix:
    counts = _counts(ppm, n_sites, rng) + 0.25
    return np.asarray(np.log2(4 * counts / counts.sum(0)))


def _placed(matrix: Matrix, start: int, width: int, empty: float) -> Matrix:
    placed = np.full((4, width), empty)
    first, last = max(0, start), min(width, start + matrix.shape[1])
    placed[:, first:last] = matrix[:, first - start : last - start]
    return placed


def _turned(matrix: Matrix, rng: np.random.Generator) -> Matrix:
    return reverse_complement_motif(matrix) if rng.random() < 0.5 else matrix
