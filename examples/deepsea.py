"""A DeepSEA-like model: Conv2d, functional ReLU, a sigmoid at the end, before which the logit is read.

python examples/deepsea.py [FOLDER]
"""

from common import COLUMNS, load, on_labels, read_arguments, train, with_both_strands
from shapes import DeepSEA
from torch import Tensor

import rcinterp


def to_logit(probability: Tensor) -> Tensor:
    """Undo the sigmoid, for the loss of the training."""
    return probability.logit(eps=1e-6)


def main() -> None:
    """Print the table, and how faithful two of the methods are."""
    given = read_arguments(__doc__)
    training, valid = load(given)
    model = DeepSEA(training.length, 1, channels=(16, 12), widths=(19, 7), pool=8)
    both = with_both_strands(training)
    train(model, (both.x,), on_labels(both.y, to_logit), epochs=given.epochs)
    found = rcinterp.interpret(model, valid.positives(), valid.negatives())
    print(f"layer {found.layer!r}, whose activation is that of a function, not of a module")
    print("\n".join(found.notes()))
    print(found.table[COLUMNS].head(4).to_string(index=False, float_format="{:.3g}".format))
    print("deeplift has no rule for a nonlinearity called as a function; integrated gradients need none:")
    print(rcinterp.faithfulness(model, valid.positives(), valid.negatives(), method="integrated_gradients"))


if __name__ == "__main__":
    main()
