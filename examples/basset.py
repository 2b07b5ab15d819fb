"""A Basset-like model of two tasks: which filters matter to which? Choose the task by target=.

python examples/basset.py [FOLDER]
"""

from common import COLUMNS, load, on_labels, read_arguments, train, with_both_strands, with_gc_task
from shapes import basset

import rcinterp


def main() -> None:
    """Print a table for each task."""
    given = read_arguments(__doc__)
    training, valid = (with_gc_task(data) for data in load(given))
    model = basset(training.length, 2, channels=(16, 12, 10), widths=(19, 7, 5), pools=(3, 4, 4), n_hidden=32)
    both = with_both_strands(training)
    train(model, (both.x,), on_labels(both.y), epochs=given.epochs)
    for target, task in enumerate(("bound", "rich in G and C")):
        found = rcinterp.interpret(model, valid.positives(target), valid.negatives(target), target=target)
        print(f"\ntask {target}, {task}: layer {found.layer!r}\n" + "\n".join(found.notes()))
        print(found.table[COLUMNS].head(4).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
