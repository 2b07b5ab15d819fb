"""What there is to say of a filter: verdicts as data, from the row of its numbers; they are put in words here alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from rcinterp.comparison import MAX_QUERY_WIDTH
from rcinterp.motifs.groups import name_in_full
from rcinterp.palindromes.finding import PALINDROMIC_FILTER
from rcinterp.palindromes.triage import COMPOSITION, HALF_SITE, HYBRID, NOT_JUDGED, TRUE_PALINDROME
from rcinterp.reading.contributions import ACTIVE_SHARE

#: A match is named below this q-value. Basset took 0.1, at which filters of little information match noise.
MATCH_Q_VALUE = 0.01
#: A filter's motif is compared with known ones if it has at least so many sites,
MIN_SITES = 20
#: and if so many more sequences of its own class have one has at most this p-value. The best sites of a filter that has
#: learned nothing still resemble the filter, in both classes alike (docs/explanation/motifs.md).
SITES_P_VALUE = 1e-3
#: Area under the ROC curve below which the model calls the negatives positive, and no filter speaks for either.
LEAST_AUROC = 0.4
#: A match is named if at most this share of the copies of the motif with shuffled columns is as similar to any known
#: motif: composition alone is no name.
SHUFFLED_P_VALUE = 0.02
#: A filter whose contribution is smaller than this share of the largest is called negligible.
NEGLIGIBLE_SHARE = 0.05
#: A contribution is called significant up to this q-value.
CONTRIBUTION_Q_VALUE = 0.05

#: The thresholds that pages explain.
LIMITS = {
    "palindrome": PALINDROMIC_FILTER,
    "match_q": MATCH_Q_VALUE,
    "min_sites": MIN_SITES,
    "sites_p": SITES_P_VALUE,
    "shuffled_p": SHUFFLED_P_VALUE,
    "contribution_q": CONTRIBUTION_Q_VALUE,
    "negligible": NEGLIGIBLE_SHARE,
    "active": ACTIVE_SHARE,
}

#: What a verdict says. The first four are of the contribution, the next four of the motif, the rest of the symmetry.
Kind = Literal[
    "dead",
    "negligible",
    "not significant",
    "motif of the negatives",
    "known motif",
    "no known motif",
    "composition",
    "not compared",
    "artefact hybrid",
    "true palindrome",
    "half-site",
    "palindrome, as its match",
    "unexplained palindrome",
    "palindrome, not judged",
    "counts letters",
]

#: Why a filter's motif was not compared with known ones.
NO_SITE, FEW_SITES, NOT_ENRICHED, TOO_WIDE = "no site", "few sites", "in both classes", "too wide"
WRONG_WAY_ROUND = "wrong way round"

_WORDS: dict[str, str] = {
    "dead": "dead: contributes nothing on these sequences",
    "negligible": "negligible contribution",
    "not significant": "contribution not significant ({reason})",
    "motif of the negatives": "a motif of the negatives",
    "known motif": "resembles {motif}",
    "no known motif": "no known motif",
    "composition": "no known motif: like {motif}, but so are its columns in other orders",
    "not compared": "no p-value: {reason}",
    "artefact hybrid": "artefact: a hybrid of both strands of {motif}",
    "true palindrome": "palindromic, as {motif} is",
    "half-site": "half of the palindrome {motif}",
    "palindrome, as its match": "palindromic, as that motif is",
    "unexplained palindrome": "palindromic: perhaps an artefact",
    "counts letters": "counts letters in whatever order: composition, and no palindrome",
    "palindrome, not judged": "palindromic; so few known motifs cannot tell whether it is an artefact",
}


@dataclass(frozen=True)
class Verdict:
    """One thing that there is to say of a filter, or of a pattern of several models.

    Attributes
    ----------
    kind : str
        One of `Kind`.
    motif : str or None
        The known motif that it names.
    reason : str or None
        What it rests on, where the kind alone does not say it.
    """

    kind: Kind
    motif: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        """Put it in words."""
        return _WORDS[self.kind].format(motif=self.motif, reason=self.reason)


def in_words(verdicts: Sequence[Verdict]) -> str:
    """The sentence for page, table and terminal."""
    return "; ".join(map(str, verdicts))


def refuse(n_sites: float | None, sites_p: float, width: int, auroc: float = 1.0) -> str | None:
    """Why a filter's motif is not compared with known ones; None if it is.

    Parameters
    ----------
    n_sites : float or None
        None for a motif made of weights alone, which is compared if it is not too wide.
    sites_p : float
        Of so many more sites in the filter's own class than in the other one.
    width : int
        Of the motif, in bp.
    auroc : float
        Of the model on these classes.

    Returns
    -------
    "no site", "wrong way round", "few sites", "in both classes", "too wide", or None
    """
    if n_sites == 0:
        return NO_SITE
    if n_sites is not None and auroc < LEAST_AUROC:
        return WRONG_WAY_ROUND
    if n_sites is not None and n_sites < MIN_SITES:
        return FEW_SITES
    if n_sites is not None and not sites_p <= SITES_P_VALUE:
        return NOT_ENRICHED
    return TOO_WIDE if width > MAX_QUERY_WIDTH else None


def judge(row: Mapping[Any, Any], largest: float) -> tuple[Verdict, ...]:
    """Judge a row of `Interpretation.table`: its contribution, its motif, its symmetry.

    Parameters
    ----------
    row : mapping
        Column to value.
    largest : float
        Absolute contribution of the filter that contributes most.
    """
    if row["mean_positive"] == 0 and row["mean_negative"] == 0:
        return (Verdict("dead"),)
    match = judge_match(row)
    return (*_judge_contribution(row, largest), match, *_judge_symmetry(row, match.kind == "known motif"))


def judge_match(row: Mapping[Any, Any]) -> Verdict:
    """Judge which motif it is, from the columns of its match, and those that a refusal rests on."""
    if not pd.isna(row["refused"]):
        return Verdict("not compared", reason=_explain(row))
    if not row["match_q"] <= MATCH_Q_VALUE:
        return Verdict("no known motif")
    if not row["match_shuffled_p"] <= SHUFFLED_P_VALUE:
        return Verdict("composition", row["best_match"])
    return Verdict("known motif", name_in_full(row["best_match"], row["match_factor"], row["match_known"]))


def _explain(row: Mapping[Any, Any]) -> str:
    """Why a motif was refused, with the numbers."""
    if row["refused"] == NO_SITE:
        return "it has no site"
    if row["refused"] == WRONG_WAY_ROUND:
        return "the model calls the negatives positive, so that its sites speak for neither class"
    if row["refused"] == FEW_SITES:
        return f"{row['n_sites']:.0f} sites, fewer than {MIN_SITES}"
    if row["refused"] == NOT_ENRICHED:
        other = "negatives" if row["sites_in"] == "positives" else "positives"
        return (
            f"{row['n_sites']:.0f} of the {row['sites_in']} have a site and {row['n_other_sites']:.0f} of the {other}, "
            f"perhaps by chance (p = {row['sites_p']:.2g})"
        )
    if row["refused"] == TOO_WIDE:
        return f"its motif is more than {MAX_QUERY_WIDTH} bp wide"
    return str(row["refused"])


def _judge_contribution(row: Mapping[Any, Any], largest: float) -> list[Verdict]:
    if abs(row["contribution"]) < NEGLIGIBLE_SHARE * largest:
        return [Verdict("negligible")]
    if not row["contribution_q"] <= CONTRIBUTION_Q_VALUE:
        return [Verdict("not significant", reason=f"q = {row['contribution_q']:.2g}")]
    if row["sites_in"] == "negatives" and pd.isna(row["refused"]):
        return [Verdict("motif of the negatives")]
    return []


def _judge_symmetry(row: Mapping[Any, Any], is_named: bool) -> list[Verdict]:
    """Judge the symmetry of a filter, its triage first."""
    if row["triage"] in (HYBRID, TRUE_PALINDROME, HALF_SITE):
        return [Verdict(row["triage"], row["triage_motif"])]
    if row["triage"] == COMPOSITION:
        return [Verdict("counts letters")]
    if row["triage"] == NOT_JUDGED:
        return [Verdict("palindrome, not judged")]
    if not row["rc_similarity"] >= PALINDROMIC_FILTER:
        return []
    is_known = is_named and row["match_rc_similarity"] >= PALINDROMIC_FILTER
    return [Verdict("palindrome, as its match" if is_known else "unexplained palindrome")]


def describe_below_chance(auroc: float, n_outputs: int = 1, target: int = 0) -> str:
    """The sentence on a model that ranks negatives above positives by this one of its outputs."""
    outputs = describe_outputs(n_outputs, target)
    return f"auROC {auroc:.4f} is below chance; {outputs}are positives and negatives the right way round?"


def describe_outputs(n_outputs: int, target: int) -> str:
    """Which of several outputs was read, as the beginning of what else may be wrong; nothing of a single one."""
    if n_outputs == 1:
        return ""
    return (
        f"the model has {n_outputs} outputs, of which output {target} was read; name another by target (--target on "
        "the command line), or "
    )
