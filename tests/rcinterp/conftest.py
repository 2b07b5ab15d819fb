"""The authors' trained model of section 3.4.1, and small data sets."""

import itertools
import os
import runpy
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from rcinterp.data.datasets import Dataset


def documented_loader():
    """The snippet of docs/how-to/original-weights.md: the model that it builds, and its ``load``."""
    page = (Path(__file__).parents[2] / "docs/how-to/original-weights.md").read_text(encoding="utf-8")
    names = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    return names["model"], names["load"]


@pytest.fixture
def on_a_terminal(monkeypatch):
    """Let the standard error of commands that a test runs be a terminal."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda self: True, raising=False)


@pytest.fixture
def piped(tmp_path):
    """Makes a pipe of a content, which is written once."""
    made = []

    def make(name, content):
        path = tmp_path / name
        os.mkfifo(path)
        made.append(threading.Thread(target=path.write_bytes, args=(content,), daemon=True))
        made[-1].start()
        return path

    yield make
    for thread in made:
        thread.join(timeout=5)
        assert not thread.is_alive(), "a pipe was not read"


@pytest.fixture
def original_simulation_model(reference):
    """The trained model of section 3.4.1 and the arrays that the original computed with it."""
    arrays = np.load(reference / "golden/e2e_sim.npz")
    model, load = documented_loader()
    weights = {name.removeprefix("weights/"): arrays[name] for name in arrays if name.startswith("weights/")}
    return load(model, weights), arrays


@pytest.fixture
def original_x():
    """Give ``original_x(arrays)``: its sequences as (n, 4, L) float64."""
    return lambda arrays: torch.tensor(arrays["x"].transpose(0, 2, 1).copy(), dtype=torch.float64)


@pytest.fixture
def planted():
    """Give ``planted(n, seed)``: 41 bp sequences, half of them with the motif GATTACA on one strand or the other."""

    def draw(n, seed):
        generator = torch.Generator().manual_seed(seed)
        letters = torch.randint(4, (n, 41), generator=generator)
        motif = torch.tensor([2, 0, 3, 3, 0, 1, 0])
        for i in range(0, n, 2):
            start = int(torch.randint(35, (1,), generator=generator))
            letters[i, start : start + 7] = motif if i % 4 else 3 - motif.flip(0)
        x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float().contiguous()
        y = (torch.arange(n) % 2 == 0).float()[:, None]
        return Dataset(x, y, tuple(f"s{i}" for i in range(n)))

    return draw


def random_dna(n, seed):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), n))


@pytest.fixture(scope="session")
def chromosomes():
    """chr1 of 3,000 bp, soft-masked in parts, with 200 N from 1,000 on; chr2 and chr3 without N."""
    chr1 = random_dna(3000, 1)
    chr1 = chr1[:1000] + "N" * 200 + chr1[1200:]
    return {
        "chr1": chr1[:50] + chr1[50:700].lower() + chr1[700:],
        "chr2": random_dna(2003, 2),
        "chr3": random_dna(997, 3),
    }


@pytest.fixture
def genome(chromosomes, tmp_path):
    """Give the path of a FASTA file of these chromosomes, in lines of 61 bp."""
    path, width = tmp_path / "genome.fa", 61
    lines = {name: [dna[i : i + width] for i in range(0, len(dna), width)] for name, dna in chromosomes.items()}
    path.write_text("".join("\n".join([f">{name} made", *rows, ""]) for name, rows in lines.items()))
    return path


@pytest.fixture
def write_bed(tmp_path):
    """Give ``write_bed(name, *rows)``: the path of a file of these columns, with tabs between them."""

    def write(name, *rows):
        path = tmp_path / name
        path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
        return path

    return write


@pytest.fixture(scope="session")
def others():
    """Give the models of examples/shapes.py, written as other projects do, and the functions of models_of_others.py."""
    found = {}
    for path in (Path(__file__).parents[2] / "examples/shapes.py", Path(__file__).with_name("models_of_others.py")):
        found |= {name: value for name, value in runpy.run_path(str(path)).items() if not name.startswith("_")}
    return SimpleNamespace(**found)


@pytest.fixture(scope="session")
def processes():
    """Give the functions of dask_processes.py."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dask_processes.py"))))


@pytest.fixture(scope="session")
def dna():
    """Give ``dna(n, length, seed)``: random one-hot sequences (n, 4, length)."""

    def draw(n, length, seed):
        letters = torch.randint(4, (n, length), generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float().contiguous()

    return draw


@pytest.fixture(scope="session")
def read_meme_by_memelite():
    """Give memelite's own reader of MEME files, or skip."""
    return pytest.importorskip("memelite.io", reason="needs memelite (pip install rcinterp[fast])").read_meme


def shown_texts(figure):
    """Texts of a figure that can be seen, with their boxes in pixels."""
    FigureCanvasAgg(figure).draw()
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not low <= tick.get_loc() <= high:
                    hidden |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), text.get_window_extent()) for text in texts if text not in hidden]


def find_text_problems(figure):
    """Texts that leave the figure, pairs of texts that lie on each other, and legends that lie on axes."""
    texts = shown_texts(figure)
    width, height = figure.bbox.size
    cut = [t for t, box in texts if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]
    overlapping = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(texts, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
    ]
    legends = [legend for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes)] if legend is not None]
    on_data = [
        "legend on axes"
        for legend in legends
        if any(legend.get_window_extent().overlaps(ax.get_window_extent()) for ax in figure.axes)
    ]
    return cut + overlapping + on_data


@pytest.fixture(scope="session")
def text_problems():
    """Give ``text_problems(figure)``: texts that are cut or lie on each other, legends on axes."""
    return find_text_problems
