"""The logistic regression on 6-mers: its counts by a slow loop, and what fit and files do with it."""

import numpy as np
import pytest
import safetensors.torch
import torch
from sklearn.linear_model import LogisticRegression

from rcinterp import compact_model, fit, load_dataset, load_model, save_model
from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import one_hot
from rcinterp.errors import InputError
from rcinterp.training.baseline import STRENGTHS, KmerBaseline, count_words, fit_baseline
from rclayers import reverse_complement

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def _counted_slowly(sequence, k):
    counts = {}
    for i in range(len(sequence) - k + 1):
        word = sequence[i : i + k]
        if "N" not in word:
            word = min(word, word[::-1].translate(COMPLEMENT))
            counts[word] = counts.get(word, 0) + 1
    return counts


def _number(word):
    return sum("ACGT".index(letter) * 4**i for i, letter in enumerate(reversed(word)))


@pytest.mark.parametrize("k", [1, 3, 6])
def test_counts_as_a_loop_counts_them(k):
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGTN"), 40, p=[0.24] * 4 + [0.04])) for _ in range(20)]
    x = one_hot(sequences)
    found = count_words(x, k).toarray()
    for sequence, row in zip(sequences, found, strict=True):
        expected = {_number(word): n for word, n in _counted_slowly(sequence, k).items()}
        assert {i: row[i] for i in np.flatnonzero(row)} == expected
    np.testing.assert_array_equal(count_words(reverse_complement(x), k).toarray(), found)


def test_padding_of_any_value_is_no_letter():
    x = one_hot(["ACGTACGTNNNN"])
    padded = x.clone()
    padded[:, :, 8:] = 0.25
    assert (count_words(padded, 3) != count_words(x, 3)).nnz == 0
    assert count_words(one_hot(["ACG"]), 6).shape == (1, 4096)


def test_is_sklearns_at_the_strength_that_validation_chooses(planted):
    train, valid = planted(400, 0), planted(200, 1)
    baseline = fit_baseline(train, valid)
    aurocs = {}
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=5000, tol=1e-6)
        model.fit(count_words(train.x, 6), train.y[:, 0])
        logits = torch.from_numpy(model.decision_function(count_words(valid.x, 6)))[:, None]
        aurocs[strength] = KmerBaseline(model.coef_, model.intercept_, (strength,)).evaluate(valid)["auroc"].iloc[0]
        torch.testing.assert_close(KmerBaseline(model.coef_, model.intercept_, ()).logits(valid.x), logits)
    found = baseline.evaluate(valid)["auroc"].iloc[0]
    assert found == pytest.approx(max(aurocs.values()), abs=0.01)
    assert aurocs[baseline.strengths[0]] == pytest.approx(found, abs=0.01)
    assert found > 0.8


def test_fit_keeps_it_and_warns_where_it_is_better(planted, tmp_path):
    train, valid = planted(300, 0), planted(100, 1)
    model = compact_model(1, 2, 41, widths=(8,), pool=10, stride=4)
    with pytest.warns(UserWarning, match=r"a logistic regression on counts of 6-mers reaches validation auROC"):
        history = fit(model, train, valid, seed=0, epochs=1, samples_per_epoch=20, progress=False)
    auroc = model.baseline.evaluate(valid)["auroc"].iloc[0]
    assert history["baseline_auroc"].tolist() == [auroc]
    assert model.provenance["baseline_auroc"] == auroc
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    torch.testing.assert_close(again.baseline.logits(valid.x), model.baseline.logits(valid.x))
    assert again.baseline.strengths == model.baseline.strengths
    history = fit(model, train, valid, seed=0, epochs=1, samples_per_epoch=20, baseline=False, progress=False)
    assert "baseline_auroc" not in history
    assert model.baseline is None
    save_model(model, tmp_path)
    assert load_model(tmp_path).baseline is None


def test_a_damaged_file_is_refused(planted, tmp_path):
    baseline = fit_baseline(planted(60, 0), planted(60, 1))
    baseline.save(tmp_path)
    (tmp_path / "baseline.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match=r"baseline\.safetensors: cannot be read as a baseline"):
        KmerBaseline.load(tmp_path)
    if "C64" in safetensors.torch._TYPES:
        KmerBaseline(np.ones((1, 4096), np.complex64), np.ones(1), (1.0,)).save(tmp_path)
        with pytest.raises(InputError, match="does not hold the weights of a baseline, but complex numbers"):
            KmerBaseline.load(tmp_path)
    KmerBaseline(np.ones((1, 16)), np.ones(1), (1.0,)).save(tmp_path)
    with pytest.raises(InputError, match="does not hold the weights of a baseline"):
        KmerBaseline.load(tmp_path)


def test_one_class_alone():
    valid = load_dataset(["ACGTACGT"], ["TTTTTTTT"])
    train = load_dataset(["ACGTACGT"], ["TTTTTTTT"])
    object.__setattr__(train, "y", torch.ones(2, 1))
    with pytest.raises(InputError, match="task 0 has only one class in the training set"):
        fit_baseline(train, valid)


def test_a_task_of_one_class_leaves_training_alone(planted):
    train, valid = planted(60, 0), planted(60, 1)
    twice = [Dataset(d.x, torch.cat([d.y, y], 1), d.names) for d, y in ((train, torch.zeros(60, 1)), (valid, valid.y))]
    model = compact_model(1, 2, 41, n_tasks=2, widths=(8,), pool=10, stride=4)
    with pytest.warns(UserWarning, match="task 1 has only one class in the training set, so that there is no baseline"):
        history = fit(model, *twice, seed=0, epochs=1, recipe="quiet", positive_weight=1.0, progress=False)
    assert "baseline_auroc" not in history
    assert model.baseline is None


def test_a_rare_class_is_drawn_too(monkeypatch):
    monkeypatch.setattr("rcinterp.training.baseline.MOST", 200)
    x = one_hot(["ACGTACGTAC", "TTTTTGGGGG"] * 300)
    y = torch.zeros(600, 1)
    y[::200] = 1
    data = Dataset(x, y, tuple(map(str, range(600))))
    assert fit_baseline(data, data).weights.shape == (1, 4096)
