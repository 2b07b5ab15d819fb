"""The authors' own trained model, end to end: loaded by the documented names, equal to 1e-10 in float64."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from rcinterp.reading.functions import filter_contributions, sequence_contributions
from rcinterp.training.models import count_parameters
from rcinterp.training.recipes import find_recipe
from rclayers import reverse_complement

EXACT = {"rtol": 0, "atol": 1e-10}


def test_logits(original_simulation_model, original_x):
    model, arrays = original_simulation_model
    x = original_x(arrays)
    assert count_parameters(model) == 1983
    with torch.no_grad():
        torch.testing.assert_close(model(x), torch.tensor(arrays["logit_infer"]), **EXACT)
        of_rc = model(reverse_complement(x))
        torch.testing.assert_close(of_rc, torch.tensor(arrays["logit_infer_of_rc_input"]), **EXACT)
        torch.testing.assert_close(model.train()(x), torch.tensor(arrays["logit_train"]), **EXACT)


def test_hidden_maps(original_simulation_model, original_x):
    model, arrays = original_simulation_model
    x = original_x(arrays)
    with torch.no_grad():
        for layer, name in (
            ("conv1", "conv0_out"),
            ("norm1", "bn0_out"),
            ("relu1", "relu0_out"),
            ("pool", "pool_out_infer"),
        ):
            x = model.get_submodule(layer)(x)
            expected = torch.tensor(arrays[name]).transpose(1, 2)
            torch.testing.assert_close(x[: len(expected)], expected, **EXACT)
        torch.testing.assert_close(model.weighted_sum(x), torch.tensor(arrays["wsum_out_infer"]), **EXACT)


@pytest.mark.parametrize("task", [0, 1, 2])
@pytest.mark.parametrize(("at", "name"), [("activation", "relu0"), ("convolution", "conv0")])
def test_contributions(original_simulation_model, original_x, task, at, name):
    model, arrays = original_simulation_model
    x, y = original_x(arrays), arrays["y"][:, task]
    by_channel = arrays[f"contrib_{name}_task{task}"]
    expected = by_channel[:, :20] + by_channel[:, :19:-1]
    found = sequence_contributions(model, x, target=task, at=at, batch_size=5)
    np.testing.assert_allclose(found.numpy(), expected, **EXACT)
    table = filter_contributions(model, x[y == 1], x[y == 0], target=task, at=at, batch_size=3)
    score = arrays[f"filter_score_{name}_task{task}"]
    np.testing.assert_allclose(table["contribution"], score[:20] + score[:19:-1], **EXACT)


def _named_as_original(model, values):
    """Give a parameter's values in the original's layout, under the original's name."""
    head = values["head.weight"].T
    return {
        "conv0_kernel": values["conv1.weight"].permute(2, 1, 0),
        "conv0_bias": values["conv1.bias"],
        "bn0_gamma": values["norm1.weight"],
        "bn0_beta": values["norm1.bias"],
        "wsum_W": values["weighted_sum.weight"].T,
        "dense_W": head,
        "dense_b": values["head.bias"],
    }


def test_loss_gradients_and_adam_steps(original_simulation_model, original_x):
    model, arrays = original_simulation_model
    x, y = original_x(arrays), torch.tensor(arrays["y"])
    model.train()
    optimiser = find_recipe("paper").optimiser(model.parameters())
    losses = []
    for step in range(1, 6):
        loss = binary_cross_entropy_with_logits(model(x), y)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        if step == 1:
            np.testing.assert_allclose(loss.item(), arrays["loss_train"], **EXACT)
            gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
            for name, gradient in _named_as_original(model, gradients).items():
                np.testing.assert_allclose(gradient, arrays[f"lossgrad/{name}"], **EXACT, err_msg=name)
        optimiser.step()
        if step in (1, 5):
            weights = dict(model.named_parameters())
            for name, weight in _named_as_original(model, weights).items():
                # The bias before a batch norm has no gradient but rounding, which Adam turns into steps of its own.
                limit = {"rtol": 0, "atol": 1e-8} if name == "conv0_bias" else EXACT
                np.testing.assert_allclose(weight.detach(), arrays[f"adam_step{step}/{name}"], **limit, err_msg=name)
            mean = arrays[f"adam_step{step}/bn0_moving_mean"]
            np.testing.assert_allclose(model.norm1.running_mean, mean, **EXACT)
    np.testing.assert_allclose(losses, arrays["adam_losses"], **EXACT)
