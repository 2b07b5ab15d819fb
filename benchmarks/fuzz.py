"""Does any file make a reader raise what it should not? Coverage-guided fuzzing; JSON, a line a reader.

    pip install "atheris>=3.0"    # Linux; `make fuzz` does both
    python benchmarks/fuzz.py [--inputs 200000] [--seed 0] [--only read_fasta load_model-weights ...]    # hours

The readers are those of tests/rcinterp/readers.py. Each starts from the files of tests/data/fuzz. atheris changes them,
guided by which parts of rcinterp they reach: bytes anywhere; words and lines of texts; values in JSON, in TOML and in
the headers of arrays and tensors; all of it within gzip and zip too, so that a change comes behind the checksum.

A reader may take a file, or refuse it by one line that names it, in 10 s of the processor and 500 MB. What does
otherwise is a failure: it is written to OUT/READER/failures, counted, and makes the exit status 1. Readers that
OUT/results.jsonl has already are left out, so that the command goes on where it was stopped.
"""

import argparse
import copy
import gzip
import hashlib
import io
import json
import os
import random
import re
import resource
import runpy
import shutil
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests/data/fuzz"
#: Bytes of an input: more digits than Python reads as a number, and some.
LARGEST = 8192
MOST_SECONDS, MOST_KILOBYTES = 10, 500_000
#: Seconds after which an input is given up; the process ends, and another goes on.
GIVE_UP = 60

# What files are made of.

NUMBERS = (
    *("0", "1", "-1", "2", "0.5", "1.5", "-0", "1e308", "1e999", "1e-400", "nan", "inf", "-inf", "1_0", "0x10", "+1"),
    *(".5", "4.", "²", "١", "9223372036854775807", "9223372036854775808", "4294967296", "2147483648", "9" * 4400),
)
ODD = (
    *("", " ", "\t", "\r", "\r\n", "\n", "\0", "\x0b", "\x0c", "\x1b[31m", "\x85", "\xa0"),
    *("\u2028", "\u202e", "\ufeff", "é"),
)
WORDS = {
    "fasta": (">", ">a", ";", "ACGT", "acgt", "N", "U", "-", "*"),
    "regions": ("chr1", "track", "browser", "#", "+", "-", ".", "1,2", "1,2,", "0,5", "255,0,0"),
    "motifs": (
        *("MEME version 4", "ALPHABET= ACGT", "ALPHABET= ACGU", "MOTIF a b", "MOTIF", "//", "AC x", "ID x", "NA x"),
        *("letter-probability matrix: alength= 4 w= 2 nsites= 20 E= 0", "letter-probability matrix:", "w= 2"),
        *("nsites=", "log-odds matrix:", "P0 A C G T", "PO T G C A", "01 1 2 3 4 N", ">a b", ">ACGT\ta\t6.05"),
        *("Pos A C G T", "Motif M1", "A: 0.1 0.7", "A C G T", "1 0.1 0.2 0.3 0.4"),
        *("A [ 1 2 3 ]", "[", "]", "A", "C", "G", "T", "U", "0.25 0.25 0.25 0.25", "10 20 30 40"),
    ),
    "sums": ("*", "./", "d41d8cd98f00b204e9800998ecf8427e"),
    "index": ("a", "b", "3", "4", "5"),
    "words": ("/", ",", "rest", "::", ":", "-", "(+)", "chr1:5-9", "chr1_5_9", "chr1", "chr2", "1", "X", "CTCF", "MAX"),
    "record": ("[", "]", "[options]", "=", '"""', "1979-05-27T07:32:00", "07:32", "0o7", "true", "{", "}", "'"),
    "arrays": ("'descr'", "'fortran_order'", "'shape'", "(", ")", ",", "True", "'<f4'", "'>i2'", "'|O'", "'|b1'", "{"),
}
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 10**400, 0.5, 1e308, float("nan"), float("inf"), [], {}, [[]]),
    *("", "x", "a\nb", "\x1b[31m", "\ud800", "\u202e", "x" * 300, "9" * 4400, [1, 2], ["a"], {"a": 1}, {"": {}}),
    *("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "F6_E2M3", "C64", "I64", "U64", "U8", "BOOL"),
    *("weights", "bias", "strengths", "dense", "weighted_sum", "separable", "rcinterp model 1", "ACGT", "train"),
)


# How inputs are changed: each gives other bytes, or raises ValueError or the like if they are of another kind.

Change = Callable[[bytes, random.Random], bytes]


class Changes:
    """Changes of the files of a format; `anywhere` is atheris' own, of bytes."""

    def __init__(self, format: str, anywhere: Callable[[bytes, int], bytes]) -> None:
        self.anywhere = lambda data, _: anywhere(data[:LARGEST], LARGEST)
        self.words = (*WORDS.get(format, ()), *NUMBERS, *ODD)
        texts: list[Change] = [self.text, self.text, self.within_gzip(self.text)]
        documents: list[Change] = [self.json, self.json, self.text]
        tensors = [self.header(change) for change in (*documents, self.json_in_metadata)]
        arrays = [self.within_zip(change) for change in (self.within_npy(self.text), self.text, self.anywhere)]
        special: dict[str, list[Change]] = {
            **dict.fromkeys(("json", "result", "list"), documents),
            **dict.fromkeys(("tensors", "baseline", "checkpoint", "model_weights"), tensors),
            "bgzip": [self.within_bgzip(self.text), self.within_bgzip(self.anywhere)],
            "model": [*map(self.hashed_anew, documents), self.json],
            "record": [self.toml, self.toml, self.text, self.within_gzip(self.text)],
            "arrays": [*arrays, self.within_npy(self.text)],
            "weights": [self.within_zip(self.anywhere), self.within_zip(self.text)],
        }
        self.all = [self.anywhere, *special.get(format, texts)]

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        draw = random.Random(seed)
        for _ in range(3):
            with suppress(Exception):  # of another kind than this change is for
                found = draw.choice(self.all)(data, draw)
                if len(found) <= most:
                    return found
        return self.anywhere(data, draw)[:most]

    def text(self, data: bytes, draw: random.Random) -> bytes:
        """Change words and lines."""
        lines = data.decode(errors="surrogateescape").splitlines(keepends=True) or [""]
        for _ in range(draw.choice((1, 1, 2, 4))):
            i, what = draw.randrange(len(lines)), draw.randrange(6)
            if what == 0 and len(lines) > 1:
                del lines[i]
            elif what == 1:
                lines.insert(draw.randrange(len(lines) + 1), lines[i])
            elif what == 2:
                lines.insert(i, draw.choice(self.words) + "\n")
            elif what == 3:
                place = draw.randrange(len(lines[i]) + 1)
                lines[i] = lines[i][:place] + draw.choice(self.words) + lines[i][place:]
            else:
                words = re.split(r"(\W+)" if what == 4 else r"([ \t\n]+)", lines[i])
                words[draw.randrange(len(words))] = draw.choice((*self.words, *words))
                lines[i] = "".join(words)
        return "".join(lines).encode(errors="surrogateescape")

    def json(self, data: bytes, draw: random.Random) -> bytes:
        """Change a value in a JSON document."""
        text = json.dumps(_change_value(json.loads(data), draw), ensure_ascii=draw.random() < 0.7)
        return text.encode(errors="surrogatepass")

    def toml(self, data: bytes, draw: random.Random) -> bytes:
        """Change a value in a TOML document."""
        from rcinterp.cli._toml import read_toml, write_toml

        return write_toml(_change_value(read_toml(data.decode()), draw)).encode()

    def json_in_metadata(self, data: bytes, draw: random.Random) -> bytes:
        """Change a value in one of the JSON documents that the metadata of tensors are."""
        header = json.loads(data)
        name = draw.choice(sorted(header["__metadata__"]))
        header["__metadata__"][name] = self.json(header["__metadata__"][name].encode(), draw).decode()
        return json.dumps(header).encode()

    def header(self, change: Change) -> Change:
        """Change the header of a file of safetensors, and say how long it is."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            end = 8 + int.from_bytes(data[:8], "little")
            header = change(data[8:end], draw)
            return len(header).to_bytes(8, "little") + header + data[end:]

        return changed

    def within_npy(self, change: Change) -> Change:
        """Change the header of an array, and say how long it is."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            (length,) = struct.unpack("<H", data[8:10])
            header = change(data[10 : 10 + length], draw)
            return data[:8] + struct.pack("<H", len(header)) + header + data[10 + length :]

        return changed

    def within_zip(self, change: Change) -> Change:
        """Change one of the files of an archive."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                files = {name: archive.read(name) for name in archive.namelist()}
            name = draw.choice(sorted(files))
            files[name] = change(files[name], draw)
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                for name, content in files.items():
                    archive.writestr(zipfile.ZipInfo(name), content)
            return packed.getvalue()

        return changed

    def within_gzip(self, change: Change) -> Change:
        """Change what a gzip file holds; a plain one is packed."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            inside = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
            return gzip.compress(change(inside[:LARGEST], draw), 1, mtime=0)

        return changed

    def within_bgzip(self, change: Change) -> Change:
        """Change what a bgzip file holds."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            packed = gzip.compress(change(gzip.decompress(data), draw), 1, mtime=0)[10:]
            head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + struct.pack("<H", 18 + len(packed) - 1)
            return head + packed + bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

        return changed

    def hashed_anew(self, change: Change) -> Change:
        """Change the description of a model, and its SHA-256 of the architecture with it."""

        def changed(data: bytes, draw: random.Random) -> bytes:
            description = json.loads(change(data, draw))
            said = {"architecture": description["architecture"], "letters": "ACGT"}
            digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
            description["sha256"]["architecture"] = digest
            return json.dumps(description).encode()

        return changed


def _change_value(document: Any, draw: random.Random) -> Any:
    """The same document but for one of its values, or one of its names."""
    document = copy.deepcopy(document)
    places: list[tuple[Any, Any]] = []
    todo = [document]
    while todo:
        inside = todo.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
        places += [(inside, key) for key in keys]
        todo += [inside[key] for key in keys]
    if not places or draw.random() < 0.02:
        return draw.choice(VALUES)
    inside, key = draw.choice(places)
    what = draw.randrange(8)
    if what == 0:
        del inside[key]
    elif what == 1 and isinstance(inside, dict):
        inside[str(draw.choice(VALUES))] = inside.pop(key)
    elif what == 2 and isinstance(inside, dict):
        inside[str(draw.choice(VALUES))] = draw.choice(VALUES)
    elif what == 3:
        inside[key] = [inside[key]] * draw.randrange(4)
    elif what == 4 and type(inside[key]) in (int, float):
        inside[key] += draw.choice((-1, 1, -0.5, 2**31))
    else:
        inside[key] = copy.deepcopy(draw.choice((*VALUES, *(outer[name] for outer, name in places))))
    return document


# One reader, in a process of its own.


class Trial:
    """A reader, and what has come of the inputs so far."""

    def __init__(self, name: str, readers: SimpleNamespace, folder: Path, failures: Path) -> None:
        self.readers, self.place, self.failures = readers, readers.Place(name, folder), failures
        self.counts = {"inputs": 0, "accepted": 0, "refused": 0, "failed": 0, "longest_line": 0}
        self.kinds: dict[str, int] = {}

    def warm_up(self, seeds: Path) -> None:
        """Let the reader import what it imports when it is first used, so that no input is blamed for it."""
        for path in sorted(seeds.glob("valid-*")):
            with suppress(Exception):
                self.readers.outcome(self.place.read, self.place.put(path.read_bytes()))

    def __call__(self, data: bytes) -> None:
        """Give the reader an input, and note what comes of it."""
        given = self.place.put(data)
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        failure = None
        try:
            said, warned = self.readers.outcome(self.place.read, given)
        except Exception as error:
            failure = f"{type(error).__name__} at {_place_of(error)}"
        else:
            self.counts["accepted" if said is None else "refused"] += 1
            lines = [*([] if said is None else [said]), *warned]
            self.counts["longest_line"] = max(self.counts["longest_line"], *map(len, lines), 0)
            if not all(map(self.readers.is_one_line, lines)):
                failure = "more than one line"
            elif said is not None and isinstance(given, Path) and given.name not in said:
                failure = "does not name the file"
        if time.process_time() - start > MOST_SECONDS:
            failure = "slow"
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > MOST_KILOBYTES:
            failure = "much memory"
        self.counts["inputs"] += 1
        if failure is not None:
            self.keep(failure, data)

    def keep(self, failure: str, data: bytes) -> None:
        """Write an input that failed, the first of its kind and shorter ones."""
        self.counts["failed"] += 1
        self.kinds[failure] = self.kinds.get(failure, 0) + 1
        kind = re.sub(r"\W+", "-", failure)
        path = self.failures / kind
        if not path.exists() or len(data) < path.stat().st_size:
            path.write_bytes(data)


def _place_of(error: BaseException) -> str:
    """Where an exception left rcinterp."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(ROOT / "rcinterp"))] or frames
    return f"{Path(own[-1].filename).name} {own[-1].name}"


def load_readers() -> SimpleNamespace:
    """The readers, of an rcinterp that tells atheris which of its parts are reached."""
    import atheris

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["rcinterp"]):
        readers = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/rcinterp/readers.py")))
    import torch

    torch.set_num_threads(1)
    return readers


def fuzz(name: str, readers: SimpleNamespace, inputs: int, seed: int, work: Path) -> None:
    """Give one reader so many inputs; does not return, as atheris ends the process."""
    import atheris

    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
    if name == "load_model: baseline":  # the weights beside it are the same each time, and to build a model takes long
        from rcinterp.training import saving

        saving._load_weights = cache(saving._load_weights)
    trial = Trial(name, readers, place, work / "failures")
    format = readers.FORMATS.get(name, "text")
    seeds = CORPUS / format
    trial.warm_up(seeds)

    def one(data: bytes) -> None:
        trial(data)
        if trial.counts["inputs"] % 1000 == 0 or trial.counts["inputs"] >= inputs:
            found = {**trial.counts, "kinds": trial.kinds}
            (work / "counts.json").write_text(json.dumps(found))
            if trial.counts["inputs"] >= inputs:
                shutil.rmtree(place, ignore_errors=True)

    words = work / "words.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*WORDS.get(format, ()), *ODD) if word))
    options: dict[str, object] = {"runs": inputs, "seed": seed + 1, "max_len": LARGEST, "timeout": GIVE_UP}
    options |= {
        "rss_limit_mb": 8192,
        "dict": words,
        "artifact_prefix": f"{work}/failures/stopped-",
        "reload": 0,
        "verbosity": 1,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    changes = Changes(format, lambda data, most: atheris.Mutate(data, most))  # which is there once it fuzzes
    atheris.Setup([sys.argv[0], *flags, str(work / "corpus"), str(seeds)], one, custom_mutator=changes)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


# All of them.


def folder_of(name: str) -> str:
    """A reader's name without blanks and signs, such as load_model-weights."""
    return re.sub(r"\W+", "-", name).strip("-")


def in_child(log: Path, do: Callable[[], None]) -> int:
    """Do it in a process that begins as this one is, as to load rcinterp takes long; gives its exit status."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        do()
    finally:
        traceback.print_exc()
        os._exit(1)  # atheris ends it before


def run(name: str, readers: SimpleNamespace, inputs: int, seed: int, out: Path) -> dict[str, Any]:
    """One reader: processes until it has had all its inputs, and what came of them."""
    found: dict[str, Any] = {"reader": name, "inputs": 0, "accepted": 0, "refused": 0, "failed": 0}
    kinds: dict[str, int] = {}
    longest, edges, begun = 0, 0, time.perf_counter()
    work = out / folder_of(name)
    shutil.rmtree(work, ignore_errors=True)
    for part in ("corpus", "failures"):
        (work / part).mkdir(parents=True)
    for attempt in range(20):
        left, log = inputs - found["inputs"], work / f"log-{attempt}"
        status = in_child(log, partial(fuzz, name, readers, left, seed + attempt, work))
        edges = max([edges, *map(int, re.findall(r"\bcov: (\d+)", log.read_text(errors="replace")))])
        counts = json.loads((work / "counts.json").read_text()) if (work / "counts.json").exists() else {}
        for key in ("inputs", "accepted", "refused", "failed"):
            found[key] += counts.get(key, 0)
        for kind, n in counts.get("kinds", {}).items():
            kinds[kind] = kinds.get(kind, 0) + n
        longest = max(longest, counts.get("longest_line", 0))
        if found["inputs"] >= inputs:
            break
        (work / "counts.json").unlink(missing_ok=True)
        kinds[f"exit status {status}"] = kinds.get(f"exit status {status}", 0) + 1
        found["failed"] += 1
    seconds = round(time.perf_counter() - begun, 1)
    return {**found, "seconds": seconds, "edges": edges, "longest_line": longest, "kinds": kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--out", type=Path, default=Path("results/fuzz"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = options.out / "results.jsonl"
    done = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    readers = load_readers()
    named = {folder_of(name): name for name in readers.names()}
    for name in [named[one] for one in options.only or named]:
        if name not in {one["reader"] for one in done}:
            done.append(run(name, readers, options.inputs, options.seed, options.out))
            with results.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(json.dumps(done[-1]), flush=True)
    sys.exit(any(one["failed"] for one in done))


if __name__ == "__main__":
    main()
