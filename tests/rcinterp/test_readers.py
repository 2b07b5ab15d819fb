"""Every reader, given every kind of file that it cannot use: one line that names the file, and nothing taken."""

import ast
import gzip
import json
import os
import re
import resource
import runpy
import struct
import threading
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors

import rcinterp
from rcinterp.data.genome import Genome
from rcinterp.data.sequences import read_fasta
from rcinterp.errors import InputError
from rcinterp.files import read_text, reading
from rcinterp.files.arrays import read_arrays
from rcinterp.motifs import load_motifs
from rcinterp.reading.exchange import load_modisco

READERS = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("readers.py"))))
FILES, FOLDERS, LENIENT = READERS.FILES, READERS.FOLDERS, READERS.LENIENT
#: Modules that open files to read, and where these readers are above.
OPENING = {
    "rcinterp/files/reading.py": "read_text, read_bytes",
    "rcinterp/files/arrays.py": "read_arrays",
    "rcinterp/files/tensors.py": "open_tensors",
    "rcinterp/files/writing.py": "what it has written itself",
    "rcinterp/reading/checkpoints.py": "load_weights",
    "rcinterp/reading/passes.py": "bytes of its own process",
    "rcinterp/training/saving.py": "load_model: weights, to hash them",
    "rcinterp/data/genome.py": "Genome",
    "rcinterp/data/fasta_index.py": "Genome: the file that it indexes",
    "rcinterp/data/pins.py": "a file that Store has unpacked",
    "rcinterp/data/fetching.py": "what it has checked by its MD5",
    "rcinterp/report/page.py": "files of the package",
    "rcinterp/cli/_record.py": "files that were read, to hash them",
    "rcinterp/cli/_place.py": "a file's first bytes",
    "rcinterp/cli/rerun.py": "files to compare",
    "rcinterp/motifs/encode.py": "files of the package",
    "rcinterp/files/locks.py": "its own lock",
    "rcinterp/files/proofs.py": "the beginning and the end of what rcinterp has written",
    "rcinterp/memory.py": "what the system says of memory",
}
_OPENS = {"open", "read_text", "read_bytes", "load_file", "safe_open"}


def npy(shape, dtype="<f4", data=b""):
    header = str({"descr": dtype, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz(name, content):
    path = Path(f"{name}.npz")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arr_0.npy", content)
    data = path.read_bytes()
    path.unlink()
    return data


def block(data):
    """A block of a bgzip file."""
    packed = gzip.compress(data, mtime=0)
    body = packed[10:]
    size = 18 + len(body) - 1
    return b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", size) + body


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Contents that no reader can use."""
    work = tmp_path_factory.mktemp("corpus")
    before = Path.cwd()
    os.chdir(work)
    fasta = b">a\n" + b"ACGTTGCA" * 4000 + b"\n"
    tensors = save_tensors({"a": torch.zeros(10)})
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    random = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    found = {
        "empty": b"",
        "zeros": bytes(1000),
        "random": random,
        "cut gzip": gzip.compress(fasta)[:-9],
        "gzip head": gzip.compress(fasta)[:11],
        "damaged gzip": gzip.compress(random)[:40] + b"\0" + gzip.compress(random)[41:],
        "gzip of nothing": gzip.compress(b""),
        "cut bgzip": block(b">a\nACGT\n"),
        "utf-16": "chr1\t1\t5\n>a\nACGT\n".encode("utf-16"),
        "latin-1": b">\xe9\xff\nAC\xe9GT\n",
        "deep json": b"[" * 200_000,
        "deep object": b'{"format": ' * 100_000,
        "huge numbers": b'{"format": "rcinterp model 1", "architecture": {"pool": ' + b"9" * 5000 + b"}}",
        "list": b"[]",
        "number": b"3",
        "no-break": "chr1\xa01\xa05\n".encode(),
        "one line": b"\x0b" + b"x" * 100_000,
        "zip of nothing": b"PK\x05\x06" + bytes(18),
        "cut zip": npz("cut", npy((3,), data=bytes(12)))[:-30],
        "npz of other size": npz("other", npy((2**40, 4, 5))),
        "npz of objects": npz("objects", npy((3,), "|O", bytes(24))),
        "npz of a negative size": npz("negative", npy((-1, 4), data=bytes(16))),
        "npz of no header": npz("none", b"\x93NUMPY\x01\x00\xff\xff((((("),
        "npy of other size": npy((2**62, 4)),
        "npy of deep header": b"\x93NUMPY\x01\x00\xe8\x03" + b"(" * 1000,
        "cut safetensors": tensors[:-7],
        "safetensors of other size": struct.pack("<Q", len(header)) + header,
        "safetensors of a huge header": struct.pack("<Q", 2**62) + b"{",
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "toml": b"command = 3\nthreads = []\noptions = 5\n",
        "deep toml": b"a = " + b"[" * 5000,
    }
    os.chdir(before)
    return found


NAMES = [
    *("empty", "zeros", "random", "cut gzip", "gzip head", "damaged gzip", "gzip of nothing", "cut bgzip", "utf-16"),
    *("latin-1", "deep json", "deep object", "huge numbers", "list", "number", "no-break", "one line"),
    *("zip of nothing", "cut zip", "npz of other size", "npz of objects", "npz of a negative size", "npz of no header"),
    *("npy of other size", "npy of deep header", "cut safetensors", "safetensors of other size"),
    *("safetensors of a huge header", "pickle", "toml", "deep toml"),
]


def give(read, given):
    """What a reader says, None if it takes what it is given: one line, at once, without much memory."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said, warned = READERS.outcome(read, given)
    assert time.process_time() - start < 10  # of the processor: others may use it at the same time
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
    assert all(map(READERS.is_one_line, [said or "", *warned]))
    return said


def refuse(read, path, allowed=False):
    """Read, and see that the line is of this file."""
    said = give(read, path)
    if said is None:
        said = path.name if allowed else "it was taken"
    assert path.name in said


def test_the_corpus_is_listed(corpus):
    assert list(corpus) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reader", FILES)
def test_a_file_that_cannot_be_used_is_one_line(reader, name, corpus, tmp_path):
    for ending in READERS.ENDINGS.get(reader, ("",)):
        path = tmp_path / f"given{ending}"
        path.write_bytes(corpus[name])
        of_numbers = name == "cut bgzip" and reader == "Genome"
        refuse(FILES[reader], path, allowed=reader in LENIENT or of_numbers)


@pytest.mark.parametrize("reader", FILES)
def test_a_file_that_is_missing_or_a_folder_is_one_line(reader, tmp_path):
    may_be_missing = reader in ("_kept", "checkpoint")
    refuse(FILES[reader], tmp_path / "missing", allowed=may_be_missing)
    (tmp_path / "folder").mkdir()
    refuse(FILES[reader], tmp_path / "folder")
    if reader not in ("load_sequences", "load_dataset"):
        with pytest.raises((InputError, OSError)):
            FILES[reader](tmp_path / ("x" * 300))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("reader", FOLDERS)
def test_a_folder_that_cannot_be_used_is_one_line(reader, name, corpus, tmp_path):
    read, file = FOLDERS[reader]
    folder = tmp_path / file  # so that the message names it, whichever file it speaks of
    READERS.fill(folder, reader)
    (folder / file).write_bytes(corpus[name])
    refuse(read, folder, allowed=reader == "finish" and name in ("list", "empty"))  # empty: made to be locked


@pytest.mark.parametrize("reader", FOLDERS)
def test_a_folder_that_is_missing_or_a_file_is_one_line(reader, tmp_path):
    read, _ = FOLDERS[reader]
    refuse(read, tmp_path / "missing", allowed=reader in ("KmerBaseline.load", "finish"))
    (tmp_path / "file").write_text("x")
    refuse(read, tmp_path / "file", allowed=reader in ("KmerBaseline.load", "finish"))


@pytest.mark.parametrize("reader", READERS.names())
def test_what_fuzzing_has_kept_is_taken_or_refused_by_one_line(reader, reference, tmp_path):
    """The inputs that benchmarks/fuzz.py begins with, of which each reader takes one, and those that once failed."""
    place, taken = READERS.Place(reader, tmp_path), []
    for path in sorted((reference / "fuzz" / READERS.FORMATS.get(reader, "text")).iterdir()):
        given = place.put(path.read_bytes())
        said = give(place.read, given)
        assert said is None or not isinstance(given, Path) or given.name in said
        if said is None:
            taken.append(path.name)
    assert any(name.startswith("valid-") for name in taken) or reader == "load_dataset"  # twice the same file


def test_every_module_that_opens_files_is_listed():
    """A new reader goes through one of the readers above, or is listed, and given the corpus."""
    root = Path(rcinterp.__file__).parents[1]
    found = set()
    for path in (root / "rcinterp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            function = node.func
            method = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            is_own = isinstance(function, ast.Name) and method in ("read_text", "read_bytes")
            of_numpy = (
                method == "load"
                and isinstance(function, ast.Attribute)
                and ast.unparse(function.value)
                in (
                    "np",
                    "torch",
                    "pickle",
                )
            )
            if (method in _OPENS and not is_own) or of_numpy:
                found.add(path.relative_to(root).as_posix())
    assert found - set(OPENING) == set()


# Text.


@pytest.mark.parametrize("filler", [b"\0", b"A", b"\n", b" "])
def test_a_gzip_bomb_is_refused_early(filler, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_PACKED_AT_WILL", 2**20)
    path = tmp_path / "z.fa.gz"
    path.write_bytes(gzip.compress(b">a\n" + filler * 2**23))
    with pytest.raises(InputError, match=r"z\.fa\.gz: is a gzip file that unpacks to more than 200 times its size"):
        read_fasta(path)
    with pytest.raises(InputError, match="200 times its size"):
        load_motifs(path)
    path.write_bytes(gzip.compress(b">a\n" + filler * 2**10))  # short ones are as they are
    read_text(path, "text")


def test_a_pipe_is_read_once_while_a_command_lasts(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(gzip.compress(b">a\nACGT\n")))
    writer.start()
    with reading.pipes_kept():
        assert read_fasta(pipe).to_dict() == read_fasta(pipe).to_dict() == {"a": "ACGT"}
    writer.join(timeout=10)


def test_a_pipe_that_does_not_end_fills_no_disk(monkeypatch):
    with pytest.raises(InputError, match=r"^/dev/zero: is a pipe of more than .*, as such a file has at most;"):
        read_text("/dev/zero", "text", largest=2**21)
    disk = SimpleNamespace(free=2**22)
    monkeypatch.setattr(reading.shutil, "disk_usage", lambda _: disk)
    with pytest.raises(InputError, match=r"^/dev/zero: is a pipe of more than .*, half of what temporary files have"):
        Genome("/dev/zero")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n\n>a x\nAC\n>b\n\n>c\nA\n", r"line 5: record 1 \('b'\) has no sequence; remove the record"),
        (">a\nAC\xa0GT\n", r"record 0 \('a'\) has '\\xa0' at position 2; expected A, C, G, T"),
        (">a\nAC\u2028GT\n", r"record 0 \('a'\) has '\\u2028' at position 2"),
        (">a\nAC\x0cGT\n", r"record 0 \('a'\) has '\\x0c' at position 2"),
        (">a\nA\n>b\u202e\nACGT\n", r"line 3: record 1 \('b\\u202e'\) has a character in its name that cannot be seen"),
    ],
)
def test_what_is_wrong_in_fasta_is_told_with_its_place(content, message, tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(InputError, match=rf"a\.fa: {message}"):
        read_fasta(path)


def test_blanks_and_line_ends_in_fasta_are_alike_everywhere(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b" \n>a\tx\rAC GT\r\nac\tgt \r>b\xc2\xa0c d\nT")
    with pytest.raises(InputError, match="cannot be seen"):
        read_fasta(path)
    path.write_bytes(b" \n>a\tx\rAC GT\r\nac\tgt \r>b d\nT")
    assert read_fasta(path).to_dict() == {"a": "ACGTACGT", "b": "T"}


# npz.


def test_modisco_arrays_are_compared_with_the_memory_there_is(tmp_path, monkeypatch):
    x = rcinterp.one_hot(["ACGTACGTAC"])
    rcinterp.save_modisco(tmp_path, x, x)
    monkeypatch.setattr("rcinterp.memory._LITTLE", 10)
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 100)
    with pytest.raises(InputError, match=re.escape("takes about 0.0 MB of memory, expected at most the 0.0 MB")):
        load_modisco(tmp_path)


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.files.arrays._PACKED_AT_WILL", 2**20)
    one_hot = np.eye(4)[np.random.default_rng(0).integers(0, 4, (100, 1000))]
    np.savez_compressed(tmp_path / "a.npz", one_hot)
    assert read_arrays(tmp_path / "a.npz", "arrays", "write some")["arr_0"].sum() == 10**5
    np.savez_compressed(tmp_path / "a.npz", np.zeros(2**20))
    with pytest.raises(
        InputError, match=r"a\.npz: unpacks to 8\.4 MB, over 200 times its size, expected arrays; if it is"
    ):
        read_arrays(tmp_path / "a.npz", "arrays", "write some")


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", "<i2", "?"])
def test_numbers_are_the_same_whatever_their_order_of_bytes(dtype, tmp_path):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "f.npy", np.asfortranarray(values))
    for name in ("a.npy", "f.npy"):
        (found,) = read_arrays(tmp_path / name, "arrays", "write some").values()
        assert found.dtype == values.dtype.newbyteorder("=")
        assert found.dtype.isnative
        np.testing.assert_array_equal(found, values)


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile's, of the archive that the test writes
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.npy", "a.npy"], r"holds 'a\.npy' 2 times, expected each name once; check it"),
        (["a.npy", "b.txt"], r"holds 'b\.txt', expected arrays alone, as numpy\.savez writes them; check it"),
        (["z.NPY"], r"holds 'z\.NPY', expected arrays alone"),
    ],
)
def test_nothing_in_an_archive_is_left_out(names, message, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for name in names:
            archive.writestr(name, npy((1,), data=bytes(4)))
    with pytest.raises(InputError, match=rf"a\.npz: {message}"):
        read_arrays(tmp_path / "a.npz", "arrays", "check it")
