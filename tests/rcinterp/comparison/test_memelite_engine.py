"""When the engine has been compiled, and that it is not touched before it is used."""

import os
import subprocess
import sys
from types import SimpleNamespace

from rcinterp.comparison import compare_motifs
from rcinterp.comparison.memelite_engine import is_engine_compiled


def test_the_engine_is_compiled_once_used(ctcf):
    compare_motifs({"q": ctcf})
    assert is_engine_compiled()


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
