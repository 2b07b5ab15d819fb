"""The folder of a command's results under all that happens to it: stops at any step, other processes, a person's hands.

A machine of hypothesis draws what happens; each start of the command is a process of its own. What must hold:

- what is there is the old result or the new one, whole, once a reader has moved what was complete;
- a start that nobody has interfered with goes through, however many were stopped before it, and leaves no other file;
- a start that is refused says so in one line, and changes nothing;
- a person's own file is never replaced or removed, unless --overwrite was given;
- `rerun` says whether a file was edited.
"""

import json
import os
import runpy
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from rcinterp.cli._command import Command, Done, Program
from rcinterp.cli._record import RECORD, count_threads, list_versions
from rcinterp.cli._toml import read_toml, write_toml
from rcinterp.cli._types import OUT
from rcinterp.cli.rerun import rerun
from rcinterp.errors import InputError
from rcinterp.files import finish, held, whole_folder, write_at_once

stopping = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("stopping.py"))))
#: What the command may write.
NAMES = ("a.tsv", "b.tsv", "c.tsv")
#: When a person's file was written that is older than all starts.
LONG_AGO = 1_000_000_000


@click.command(cls=Command, writes=NAMES, example="rcinterp write --text x --out out")
@click.option("--text")
@click.option("--name", "names", multiple=True)
@click.option("--out", type=OUT)
def write(text, names, out):
    """Write files of a text."""
    if not names:
        raise InputError("no names")
    with whole_folder(out, NAMES) as part:
        for name in names:
            write_at_once(part / name, content_of(text, name))
    return Done(str(out), {}, out)


def content_of(text, name):
    return f"{name}: {text}\n" * 3


PROGRAM = Program(name="rcinterp", commands={"write": write, "rerun": rerun}, example="rcinterp write")


def call(*arguments, overwrite=False):
    """Run a command as the command line does, but that errors come out as they are."""
    with click.Context(PROGRAM, info_name="rcinterp") as root:
        command = PROGRAM.get_command(root, arguments[0])
        words = [*map(str, arguments[1:]), *(["--overwrite"] if overwrite else [])]
        with command.make_context(arguments[0], words, parent=root) as ctx:
            return command.perform(ctx).status


def visible_in(folder):
    """Content of a folder as a reader finds it: with what was complete in its place, whether or not it is moved."""
    files = {path.name: path.read_text() for path in folder.glob("*") if path.is_file()} if folder.is_dir() else {}
    ready = folder / ".rcinterp-ready"
    if ready.is_dir():
        gone = json.loads((ready / ".gone.json").read_text()) if (ready / ".gone.json").exists() else []
        moved = {path.name: path.read_text() for path in ready.iterdir()}
        files = {name: text for name, text in files.items() if name not in gone} | moved
    return {name: text for name, text in files.items() if not name.startswith(".")}


def results_in(folder):
    return {name: text for name, text in visible_in(folder).items() if name != RECORD}


#: One more than a start has: it may go through.
N_STEPS = 34
stops = st.builds(stopping.Stop, st.sampled_from(range(N_STEPS)), st.booleans())
chosen = st.sets(st.sampled_from(NAMES), min_size=1)
texts = st.sampled_from(["one", "two", "three"])


class Place(RuleBasedStateMachine):
    """The folder, and what may happen to it."""

    @initialize()
    def begin(self):
        self.base = Path(tempfile.mkdtemp(prefix="rcinterp-place-"))
        self.out = self.base / "out"
        self.mine = {}  # a person's files, by name
        self.is_interfered = False  # whether a person has done what a start may refuse
        self.is_refused = False  # whether the next start must be refused
        self.written = None  # files of the last result, if its record is there and nobody has stopped a start since

    def teardown(self):
        if hasattr(self, "base"):
            shutil.rmtree(self.base)

    def start(self, text, names, overwrite, stop):
        before = results_in(self.out)
        new = {name: content_of(text, name) for name in names}
        words = [word for name in sorted(names) for word in ("--name", name)]
        ended = stopping.run_in_child(
            lambda: call("write", "--text", text, *words, "--out", self.out, overwrite=overwrite), stop
        )
        after = results_in(self.out)
        if overwrite:
            self.mine = {name: text for name, text in self.mine.items() if name not in NAMES}
        new |= {name: text for name, text in self.mine.items() if name not in NAMES}
        if ended.how == stopping.DONE:
            assert not (self.is_refused and not overwrite), "what was to be refused was done"
            assert after == new
            assert {path.name for path in self.out.iterdir()} == {*new, RECORD}, "a file was left"
            assert read_toml((self.out / RECORD).read_text())["files"] == sorted(names)
            self.is_interfered = self.is_refused = False
            self.written = {name: new[name] for name in names}
        elif ended.how == stopping.REFUSED:
            assert self.is_interfered, ended.said
            assert not overwrite
            assert "\n" not in ended.said
            assert after == before
        else:
            assert stop is not None
            assert after in (before, new), "neither the old nor the new result"
            self.written = None

    @rule(text=texts, names=chosen, overwrite=st.sampled_from([False, False, True]))
    def write(self, text, names, overwrite):
        self.start(text, names, overwrite, None)

    @rule(text=texts, names=chosen, stop=stops)
    def stop(self, text, names, stop):
        self.start(text, names, False, stop)

    @rule(text=texts, names=chosen, at=st.sampled_from(range(18, N_STEPS)), killed=st.booleans())
    def stop_late(self, text, names, at, killed):
        self.start(text, names, False, stopping.Stop(at, killed))

    @rule(text=texts, names=chosen, stop=stops)
    def stop_overwriting(self, text, names, stop):
        self.start(text, names, True, stop)

    @rule(text=texts)
    def fail(self, text):
        """A start that cannot go through for a reason of its own."""
        before = visible_in(self.out)
        words = ["write", "--text", text, "--out", self.out]
        ended = stopping.run_in_child(lambda: call(*words, overwrite=True))
        assert ended.how == stopping.REFUSED
        assert visible_in(self.out) == before

    @rule()
    def read(self):
        """A reader moves what is complete."""
        before = results_in(self.out)
        stopping.run_in_child(lambda: finish(self.out))
        assert results_in(self.out) == before

    @rule(text=texts, name=st.sampled_from(NAMES), is_killed=st.booleans())
    def write_while_another_holds_it(self, text, name, is_killed):
        before, there = results_in(self.out), self.out.is_dir()

        def hold(say_begun, wait):
            with held(self.out, "rcinterp other"):
                say_begun()
                wait()
                raise InputError("it fails")  # had it come to its end, the folder would be its

        with stopping.another(hold) as (pid, let_go):
            ended = stopping.run_in_child(lambda: call("write", "--text", text, "--name", name, "--out", self.out))
            assert ended.how == stopping.REFUSED
            assert f"out: process {pid} on " in ended.said
            assert "(rcinterp other) is writing there; wait until it has ended, or give another folder." in ended.said
            assert "\n" not in ended.said
            assert results_in(self.out) == before
            if not is_killed:
                let_go()
                assert self.out.is_dir() is there

    # What a person does.

    @rule(name=st.sampled_from(["notes.txt", "d.tsv"]), text=texts)
    def add_a_file_of_another_name(self, name, text):
        self.out.mkdir(exist_ok=True)
        (self.out / name).write_text(f"mine: {text}")
        self.mine[name] = f"mine: {text}"

    @rule(name=st.sampled_from(NAMES))
    def add_a_file_of_such_a_name(self, name):
        """... where the command has none: it is older than all starts, or it could be of one that was stopped."""
        recorded = []
        if (self.out / RECORD).exists():
            try:
                recorded = read_toml((self.out / RECORD).read_text()).get("files", [])
            except ValueError:
                return
        hidden = list(self.out.glob(".rcinterp-ready")) if self.out.is_dir() else []
        if name in results_in(self.out) or name in recorded or hidden:
            return
        self.out.mkdir(exist_ok=True)
        (self.out / name).write_text("mine")
        os.utime(self.out / name, (LONG_AGO, LONG_AGO))
        self.mine[name] = "mine"
        self.is_interfered = self.is_refused = True

    @precondition(lambda self: self.written)
    @rule(data=st.data(), is_deleted=st.booleans())
    def edit_a_result(self, data, is_deleted):
        """... which a new result replaces all the same, as its record names it."""
        name = data.draw(st.sampled_from(sorted(self.written)))
        if not (self.out / name).exists():
            return
        if is_deleted:
            (self.out / name).unlink()
        else:
            (self.out / name).write_text("edited")

    @precondition(lambda self: (self.out / RECORD).exists())
    @rule(how=st.sampled_from(["nonsense", "another command", "fewer files", "files elsewhere", "deleted"]))
    def edit_the_record(self, how):
        path = self.out / RECORD
        self.written, self.is_interfered = None, True
        if how == "deleted":
            path.unlink()
            return
        if how == "nonsense":
            path.write_text("mine = [")
            self.is_refused = True
            return
        try:
            said = read_toml(path.read_text())
        except ValueError:
            return
        if how == "another command":
            path.write_text(write_toml(said | {"command": "train"}))
            self.is_refused = True
        elif how == "fewer files":
            path.write_text(write_toml(said | {"files": said["files"][1:]}))
        else:
            (self.base / "a.tsv").write_text("mine, elsewhere")
            path.write_text(write_toml(said | {"files": ["../a.tsv", "notes.txt", "..", *said["files"]]}))

    @precondition(lambda self: self.written)
    @rule()
    def rerun(self):
        ended = stopping.run_in_child(lambda: call("rerun", self.out))
        is_edited = any(results_in(self.out).get(name) != text for name, text in self.written.items())
        assert ended.how == stopping.DONE
        assert ended.said == str(int(is_edited))

    # What holds.

    @invariant()
    def a_person_s_files_are_there(self):
        if not hasattr(self, "out"):
            return
        there = visible_in(self.out)
        assert {name: there.get(name) for name in self.mine} == self.mine
        elsewhere = self.base / "a.tsv"
        assert not elsewhere.exists() or elsewhere.read_text() == "mine, elsewhere"
        assert {path.name for path in self.base.iterdir()} <= {"out", "a.tsv"}


def run_machine(monkeypatch, n, steps):
    count_threads()  # what each process would import for itself
    versions = list_versions()
    monkeypatch.setattr("rcinterp.cli._record.list_versions", lambda: versions)
    stopping.run_examples(Place, n, steps)


def test_the_folder_of_a_command(monkeypatch):
    run_machine(monkeypatch, 25, 20)


@pytest.mark.slow
def test_the_folder_of_a_command_for_longer(monkeypatch):
    run_machine(monkeypatch, 60, 20)
