"""Files and folders that are either whole or not there, and text that is whole or refused."""

import errno
import fcntl
import gzip
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rcinterp.data.datasets import load_split
from rcinterp.data.sequences import write_fasta
from rcinterp.errors import InputError, one_line
from rcinterp.files import (
    BGZIP_END,
    check_place,
    finish,
    held,
    parse_number,
    read_text,
    reading,
    together,
    where_now,
    whole_folder,
    write_at_once,
    write_table,
    writing,
)
from rcinterp.files.locks import LOCK
from rcinterp.motifs import write_meme
from rcinterp.training.saving import load_model


@pytest.mark.parametrize(("content", "expected"), [("é\n", "é\n".encode()), (b"\x00\r\n", b"\x00\r\n"), ("", b"")])
def test_content_is_written_as_it_is_and_nothing_beside_it(tmp_path, content, expected):
    for _ in range(2):  # also over an earlier one
        write_at_once(tmp_path / "a.json", content)
        assert (tmp_path / "a.json").read_bytes() == expected
        assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
def test_what_stops_it_leaves_the_earlier_content(tmp_path, monkeypatch, function):
    write_at_once(tmp_path / "a.json", "old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(function, stop)
    with pytest.raises(KeyboardInterrupt):
        write_at_once(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "old"


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """... or a power cut leaves an empty file of the right name."""
    done = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("on the disk"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("named"), replace(*paths)))
    write_at_once(tmp_path / "a.json", "new")
    assert done == ["on the disk", "named"]


# Files.


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_of_the_file_that_was_asked_for(tmp_path, monkeypatch):
    path = tmp_path / "a.tsv"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left") as error:
        write_table(path, pd.DataFrame({"a": [1]}))
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.tsv"]


def test_a_name_that_is_no_text_is_one_line_and_the_old_file_stays(tmp_path):
    path = tmp_path / "k.meme"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"k\.meme: not written, as '\\udcff' cannot be written as text"):
        write_meme(path, {"a\udcff": np.full((4, 2), 0.25)})
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["k.meme"]


def test_a_link_stays_a_link_and_a_file_keeps_its_mode(tmp_path):
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "a.tsv", tmp_path / "a.tsv"
    real.write_text("old")
    real.chmod(0o600)
    link.symlink_to(real)
    write_at_once(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_pipe_is_written_to(tmp_path):
    pipe, arrived = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: arrived.append(pipe.read_text()))
    reader.start()
    write_at_once(pipe, "through")
    reader.join(timeout=10)
    assert arrived == ["through"]
    assert os.listdir(tmp_path) == ["pipe"]


#: Begins to write a file and a folder beside it, says their names, and waits.
WRITE = """
import os, sys, time
from pathlib import Path
from rcinterp.files import whole_file, whole_folder
from rcinterp.files.writing import os as _os
place, number = Path(sys.argv[1]), int(sys.argv[2])
_os.getpid = lambda: number
with whole_file(place / "a.tsv") as file, whole_folder(place, ()) as folder:
    (folder / "b").write_text("half")
    print(file.name, folder.name, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """Give ``writer(number)``: a process that is writing to tmp_path, and the names of what it writes."""
    processes = []

    def start(number):
        command = [sys.executable, "-c", WRITE, str(tmp_path), str(number)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1], processes[-1].stdout.readline().split()

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path, writer):
    """... whatever their numbers: that of a killed one may be another's now, and one of a container is of it alone."""
    _, written = writer(2**30)  # no process of this number is to be seen
    dead, left = writer(os.getpid())
    dead.kill()
    dead.wait()
    others = [".rcinterp-elsewhere-1-0.part", ".rcinterp-notes"]
    for name in others:
        (tmp_path / name).write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {*left, *written, *others}
    writing._cleaned.clear()
    write_at_once(tmp_path / "c.tsv", "")
    assert {path.name for path in tmp_path.iterdir()} == {"c.tsv", *written, *others}


def test_two_processes_of_one_number_write_at_once(tmp_path, writer):
    _, first = writer(7)
    _, second = writer(7)
    assert {path.name for path in tmp_path.iterdir()} == {*first, *second}


@pytest.mark.parametrize("name", ["a." + "x" * 240, "x" * 255, "x" * 250 + ".json"])
def test_a_long_name_is_a_name(tmp_path, name):
    write_at_once(tmp_path / name, "")
    assert os.listdir(tmp_path) == [name]


# Folders.

OLD, NEW = {"a": "old a", "b": "old b", "note": "mine"}, {"a": "new a", "c": "new c", "note": "mine"}


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


def make(folder, written, owns=("a", "b", "c")):
    with whole_folder(folder, owns) as part:
        for name, text in written.items():
            write_at_once(part / name, text)


@pytest.fixture
def old(tmp_path):
    make(tmp_path / "result", {"a": "old a", "b": "old b"})
    (tmp_path / "result" / "note").write_text("mine")
    return tmp_path / "result"


def test_a_folder_has_the_new_files_none_of_the_old_ones_and_those_of_others(old):
    make(old, {"a": "new a", "c": "new c"})
    assert content(old) == NEW
    assert set(os.listdir(old)) == set(NEW)


class Killed(BaseException):
    """What no code looks out for."""


STEPS = ("os.fsync", "os.rename", "os.replace", "pathlib.Path.unlink", "pathlib.Path.rmdir", "pathlib.Path.iterdir")


@pytest.mark.parametrize("step", STEPS)
def test_stopped_anywhere_a_folder_is_the_old_or_the_new_one(old, monkeypatch, step):
    """... once the next that looks at it has moved what was complete."""
    owner, name = step.rsplit(".", 1) if step.startswith("os.") else (Path, step.rsplit(".", 1)[1])
    owner = os if owner == "os" else owner
    function, seen = getattr(owner, name), []
    for at in range(20):
        calls = []

        def call(*arguments, at=at, calls=calls, **options):
            calls.append(arguments)
            if len(calls) > at:
                raise Killed
            return function(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, call)
            try:
                make(old, {"a": "new a", "c": "new c"})
                stopped = False
            except Killed:
                stopped = True
        finish(old)
        seen.append(content(old))
        assert seen[-1] in (OLD, NEW), f"{step}, call {at + 1}"
        if not stopped:
            break
        make(old, {"a": "old a", "b": "old b"})
        assert content(old) == OLD
    assert not stopped
    assert seen[-1] == NEW
    assert len(seen) > 1, f"{step} was never called"


@pytest.mark.parametrize("gone", [["../mine"], ["/mine"], "mine", [3], {"mine": 1}, [".."], [""]])
def test_a_list_of_what_goes_is_of_the_folder_alone(old, gone):
    """A folder from elsewhere may hold such a list: reading it deletes nothing beside it."""
    mine = old.parent / "mine"
    mine.touch()
    ready = old / ".rcinterp-ready"
    ready.mkdir()
    (ready / ".gone.json").write_text(json.dumps(gone))
    with pytest.raises(InputError, match="does not hold names of files in its folder"):
        finish(old)
    (ready / ".gone.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="cannot be read"):
        finish(old)
    assert mine.exists()
    assert content(old) == OLD


def test_a_name_that_cannot_be_seen_does_not_stop_the_others(old):
    """... as the list of what goes would be refused that held it."""
    make(old, {"a": "new a", "c": "new c"}, owns=("a", "b", "c\n", "d\udcff", "../e"))
    assert content(old) == NEW


def test_files_keep_their_modes(old):
    (old / "a").chmod(0o600)
    (old / "b").chmod(0o444)
    make(old, {"a": "new a", "b": "new b", "c": "new c"})
    assert [(old / name).stat().st_mode & 0o777 for name in "ab"] == [0o600, 0o444]


def test_a_folder_with_the_name_of_a_file_is_refused_before_and_after_the_work(old):
    (old / "c").mkdir()
    said = r"result/c: is a folder, expected a file or nothing; move it away, or give another folder\."
    with pytest.raises(InputError, match=said), whole_folder(old, "abc"):
        pytest.fail("worked")
    with pytest.raises(InputError, match=said):
        make(old, {"a": "new a", "c": "new c"}, owns=["a"])
    (old / "c").rmdir()
    assert content(old) == OLD
    assert set(os.listdir(old)) == set(OLD)


def stop_while_moving(folder, monkeypatch, written=NEW):
    """Leave a folder of which some files are in their places."""
    replace, seen = os.replace, []

    def stop(source, target):
        if ".rcinterp-ready" in str(source):
            seen.append(source)
            if len(seen) == 2:
                raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(Killed):
            make(folder, written)


def test_what_cannot_be_moved_is_told_in_one_line(old, monkeypatch):
    stop_while_moving(old, monkeypatch)
    (old / "c").unlink(missing_ok=True)
    (old / "note").unlink()
    for name in ("c", "note"):
        (old / name).mkdir()
    for read in (load_model, load_split, finish):
        with pytest.raises(InputError, match=r"result/(c|note): is a folder, expected a file or nothing; move it away"):
            read(old)
    for name in ("c", "note"):
        (old / name).rmdir()
    finish(old)
    assert content(old) == NEW
    (old / ".rcinterp-ready").symlink_to(old)
    with pytest.raises(InputError, match=r"\.rcinterp-ready: is a link, expected a folder or nothing"):
        finish(old)


def test_a_reader_of_one_file_sees_the_whole_result(tmp_path, monkeypatch):
    place = tmp_path / "result"
    old, new = (dict.fromkeys(("a.fa", "b.fa", "c.fa"), f">{which}\nACGT\n") for which in ("old", "new"))
    make(place, old)
    stop_while_moving(place, monkeypatch, new)
    assert read_text(place / "c.fa", "FASTA") == new["c.fa"]
    assert content(place) == new


# What is written together.


def test_what_is_written_together_takes_its_place_at_once(old):
    with together(old, ["run.toml", "in/*.html"]) as waiting:
        with whole_folder(old / "in", ("x", "y")) as part:
            write_at_once(part / "x", "new x")
        make(old, {"a": "new a"})
        for name in ("run.toml", "in/z.html"):
            write_at_once(old / name, "new")
        write_at_once(old / "checkpoint", "at once")
        assert content(old) == {**OLD, "checkpoint": "at once"}
        assert waiting.written() == ["a", "in/x", "in/z.html", "run.toml"]
        assert (where_now(old / "in") / "x").read_text() == "new x"
    assert content(old / "in") == {"x": "new x", "z.html": "new"}
    (old / "in" / "x").unlink()
    (old / "in" / "z.html").unlink()
    (old / "in").rmdir()
    assert content(old) == {"a": "new a", "note": "mine", "run.toml": "new", "checkpoint": "at once"}
    assert set(os.listdir(old)) == set(content(old))


def test_what_is_written_together_is_of_no_account_if_something_fails(old):
    with pytest.raises(InputError, match="is no folder of"), together(old, ["run.toml"]):
        make(old / "note", {"a": "new a"})  # where there is a file
    assert content(old) == OLD
    assert set(os.listdir(old)) == set(OLD)


def test_a_reader_of_a_folder_sees_what_was_written_together(tmp_path, monkeypatch):
    """... though the move that was stopped was one of the folder above it."""
    replace, names = os.replace, ("in/a", "in/b", "in/c")
    for text in ("old", "new"):

        def stop(source, target, text=text):
            if text == "new" and str(source).endswith(".rcinterp-ready/in/b"):
                raise Killed
            replace(source, target)

        with monkeypatch.context() as patch, suppress(Killed), together(tmp_path, names):
            patch.setattr(os, "replace", stop)
            for name in names:
                write_at_once(tmp_path / name, text)
    assert (tmp_path / "in" / "b").read_text() == "old"
    assert read_text(tmp_path / "in" / "c", "text") == "new"
    assert content(tmp_path / "in") == {"a": "new", "b": "new", "c": "new"}
    assert os.listdir(tmp_path) == ["in"]


def test_two_processes_at_once_leave_the_files_of_one(old):
    with whole_folder(old, ("a", "b", "c")) as first:
        write_at_once(first / "a", "first")
        with whole_folder(old, ("a", "b", "c")) as second:
            write_at_once(second / "c", "second")
        assert content(old) == {"c": "second", "note": "mine"}
    assert content(old) == {"a": "first", "note": "mine"}


def test_an_error_in_a_folder_is_told_of_the_file_in_its_place(old, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left") as error:
        make(old, {"a": "new a"})
    assert error.value.filename == str(old / "a")
    with (
        pytest.raises(InputError, match=rf"write_fasta: cannot write {re.escape(str(old / 'a.fa'))} \(No space left"),
        whole_folder(old, ()) as part,
    ):
        write_fasta(part / "a.fa", ["ACGT"])
    assert content(old) == OLD
    assert set(os.listdir(old)) == set(OLD)


def test_of_several_processes_that_save_into_one_folder_the_last_one_s_files_are_there(tmp_path):
    """... all of them, and none of the others': no list of what goes is taken for that of a newer result."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom rcinterp.files import whole_folder\n"
        "place, own = Path(sys.argv[1]), sys.argv[2]\nfor n in range(50):\n"
        "    with whole_folder(place, ['a', 'b', 'c', 'all', 'in/all']) as part:\n"
        "        (part / 'in').mkdir()\n        for name in (own, 'all', 'in/all'):\n"
        "            (part / name).write_text(f'{own}{n}')\n"
    )
    out = tmp_path / "out"
    processes = [subprocess.Popen([sys.executable, "-c", code, out, own]) for own in "abc"]
    assert [process.wait(timeout=100) for process in processes] == [0, 0, 0]
    last = (out / "all").read_text()
    assert sorted(os.listdir(out)) == sorted(["all", last[0], "in"])
    assert (out / last[0]).read_text() == (out / "in" / "all").read_text() == last


def test_a_place_that_cannot_be_written_is_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as error:
        check_place(tmp_path / "file" / "out")
    assert error.value.filename == str(tmp_path / "file" / "out")
    check_place(tmp_path / "new" / "out")
    assert os.listdir(tmp_path / "new" / "out") == []


# Reading.


def bgzip(data, size):
    """Blocks of a bgzip file, the empty one at its end."""
    for start in [*range(0, len(data), size), None]:
        part = b"" if start is None else data[start : start + size]
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = packer.compress(part) + packer.flush()
        head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff\x06\x00BC\x02\x00" + struct.pack("<H", len(packed) + 25)
        yield head + packed + struct.pack("<II", zlib.crc32(part), len(part))


TEXT = b"chr1\t1\t2\n" * 1000
WHOLE = b"".join(bgzip(TEXT, 900))
CUT, PLAIN = WHOLE[: -len(BGZIP_END)], gzip.compress(TEXT)


@pytest.mark.parametrize(
    ("data", "n"),
    [
        (WHOLE + PLAIN, 2),
        (PLAIN + WHOLE, 2),
        (WHOLE + WHOLE, 2),
        (CUT + WHOLE, 2),
        (WHOLE + bytes(70_000), 1),
        (PLAIN + bytes(512), 1),
        (PLAIN + bytes(70_000) + PLAIN, 2),
        (BGZIP_END * 5000, 0),
    ],
)
@pytest.mark.parametrize("part", [2**16, 7])
def test_gzip_files_one_behind_the_other_are_read_whole(tmp_path, monkeypatch, data, n, part):
    monkeypatch.setattr(reading, "_PART", part)
    (tmp_path / "a.gz").write_bytes(data)
    assert read_text(tmp_path / "a.gz", "text") == TEXT.decode() * n


@pytest.mark.parametrize("data", [PLAIN + CUT, CUT + PLAIN, CUT, CUT + bytes(99), WHOLE + CUT, WHOLE + PLAIN + CUT])
def test_a_bgzip_file_without_its_end_is_cut_whatever_stands_beside_it(tmp_path, data):
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.gz: is a bgzip file without its end, so it was cut; copy"):
        read_text(tmp_path / "a.gz", "text")


@pytest.mark.parametrize(
    "data", [PLAIN[:-3], PLAIN + PLAIN[:-3], PLAIN + b"words", PLAIN + b"\x1f", PLAIN[:-8] + bytes(4) + PLAIN[-4:]]
)
def test_a_gzip_file_that_is_damaged_in_any_part_is_refused(tmp_path, data):
    (tmp_path / "a.gz").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.gz: is a damaged gzip file \(.+\); copy or download it again"):
        read_text(tmp_path / "a.gz", "text")


def test_a_bgzip_file_that_was_cut_between_two_blocks_is_refused(tmp_path):
    blocks, path = list(bgzip(b"chr1\t1\t2\n" * 1000, 900)), tmp_path / "peaks.bed.gz"
    assert blocks[-1] == BGZIP_END
    path.write_bytes(b"".join(blocks))
    assert read_text(path, "peaks") == "chr1\t1\t2\n" * 1000
    for n in range(1, len(blocks)):
        path.write_bytes(b"".join(blocks[:n]))
        with pytest.raises(InputError, match=r"peaks\.bed\.gz: is a bgzip file without its end, so it was cut; copy"):
            read_text(path, "peaks")


def test_more_text_than_the_limit_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "z.fa.gz"
    path.write_bytes(gzip.compress(bytes(10**6)))
    assert len(read_text(path, "text", largest=10**6)) == 10**6
    with pytest.raises(InputError, match=r"has more than 1 MiB of text, expected text; is it the right file\?"):
        read_text(path, "text", largest=10**6 - 1)
    path.write_bytes(b"A" * 11)
    with pytest.raises(InputError, match="has more than 0 MiB of text"):
        read_text(path, "text", largest=10)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_text_is_compared_with_the_memory_there_is(tmp_path, monkeypatch, pack):
    monkeypatch.setattr("rcinterp.memory._LITTLE", 10)
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 10**7)
    monkeypatch.setattr(reading, "CHUNK", 2**16)
    (tmp_path / "a.txt").write_bytes(pack(TEXT * 1000))
    with pytest.raises(InputError, match=r"a\.txt: its text takes about 1\d\.\d MB of memory, .*; split the file"):
        read_text(tmp_path / "a.txt", "text")


# Locks.


def test_a_lock_that_its_holder_has_removed_is_taken_anew(tmp_path, monkeypatch):
    """... as another process may hold the file that stands there now: what was opened before counts for nothing."""
    place, flock, opened = tmp_path / "out", fcntl.flock, []

    def lock_late(file, how):
        opened.append(file)
        if len(opened) == 1:  # the holder ends between our opening the file and our locking it
            (place / LOCK).unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    with held(place, "one") as stopped_at:
        assert stopped_at is None
        assert len(opened) == 2
        with pytest.raises(InputError, match=r"process \d+ on \S+ \(one\) is writing there"), held(place, "two"):
            pass


# Messages and numbers, whatever stands in a file.


def test_a_message_is_one_line_whatever_stands_in_it():
    error = InputError("m.meme: got a\nb\x1b[31m\u2028c\ud800 \xa0d\té, expected a motif.")
    said = "m.meme: got a\\nb\\x1b[31m\\u2028c\\ud800 \xa0d\té, expected a motif."
    assert str(error) == said
    assert str(pickle.loads(pickle.dumps(error))) == said
    long = str(InputError(f"a.fa: got {'x' * 10**6}, expected a base."))
    assert len(long) < 2100
    assert long.startswith("a.fa: got xx")
    assert long.endswith("xx, expected a base.")
    assert one_line(long) == long


def test_a_long_word_is_no_number_at_once():
    start = time.process_time()
    assert parse_number("9" * 10**6 + "x") is None
    assert parse_number("0." + "3" * 10**5) == pytest.approx(1 / 3)
    assert time.process_time() - start < 2


def test_a_pipe_of_the_shell_is_written_to_as_it_is():
    """Bash gives /dev/fd/63 for >(...), which links to no file."""
    reading, writing = os.pipe()
    write_at_once(f"/dev/fd/{writing}", "table")
    os.close(writing)
    with open(reading, encoding="utf-8") as pipe:
        assert pipe.read() == "table"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_file_that_is_open_is_written_to_where_it_is(tmp_path, name):
    """... as that of the shell's ``>``, in which more is printed before and after."""
    code = (
        "from rcinterp.files import write_at_once\n"
        f"print('before')\nwrite_at_once({name!r}, 'table\\n')\nprint('after')\n"
    )
    with (tmp_path / "out").open("w") as out:
        out.write("first\n")
        out.flush()
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
        subprocess.run(["echo", "last"], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "first\nbefore\ntable\nafter\nlast\n"
    assert os.listdir(tmp_path) == ["out"]
