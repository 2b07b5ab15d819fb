"""Every reader of files and of texts, for the tests that give each what it cannot use, and for benchmarks/fuzz.py.

A module of its own, which both run by its path.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import torch

import rcinterp
from rcinterp.cli._reading import _find_target, _tensors_of
from rcinterp.cli._record import read_record
from rcinterp.cli._types import SEED, Number
from rcinterp.data.building import parse_split
from rcinterp.data.coordinates import parse_coordinates
from rcinterp.data.datasets import load_split
from rcinterp.data.fetching import _read_sums
from rcinterp.data.genome import Genome
from rcinterp.data.regions import read_regions
from rcinterp.data.sequences import load_sequences, read_fasta, write_fasta
from rcinterp.errors import InputError
from rcinterp.files import printable, read_bytes, read_text
from rcinterp.files.arrays import read_arrays
from rcinterp.files.documents import read_json
from rcinterp.files.tensors import open_tensors
from rcinterp.files.writing import finish
from rcinterp.motifs import load_motifs, read_meme, read_motifs
from rcinterp.reading.checkpoints import load_weights
from rcinterp.reading.exchange import load_modisco, save_modisco
from rcinterp.studies import _runner
from rcinterp.studies._data import Simulated
from rcinterp.studies._runs import Run
from rcinterp.training import run as training
from rcinterp.training.baseline import KmerBaseline
from rcinterp.training.recipes import find_recipe
from rcinterp.training.run import check_checkpoint
from rcinterp.training.steps import make_optimiser


@cache
def _data() -> Any:
    return rcinterp.load_dataset(["ACGTACGTAC", "CCCCAACGTA"], ["TTTTTACGTA", "GGGGACGTAG"])


def small_model() -> Any:
    """A model whose weights are 0, and so have the same bytes everywhere."""
    model = rcinterp.compact_model(1, 1, 10, widths=(3,), pool=4, stride=2)
    for value in model.state_dict().values():
        value.zero_()
    return model


def fit_from(path: Path) -> None:
    settings = {"recipe": "quiet", "epochs": 1, "baseline": False, "progress": False}
    rcinterp.fit(small_model(), _data(), _data(), seed=0, checkpoint=path, **settings)


@cache
def _run() -> Any:
    model, recipe = small_model(), find_recipe("quiet")
    return training.Run(model, recipe, make_optimiser(recipe, model, _data()), {"seed": 0, "epochs": 1})


def restore_from(path: Path) -> None:
    """What `fit` does with a checkpoint, without what it does beside it."""
    _run().restore(path)


def read_tensors(path: Path) -> None:
    with open_tensors(path, "tensors", "check the path") as file:
        file.read()


def split(text: str) -> list[str]:
    return text.split("\n")


def open_genome(path: Path) -> None:
    with Genome(path) as genome:
        for chrom, length in genome.lengths.items():
            genome.fetch(chrom, 0, min(length, 10))


RUN = Run("run", Simulated(), 0, {"n_layers": 1, "n_filters": 1})

#: Readers of one file.
FILES: dict[str, Callable[[Path], object]] = {
    "read_fasta": read_fasta,
    "load_sequences": load_sequences,
    "load_dataset": lambda path: rcinterp.load_dataset(path, path),
    "read_regions": read_regions,
    "Genome": open_genome,
    "read_motifs": read_motifs,
    "read_meme": read_meme,
    "load_motifs": load_motifs,
    "load_weights": lambda path: load_weights(torch.nn.Linear(2, 2), path),
    "checkpoint": fit_from,
    "Run.restore": restore_from,
    "check_checkpoint": lambda path: check_checkpoint(path, {}),
    "--args": lambda path: _tensors_of(str(path)),
    "read_text": lambda path: split(read_text(path, "text")),
    "read_json": lambda path: read_json(path, "an object", "write one"),
    "read_arrays": lambda path: read_arrays(path, "arrays", "write some"),
    "open_tensors": read_tensors,
    "read_bytes": lambda path: read_bytes(path, "bytes", largest=10**6),
    "_kept": lambda path: _runner._kept(path, RUN),
    "_read_sums": _read_sums,
}
#: Readers that look at the end of a file's name, and the ends that it may have.
ENDINGS = MappingProxyType({"load_weights": ("", ".safetensors"), "Genome": ("", ".gz")})
#: Readers that take what others refuse: any text, any bytes; an empty result is none.
LENIENT = {"read_text", "read_bytes", "_read_sums", "_kept"}
#: Readers of a folder, and the file in it that is not as it should be.
FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "load_model": (rcinterp.load_model, "model.json"),
    "load_model: weights": (rcinterp.load_model, "model.safetensors"),
    "load_model: baseline": (rcinterp.load_model, "baseline.safetensors"),
    "KmerBaseline.load": (KmerBaseline.load, "baseline.safetensors"),
    "load_modisco": (load_modisco, "ohe.npz"),
    "load_split": (load_split, "train.pos.fa.gz"),
    "read_record": (read_record, "run.toml"),
    "Genome: index": (open_genome, "a.fa.fai"),
    "finish": (finish, ".rcinterp-ready/.gone.json"),
}
#: Readers of a text that is given on the command line.
TEXTS: dict[str, Callable[[str], object]] = {
    "a number": lambda text: Number(0, 1).convert(text, None, None),
    "a whole number": lambda text: SEED.convert(text, None, None),
    "--split": lambda text: parse_split(text, ["chr1", "chr2", "chr3", "chrX"]),
    "--target": lambda text: _find_target(text, ["CTCF", "MAX", "CTCF_known1"], "names.txt"),
    "coordinates": lambda text: parse_coordinates([text, text], 4),
    "zeros:": lambda text: _tensors_of(f"zeros:{text}"),
}


#: The format of each reader's files, which is the name of a folder of tests/data/fuzz; "text" for the others.
FORMATS = {
    **dict.fromkeys(("read_fasta", "load_sequences", "load_dataset", "load_split", "Genome"), "fasta"),
    **dict.fromkeys(("read_motifs", "read_meme", "load_motifs"), "motifs"),
    **dict.fromkeys(("check_checkpoint", "checkpoint", "Run.restore"), "checkpoint"),
    **dict.fromkeys(("--args", "read_arrays", "load_modisco"), "arrays"),
    **dict.fromkeys(("load_model: baseline", "KmerBaseline.load"), "baseline"),
    **dict.fromkeys(("a number", "a whole number", "--split", "--target", "coordinates", "zeros:"), "words"),
    **{"Genome.gz": "bgzip", "Genome: index": "index", "read_regions": "regions", "load_weights": "weights"},
    **{"load_weights.safetensors": "tensors", "open_tensors": "tensors", "load_model: weights": "model_weights"},
    **{"load_model": "model", "read_json": "json", "_kept": "result", "finish": "list", "read_record": "record"},
    **{"_read_sums": "sums"},
}


def names() -> list[str]:
    """Of all readers; of several endings once an ending, such as Genome.gz."""
    files = [f"{name}{ending}" for name in FILES for ending in ENDINGS.get(name, ("",))]
    return [*files, *FOLDERS, *TEXTS]


def fill(folder: Path, reader: str) -> None:
    """Make a folder that a reader of folders takes, but for the file that it is about."""
    folder.mkdir(parents=True, exist_ok=True)
    if reader.startswith("load_model"):
        rcinterp.save_model(small_model(), folder)
    elif reader == "load_modisco":
        x = rcinterp.one_hot(["ACGTACGTAC"])
        save_modisco(folder, x, x)
    elif reader == "load_split":
        for i, name in enumerate(("train.pos", "train.neg", "valid.pos", "valid.neg")):
            write_fasta(folder / f"{name}.fa.gz", ["ACGT"[i] * 4, "ACGT"[i] * 3 + "N"])
    elif reader == "Genome: index":
        (folder / "a.fa").write_text(">a\nACGT\nAC\n>b\nNNNN\n")
    (folder / FOLDERS[reader][1]).parent.mkdir(exist_ok=True)


class Place:
    """Where a reader's input is written, in an empty folder; `put` gives what the reader, `read`, is then given."""

    read: Callable[[Any], object]

    def __init__(self, name: str, folder: Path) -> None:
        self.file, self.hashed = folder / "given", ""
        self.indexes: tuple[str, ...] = ()
        stem, dot, ending = name.rpartition(".")
        if name in TEXTS:
            self.read, self.given = TEXTS[name], None
        elif name in FOLDERS:
            self.read, file = FOLDERS[name]
            self.given, self.file = self.file, self.file / file
            self.hashed = file if name.startswith("load_model:") else ""
            fill(self.given, name)
        else:
            self.read = FILES[name if name in FILES else stem]
            self.given = self.file = self.file if name in FILES else folder / f"given{dot}{ending}"
            self.indexes = (".fai", ".gzi") if name.startswith("Genome") else ()

    def put(self, data: bytes) -> Any:
        if self.given is None:
            return data.decode(errors="surrogateescape")
        for ending in self.indexes:  # of the last input
            with suppress(FileNotFoundError):
                os.unlink(f"{self.file}{ending}")
        self.file.parent.mkdir(exist_ok=True)  # which a reader may have removed
        file = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(file, data)
        os.close(file)
        if self.hashed:
            self._hash_anew(data)
        return self.given

    def _hash_anew(self, data: bytes) -> None:
        """Let model.json have the SHA-256 of the file beside it, so that a reader looks into the file."""
        path = self.given / "model.json"
        description = json.loads(path.read_bytes())
        description["sha256"][self.hashed] = hashlib.sha256(data).hexdigest()
        path.write_text(json.dumps(description))


def outcome(read: Callable[[Any], object], given: Any) -> tuple[str | None, list[str]]:
    """The line by which a reader refuses what it is given, None if it takes it, and its warnings.

    Whatever else it raises than what a reader may is raised.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        said = None
        try:
            read(given)
        except InputError as error:
            said = str(error)
        except click.BadParameter as error:
            said = error.format_message()
        except OSError as error:
            if error.filename is None:
                raise
            said = str(error.filename)
    return said, [str(one.message) for one in caught]


def is_one_line(text: str) -> bool:
    """Whether a terminal shows a text as one line, each of its characters as it is."""
    return "\n" not in text and printable(text) == text
