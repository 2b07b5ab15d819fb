"""The command line of the studies."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcinterp.cli._command import Command, Done, Group
from rcinterp.cli._common import quiet_fit, say, warm_up
from rcinterp.cli._help import option
from rcinterp.cli._types import DATA, OUT, Whole
from rcinterp.files.results import STUDY
from rcinterp.studies import FORMER_NAMES, STUDIES

if TYPE_CHECKING:
    from rcinterp.studies import Options

#: Studies that compare motifs, for which an engine may have to be compiled first.
_WHERE = ("out", "jobs", "scheduler")  # parameters that do not change what is found
_COMPARE_MOTIFS = ("fig5", "recovery", "triage", "contributions")


@click.group(cls=Group, example="rcinterp study list\nrcinterp study fig3 --small --out results")
def study() -> None:
    """Run the paper's experiments again."""


@study.command("list", cls=Command, example="rcinterp study list")
def list_studies() -> Done:
    """Name every study, and the question that it puts."""
    return Done("".join(f"{name:<15}{question}\n" for name, question in STUDIES.items()), {"studies": STUDIES})


def _options_of(values: Mapping[str, Any]) -> "Options":
    from rcinterp.studies import Options

    return Options(**{name: value for name, value in values.items() if name not in _WHERE})


def _command(name: str, question: str, hidden: bool = False) -> click.Command:
    data = "--data ctcf " if question.startswith("Real data") else ""
    example = f"rcinterp study {name} {data}--small --out results"

    def place(values: dict[str, Any]) -> Path:
        from rcinterp.studies import find_study
        from rcinterp.studies._study import name_of

        return Path(values["out"]) / name_of(find_study(name), _options_of(values))

    figures = [f"{FORMER_NAMES.get(name, name)}.{ending}" for ending in ("png", "svg")]

    @click.command(
        name, cls=Command, writes=(*STUDY, *figures), place=place, example=example, help=question, hidden=hidden
    )
    @option(
        "--data", type=DATA, multiple=True, group="Data", help="Folder with train*/valid* .pos.fa and .neg.fa files."
    )
    @option(
        "--length",
        "lengths",
        type=Whole(1),
        multiple=True,
        group="Data",
        help="Of simulated sequences, in bp.",
    )
    @option(
        "--noise",
        type=click.Choice(["shuffled", "flipped"]),
        group="Data",
        help="Of simulated labels (strategies only).",
    )
    @option("--seeds", type=Whole(1), default=10, group="Models", help="Models of each kind.")
    @option("--epochs", type=Whole(1), group="Models", help="At most.  [default: the study's own]")
    @option("--recipe", default="paper", group="Models", help="Of every model.")
    @option("--small", is_flag=True, group="Models", help="A first look in minutes; no claim rests on it.")
    @option("--jobs", type=Whole(1), default=1, group="Where it runs", help="Processes on this machine.")
    @option("--scheduler", group="Where it runs", help="Address of a Dask scheduler, instead of --jobs.")
    @option(
        "--out",
        type=OUT,
        default=Path("results"),
        group="Output",
        help="For the study's folder, and runs/ of all studies.",
    )
    def command(out: Path, jobs: int, scheduler: str | None, **chosen: Any) -> Done:
        from rcinterp.studies import find_study, run_study

        study = find_study(name)
        if study.name in _COMPARE_MOTIFS:
            warm_up()
        found = run_study(study, out, _options_of(chosen), jobs=jobs, scheduler=scheduler, **quiet_fit())
        say(found.verdict)
        return Done(str(found.folder), {"folder": found.folder, "verdict": found.verdict}, found.folder)

    return command


for _name, _question in STUDIES.items():
    study.add_command(_command(_name, _question))
for _former, _name in FORMER_NAMES.items():
    study.add_command(_command(_former, STUDIES[_name], hidden=True))
