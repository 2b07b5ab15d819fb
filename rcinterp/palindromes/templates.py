"""Known motifs laid on a filter: alone, by their halves, and with their own reverse complement (RC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rcinterp.motifs.centring import mean_center

Matrix = NDArray[np.float64]

#: A motif may hang over the filter's end if this share of its squared norm, or of the most that the filter can hold of
#: it, still lies within.
KEPT = 0.75
#: Two copies closer than this (cosine), or so nearly opposite, are one, and their shares cannot be told.
_SAME = 0.95
#: Cosines that differ by less are a tie: a palindrome lies on both strands alike, and is reported on the forward one.
_TIE = 1e-9
#: By as much, rounding makes cosines of equal templates differ; the first of them is taken.
_ROUNDING = 1e-14
#: Added to probabilities before their logarithm is taken.
_PSEUDOCOUNT = 0.01


@dataclass(frozen=True)
class Placement:
    """A motif on a filter.

    Attributes
    ----------
    motif : int
        Its number in the catalogue.
    similarity : float
        Cosine with the filter, of the part within it.
    forward, reverse : int or None
        Position of the filter, 0-based, where the motif starts, and where its RC does; below 0 if it hangs over.
    share : float
        Of the weaker strand, 0 to 0.5.
    alike : float
        Of a hybrid: cosine of what of the motif lies in the filter with what of its RC does. Where it is high, the
        motif is a palindrome there, be it one as a whole or not. 0 of a single motif.
    """

    motif: int
    similarity: float
    forward: int | None
    reverse: int | None
    share: float = 0.0
    alike: float = 0.0


def log_odds(ppm: Matrix) -> Matrix:
    """Centred log2-odds of a PPM, (4, V): what the weights of a filter that has learned it are, up to a factor."""
    return np.asarray(mean_center(np.log2(ppm + _PSEUDOCOUNT)).weight)


#: Cosines of every template, and of its RC, with one filter, (T,) each, or with several, (F, T) each.
Cosines: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


class Templates:
    """Every motif at every position of a filter of one width.

    Parameters
    ----------
    motifs : sequence of ndarray, shape (4, V)
        Centred; numbered in this order. One that prefers no letter fits nowhere.
    width : int
        Of the filter.

    Attributes
    ----------
    rows : (T, 4 * width)
        What lies in the filter, flat and of norm 1; reversed, it is that of the RC, laid from the filter's other end.
    motif : (T,)
        Number of the motif of each template.
    starts : (2, T)
        Position of the filter where the template's motif starts, and where its RC does when it is reversed.
    """

    def __init__(self, motifs: Sequence[Matrix], width: int) -> None:
        placed = [(np.zeros(0, dtype=np.intp), np.zeros((0, 4 * width))), *(_place(motif, width) for motif in motifs)]
        counts = np.array([len(starts) for starts, _ in placed[1:]], dtype=np.intp)
        lengths = np.array([motif.shape[1] for motif in motifs], dtype=np.intp)
        start = np.concatenate([starts for starts, _ in placed])
        self.rows = np.concatenate([rows for _, rows in placed])
        self.motif = np.repeat(np.arange(len(motifs)), counts)
        self.starts = np.stack([start, width - lengths[self.motif] - start])

    def cosines(self, centred: Matrix) -> Cosines:
        """Of every template, and of its RC, with a filter (4, width) that is not dead."""
        forward, reverse = self.cosines_of_all(centred[None])
        return forward[0], reverse[0]

    def cosines_of_all(self, centred: Matrix) -> Cosines:
        """The same of several filters (F, 4, width) at once, (F, T) each: one product takes a third of the time."""
        flat = centred.reshape(len(centred), -1)
        scaled = flat / np.linalg.norm(flat, axis=1, keepdims=True)
        forward, reverse = np.split(np.concatenate([scaled, scaled[:, ::-1]]) @ self.rows.T, 2)
        return forward, reverse

    def best(self, cosines: Cosines, allowed: NDArray[np.bool_]) -> Placement | None:
        """The most similar placement of one of the motifs allowed; None if there is none."""
        return self.best_of_all((cosines[0][None], cosines[1][None]), allowed)[0]

    def best_of_all(self, cosines: Cosines, allowed: NDArray[np.bool_]) -> list[Placement | None]:
        """The same for each of several filters, whose cosines are (F, T) each."""
        chosen = np.flatnonzero(allowed[self.motif])
        if not chosen.size:
            return [None] * len(cosines[0])
        if chosen.size < len(self.motif):
            cosines = cosines[0][:, chosen], cosines[1][:, chosen]
        most = np.stack([of.max(axis=1) for of in cosines], axis=1)
        strands = (most[:, 1] > most[:, 0] + _TIE).astype(int)
        placements: list[Placement | None] = []
        for index, strand in enumerate(strands):
            similarity = most[index, strand]
            t = int(chosen[(cosines[strand][index] >= similarity - _ROUNDING).argmax()])
            start = int(self.starts[strand, t])
            where = (None, start) if strand else (start, None)
            placements.append(Placement(int(self.motif[t]), float(similarity), *where))
        return placements


class Hybrids:
    """Every pair of a motif with its own RC on a filter of one width.

    Parameters
    ----------
    templates : Templates
    motifs : ndarray of int
        Numbers of the motifs to pair.
    """

    def __init__(self, templates: Templates, motifs: NDArray[np.intp]) -> None:
        none = np.zeros(0, dtype=np.intp)
        pairs = [(none, none, np.zeros(0)), *(_pair(templates, motif) for motif in motifs)]
        forward, reverse, cosine = (np.concatenate(part) for part in zip(*pairs, strict=True))
        shift = templates.starts[0, forward] - templates.starts[0, reverse]
        order = np.argsort(shift, kind="stable")
        order = order[np.abs(cosine[order]) < _SAME]
        self._templates, self._shift = templates, shift[order]
        self._forward, self._reverse, self._cosine = forward[order], reverse[order], cosine[order]
        self._motif, self._rest = templates.motif[self._forward], 1 - self._cosine**2

    def best(
        self,
        cosines: Cosines,
        shift: int,
        min_share: float,
        allowed: NDArray[np.bool_],
    ) -> Placement | None:
        """The pair that explains most of the filter, of those symmetric about its axis to half a position.

        Parameters
        ----------
        cosines : as `Templates.cosines` returns them
        shift : int
            Of the filter's RC on itself, as in `find_palindromes`.
        min_share : float
            Of the weaker strand.
        allowed : ndarray of bool
            By number of the motif.

        Returns
        -------
        Placement or None
            None if no pair has so large a share of either strand.
        """
        at = slice(*np.searchsorted(self._shift, [shift - 1, shift + 2]))
        forward, reverse, between = self._forward[at], self._reverse[at], self._cosine[at]
        c, d = np.take(cosines[0], forward), np.take(cosines[1], reverse)
        a, b = c - between * d, d - between * c  # the coefficients of both strands, times 1 - between**2
        weaker, total = np.minimum(a, b), a + b
        motif, (starts, reverse_starts) = self._motif[at], self._templates.starts
        fits = (weaker > 0) & (weaker >= min_share * total)
        if not allowed.all():
            fits &= allowed[motif]
        if not fits.any():
            return None
        explained = (c * a + d * b) / self._rest[at]
        best = int(np.where(fits, explained, -1.0).argmax())
        explained = explained[best]
        return Placement(
            int(motif[best]),
            float(np.sqrt(min(explained, 1.0))),
            int(starts[forward[best]]),
            int(reverse_starts[reverse[best]]),
            float(weaker[best] / total[best]),
            float(between[best]),
        )


def _pair(templates: Templates, motif: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Every template of a motif with every one of its RC: numbers of both, and their cosine."""
    numbers = np.arange(*np.searchsorted(templates.motif, [motif, motif + 1]))
    rows = templates.rows[numbers]
    forward, reverse = np.meshgrid(numbers, numbers, indexing="ij")
    return forward.ravel(), reverse.ravel(), (rows @ rows[:, ::-1].T).ravel()


def _place(motif: Matrix, width: int) -> tuple[NDArray[np.intp], Matrix]:
    """Starts at which most of the motif lies in the filter, and what lies in it there, flat and of norm 1."""
    padded = np.zeros((4, motif.shape[1] + 2 * (width - 1)))
    padded[:, width - 1 : width - 1 + motif.shape[1]] = motif
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).transpose(1, 0, 2)
    norms = (windows**2).sum((1, 2))
    kept = np.flatnonzero((norms >= KEPT * norms.max()) & (norms > 0))
    rows = windows[kept].reshape(len(kept), 4 * width) / np.sqrt(norms[kept])[:, None]
    return width - 1 - kept, rows
