import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.nn import functional

from rclayers import (
    Conjoined,
    RCBatchNorm1d,
    RCConv1d,
    RCDropout,
    RCDropout1d,
    RCLinear,
    RCMaxPool1d,
    SeparableLinear,
    SymmetryError,
    WeightedSum1d,
    to_rc,
)
from rclayers.testing import assert_rc_equivariant, check_rc


def basset(n_tasks=3):
    """Basset's layers with a tenth of its filters, for 264 bp."""
    return nn.Sequential(
        *(nn.Conv1d(4, 30, 19), nn.BatchNorm1d(30), nn.ReLU(), nn.MaxPool1d(3)),
        *(nn.Conv1d(30, 20, 11), nn.BatchNorm1d(20), nn.ReLU(), nn.MaxPool1d(4)),
        *(nn.Conv1d(20, 21, 7), nn.BatchNorm1d(21), nn.ReLU(), nn.MaxPool1d(4)),
        *(nn.Flatten(), nn.Linear(21 * 3, 37), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(37, 11), nn.ReLU(), nn.Dropout(0.3), nn.Linear(11, n_tasks)),
    )


class DeepSEA(nn.Module):
    """DeepSEA as Selene writes it, with fewer filters, for 202 bp: two stacks, and a reshape in the code."""

    def __init__(self):
        super().__init__()
        self.conv_net = nn.Sequential(
            *(nn.Conv1d(4, 12, 8), nn.ReLU(inplace=True), nn.Conv1d(12, 12, 8), nn.ReLU(inplace=True)),
            *(nn.MaxPool1d(4, 4), nn.BatchNorm1d(12), nn.Dropout(0.2)),
            *(nn.Conv1d(12, 14, 8), nn.ReLU(inplace=True), nn.Conv1d(14, 14, 9), nn.ReLU(inplace=True)),
            *(nn.BatchNorm1d(14), nn.Dropout(0.5)),
        )
        self.classifier = nn.Sequential(
            nn.Linear(14 * 32, 9), nn.ReLU(), nn.BatchNorm1d(9), nn.Linear(9, 5), nn.Sigmoid()
        )

    def forward(self, x):
        out = self.conv_net(x)
        return self.classifier(out.view(out.size(0), 14 * 32))


def bpnet():
    """A dilated stack with global pooling, nested, with names."""
    dilated = (layer for i in range(1, 5) for layer in (nn.Conv1d(10, 10, 3, padding="same", dilation=2**i), nn.ReLU()))
    return nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(nn.Conv1d(4, 10, 21, padding=10), nn.ReLU()),
            dilated=nn.Sequential(*dilated),
            pool=nn.AdaptiveAvgPool1d(1),
            flat=nn.Flatten(),
            head=nn.Linear(10, 2),
        )
    )


STACKS = {"basset": (basset, 264), "deepsea": (DeepSEA, 202), "bpnet": (bpnet, 97)}


@pytest.mark.parametrize("copy_weights", [False, True])
@pytest.mark.parametrize("name", STACKS)
def test_the_twin_is_invariant_and_the_model_left_as_it_is(name, copy_weights):
    make, length = STACKS[name]
    torch.manual_seed(0)
    model = make()
    before = copy.deepcopy(model.state_dict())
    assert not check_rc(model, length)
    twin = to_rc(model, length, copy_weights=copy_weights)
    report = check_rc(twin, length)
    assert report, report
    assert twin.training
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])
    x = torch.rand(3, 4, length)
    assert twin(x).shape == model(x).shape


@pytest.mark.parametrize("name", ["basset", "bpnet"])
def test_as_many_channels_or_as_many_filters(name):
    make, length = STACKS[name]
    plain = [m for m in make().modules() if isinstance(m, nn.Conv1d)]
    if name == "basset":
        with pytest.raises(
            ValueError, match=r"to_rc: cannot turn 8 \(Conv1d\): keep='channels' halves its 21 channels.* use 20 or 22"
        ):
            to_rc(make(), length, keep="channels")
        return
    for keep, factor in (("filters", 2), ("channels", 1)):
        twin = to_rc(make(), length, keep=keep)
        convolutions = [m for m in twin.modules() if isinstance(m, RCConv1d)]
        assert [2 * m.n_filters for m in convolutions] == [factor * m.out_channels for m in plain]
        assert check_rc(twin, length)


def test_names_and_layers_of_the_twin():
    twin = to_rc(DeepSEA(), 202)
    kinds = {name: type(module).__name__ for name, module in twin.named_modules()}
    assert kinds["conv_net.0"] == "RCConv1d"
    assert kinds["conv_net.4"] == "RCMaxPool1d"
    assert kinds["conv_net.5"] == "RCBatchNorm1d"
    assert kinds["conv_net.6"] == "RCDropout"
    assert kinds["conv_net.flatten"] == "Strandwise"
    assert kinds["classifier.0"] == "RCLinear"
    assert kinds["classifier.2"] == "BatchNorm1d"
    assert kinds["classifier.4"] == "Sigmoid"


def test_a_copied_twin_of_one_dense_layer_is_the_conjoined_model(one_hot):
    torch.manual_seed(0)
    model = bpnet().double()
    model.stem.insert(1, nn.BatchNorm1d(10).double())
    for _ in range(3):
        model(one_hot(5, 97))  # running statistics
    model.eval()
    twin = to_rc(model, 97, copy_weights=True)
    assert not twin.training
    x = one_hot(7, 97, seed=1)
    torch.testing.assert_close(twin(x), Conjoined(model)(x), rtol=0, atol=1e-12)
    assert (twin(x) - to_rc(model, 97)(x)).abs().max() > 1e-3  # drawn anew


def test_a_copied_twin_s_first_dense_layer_has_the_mean_of_both_strands(one_hot):
    torch.manual_seed(0)
    model = basset().double().eval()
    twin = to_rc(model, 264, copy_weights=True)
    x = one_hot(3, 264)
    torch.testing.assert_close(twin[:14](x), Conjoined(model[:14])(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(twin(x), model[14:](Conjoined(model[:14])(x)), rtol=0, atol=1e-12)


def test_all_weights_of_a_twin_are_drawn_anew_and_trainable():
    model = basset()
    model[16].requires_grad_(False)
    torch.manual_seed(0)
    twin = to_rc(model, 264)
    assert (twin[16].weight != model[16].weight).any()
    assert all(parameter.requires_grad for parameter in twin.parameters())
    torch.manual_seed(0)
    again = to_rc(model, 264)
    assert all(torch.equal(a, b) for a, b in zip(twin.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize("copy_weights", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
def test_weighted_sums_and_separable_layers(one_hot, copy_weights, symmetric):
    heads = (
        [WeightedSum1d(5, 8, symmetric), nn.Linear(5, 2)],
        [WeightedSum1d(5, 8, symmetric, bias=True), nn.Linear(5, 2)],
        [SeparableLinear(5, 8, 2, symmetric=symmetric, bias=True)],
        [SeparableLinear(5, 8, 2, symmetric=symmetric)],
    )
    for head in heads:
        model = nn.Sequential(nn.Conv1d(4, 5, 4), nn.PReLU(), nn.AvgPool1d(2), *head).double().eval()
        with torch.no_grad():
            for weights in model.parameters():  # no numbers of float32
                weights.add_(torch.rand_like(weights) / 3)
        twin = to_rc(model, 19, copy_weights=copy_weights)
        assert check_rc(twin, 19)
        if copy_weights:
            x = one_hot(3, 19)
            torch.testing.assert_close(twin(x), Conjoined(model)(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("biased", [False, True])
def test_biases_are_kept(biased):
    sum_and_head = [WeightedSum1d(5, 8, bias=biased), nn.Linear(5, 2, bias=biased)]
    for head in (sum_and_head, [SeparableLinear(5, 8, 2, bias=biased)]):
        twin = to_rc(nn.Sequential(nn.Conv1d(4, 5, 4, bias=biased), nn.AvgPool1d(2), *head), 19)
        assert {layer.bias is not None for layer in (twin[0], *twin[2:])} == {biased}


@pytest.mark.parametrize("copy_weights", [False, True])
def test_a_slope_that_is_learned_is_copied_or_drawn_anew(copy_weights):
    model = nn.Sequential(nn.Conv1d(4, 5, 4), nn.PReLU(init=0.25), nn.Flatten(), nn.Linear(80, 2))
    with torch.no_grad():
        model[1].weight.fill_(0.7)
    slope = to_rc(model, 19, copy_weights=copy_weights)[1].weight
    assert slope.item() == pytest.approx(0.7 if copy_weights else 0.25)
    with torch.no_grad():
        slope.fill_(0.1)
    assert model[1].weight.item() == pytest.approx(0.7)  # not shared


def test_sizes_of_convolution_batch_norm_and_pooling_are_kept():
    model = nn.Sequential(
        nn.Conv1d(4, 5, 4, stride=3, padding=2, dilation=2, bias=False), nn.BatchNorm1d(5, eps=0.2, momentum=0.3)
    )
    twin = to_rc(model, 33)
    conv, norm = twin
    assert (conv.stride, conv.padding, conv.dilation, conv.bias) == (3, 2, 2, None)
    assert isinstance(norm, RCBatchNorm1d)
    assert (norm.eps, norm.momentum, norm.num_features) == (0.2, 0.3, 5)
    assert_rc_equivariant(twin.double(), torch.rand(2, 4, 33, dtype=torch.float64))  # no head: a map
    pool = to_rc(nn.Sequential(nn.Conv1d(4, 5, 4), nn.MaxPool1d(6, 3), nn.Dropout1d(0.1), nn.Dropout(0.2)), 33)
    assert isinstance(pool[1], RCMaxPool1d)
    assert (pool[1].kernel_size, pool[1].stride) == (6, 3)
    assert isinstance(pool[2], RCDropout1d)
    assert isinstance(pool[3], RCDropout)
    assert (pool[2].p, pool[3].p) == (0.1, 0.2)


def test_pooling_to_several_positions_and_norm_of_the_letters():
    model = nn.Sequential(
        nn.BatchNorm1d(4), nn.Conv1d(4, 5, 4), nn.AdaptiveMaxPool1d(7), nn.Flatten(), nn.Dropout(), nn.Linear(35, 1)
    )
    assert check_rc(to_rc(model, 41), 41)


def test_a_model_of_the_letters_alone():
    twin = to_rc(nn.Sequential(nn.Flatten(), nn.Linear(4 * 11, 2)), 11)
    assert check_rc(twin, 11)
    assert isinstance(twin[1], RCLinear)


def test_a_single_layer_and_a_shared_activation():
    assert isinstance(to_rc(nn.Conv1d(4, 3, 5), 11).Conv1d, RCConv1d)
    relu = nn.ReLU()
    model = nn.Sequential(nn.Conv1d(4, 3, 5), relu, nn.Conv1d(3, 3, 5), relu, nn.Flatten(), nn.Linear(3 * 13, 1))
    twin = to_rc(model, 21)
    assert check_rc(twin, 21)
    activations = [module for module in twin.modules() if isinstance(module, nn.ReLU)]
    assert len(activations) == 2  # one instance a use


def test_in_the_model_s_precision(one_hot):
    twin = to_rc(bpnet().double(), 97)
    assert {p.dtype for p in twin.parameters()} == {torch.float64}
    assert twin(one_hot(2, 97)).dtype == torch.float64


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(6, 6, 3, padding=1)

    def forward(self, x):
        return x + self.conv(x)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(4, 6, 3), nn.Conv1d(6, 6, 3)

    def forward(self, x):
        return self.conv2(functional.relu(self.conv1(x)))


class Crossed(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs, self.norms = nn.ModuleList([nn.Conv1d(4, 6, 3), nn.Conv1d(6, 6, 3)]), nn.BatchNorm1d(6)

    def forward(self, x):
        return self.convs[1](self.norms(self.convs[0](x)))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.attention = nn.Conv1d(4, 30, 3), nn.TransformerEncoderLayer(28, 2, 8)

    def forward(self, x):
        return self.attention(self.conv(x))


def _after_conv(*layers):
    return nn.Sequential(OrderedDict(body=nn.Sequential(nn.Conv1d(4, 6, 3), *layers)))


SHARED = nn.Conv1d(6, 6, 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            _after_conv(nn.LSTM(28, 5)),
            r"cannot turn body.1 \(LSTM\): it returns tuple. Recurrent .* rclayers.Strandwise",
        ),
        (
            _after_conv(nn.LocalResponseNorm(2)),
            r"cannot turn body.1 \(LocalResponseNorm\): expected Conv1d, Batch.*hand",
        ),
        (_after_conv(nn.LayerNorm(28)), r"cannot turn body.1 \(LayerNorm\): .* rclayers.Strandwise"),
        (_after_conv(nn.Softmax(1)), r"cannot turn body.1 \(Softmax\)"),
        (Attention(), r"cannot turn attention \(TransformerEncoderLayer\)"),
        (_after_conv(nn.Conv1d(6, 6, 3, groups=2)), r"cannot turn body.1 \(Conv1d\): groups=2, .* use groups=1"),
        (_after_conv(nn.Conv1d(6, 6, 3, padding=1, padding_mode="circular")), "body.1 .*: padding_mode='circular'"),
        (_after_conv(nn.BatchNorm1d(6, affine=False)), "body.1 .*: affine=False or track_running_stats=False"),
        (_after_conv(nn.MaxPool1d(3, ceil_mode=True)), "body.1 .*: expected a pooling without padding, dilation, ceil"),
        (_after_conv(nn.MaxPool1d(3, dilation=2)), "body.1 .*: expected a pooling without padding, dilation"),
        (_after_conv(nn.AvgPool1d(4, padding=1)), "body.1 .*: expected a pooling without padding"),
        (_after_conv(nn.PReLU(6)), r"body.1 \(PReLU\): it has a slope for each channel; use nn.PReLU\(1\)"),
        (_after_conv(nn.Flatten(2)), r"body.1 \(Flatten\): start_dim=2, end_dim=-1, expected 1 and -1"),
        (_after_conv(nn.Linear(28, 5)), r"body.1 \(Linear\): it acts on the positions of a map; put nn.Flatten before"),
        (_after_conv(nn.Flatten(), nn.BatchNorm1d(168)), r"body.2 \(BatchNorm1d\): it stands between Flatten and the"),
        (_after_conv(SHARED, SHARED), r"body.1 \(Conv1d\): it is called twice, .*; give each its own layer"),
        (_after_conv(SeparableLinear(3, 28, 5, rc=True)), r"body.1 \(SeparableLinear\): it reads both strands already"),
        (nn.Sequential(RCConv1d(4, 3, 5)), r"cannot turn 0 \(RCConv1d\): it treats both strands alike already"),
        (_after_conv(Residual()), r"between body.1.conv and its output the model computes .* rclayers.RCResidual"),
        (
            Functional(),
            r"between conv1 and conv2 the model computes something itself, .* write it as a module \(nn.ReLU",
        ),
        (Crossed(), "the layers below convs are not called one after the other; put them in nn.Sequential"),
        (nn.Sequential(), "Sequential called no layer, expected a stack with an nn.Conv1d"),
        (
            nn.Sequential(nn.Conv1d(5, 2, 3)),
            r"the model itself fails on one-hot \(1, 4, 30\), at 0: .* Give the length",
        ),
    ],
)
def test_what_cannot_be_turned_is_named(model, message):
    with pytest.raises(ValueError, match=f"^to_rc: .*{message}"):
        to_rc(model, 30)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_after_conv(nn.Conv1d(6, 6, 8, padding="same")), "cannot turn body.1: .*Use kernel_size=7 or 9, or padding=3"),
        (_after_conv(nn.MaxPool1d(5, 4)), "cannot turn body.1: .*odd number .*Lengths that work: 27 or 29"),
        (_after_conv(nn.Conv1d(6, 6, 3, stride=4)), "cannot turn body.1: .*Lengths that work: 27 or 31"),
    ],
)
def test_sizes_that_cannot_be_symmetric_are_named(model, message):
    with pytest.raises(SymmetryError, match=f"^to_rc: {message}"):
        to_rc(model, 30)


def test_weights_that_have_no_place_in_the_twin():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(44, 2))
    with pytest.raises(
        ValueError, match=r"cannot turn 1 \(Linear\): it reads the letters themselves.*copy_weights=False"
    ):
        to_rc(flat, 11, copy_weights=True)
    with pytest.raises(
        ValueError, match=r"cannot turn 0 \(BatchNorm1d\): its channels are letters.*copy_weights=False"
    ):
        to_rc(nn.Sequential(nn.BatchNorm1d(4)), 11, copy_weights=True)
    with pytest.raises(ValueError, match=r"got copy_weights=True with keep='channels'.*use keep='filters'"):
        to_rc(bpnet(), 97, keep="channels", copy_weights=True)


def test_refuses_other_arguments():
    with pytest.raises(ValueError, match="to_rc: got keep='both', expected 'filters' or 'channels'"):
        to_rc(bpnet(), 97, keep="both")
    with pytest.raises(ValueError, match="to_rc: got length=0, expected a whole number of at least 1"):
        to_rc(bpnet(), 0)
