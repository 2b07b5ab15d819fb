"""The command line of the demo."""

from pathlib import Path

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import quiet_fit, say, warm_up
from rcinterp.cli._help import option
from rcinterp.cli._types import OUT, SEED, Whole
from rcinterp.files.results import INTERPRETATION, MODEL_FILES


@click.command(
    cls=Command,
    writes=(
        "report.html",
        *(f"{kind}/{name}" for kind in ("rc", "traditional") for name in INTERPRETATION + MODEL_FILES),
    ),
    short_help="A first report, on simulated CTCF sites, in a minute.",
    example="rcinterp demo --out demo",
)
@option("--out", type=OUT, default=Path("demo"), help="Folder for the report, models and tables.")
@option("--seed", type=SEED, default=0, help="Of the simulation and the models.")
@option("--epochs", type=Whole(1), default=20, help="Of at most 5,000 sequences each.")
def demo(out: Path, seed: int, epochs: int) -> Done:
    """Simulate CTCF sites, train an RC and a traditional model, and report on their filters (about a minute)."""
    from rcinterp.demo import DemoSettings, run_demo

    warm_up()
    report = run_demo(out, seed=seed, settings=DemoSettings(epochs=epochs), say=say, **quiet_fit())
    return Done(str(report), {"folder": out, "report": report, "valid_auroc": _aurocs(out)}, out)


def _aurocs(out: Path) -> dict[str, float]:
    """Validation auROC of each model, by the name of its folder."""
    from rcinterp.files import where_now
    from rcinterp.training.saving import load_model

    folders = [path.parent for path in sorted(where_now(out).glob("*/model.json"))]
    return {folder.name: load_model(folder).provenance["valid_auroc"] for folder in folders}
