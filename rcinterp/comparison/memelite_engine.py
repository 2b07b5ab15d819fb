"""Alignments by memelite, where it is installed: Tomtom with Euclidean distance, compiled."""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from rcinterp.comparison.alignment import Alignments, Floats

_N_MEDIAN_BINS = 100_000  # of memelite's approximate median; with as many, it is Tomtom's exact one


def is_installed() -> bool:
    """Tell whether memelite can be used."""
    spec = importlib.util.find_spec("memelite")
    return spec is not None and spec.origin is not None  # not a folder that an uninstalled one left with its cache


def align_by_memelite(queries: list[Floats], targets: list[Floats]) -> Alignments:
    """Find the best alignment of every query with every target by Euclidean distance, and its p-value.

    Parameters
    ----------
    queries, targets : list of numpy.ndarray, shapes (4, W) and (4, V)
        PPMs that hold a pseudocount; both orientations are expected among the targets.

    Returns
    -------
    Alignments
        As `rcinterp.comparison.alignment.align` with `euclidean_scores` has them.
    """
    from memelite import tomtom  # here, since numba takes seconds to import

    with _threads_of_torch_kept(), warnings.catch_warnings():
        # Replaced by FewTargetsWarning: memelite cannot know that half of these targets are reverse complements.
        warnings.filterwarnings("ignore", message="tomtom was given")
        p, _, offsets, overlaps, _ = tomtom(
            queries, targets, n_target_bins=None, n_median_bins=_N_MEDIAN_BINS, reverse_complement=False
        )
    return Alignments(np.clip(p * (2.0 - p), 0.0, 1.0), offsets.astype(np.int64), overlaps.astype(np.int64))


@contextmanager
def _threads_of_torch_kept() -> Iterator[None]:
    """Numba's pool of threads sets the number of torch's too, which then wait for each other in small models."""
    import torch

    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def cache_folder() -> Path | None:
    """Give the folder in which numba keeps what memelite compiled; None if memelite is not installed."""
    if not is_installed():
        return None
    return Path(importlib.import_module("memelite.tomtom")._tomtom.stats.cache_path)


def is_engine_compiled() -> bool:
    """Tell whether `compare_motifs` starts at once, or memelite first compiles itself (a minute, once a machine).

    Returns
    -------
    bool
        True if memelite is not installed, or if what it compiled is in this process or in numba's cache on disk, newer
        than its source.
    """
    if not is_installed():
        return True
    engine = importlib.import_module("memelite.tomtom")
    if engine._tomtom.signatures:
        return True
    written = Path(str(engine.__file__)).stat().st_mtime
    pattern = f"tomtom._tomtom-*.py{sys.version_info.major}{sys.version_info.minor}*.nbc"
    return any(file.stat().st_mtime >= written for file in Path(engine._tomtom.stats.cache_path).glob(pattern))
