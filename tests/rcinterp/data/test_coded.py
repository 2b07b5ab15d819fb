"""Sequences of one byte a base: the same numbers as one-hot, whatever reads them, in memory or on disk."""

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp import (
    filter_contributions,
    find_sites,
    input_contributions,
    interpret,
    predict,
    strand_consistency,
)
from rcinterp.data.coded import CodedSequences, batches_of, coded_if_letters, load_for_reading, windows_of
from rcinterp.data.datasets import load_dataset
from rcinterp.data.sequences import as_one_hot, codes_to_one_hot, decode, load_sequences, names_of, write_fasta
from rcinterp.errors import InputError
from rcinterp.training.models import compact_model

LENGTH = 60


def codes(n, seed, share_of_n=0.02):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 4, size=(n, LENGTH)).astype(np.uint8)
    drawn[rng.random(drawn.shape) < share_of_n] = 4
    return drawn


class Columns:
    """Stands for an array of another library: shape, type and reading by rows alone."""

    def __init__(self, held):
        self.held, self.shape, self.dtype = held, held.shape, held.dtype

    def __getitem__(self, rows):
        if isinstance(rows, np.ndarray):
            assert (np.diff(rows) > 0).all()  # h5py takes no others
        return self.held[rows]


@pytest.fixture(params=["array", "memmap", "other"])
def held(request, tmp_path):
    def hold(given, name):
        if request.param == "other":
            return CodedSequences(Columns(given))
        if request.param == "array":
            return CodedSequences(given)
        np.save(tmp_path / f"{name}.npy", given)
        return CodedSequences(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))

    return hold


def test_every_function_gives_the_numbers_of_one_hot(held):
    torch.manual_seed(0)
    model = compact_model(1, 4, LENGTH, widths=(8,)).eval()
    with torch.no_grad():
        model.norm1.bias += 0.3
    given = codes(90, 0), codes(80, 1)
    coded = [held(one, name) for one, name in zip(given, "ab", strict=True)]
    letters = [codes_to_one_hot(one) for one in given]
    torch.testing.assert_close(predict(model, coded[0]), predict(model, letters[0]))
    for function in (filter_contributions, lambda *given: interpret(*given).table):
        pd.testing.assert_frame_equal(function(model, *coded), function(model, *letters))
    pd.testing.assert_frame_equal(find_sites(model, coded[0]), find_sites(model, letters[0]))
    torch.testing.assert_close(
        torch.as_tensor(input_contributions(model, coded[0])), torch.as_tensor(input_contributions(model, letters[0]))
    )
    here, there = (strand_consistency(model, one[0]) for one in (coded, letters))
    pd.testing.assert_frame_equal(here.table, there.table)


def test_rows_are_read_a_batch_at_a_time_in_any_order(held):
    given = codes(30, 2)
    coded, letters = held(given, "a"), codes_to_one_hot(given)
    assert (len(coded), coded.shape) == (30, (30, 4, LENGTH))
    rows = torch.tensor([7, 3, 3, 29])
    torch.testing.assert_close(coded[rows], letters[rows])
    torch.testing.assert_close(coded[10:], letters[10:])
    torch.testing.assert_close(torch.cat(list(batches_of(coded, 7 * LENGTH))), letters)
    positions = torch.tensor([[0, 5], [9, 9], [1, 2], [59, 0]])
    torch.testing.assert_close(windows_of(coded, rows, positions), windows_of(letters, rows, positions))


def test_letters_are_held_at_one_byte_a_base(tmp_path):
    strings = decode(codes_to_one_hot(codes(5, 3)))
    (tmp_path / "a.fa").write_text("".join(f">chr1:{i}-{i + 60}\n{s}\n" for i, s in enumerate(strings)))
    for given in (strings, pd.Series(strings), np.array(strings), tmp_path / "a.fa"):
        x, names = load_for_reading(given)
        assert isinstance(x, CodedSequences)
        assert x.codes.nbytes == 5 * LENGTH
        assert decode(x[:]) == strings
        assert names == ([f"chr1:{i}-{i + 60}" for i in range(5)] if isinstance(given, type(tmp_path)) else None)


def test_several_files_are_read_one_after_another(tmp_path):
    strings = decode(codes_to_one_hot(codes(7, 8)))
    names = [f"chr1:{i}-{i + 60}" for i in range(7)]
    paths = [tmp_path / f"{name}.fa.gz" for name in "cab"]
    for path, rows in zip(paths, (slice(4), slice(4, 5), slice(5, None)), strict=True):
        write_fasta(path, strings[rows], names[rows])
    for given in (paths, tuple(paths)):
        x, found = load_for_reading(given)
        assert (decode(x[:]), found) == (strings, names)
    assert decode(as_one_hot(paths)) == strings
    assert load_sequences(paths).names == names_of(paths) == names
    data = load_dataset(paths, decode(codes_to_one_hot(codes(3, 9))))
    assert (data.names[:7], decode(data.positives())) == (tuple(names), strings)
    model = compact_model(1, 3, LENGTH, widths=(9,), pool=13, stride=13)
    torch.testing.assert_close(predict(model, paths), predict(model, strings))


def test_what_is_wrong_with_one_of_several_files_names_it(tmp_path):
    long, short, missing = (tmp_path / f"{name}.fa" for name in ("long", "short", "missing"))
    write_fasta(long, ["ACGTACG"])
    write_fasta(short, ["ACGTA"])
    with pytest.raises(InputError, match=rf"^{short}: its sequences are 5 bp long, but those of {long} 7 bp; expected"):
        load_for_reading([long, short])
    with pytest.raises(InputError, match=rf"^{missing}: "):
        load_for_reading([long, missing])
    with pytest.raises(InputError, match=r"^here: got str at 1 of a list of paths, expected pathlib.Path throughout"):
        load_for_reading([long, str(short)], "here")
    with pytest.raises(InputError, match="here: got no sequences, expected at least one"):
        load_for_reading([], "here")
    with pytest.raises(InputError, match=rf"positives \({long}, {short}\).*one length"):
        load_dataset([long, short], ["ACGTACG"])


def test_only_letters_become_codes():
    letters = codes_to_one_hot(codes(6, 4))
    coded = coded_if_letters(letters)
    np.testing.assert_array_equal(coded.codes, codes(6, 4))
    assert coded_if_letters(coded) is coded
    for value in (0.25, 1.0):  # padding, and two letters in one place
        other = letters.clone()
        other[3, :, 7] = value
        assert coded_if_letters(other) is other


@pytest.mark.parametrize(
    "given",
    [np.zeros((3, 4, 5), np.uint8), np.zeros((3, 5)), np.zeros((0, 5), np.uint8), ["ACGT"], torch.zeros(3, 5)],
)
def test_what_is_no_array_of_codes_is_refused(given):
    with pytest.raises(InputError, match=r"CodedSequences: got .*, expected codes \(N, L\) of type uint8"):
        CodedSequences(given)


def test_other_codes_are_refused_when_they_are_read():
    ascii_codes = np.frombuffer(b"ACGTACGT", dtype=np.uint8).reshape(2, 4)
    with pytest.raises(InputError, match="got the code 84, expected 0 to 3 for A, C, G, T and 4 for N"):
        CodedSequences(ascii_codes)[:1]


def test_an_index_is_a_slice_or_rows_and_a_mask_will_do(held):
    given = codes(5, 6)
    coded = held(given, "a")
    torch.testing.assert_close(coded[torch.tensor([True, False, False, True, False])], coded[torch.tensor([0, 3])])
    with pytest.raises(InputError, match="got the index 3, expected a slice or a tensor of rows"):
        coded[3]
    turned = coded.reverse_complement()
    torch.testing.assert_close(turned[:2], codes_to_one_hot(given)[:2].flip(1, 2))
    torch.testing.assert_close(turned.reverse_complement()[:], coded[:])
    assert torch.equal(CodedSequences(torch.from_numpy(given))[:], coded[:])
