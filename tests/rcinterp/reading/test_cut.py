import pytest
import torch
from torch import nn
from torch.nn import functional

from rcinterp.errors import InputError
from rcinterp.reading.cut import Cut
from rcinterp.reading.inputs import as_inputs
from rcinterp.reading.model import Runner
from rcinterp.reading.probe import probe
from rclayers import RCConv1d


class _Tail(nn.Module):
    """A convolution, what `middle` does, and a head; `middle` gets the convolution's output and the module."""

    def __init__(self, middle, n_channels=5):
        super().__init__()
        self.conv = nn.Conv1d(4, n_channels, 7)
        self.norm = nn.BatchNorm1d(n_channels)
        self.relu = nn.ReLU(inplace=True)
        self.norm_last = nn.LayerNorm(n_channels)
        self.next = nn.Conv1d(n_channels, n_channels, 3, padding=1)
        self.head = nn.Linear(n_channels, 2)
        self.middle = middle

    def forward(self, x):
        return self.head(self.middle(self, self.conv(x)).mean(2))


def _bind(model, x, at="activation", layer=None):
    """Probe a model that is in eval mode, but not lent."""
    return probe(Runner(model.eval(), target=1), as_inputs(x), layer, at)


def _ignores_the_result(model, y):
    functional.relu(y, inplace=True)
    return y


ACTIVATED = {
    "functional": lambda model, y: functional.relu(model.norm(y)),
    "tensor method": lambda model, y: model.norm(y).relu(),
    "in point": lambda model, y: model.relu(model.norm(y)),
    "in point, by name": lambda model, y: torch.relu_(model.norm(y)),
    "result ignored": _ignores_the_result,
    "gelu": lambda model, y: functional.gelu(y),
    "exponential": lambda model, y: torch.exp(model.norm(y) / 10),
    "clamp": lambda model, y: model.norm(y).clamp(min=0),
    "pooled first": lambda model, y: functional.relu(functional.max_pool1d(y, 3)),
    "dropout": lambda model, y: functional.relu(functional.dropout(model.norm(y), 0.5, model.training)),
    "channels last": lambda model, y: functional.relu(model.norm_last(y.transpose(1, 2))).transpose(1, 2),
    "one module twice": lambda model, y: model.relu(model.next(model.relu(y))),
    "skip after it, in point": lambda model, y: (lambda a: a + functional.gelu(model.next(a)))(
        model.relu(model.norm(y))
    ),
    "padded": lambda model, y: functional.relu(functional.pad(model.norm(y), (2, 3))),
    "cropped": lambda model, y: functional.relu(model.norm(y)[:, :, 2:-1]),
    "gated": lambda model, y: functional.relu(y * torch.sigmoid(model.next(torch.ones(y.shape)))),
    "weights are added": lambda model, y: functional.relu(y + model.norm.bias[:, None]),
    "skip after it": lambda model, y: (lambda a: a + functional.relu(model.next(a)))(functional.relu(y)),
}
AT_THE_CONVOLUTION = {
    "something is added": (
        lambda model, y: functional.relu(y + model.next(torch.ones(y.shape))),
        "is added to its output",
    ),
    "concatenated": (lambda model, y: functional.relu(torch.cat([y, y.flip(2)], 1)[:, :5]), "second way"),
    "half of it": (lambda model, y: functional.relu(torch.cat([y[:, :3], y[:, :2] * 0], 1)), "second way"),
    "residual stem": (lambda model, y: y + functional.relu(model.norm(y)), "second way"),
    "residual stem, in point": (lambda model, y: y.clone().add_(model.relu(model.norm(y))), "second way"),
    "pieces beside it": (lambda model, y: functional.relu(model.norm(y)) + torch.cat(y.chunk(2, 0)), "second way"),
    "swish by hand": (lambda model, y: y * torch.sigmoid(y), "second way"),
    "no nonlinearity": (lambda model, y: model.norm(y), "no nonlinearity follows it before it goes into mean"),
    "another convolution first": (
        lambda model, y: functional.relu(model.next(y)),
        "no nonlinearity follows it before it goes into",
    ),
}


@pytest.mark.parametrize("name", ACTIVATED)
def test_finds_the_activation(name, dna):
    torch.manual_seed(0)
    model = _Tail(ACTIVATED[name])
    bound = _bind(model, x := dna(3, 20, 0))
    point, runner = bound.point, bound.runner
    assert (point.at, point.reason) == ("activation", "")
    expected = runner.logits([x])
    with Cut(point) as cut:
        score = runner.logits([x])
    torch.testing.assert_close(score, expected)
    assert len(cut.taken) == 1
    assert cut.taken[0].is_leaf
    assert torch.autograd.grad(score.sum(), cut.taken)[0].abs().sum() > 0
    assert point.channel_axis == (2 if name == "channels last" else 1)


@pytest.mark.parametrize("name", AT_THE_CONVOLUTION)
def test_cuts_at_the_convolution_where_the_activation_is_not_all(name, dna):
    torch.manual_seed(0)
    middle, reason = AT_THE_CONVOLUTION[name]
    model = _Tail(middle)
    bound = _bind(model, x := dna(3, 20, 0))
    point, runner = bound.point, bound.runner
    assert point.at == "convolution"
    assert reason in point.reason
    with Cut(point) as cut:
        runner.logits([x])
    torch.testing.assert_close(cut.taken[0].detach(), model.conv(x).detach())


@pytest.mark.parametrize("length", [26, 20])
def test_channels_last_with_as_many_positions_as_channels(length, dna):
    """26 bp give 20 positions, as many as channels: which axis is which is found by moving one position."""
    torch.manual_seed(0)
    model = _Tail(ACTIVATED["channels last"], n_channels=20)
    point = _bind(model, dna(3, length, 0)).point
    assert (point.at, point.channel_axis) == ("activation", 2)
    plain = _Tail(ACTIVATED["functional"], n_channels=20)
    point = _bind(plain, dna(3, length, 0)).point
    assert (point.at, point.channel_axis) == ("activation", 1)


def test_what_is_done_in_place_above_changes_nothing_that_was_taken(dna):
    def middle(model, y):
        a = functional.gelu(y)
        kept.append(a.clone())
        a *= 2
        a += 1
        return a

    kept = []
    torch.manual_seed(0)
    model = _Tail(middle)
    bound = _bind(model, x := dna(3, 20, 0))
    point, runner = bound.point, bound.runner
    kept.clear()
    with torch.no_grad(), Cut(point, lambda i, activation: activation) as cut:
        runner.logits([x])
    torch.testing.assert_close(cut.taken[0], kept[0])


def test_gradients_that_are_cut_off_are_refused(dna):
    def frozen(model, y):
        return functional.relu(y).detach()

    torch.manual_seed(0)
    for model in (_Tail(frozen), _NoGrad(_Tail(ACTIVATED["functional"]))):
        bound = _bind(model, x := dna(3, 20, 0))
        with pytest.raises(InputError, match=r"no gradient reaches layer '.*conv', though .*method='ablation'"):
            bound.require_gradients()
    dead = _Tail(ACTIVATED["functional"])
    torch.nn.init.zeros_(dead.head.weight)
    _bind(dead, x).require_gradients()  # nothing depends on it: that is no fault


def test_saturated_scores_have_gradients_of_zero_and_are_no_fault(dna):
    """A sigmoid of a large logit is 1 in single precision, its gradient 0; without the layer it would be less."""

    class Saturated(_Tail):
        def forward(self, x):
            return 1 * torch.sigmoid(1e4 * super().forward(x).abs())

    torch.manual_seed(0)
    model = Saturated(ACTIVATED["functional"])
    torch.nn.init.zeros_(model.head.bias)
    bound = _bind(model, x := dna(3, 20, 0))
    assert (bound.runner.logits([x]) == 1).all()
    bound.require_gradients()


class _NoGrad(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        with torch.no_grad():
            return self.model(x)


def test_gradients_that_cannot_be_taken_are_refused(dna):
    bound = _bind(_Tail(lambda model, y: _Bad.apply(functional.relu(y))), dna(3, 20, 0))
    with pytest.raises(InputError, match=r"gradients cannot be taken \(no backward\).*method='ablation'"):
        bound.require_gradients()


class _Bad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise RuntimeError("no backward")


def test_asked_for_the_convolution(dna):
    point = _bind(_Tail(ACTIVATED["functional"]), dna(2, 20, 0), "convolution").point
    assert (point.at, point.reason) == ("convolution", "")


@pytest.mark.parametrize("name", [*ACTIVATED, *AT_THE_CONVOLUTION])
def test_replacing_an_activation_by_itself_changes_nothing_and_by_zeros_everything(name, dna):
    torch.manual_seed(0)
    middle = ACTIVATED.get(name) or AT_THE_CONVOLUTION[name][0]
    model = _Tail(middle)
    bound = _bind(model, x := dna(3, 20, 0))
    point, runner = bound.point, bound.runner
    expected = runner.logits([x])
    with torch.no_grad(), Cut(point, lambda i, activation: activation.clone()):
        torch.testing.assert_close(runner.logits([x]), expected)
    with torch.no_grad(), Cut(point, lambda i, activation: torch.zeros_like(activation)):
        silent = runner.logits([x])
    torch.testing.assert_close(silent, silent[:1].expand(3))  # nothing of the sequences is left


@pytest.mark.parametrize("dead_first", [False, True])
@pytest.mark.parametrize("interleaved", [False, True])
def test_rows_of_models_that_read_both_strands(interleaved, dead_first, dna):
    """... also where the first sequence has no gradient to tell them by."""

    class Interleaved(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            both = torch.stack([x, x.flip(1, 2)], 1).flatten(0, 1)
            return self.model(both).view(len(x), 2, -1).mean(1)

    torch.manual_seed(0)
    inner, x = _Tail(ACTIVATED["functional"]), dna(3, 20, 0)
    if dead_first:
        x[0] = 0
        torch.nn.init.constant_(inner.conv.bias, -0.3)
    model = Interleaved(inner) if interleaved else _Blocks(inner)
    point = _bind(model, x).point
    assert point.by_block is not interleaved
    rows = torch.arange(6.0)[:, None, None].expand(6, 5, 2)
    expected = torch.tensor([0 + 1, 2 + 3, 4 + 5] if interleaved else [0 + 3, 1 + 4, 2 + 5]) * 2.0
    torch.testing.assert_close(point.by_channel([rows], 3), expected.double()[:, None].expand(3, 5))
    torch.testing.assert_close(point.to_rows(point.to_sequences(rows, 3)), rows)
    assert len(x) == 3


class _Blocks(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(torch.cat([x, x.flip(1, 2)])).view(2, len(x), -1).mean(0)


def test_rows_that_belong_to_no_sequence_are_refused(dna):
    class Odd(_Tail):
        def forward(self, x):
            return super().forward(torch.cat([x, x[:1]]))[: len(x)]

    with pytest.raises(InputError, match=r"reads 4 rows for 3 sequences, expected a multiple of 3"):
        _bind(Odd(ACTIVATED["functional"]), dna(3, 20, 0))


def test_an_rc_layer_and_a_layer_that_is_not_used(dna):
    model = nn.Sequential(RCConv1d(4, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    point = _bind(model, x := dna(2, 20, 0)).point
    assert point.layer.n_channels == 6
    assert point.at == "activation"

    class Unused(nn.Sequential):
        def forward(self, x):
            return x.sum(2)

    unused = Unused(nn.Conv1d(4, 3, 5))
    with pytest.raises(InputError, match="did not use '0' on these sequences"):
        _bind(unused, x, layer="0")
    with pytest.raises(InputError, match="at: got 'relu', expected 'activation' or 'convolution'"):
        _bind(model, x, "relu")


def test_no_hook_is_left(dna):
    model = _Tail(ACTIVATED["functional"])
    bound = _bind(model, x := dna(2, 20, 0))
    point, runner = bound.point, bound.runner
    with pytest.raises(KeyError), Cut(point):
        raise KeyError
    runner.logits([x])
    assert not model.conv._forward_hooks
