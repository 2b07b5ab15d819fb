"""PyTorch layers that share weights between a DNA sequence and its reverse complement (RC).

Channels are ordered so that the reverse complement of channel i is channel C-1-i. One-hot ACGT, every hidden map and
every kernel then obey the same action: flip channels and positions together (``reverse_complement``). A layer that
commutes with the action is equivariant; a head that weighs both strands alike makes the network invariant.
"""

from rclayers._augmentation import RandomReverseComplement
from rclayers._checks import SymmetryError
from rclayers._conjoined import Conjoined
from rclayers._conv import RCConv1d
from rclayers._convert import to_rc
from rclayers._dense import RCLinear
from rclayers._dropout import RCDropout, RCDropout1d
from rclayers._exact import exact_strands
from rclayers._norm import RCBatchNorm1d
from rclayers._pool import RCAvgPool1d, RCMaxPool1d
from rclayers._residual import RCDilatedBlock, RCResidual
from rclayers._separable import SeparableLinear
from rclayers._strands import Strandwise
from rclayers._symmetry import by_strand, join_strands, reverse_complement, tie
from rclayers._weighted_sum import RCWeightedSum1d, WeightedSum1d

__all__ = [
    "Conjoined",
    "RCAvgPool1d",
    "RCBatchNorm1d",
    "RCConv1d",
    "RCDilatedBlock",
    "RCDropout",
    "RCDropout1d",
    "RCLinear",
    "RCMaxPool1d",
    "RCResidual",
    "RCWeightedSum1d",
    "RandomReverseComplement",
    "SeparableLinear",
    "Strandwise",
    "SymmetryError",
    "WeightedSum1d",
    "by_strand",
    "exact_strands",
    "join_strands",
    "reverse_complement",
    "tie",
    "to_rc",
]
