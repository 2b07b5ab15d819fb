"""Our models in tangermeme and captum, and bpnet-lite's models here: `make test-peers` installs both and runs this."""

import warnings
from importlib.util import find_spec

import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients, LayerGradientXActivation
from torch import nn

from rcinterp.interpretation import interpret
from rcinterp.reading.functions import filter_contributions, sequence_contributions
from rcinterp.reading.logits import profile_score
from rcinterp.reading.model import predict
from rcinterp.training.models import compact_model
from rclayers import Conjoined

needs_tangermeme = pytest.mark.skipif(find_spec("tangermeme") is None, reason="needs tangermeme (make test-peers)")
needs_bpnet_lite = pytest.mark.skipif(find_spec("bpnetlite") is None, reason="needs bpnet-lite (make test-peers)")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the peers' own imports
    pytest.mark.filterwarnings("ignore:Setting forward, backward hooks"),  # captum's
    pytest.mark.filterwarnings("ignore:Input Tensor 0 did not already require gradients"),
]

LENGTH = 101


def trained(rc, n_layers, others, stride=20):
    """A compact model as if trained, float64."""
    torch.manual_seed(0)
    model = compact_model(n_layers, 6, LENGTH, rc=rc, widths=(8, 6, 6)[:n_layers], pool=20, stride=stride, n_tasks=2)
    return others.with_moved_statistics(model.double())


@pytest.fixture(params=[(True, 1), (True, 3), (False, 1), (False, 3)], ids=["rc-1", "rc-3", "plain-1", "plain-3"])
def kind(request):
    return request.param


@needs_tangermeme
@pytest.mark.parametrize("stride", [20, 10], ids=["side-by-side", "overlapping"])
def test_tangermemes_deep_lift_shap_adds_up(kind, stride, others, dna):
    from tangermeme.deep_lift_shap import deep_lift_shap

    model, x, references = trained(*kind, others, stride), dna(5, LENGTH, 0), dna(15, LENGTH, 1)
    references = references.view(5, 3, 4, LENGTH)
    multipliers = deep_lift_shap(model, x, references=references, target=1, device="cpu", raw_outputs=True)
    added = ((x[:, None] - references) * multipliers).sum((2, 3))
    with torch.no_grad():
        difference = model(x.double())[:, None, 1] - model(references.flatten(0, 1).double())[:, 1].view(5, 3)
    torch.testing.assert_close(added, difference, rtol=0, atol=1e-9)
    assert difference.abs().mean() > 1e-3


@needs_tangermeme
def test_tangermemes_deep_lift_shap_of_both_strands(others, dna):
    """An RC model's attributions of the reverse complement are those of the sequence, turned."""
    from tangermeme.deep_lift_shap import deep_lift_shap

    model, x, references = trained(True, 3, others), dna(5, LENGTH, 0), dna(5, LENGTH, 1)[:, None]
    forward = deep_lift_shap(model, x, references=references, device="cpu")
    reverse = deep_lift_shap(model, x.flip(1, 2), references=references.flip(2, 3), device="cpu")
    torch.testing.assert_close(reverse.flip(1, 2), forward)


@needs_tangermeme
@pytest.mark.filterwarnings("error")
def test_tangermemes_deep_lift_shap_of_a_conjoined_model(others, dna):
    from tangermeme.deep_lift_shap import deep_lift_shap

    model = Conjoined(trained(False, 3, others)).eval()
    deep_lift_shap(model, dna(5, LENGTH, 0), references=dna(5, LENGTH, 1)[:, None], device="cpu")


@needs_tangermeme
@pytest.mark.parametrize("conjoined", [False, True])
def test_tangermemes_predict_mutagenesis_and_ablation(kind, conjoined, others, dna):
    from tangermeme.ablate import ablate
    from tangermeme.predict import predict as their_predict
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    model, x = trained(*kind, others).float(), dna(3, LENGTH, 0)
    model = Conjoined(model).eval() if conjoined else model
    expected = predict(model, x)
    torch.testing.assert_close(their_predict(model, x, device="cpu", batch_size=2), expected)

    raw = saturation_mutagenesis(model, x, start=40, end=47, raw_outputs=True, device="cpu")
    torch.testing.assert_close(raw[0], expected)
    mutant = x.clone()
    mutant[:, :, 43] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    torch.testing.assert_close(raw[1][:, 2, 3], predict(model, mutant), atol=1e-5, rtol=1e-5)

    before, after = ablate(model, x, 30, 60, n=4, random_state=0, device="cpu")
    torch.testing.assert_close(before, expected)
    assert after.shape == (3, 4, 2)
    assert (after - before[:, None]).abs().max() > 1e-3


@pytest.mark.parametrize("n_layers", [1, 3])
def test_captums_deep_lift_of_rc_models_adds_up(n_layers, others, dna):
    model, x, reference = trained(True, n_layers, others), dna(5, LENGTH, 0).double(), dna(5, LENGTH, 1).double()
    _, delta = DeepLift(model).attribute(x, reference, target=1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-9


@pytest.mark.xfail(strict=True, reason="captum's rules miss: https://github.com/meta-pytorch/captum/issues/1104")
def test_captums_deep_lift_of_a_max_pooling_right_after_a_relu(others, dna):
    """Of plain torch modules too: not ours to mend. rcinterp's method="deeplift" puts a copy between them."""
    model, x, reference = trained(False, 1, others), dna(5, LENGTH, 0).double(), dna(5, LENGTH, 1).double()
    _, delta = DeepLift(model).attribute(x, reference, target=1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-9


@pytest.mark.parametrize("conjoined", [False, True])
def test_captums_gradients(kind, conjoined, others, dna):
    model, x, reference = trained(*kind, others), dna(5, LENGTH, 0).double(), dna(5, LENGTH, 1).double()
    relu = model.relu1
    expected = sequence_contributions(model, x, "conv1", 1)
    values = LayerGradientXActivation(model, relu).attribute(x, target=1).sum(-1).detach()
    torch.testing.assert_close(values[:, :6] + values.flip(1)[:, :6] if kind[0] else values, expected)
    model = Conjoined(model).eval() if conjoined else model
    _, delta = IntegratedGradients(model).attribute(
        x, reference, target=1, n_steps=500, internal_batch_size=250, return_convergence_delta=True
    )
    difference = (model(x) - model(reference))[:, 1].detach()
    assert delta.abs().max() < 0.02 * difference.abs().max()


@pytest.fixture
def bpnet():
    """bpnet-lite's BPNet, narrow, with two control tracks."""
    from bpnetlite.bpnet import BPNet

    torch.manual_seed(0)
    return BPNet(n_filters=6, n_layers=2, trimming=20, verbose=False).double().eval()


@needs_bpnet_lite
@pytest.mark.parametrize("method", ["gradient_x_activation", "integrated_gradients", "deeplift"])
def test_bpnet_lites_bpnet(method, bpnet, dna):
    """Counts, a strand of the profile, and its shape; control tracks through args."""
    positives, negatives, controls = dna(6, 150, 0), dna(5, 150, 1), torch.rand(11, 2, 150)
    found = {
        name: filter_contributions(
            bpnet, positives, negatives, func=func, target=target, args=(controls,), method=method, n_resamples=20
        )
        for name, func, target in (
            ("counts", lambda y: y[1], 0),
            ("profile", lambda y: y[0], 1),
            ("shape", lambda y: profile_score(y[0]), 0),
        )
        if not (method == "deeplift" and name == "shape")  # profile_score's softmax is a function
    }
    for table in found.values():
        assert (table.attrs["layer"], table.attrs["at"], len(table)) == ("iconv", "activation", 6)
        assert table["contribution"].abs().sum() > 0


@needs_bpnet_lite
def test_bpnet_lites_wrappers_say_what_func_does(bpnet, dna):
    from bpnetlite.bpnet import ControlWrapper, CountWrapper, ProfileWrapper

    x, controls = dna(6, 150, 0), torch.zeros(1, 2, 150)
    counts = sequence_contributions(CountWrapper(ControlWrapper(bpnet)), x)
    torch.testing.assert_close(counts, sequence_contributions(bpnet, x, func=lambda y: y[1], args=(controls,)))
    wrapped = ProfileWrapper(ControlWrapper(bpnet))
    logits = bpnet(x.double(), controls.double().expand(6, 2, 150))[0]
    torch.testing.assert_close(predict(wrapped, x), profile_score(logits).detach())
    assert sequence_contributions(wrapped, x).abs().sum() > 0


@needs_bpnet_lite
def test_bpnet_lites_chrombpnet(dna):
    """Two BPNets: the first to read the sequence is named, the other by layer=; log of exponentials between."""
    from bpnetlite.bpnet import BPNet
    from bpnetlite.chrombpnet import ChromBPNet

    torch.manual_seed(0)
    parts = [BPNet(n, 2, n_outputs=1, n_control_tracks=0, trimming=20, verbose=False) for n in (5, 6)]
    model, counts = ChromBPNet(*parts).double(), {"func": lambda y: y[1], "n_resamples": 20}
    positives, negatives = dna(6, 150, 0), dna(5, 150, 1)
    table = filter_contributions(model, positives, negatives, **counts)
    assert (table.attrs["layer"], len(table)) == ("accessibility.iconv", 6)
    bias = filter_contributions(model, positives, negatives, "bias.iconv", **counts)
    assert len(bias) == 5
    assert bias["contribution"].abs().sum() > 0
    trainable = [parameter.requires_grad for parameter in model.bias.parameters()]
    assert not any(trainable)  # frozen, as it came


@needs_bpnet_lite
def test_interpret_of_bpnet_lites_bpnet(bpnet, planted):
    data = planted(60, 0)
    x = nn.functional.pad(data.x, (0, 59))  # 100 bp
    positives, negatives = x[data.y[:, 0] == 1], x[data.y[:, 0] == 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = interpret(
            bpnet,
            positives,
            negatives,
            {"GATTACA": torch.eye(4)[:, [2, 0, 3, 3, 0, 1, 0]].numpy()},
            func=lambda y: y[1],
            args=(torch.zeros(1, 2, 100),),
        )
    assert found.layer == "iconv"
    assert len(found.table) == 6
    assert found.faithfulness.pearson > 0.9
