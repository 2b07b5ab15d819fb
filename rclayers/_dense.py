"""The dense layer in which the two strands meet."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rclayers._checks import require_positive, require_strand_values
from rclayers._symmetry import by_strand


class RCLinear(nn.Module):
    """Outputs that are the same for a sequence and its reverse complement.

    Parameters
    ----------
    n_filters : int
        Independent values F; the input has 2F, the reverse complement of value i being value 2F-1-i.
    out_features : int
        Outputs, e.g. one logit a task.
    bias : bool
        Whether each output has a bias.

    Attributes
    ----------
    weight : Parameter, shape (out, F)
        Glorot-uniform, as Keras' default: within sqrt(6 / (F + out)).
    bias : Parameter, shape (out,), or None
        0 at the start.

    Notes
    -----
    ``y[n, o] = bias[o] + sum over f of weight[o, f] (x[n, f] + x[n, 2F-1-f])``. From here on the strands are one: any
    further layer keeps the guarantee. For a dense layer over positions as well, `Strandwise(nn.Flatten())` before it
    gives F·L values a strand.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.4.

    Examples
    --------
    >>> import torch
    >>> RCLinear(3, out_features=5)(torch.rand(2, 6)).shape
    torch.Size([2, 5])
    """

    bias: nn.Parameter | None

    def __init__(self, n_filters: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        require_positive("RCLinear", n_filters=n_filters, out_features=out_features)
        self.n_filters = n_filters
        self.out_features = out_features
        self.weight = nn.Parameter(torch.empty(out_features, n_filters))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_features)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew; biases 0."""
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh both strands alike: (N, 2F) -> (N, out)."""
        require_strand_values("RCLinear", x, 2 * self.n_filters)
        forward, reverse = by_strand(x).chunk(2)
        return functional.linear(torch.add(forward, reverse), self.weight, self.bias)

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        return f"{self.n_filters}, out_features={self.out_features}, bias={self.bias is not None}"
