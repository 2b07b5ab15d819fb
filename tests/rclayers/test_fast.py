"""The functions of rclayers._fast against the plain code beside them, and the uses that plain code serves."""

import copy
import io

import pytest
import torch
from torch import nn

import rclayers
from rclayers import (
    RCBatchNorm1d,
    RCConv1d,
    RCMaxPool1d,
    RCWeightedSum1d,
    _fast,
    exact_strands,
    reverse_complement,
)
from rclayers._exact import strands_must_be_exact
from rclayers._fast import is_channels_last
from rclayers._symmetry import act

TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}


@pytest.fixture(autouse=True)
def however_small(monkeypatch):
    """Take the fast path for small maps too."""
    monkeypatch.setattr(_fast, "_ENOUGH_VALUES", 0)
    monkeypatch.setattr(_fast, "_ENOUGH_CHANNELS", 0)


@pytest.fixture
def plainly(monkeypatch):
    """Give ``plainly(call)``: its result by plain code."""

    def run(call):
        with monkeypatch.context() as patched:
            patched.setattr(_fast, "_is_allowed", lambda x: False)
            return call()

    return run


@pytest.fixture
def used(monkeypatch):
    """Names of the fast functions that were called."""
    names = set()
    for name in ("conv1d", "batch_norm", "tied_batch_norm", "max_pool1d"):
        function = getattr(_fast, name)

        def spy(*args, _name=name, _function=function):
            names.add(_name)
            return _function(*args)

        monkeypatch.setattr(_fast, name, spy)
    return names


def channels_last(x):
    return x.transpose(1, 2).contiguous().transpose(1, 2)


def model(length=61, dtype=torch.float32, n_filters=3):
    """Three layers whose pooling leaves two positions over, with all parameters and statistics off their start."""
    torch.manual_seed(5)
    net = nn.Sequential(
        *(RCConv1d(4, n_filters, 5, padding=2), RCBatchNorm1d(n_filters), nn.ReLU()),
        *(RCConv1d(2 * n_filters, n_filters, 4, bias=False, dilation=2), RCBatchNorm1d(n_filters), nn.ReLU()),
        RCMaxPool1d(5, 3),
        RCWeightedSum1d(n_filters, (length - 6 - 5) // 3 + 1),
    ).to(dtype)
    for value in (*net.parameters(), *net.buffers()):
        if value.is_floating_point():
            value.data += 0.3 * torch.rand_like(value)
    return net


def derivatives(net, x):
    """Output, gradients and statistics of a copy."""
    net, x = copy.deepcopy(net), x.clone().requires_grad_()
    y = net(x)
    (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum().backward()
    return [y, x.grad, *(p.grad for p in net.parameters()), *net.buffers()]


def assert_same(found, expected, dtype):
    for value, other in zip(found, expected, strict=True):
        scale = max(1.0, other.abs().max().item())
        torch.testing.assert_close(value, other, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_model_computes_the_same(plainly, used, dtype, training, n):
    net, x = model(dtype=dtype).train(training), torch.randn(n, 4, 61, dtype=dtype)
    found = derivatives(net, x)
    assert used == {"conv1d", "tied_batch_norm" if training else "batch_norm", "max_pool1d"}
    assert_same(found, plainly(lambda: derivatives(net, x)), dtype)
    with torch.no_grad():
        assert_same([copy.deepcopy(net)(x)], found[:1], dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 1},
        {"kernel_size": 4, "stride": 2, "padding": 3},
        {"kernel_size": 3, "dilation": 5, "bias": False},
        {"kernel_size": 7, "padding": "same"},
        {"kernel_size": 20},
    ],
)
@pytest.mark.parametrize("channels", [1, 4, 5])
def test_convolutions_of_any_size_compute_the_same(plainly, used, dtype, arguments, channels):
    layer = RCConv1d(channels, n_filters=3, **arguments).to(dtype)
    for x in (torch.randn(2, channels, 20), channels_last(torch.randn(2, channels, 20)), torch.randn(1, channels, 20)):
        x = x.to(dtype)
        assert_same(derivatives(layer, x), plainly(lambda x=x: derivatives(layer, x)), dtype)
    every_other = torch.randn(2, channels, 40, dtype=dtype)[:, :, ::2]  # not contiguous in either order
    assert_same(derivatives(layer, every_other), plainly(lambda: derivatives(layer, every_other)), dtype)
    assert used == {"conv1d"}


def test_one_filter_and_one_position_compute_the_same(plainly):
    for layer, shape in ((RCConv1d(4, 1, 7), (3, 4, 7)), (RCBatchNorm1d(1), (3, 2, 1)), (RCMaxPool1d(1), (3, 2, 1))):
        x = channels_last(torch.randn(shape))
        assert_same(derivatives(layer, x), plainly(lambda layer=layer, x=x: derivatives(layer, x)), torch.float32)


def test_an_empty_batch_passes_as_before(plainly):
    net, x = model().eval(), torch.zeros(0, 4, 61)
    assert net(x).shape == plainly(lambda: net(x)).shape == (0, 6)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_running_statistics_are_those_of_batch_norm(plainly, used, momentum):
    x = channels_last(torch.randn(5, 6, 7, dtype=torch.float64) * 3 + 2)

    def run():
        layer = RCBatchNorm1d(3, momentum=momentum).double()
        for batch in (x, x * 2, x - 1):
            layer(batch)
        return layer.running_mean, layer.running_var, layer.num_batches_tracked

    assert_same(run(), plainly(run), torch.float64)
    assert used == {"tied_batch_norm"}
    layer = RCBatchNorm1d(3)
    layer.track_running_stats = False
    layer(x.float())
    assert layer.num_batches_tracked == 0
    assert (layer.running_mean == 0).all()


def test_the_statistics_of_many_values_far_from_zero_are_as_exact_as_batch_norm(plainly):
    """Over ten draws: in a single one either may be a few roundings off."""
    layer, exact = RCBatchNorm1d(3), RCBatchNorm1d(3).double()
    fast, plain = [], []
    for seed in range(10):
        x = channels_last(torch.randn(100, 6, 1000, generator=torch.Generator().manual_seed(seed)) + 30)
        truth = exact(x.double())
        fast.append((layer(x) - truth).abs().max().item())
        plain.append(plainly(lambda x=x, truth=truth: layer(x) - truth).abs().max().item())
    assert sum(fast) < 3 * sum(plain), (fast, plain)


@pytest.mark.parametrize("frozen", ["weight", "bias", "input"])
def test_frozen_parameters_get_no_gradient(plainly, frozen):
    def run():
        layer = RCBatchNorm1d(3).double()
        x = channels_last(torch.linspace(-1, 2, 60, dtype=torch.float64).view(2, 6, 5) ** 2).requires_grad_()
        (x if frozen == "input" else getattr(layer, frozen)).requires_grad_(False)
        gradients = torch.autograd.grad(layer(x).pow(3).sum(), [p for p in (x, *layer.parameters()) if p.requires_grad])
        wanted = [p for p in (x, *layer.parameters()) if p.requires_grad]
        doubly = torch.autograd.grad(layer(x).pow(3).sum(), wanted, create_graph=True)
        return [*gradients, *doubly]

    assert_same(run(), plainly(run), torch.float64)


@pytest.mark.parametrize("layer", [RCBatchNorm1d(2), RCConv1d(4, 2, 3), RCMaxPool1d(3, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_first_and_second_derivatives(used, layer, training):
    layer = copy.deepcopy(layer).double().train(training)
    x = channels_last(torch.randn(3, 4, 9, dtype=torch.float64)).requires_grad_()
    parameters = tuple(p.data.add(0.1).requires_grad_() for p in layer.parameters())
    names = [name for name, _ in layer.named_parameters()]
    wrapped = Wrapped(layer, names)
    assert torch.autograd.gradcheck(wrapped, (x, *parameters))
    assert torch.autograd.gradgradcheck(wrapped, (x, *parameters))
    assert used


class Wrapped:
    """A layer as a function of its input and its parameters, as gradcheck needs it."""

    def __init__(self, layer, names):
        self.layer, self.names = layer, names

    def __call__(self, x, *parameters):
        for name, value in zip(self.names, parameters, strict=True):
            del self.layer._parameters[name]
            self.layer._parameters[name] = value
        return self.layer(channels_last(x))


def test_gradient_penalties_train_alike(plainly):
    net, x = model(dtype=torch.float64), torch.randn(2, 4, 61, dtype=torch.float64)

    def penalised():
        twin, z = copy.deepcopy(net), x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(twin(z).pow(2).sum(), z, create_graph=True)
        gradient.pow(2).sum().backward()
        return [z.grad, *(p.grad for p in twin.parameters())]

    assert_same(penalised(), plainly(penalised), torch.float64)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own, at its first forward-mode derivative
def test_torch_func_and_forward_mode(plainly):
    net, x = model(dtype=torch.float64).eval(), torch.randn(3, 4, 61, dtype=torch.float64)
    parameters = {name: value.detach() for name, value in net.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(net, parameters, (x[None],)).sum()

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    batch = plainly(lambda: torch.autograd.grad(net(x).sum(), list(net.parameters())))
    assert_same([g.sum(0) for g in each.values()], batch, torch.float64)
    tangent = torch.randn_like(x)
    for mode in (True, False):
        net.train(mode)
        _, through_func = torch.func.jvp(lambda z: copy.deepcopy(net)(z), (x,), (tangent,))
        with torch.autograd.forward_ad.dual_level():
            y = copy.deepcopy(net)(torch.autograd.forward_ad.make_dual(x, tangent))
            by_duals = torch.autograd.forward_ad.unpack_dual(y).tangent
        step = 1e-6
        numerically = (copy.deepcopy(net)(x + step * tangent) - copy.deepcopy(net)(x - step * tangent)) / (2 * step)
        torch.testing.assert_close(through_func, numerically, rtol=0, atol=1e-6)
        torch.testing.assert_close(by_duals, through_func, rtol=0, atol=1e-12)


def test_copies_and_pickles_compute_the_same():
    net, x = model(), torch.randn(2, 4, 61)
    net(x).sum().backward()
    packed = io.BytesIO()
    torch.save(net, packed)
    packed.seek(0)
    for twin in (copy.deepcopy(net), torch.load(packed, weights_only=False)):
        assert torch.equal(twin.eval()(x), net.eval()(x))


@pytest.mark.parametrize("training", [True, False])
def test_dynamo_sees_plain_code_in_a_single_graph(training):
    net, x = model().train(training), torch.randn(2, 4, 61)
    compiled = torch.compile(copy.deepcopy(net), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), copy.deepcopy(net)(x), rtol=0, atol=2e-5)


def test_an_exported_model_takes_any_batch(monkeypatch):
    monkeypatch.undo()
    net = model(length=1001, n_filters=16).eval()
    batch = torch.export.Dim("batch", min=1, max=200)
    exported = torch.export.export(net, (torch.randn(2, 4, 1001),), dynamic_shapes=({0: batch},)).module()
    for n in (3, 100):
        x = torch.randn(n, 4, 1001)
        assert_same([exported(x)], [net(x)], torch.float32)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_traced_model_computes_the_same():
    net, x = model().eval(), torch.randn(2, 4, 61)
    traced = torch.jit.trace(net, x)
    torch.testing.assert_close(traced(x), net(x), rtol=0, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
def test_autocast_is_as_exact_as_by_plain_code(plainly, used, training):
    net, x = model(n_filters=8).train(training), torch.randn(7, 4, 61)

    def autocast():
        with torch.autocast("cpu", torch.bfloat16):
            return derivatives(net, x)

    exact = plainly(lambda: derivatives(net, x))
    found = autocast()
    assert used == {"conv1d", "tied_batch_norm" if training else "batch_norm", "max_pool1d"}
    for value, plain, truth in zip(found, plainly(autocast), exact, strict=True):
        assert value.dtype == plain.dtype
        scale = 1 + truth.double().norm()
        assert (value.double() - truth).norm() / scale <= 2 * (plain.double() - truth).norm() / scale + 0.02


def test_hooks_see_the_plain_pooling(plainly):
    net, x = model().eval(), torch.randn(2, 4, 61)
    seen = []
    handle = net[6].pool.register_forward_hook(lambda module, inputs, output: seen.extend((*inputs, output)))
    y = net(x)
    handle.remove()
    assert [tuple(value.shape) for value in seen] == [(2, 6, 53), (2, 6, 17)]
    assert torch.equal(net(x), y)
    torch.testing.assert_close(y, plainly(lambda: net(x)), rtol=0, atol=2e-5)


def test_a_view_may_follow_the_pooling(used):
    y = model()[:7](torch.randn(2, 4, 61))
    assert y.view(2, -1).shape == (2, 6 * 17)
    assert "max_pool1d" in used


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_strands_agree_closely_and_on_request_to_the_last_bit(one_hot, dtype):
    net, x = model(dtype=dtype).eval(), one_hot(7, 61).to(dtype)
    y, turned = net(x), net(reverse_complement(x))
    assert (turned - act(y)).abs().max() < {torch.float64: 1e-14, torch.float32: 1e-6}[dtype] * y.abs().max()
    with exact_strands():
        assert torch.equal(net(reverse_complement(x)), act(net(x)))
        torch.testing.assert_close(net(x), y, rtol=0, atol=TOLERANCE[dtype])
    with pytest.raises(ZeroDivisionError), exact_strands():
        1 / 0  # noqa: B018  # the request ends with the block, however it ends
    assert torch.equal(net(x), y)


def test_where_it_does_not_pay_maps_stay_as_they_were(monkeypatch, used):
    monkeypatch.undo()
    layer = RCConv1d(4, 20, 21)
    for n, n_filters, grad, is_fast in ((1, 20, True, False), (50, 20, True, True), (50, 4, True, False)):
        with torch.set_grad_enabled(grad):
            y = RCConv1d(4, n_filters, 21)(torch.randn(n, 4, 200))
        assert (y.stride(1) == 1) is is_fast
    with torch.no_grad():
        assert layer(torch.randn(50, 4, 200)).stride(1) == 1
        assert RCConv1d(4, 8, 21)(torch.randn(100, 4, 200)).is_contiguous()
    assert rclayers.exact_strands is exact_strands


@pytest.mark.parametrize("pool", [(5, 3), (50, 50)])
def test_what_follows_may_change_its_input_in_place(plainly, pool):
    torch.manual_seed(0)
    layers = [RCConv1d(4, 3, 5), RCBatchNorm1d(3), nn.ReLU(inplace=True), RCMaxPool1d(*pool), nn.ReLU(inplace=True)]
    net, x = nn.Sequential(*layers), torch.rand(4, 4, 54)
    assert_same(derivatives(net, x), plainly(lambda: derivatives(net, x)), torch.float32)


def test_a_pooling_that_was_replaced_is_used(used):
    layer = RCMaxPool1d(5, 5)
    layer.pool = nn.AvgPool1d(5, 5)
    x = torch.rand(2, 6, 50)
    torch.testing.assert_close(layer(channels_last(x)), nn.functional.avg_pool1d(x, 5))
    assert not used


def test_who_follows_the_functions_of_torch_sees_the_pooling():
    class Names(torch.overrides.TorchFunctionMode):
        def __init__(self):
            super().__init__()
            self.seen = []

        def __torch_function__(self, func, types, args=(), kwargs=None):
            self.seen.append(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    x = channels_last(torch.rand(2, 6, 50)).requires_grad_()
    with Names() as names:
        RCMaxPool1d(5, 5)(x)
    assert any("max_pool1d" in name for name in names.seen)


def test_exact_strands_lasts_as_long_as_anyone_asks_for_it():
    one, other = exact_strands(), exact_strands()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert strands_must_be_exact()
    other.__exit__(None, None, None)
    assert not strands_must_be_exact()


@pytest.mark.parametrize(
    ("shape", "strides", "expected"),
    [
        ((2, 3, 5), (15, 1, 3), True),
        ((2, 3, 5), (15, 5, 1), False),  # as most tensors lie
        ((2, 3, 5), (30, 2, 3), False),  # every second number
        ((2, 3, 5), (60, 1, 6), False),  # a part of the channels
        ((2, 1, 5), (5, 1, 1), False),  # one channel lies either way
    ],
)
def test_which_tensors_lie_channels_last(shape, strides, expected):
    assert is_channels_last(torch.zeros(120).as_strided(shape, strides)) == expected
