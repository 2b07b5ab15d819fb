"""The examples of docstrings, which `pytest` runs beside the tests: each in an empty folder, as some write files."""

import pytest


@pytest.fixture(autouse=True)
def folder_of_examples(request: pytest.FixtureRequest) -> None:
    """Make an empty folder the working one, if the examples of a docstring are to run."""
    if isinstance(request.node, pytest.DoctestItem):
        request.getfixturevalue("monkeypatch").chdir(request.getfixturevalue("tmp_path"))
