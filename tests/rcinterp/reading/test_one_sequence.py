"""What a model reads in one sequence: against sums by hand, mutations, and the reverse complement."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from rcinterp.data.sequences import one_hot
from rcinterp.errors import InputError
from rcinterp.reading.functions import find_sites, sequence_contributions
from rcinterp.reading.one_sequence import thin_sites
from rcinterp.reading.reader import Reader
from rcinterp.training.models import compact_model
from rclayers import Conjoined

L = 41


@pytest.fixture
def sequence():
    return "".join(np.random.default_rng(5).choice(list("ACGT"), L))


@pytest.fixture
def rc_model():
    torch.manual_seed(2)
    model = compact_model(1, 3, L, n_tasks=2, widths=(7,), pool=5, stride=5).double().eval()
    with torch.no_grad():
        model.weighted_sum.weight.normal_()
        model.conv1.weight.normal_()
        model.conv1.bias.normal_()
    return model


@pytest.mark.parametrize("method", ["gradient_x_input", "ism"])
def test_of_a_linear_model_contributions_are_exact(sequence, method):
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4 * L, 3)).double()
    weight = linear[1].weight[2].detach().numpy().reshape(4, L)
    found = Reader(linear, target=2).read_sequence(sequence, method=method, with_sites=False)
    x = one_hot([sequence])[0].numpy()
    assert_allclose(found.hypothetical, weight - weight.mean(0), atol=1e-12)
    assert_allclose(found.contributions, (weight - weight.mean(0)) * x, atol=1e-12)
    assert_allclose(found.logit, (weight * x).sum() + linear[1].bias[2].item(), atol=1e-12)
    # what is left is the logit of letters that say nothing
    blank = (weight / 4).sum() + linear[1].bias[2].item()
    assert_allclose(found.contributions.sum(), found.logit - blank, atol=1e-12)
    assert found.sites.empty


def test_ism_is_the_logit_less_the_mean_over_the_letters(rc_model, sequence):
    found = Reader(rc_model, target=1, batch_size=7).read_sequence(sequence, method="ism")
    x = one_hot([sequence]).double()
    for position in range(L):
        logits = []
        for letter in range(4):
            mutant = x.clone()
            mutant[0, :, position] = torch.eye(4, dtype=torch.float64)[letter]
            with torch.no_grad():
                logits.append(rc_model(mutant)[0, 1].item())
        assert_allclose(found.hypothetical[:, position], np.array(logits) - np.mean(logits), atol=1e-12)


@pytest.mark.parametrize("method", ["gradient_x_input", "ism"])
def test_of_an_rc_model_the_reverse_complement_has_the_contributions_turned(rc_model, sequence, method):
    x = one_hot([sequence])[0]
    reader = Reader(rc_model)
    forward, reverse = (reader.read_sequence(one, method=method) for one in (x, x.flip(0, 1)))
    assert np.abs(forward.contributions).max() > 0.1
    assert_allclose(reverse.contributions, forward.contributions[::-1, ::-1], atol=1e-12)
    assert_allclose(reverse.hypothetical, forward.hypothetical[::-1, ::-1], atol=1e-12)
    assert_allclose(reverse.logit, forward.logit, atol=1e-12)
    turned = forward.sites.assign(
        start=L - forward.sites["end"],
        end=L - forward.sites["start"],
        strand=forward.sites["strand"].map({"+": "-", "-": "+"}),
    )
    order = ["filter", "start", "strand"]
    pd.testing.assert_frame_equal(
        reverse.sites.sort_values(order, ignore_index=True), turned.sort_values(order, ignore_index=True)
    )


def test_sites_add_up_to_the_filters_contributions(rc_model, sequence):
    found = Reader(rc_model).read_sequence(sequence)
    added = found.sites.groupby("filter")["site_contribution"].sum()
    whole = sequence_contributions(rc_model, [sequence])[0].numpy()
    assert_allclose([added.get(f"filter_{f}", 0.0) for f in range(3)], whole, atol=1e-12)
    assert found.sites["site_contribution"].abs().is_monotonic_decreasing
    assert (found.sites["end"] - found.sites["start"] == 7).all()


def test_a_site_s_letters_give_the_activation(rc_model, sequence):
    """... on either strand: its place is that of the filter."""
    reader = Reader(rc_model)
    found, activations = reader.read_sequence(sequence), reader.activations([sequence])[0]
    assert set(found.sites["strand"]) == {"+", "-"}
    x = one_hot([sequence])[0].double()
    for site in found.sites.itertuples():
        letters, f = x[:, site.start : site.end], int(site.filter[-1])
        letters = letters if site.strand == "+" else letters.flip(0, 1)
        score = (rc_model.conv1.weight[f] * letters).sum() + rc_model.conv1.bias[f]
        channel = f if site.strand == "+" else 5 - f
        assert float(activations[channel, site.start]) > 0
        assert_allclose(score.item(), activations[channel, site.start].item(), rtol=2e-3)  # batch norm's epsilon


def test_a_model_of_both_strands_has_the_sites_of_both(sequence):
    torch.manual_seed(4)
    one = nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(3 * (L - 4), 1)).double()
    both = Conjoined(one).double()
    found = Reader(both).read_sequence(sequence)
    assert set(found.sites["strand"]) == {"+", "-"}
    added = found.sites.groupby("filter")["site_contribution"].sum()
    whole = sequence_contributions(both, [sequence])[0].numpy()
    assert_allclose([added.get(f"filter_{f}", 0.0) for f in range(3)], whole, atol=1e-9)


def test_a_deeper_layer(sequence):
    torch.manual_seed(6)
    net = nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Conv1d(3, 2, 3), nn.ReLU(), nn.Flatten())
    net = nn.Sequential(*net, nn.Linear(2 * (L - 6), 1)).double()
    found = Reader(net, "2").read_sequence(sequence)
    assert (found.sites["end"] - found.sites["start"] == 7).all()
    added = found.sites.groupby("filter")["site_contribution"].sum()
    whole = sequence_contributions(net, [sequence], "2")[0].numpy()
    assert_allclose([added.get(f"filter_{f}", 0.0) for f in range(2)], whole, atol=1e-12)


def test_where_a_model_pools_first_sites_are_the_best_matches(sequence):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(4, 3, 6), nn.MaxPool1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 9, 1))
    found = Reader(net).read_sequence(sequence)
    assert found.sites["site_contribution"].isna().all()
    columns = ["filter", "start", "end", "strand"]
    pd.testing.assert_frame_equal(found.sites[columns], find_sites(net, [sequence])[columns])


def test_overlapping_sites_of_a_filter_are_shown_once_and_small_ones_not():
    rows = [
        ("a", 10, 20, "+", 1.0),
        ("a", 15, 25, "-", -0.9),
        ("b", 15, 25, "+", -0.5),
        ("a", 20, 30, "+", 0.2),
        ("a", 40, 50, "+", 0.05),
    ]
    sites = pd.DataFrame(rows, columns=["filter", "start", "end", "strand", "site_contribution"])
    kept = thin_sites(sites, 0.1)
    assert kept[["filter", "start"]].values.tolist() == [["a", 10], ["b", 15], ["a", 20]]
    assert thin_sites(sites[:0], 0.1).empty
    assert len(thin_sites(sites.assign(site_contribution=np.nan)[2:], 0.1)) == 3


@pytest.mark.parametrize("shape", [(4, L), (1, 4, L)])
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_a_sequence_comes_in_several_ways(rc_model, sequence, shape, kind):
    x = kind(one_hot([sequence]).numpy().reshape(shape))
    reader = Reader(rc_model)
    found, expected = reader.read_sequence(x), reader.read_sequence(sequence.lower())
    np.testing.assert_array_equal(found.contributions, expected.contributions)
    np.testing.assert_array_equal(found.x, one_hot([sequence])[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["ACGT"], "got list, expected one sequence: letters"),
        (np.zeros(4), r"got shape \(4,\), expected one sequence"),
        (np.eye(4)[None].repeat(2, 0), "got 2 sequences, expected one"),
        (np.eye(4)[:3], "read_sequence"),
        ("peaks.fa", "read_sequence"),
    ],
)
def test_what_is_not_one_sequence_is_refused(rc_model, given, message):
    with pytest.raises(InputError, match=message):
        Reader(rc_model).read_sequence(given)


def test_an_unknown_method_is_refused(rc_model, sequence):
    with pytest.raises(InputError, match="got 'deeplift', expected one of 'gradient_x_input', 'ism'"):
        Reader(rc_model).read_sequence(sequence, method="deeplift")


def test_a_model_without_gradients_is_read_by_mutation(sequence):
    class Silent(nn.Sequential):
        def forward(self, x):
            with torch.no_grad():
                return super().forward(x)

    torch.manual_seed(0)
    layers = nn.Conv1d(4, 3, 6), nn.ReLU(), nn.Flatten(), nn.Linear(3 * (L - 5), 1)
    with pytest.raises(InputError, match=r"gradients cannot be taken .* Use method='ism', which needs none"):
        Reader(Silent(*layers)).read_sequence(sequence)
    found = Reader(Silent(*layers)).read_sequence(sequence, method="ism")
    np.testing.assert_array_equal(
        found.contributions, Reader(nn.Sequential(*layers)).read_sequence(sequence, method="ism").contributions
    )
    assert found.sites["site_contribution"].isna().all()


def test_further_inputs_and_a_model_s_state(sequence):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(4, 2, 5), nn.Linear(2, 1)

        def forward(self, x, control):
            return self.head(torch.relu(self.conv(x)).amax(2)) + control

    torch.manual_seed(0)
    model = Two().train()
    control = torch.tensor([[2.5]])
    for method in ("gradient_x_input", "ism"):
        found = Reader(model, args=(control,)).read_sequence(sequence, method=method)
        with torch.no_grad():
            assert found.logit == pytest.approx(model(one_hot([sequence]), control).item(), rel=1e-5)
        assert model.training
        assert all(parameter.requires_grad for parameter in model.parameters())
