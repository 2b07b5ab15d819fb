"""What a user chooses of `interpret`, checked once; a result keeps it."""

from dataclasses import dataclass
from typing import get_args

from rcinterp.errors import InputError, require_whole
from rcinterp.reading.filter_motifs import MotifsFrom
from rcinterp.reading.methods import Baseline, Method
from rcinterp.reading.reader import RunOptions
from rcinterp.reading.sites import SITE_THRESHOLD, check_threshold

#: Further bp beside a site, at most.
MOST_FLANK = 1000


@dataclass(frozen=True)
class Settings:
    """What a user chooses of `interpret`.

    Attributes
    ----------
    motifs_from, distance, method, baseline, threshold, flank, measure_faithfulness, seed
        As in `interpret`.
    """

    motifs_from: MotifsFrom = "sites"
    distance: str = "euclidean"
    method: Method = "gradient_x_activation"
    baseline: Baseline = "zero"
    threshold: float = SITE_THRESHOLD
    flank: int = 0
    measure_faithfulness: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no step could use, before the first one."""
        check_threshold(self.threshold, "interpret")
        require_whole("flank", self.flank, 0, "interpret")
        if self.flank > MOST_FLANK:
            raise InputError(
                f"interpret: got flank={self.flank}, expected at most {MOST_FLANK:,} bp, as motifs are compared whole; "
                "use a smaller one."
            )
        if self.flank and self.motifs_from != "sites":
            raise InputError(
                f"interpret: got flank={self.flank} and motifs_from={self.motifs_from!r}, expected "
                "motifs_from='sites': a filter has no weights beside it. Leave one out."
            )
        if self.motifs_from not in get_args(MotifsFrom):
            raise InputError(
                f"interpret: got motifs_from={self.motifs_from!r}, expected 'sites', 'weights' or 'likelihood'."
            )


class InterpretOptions(RunOptions, total=False):
    """Keywords of `interpret`: those of `Settings`, and how the model is run."""

    motifs_from: MotifsFrom
    distance: str
    method: Method
    baseline: Baseline
    threshold: float
    flank: int
    measure_faithfulness: bool
    seed: int
