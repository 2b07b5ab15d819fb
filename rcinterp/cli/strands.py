"""The command line of strand consistency."""

from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import say
from rcinterp.cli._help import option
from rcinterp.cli._reading import RUN, WEIGHTS, run_options, together
from rcinterp.cli._types import FILE, MODEL, OUT
from rcinterp.files import whole_folder, write_table
from rcinterp.files.results import STRANDS


@click.command(
    cls=Command,
    writes=STRANDS,
    short_help="Ask whether both strands get the same answer.",
    example="rcinterp strands model --sequences data/valid.pos.fa.gz --out strands",
)
@click.argument("model", type=MODEL)
@option("--sequences", type=FILE, required=True, group="Sequences", help="FASTA, plain or gzip.")
@together(WEIGHTS, RUN)
@option(
    "--out",
    type=OUT,
    required=True,
    group="Output",
    help="Folder for strands.tsv, strand_logits.tsv and a figure a task.",
)
def strands(model: str, sequences: Path, weights: Path | None, out: Path, **run: Any) -> Done:
    """Ask whether a model gives a sequence and its reverse complement the same answer.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own, as for interpret.
    """
    from rcinterp.cli._own_models import load_any_model, warn_of_own_weights
    from rcinterp.reading.strands import strand_consistency
    from rcinterp.report.figures import save_figure

    found = strand_consistency(load_any_model(model, weights), sequences, **run_options(**run))
    old = {path.name for name in STRANDS for path in out.glob(name)}
    with whole_folder(out, old) as part:
        write_table(part / "strands.tsv", found.table)
        write_table(part / "strand_logits.tsv", found.logits)
        for task in found.table["task"]:
            save_figure(found.plot(task), part / f"strands_{task}")
    say(str(found))
    warn_of_own_weights([(model, weights)])
    result = {"folder": out, "answer": str(found), "tasks": found.table.to_dict("records")}
    return Done(str(out / "strands.tsv"), result, out)
