"""Train compact models on transcription-factor binding data, and read their filters.

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that the command line answers
at once.
"""

from importlib import import_module
from typing import Any

import lazy_loader

_find_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

#: Names that stood here before they had a package of their own; they can still be imported from here.
_MOVED = {
    "ModelComparison": "stability",
    "best_groups": "motifs.groups",
    "best_matches": "comparison",
    "compare_matrices": "motifs.similarity",
    "find_filters": "reading.layer:find_layer",
    "group_motifs": "motifs.groups",
    "load_modisco": "reading.exchange",
    "name_families": "motifs.groups",
    "profile_score": "reading.logits",
    "read_motifs": "motifs.formats",
    "save_modisco": "reading.exchange",
    "simulate_background": "data.simulation",
    "sites_to_ppms": "reading.filter_motifs",
    "to_logomaker": "reading.exchange",
    "trim_ppm": "reading.filter_motifs",
    "weights_to_ppm": "reading.filter_motifs",
    "write_fasta": "data.sequences",
    "write_meme": "motifs",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used."""
    if name not in _MOVED:
        return _find_public(name)
    module, _, own = _MOVED[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), own or name)
