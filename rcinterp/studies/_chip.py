"""Section 3.4.2: the models of the ChIP-seq studies, and how they are trained."""

from typing import Any

from rcinterp.studies._data import Data, Folder
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Options


def chip_training(options: Options) -> dict[str, Any]:
    """Arguments of `fit`: 80 epochs of 5,000 samples in batches of 100 for the paper's recipe, the best one kept.

    Positives are weighted by negatives / positives of the training set, as the paper's 5:1 roughly was.
    """
    epochs = options.epochs or (5 if options.small else None)
    return {"patience": None} if epochs is None else {"patience": None, "epochs": epochs}


def chip_run(
    label: str,
    n_filters: int,
    data: Data,
    seed: int,
    options: Options,
    *,
    n_layers: int = 3,
    rc: bool = True,
    augment: bool = False,
) -> Run:
    """A run on real data: widths 15, 14 and 14, pooling 40/20."""
    model = {"n_layers": n_layers, "n_filters": n_filters, "rc": rc}
    training = chip_training(options) | ({"augment": True} if augment else {})
    return Run(label, data, seed, model, options.recipe, training=training)


def folders(options: Options) -> list[Folder]:
    """The data that the user named."""
    return [Folder(path.resolve()) for path in options.data]
