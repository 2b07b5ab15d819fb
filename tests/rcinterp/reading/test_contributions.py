import gc
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from captum.attr import DeepLift, InputXGradient, LayerGradientXActivation
from torch import nn

from rcinterp.errors import InputError
from rcinterp.reading.functions import filter_contributions, input_contributions, sequence_contributions
from rcinterp.reading.logits import profile_score
from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values
from rcinterp.training.models import compact_model
from rclayers import Conjoined

pytestmark = pytest.mark.filterwarnings("ignore:the model ends in a sigmoid")


@pytest.fixture(params=[(True, 1), (True, 2), (False, 1), (False, 2)], ids=["rc-1", "rc-2", "plain-1", "plain-2"])
def model(request):
    """A small model with moved batch-norm statistics, in training mode."""
    rc, n_layers = request.param
    torch.manual_seed(0)
    model = compact_model(n_layers, 3, 41, rc=rc, widths=(8, 5)[:n_layers], pool=10, stride=2, n_tasks=2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.3)
            module.bias.data.normal_()
    return model.double()


def _by_filter(values, rc):
    return values[:, :3] + values.flip(1)[:, :3] if rc else values


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize("at", ["activation", "convolution"])
def test_equals_captum(model, planted, target, layer, at):
    if layer == "conv2" and model.architecture.n_layers == 1:
        with pytest.raises(InputError, match=r"got 'conv2', expected the name of a convolution: 'conv1'"):
            sequence_contributions(model, planted(4, 0).x, layer)
        return
    x = planted(13, 0).x.double()
    module = getattr(model, layer.replace("conv", "relu") if at == "activation" else layer)
    model.eval()
    expected = LayerGradientXActivation(model, module).attribute(x, target=target).sum(-1).detach()
    model.train()
    found = sequence_contributions(model, x, layer, target, at=at, batch_size=5)
    torch.testing.assert_close(found, _by_filter(expected, model.architecture.rc), rtol=0, atol=1e-12)


def test_equals_a_loop_written_from_the_equation(planted):
    """One RC filter layer, one weighted sum: the gradient is the summed weight of the windows that chose a position."""
    torch.manual_seed(1)
    model = compact_model(1, 2, 21, widths=(4,), pool=6, stride=6).double().eval()
    x = planted(3, 0).x[:, :, :21].double()
    with torch.no_grad():
        activation = model.relu1(model.norm1(model.conv1(x)))
    weight = torch.cat([model.weighted_sum.weight, model.weighted_sum.weight.flip(0, 1)])
    expected = torch.zeros(3, 2, dtype=torch.float64)
    for i in range(3):
        for channel in range(4):
            for window in range(3):
                peak = activation[i, channel, 6 * window : 6 * window + 6].max()
                expected[i, min(channel, 3 - channel)] += weight[channel, window] * peak
    torch.testing.assert_close(sequence_contributions(model, x), expected, rtol=0, atol=1e-12)


def test_table(model, planted):
    positives, negatives = planted(14, 0).x[::2], planted(22, 1).x[1::2]
    table = filter_contributions(model, positives, negatives, target=1, batch_size=4)
    assert list(table.columns) == [
        *(
            "filter",
            "contribution",
            "mean_positive",
            "mean_negative",
            "contribution_low",
            "contribution_high",
            "contribution_p",
            "contribution_q",
        ),
        *("active_share", "strand_balance", "layer", "method", "baseline", "cut_at", "cut_reason", "output"),
    ]
    assert table["filter"].tolist() == ["filter_0", "filter_1", "filter_2"]
    for column, x in (("mean_positive", positives), ("mean_negative", negatives)):
        by_sequence = sequence_contributions(model, x, target=1)
        np.testing.assert_allclose(table[column], by_sequence.mean(0), atol=1e-12)
    np.testing.assert_allclose(table["contribution"], table["mean_positive"] - table["mean_negative"], atol=1e-12)
    whole = filter_contributions(model, positives, negatives, target=1, batch_size=1000)
    np.testing.assert_allclose(table["contribution"], whole["contribution"], atol=1e-12)


def test_both_strands_of_a_sequence_contribute_alike_in_an_rc_model(planted):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4).double()
    x = planted(6, 0).x.double()
    torch.testing.assert_close(sequence_contributions(model, x), sequence_contributions(model, x.flip(1, 2)))


def _state(model):
    return (
        [module.training for module in model.modules()],
        [parameter.requires_grad for parameter in model.parameters()],
        [parameter.grad for parameter in model.parameters()],
        [len(module._forward_hooks) for module in model.modules()],
        [buffer.clone() for buffer in model.buffers()],
    )


def _assert_same_state(before, after):
    assert before[:4] == after[:4]
    assert all(torch.equal(one, other) for one, other in zip(before[4], after[4], strict=True))


def test_the_model_comes_back_as_it_was(model, planted):
    model.relu1.eval()
    model.conv1.weight.requires_grad_(False)
    before = _state(model)
    filter_contributions(model, planted(8, 0).x, planted(6, 1).x)
    _assert_same_state(before, _state(model))


def test_the_model_comes_back_even_after_an_error(planted):
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    model = nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), Fails())
    before = _state(model)
    with pytest.raises(InputError, match="RuntimeError: broken"):
        filter_contributions(model, planted(8, 0).x, planted(6, 1).x)
    _assert_same_state(before, _state(model))


def test_a_relu_in_place_and_a_single_output(planted):
    torch.manual_seed(0)
    tail = [nn.MaxPool1d(5), nn.Flatten(), nn.Linear(3 * 7, 1), nn.Flatten(0)]
    convolution = nn.Conv1d(4, 3, 5)
    apart = nn.Sequential(convolution, nn.BatchNorm1d(3), nn.ReLU(), *tail)
    in_place = nn.Sequential(convolution, apart[1], nn.ReLU(inplace=True), *tail)
    x = planted(8, 0).x
    for at in ("activation", "convolution"):
        expected = sequence_contributions(apart, x, at=at)
        torch.testing.assert_close(sequence_contributions(in_place, x, at=at), expected)


def test_one_module_for_two_places_and_none_at_all(planted):
    """Tensors are followed, not modules: a shared ReLU is no riddle, and a layer without one is read where it is."""
    x = planted(4, 0).x
    torch.manual_seed(0)
    relu, first, second = nn.ReLU(), nn.Conv1d(4, 3, 5), nn.Conv1d(3, 3, 5)
    tail = [nn.Flatten(), nn.Linear(3 * 33, 1)]
    shared = nn.Sequential(first, relu, second, relu, *tail)
    apart = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *tail)
    torch.testing.assert_close(sequence_contributions(shared, x), sequence_contributions(apart, x))
    without = nn.Sequential(first, second, nn.ReLU(), *tail)
    table = filter_contributions(without, x[:2], x[2:], n_resamples=10)
    assert set(table["cut_at"]) == {"convolution"}
    assert set(table["cut_reason"]) == {"no nonlinearity follows it before it goes into conv1d"}
    torch.testing.assert_close(sequence_contributions(without, x), sequence_contributions(without, x, at="convolution"))


def test_a_layer_that_is_not_used_is_refused(planted):
    class Unused(nn.Sequential):
        def forward(self, x):
            return x.sum((1, 2))

    with pytest.raises(InputError, match=r"has no nn\.Conv1d"):
        sequence_contributions(Unused(nn.Conv1d(4, 3, 5), nn.ReLU()), planted(4, 0).x)
    with pytest.raises(InputError, match="did not use '0'"):
        sequence_contributions(Unused(nn.Conv1d(4, 3, 5), nn.ReLU()), planted(4, 0).x, "0")


def test_works_where_gradients_are_switched_off(model, planted):
    x = planted(6, 0).x
    expected = sequence_contributions(model, x)
    with torch.no_grad():
        torch.testing.assert_close(sequence_contributions(model, x), expected)


def test_memory_does_not_grow_with_the_number_of_sequences(planted):
    """Every tensor of a map's size that lives after a batch was there after the first one."""
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    alive = []
    gc.collect()
    gc.freeze()  # what was there before is not looked at

    def count(*_):
        gc.collect()
        tensors = (thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor))
        alive.append(sum(1 for tensor in tensors if tensor.numel() > 500))

    handle = model.head.register_forward_hook(count)
    filter_contributions(model, planted(60, 0).x, planted(60, 1).x, batch_size=10)
    handle.remove()
    gc.unfreeze()
    assert len(alive) >= 12
    first, second = alive[-12:-6], alive[-6:]  # the batches of either class, after some trials
    assert max(first[1:]) <= first[1] + 1
    assert max(second[1:]) <= second[1] + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 2}, "got 2, expected 0 to 1: the model has 2 outputs"),
        ({"at": "relu"}, "got 'relu', expected 'activation' or 'convolution'"),
        ({"method": "shap"}, "method: got 'shap', expected one of 'gradient_x_activation', 'ablation'"),
        ({"baseline": "max"}, "baseline: got 'max', expected 'zero' or 'mean'"),
        ({"device": "nowhere"}, "device: got 'nowhere', which cannot be used here .* expected 'cpu'"),
        ({"n_resamples": 0}, "n_resamples: got 0, expected a whole number"),
        ({"args": torch.zeros(8, 2)}, r"args: got Tensor, expected a tuple of tensors.*args=\(controls,\)"),
        ({"args": (torch.zeros(7, 2),)}, r"args: input 0 is \(7, 2\), expected a tensor of 8 rows"),
        ({"args": (torch.zeros(8, 2),)}, r"cannot be run on inputs of shape \(3, 4, 41\), \(3, 2\)"),
        ({"batch_size": 0}, "batch_size: got 0, expected a whole number of at least 1"),
        ({"seed": -1}, "seed: got -1, expected a whole number of at least 0"),
        ({"layer": "conv9"}, "got 'conv9', expected the name of a convolution: 'conv1'"),
    ],
)
def test_bad_arguments(planted, arguments, message):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=2, n_tasks=2)
    with pytest.raises(InputError, match=message):
        filter_contributions(model, planted(4, 0).x, planted(4, 1).x, **arguments)


def _silenced(model, x, f, value=0.0, layer="relu1"):
    """Logits with a filter's channels set to a value by hand."""

    def silence(_, __, output):
        output = output.clone()
        output[:, [f, -1 - f] if model.architecture.rc else [f]] = value
        return output

    handle = getattr(model, layer).register_forward_hook(silence)
    with torch.no_grad():
        logits = model(x)
    handle.remove()
    return logits


@pytest.mark.parametrize("target", [0, 1])
def test_ablation_equals_silencing_by_hand(model, planted, target):
    x = planted(7, 0).x.double()
    model.eval()
    with torch.no_grad():
        whole = model(x)
    expected = torch.stack([(whole - _silenced(model, x, f))[:, target] for f in range(3)], 1)
    found = sequence_contributions(model, x, target=target, method="ablation", batch_size=3)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_ablation_to_the_mean_over_negatives(planted):
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, rc=False, widths=(8,), pool=10, stride=2).double().eval()
    positives, negatives = planted(6, 0).x.double(), planted(11, 1).x.double()
    activations = []
    handle = model.relu1.register_forward_hook(lambda _, __, output: activations.append(output))
    with torch.no_grad():
        losses = [model(x) for x in (positives, negatives)]
    handle.remove()
    mean = activations[1].mean((0, 2))
    found = filter_contributions(model, positives, negatives, method="ablation", baseline="mean", n_resamples=10)
    for f in range(3):
        expected = [
            (z - _silenced(model, x, f, mean[f])).mean() for z, x in zip(losses, (positives, negatives), strict=True)
        ]
        np.testing.assert_allclose(found.loc[f, ["mean_positive", "mean_negative"]].tolist(), expected, atol=1e-12)


class _Copy(nn.Module):
    def forward(self, x):
        return x.clone()


def _above(model, x):
    """Activations after the first ReLU, and the rest of the model by itself."""
    names = [name for name, _ in model.named_children()]
    cut = names.index("relu1") + 1
    with torch.no_grad():
        return model[:cut](x), model[cut:]


def test_integrated_gradients_equal_a_fine_sum(model, planted):
    x = planted(5, 0).x.double()
    activation, rest = _above(model.eval(), x)
    total = torch.zeros_like(activation)
    n_steps = 400
    for step in range(n_steps):
        point = (activation * (step + 0.5) / n_steps).requires_grad_()
        total += torch.autograd.grad(rest(point)[:, 1].sum(), point)[0] / n_steps
    expected = _by_filter((total * activation).sum(-1), model.architecture.rc)
    found = sequence_contributions(model, x, target=1, method="integrated_gradients", batch_size=3)
    torch.testing.assert_close(found, expected, rtol=0.02, atol=2e-3)
    with torch.no_grad():
        difference = rest(activation)[:, 1] - rest(torch.zeros_like(activation))[:, 1]
    torch.testing.assert_close(found.sum(1), difference, rtol=0.05, atol=5e-3)


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_deeplift_equals_captum_on_the_rest_of_the_model(rc, n_layers, others, planted):
    """Windows side by side: captum's rule for pooling windows that overlap does not add up."""
    torch.manual_seed(0)
    model = compact_model(n_layers, 3, 41, rc=rc, widths=(8, 5)[:n_layers], pool=5, stride=5, n_tasks=2).double()
    others.with_moved_statistics(model)
    x = planted(5, 0).x.double()
    activation, rest = _above(model.eval(), x)
    apart = nn.Sequential()  # a copy between ReLU and pooling, without which captum takes the pooling's plain gradient
    for name, module in rest.named_children():
        if name == "pool":
            apart.append(_Copy())
        apart.append(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, on its hooks
        found = DeepLift(apart).attribute(activation, torch.zeros_like(activation), target=1).sum(-1).detach()
    expected = _by_filter(found, rc)
    found = sequence_contributions(model, x, target=1, method="deeplift", batch_size=2)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    with torch.no_grad():
        difference = rest(activation)[:, 1] - rest(torch.zeros_like(activation))[:, 1]
    torch.testing.assert_close(found.sum(1), difference, rtol=0, atol=1e-9)


@pytest.mark.parametrize("layer", ["0", "4", "8"])
def test_deeplift_adds_up_where_a_pooling_follows_a_relu(layer, others, dna):
    torch.manual_seed(0)
    model, x = others.with_moved_statistics(others.basset()).double(), dna(6, 100, 0)
    found = sequence_contributions(model, x, layer, method="deeplift")
    activation = {"0": 2, "4": 6, "8": 10}[layer] + 1
    with torch.no_grad():
        rest, above = model[activation:], model[:activation](x.double())
        difference = (rest(above) - rest(torch.zeros_like(above)))[:, 0]
    torch.testing.assert_close(found.sum(1), difference, rtol=0, atol=1e-9)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_deeplift_refuses_functional_nonlinearities(others, dna):
    torch.manual_seed(0)
    model = others.with_moved_statistics(others.DeepSEA())
    with pytest.raises(InputError, match=r"'deeplift': the contributions miss.*or method='integrated_gradients'"):
        sequence_contributions(model, dna(8, 100, 0), method="deeplift")


def test_error_bars_are_those_of_the_contributions(model, planted):
    positives, negatives = planted(14, 0).x[::2], planted(22, 1).x[1::2]
    table = filter_contributions(model, positives, negatives, seed=5)
    here, there = (sequence_contributions(model, x).numpy() for x in (positives, negatives))
    interval = bootstrap_difference(here, there, seed=5)
    np.testing.assert_allclose(table[["contribution_low", "contribution_high"]], np.transpose(interval), atol=1e-12)
    np.testing.assert_allclose(table["contribution_p"], permutation_p_values(here, there, seed=5))
    assert (table["contribution_q"] >= table["contribution_p"]).all()
    how = table[["layer", "method", "baseline", "cut_at", "cut_reason"]].drop_duplicates()
    assert how.to_numpy().tolist() == [["conv1", "gradient_x_activation", "zero", "activation", ""]]
    assert not table.attrs
    pd.testing.assert_frame_equal(table, filter_contributions(model, positives, negatives, seed=5))


def test_active_share_and_strand_balance_by_hand(dna):
    """One RC filter that sees "AAAA" alone: on A's the forward channel acts, on T's the reverse, else none."""
    model = compact_model(1, 1, 12, widths=(4,), pool=9, stride=9).eval()
    with torch.no_grad():
        model.conv1.weight.fill_(-10.0)
        model.conv1.weight[0, 0] = 1.0
        model.norm1.bias.fill_(-3.5)
        model.weighted_sum.weight.fill_(1.0)
    positives = ["CCAAAACCCCCC", "CCCAAAACCCCC", "CCTTTTCCCCCC", "CCCCCCCCCCCC"]
    table = filter_contributions(model, positives, ["CCCCCCCCCCGG", "CGCGCGCGCGCG"], n_resamples=10)
    assert table["active_share"][0] == pytest.approx(3 / 6)
    assert table["strand_balance"][0] == pytest.approx(2 / 3)
    by_ablation = filter_contributions(model, positives, ["CCCCCCCCCCGG"], method="ablation", n_resamples=10)
    assert np.isnan(by_ablation["strand_balance"][0])
    plain = compact_model(1, 1, 12, rc=False, widths=(4,), pool=9, stride=9)
    assert np.isnan(filter_contributions(plain, positives, ["CCCCCCCCCCGG"], n_resamples=10)["strand_balance"][0])


@pytest.mark.parametrize("method", ["gradient_x_activation", "ablation", "integrated_gradients"])
def test_models_of_others(others, dna, method):
    """Shapes, outputs and inputs of any kind; profile and counts through func, control tracks through args."""
    torch.manual_seed(0)
    positives, negatives = dna(6, 100, 0), dna(5, 100, 1)
    controls = torch.rand(11, 2, 100)
    cases = [
        (others.basset(), {"target": 2}),
        (others.DeepSEA(), {"target": 2}),
        (others.BPNet(), {"func": lambda y: y[1], "args": (controls,)}),
        (others.BPNet(), {"func": lambda y: y[0], "target": 1}),
        (others.BPNet(), {"func": lambda y: profile_score(y[0])}),
        (others.ResidualStem(), {"func": lambda y: y["human"], "target": 1}),
        (others.Wrapped(others.basset()), {}),
        (Conjoined(others.basset()), {"target": 1}),
    ]
    for model, how in cases:
        model = others.with_moved_statistics(model).double()
        table = filter_contributions(model, positives, negatives, method=method, n_resamples=20, **how)
        assert len(table) == 6
        assert table["contribution"].abs().sum() > 0, how
        last = next(name for name, module in reversed(list(model.named_modules())) if "Conv" in type(module).__name__)
        if not isinstance(model, others.BPNet):
            deep = filter_contributions(model, positives, negatives, last, method=method, n_resamples=20, **how)
            assert deep["contribution"].abs().sum() > 0


def test_conjoined_contributions_are_those_of_both_strands(others, dna):
    torch.manual_seed(0)
    inner, x = others.with_moved_statistics(others.basset()).double(), dna(5, 100, 0)
    expected = (sequence_contributions(inner, x) + sequence_contributions(inner, x.flip(1, 2))) / 2
    torch.testing.assert_close(sequence_contributions(Conjoined(inner), x), expected)
    torch.testing.assert_close(sequence_contributions(others.Wrapped(inner), x), expected)


@pytest.mark.parametrize("kind", [torch.bool, torch.int8, torch.float64])
def test_one_hot_of_any_type(kind, others, dna):
    torch.manual_seed(0)
    model, x = others.with_moved_statistics(others.basset()), dna(4, 100, 0)
    torch.testing.assert_close(sequence_contributions(model, x.to(kind)), sequence_contributions(model, x))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision(kind, others, dna):
    torch.manual_seed(0)
    model, x = others.with_moved_statistics(others.basset()), dna(60, 100, 0)
    expected = sequence_contributions(model, x)
    found = sequence_contributions(model.to(kind), x)
    assert found.dtype == torch.float64
    assert torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1] > 0.98
    assert torch.corrcoef(torch.stack([expected.mean(0), found.mean(0)]))[0, 1] > 0.998


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("device", [None, "cuda"])
def test_on_cuda_as_on_the_cpu(device, others, dna):
    torch.manual_seed(0)
    model, x = others.with_moved_statistics(others.basset()).double(), dna(6, 100, 0)
    expected = sequence_contributions(model, x, device="cpu")
    torch.testing.assert_close(sequence_contributions(model, x, device=device), expected)
    assert next(model.parameters()).device.type == "cpu"


def test_a_dict_without_a_function_is_refused_by_its_keys(others, dna):
    with pytest.raises(InputError, match=r"returned dict with 'human', 'embedding'.*func=lambda"):
        filter_contributions(others.ResidualStem(), dna(3, 100, 0), dna(3, 100, 1))
    with pytest.raises(InputError, match=r"returned tuple, expected one tensor.*func=lambda y: y\[1\]"):
        filter_contributions(others.BPNet(), dna(3, 100, 0), dna(3, 100, 1))


def test_input_contributions_equal_captums(others, dna):
    torch.manual_seed(0)
    model, x = others.with_moved_statistics(others.basset()), dna(5, 100, 0)
    expected = InputXGradient(model).attribute(x.clone().requires_grad_(), target=2).detach()
    found = input_contributions(model, x, 2, batch_size=2)
    torch.testing.assert_close(found, expected)
    assert found.shape == (5, 4, 100)
    assert (found[x == 0] == 0).all()
    hypothetical = input_contributions(model, x, 2, hypothetical=True)
    (gradient,) = torch.autograd.grad(model(z := x.clone().requires_grad_())[:, 2].sum(), z)
    torch.testing.assert_close(hypothetical, gradient - gradient.mean(1, keepdim=True))
    assert hypothetical.sum(1).abs().max() < 1e-6


def test_a_filter_is_not_credited_with_what_is_added_to_it(dna):
    """A filter of zeros beside another, summed before the ReLU, contributes nothing."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Conv1d(4, 5, 7), nn.Conv1d(4, 5, 7), nn.Linear(5, 1)
            nn.init.zeros_(self.a.weight)
            nn.init.zeros_(self.a.bias)

        def forward(self, x):
            return self.head(torch.relu(self.a(x) + self.b(x)).amax(2))

    torch.manual_seed(0)
    model, x = Two(), dna(6, 30, 0)
    for method in ("gradient_x_activation", "ablation", "integrated_gradients"):
        assert (sequence_contributions(model, x, "a", method=method) == 0).all()
        assert (sequence_contributions(model, x, "b", method=method) != 0).any()


def test_channels_last_with_as_many_positions_as_filters(dna):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.head = nn.Conv1d(4, 20, 7), nn.LayerNorm(20), nn.Linear(20, 1)
            with torch.no_grad():
                self.head.weight[0, 1:] = 0

        def forward(self, x):
            return self.head(torch.nn.functional.gelu(self.norm(self.conv(x).transpose(1, 2))).mean(1))

    torch.manual_seed(0)
    found = sequence_contributions(Last(), dna(5, 26, 0))
    assert (found[:, 0] != 0).all()
    assert (found[:, 1:] == 0).all()


@pytest.mark.parametrize("method", ["gradient_x_activation", "ablation", "integrated_gradients"])
@pytest.mark.parametrize("at", ["activation", "convolution"])
def test_in_place_or_not_is_the_same(method, at, dna):
    class Stem(nn.Module):
        def __init__(self, inplace):
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.norm, self.act = nn.Conv1d(4, 5, 7), nn.BatchNorm1d(5), nn.ReLU(inplace=inplace)
            self.next, self.head = nn.Conv1d(5, 5, 3, padding=1), nn.Linear(5, 1)

        def forward(self, x):
            x = self.act(self.norm(self.stem(x)))
            return self.head((x + torch.nn.functional.gelu(self.next(x))).mean(2)).sigmoid()

    positives, negatives = dna(6, 30, 0), dna(5, 30, 1)
    tables = [
        filter_contributions(Stem(inplace), positives, negatives, method=method, baseline="mean", at=at, n_resamples=10)
        for inplace in (False, True)
    ]
    pd.testing.assert_frame_equal(*tables)
    assert set(tables[1]["cut_at"]) == {at}


def test_contributions_that_are_not_finite_are_refused(planted):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    with torch.no_grad():
        model.weighted_sum.weight[1] = torch.nan
    with pytest.raises(InputError, match="contribution of filter_1 is not finite on some sequences"):
        filter_contributions(model, planted(4, 0).x, planted(4, 1).x)


def test_negatives_of_another_length_are_told_in_one_line(planted):
    model = nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 37, 1))
    with pytest.raises(InputError, match=r"cannot be run on inputs of shape \(1, 4, 39\)"):
        filter_contributions(model, planted(4, 0).x, planted(4, 1).x[:, :, 1:-1])


def test_as_many_permutations_as_the_docstring_says(planted):
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    positives, negatives = planted(9, 0).x, planted(9, 1).x
    here, there = (sequence_contributions(model, x).numpy() for x in (positives, negatives))
    for n_resamples, n in ((10, 120), (2000, 2000)):
        table = filter_contributions(model, positives, negatives, n_resamples=n_resamples)
        np.testing.assert_allclose(table["contribution_p"], permutation_p_values(here, there, seed=0, n_permutations=n))


def test_deeplift_leaves_nothing_on_the_model(others, dna):
    torch.manual_seed(0)
    model = others.with_moved_statistics(others.basset())
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    sequence_contributions(model, dna(4, 100, 0), method="deeplift")
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before


@pytest.mark.filterwarnings("always")
def test_what_makes_contributions_doubtful_is_told_once(planted):
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4, n_tasks=2)
    positives, negatives = planted(12, 0).x, planted(12, 1).x

    def told(*classes, **options):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            filter_contributions(model, *classes, **options)
        return [str(one.message) for one in seen]

    assert told(positives[:3], negatives) == [
        "filter_contributions: the contributions of 3 filters have no 95 % interval: a class has fewer than 10 "
        "sequences; give more sequences."
    ]
    (of_both,) = told(positives[:3], negatives, target=[0, 1])
    assert of_both.startswith("filter_contributions: the contributions of 6 filters have no 95 % interval")
    shared = told(torch.cat([positives, positives[:2]]), torch.cat([negatives, positives[:3]]))
    assert [message.split(" stand")[0] for message in shared if "stand" in message] == [
        "filter_contributions: 3 sequences",
        "filter_contributions: 2 sequences of the positives",
    ]
    same = told(positives, positives, target=[0, 1])
    assert sum("12 sequences stand both in the positives and in the negatives" in message for message in same) == 1
