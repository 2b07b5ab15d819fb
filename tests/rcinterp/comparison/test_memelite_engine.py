"""When the engine has been compiled, and that it is not touched before it is used."""

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rcinterp.comparison import compare_motifs, memelite_engine
from rcinterp.comparison.alignment import align
from rcinterp.comparison.memelite_engine import align_by_memelite, is_engine_compiled, is_installed

needs_memelite = pytest.mark.skipif(not is_installed(), reason="needs memelite (pip install rcinterp[fast])")


def test_without_memelite_nothing_is_compiled(monkeypatch, ctcf):
    monkeypatch.setattr(memelite_engine, "is_installed", lambda: False)
    assert is_engine_compiled()


def test_a_folder_that_an_uninstalled_memelite_left_is_none(monkeypatch, tmp_path):
    (tmp_path / "memelite" / "__pycache__").mkdir(parents=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "memelite", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not is_installed()


@needs_memelite
def test_it_agrees_with_the_own_engine(ctcf):
    rng = np.random.default_rng(0)
    targets = [rng.dirichlet([0.3] * 4, size=int(w)).T for w in rng.integers(6, 20, size=80)]
    queries = [0.9 * target + 0.025 for target in targets[:11]]
    own, theirs = align(queries, targets, "euclidean"), align_by_memelite(queries, targets)
    assert (own.offsets == theirs.offsets).mean() > 0.95  # of equal scores it takes others
    np.testing.assert_allclose(np.log10(own.p_values), np.log10(theirs.p_values), atol=0.1)


@needs_memelite
def test_the_engine_is_compiled_once_used(ctcf):
    compare_motifs({"q": ctcf})
    assert is_engine_compiled()


@needs_memelite
def test_the_threads_of_torch_stay_as_they_are(ctcf):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        compare_motifs({"q": ctcf})
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@needs_memelite
def test_the_engine_is_compiled_if_a_newer_cache_file_says_so(tmp_path, monkeypatch):
    source, stats = tmp_path / "tomtom.py", SimpleNamespace(cache_path=str(tmp_path))
    source.touch()
    fake = SimpleNamespace(__file__=str(source), _tomtom=SimpleNamespace(signatures=[], stats=stats))
    monkeypatch.setitem(sys.modules, "memelite.tomtom", fake)
    assert not is_engine_compiled()
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    for other in (f"tomtom._p_values-18.{version}.1.nbc", "tomtom._tomtom-2492.py27.1.nbc"):
        (tmp_path / other).touch()
    assert not is_engine_compiled()
    cached = tmp_path / f"tomtom._tomtom-2492.{version}.1.nbc"
    cached.touch()
    assert is_engine_compiled()
    os.utime(source, (cached.stat().st_mtime + 60,) * 2)
    assert not is_engine_compiled()


def test_importing_does_not_wait_for_numba():
    code = "import sys, rcinterp.comparison; print('numba' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
