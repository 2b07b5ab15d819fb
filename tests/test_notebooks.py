"""Every notebook runs from its first cell to its last, and its figures are committed."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: Bytes of a notebook with its figures; a clone keeps every version of it.
LARGEST = 750_000


def test_there_are_notebooks():
    assert NOTEBOOKS


def check_outputs(notebook):
    """Three figures or more, and no error."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 3
    return outputs


def run(path, folder, parameters=""):
    """Execute a notebook, with these lines after its cell of parameters."""
    (folder / "data").symlink_to(path.parent / "data")  # what lies beside the notebooks
    notebook = nbformat.read(path, as_version=4)
    (place,) = (i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(parameters))
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    check_outputs(notebook)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_committed_outputs_are_those_of_one_run(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    outputs = check_outputs(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output.text for output in outputs if output.get("name") == "stderr"], "a warning or a progress bar"
    assert not [cell.id for cell in code if "execution" in cell.metadata], "times of execution"
    assert path.stat().st_size <= LARGEST


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_knows_nothing_of_the_machine(path):
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|usr|Users)/[\w/.-]*", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_somewhere(path):
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^()\s#]+)", text) if not re.match(r"https?:", link)]
    assert not [link for link in links if not (path.parent / link).exists()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_listed(path):
    page = (ROOT / "docs" / "start" / "choose.md").read_text(encoding="utf-8")
    assert f"](../../notebooks/{path.name})" in page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_few_sequences(path, tmp_path):
    run(
        path, tmp_path, "N_PER_CLASS = 500; LARGEST = 60; SEEDS = range(3)"
    )  # what a notebook does not have, it ignores


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    run(path, tmp_path)
