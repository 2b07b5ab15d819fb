import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rcinterp.cli._types import DATA
from rcinterp.data.datasets import Dataset, load_dataset, load_split
from rcinterp.data.sequences import decode, one_hot, write_fasta
from rcinterp.errors import InputError

POSITIVES, NEGATIVES = ["ACGTA", "ccgtn", "GGGTA"], ["TTTTT", "NACGT"]


@pytest.fixture
def data():
    y = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]]).float()
    return Dataset(one_hot(["ACGTACG", "CCGTNNN", "TTTTTTT", "GGGGGGG", "AAAAAAA"]), y, ("a", "b", "c", "d", "a"))


# Dataset ------------------------------------------------------------------------------------------------------------


def test_dataset_knows_its_sizes(data):
    assert (len(data), data.length, data.n_tasks) == (5, 7, 3)
    assert repr(data) == "Dataset(5 sequences of 7 bp, positives for each task: [2, 3, 0])"


def test_dataset_selects_by_label(data):
    assert decode(data.positives()) == ["ACGTACG", "TTTTTTT"]
    assert decode(data.negatives()) == ["CCGTNNN", "GGGGGGG", "AAAAAAA"]
    assert decode(data.positives(task=1)) == ["CCGTNNN", "TTTTTTT", "AAAAAAA"]
    assert data.positives(task=2).shape == (0, 4, 7)


def test_dataset_is_frozen(data):
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.x = data.x


@pytest.mark.parametrize("task", [-1, 3])
def test_dataset_refuses_a_task_it_does_not_have(data, task):
    with pytest.raises(InputError, match=f"got task {task}, expected 0 to 2; tasks are the columns of y"):
        data.positives(task)


def test_sha256_is_that_of_the_content(data):
    same = Dataset(data.x.clone(), data.y.clone(), ("other",) * 5)
    assert same.sha256 == data.sha256
    assert len(data.sha256) == 64
    changed_x, changed_y = data.x.clone(), data.y.clone()
    changed_x[4, :, 6] = 0
    changed_y[4, 2] = 1
    hashes = {data.sha256, Dataset(changed_x, data.y, data.names).sha256, Dataset(data.x, changed_y, data.names).sha256}
    assert len(hashes) == 3


def test_sha256_does_not_depend_on_the_memory_layout(data):
    strided = data.x.transpose(1, 2).contiguous().transpose(1, 2)
    assert not strided.is_contiguous()
    assert Dataset(strided, data.y, data.names).sha256 == data.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": torch.zeros(5, 4, 7).double()}, r"got x as torch.float64, expected .*torch.as_tensor\(x, dtype"),
        ({"x": np.zeros((5, 4, 7))}, "got x as ndarray, expected a float32 tensor"),
        ({"x": torch.zeros(5, 7, 4)}, r"Dataset: got x of shape \(5, 7, 4\).*use x.transpose\(1, 2\)"),
        ({"x": torch.full((5, 4, 7), torch.nan)}, "Dataset: got x with NaN"),
        ({"y": torch.zeros(5, 3).long()}, r"got y as torch.int64, expected .*torch.as_tensor\(y, dtype"),
        ({"y": torch.zeros(5)}, r"got y of shape \(5,\) .* expected \(5, n_tasks\). For one task, use y\[:, None\]"),
        ({"y": torch.zeros(3, 5)}, r"got y of shape \(3, 5\) for x of shape \(5, 4, 7\), expected \(5, n_tasks\)"),
        ({"y": torch.zeros(5, 0)}, r"got y of shape \(5, 0\)"),
        ({"y": torch.full((5, 3), 0.5)}, r"expected 0 and 1; make labels of them, e.g. \(y > 0.5\).float\(\)"),
        ({"y": torch.full((5, 3), torch.nan)}, "expected 0 and 1"),
        ({"names": ("a", "b")}, "got names as tuple of length 2, expected a tuple of 5"),
        ({"names": ["a"] * 5}, r"got names as list of length 5, expected a tuple of 5.*tuple\(names\)"),
    ],
)
def test_dataset_says_what_is_wrong(data, changes, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(data, **changes)


def test_advice_for_one_task_works(data):
    assert Dataset(data.x, torch.zeros(5)[:, None], tuple(["a"] * 5)).n_tasks == 1


# load_dataset -------------------------------------------------------------------------------------------------------


def write(path, sequences, names=None):
    write_fasta(path, sequences, names)
    return path


def test_load_dataset_labels_positives_first():
    data = load_dataset(POSITIVES, NEGATIVES)
    assert decode(data.x) == ["ACGTA", "CCGTN", "GGGTA", "TTTTT", "NACGT"]
    assert data.y.tolist() == [[1], [1], [1], [0], [0]]
    assert data.names == ("positive_0", "positive_1", "positive_2", "negative_0", "negative_1")
    assert data.x.dtype == data.y.dtype == torch.float32


@pytest.mark.parametrize(
    "convert",
    [
        tuple,
        pd.Series,
        np.array,
        one_hot,
        lambda s: one_hot(s, dtype=torch.float64),
        lambda s: one_hot(s).numpy().astype(bool),
        lambda s: one_hot(s).transpose(1, 2).contiguous().transpose(1, 2),
    ],
)
def test_load_dataset_takes_every_kind(convert):
    expected = load_dataset(POSITIVES, NEGATIVES)
    for loaded in (load_dataset(convert(POSITIVES), NEGATIVES), load_dataset(POSITIVES, convert(NEGATIVES))):
        assert loaded.sha256 == expected.sha256
        assert loaded.names == expected.names


def test_load_dataset_reads_files_and_keeps_names(tmp_path):
    positives = write(tmp_path / "pos.fa.gz", POSITIVES, ["chr1:0-5", "chr1:7-12", "chr1:0-5"])
    data = load_dataset(str(positives), pd.Series(NEGATIVES, index=[11, 13]))
    assert data.sha256 == load_dataset(POSITIVES, NEGATIVES).sha256
    assert data.names == ("chr1:0-5", "chr1:7-12", "chr1:0-5", "11", "13")


def strandless(sequence):
    """The same for a sequence and its reverse complement: a set of both is warned of."""
    return min(sequence, sequence[::-1].translate(str.maketrans("ACGT", "TGCA")))


@given(st.lists(st.text("ACGT", min_size=7, max_size=7), min_size=2, max_size=11, unique_by=strandless), st.data())
def test_load_dataset_returns_what_was_given(sequences, draw):
    ordered = sorted(sequences)
    n_positives = draw.draw(st.integers(1, len(ordered) - 1))
    data = load_dataset(ordered[:n_positives], ordered[n_positives:])
    assert decode(data.positives()) + decode(data.negatives()) == ordered


def test_lengths_that_differ_between_the_sets(tmp_path):
    positives = write(tmp_path / "pos.fa", ["ACGTA", "CCGTA"])
    negatives = write(tmp_path / "neg.fa", ["ACG", "TTT"], ["chr1:0-3", "chr1:5-8"])
    with pytest.raises(InputError) as error:
        load_dataset(positives, negatives)
    assert str(error.value) == (
        f"load_dataset: got positives ({positives}) of 5 bp and negatives ({negatives}) of 3 bp, expected one length; "
        "the first to differ is record 0 ('chr1:0-3') of the negatives (3 bp, not 5). Cut windows of one length, "
        "e.g. with bedtools getfasta."
    )


def test_lengths_that_differ_within_a_set(tmp_path):
    mixed = write(tmp_path / "mixed.fa", ["ACGTA", "CCGTA", "ACGTACG", "AAA"])
    with pytest.raises(
        InputError, match=r"positives \(.*mixed.fa\) of 3 to 7 bp and negatives of 5 bp.*record 2 \('2'\)"
    ):
        load_dataset(mixed, NEGATIVES)
    with pytest.raises(
        InputError, match=r"negatives \(.*mixed.fa\) of 3 to 7 bp.*record 2 \('2'\) of the negatives \(7 bp"
    ):
        load_dataset(POSITIVES, mixed)
    with pytest.raises(InputError, match=r"got positives of 5 bp and negatives of 2 bp.*record 0 of the negatives"):
        load_dataset(POSITIVES, one_hot(["AC"]))


def test_the_same_set_twice():
    message = "positives and negatives hold the same sequences.*check that the same file was not given twice"
    with pytest.raises(InputError, match=message):
        load_dataset(POSITIVES, one_hot([*POSITIVES[::-1], POSITIVES[1]]))


def test_shared_sequences_are_counted_at_the_callers_line():
    with pytest.warns(UserWarning, match="load_dataset: 2 sequences stand both in the positives and in") as caught:
        load_dataset(POSITIVES, [*NEGATIVES, "acgta", "CCGTN", "ACGTA"])
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("positives", "negatives", "message"),
    [
        ([], NEGATIVES, "load_dataset: positives: got no sequences, expected at least one"),
        (POSITIVES, (), "load_dataset: negatives: got no sequences"),
        (
            POSITIVES,
            torch.zeros(0, 4, 5),
            r"load_dataset: negatives: got x of shape \(0, 4, 5\).*at least one sequence",
        ),
        (POSITIVES, one_hot(NEGATIVES).transpose(1, 2), r"load_dataset: negatives: got x of .*use x.transpose\(1, 2\)"),
        (POSITIVES, None, "load_dataset: negatives: got NoneType, expected"),
        (["ACGTA", "ACGTE"], NEGATIVES, "load_dataset: positives: record 1 has 'E' at position 4"),
        ("missing.fa", NEGATIVES, "missing.fa: no such file"),
    ],
)
def test_load_dataset_says_what_is_wrong(positives, negatives, message):
    with pytest.raises(InputError, match=message):
        load_dataset(positives, negatives)


def test_empty_file(tmp_path):
    (tmp_path / "none.fa").write_text("")
    with pytest.raises(InputError, match=r"none.fa: the file is empty"):
        load_dataset(POSITIVES, tmp_path / "none.fa")


def test_real_dataset(reference):
    folder = reference / "ctcf_gm12878_hg19/w300pad"
    data = load_dataset(folder / "train_chr21.pos.fa.gz", folder / "train_chr21.neg.fa.gz")
    assert (len(data), data.length, data.n_tasks) == (444 + 825, 300, 1)
    assert data.positives().shape == (444, 4, 300)
    assert data.names[0] == "chr21:9485035-9485335"


# load_split ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def split(tmp_path):
    """A folder with the four files, and others that are none of theirs."""
    write(tmp_path / "train_chr21.pos.fa.gz", POSITIVES)
    write(tmp_path / "train_chr21.neg.fa", NEGATIVES)
    write(tmp_path / "valid.pos.fasta", ["GGGGT"], ["peak"])
    write(tmp_path / "valid_chr22.neg.fa.gz", ["CCCCC", "CCCCA"])
    write(tmp_path / "test.pos.fa", ["AAAAA"])
    (tmp_path / "train_chr21.pos.bed").write_text("")
    return tmp_path


@pytest.mark.parametrize("convert", [str, lambda path: path])
def test_load_split_reads_the_two_sets_of_a_folder(split, convert):
    train, valid = load_split(convert(split))
    assert train.sha256 == load_dataset(POSITIVES, NEGATIVES).sha256
    assert decode(valid.positives()) == ["GGGGT"]
    assert decode(valid.negatives()) == ["CCCCC", "CCCCA"]
    assert valid.names == ("peak", "0", "1")


@pytest.mark.parametrize(
    "pattern", ["train_chr21.pos.fa.gz", "train_chr21.neg.fa", "valid.pos.fasta", "valid_chr22.neg.fa.gz"]
)
def test_load_split_names_the_file_that_is_not_there(split, pattern):
    (split / pattern).unlink()
    part, label = pattern[:5], pattern.split(".")[1]
    with pytest.raises(InputError) as error:
        load_split(split)
    assert str(error.value) == f"{split}: expected a folder with one file {part}*.{label}.fa*, got none."


def test_load_split_takes_one_file_each(split):
    write(split / "train_chr20.neg.fa", NEGATIVES)
    message = r"with one file train\*.neg.fa\*, got train_chr20.neg.fa, train_chr21.neg.fa\.$"
    with pytest.raises(InputError, match=message):
        load_split(split)


@pytest.mark.parametrize("beside", ["train_chr21.neg.fa.fai", "train_chr21.pos.fa.gz.gzi", "valid.pos.fasta~"])
def test_load_split_passes_over_indexes_and_backups(split, beside):
    (split / beside).write_text("x")
    assert decode(load_split(split)[1].positives()) == ["GGGGT"]
    assert split / beside not in DATA.files(split)


def test_load_split_needs_a_folder(split):
    for path in (split / "none", split / "test.pos.fa"):
        with pytest.raises(InputError, match=f"{path.name}: expected a folder with one file .*, got none"):
            load_split(path)


def test_load_split_checks_what_it_reads(split):
    write(split / "valid.pos.fasta", ["GGGGGGG"])
    with pytest.raises(InputError, match=r"got positives \(.*valid.pos.fasta\) of 7 bp and negatives .* of 5 bp"):
        load_split(split)
