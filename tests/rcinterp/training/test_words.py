"""Filters that start from words: the score by a slow fit, words found and not found, and what a model starts as."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from torch import nn

from rcinterp import compact_model, fit, load_motifs, predict, simulate_motifs, triage_palindromes
from rcinterp.data.datasets import Dataset
from rcinterp.data.simulation import simulate_background
from rcinterp.training.baseline import K, count_words
from rcinterp.training.recipes import RECIPES
from rcinterp.training.starts import WORDS_ALONE, WORDS_AND_DRAWN, _choose_start
from rcinterp.training.words import _score_words, find_composition, find_words, prepare_words

MOTIF = "NRF1_known1"


def simulated(n=300, length=100, *, in_negatives=False, seed=0):
    """Give n sequences with a motif and n without it; labels the other way round if it is in the negatives."""
    motif = {MOTIF: load_motifs("encode")[MOTIF]}
    with_motif = simulate_motifs(motif, n, length, seed=seed, mean_instances=1, max_instances=1).x
    x = torch.cat([with_motif, simulate_background(n, length, seed=seed + 1)])
    y = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
    return Dataset(x, 1 - y if in_negatives else y, tuple(f"s{i}" for i in range(2 * n)))


def _drawn(n_layers, rc=True):
    model = compact_model(n_layers, 8, 100, rc=rc)
    RECIPES["seeded"].initialise(model, 100)
    return model


def _codes(data):
    return data.x.argmax(1).numpy()


def test_score_is_that_of_a_slow_least_squares():
    data = simulated(150, 60)
    y = data.y[:, 0].numpy().astype(float)
    found = _score_words(_codes(data), y)
    shares = count_words(data.x, 3).toarray()
    shares = shares[:, shares.any(0)] / shares.sum(1, keepdims=True)
    held = (count_words(data.x, K).toarray() > 0).astype(float)

    def residual(v):
        return v - shares @ np.linalg.lstsq(shares, v, rcond=None)[0]

    left = residual(y)
    n_scored = 0
    for word in np.flatnonzero(held.sum(0) >= 5)[:300]:
        own = residual(held[:, word])
        n_held, n_positive = held[:, word].sum(), held[:, word] @ y
        expected = (held[:, word] @ left) / np.sqrt(own @ own * left.var())
        agrees = (n_positive - n_held / 2) * expected > 0  # half of the sequences are positives
        enough = n_held / 2 >= 4 and (n_positive if expected > 0 else n_held - n_positive) >= 4
        if own @ own > 3 and agrees and enough:
            assert found[word] == pytest.approx(expected, rel=1e-6, abs=1e-9)
            n_scored += 1
        else:
            assert found[word] == 0
    assert n_scored > 50


def test_few_positives_and_words_against_composition_have_no_score():
    """Thirty positives among thousands, without a motif; and every word stands more often in its own class."""
    for seed in range(3):
        x = torch.cat([simulate_background(30, 100, seed=seed), simulate_background(3000, 100, seed=99 + seed)])
        y = torch.cat([torch.ones(30, 1), torch.zeros(3000, 1)])
        assert find_words(Dataset(x, y, tuple(map(str, range(3030)))), 15) == []
    for word in find_words(simulated(), 15):
        held = (count_words(simulated().x, K).toarray()[:, _number(word.letters)] > 0).reshape(2, -1).mean(1)
        assert (held[0] > held[1]) == (word.score > 0)


def _number(word):
    turned = word[::-1].translate(str.maketrans("ACGT", "TGCA"))
    return min(sum("ACGT".index(c) * 4**i for i, c in enumerate(reversed(one))) for one in (word, turned))


def test_a_word_of_several_tasks_is_taken_once():
    data = simulated()
    both = Dataset(data.x, data.y.expand(-1, 3).contiguous(), data.names)
    assert [word.letters for word in find_words(both, 15)] == [word.letters for word in find_words(data, 15)]


def test_padding_of_any_value_is_no_word():
    data = simulated()
    padded = data.x.clone()
    padded[: len(data) // 2, :, :10] = 0.25
    zeros = padded.clone()
    zeros[: len(data) // 2, :, :10] = 0
    words = [find_words(Dataset(x, data.y, data.names), 15) for x in (padded, zeros)]
    assert [str(word) for word in words[0]] == [str(word) for word in words[1]]


def test_no_word_where_classes_differ_by_chance_or_by_composition_alone():
    n_found = 0
    for seed in range(20):
        for gc in (0.4, 0.55):
            x = torch.cat(
                [simulate_background(150, 100, seed=seed), simulate_background(150, 100, seed=99 + seed, gc=gc)]
            )
            y = torch.cat([torch.ones(150, 1), torch.zeros(150, 1)])
            n_found += bool(find_words(Dataset(x, y, tuple(map(str, range(300)))), 15))
    assert n_found <= 3  # of 40; 1.5 % are expected


@pytest.mark.parametrize("in_negatives", [False, True])
def test_the_motif_is_found_in_its_class(in_negatives):
    words = find_words(simulated(in_negatives=in_negatives), 15)
    assert (words[0].score < 0) == in_negatives
    assert abs(words[0].score) > 8
    truth = load_motifs("encode")[MOTIF] - 0.25
    best = max(
        np.corrcoef(one[:, i : i + 8].ravel(), other[:, j : j + 8].ravel())[0, 1]
        for one in (words[0].log_odds, words[0].log_odds[::-1, ::-1])
        for other in (truth,)
        for i in range(8)
        for j in range(truth.shape[1] - 7)
    )
    assert best > 0.85
    np.testing.assert_allclose(words[0].log_odds.sum(0), 0, atol=1e-9)


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("in_negatives", [False, True])
def test_a_model_starts_from_the_word(rc, in_negatives):
    data = simulated(in_negatives=in_negatives)
    model = _drawn(1, rc)
    start = prepare_words(model, data)
    before = model.conv1.weight.detach().clone()
    norms = before.flatten(1).norm(dim=1)
    with start.alone(model, data, 1.0) as taken:
        pass
    n = len(taken) * (1 if rc else 2)
    first = taken.index(start.words[0]) * (1 if rc else 2)
    weight = model.conv1.weight.detach()
    torch.testing.assert_close(weight.flatten(1).norm(dim=1), norms)
    torch.testing.assert_close(weight[n:], before[n:])
    odds = torch.from_numpy(start.words[0].log_odds).float()
    torch.testing.assert_close(weight[first], odds / odds.norm() * norms[first])
    if not rc:
        torch.testing.assert_close(weight[first + 1] / norms[first + 1], weight[first].flip(0, 1) / norms[first])
    read_out = start.read_out.by_channel().detach()
    assert (read_out[:, n:] == 0).all()
    logits = predict(model, data.x)[:, 0]
    # Ready before the first step, and half of the other class does not pass the cut of a single word.
    positives, negatives = logits[data.y[:, 0] == 1], logits[data.y[:, 0] == 0]
    assert (positives[:, None] > negatives).float().mean() > 0.8
    mixed = _drawn(1, rc)
    kept = mixed.conv1.weight.detach().clone()
    prepare_words(mixed, data).apply(data)
    assert (mixed.conv1.weight[4:] == kept[4:]).all()


def _of_composition(n=150, length=100, gc=(0.5, 0.4)):
    x = torch.cat([simulate_background(n, length, seed=i, gc=share) for i, share in enumerate(gc)])
    y = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
    return Dataset(x, y, tuple(f"s{i}" for i in range(2 * n)))


def test_composition_has_filters_where_the_classes_differ_in_it():
    for gc, names in (((0.5, 0.4), ["G+C", "A+T"]), ((0.4, 0.5), ["A+T", "G+C"])):
        data = _of_composition(gc=gc)
        first, second = find_composition(data, 15)
        assert [first.letters, second.letters] == names
        assert first.score == -second.score > 10
        share = data.x[:, 1:3].mean(2).sum(1).double().numpy()
        expected = stats.ttest_ind(share[:150], share[150:], equal_var=False).statistic
        assert first.score == pytest.approx(abs(expected))
        assert (first.log_odds.argmax(0) == (1 if names[0] == "G+C" else 0)).all()
    n_found = sum(bool(find_composition(_of_composition(gc=(0.4, 0.4), length=60 + i), 15)) for i in range(40))
    assert n_found <= 6  # of 40; two are expected at a score of 2


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("read_out", ["weighted_sum", "dense", "separable"])
def test_words_alone_are_weighed_by_a_logistic_regression(rc, read_out):
    data = simulated(in_negatives=True)
    model = compact_model(1, 8, 100, rc=rc, read_out=read_out)
    RECIPES["seeded"].initialise(model, 100)
    start = prepare_words(model, data)
    with start.alone(model, data, 1.0, shifts_frozen=True) as taken:
        logits = predict(model, data.x).double().numpy().ravel()
    silent = start.read_out.by_channel().detach()[:, len(taken) * (1 if rc else 2) :]
    assert (silent == 0).all()
    signs = [start.read_out.by_channel()[:, (1 if rc else 2) * i].sum().sign().item() for i in range(len(taken))]
    assert signs[[word.letters for word in taken].index(start.words[0].letters)] == -1  # a word of the negatives
    # Neither a factor nor a shift of the logits makes a better classifier: they have the size that the labels say.
    y = data.y[:, 0].numpy()
    scale = LogisticRegression(C=1e6).fit(logits[:, None], y)
    assert scale.coef_[0, 0] == pytest.approx(1, abs=0.2)
    assert scale.intercept_[0] == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize(("gc", "kept"), [((0.55, 0.4), True), ((0.4, 0.4), False)])
def test_composition_takes_part_where_it_helps(gc, kept):
    data = _of_composition(gc=gc)
    motif = {MOTIF: load_motifs("encode")[MOTIF]}
    data.x[:150] = simulate_motifs(motif, 150, 100, seed=3, mean_instances=1, max_instances=1, gc=gc[0]).x
    model = _drawn(1)
    start = prepare_words(model, data)
    start = dataclasses.replace(
        start, composition=find_composition(data, model.conv1.weight.shape[2]) or start.composition
    )
    with start.alone(model, data, 1.0) as taken:
        assert [word.letters for word in taken[:2]] == ["G+C", "A+T"] if kept else "G+C" not in map(str, taken)
        assert start.words[0] in taken
    if kept:
        assert triage_palindromes(model.conv1.weight)["triage"][:2].tolist() == ["composition"] * 2


def test_silent_filters_stay_silent_and_learn_again_afterwards():
    data = simulated()
    model = _drawn(1)
    start = prepare_words(model, data)

    def step():
        model.zero_grad()
        model.train()
        loss = nn.functional.binary_cross_entropy_with_logits(model(data.x), data.y)
        loss.backward()
        return model.weighted_sum.weight.grad

    with start.alone(model, data, 1.0) as taken:
        gradient = step()
        assert (gradient[len(taken) :] == 0).all()
        assert (gradient[: len(taken)] != 0).any()
    assert (step()[len(taken) :] != 0).any()


def test_a_read_out_that_is_not_linear_keeps_its_signs():
    class Squashed(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return torch.tanh(3 * self.inner(x))

    data = simulated(in_negatives=True)
    model = Squashed(_drawn(1))
    start = prepare_words(model, data)
    before = model.inner.weighted_sum.weight.detach().clone()
    with start.alone(model, data, 1.0) as taken:
        pass
    expected = torch.tensor([1.0 if word.score > 0 else -1.0 for word in taken])[:, None] * before[: len(taken)]
    torch.testing.assert_close(model.inner.weighted_sum.weight.detach()[: len(taken)], expected)
    assert model.inner.head.bias.item() == 0


def test_a_second_fit_does_not_depend_on_the_first():
    train, valid = simulated(100, 60, in_negatives=True), simulated(60, 60, in_negatives=True, seed=5)
    fresh, used = compact_model(1, 8, 60), compact_model(1, 8, 60)
    settings = {"seed": 0, "epochs": 2, "baseline": False, "progress": False}
    fit(used, train, valid, **settings)
    assert used.head.bias.item() == used.provenance["head_bias_shift"] != 0
    for model in (fresh, used):
        fit(model, train, valid, **settings)
    assert all(torch.equal(value, used.state_dict()[name]) for name, value in fresh.state_dict().items())


def test_words_alone_are_taken_where_validation_cannot_tell():
    small, large = torch.tensor([[1.0]] * 30 + [[0.0]] * 30), torch.tensor([[1.0]] * 3000 + [[0.0]] * 3000)
    aurocs = {WORDS_AND_DRAWN: 0.941, WORDS_ALONE: 0.932}
    assert _choose_start(aurocs, small) == WORDS_ALONE
    assert _choose_start(aurocs, large) == WORDS_AND_DRAWN
    assert _choose_start({WORDS_AND_DRAWN: 0.98, WORDS_ALONE: 0.9}, small) == WORDS_AND_DRAWN
    assert _choose_start({WORDS_AND_DRAWN: 0.9}, small) == WORDS_AND_DRAWN


def test_what_the_user_froze_or_set_stays(tmp_path):
    train, valid = simulated(100, 60, in_negatives=True), simulated(60, 60, in_negatives=True, seed=5)
    settings = {"seed": 0, "epochs": 1, "baseline": False, "progress": False}
    learns = compact_model(1, 8, 60)
    learns.head.requires_grad_(True)
    fit(learns, train, valid, **settings)
    assert learns.head.weight.requires_grad
    assert "head_bias_shift" not in learns.provenance
    turned = compact_model(1, 8, 60)
    turned.head.weight.fill_(-2.0)
    fit(turned, train, valid, **settings)
    assert (turned.head.weight == -2).all()
    own = nn.Sequential(*compact_model(1, 8, 60))  # a user's own model, its frozen bias too
    for _ in range(2):
        history = fit(own, train, valid, **settings)
        assert own[-1].bias.item() == 0
    assert fit(own, train, valid, **settings).equals(history)
    separable = compact_model(1, 8, 60, read_out="separable")
    separable.head.channel_weight.requires_grad_(False)
    fit(separable, train, valid, **settings)


def test_deeper_models_take_words_and_both_signs():
    data = simulated(in_negatives=True)
    model = _drawn(2)
    start = prepare_words(model, data)
    assert not start.can_stand_alone
    before = model.weighted_sum.weight.detach().clone()
    start.apply(data)
    signs = (model.weighted_sum.weight / before).sign()
    assert (signs[::2] == -1).all()
    assert (signs[1::2] == 1).all()
    positives = _drawn(2)
    before = positives.weighted_sum.weight.detach().clone()
    prepare_words(positives, simulated()).apply(simulated())
    torch.testing.assert_close(positives.weighted_sum.weight.detach(), before)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(400, 1)),
        nn.Sequential(nn.Conv1d(4, 8, 5), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1)),
        compact_model(1, 3, 100),
    ],
)
def test_models_without_room_for_words(model):
    assert prepare_words(model, simulated(100)) is None


def test_fit_chooses_by_validation_and_says_so(tmp_path, monkeypatch):
    train, valid = simulated(150, 60), simulated(60, 60, seed=5)
    model = compact_model(1, 8, 60)
    settings = {"seed": 0, "epochs": 2, "baseline": False, "progress": False}
    history = fit(model, train, valid, checkpoint=tmp_path / "run.safetensors", **settings)
    kept = model.provenance
    assert set(kept["starts"]) == {WORDS_AND_DRAWN, WORDS_ALONE}
    assert kept["start"] == _choose_start(kept["starts"], valid.y)
    assert kept["starts"][kept["start"]] == history["valid_auroc"].max()
    assert str(find_words(train, model.architecture.widths[0])[0]) in kept["words"]
    assert {path.name for path in tmp_path.iterdir()} == {"run.safetensors", "run.words-alone.safetensors"}
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    monkeypatch.setattr("rcinterp.training.fitting._train_epoch", None)  # nothing is trained again
    again = fit(compact_model(1, 8, 60), train, valid, checkpoint=tmp_path / "run.safetensors", **settings)
    assert again.equals(history)
    monkeypatch.undo()
    other = compact_model(1, 8, 60)
    fit(other, train, valid, **settings)
    assert all(torch.equal(value, weights[name]) for name, value in other.state_dict().items())
