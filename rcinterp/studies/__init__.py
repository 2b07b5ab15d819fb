"""The paper's experiments, run again: one small module a study, and one runner for all.

Examples
--------
>>> from rcinterp.studies import Options, find_study, run_study
>>> found = run_study(find_study("fig3"), "results", Options(seeds=1, epochs=1, small=True), progress=False)
>>> found.folder.name
'fig3-1epochs-small'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rcinterp.errors import InputError

if TYPE_CHECKING:
    from rcinterp.studies._study import Findings, Options, Study, run_study

__all__ = ["STUDIES", "Findings", "Options", "Study", "find_study", "run_study"]

#: Every study, and the question that it puts; a module of that name declares it.
STUDIES = {
    "fig2": "Simulated data: do RC models learn faster, and over-fit less? (The runs of fig3.)",
    "fig3": "Simulated data: does RC with 20 filters beat traditional models of 20 and 40?",
    "fig4": "Real data, three layers: do predictions from a sequence and its reverse complement agree?",
    "fig5": "Real data, one layer: are the filters of RC models cleaner?",
    "fig6": "Real data, three layers: do RC models lose less with fewer training sequences?",
    "fig7": "Real data, three layers: is RC better at every number of filters, and for every data set?",
    "strategies": "Simulated data: RC weight sharing, augmentation, or conjoining: which is best?",
    "heads": "Simulated data: is a separable read-out better than a dense one of as many parameters?",
    "recovery": "Simulated data: which filters found an embedded motif, which are artefacts?",
    "triage": "Simulated data: do the verdicts on palindromic filters agree with where their best sites lie?",
    "contributions": "Simulated data: do contributions rank a task's filters first, and are filters named rightly?",
    "ablation": "What does each part of the recipe quiet do? (Simulated data, or the data given.)",
}

#: Studies by the names that they used to have.
FORMER_NAMES = {"scores": "contributions"}


def find_study(name: str) -> "Study":
    """The declaration of a study; its module is imported now."""
    name = FORMER_NAMES.get(name, name)
    if name not in STUDIES:
        raise InputError(f"study: got {name!r}, expected one of {', '.join(STUDIES)}.")
    study: Study = import_module(f"rcinterp.studies.{name}").STUDY
    return study


def __getattr__(name: str) -> Any:
    """What needs torch is imported when it is asked for: the command line lists the studies without."""
    if name in __all__:
        return getattr(import_module("rcinterp.studies._study"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
