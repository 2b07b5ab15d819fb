"""Help in which options and commands stand in groups, with an example at the end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

#: The heading above options of no group.
PLAIN = "Options"
#: The heading above what every command has.
GENERAL = "General"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Option(click.Option):
    """An option that stands under a heading.

    Parameters
    ----------
    group : str
        The heading.
    """

    def __init__(self, *arguments: Any, group: str = PLAIN, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.group = group


def option(*names: str, group: str = PLAIN, **settings: Any) -> Callable[[Decorated], Decorated]:
    """As `click.option`, under a heading."""
    return click.option(*names, cls=Option, group=group, **settings)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write a command's options, each heading at its first option's place, what every command has at the end.

    Where no option has a heading of its own, all stand under one.
    """
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        row = parameter.get_help_record(ctx)
        if row is not None and isinstance(parameter, click.Option):  # the help's first lines say what arguments are
            own = GENERAL if "--help" in parameter.opts else getattr(parameter, "group", PLAIN)
            groups.setdefault(own, []).append(row)
    general = groups.pop(GENERAL, [])
    if set(groups) <= {PLAIN}:
        groups, general = {PLAIN: groups.get(PLAIN, []) + general}, []
    for heading, rows in [*groups.items(), (GENERAL, general)]:
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


def write_commands(
    group: click.Group, ctx: click.Context, formatter: click.HelpFormatter, headings: Mapping[str, Sequence[str]]
) -> None:
    """Write a group's commands under these headings, in this order; those under none under "Commands"."""
    shown = {name: group.get_command(ctx, name) for name in group.list_commands(ctx)}
    left = [name for name in shown if not any(name in names for names in headings.values())]
    width = max(map(len, shown), default=0)
    for heading, names in {**headings, "Commands": left}.items():
        rows = [
            (name.ljust(width), command.get_short_help_str(formatter.width - width - 6))
            for name in names
            if (command := shown.get(name)) is not None and not command.hidden
        ]
        if rows:
            with formatter.section(heading):
                formatter.write_dl(rows)


def write_example(example: str, formatter: click.HelpFormatter) -> None:
    """Write an example, its lines as they are."""
    if example:
        with formatter.section("Example"):
            for line in example.splitlines():
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")
