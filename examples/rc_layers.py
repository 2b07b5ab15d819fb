"""A three-layer RC model: its first layer and, by layer=, its last, whose filters see 41 bp.

python examples/rc_layers.py [FOLDER]
"""

from common import COLUMNS, load, read_arguments

import rcinterp


def main() -> None:
    """Print a table for each layer."""
    given = read_arguments(__doc__)
    training, valid = load(given)
    model = rcinterp.compact_model(3, 8, training.length, pool=20, stride=20)
    rcinterp.fit(model, training, valid, seed=0, epochs=given.epochs, progress=False)
    for layer in ("conv1", "conv3"):
        found = rcinterp.interpret(model, valid.positives(), valid.negatives(), layer=layer)
        print(f"\nlayer {layer!r}, motifs in {found.unit}\n" + "\n".join(found.notes()))
        shown = [*COLUMNS[:3], "strand_balance", "information", *COLUMNS[4:]]
        print(found.table[shown].head(4).to_string(index=False, float_format="{:.3g}".format))


if __name__ == "__main__":
    main()
