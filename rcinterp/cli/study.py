"""The command line of the studies."""

from pathlib import Path
from typing import Any

import click

from rcinterp.cli._common import FOLDER, OUT, say, warm_up
from rcinterp.studies import FORMER_NAMES, STUDIES

#: Studies that compare motifs, for which an engine may have to be compiled first.
_COMPARE_MOTIFS = ("fig5", "recovery", "triage", "contributions")


@click.group()
def study() -> None:
    """Run the paper's experiments again."""


@study.command("list")
def list_studies() -> None:
    """Name every study, and the question that it puts."""
    for name, question in STUDIES.items():
        click.echo(f"{name:<15}{question}")


def _command(name: str, question: str, hidden: bool = False) -> click.Command:
    @click.command(name, help=question, hidden=hidden)
    @click.option("--data", type=FOLDER, multiple=True, help="Folder with train*/valid* .pos.fa and .neg.fa files.")
    @click.option("--seeds", type=click.IntRange(1), default=10)
    @click.option("--epochs", type=click.IntRange(1), help="[default: the study's own]")
    @click.option("--recipe", default="paper", help="Of every model.")
    @click.option("--length", "lengths", type=click.IntRange(1), multiple=True, help="Of simulated sequences, in bp.")
    @click.option("--noise", type=click.Choice(["shuffled", "flipped"]), help="Of simulated labels (strategies only).")
    @click.option("--small", is_flag=True, help="A first look in minutes; no claim rests on it.")
    @click.option("--jobs", type=click.IntRange(1), default=1, help="Processes on this machine.")
    @click.option("--scheduler", help="Address of a Dask scheduler, instead of --jobs.")
    @click.option("--out", type=OUT, default=Path("results"), help="For the study's folder, and runs/ of all studies.")
    def command(out: Path, jobs: int, scheduler: str | None, **chosen: Any) -> None:
        from rcinterp.studies import Options, find_study, run_study

        study = find_study(name)
        if study.name in _COMPARE_MOTIFS:
            warm_up()
        found = run_study(study, out, Options(**chosen), jobs=jobs, scheduler=scheduler)
        say(found.verdict)
        click.echo(found.folder)

    return command


for _name, _question in STUDIES.items():
    study.add_command(_command(_name, _question))
for _former, _name in FORMER_NAMES.items():
    study.add_command(_command(_former, STUDIES[_name], hidden=True))
