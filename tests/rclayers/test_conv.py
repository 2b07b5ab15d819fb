import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rclayers import RCConv1d, SymmetryError, exact_strands, reverse_complement
from rclayers.testing import assert_rc_equivariant, rc_error


def _load(case):
    options = case.options
    kernel = case["in/kernel"]
    padding = options["padding"]
    if padding == "full":
        padding = options["width"] - 1
    elif padding == "same" and options["stride"] > 1:
        padding = (options["width"] - 1) // 2
    layer = RCConv1d(
        kernel.shape[1],
        options["filters"],
        options["width"],
        stride=options["stride"],
        padding=padding,
        dilation=options["dilation"],
        bias=options["bias"],
    ).double()
    layer.weight.data = kernel
    if options["bias"]:
        layer.bias.data = case["in/bias"]
    return layer


@pytest.mark.parametrize("training", [True, False])
def test_equals_the_original(golden, training):
    equivariant = [case for case in golden("conv") if case.options["rc_equivariant"]]
    assert len(equivariant) == 14
    for case in equivariant:
        layer, x = _load(case).train(training), case["in/x"].requires_grad_()
        y = layer(x).relu() if case.options["activation"] == "relu" else layer(x)
        engine = "k1" if "k1" in case.options["engines"] else "kg"
        expected = case[f"{engine}/y"]
        if engine == "kg" and case.options["bias"]:  # it returns 2·conv + bias (docs/evidence/deviations.md)
            bias = torch.cat([layer.bias, layer.bias.flip(0)])[:, None]
            expected = (expected + bias) / 2
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-10)
        if engine == "k1":
            (y * case["in/cot"]).sum().backward()
            torch.testing.assert_close(x.grad, case["k1/grad_x"], rtol=0, atol=1e-10)
            torch.testing.assert_close(layer.weight.grad, case["k1/grad_kernel"], rtol=0, atol=1e-10)
            if case.options["bias"]:
                torch.testing.assert_close(layer.bias.grad, case["k1/grad_bias"], rtol=0, atol=1e-10)


def test_refuses_where_the_original_lost_the_guarantee(golden):
    broken = [case for case in golden("conv") if not case.options["rc_equivariant"]]
    assert len(broken) == 3
    for case in broken:
        with pytest.raises(SymmetryError, match="breaks the reverse-complement guarantee"):
            _load(case)(case["in/x"])


@pytest.mark.parametrize("training", [True, False])
def test_equals_a_loop_written_from_the_equation(normal, training):
    n, channels, length, n_filters, width, stride, padding, dilation = 2, 4, 21, 3, 5, 2, 3, 2
    layer = RCConv1d(channels, n_filters, width, stride, padding, dilation).double().train(training)
    layer.bias.data = normal(n_filters)
    x = normal(n, channels, length, seed=1)
    y = layer(x)
    padded = torch.zeros(n, channels, length + 2 * padding, dtype=x.dtype)
    padded[..., padding : padding + length] = x
    expected = torch.zeros_like(y)
    for i in range(n):
        for f in range(n_filters):
            for position in range(y.shape[2]):
                for c in range(channels):
                    for k in range(width):
                        seen = padded[i, c, position * stride + k * dilation]
                        expected[i, f, position] += layer.weight[f, c, k] * seen
                        reverse_weight = layer.weight[f, channels - 1 - c, width - 1 - k]
                        expected[i, 2 * n_filters - 1 - f, position] += reverse_weight * seen
            expected[i, [f, 2 * n_filters - 1 - f]] += layer.bias[f]
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)


@given(
    st.integers(1, 5),  # input channels
    st.integers(1, 3),  # filters
    st.integers(1, 8),  # width
    st.integers(1, 4),  # stride
    st.integers(0, 5),  # padding
    st.integers(1, 3),  # dilation
    st.integers(1, 6),  # windows
    st.sampled_from([torch.float64, torch.float32]),
    st.booleans(),
)
def test_equivariant_at_every_size_that_tiles(
    channels, n_filters, width, stride, padding, dilation, n_windows, dtype, training
):
    length = stride * (n_windows - 1) + dilation * (width - 1) + 1 - 2 * padding
    if length < 1:
        return
    layer = RCConv1d(channels, n_filters, width, stride, padding, dilation).to(dtype).train(training)
    torch.nn.init.normal_(layer.bias)
    assert_rc_equivariant(layer, torch.randn(2, channels, length, dtype=dtype))


@given(st.integers(2, 5), st.integers(1, 6), st.integers(0, 20))
def test_the_lengths_that_the_error_names_work(stride, width, extra):
    layer = RCConv1d(4, 2, width, stride).double()
    length = width + stride + extra
    if (length - width) % stride == 0:
        return
    with pytest.raises(SymmetryError) as refusal:
        layer(torch.zeros(1, 4, length, dtype=torch.float64))
    advised = str(refusal.value).split("Lengths that work: ")[1].split(";")[0]
    for good in map(int, advised.split(" or ")):
        assert rc_error(layer, torch.randn(1, 4, good, dtype=torch.float64)) < 1e-12


def test_same_padding_of_an_odd_width_keeps_the_length(normal):
    layer = RCConv1d(4, 2, 7, padding="same").double()
    assert layer(normal(1, 4, 11)).shape == (1, 4, 11)
    assert_rc_equivariant(layer, normal(1, 4, 11))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel_size": 8, "padding": "same"}, "Use kernel_size=7 or 9, or padding=3"),
        ({"kernel_size": 7, "padding": "same", "stride": 2}, "Use padding=3 instead"),
        ({"kernel_size": 7, "padding": "full"}, "got padding='full', expected 'same', 'valid' or"),
        ({"kernel_size": 0}, "got kernel_size=0, expected a whole number of at least 1"),
    ],
)
def test_refuses_sizes_that_cannot_be_symmetric(arguments, message):
    with pytest.raises(ValueError, match=message):
        RCConv1d(4, 3, **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            (8, 1000, 4),
            r"got x of shape \(8, 1000, 4\), expected \(N, 4, L\). If your one-hot .* use x.transpose\(1, 2\)",
        ),
        ((4, 1000), r"expected \(N, 4, L\). A single sequence needs a batch axis: x\[None\]"),
        ((8, 5, 1000), r"Build the layer for the 5 channels"),
        ((8, 4, 3), "at least 5 for a window of 5"),
    ],
)
def test_refuses_inputs_of_another_shape(shape, message):
    with pytest.raises(ValueError, match=message):
        RCConv1d(4, 3, 5)(torch.zeros(shape))


def test_counting_channels_instead_of_filters_gets_advice():
    with pytest.raises(ValueError, match="needs n_filters=F"):
        RCConv1d(12, 3, 5)(torch.zeros(1, 6, 20))


def test_initialisation_is_glorot_uniform():
    layer = RCConv1d(4, 20, 21)
    bound = (6 / (21 * (4 + 20))) ** 0.5
    assert 0.95 * bound < layer.weight.abs().max() <= bound
    assert abs(layer.weight.std() / (bound / 3**0.5) - 1) < 0.05
    assert layer.bias.abs().max() == 0


def test_the_reverse_channels_see_the_reverse_complement(one_hot):
    layer, x = RCConv1d(4, 3, 5).double(), one_hot(2, 17)
    torch.testing.assert_close(layer(x)[:, 3:], reverse_complement(layer(reverse_complement(x))[:, :3]))


def test_both_strands_agree_to_the_last_bit_in_eval_mode_on_request(one_hot):
    layer, x = RCConv1d(4, 5, 15).eval(), one_hot(7, 300).float()
    with exact_strands():
        assert torch.equal(layer(reverse_complement(x)), reverse_complement(layer(x)))
