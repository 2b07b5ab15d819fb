"""The separable dense layer: for each output, one weight a position times one weight a channel."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rclayers._checks import require_length, require_map, require_positive
from rclayers._symmetry import by_strand, mirror


class SeparableLinear(nn.Module):
    """Dense outputs of a map whose weights are the product of a positional profile and of one weight a channel.

    Parameters
    ----------
    n_filters : int
        Independent filters F: the map has F channels, or 2F if `rc`.
    length : int
        Positions L of the map.
    out_features : int
        Outputs, e.g. one logit a task.
    rc : bool
        Whether the map obeys the action, and the outputs are to be the same for both strands.
    symmetric : bool
        Whether position l and position L-1-l share one weight.
    bias : bool
        Whether each output has a bias; the original has none.

    Attributes
    ----------
    position_weight : Parameter, shape (out, L), or (out, ceil(L/2)) if symmetric
    channel_weight : Parameter, shape (out, F)
        Both uniform within (2 / (l·F + out))^(1/4), with l the stored positions, as in the original.
    bias : Parameter, shape (out,), or None
        0 at the start.

    Raises
    ------
    ValueError
        If a size is not positive, or the map has another shape.

    Notes
    -----
    With p = ``positional_weight()`` and a = ``channel_weight``::

        y[n, o] = bias[o] + sum over c < F and l of a[o, c] p[o, l] x[n, c, l]

    With `rc`, the same is read from each strand, and added up::

        y[n, o] = bias[o] + sum over c < F and l of a[o, c] p[o, l] (x[n, c, l] + x[n, 2F-1-c, L-1-l])

    so that y(rc x) = y(x). The profile runs along the strand on which a filter reads. One profile on all 2F channels
    could be invariant only if it were symmetric, or antisymmetric.

    Each output has F + l weights, where a dense layer has F·l.

    References
    ----------
    Alexandari, Shrikumar & Kundaje 2017, "Separable fully connected layers improve deep learning models for genomics".

    Examples
    --------
    >>> import torch
    >>> SeparableLinear(3, length=11, out_features=5)(torch.rand(2, 3, 11)).shape
    torch.Size([2, 5])
    >>> SeparableLinear(3, length=11, out_features=5, rc=True)(torch.rand(2, 6, 11)).shape
    torch.Size([2, 5])
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        n_filters: int,
        length: int,
        out_features: int,
        rc: bool = False,
        symmetric: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__()
        require_positive("SeparableLinear", n_filters=n_filters, length=length, out_features=out_features)
        self.n_filters = n_filters
        self.length = length
        self.out_features = out_features
        self.rc = rc
        self.symmetric = symmetric
        n_weights = (length + 1) // 2 if symmetric else length
        self.position_weight = nn.Parameter(torch.empty(out_features, n_weights))
        self.channel_weight = nn.Parameter(torch.empty(out_features, n_filters))
        self.register_parameter("bias", nn.Parameter(torch.empty(out_features)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, within the original's bound; biases 0."""
        bound = (2 / (self.position_weight.shape[1] * self.n_filters + self.out_features)) ** 0.25
        nn.init.uniform_(self.position_weight, -bound, bound)
        nn.init.uniform_(self.channel_weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def positional_weight(self) -> Tensor:
        """Weight of each position, shape (out, L): the stored half and its mirror image if symmetric."""
        return mirror(self.position_weight, self.length) if self.symmetric else self.position_weight

    def roughness(self, order: int = 2, power: int = 2) -> Tensor:
        """Mean size of the profiles' differences: add p times it to the loss for smooth profiles.

        Parameters
        ----------
        order : 1 or 2
            Differences of neighbouring stored weights, or the differences of those: the curvature.
        power : 1 or 2
            Of the absolute differences.

        Notes
        -----
        ``mean over o, l of |difference of that order|^power``; 0 if there are too few positions.
        """
        for name, value in (("order", order), ("power", power)):
            if value not in (1, 2):
                raise ValueError(f"SeparableLinear.roughness: got {name}={value!r}, expected 1 or 2.")
        differences = self.position_weight.diff(n=order, dim=1).abs().pow(power)
        return differences.mean() if differences.numel() else differences.sum()

    @torch.no_grad()
    def constrain_curvature(self, limit: float) -> None:
        """Bend the stored profiles straight where they bend by more than `limit`; call it after each step.

        Notes
        -----
        Second differences are clipped to [-limit, limit] and summed up again; each profile keeps its mean slope and its
        mean value. A profile of one or two weights has no curvature, and stays as it is.
        """
        if not limit >= 0:
            raise ValueError(f"SeparableLinear.constrain_curvature: got limit={limit!r}, expected at least 0.")
        if self.position_weight.shape[1] > 2:
            slope = self.position_weight.diff(dim=1)
            straightened = _integrate(slope.diff(dim=1).clamp(-limit, limit), slope.mean(1, keepdim=True))
            self.position_weight.copy_(_integrate(straightened, self.position_weight.mean(1, keepdim=True)))

    def forward(self, x: Tensor) -> Tensor:
        """Weigh the map: (N, F, L), or (N, 2F, L) if `rc`, -> (N, out)."""
        require_map("SeparableLinear", x, (1 + self.rc) * self.n_filters)
        require_length("SeparableLinear", x, self.length)
        if not self.rc:
            return self._of_one_strand(x) if self.bias is None else self._of_one_strand(x) + self.bias
        forward, reverse = self._of_one_strand(by_strand(x)).chunk(2)
        return forward + reverse if self.bias is None else (forward + reverse) + self.bias

    def _of_one_strand(self, x: Tensor) -> Tensor:
        mixed = functional.linear(x.transpose(1, 2), self.channel_weight)  # (N, L, out): far less than the map
        return (mixed * self.positional_weight().T).sum(1)

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        return (
            f"{self.n_filters}, length={self.length}, out_features={self.out_features}, rc={self.rc}, "
            f"symmetric={self.symmetric}, bias={self.bias is not None}"
        )


def _integrate(differences: Tensor, mean: Tensor) -> Tensor:
    """Rows with those differences, one value longer, and with that mean."""
    summed = functional.pad(differences.cumsum(1), (1, 0))
    return summed + (mean - summed.mean(1, keepdim=True))
