"""The command line: arguments become one call; the only place that prints.

Each command imports what it needs when it runs, so that --help answers at once.
"""

import click

from rcinterp.cli._command import Program
from rcinterp.cli._common import keep_freed_memory
from rcinterp.cli.compare import compare
from rcinterp.cli.completion import completion
from rcinterp.cli.dataset import dataset
from rcinterp.cli.demo import demo
from rcinterp.cli.doctor import doctor
from rcinterp.cli.evaluate import evaluate
from rcinterp.cli.interpret import interpret
from rcinterp.cli.rerun import rerun
from rcinterp.cli.simulate import simulate
from rcinterp.cli.stability import compare_models
from rcinterp.cli.strands import strands
from rcinterp.cli.study import study
from rcinterp.cli.train import train

_COMMANDS = {
    "To begin": (demo, doctor, completion),
    "Sequences": (simulate, dataset),
    "Models": (train, evaluate, strands),
    "Filters and motifs": (interpret, compare_models, compare),
    "Results": (rerun, study),
}
_EXAMPLE = """\
rcinterp demo                      # a first report, in about a minute
rcinterp interpret --help          # what a command takes, and an example"""


@click.group(
    cls=Program,
    example=_EXAMPLE,
    headings={heading: [str(command.name) for command in commands] for heading, commands in _COMMANDS.items()},
)
@click.version_option(package_name="rcinterp")
def main() -> None:
    """Train compact models on transcription-factor binding data, and read their filters."""
    keep_freed_memory()


for _commands in _COMMANDS.values():
    for _command in _commands:
        main.add_command(_command)
