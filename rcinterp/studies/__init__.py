"""The paper's experiments, run again: one small module a study, and one runner for all."""

from importlib import import_module
from typing import TYPE_CHECKING

from rcinterp.errors import InputError

if TYPE_CHECKING:
    from rcinterp.studies._study import Study

#: Every study, and the question that it puts; a module of that name declares it.
STUDIES = {
    "fig2": "Simulated data: do RC models learn faster, and over-fit less? (The runs of fig3.)",
    "fig3": "Simulated data: does RC with 20 filters beat traditional models of 20 and 40?",
    "fig4": "Real data, three layers: do predictions from a sequence and its reverse complement agree?",
    "fig5": "Real data, one layer: are the filters of RC models cleaner?",
    "fig6": "Real data, three layers: do RC models lose less with fewer training sequences?",
    "fig7": "Real data, three layers: is RC better at every number of filters, and for every data set?",
    "strategies": "Simulated data: RC weight sharing, augmentation, or conjoining: which is best?",
    "recovery": "Simulated data: which filters found an embedded motif, which are artefacts?",
    "ablation": "What does each part of the recipe quiet do? (Simulated data, or the data given.)",
}


def find_study(name: str) -> "Study":
    """The declaration of a study; its module is imported now."""
    if name not in STUDIES:
        raise InputError(f"study: got {name!r}, expected one of {', '.join(STUDIES)}.")
    study: Study = import_module(f"rcinterp.studies.{name}").STUDY
    return study
