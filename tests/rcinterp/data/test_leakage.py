"""What a validation set has of its training set."""

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp import compact_model, fit, load_dataset
from rcinterp.data.datasets import Dataset
from rcinterp.data.leakage import Repeats, find_leakage, find_repeats
from rcinterp.data.sequences import one_hot
from rclayers import reverse_complement

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


def test_windows_without_coordinates_are_passed_over():
    """Negatives of no place in the genome, as shuffled ones are, do not hide positives that overlap."""
    rng = np.random.default_rng(0)

    def data(offset, n):
        letters = ["".join(rng.choice(list("ACGT"), 40)) for _ in range(2 * n)]
        positives = pd.Series(
            letters[:n], index=[f"chr1:{1000 * i + offset}-{1000 * i + offset + 40}" for i in range(n)]
        )
        return load_dataset(positives, pd.Series(letters[n:], index=[f"shuffled_{i}" for i in range(n)]))

    assert find_leakage(data(0, 9), data(5, 4)).overlapping == 4
    assert find_leakage(data(0, 9), data(31, 4)).overlapping == 0


def test_soft_sequences_are_known_by_their_numbers():
    soft = torch.rand((7, 4, 11), generator=torch.Generator().manual_seed(0))
    soft = soft / soft.sum(1, keepdim=True)
    assert find_repeats(soft[:4], soft[4:]).messages() == []
    scaled = 255 * one_hot(["ACCTA", "GGGTT", "GACTC"])
    assert find_repeats(scaled[:2], scaled[2:]).messages() == []
    sharp = one_hot(["ACCTA"]) * torch.tensor([0.7, 0.8])[:, None, None] + 0.05
    assert find_repeats(sharp[:1], sharp[1:]).messages() == []
    turned = reverse_complement(soft[:1])
    assert find_repeats(torch.cat([soft[:3], turned]), soft[2:5]) == Repeats(1, 1, 0)
    labelled = [Dataset(x, torch.ones(len(x), 1), ("s",) * len(x)) for x in (soft[:4], torch.cat([soft[4:], soft[:1]]))]
    assert find_leakage(*labelled).shared == 1


def test_letters_padded_with_any_value_are_letters():
    x = one_hot(["ACNTA"])
    padded = x.clone()
    padded[:, :, 2] = 0.25
    assert find_repeats(x, padded).in_both == 1


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
