"""What --help says of every command: options under headings, each with a word on it, and an example that parses."""

import shlex

import click
import pytest

from rcinterp.cli import main
from rcinterp.cli._command import Command
from rcinterp.cli._help import GENERAL


def walk(command, name=(), parent=None):
    """Yield each command below one, its words, and the context it is parsed in."""
    yield command, name, parent
    if isinstance(command, click.Group):
        context = click.Context(command, parent, info_name=name[-1] if name else "rcinterp")
        for below in command.list_commands(context):
            yield from walk(command.get_command(context, below), (*name, below), context)


EVERY = {" ".join(name): (command, parent) for command, name, parent in walk(main)}
LEAVES = {name: one for name, one in EVERY.items() if not isinstance(one[0], click.Group)}


def example_lines(command):
    """Words of each command line of an example, without what the shell does with its output."""
    for line in command.example.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        end = next((i for i, word in enumerate(words) if word in (">", ">>")), len(words))
        yield words[:end]


def find(words):
    """The command of a line, its context, and the rest of its words."""
    command, context = main, click.Context(main, info_name="rcinterp")
    while isinstance(command, click.Group):
        command, words = command.get_command(context, words[0]), words[1:]
        if isinstance(command, click.Group):
            context = click.Context(command, context)
    return command, context, words


@pytest.mark.parametrize("name", EVERY)
def test_an_example_stands_at_the_end_and_parses(name, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, _ = EVERY[name]
    shown = run(*name.split(), "--help").stdout
    assert shown.endswith("Example:\n" + "".join(f"  {line}\n" for line in command.example.splitlines()))
    for words in example_lines(command):
        assert words[0] == "rcinterp"
        used, parent, rest = find(words[1:])
        assert isinstance(used, Command)
        if "--help" not in rest:
            used.make_context(str(used.name), rest, parent)
            assert command in (used, main) or isinstance(command, click.Group)


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_has_a_word_on_it_and_stands_once(name, run):
    command, _ = LEAVES[name]
    shown = run(*name.split(), "--help").stdout.split("\n\nExample:")[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert sum(line.startswith(f"  {parameter.opts[0]}") for line in shown.splitlines()) >= 1
    for option in ("--json", "--quiet", "--verbose"):
        assert shown.count(f"\n  {option} ") == 1


def test_options_stand_under_headings_and_what_all_have_stands_last(run):
    lines = run("train", "--help").stdout.splitlines()
    headings = [line for line in lines if line.endswith(":") and line[:1].isalpha()]
    assert headings == ["Sequences:", "Model:", "Training:", "Output:", f"{GENERAL}:", "Example:"]
    place = lines.index("Model:")
    assert any(line.startswith("  --filters") for line in lines[place : lines.index("Training:")])
    assert any(line.startswith("  -h, --help") for line in lines[lines.index(f"{GENERAL}:") :])


def test_no_summary_is_cut_short(run):
    assert not [line for line in run("--help").stdout.splitlines() if line.endswith("...") and line[:1] == " "]


def test_a_typing_error_in_an_option_is_answered_with_what_was_meant(run):
    assert "--epochs" in run("train", "--epoch", 3, status=2).stderr


@pytest.mark.skipif(not hasattr(click.exceptions, "NoSuchCommand"), reason="this click suggests options, no commands")
def test_a_typing_error_in_a_command_is_answered_with_what_was_meant(run):
    assert "'train'" in run("trian", status=2).stderr
