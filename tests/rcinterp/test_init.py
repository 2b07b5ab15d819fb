import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import rcinterp
import rclayers


def test_every_public_name_is_there():
    assert len(rcinterp.__all__) > 25
    for name in rcinterp.__all__:
        assert getattr(rcinterp, name).__name__ == name


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, rcinterp, rcinterp.cli; print({'torch', 'pandas', 'numba'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_no_public_name_is_a_module_s():
    """An imported module of that name would take the function's place."""
    modules = {module.name for module in pkgutil.iter_modules(rcinterp.__path__)}
    assert not modules & set(rcinterp.__all__)


def test_the_index_tells_every_public_name_as_its_docstring_does():
    page = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    for package in (rcinterp, rclayers):
        for name in package.__all__:
            told = inspect.getdoc(getattr(package, name)).split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
            assert f"| `{name}` | {told} |" in page, name
