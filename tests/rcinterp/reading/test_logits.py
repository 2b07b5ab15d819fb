import pytest
import torch

from rcinterp import Reader, find_sites
from rcinterp.errors import InputError
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


class Complex(torch.nn.Module):
    """A model whose logits are complex."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(4, 3, 7)

    def forward(self, x):
        return self.conv(x).relu().amax(-1).to(torch.complex64)


def test_complex_logits_are_refused_and_not_halved(dna):
    x = dna(5, 30, 0)
    with pytest.raises(InputError, match=r"the model returned complex logits \(torch\.complex64\), expected real ones"):
        Reader(Complex(), device="cpu").logits(x)
    real = Reader(Complex(), func=lambda y: y.abs(), device="cpu")
    assert real.logits(x).isfinite().all()
    assert len(find_sites(Complex(), x, device="cpu"))  # for which logits do not matter


def test_logits_without_values_are_refused():
    for logits, why in (
        (torch.ones(2, 1).to_sparse(), "is sparse_coo"),
        (torch.ones(2, 1, device="meta"), "has no val"),
    ):
        with pytest.raises(InputError, match=f"the model returned logits of which the tensor {why}.*Give a plain"):
            as_logits(logits, None, 2)
