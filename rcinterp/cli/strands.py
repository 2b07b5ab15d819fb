"""The command line of strand consistency."""

from pathlib import Path

import click

from rcinterp.cli._common import FILE, OUT, say


@click.command()
@click.argument("model")
@click.option("--sequences", type=FILE, required=True, help="FASTA, plain or gzip.")
@click.option("--weights", type=FILE, help="For FILE.py:NAME: its state_dict, .safetensors or of torch.save.")
@click.option("--output", help="For models that return a tuple or dict: the part that is meant, 1 or counts.")
@click.option("--logit", is_flag=True, help="The outputs are probabilities: read their logits.")
@click.option("--out", type=OUT, required=True, help="Folder for strands.tsv, strand_logits.tsv and a figure a task.")
def strands(model: str, sequences: Path, weights: Path | None, output: str | None, logit: bool, out: Path) -> None:
    """Ask whether a model gives a sequence and its reverse complement the same answer.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own, as for interpret.
    """
    from rcinterp.cli._own_models import choose_output, load_any_model
    from rcinterp.reading.strands import strand_consistency
    from rcinterp.report.figures import save_figure

    found = strand_consistency(load_any_model(model, weights), sequences, func=choose_output(output, logit))
    out.mkdir(parents=True, exist_ok=True)
    found.table.to_csv(out / "strands.tsv", sep="\t", index=False)
    found.logits.to_csv(out / "strand_logits.tsv", sep="\t", index=False)
    for task in found.table["task"]:
        save_figure(found.plot(task), out / f"strands_{task}")
    say(str(found))
    click.echo(out / "strands.tsv")
