"""The folder or file that a command writes: one process at a time, and nothing of others is lost."""

import ast
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from rcinterp.cli._place import _check_strangers, _present
from rcinterp.cli._record import read_record
from rcinterp.errors import InputError
from rcinterp.files import finish, held, writing
from rcinterp.files.locks import LOCK
from rcinterp.files.results import INTERPRETATION, STUDY, TRAINING
from rcinterp.interpretation import Interpretation, interpret
from rcinterp.studies import STUDIES
from rcinterp.training.models import compact_model
from rcinterp.training.saving import load_model, save_model

HOLD = """
import sys, time
from pathlib import Path
from rcinterp.files import finish, held, writing
with held(Path(sys.argv[1]), "rcinterp train"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds tmp_path/out, while it lives."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def simulate(run, tmp_path):
    """Give ``simulate(*options, status=0)``: the result of a small `rcinterp simulate` to tmp_path/out."""
    return lambda *options, **status: run(
        "simulate", "--n", 10, "--length", 100, "--out", tmp_path / "out", *options, **status
    )


def test_a_second_process_is_told_which_one_writes(holder, simulate, tmp_path):
    result = simulate(status=2)
    assert re.search(
        rf"out: process {holder.pid} on \S+ \(rcinterp train\) is writing there; wait until it has ended, or give "
        r"another folder\.\n$",
        result.stderr,
    )
    assert os.listdir(tmp_path / "out") == [LOCK]


def test_a_killed_process_holds_nothing(holder, simulate, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "out" / LOCK).exists()
    simulate()
    assert not (tmp_path / "out" / LOCK).exists()


def test_one_of_many_holds_a_folder_at_a_time(tmp_path):
    """... though each removes the lock when it ends."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom rcinterp.files import held\nfrom rcinterp.errors import "
        "InputError\nplace, n = Path(sys.argv[1]), 0\nwhile n < 20:\n    try:\n        with held(place, 'x'):\n"
        "            (place / 'alone').mkdir()\n            time.sleep(.001)\n            (place / 'alone').rmdir()\n"
        "            n += 1\n    except InputError:\n        time.sleep(.0005)\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "out"]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert list(tmp_path.glob("out/*")) == []


def test_a_command_that_fails_leaves_no_empty_folder(simulate, tmp_path):
    simulate("--motif", "none", status=2)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_not_replaced(simulate, tmp_path):
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "sites.tsv"
    mine.write_text("mine")
    result = simulate(status=2)
    assert "out holds sites.tsv, which no command of rcinterp has recorded there; name another folder" in result.stderr
    assert mine.read_text() == "mine"
    simulate("--overwrite")
    assert mine.read_text().startswith("sequence\t")
    simulate()  # the record names what the command wrote


def test_files_of_other_names_stay(simulate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    simulate()
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.data.simulation.simulate_motifs", lambda *_, **__: pytest.fail("worked"))
    (tmp_path / "file").write_text("")
    result = run("simulate", "--n", 10, "--out", tmp_path / "file" / "out", status=2)
    assert result.stderr.endswith("out: Not a directory\n")


#: A small `rcinterp simulate` to the folder that is given, killed when a file takes its place, or all do.
KILLED = """
import os, sys
from pathlib import Path
from rcinterp.cli import main
function, at, seen = sys.argv[2], int(sys.argv[3]), []
real = getattr(os, function)
def stop(source, target):
    if f"{sys.argv[1]}/.rcinterp-ready" in f"{source} {target}":
        seen.append(source)
        if len(seen) == at:
            os.kill(os.getpid(), 9)
    return real(source, target)
setattr(os, function, stop)
main(["simulate", "--n", "10", "--length", "100", "--seed", "5", "--out", sys.argv[1]])
"""


def kill(out, function, at):
    env = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # which run.toml notes
    ended = subprocess.run([sys.executable, "-c", KILLED, out, function, str(at)], check=False, env=env)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("function", "at", "is_new"), [("rename", 1, False), ("replace", 3, True)])
def test_what_a_stopped_command_left_is_the_old_or_the_new_result_with_its_record(
    simulate, tmp_path, files_of, function, at, is_new
):
    out, new = tmp_path / "out", tmp_path / "new"
    simulate()
    old = files_of(out)
    simulate("--seed", 5, "--out", new)
    kill(out, function, at)
    finish(out)
    left = {name: data for name, data in files_of(out).items() if not name.startswith(".")}
    assert left == (files_of(new) if is_new else old)
    writing._cleaned.clear()  # the next start is another process
    simulate("--seed", 5)
    assert files_of(out) == files_of(new)  # nothing of the killed one is left


def test_a_command_that_was_killed_vouches_for_no_file_of_another(simulate, run, commands, tmp_path):
    """... which a person put there afterwards, whichever command comes next."""
    out = tmp_path / "out"
    kill(out, "rename", 1)
    assert (out / LOCK).exists()
    for name, command in (("sites.tsv", commands["simulate"]), ("filters.tsv", commands["interpret"])):
        (out / name).write_text("mine")
        said = run(*command, "--out", out, status=2).stderr
        assert f"out holds {name}, which no command of rcinterp has recorded there" in said
        assert (out / name).read_text() == "mine"
        (out / name).unlink()
    simulate()


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "another's", "hard link"])
def test_what_is_no_lock_is_neither_written_to_nor_followed(simulate, tmp_path, kind):
    out, mine = tmp_path / "out", tmp_path / "mine"
    out.mkdir()
    mine.write_text("mine\n")
    lock = out / LOCK
    make = {
        "link": lambda: lock.symlink_to(mine),
        "folder": lock.mkdir,
        "pipe": lambda: os.mkfifo(lock),
        "another's": lambda: lock.write_text("mine\n"),
        "hard link": lambda: lock.hardlink_to(mine),
    }
    make[kind]()
    said = simulate(status=2).stderr
    assert re.search(
        r"out/\.rcinterp-lock: (is no file of its own|holds something else), expected the file by which rcinterp holds "
        r"the folder that it writes; move it away, or give another folder\.\n$",
        said,
    )
    assert len(said.splitlines()) == 1
    assert os.listdir(out) == [LOCK]
    assert mine.read_text() == "mine\n"


def test_a_disk_that_is_full_leaves_neither_lock_nor_folder(simulate, tmp_path, monkeypatch):
    def full(file, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left") as error, held(tmp_path / "out" / "in", "rcinterp simulate"):
            pytest.fail("held")
    assert error.value.filename == str(tmp_path / "out" / "in")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["sites.tsv", "train.neg.fa.gz", "run.toml"])
def test_a_folder_with_the_name_of_an_output_is_told_before_the_work(simulate, tmp_path, monkeypatch, files_of, name):
    simulate()
    out = tmp_path / "out"
    (out / name).unlink()
    (out / name).mkdir()
    (out / name / "mine").write_text("mine")
    old = files_of(out)
    monkeypatch.setattr("rcinterp.data.simulation.simulate_motifs", lambda *_, **__: pytest.fail("worked"))
    for options in ([], ["--overwrite"]):
        said = simulate(*options, status=2).stderr
        assert said.endswith(
            f"{out / name}: is a folder, expected a file or nothing; move it away, or give another folder.\n"
        )
    assert files_of(out) == old


@pytest.mark.parametrize("name", ["sites.tsv", "run.toml"])
@pytest.mark.parametrize("kind", ["link to nothing", "link", "pipe"])
def test_links_and_pipes_with_the_name_of_an_output_are_files_of_others(simulate, tmp_path, kind, name):
    simulate()
    out, mine = tmp_path / "out", tmp_path / "mine"
    (out / name).unlink()
    if kind == "pipe":
        os.mkfifo(out / name)
    else:
        (out / name).symlink_to(mine)
        if kind == "link":
            mine.write_text("mine")
    said = simulate(status=2).stderr
    assert re.search(rf"out holds (a )?{name}", said)
    assert (out / name).is_fifo() if kind == "pipe" else (out / name).is_symlink()
    simulate("--overwrite")
    assert (out / name).is_file()
    assert not (out / name).is_symlink()
    assert not mine.exists() or mine.read_text() == "mine"


def several(work):
    classes = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
    start = ["interpret", "mine.py:Net", *classes, "--motifs", "known.meme", "--no-faithfulness"]
    return [*start, "--layer", "a", "--layer", "b"]


def test_results_of_several_layers_take_their_places_at_once(run, work, files_of, monkeypatch):
    command = [*several(work), "--out", "out"]
    run(*command)
    old, save, seen = files_of("out"), Interpretation.save, []

    def stop(self, *arguments, **options):
        seen.append(self)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return save(self, *arguments, **options)

    monkeypatch.setattr(Interpretation, "save", stop)
    run(*command, "--flank", 2, status=1)
    assert len(seen) == 2
    assert files_of("out") == old


def test_a_folder_of_a_layer_is_held_with_the_one_above_it(run, work, monkeypatch):
    command = several(work)
    with held(Path("out"), "rcinterp interpret", ["a", "b"]):
        said = run(*command[:-4], "--out", "out/b", status=2).stderr
        assert re.search(r"out/b: process \d+ on \S+ \(rcinterp interpret\) is writing there; wait", said)
        with held(Path("out/c"), "rcinterp interpret"):  # one that it does not write to
            pass
    with held(Path("out/b"), "rcinterp interpret"):
        assert re.search(r"out/b: process \d+ on ", run(*command, "--out", "out", status=2).stderr)
        with held(Path("out"), "rcinterp simulate"):
            pass


def test_a_folder_that_is_a_link_takes_no_results_of_a_layer(run, work, tmp_path):
    (work / "elsewhere").mkdir()
    (work / "out").mkdir()
    (work / "out" / "b").symlink_to(work / "elsewhere")
    said = run(*several(work), "--out", "out", "--overwrite", status=2).stderr
    assert "out/b: is no folder of out, expected one or nothing; move it away" in said
    assert os.listdir(work / "elsewhere") == []


def test_a_command_that_fails_before_it_writes_leaves_no_lock(simulate, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    os.utime(tmp_path / "out" / "notes.txt", (1e9, 1e9))
    simulate("--motif", "none", status=2)
    assert os.listdir(tmp_path / "out") == ["notes.txt"]


def test_a_table_replaces_a_table_and_no_other_file(run, work):
    out, command = work / "matches.tsv", ["compare", "known.meme", "--motifs", "known.meme", "--out", "matches.tsv"]
    for _ in range(2):
        run(*command)
    table = out.read_bytes()
    out.write_text("mine\n")
    result = run(*command, status=2)
    assert "matches.tsv is there, and holds something else than this command writes; name another file" in result.stderr
    assert out.read_text() == "mine\n"
    run(*command, "--overwrite")
    assert out.read_bytes() == table


def test_a_table_is_added_to_what_the_shell_has_open(run, work):
    """... and its name is not printed behind it."""
    command = ["compare", "known.meme", "--motifs", "known.meme", "--out"]
    run(*command, "matches.tsv")
    with (work / "all").open("w") as out:
        out.write("first\n")
        out.flush()
        start = [sys.executable, "-m", "rcinterp.cli"]
        subprocess.run([*start, *command, "/dev/stdout"], stdout=out, stderr=subprocess.DEVNULL, check=True)
    assert (work / "all").read_text() == "first\n" + (work / "matches.tsv").read_text()


def test_a_model_that_python_saved_is_known(tmp_path):
    save_model(compact_model(1, 1, 60, widths=(11,), pool=10, stride=10), tmp_path)
    _check_strangers(tmp_path, TRAINING, [])
    (tmp_path / "filters.tsv").write_text("mine")
    with pytest.raises(InputError, match=r"holds filters\.tsv, which no command"):
        _check_strangers(tmp_path, [*TRAINING, *INTERPRETATION], [])


def test_a_report_vouches_for_itself_and_what_it_lists_alone(run, commands, work, files_of):
    """A copy of it makes nobody's tables those of rcinterp; in its own folder it knows them by their SHA-256."""
    command, out, mine = commands["interpret"], work / "out", work / "mine"
    run(*command, "--out", out)
    mine.mkdir()
    shutil.copy(out / "report.html", mine)
    for name in ("sites.tsv", "sites.bed", "faithfulness.tsv"):
        (mine / name).write_text("mine")
    before = files_of(mine)
    assert (
        "mine holds faithfulness.tsv, sites.bed, sites.tsv, which no" in run(*command, "--out", mine, status=2).stderr
    )
    assert files_of(mine) == before
    (out / "run.toml").unlink()  # as in Python, which writes none
    run(*command, "--out", out)
    (out / "run.toml").unlink()
    (out / "filters.tsv").write_text("mine")
    said = run(*command, "--out", out, status=2).stderr
    assert "out holds filters.tsv, which no command of rcinterp has recorded there; name another" in said
    page = (out / "report.html").read_bytes()
    (out / "report.html").write_bytes(page[: page.rindex(b"<!-- rcinterp {")])
    said = run(*command, "--out", out, status=2).stderr
    assert "; report.html was saved by an earlier version, which did not record its files; name another folder" in said
    run(*command, "--out", out, "--overwrite")
    (out / "run.toml").unlink()
    (out / "filters.tsv").write_text("mine")
    for sign, other, name in (
        ("model_0/model.json", "history.tsv", "train"),
        ("results.tsv", "summary.tsv", None),
    ):
        place = work / Path(sign).stem
        place.mkdir()
        if name:
            shutil.copy(work / sign, place)
            (place / other).write_text("mine")
            assert f"holds {other}, which no" in run(*commands[name], "--out", place, status=2).stderr
        else:
            (place / sign).write_text("\tseed\tn_parameters\tn_epochs\tbest_epoch\t")
            (place / other).write_text("mine")
            with pytest.raises(InputError, match=rf"holds {other}, which"):
                _check_strangers(place, [sign, other], [])
        assert (place / other).read_text() == "mine"


def test_python_removes_no_file_that_is_not_proved_to_be_of_it(work):
    positives, negatives = "data/valid.pos.fa.gz", "data/valid.neg.fa.gz"
    model = load_model("model_0")
    found = interpret(model, positives, negatives, "known.meme", measure_faithfulness=True)
    out = work / "out"
    out.mkdir()
    (out / "sites.bed").write_text("mine")
    found.save(out)
    assert (out / "sites.bed").read_text() == "mine"
    assert (out / "faithfulness.tsv").exists()
    replace(found, faithfulness=None).save(out)
    assert not (out / "faithfulness.tsv").exists()  # by the SHA-256 in the report that was there
    assert (out / "sites.bed").read_text() == "mine"
    place = work / "model"
    place.mkdir()
    (place / "baseline.safetensors").write_text("mine")
    model.baseline = None
    with pytest.raises(InputError, match=r"baseline\.safetensors: is of no model .* move it away, or give another"):
        save_model(model, place)
    assert os.listdir(place) == ["baseline.safetensors"]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("", r"got an empty name, expected that of a folder; give one, such as \./result\."),
        ("/dev/null", r"'/dev/null' is a device or a pipe, expected a folder or a new name; give another name\."),
        ("gone", r"'gone' is a link to what is not there, expected a folder or a new name; make what it links to, or"),
    ],
)
def test_a_name_that_no_folder_can_have_is_refused(run, work, out, said):
    (work / "gone").symlink_to(work / "nothing")
    before = os.listdir(work)
    stderr = run("simulate", "--n", 10, "--length", 100, "--out", out, status=2).stderr
    assert re.search(rf"Invalid value for '--out': {said}", stderr)
    assert os.listdir(work) == before
    if not out:
        said = run("compare", "known.meme", "--motifs", "known.meme", "--out", "", status=2).stderr
        assert "got an empty name, expected that of a file" in said


def test_the_result_of_another_command_is_not_replaced(run, work):
    record = (work / "model_0" / "run.toml").read_bytes()
    classes = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
    command = ["interpret", "model_0", *classes, "--motifs", "known.meme", "--no-faithfulness", "--out", "model_0"]
    result = run(*command, status=2)
    assert "model_0 holds what rcinterp train wrote; name another folder, or give --overwrite" in result.stderr
    assert (work / "model_0" / "run.toml").read_bytes() == record
    (work / "model_0" / "run.toml").write_text("command = 'mine'\n")
    assert "holds a run.toml that is no record of rcinterp; name another" in run(*command, status=2).stderr
    run(*command, "--overwrite")
    assert read_record(work / "model_0").command == "interpret"


def test_results_of_several_layers_are_looked_at_and_recorded_and_what_is_not_written_again_goes(run, work):
    classes = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
    start = ["interpret", "mine.py:Net", *classes, "--motifs", "known.meme", "--no-faithfulness", "--out", "out"]
    run(*start)
    single = set(read_record(work / "out").files)
    assert "filters.tsv" in single
    (work / "out" / "b").mkdir()
    (work / "out" / "b" / "filters.tsv").write_text("mine")
    both = [*start, "--layer", "a", "--layer", "b"]
    assert "out holds b/filters.tsv, which no command of rcinterp has recorded" in run(*both, status=2).stderr
    (work / "out" / "b" / "filters.tsv").unlink()
    run(*both)
    files = set(read_record(work / "out").files)
    assert {"a/filters.tsv", "b/filters.tsv", "a/report.html", "report.html"} <= files
    there = {path.relative_to(work / "out").as_posix() for path in (work / "out").rglob("*") if path.is_file()}
    assert there == {*files, "run.toml"}  # those of the single layer are gone
    run(*both)
    assert set(read_record(work / "out").files) == files


def test_an_edited_record_removes_nothing_beside_the_folder(simulate, tmp_path):
    """What a record lists and is not written again goes, but only what lies in the folder and has such a name."""
    simulate()
    for name in ("sites.tsv", "out/notes.txt"):
        (tmp_path / name).write_text("mine")
    record = tmp_path / "out" / "run.toml"
    text = record.read_text()
    assert 'files = ["' in text
    record.write_text(text.replace('files = ["', 'files = ["../sites.tsv", "notes.txt", "'))
    simulate()
    assert (tmp_path / "sites.tsv").read_text() == (tmp_path / "out" / "notes.txt").read_text() == "mine"


#: A file that each command writes.
WRITTEN = {
    "simulate": "train.pos.fa.gz",
    "train": "history.tsv",
    "interpret": "filters.tsv",
    "compare-models": "patterns.tsv",
    "strands": "strands.tsv",
    "dataset build": "train.pos.fa.gz",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_every_command_holds_its_folder_and_keeps_files_of_others(run, commands, tmp_path, holder, name):
    said = run(*commands[name], "--out", tmp_path / "out", status=2).stderr
    assert f"out: process {holder.pid} on " in said
    assert os.listdir(tmp_path / "out") == [LOCK]
    mine = tmp_path / "other" / WRITTEN[name]
    mine.parent.mkdir()
    mine.write_text("mine")
    said = run(*commands[name], "--out", mine.parent, status=2).stderr
    assert re.search(f"other holds {mine.name}, which no command .* --overwrite to replace them", said)
    assert os.listdir(mine.parent) == [mine.name]
    assert mine.read_text() == "mine"


def test_a_data_set_takes_the_place_of_one_that_was_built_there_and_of_no_other(run, commands, tmp_path):
    command, out = [*commands["dataset build"], "--out", tmp_path / "out"], tmp_path / "out"
    for _ in range(2):
        run(*command)
    (out / "run.toml").unlink()
    run(*command)  # known by dataset.json, as one that was built in Python
    (out / "test.pos.fa.gz").write_text("mine")
    said = run(*command, status=2).stderr
    assert "out holds test.pos.fa.gz, which no command of rcinterp has recorded there" in said
    assert (out / "test.pos.fa.gz").read_text() == "mine"
    run(*command, "--overwrite")
    assert sorted(os.listdir(out)) == [
        *("dataset.json", "run.toml", "train.neg.fa.gz", "train.pos.fa.gz", "valid.neg.fa.gz", "valid.pos.fa.gz")
    ]
    (out / "run.toml").unlink()
    (out / "dataset.json").write_text('{"my": "json"}')
    said = run(*command, status=2).stderr
    assert "out holds dataset.json, train.neg.fa.gz, train.pos.fa.gz and 2 more, which no command" in said
    assert (out / "dataset.json").read_text() == '{"my": "json"}'


def test_a_study_holds_its_tables_and_keeps_those_of_others(run, work):
    command = ["study", "fig4", "--data", "data", "--seeds", 1, "--epochs", 1, "--small", "--out", "results"]
    out = work / "results" / "fig4-data-1epochs-small"
    with held(out, "another"):
        assert re.search(r"process \d+ on \S+ \(another\) is writing there", run(*command, status=2).stderr)
    out.mkdir(parents=True)
    (out / "verdict.txt").write_text("mine")
    assert "small holds verdict.txt, which no command of rcinterp" in run(*command, status=2).stderr
    assert os.listdir(out) == ["verdict.txt"]
    assert not (work / "results" / "runs").exists()


def test_a_name_that_the_record_cannot_hold_is_told_before_the_work(run, simulate, work, tmp_path):
    simulate()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    name = os.fsdecode(b"known\xff.meme")
    (work / "known.meme").rename(work / name)
    said = simulate("--motif", "CTCF_known1", "--motifs", name, "--seed", 5, status=2).stderr
    assert re.search(r"--motifs: got '.*\\udcff.*', whose bytes are no text \(UTF-8\), .* rename the file", said)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(("out", "reason"), [("none/x.tsv", "No such file or directory"), ("/proc/x", "")])
def test_a_place_that_takes_no_table_is_told_before_the_work(run, work, monkeypatch, out, reason):
    monkeypatch.setattr("rcinterp.comparison.compare_motifs", lambda *_, **__: pytest.fail("worked"))
    said = run("compare", "known.meme", "--motifs", "known.meme", "--out", out, status=2).stderr
    assert f"{out}: {reason}" in said
    assert len(said.splitlines()) == 1


def test_a_study_goes_on_where_python_or_its_former_name_wrote(run, work):
    command = ["--data", "data", "--seeds", 1, "--epochs", 1, "--small", "--out", "results"]
    run("study", "fig4", *command)
    out = work / "results" / "fig4-data-1epochs-small"
    record = (out / "run.toml").read_text()
    assert set(read_record(out).files) == {path.name for path in out.iterdir()} - {"run.toml"}
    (out / "my_notes.tsv").write_text("mine")
    (out / "run.toml").unlink()  # as in Python, which writes none: nothing proves its other tables
    assert (
        "holds fig4.png, fig4.svg, summary.tsv and 1 more, which no" in run("study", "fig4", *command, status=2).stderr
    )
    run("study", "fig4", *command, "--overwrite")
    assert (out / "my_notes.tsv").read_text() == "mine"
    (out / "my_notes.tsv").unlink()
    assert (out / "run.toml").read_text() == record
    (out / "run.toml").unlink()
    (out / "top_filters.tsv").touch()
    with pytest.raises(InputError, match=r"holds top_filters\.tsv"):  # a study's, which another command would replace
        _check_strangers(out, ["top_filters.tsv"], [])
    (out / "top_filters.tsv").unlink()
    (out / "run.toml").write_text(record)
    former = "".join(line for line in record.splitlines(keepends=True) if not line.startswith("files"))
    (out / "run.toml").write_text(former)  # of a version that did not list them
    assert "all 6 files have the same bytes" in run("rerun", out).stdout
    run("study", "fig4", *command)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("study scores", "study contributions", True),
        ("study fig4", "study fig5", False),
        ("dataset build", "dataset build", True),
        ("train", "interpret", False),
    ],
)
def test_a_command_is_known_by_its_former_name(one, other, same):
    assert (_present(one) == _present(other)) == same


def test_every_table_of_every_study_is_known_before_its_work():
    for name in STUDIES:
        tree = ast.parse(Path(import_module(f"rcinterp.studies.{name}").__file__).read_text())
        tables = [[key.value for key in node.keys] for node in ast.walk(tree) if _is_of_tables(node)]
        assert tables, name
        assert {f"{table}.tsv" for own in tables for table in own} <= {*STUDY}


def _is_of_tables(node):
    return isinstance(node, ast.Dict) and bool(node.keys) and getattr(node.keys[0], "value", None) == "results"
