"""What a validation set has of its training set."""

import pytest

from rcinterp import compact_model, fit, load_dataset
from rcinterp.data.leakage import find_leakage, find_repeats
from rcinterp.data.sequences import one_hot

TRAIN = (["ACCTAGGTTA", "CCGTATTTAC", "CCGTATTTAC"], ["TTGTTACCCA", "GGGCGCCAAT"])


def test_each_kind_is_counted():
    valid = load_dataset(["TAACCTAGGT", "GGGCGCCAAT", "ACACACACAC"], ["TGTGTGTATT", "AATACACACA", "GTGTATAAAA"])
    with pytest.warns(UserWarning, match="1 sequences stand both in the positives and in the negatives"):
        load_dataset(["TGTGTGTATT"], ["AATACACACA", "GTGTATAAAA"])
    found = find_leakage(load_dataset(*TRAIN), valid)
    # The RC of the first positive, and a negative that is a positive here.
    assert (found.shared, found.contradicted) == (2, 1)
    assert (found.train_duplicates, found.valid_duplicates) == (1, 1)
    assert found.overlapping == 0
    first, *others = found.messages()
    assert first.startswith("2 validation sequences also stand in the training set")
    assert "1 of them with another label" in first
    assert [message.split(" stand")[0] for message in others] == [
        "1 sequences of the training set",
        "1 sequences of the validation set",
    ]


def test_windows_that_overlap_by_half(tmp_path):
    def data(offset, length=40):
        def fasta(name, letter, start):
            path = tmp_path / f"{name}{offset}.fa"
            rows = [f">chr1:{start + i * 1000 + offset}-{start + i * 1000 + offset + length}" for i in range(4)]
            letters = ["ACGT"[i] + letter * (length - 3) + "ACGT"[offset % 4] + "A" for i in range(4)]
            path.write_text("".join(f"{row}\n{sequence}\n" for row, sequence in zip(rows, letters, strict=True)))
            return path

        return load_dataset(fasta("pos", "A", 0), fasta("neg", "G", 500))

    assert find_leakage(data(0), data(19)).overlapping == 8
    assert find_leakage(data(0), data(21)).overlapping == 0


def test_nothing_in_common_is_nothing_to_say():
    train, valid = load_dataset(["ACCTAGGTTA"], ["TTGTTACCCA"]), load_dataset(["ACACACACAC"], ["TGTGTGTATT"])
    assert find_leakage(train, valid).messages() == []


def test_fit_warns_and_keeps_the_counts(planted):
    data = planted(40, 0)
    model = compact_model(1, 2, 41, widths=(8,), pool=10, stride=4)
    with pytest.warns(UserWarning, match="fit: 40 validation sequences also stand in the training set"):
        fit(model, data, data, seed=0, epochs=1, baseline=False, progress=False)
    assert model.provenance["leakage"]["shared"] == 40


def test_labels_that_contradict_each_other_within_a_set():
    """A negative that is the RC of a positive, and one that stands there three times."""
    with pytest.warns(UserWarning, match="1 sequences stand both in the positives and in the negatives"):
        train = load_dataset(["ACCTAGGTTA", "CCGTATTTAC"], ["TAACCTAGGT", "GGGCGCCAAT", "GGGCGCCAAT", "ATTGGCGCCC"])
    found = find_leakage(train, load_dataset(["ACACACACAC"], ["TGTGTGTATT"]))
    assert (found.train_duplicates, found.train_contradicted, found.valid_contradicted) == (3, 1, 0)
    assert found.messages() == [
        "3 sequences of the training set stand in it more than once (reverse complements included), 1 of them with "
        "another label."
    ]


def test_repeats_of_two_classes():
    found = find_repeats(one_hot(["ACCTA", "TAGGT", "CCCCC"]), one_hot(["GGGGG", "GGGGG", "CCCCC", "ATATA"]))
    assert (found.in_both, found.in_positives, found.in_negatives) == (1, 1, 2)
    assert [message.split(" stand")[0] for message in found.messages()] == [
        "1 sequences",
        "1 sequences of the positives",
        "2 sequences of the negatives",
    ]
    assert find_repeats(one_hot(["ACCTA"]), one_hot(["GGGGG"])).messages() == []
