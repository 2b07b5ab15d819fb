"""The answer in a few sentences, and the order in which a person looks at filters."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rcinterp.interpretation.verdicts import CONTRIBUTION_Q_VALUE, LEAST_AUROC, NEGLIGIBLE_SHARE
from rcinterp.motifs.groups import name_families
from rcinterp.palindromes.triage import HYBRID

#: A filter shows a whole motif if at least this share of the known motif's information lies under its own.
WHOLE_SHARE = 0.8

#: Kinds of verdict of filters that contribute nothing, or next to nothing.
IDLE = ("dead", "negligible")

#: The word that stands for a verdict, the first kind that the verdict has, and how it is coloured.
_WORDS = (
    ("dead", "dead", "faint"),
    ("negligible", "negligible", "faint"),
    ("not significant", "not significant", "faint"),
    ("artefact hybrid", "artefact", "bad"),
    ("unexplained palindrome", "artefact?", "warn"),
    ("palindrome, not judged", "palindrome?", "warn"),
    ("known motif", "known motif", "good"),
    ("composition", "composition", "warn"),
    ("counts letters", "composition", "warn"),
    ("not compared", "not compared", "plain"),
    ("no known motif", "unknown motif", "plain"),
)

#: What is said of one filter with such a word, and of several.
_OTHERWISE = {
    "artefact": ("is an artefact", "are artefacts"),
    "artefact?": ("is perhaps an artefact", "are perhaps artefacts"),
    "palindrome?": ("is a palindrome that cannot be judged", "are palindromes that cannot be judged"),
    "composition": ("is composition", "are composition"),
    "unknown motif": ("is no known motif", "are no known motifs"),
    "not compared": ("was not compared with known motifs", "were not compared with known motifs"),
}

_NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


@dataclass(frozen=True)
class Group:
    """Filters that stand together.

    Attributes
    ----------
    name : str
        The factor whose motif they show; empty where none is named.
    rows : list of dict
        Of the table, the largest contribution, whatever its sign, first.
    is_idle : bool
        Whether they contribute nothing, or next to nothing.
    """

    name: str
    rows: list[dict[Hashable, Any]]
    is_idle: bool = False

    @property
    def contribution(self) -> float:
        """Of all its filters together."""
        return float(sum(row["contribution"] for row in self.rows))


def kinds_of(row: Mapping[Any, Any]) -> list[str]:
    """Kinds of a row's verdict."""
    return str(row["verdict_kinds"]).split("; ")


def word_of(row: Mapping[Any, Any]) -> tuple[str, str]:
    """The word that stands for a row's verdict, and its tone: "good", "warn", "bad", "plain" or "faint"."""
    kinds = kinds_of(row)
    for kind, word, tone in _WORDS:
        if kind in kinds:
            return (factor_of(row) if kind == "known motif" else word), tone
    return kinds[0], "plain"


def factor_of(row: Mapping[Any, Any]) -> str:
    """Whose motif a row shows, or is a hybrid of; empty if none is named."""
    if "known motif" in kinds_of(row):
        factor = row["match_factor"]
        return str(factor) if isinstance(factor, str) else _family(row["best_match"])
    return _family(row["triage_motif"]) if row["triage"] == HYBRID else ""


def arrange(table: pd.DataFrame) -> list[Group]:
    """Filters by the motif that they show, the group that contributes most first, idle filters last."""
    rows = sorted(table.to_dict("records"), key=lambda row: -abs(row["contribution"]))
    idle = [row for row in rows if is_idle(row)]
    groups: dict[str, list[dict[Hashable, Any]]] = {}
    for row in rows:
        if not is_idle(row):
            groups.setdefault(factor_of(row), []).append(row)
    unnamed = groups.pop("", [])
    named = [Group(name, members) for name, members in groups.items()]
    named.sort(key=lambda group: -sum(abs(row["contribution"]) for row in group.rows))
    rest = [Group("", unnamed)] if unnamed else []
    return [*named, *rest, *([Group("", idle, is_idle=True)] if idle else [])]


def is_idle(row: Mapping[Any, Any]) -> bool:
    """Whether a filter contributes nothing, or next to nothing."""
    return any(kind in IDLE for kind in kinds_of(row))


def carries(row: Mapping[Any, Any]) -> bool:
    """Whether a filter carries the prediction: it contributes, and significantly."""
    return not is_idle(row) and "not significant" not in kinds_of(row)


def answer(table: pd.DataFrame, auroc: float, outputs: str = "") -> str:
    """The answer in a few sentences: how many filters carry the prediction, what they show, and what is an artefact.

    Parameters
    ----------
    table : DataFrame
        As `Interpretation.table`.
    auroc : float
        Of the model on these sequences.
    outputs : str
        What `rcinterp.interpretation.verdicts.describe_outputs` says of it.
    """
    rows = [row for row in table.to_dict("records") if carries(row)]
    said = []
    if auroc < LEAST_AUROC:
        said.append(
            f"The model calls the negatives positive (auROC {auroc:.2f}); {outputs}are both classes the right way "
            "round?"
        )
    if not rows:
        return " ".join(
            [
                *said,
                f"None of the {_count(len(table), 'filter')} carries the prediction: no contribution is significant "
                f"(q of at most {CONTRIBUTION_Q_VALUE:g}) and at least {100 * NEGLIGIBLE_SHARE:g} % of the largest.",
            ]
        )
    verb = "carries" if len(rows) == 1 else "carry"
    how_many = f"{_number(len(rows))} of {_count(len(table), 'filter')} {verb} the prediction"
    if len(rows) == len(table):
        how_many = f"all {_count(len(table), 'filter')} carry the prediction"
    if len(table) == 1:
        how_many = "the filter carries the prediction"
    said.append(f"{how_many[:1].upper()}{how_many[1:]}; {_what_they_show(rows)}.")
    said.append(_what_is_doubtful(rows))
    return " ".join(said)


def _what_they_show(rows: Sequence[Mapping[Any, Any]]) -> str:
    """``all five are CTCF, four of them whole motifs``."""
    named = [row for row in rows if word_of(row)[1] == "good"]
    factors = Counter(factor_of(row) for row in named)
    whole = sum(row["match_covered"] >= WHOLE_SHARE for row in named)
    if len(factors) == 1 and len(named) == len(rows):
        (factor,) = factors
        what = f"all {_number(len(rows))} are {factor}" if len(rows) > 1 else f"it is {factor}"
        some = "all" if whole == len(rows) else _number(whole)
        pattern = f", {some} of them {'whole motifs' if whole > 1 else 'a whole motif'}"
        alone = ", the whole motif" if whole else ", part of the motif"
        return what + (alone if len(rows) == 1 else pattern if whole else ", parts of the motif")
    shown = [f"{_number(n)} {'are' if n > 1 else 'is'} {factor}" for factor, n in factors.most_common(4)]
    others = len(named) - sum(n for _, n in factors.most_common(4))
    if others:
        shown.append(f"{_number(others)} {'are' if others > 1 else 'is'} of {_count(len(factors) - 4, 'other factor')}")
    rest = Counter(word_of(row)[0] for row in rows if word_of(row)[1] != "good")
    shown += [f"{_number(n)} {_OTHERWISE[word][n > 1]}" for word, n in rest.most_common()]
    some = "all" if whole == len(named) > 1 else _number(whole)
    several = f"; {some} of the named {'show whole motifs' if whole > 1 else 'shows a whole motif'}"
    return _listed(shown) + (several if whole else "")


def _what_is_doubtful(rows: Sequence[Mapping[Any, Any]]) -> str:
    """``No artefact palindromes.``, or how many there are, of which motif."""
    hybrids = [row for row in rows if "artefact hybrid" in kinds_of(row)]
    perhaps = [row for row in rows if {"unexplained palindrome", "palindrome, not judged"} & set(kinds_of(row))]
    negatives = [row for row in rows if row["sites_in"] == "negatives" and pd.isna(row["refused"])]
    said = []
    if hybrids:
        of = [family for family, _ in Counter(_family(row["triage_motif"]) for row in hybrids).most_common()]
        of = of if len(of) <= 4 else [*of[:3], _count(len(of) - 3, "other motif")]
        what = "are artefact palindromes: hybrids" if len(hybrids) > 1 else "is an artefact palindrome: a hybrid"
        said.append(f"{_number(len(hybrids)).capitalize()} {what} of both strands of {_listed(of)}.")
    if perhaps:
        what = "are palindromic, perhaps artefacts" if len(perhaps) > 1 else "is palindromic, perhaps an artefact"
        said.append(f"{_number(len(perhaps)).capitalize()} {what}.")
    if not said:
        said.append("No artefact palindromes.")
    if negatives:
        what = "speak" if len(negatives) > 1 else "speaks"
        said.append(f"{_number(len(negatives)).capitalize()} {what} for the negatives.")
    return " ".join(said)


def _listed(words: Sequence[str]) -> str:
    """``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _family(name: object) -> str:
    return name_families([name])[name] if isinstance(name, str) else ""


def _number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else f"{n:,}"


def _count(n: int, noun: str) -> str:
    return f"{_number(n)} {noun}{'s' * (n != 1)}"
