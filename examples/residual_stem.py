"""An Enformer-like stem and a dict of outputs: where the activation can be taken, and where not.

python examples/residual_stem.py [FOLDER]
"""

from common import COLUMNS, load, on_labels, read_arguments, train, with_both_strands
from shapes import ResidualStem
from torch import Tensor

import rcinterp


def human(output: dict[str, Tensor]) -> Tensor:
    """Take the head that is meant."""
    return output["human"]


def main() -> None:
    """Print the stem's table, and a deeper layer's."""
    given = read_arguments(__doc__)
    training, valid = load(given)
    model = ResidualStem(16, 1, width=19, n_tower=12)
    both = with_both_strands(training)
    train(model, (both.x,), on_labels(both.y, human), epochs=given.epochs)
    for layer in (None, "tower.0"):
        found = rcinterp.interpret(model, valid.positives(), valid.negatives(), layer=layer, func=human)
        print(f"\nlayer {found.layer!r}, cut at the {found.contributions['cut_at'][0]}\n" + "\n".join(found.notes()))
        print(found.table[COLUMNS].head(4).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
