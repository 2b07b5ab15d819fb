"""What to think of a palindromic filter: its motif is one, it is a hybrid of both strands, or neither can be told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.motifs import MotifSource, load_motifs
from rcinterp.motifs.centring import Filters, filters_by_name, is_dead, mean_center
from rcinterp.palindromes.finding import PALINDROMIC_MOTIF, SYMMETRIC, find_palindromes
from rcinterp.palindromes.templates import Hybrids, Placement, Templates, log_odds

# These, and `SYMMETRIC`, were set on one half of the ENCODE catalogue's families, by
# `python benchmarks/triage.py calibrate`, and measured on the other half (docs/explanation/palindromes.md).
#: Cosine from which a motif or a hybrid explains a filter: reached by the best hybrid in less than 10 % of filters of
#: symmetric noise, which is the easiest to fit.
EXPLAINED = 0.75
#: By how much a hybrid must be better than every single motif: the largest lead that 95 % of the hybrids have.
GAIN = 0.04
#: By how much half a palindrome must be better than every whole motif: the smallest at which at most 1 % of the motifs
#: that are no palindromes are called half-sites.
HALF_GAIN = 0.01
#: Cosine from which a palindromic motif is taken before a hybrid that is better by `GAIN`: of 0.88, 0.90 and 0.92, the
#: largest at which MARE, TGCTGA[CG]TCAGCA, is no hybrid of MAF_disc1 (0.90 against 0.96). 0.4 % of the hybrids are lost
#: by it, of the half that sets thresholds (0.88: 0.65 %; 0.92: 0.15 %).
PALINDROME_FIRST = 0.9
#: Share of the weaker strand below which two strands are no hybrid: less than the hybrids' 30 %, for the noise.
MIN_SHARE = 0.2

# What a catalogue must hold before a class rests on what it lacks; conventions, as there is no sharp limit
# (`python benchmarks/triage.py small`).
#: Fewest motifs: a third of 100 being palindromic, they explain 40 % of the palindromes whose family is not listed; of
#: 50, 31 %. The others are called hybrids, or nothing explains them.
FEWEST_MOTIFS = 100
#: Fewest palindromic ones: by 3 in 100, palindromes whose family is not listed are called hybrids three times as often
#: as palindromes (35 % against 10 %); by 10, still more often (30 % against 22 %).
FEWEST_PALINDROMES = 10

#: Share of a symmetric filter's squared norm that its mean column makes, from which it counts letters, in whatever
#: order: of the 2,067 ENCODE motifs, the hybrid of one with its own RC has as much.
ALIKE_COLUMNS = 0.9

#: Filters that are looked at together: more take more memory, and are no faster.
_AT_ONCE = 32

#: The triage classes.
TRUE_PALINDROME, HYBRID, HALF_SITE, NONE = "true palindrome", "artefact hybrid", "half-site", "none"
NOT_JUDGED, COMPOSITION = "not judged", "composition"


def triage_palindromes(filters: Filters, motifs: "MotifSource | Catalogue" = "encode") -> pd.DataFrame:
    """Whether a palindromic filter found a palindromic motif, or is a hybrid of both strands of a motif that is none.

    Parameters
    ----------
    filters : ndarray or Tensor, shape (F, 4, W), or dict[str, ndarray or Tensor of shape (4, W)]
        Weights of a first layer, or PPMs, of any widths by name, rows A, C, G, T; centred here.
    motifs : "encode", a path, or dict of str to (4, W) PPM
        Known motifs, as in `load_motifs`; or a `Catalogue` of them, which is laid out once for several calls.

    Returns
    -------
    DataFrame, one row a filter in the order given
        - ``filter``: name, ``filter_0``, ``filter_1``, ... in a bank
        - ``triage``: its class, "true palindrome", "artefact hybrid", "half-site", "composition", "none", or
          "not judged"
        - ``triage_motif``: that explains the filter, also one that is no palindrome (class "none"), if one does;
          missing for "not judged" and "composition"
        - ``rc_similarity``, ``rc_axis``: to its own reverse complement (RC), as in `find_palindromes`
        - ``single_similarity``: of the best motif of all, by itself
        - ``palindrome_similarity``: of the best motif that is a palindrome itself
        - ``half_similarity``: of the best half of such a motif
        - ``hybrid_similarity``: of the best hybrid of a motif that is none with its own RC
        - ``weaker_share``: of that hybrid's weaker strand, 0 to 0.5
        - ``single_motif``, ``hybrid_motif``: which they are
        - ``forward_start``, ``reverse_start``: position of the filter, 0-based, where ``triage_motif`` starts, and
          where its RC does; negative where it hangs over. A hybrid has both, and so has a true palindrome that only a
          part of its motif makes.

        Similarities are cosines. What does not exist is missing (a catalogue without palindromes has no half of one).
        A dead filter (the same for all four letters at each position, or not finite) keeps its row: class "none", all
        else missing.

    Raises
    ------
    InputError
        `filters` is neither of the two kinds, or the motifs cannot be read.

    Notes
    -----
    With f the filter and g the motif's centred log2-odds, cut to the filter's window and both of norm 1, a single motif
    at position s scores f · g[s]. A motif may hang over while three quarters of its squared norm, or of the most that
    the window holds of it, lie within. A hybrid has the motif at s and its RC r at t, mirrored about the filter's own
    axis (to half a position); with c = f · g[s], d = f · r[t] and q = g[s] · r[t], least squares gives ::

        f ~ a g[s] + b r[t],    a = (c - q d) / (1 - q²),    b = (d - q c) / (1 - q²),    cosine² = a c + b d,

    and it counts if a and b are positive, the smaller at least `MIN_SHARE` of a + b. All positions are tried of all
    motifs in both orientations. Then, with the module's constants, the first that holds:

    - composition: the filter is `SYMMETRIC`, and its mean column makes `ALIKE_COLUMNS` of its squared norm: it counts G
      and C, or A and T, in whatever order, and is its own RC for that reason alone;
    - true palindrome: the filter is symmetric, and a palindromic motif has a cosine of `PALINDROME_FIRST` with it,
      less than `GAIN` behind the best single motif;
    - artefact hybrid: the filter is symmetric, its best hybrid has `EXPLAINED` it and is better by `GAIN` than every
      single motif. If g[s] and r[t] are alike themselves (q of `PALINDROMIC_MOTIF`), the motif is a palindrome where
      the filter lies on it, and the filter is a true palindrome, named after that motif;
    - true palindrome: the filter is symmetric, and a palindromic motif has explained it, less than `GAIN` behind the
      best single motif;
    - half-site: a half of a palindromic motif has explained the filter, better by `HALF_GAIN` than every whole motif;
    - none: all else. If it is symmetric and has no motif, it is a palindrome that nothing here explains.

    The class is relative to the catalogue: where it lacks the filter's motif, and all like it, classes are worse
    (docs/explanation/palindromes.md has the numbers). A catalogue of fewer than `FEWEST_MOTIFS` motifs, or with
    fewer than `FEWEST_PALINDROMES` palindromic ones, cannot tell a hybrid from a palindrome that it lacks: "not judged"
    then stands in place of "artefact hybrid", and of "none" for a symmetric filter that no motif explains.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 2.2.2 and figure 5: filters of models without RC weights that are
    hybrids of CTCF and its RC.

    Examples
    --------
    >>> import numpy as np
    >>> from rcinterp.motifs import load_motifs, reverse_complement_motif
    >>> ctcf = load_motifs("encode")["CTCF_known1"]
    >>> found = triage_palindromes({"CTCF": ctcf, "hybrid": ctcf + reverse_complement_motif(ctcf)})
    >>> found[["filter", "triage", "triage_motif"]].values.tolist()
    [['CTCF', 'none', 'CTCF_known1'], ['hybrid', 'artefact hybrid', 'CTCF_known1']]
    """
    matrices = filters_by_name(filters, caller="triage_palindromes")
    if isinstance(motifs, Catalogue):
        catalogue = motifs
    else:
        catalogue = _encode() if isinstance(motifs, str) and motifs == "encode" else Catalogue(motifs)
    own = find_palindromes({str(i): matrix for i, matrix in enumerate(matrices.values())}, n_permutations=1)
    given = list(zip(matrices.items(), own["rc_similarity"], own["rc_axis"], own["rc_shift"], strict=True))
    small = catalogue.is_small()
    alive = {name: (matrix, int(shift)) for (name, matrix), _, _, shift in given if not is_dead(matrix)}
    evidence = dict(zip(alive, catalogue.evidence_of_all(list(alive.values())), strict=True))
    rows = {
        name: {
            "filter": name,
            **classify(similarity, evidence.get(name, {}), catalogue.names, small, share_of_mean_column(matrix)),
            "rc_axis": axis,
        }
        for (name, matrix), similarity, axis, _ in given
    }
    table = pd.DataFrame([rows[name] for name in matrices])
    return table[_COLUMNS].astype({"forward_start": "Int64", "reverse_start": "Int64"})


_COLUMNS = [
    "filter",
    "triage",
    "triage_motif",
    "rc_similarity",
    "rc_axis",
    "single_similarity",
    "palindrome_similarity",
    "half_similarity",
    "hybrid_similarity",
    "weaker_share",
    "single_motif",
    "hybrid_motif",
    "forward_start",
    "reverse_start",
]


def share_of_mean_column(matrix: NDArray[np.float64]) -> float:
    """Share of a centred filter's squared norm that its mean column makes; 0 for a dead filter."""
    centred = mean_center(matrix).weight
    norm = float((centred**2).sum())
    return centred.shape[1] * float((centred.mean(1) ** 2).sum()) / norm if norm > 0 and np.isfinite(norm) else 0.0


def classify(
    similarity: float,
    evidence: Mapping[str, Placement | None],
    names: list[str],
    small: bool,
    share_of_mean: float = 0.0,
) -> dict[str, Any]:
    """A row of the table, from what `Catalogue.evidence` and `is_small` say, and from a filter's own numbers.

    These are its similarity to its own RC, and its `share_of_mean_column`.
    """
    of = {kind: evidence.get(kind) for kind in ("single", "palindrome", "half", "hybrid")}
    cosine = {kind: np.nan if placed is None else placed.similarity for kind, placed in of.items()}
    alike = 0.0 if of["hybrid"] is None else of["hybrid"].alike
    counts_letters = similarity >= SYMMETRIC and share_of_mean >= ALIKE_COLUMNS
    triage, explained_by = (COMPOSITION, None) if counts_letters else _decide(similarity, cosine, alike, small)
    motif = of[explained_by] if explained_by else None
    named = {f"{kind}_motif": None if (p := of[kind]) is None else names[p.motif] for kind in ("single", "hybrid")}
    return {
        "triage": triage,
        "triage_motif": None if motif is None else names[motif.motif],
        "rc_similarity": similarity,
        **{f"{kind}_similarity": value for kind, value in cosine.items()},
        "weaker_share": np.nan if of["hybrid"] is None else of["hybrid"].share,
        **named,
        "forward_start": None if motif is None else motif.forward,
        "reverse_start": None if motif is None else motif.reverse,
    }


def _decide(similarity: float, cosine: Mapping[str, float], alike: float, small: bool) -> tuple[str, str | None]:
    """The class, and which of the four explains the filter. NaN compares as false.

    Parameters
    ----------
    similarity : float
        Of the filter to its own RC.
    cosine : mapping of str to float
        Of the best single motif, palindrome, half and hybrid.
    alike : float
        Cosine of both strands of the hybrid.
    small : bool
        Whether the catalogue is too small to tell a hybrid from a palindrome that it lacks.
    """
    symmetric = similarity >= SYMMETRIC
    single, palindrome, hybrid = cosine["single"], cosine["palindrome"], cosine["hybrid"]
    is_palindrome = symmetric and palindrome >= EXPLAINED and not single >= palindrome + GAIN
    if is_palindrome and palindrome >= PALINDROME_FIRST:
        return TRUE_PALINDROME, "palindrome"
    if symmetric and hybrid >= EXPLAINED and hybrid >= single + GAIN:
        if alike >= PALINDROMIC_MOTIF:
            return TRUE_PALINDROME, "hybrid"
        return (NOT_JUDGED, None) if small else (HYBRID, "hybrid")
    if is_palindrome:
        return TRUE_PALINDROME, "palindrome"
    if cosine["half"] >= EXPLAINED and cosine["half"] >= single + HALF_GAIN:
        return HALF_SITE, "half"
    if single >= EXPLAINED:
        return NONE, "single"
    return NOT_JUDGED if symmetric and small else NONE, None


class Catalogue:
    """Known motifs, ready to be laid on filters.

    Parameters
    ----------
    motifs : "encode", a path, or dict of str to (4, W) PPM
        As in `load_motifs`.
    """

    def __init__(self, motifs: MotifSource) -> None:
        ppms = load_motifs(motifs)
        self.names = list(ppms)
        self._weights = [log_odds(ppm) for ppm in ppms.values()]
        own = find_palindromes(ppms, n_permutations=1)
        #: Whether each motif is a palindrome.
        self.palindromic = (own["rc_similarity"] >= PALINDROMIC_MOTIF).to_numpy()
        palindromes = np.flatnonzero(self.palindromic)
        self._half_of = np.repeat(palindromes, 2)
        self._halves = [half for m in palindromes for half in _halves(self._weights[m], own["rc_axis"].iloc[m])]
        self._of_width: dict[int, tuple[Templates, Hybrids, Templates]] = {}

    def evidence(
        self, matrix: NDArray[np.float64], shift: int, left_out: NDArray[np.bool_] | None = None
    ) -> dict[str, Placement | None]:
        """The best single motif, palindromic motif, half of one, and hybrid of a motif that is none, on one filter.

        Parameters
        ----------
        matrix : ndarray, shape (4, W)
        shift : int
            Of its RC on itself, as in `find_palindromes`.
        left_out : ndarray of bool, optional
            Motifs that are not looked at.
        """
        return self._evidence([(matrix, shift)], left_out)[0]

    def evidence_of_all(self, filters: Sequence[tuple[NDArray[np.float64], int]]) -> list[dict[str, Placement | None]]:
        """The same of several filters, each with its shift; those of a width together, which is faster."""
        found: dict[int, dict[str, Placement | None]] = {}
        width = {index: matrix.shape[1] for index, (matrix, _) in enumerate(filters)}
        for _, same in groupby(sorted(width, key=lambda index: width[index]), key=lambda index: width[index]):
            indices = list(same)
            for first in range(0, len(indices), _AT_ONCE):
                some = indices[first : first + _AT_ONCE]
                found |= zip(some, self._evidence([filters[index] for index in some]), strict=True)
        return [found[index] for index in range(len(filters))]

    def _evidence(
        self, filters: Sequence[tuple[NDArray[np.float64], int]], left_out: NDArray[np.bool_] | None = None
    ) -> list[dict[str, Placement | None]]:
        """Of filters of one width."""
        templates, hybrids, halves = self._laid_out(filters[0][0].shape[1])
        allowed = np.ones(len(self.names), dtype=bool) if left_out is None else ~left_out
        centred = np.stack([mean_center(matrix).weight for matrix, _ in filters])
        cosines = templates.cosines_of_all(centred)
        single = templates.best_of_all(cosines, allowed)
        palindrome = templates.best_of_all(cosines, allowed & self.palindromic)
        half = halves.best_of_all(halves.cosines_of_all(centred), allowed[self._half_of])
        # Hybrids hold no palindromes; where nothing is left out, it need not be looked up which motifs are allowed.
        kept = allowed if left_out is None else allowed & ~self.palindromic
        return [
            {
                "single": single[i],
                "palindrome": palindrome[i],
                "half": (found := half[i]) and replace(found, motif=int(self._half_of[found.motif])),
                "hybrid": hybrids.best((cosines[0][i], cosines[1][i]), shift, MIN_SHARE, kept),
            }
            for i, (_, shift) in enumerate(filters)
        ]

    def is_small(self, left_out: NDArray[np.bool_] | None = None) -> bool:
        """Whether so few motifs, or palindromic ones, are left that a lack of one says nothing."""
        left = np.ones(len(self.names), dtype=bool) if left_out is None else ~left_out
        return bool(left.sum() < FEWEST_MOTIFS or (left & self.palindromic).sum() < FEWEST_PALINDROMES)

    def _laid_out(self, width: int) -> tuple[Templates, Hybrids, Templates]:
        if width not in self._of_width:
            self._of_width.clear()  # a width takes some 100 MB
            templates = Templates(self._weights, width)
            hybrids = Hybrids(templates, np.flatnonzero(~self.palindromic))
            self._of_width[width] = templates, hybrids, Templates(self._halves, width)
        return self._of_width[width]


@lru_cache(maxsize=1)
def _encode() -> Catalogue:
    """The ENCODE catalogue, laid out once a process."""
    return Catalogue("encode")


def _halves(motif: NDArray[np.float64], axis: float) -> list[NDArray[np.float64]]:
    """Left and right of the axis; a position on it belongs to both."""
    return [motif[:, : int(np.floor(axis)) + 1], motif[:, int(np.ceil(axis)) :]]
