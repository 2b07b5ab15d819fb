"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("rcinterp", deadline=None)  # a busy machine is no failure
settings.load_profile("rcinterp")

#: Reference data (the authors' golden outputs, MEME Tomtom's tables, real ChIP-seq sequences) stand beside the
#: repository and are never copied into it; a test that needs them is skipped, with this reason, where they are absent.
SHARED = Path(os.environ.get("RCINTERP_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference data, or skip the test."""
    if not (SHARED / "golden").is_dir():
        pytest.skip("no reference data beside the repository (../shared, or set RCINTERP_SHARED)")
    return SHARED
