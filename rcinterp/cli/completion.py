"""The command line of shell completion: click's own scripts."""

import click
from click.shell_completion import get_completion_class

from rcinterp.cli._command import Command, Done

_EXAMPLE = """\
rcinterp completion bash >> ~/.bashrc
rcinterp completion zsh >> ~/.zshrc
rcinterp completion fish > ~/.config/fish/completions/rcinterp.fish"""


@click.command(cls=Command, short_help="Print the script that completes commands with Tab.", example=_EXAMPLE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> Done:
    """Print the script that lets a shell complete commands, options and their values with the Tab key.

    Add it once to what the shell reads when it starts, as in the example, and open a new shell. For zsh, compinit must
    stand before it.
    """
    kind = get_completion_class(shell)
    assert kind is not None  # click knows these three
    script = kind(ctx.find_root().command, {}, "rcinterp", "_RCINTERP_COMPLETE").source()
    return Done(script, {"shell": shell, "script": script})
