"""load_motifs: one function for every source."""

import numpy as np
import pytest

from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, load_motifs_with_sites, write_meme


def random_motifs(widths):
    rng = np.random.default_rng(0)
    return {f"M{width}": rng.dirichlet([0.5] * 4, size=width).T for width in widths}


def test_mapping_is_copied_in_its_order():
    given = random_motifs([7, 5, 11])
    loaded = load_motifs(given)
    assert list(loaded) == ["M7", "M5", "M11"]
    assert loaded["M5"].shape == (4, 5)
    loaded["M7"][:] = 0
    assert given["M7"].sum() == pytest.approx(7)


def test_columns_sum_to_one_exactly_enough():
    given = {"M": random_motifs([7])["M7"] * (1 + 8e-6)}
    np.testing.assert_allclose(load_motifs(given)["M"].sum(axis=0), 1, atol=1e-14)
    np.testing.assert_allclose(load_motifs_with_sites(given)["M"].ppm.sum(axis=0), 1 + 8e-6, atol=1e-14)


def test_encode():
    motifs = load_motifs("encode")
    assert len(motifs) == 2067
    assert motifs["CTCF_known1"].shape == (4, 19)


def test_path_as_str_and_as_path(tmp_path):
    given = random_motifs([7, 5])
    write_meme(tmp_path / "encode", given, n_sites={"M5": 11})
    for path in (tmp_path / "encode", str(tmp_path / "encode")):
        loaded = load_motifs(path)
        assert list(loaded) == list(given)
        np.testing.assert_allclose(loaded["M7"], given["M7"], atol=1e-6)
    assert [motif.n_sites for motif in load_motifs_with_sites(path).values()] == [20, 11]


def test_a_file_named_encode_needs_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_meme("encode", random_motifs([7]))
    assert list(load_motifs("./encode")) == ["M7"]
    assert len(load_motifs("encode")) == 2067


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, r"got an empty mapping, expected at least one motif"),
        ({1: np.full((4, 5), 0.25)}, r"got the name 1 \(int\), expected a str"),
        ({"M": np.full((4, 5), 0.5)}, r"motif M: the probabilities of position 0 .* sum to 2"),
        ("encod", r'encod: no such file, expected a motif file; give "encode" or the path of a motif file'),
        ([np.full((4, 5), 0.25)], r'got list, expected "encode", the path of a motif file, or a mapping'),
        (None, r"got NoneType, expected"),
    ],
)
def test_what_cannot_be_loaded(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_motifs(source)
