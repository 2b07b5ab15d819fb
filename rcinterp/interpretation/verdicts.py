"""What there is to say of a filter, in words, from the row of its numbers; the thresholds stand here."""

from collections.abc import Mapping
from typing import Any

from rcinterp.palindromes.triage import HALF_SITE, HYBRID, TRUE_PALINDROME

#: A filter is called a palindrome above this similarity to its own reverse complement; 30 % of the ENCODE motifs are.
PALINDROME_SIMILARITY = 0.8
#: A match is named below this q-value. Basset took 0.1, at which filters of little information match noise.
MATCH_Q_VALUE = 0.01
#: Bits by which a filter's best sites in its own class must exceed those in the other class before they are compared
#: with known motifs. The best sites of a filter that has learned nothing still resemble the filter, in both alike
#: (docs/motifs.md).
MIN_GAIN = 2.0
#: A filter whose score is smaller than this share of the largest is called negligible.
NEGLIGIBLE_SHARE = 0.05
#: A score is called significant up to this q-value.
SCORE_Q_VALUE = 0.05


def refusal(n_sites: float | None, information: float, other_information: float) -> str | None:
    """Why a filter's motif is not compared with known ones; None if it is.

    Parameters
    ----------
    n_sites : float or None
        None for a motif made of weights alone, which is always compared.
    information, other_information : float
        Bits of its sites in its own and in the other class.
    """
    if n_sites is None:
        return None
    if n_sites == 0:
        return "no site scores above 0 (a dead filter)"
    if information - other_information < MIN_GAIN:
        return (
            f"its best sites hold {information:.1f} bits, hardly more than those in the other class "
            f"({other_information:.1f})"
        )
    return None


def verdict(row: Mapping[Any, Any], largest: float, refused: str | None) -> str:
    """Judge a row of `Interpretation.table`.

    Parameters
    ----------
    row : mapping
        Column to value.
    largest : float
        Absolute score of the filter that contributes most.
    refused : str or None
        Why it was not compared with known motifs.
    """
    if row["mean_positive"] == 0 and row["mean_negative"] == 0:
        return "dead: contributes nothing on these sequences"
    said = []
    if abs(row["score"]) < NEGLIGIBLE_SHARE * largest:
        said.append("negligible contribution")
    elif not row["score_q"] <= SCORE_Q_VALUE:
        said.append(f"contribution not significant (q = {row['score_q']:.2g})")
    elif row["sites_in"] == "negatives" and not refused:
        said.append("a motif of the negatives")
    is_named = not refused and row["q_value"] <= MATCH_Q_VALUE
    if refused:
        said.append(f"no p-value: {refused}")
    else:
        said.append(f"resembles {row['best_match']}" if is_named else "no known motif")
    said += _symmetry(row, is_named)
    return "; ".join(said)


def _symmetry(row: Mapping[Any, Any], is_named: bool) -> list[str]:
    """Judge the symmetry of a filter, its triage first."""
    if row["triage"] == HYBRID:
        return [f"artefact: a hybrid of both strands of {row['triage_motif']}"]
    if row["triage"] == TRUE_PALINDROME:
        return [f"palindromic, as {row['triage_motif']} is"]
    if row["triage"] == HALF_SITE:
        return [f"half of the palindrome {row['triage_motif']}"]
    if not row["similarity"] >= PALINDROME_SIMILARITY:
        return []
    known_palindrome = is_named and row["match_similarity"] >= PALINDROME_SIMILARITY
    return ["palindromic, as that motif is" if known_palindrome else "palindromic: perhaps an artefact"]
