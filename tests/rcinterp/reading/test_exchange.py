"""Files that TF-MoDISco-lite reads, and tables that logomaker draws."""

import logomaker
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from rcinterp.data.sequences import one_hot, write_fasta
from rcinterp.errors import InputError
from rcinterp.reading.exchange import load_modisco, save_modisco, to_logomaker

SEQUENCES = ["ACGTACGTAAC", "TTTTTCCCCCN", "GGGGGAAAAAC"]


@pytest.fixture
def x():
    return one_hot(SEQUENCES)


@pytest.fixture
def contributions(x):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_files_are_as_modisco_reads_them(x, contributions, tmp_path):
    """... which takes arr_0, cuts positions from the last axis and transposes: axis 1 is A, C, G, T."""
    folder = save_modisco(tmp_path / "a" / "b", x, contributions)
    assert folder == tmp_path / "a" / "b"
    for name, expected in (("ohe.npz", x), ("contributions.npz", contributions)):
        with np.load(folder / name) as arrays:
            assert arrays.files == ["arr_0"]
            assert arrays["arr_0"].dtype == np.float32
            assert arrays["arr_0"].shape == (3, 4, 11)
            np.testing.assert_allclose(arrays["arr_0"], expected, rtol=1e-6)


def test_what_is_saved_is_loaded(x, contributions, tmp_path):
    loaded = load_modisco(save_modisco(tmp_path, x, contributions.requires_grad_()))
    assert torch.equal(loaded.sequences, x)
    assert torch.equal(loaded.contributions, contributions.detach().float())


def test_fasta_lists_and_arrays(x, contributions, tmp_path):
    write_fasta(tmp_path / "x.fa", SEQUENCES)
    for sequences in (SEQUENCES, tmp_path / "x.fa", x.numpy().astype(np.int8)):
        loaded = load_modisco(save_modisco(tmp_path, sequences, contributions.numpy()))
        assert torch.equal(loaded.sequences, x)


def test_what_cannot_be_saved(x, contributions, tmp_path):
    with pytest.raises(InputError, match=r"sequences \(3, 4, 11\) and contributions \(2, 4, 11\), expected one shape"):
        save_modisco(tmp_path, x, contributions[:2])
    with pytest.raises(InputError, match=r"contributions: got x of shape \(3, 11, 4\), expected \(N, 4, L\)"):
        save_modisco(tmp_path, x, contributions.transpose(1, 2))
    for wrong in (contributions, x + x.flip(2), 0.5 * x):
        with pytest.raises(InputError, match=r"got sequences that are not one-hot.* the right way round\?"):
            save_modisco(tmp_path, wrong, x)
    with pytest.raises(InputError, match=r"contributions that are all zero, expected some. Has the model been trained"):
        save_modisco(tmp_path, x, 0 * contributions)
    with pytest.raises(InputError, match="contributions: got x with NaN or infinite values"):
        save_modisco(tmp_path, x, contributions / 0)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file.* Give another folder"):
        save_modisco(tmp_path / "file", x, contributions)


def test_what_cannot_be_loaded(x, contributions, tmp_path):
    with pytest.raises(InputError, match=r"found no file .*ohe.npz, expected one that save_modisco wrote"):
        load_modisco(tmp_path)
    save_modisco(tmp_path, x, contributions)
    np.savez(tmp_path / "ohe.npz", x.transpose(1, 2).numpy())
    with pytest.raises(InputError, match=r"sequences \(3, 11, 4\) and contributions \(3, 4, 11\), expected one shape"):
        load_modisco(tmp_path)
    for content in (b"", b"PK\x03\x04", b"text"):
        (tmp_path / "ohe.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"is no .npz file with an array arr_0"):
            load_modisco(tmp_path)
    np.savez(tmp_path / "ohe.npz", sequences=x.numpy())
    with pytest.raises(InputError, match=r"is no .npz file with an array arr_0"):
        load_modisco(tmp_path)
    with (tmp_path / "ohe.npz").open("wb") as file:
        np.save(file, x.numpy())  # one array, not an archive of them
    with pytest.raises(InputError, match=r"is no .npz file with an array arr_0"):
        load_modisco(tmp_path)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda matrix: torch.nn.Parameter(torch.tensor(matrix))])
def test_logomaker_draws_the_table(kind):
    matrix = np.random.default_rng(0).normal(size=(4, 7))
    table = to_logomaker(kind(matrix))
    assert table.columns.tolist() == ["A", "C", "G", "T"]
    assert (table.index.name, table.index.tolist()) == ("pos", list(range(7)))
    np.testing.assert_array_equal(table.to_numpy(), matrix.T)
    logo = logomaker.Logo(table, ax=Figure().subplots())
    assert len(logo.glyph_list) == 4 * 7
    tallest = max(logo.glyph_list, key=lambda glyph: glyph.ceiling - glyph.floor)
    row, column = np.unravel_index(np.abs(matrix).argmax(), matrix.shape)
    assert (tallest.c, tallest.p) == ("ACGT"[row], column)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((5, 4)), r"got shape \(5, 4\), expected \(4, W\) .* Transpose it: motif.T"),
        (np.full((4, 3), np.nan), r"to_logomaker: got NaN or infinite values, expected .*heights. Use np.nan_to_num"),
    ],
)
def test_what_is_no_matrix(matrix, message):
    with pytest.raises(InputError, match=message):
        to_logomaker(matrix)


def test_the_folder_comes_first(tmp_path):
    x = one_hot(["ACGT", "CCGT"])
    with pytest.raises(InputError, match=r"folder of type Tensor, expected a path, which comes first: save_modisco\("):
        save_modisco(x, x, tmp_path)
