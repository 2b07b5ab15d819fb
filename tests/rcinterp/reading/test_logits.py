import pytest
import torch

from rcinterp.reading.logits import as_logits, profile_score


def test_profile_score_by_hand():
    logits = torch.tensor([[[0.0, 1.0], [2.0, 1.0]]])
    weights = logits.flatten().softmax(0)
    assert profile_score(logits).item() == pytest.approx(float((weights * (logits.flatten() - 1)).sum()))
    torch.testing.assert_close(profile_score(logits + 5), profile_score(logits))
    gradient = torch.autograd.grad(profile_score(logits.requires_grad_()).sum(), logits)[0]
    torch.testing.assert_close(gradient.flatten(), weights - weights.mean())


def test_positions_of_a_profile_are_added_up():
    profile = torch.arange(12.0).view(2, 2, 3)
    torch.testing.assert_close(as_logits(profile, None, 2), torch.tensor([[3.0, 12.0], [21.0, 30.0]]))
    torch.testing.assert_close(as_logits({"a": profile}, lambda y: y["a"][:, 0], 2), profile[:, 0])
