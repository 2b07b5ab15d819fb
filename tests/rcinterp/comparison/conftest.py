"""The CTCF motif, Tomtom's own table, and what compare_motifs makes of the same files."""

import pandas as pd
import pytest

from rcinterp.comparison import compare_motifs
from rcinterp.motifs import load_motifs


@pytest.fixture(scope="session")
def ctcf():
    return load_motifs("encode")["CTCF_known1"]


@pytest.fixture(scope="session")
def tomtom_files(reference):
    folder = reference / "tomtom"
    return folder / "queries.meme", folder / "targets_jaspar2020.meme.gz", folder / "tomtom.tsv"


@pytest.fixture(scope="session")
def meme(tomtom_files):
    return pd.read_csv(tomtom_files[2], sep="\t", comment="#")


@pytest.fixture(scope="session")
def every_pair(tomtom_files):
    return compare_motifs(tomtom_files[0], tomtom_files[1], max_q_value=None)
