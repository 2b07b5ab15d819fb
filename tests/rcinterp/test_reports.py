"""Reports of people who used these tools, each with the value that is right, and one more of its kind.

Most are about one model: ``filter_0`` is TGACTCA (AP-1), and it alone tells the two classes apart.
"""

import argparse
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import nn
from torch.nn import functional

import rcinterp
from rcinterp.cli import main
from rcinterp.data.regions import read_regions
from rcinterp.data.sequences import write_fasta
from rcinterp.errors import InputError
from rcinterp.motifs import consensus, load_motifs, write_meme
from rcinterp.motifs.formats import read_motifs
from rcinterp.reading.checkpoints import load_weights
from rcinterp.reading.model import one_thread
from rclayers import Conjoined

MOTIF, RC_MOTIF = "TGACTCA", "TGAGTCA"
ENCODE = load_motifs("encode")
#: Every 40th motif, and one of AP-1: a catalogue of 53, of which few are palindromes.
SMALL = {name: ENCODE[name] for name in [*list(ENCODE)[::40], "NFE2_disc1"]}


def plant(convolution):
    """Make filter 0, of 7 bp or more, give 2.25 at TGACTCA and at most 1.25 elsewhere; the others are weak."""
    with torch.no_grad():
        weight = 0.3 * torch.randn(convolution.weight.shape, generator=torch.Generator().manual_seed(0))
        weight[0, :, :7] = -0.25
        weight[0, :, 7:] = 0
        weight[0, ["ACGT".index(letter) for letter in MOTIF], range(7)] = 0.75
        convolution.weight.copy_(weight)
        convolution.bias.zero_()
        convolution.bias[0] = -3
    return convolution


class Net(nn.Module):
    """One convolution, the largest activation of each filter, and a head of one row of weights a task."""

    def __init__(self, convolution=None, head=((1.0, 0.1, 0.1, 0.1),)):
        super().__init__()
        self.conv = plant(nn.Conv1d(4, 4, 9) if convolution is None else convolution)
        self.fc = nn.Linear(len(head[0]), len(head))
        self.fc.weight.data.copy_(torch.tensor(head))
        self.fc.bias.data.fill_(-1)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).amax(2))


def draw(n, both_strands=False):
    """Random sequences of 100 bp: n with the motif, on the - strand in the odd ones if on both, and n without it."""
    rng = np.random.default_rng(0)
    both = [[], []]
    while len(both[1]) < n:
        sequence = "".join(rng.choice(list("ACGT"), 100))
        if MOTIF in sequence or RC_MOTIF in sequence:  # by chance
            continue
        positives, negatives = both
        if len(positives) == n:
            negatives.append(sequence)
            continue
        start = int(rng.integers(2, 92))  # a window of 9 bp fits on either strand
        planted = RC_MOTIF if both_strands and len(positives) % 2 else MOTIF
        positives.append(sequence[:start] + planted + sequence[start + 7 :])
    return both


def by_hand(net, classes, task=0, filter=0):
    """Contribution of a filter to a logit: it is linear in the largest activation."""
    with torch.no_grad():
        largest = [torch.relu(net.conv(rcinterp.one_hot(each))).amax(2).mean(0) for each in classes]
        return float(((largest[0] - largest[1]) * net.fc.weight[task])[filter])


def interpret(model, classes, **options):
    return rcinterp.interpret(model, *classes, SMALL, measure_faithfulness=False, **options)


def sites_of(found, classes, filter="filter_0"):
    """Sites of a filter among the positives, with the letters as its strand has them."""
    sites = found.sites[found.sites["filter"] == filter].set_index("sequence").sort_index()
    sites["letters"] = [classes[0][i][site.start : site.end] for i, site in sites.iterrows()]
    sites.loc[sites["strand"] == "-", "letters"] = sites["letters"].map(turn)
    return sites


def turn(letters):
    return letters.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def row_of(found, filter="filter_0"):
    return found.table.set_index("filter").loc[filter]


def run(*arguments):
    """What a command prints and says; an error that is no problem of the input is raised."""
    with one_thread():
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def assert_refused(result, message):
    assert result.exit_code == 2
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr


@pytest.fixture
def interpret_here(tmp_path):
    """Give ``interpret_here(name, ...)``: the command, on a model of this file; its result and table of filters."""
    for label, sequences in zip(("pos", "neg"), draw(60), strict=True):
        write_fasta(tmp_path / f"{label}.fa", sequences)
    write_meme(tmp_path / "small.meme", SMALL)
    classes = ["--positives", tmp_path / "pos.fa", "--negatives", tmp_path / "neg.fa"]
    files = [*classes, "--motifs", tmp_path / "small.meme"]

    def call(name, *options):
        result = run("interpret", f"{__file__}:{name}", *files, "--out", tmp_path / "out", *options)
        table = tmp_path / "out/filters.tsv"
        return result, pd.read_csv(table, sep="\t", index_col="filter") if result.exit_code == 0 else None

    return call


# 01: a model that reads the sequence and its reverse complement, as Sei's.


class BothStrands(nn.Module):
    """The mean of both strands, as of Selene's NonStrandSpecific; either may be read first."""

    def __init__(self, model, turned_first=False):
        super().__init__()
        self.model, self.turned_first = model, turned_first

    def forward(self, x):
        turned = x.flip(1, 2)
        first, second = (turned, x) if self.turned_first else (x, turned)
        return (self.model(first) + self.model(second)) / 2


BOTH_STRANDS = {
    "given strand first": BothStrands,
    "other strand first": lambda net: BothStrands(net, turned_first=True),
    "Conjoined, mean": Conjoined,
    "Conjoined, max": lambda net: Conjoined(net, "max"),
    "wrapper of a wrapper": lambda net: Conjoined(BothStrands(net)),
    "wrapper of a wrapper, turned": lambda net: BothStrands(BothStrands(net, turned_first=True), turned_first=True),
}


@pytest.mark.parametrize("wrapper", BOTH_STRANDS)
def test_01_both_strand_wrapper(wrapper):
    classes = draw(120, both_strands=True)
    found = interpret(BOTH_STRANDS[wrapper](Net()), classes)
    sites = sites_of(found, classes)
    assert sites.index.tolist() == list(range(120))
    assert sites["strand"].tolist() == ["+", "-"] * 60
    assert sites["letters"].str.startswith(MOTIF).all()
    assert row_of(found)["information"] == pytest.approx(13.6, abs=0.15)
    if wrapper != "Conjoined, max":
        both = [[*each, *map(turn, each)] for each in classes]
        assert row_of(found)["contribution"] == pytest.approx(by_hand(Net(), both), rel=1e-5)


# 02: layers that are an nn.Conv1d by name, and compute something else.


class WithItsTurned(nn.Conv1d):
    """Each filter and its reverse complement: twice as many channels as the weight has rows."""

    def forward(self, x):
        return torch.cat([super().forward(x), functional.conv1d(x, self.weight.flip(1, 2), self.bias)], 1)


class BackToFront(nn.Conv1d):
    """Applies its kernel back to front, as convolution is in mathematics."""

    def forward(self, x):
        return functional.conv1d(x, self.weight.flip(2), self.bias)


class BetterStrand(nn.Conv1d):
    """The larger of both strands."""

    def forward(self, x):
        return torch.maximum(super().forward(x), super().forward(x.flip(1, 2)).flip(2))


class Centred(nn.Conv1d):
    """Twice its kernel without the mean of each position."""

    def forward(self, x):
        return functional.conv1d(x, 2 * (self.weight - self.weight.mean(1, keepdim=True)), self.bias)


def test_02_conv1d_subclass_of_twice_the_channels():
    classes = draw(120)
    found = interpret(Net(WithItsTurned(4, 4, 9), ((1.0, 0.1, 0.1, 0.1) * 2,)), classes)
    assert found.table["filter"].nunique() == 8
    sites = sites_of(found, classes)
    assert (len(sites), sites["letters"].str.startswith(MOTIF).sum()) == (120, 120)


def test_02_conv1d_subclass_of_a_turned_kernel():
    classes = draw(120)
    net = Net(BackToFront(4, 4, 9))
    net.conv.weight.data.copy_(net.conv.weight.flip(2))
    found, expected = interpret(net, classes), interpret(Net(), classes)
    pd.testing.assert_frame_equal(found.table, expected.table)
    pd.testing.assert_frame_equal(found.sites, expected.sites)
    assert sites_of(found, classes)["letters"].str.startswith(MOTIF).tolist() == [True] * 120
    assert row_of(found)["information"] == pytest.approx(13.6, abs=0.15)
    assert row_of(found)["contribution"] == pytest.approx(by_hand(Net(), classes), rel=1e-5)


def test_02_conv1d_subclass_of_the_better_strand():
    """No convolution gives its output: it is read as a deeper layer is, on the strand given."""
    classes = draw(120, both_strands=True)
    sites = sites_of(interpret(Net(BetterStrand(4, 4, 9)), classes), classes)
    assert sites.index.tolist() == list(range(120))
    assert set(sites["strand"]) == {"+"}
    assert all((RC_MOTIF if i % 2 else MOTIF) in letters for i, letters in sites["letters"].items())


def test_02_conv1d_subclass_that_centres_its_kernel():
    classes, net = draw(120), Net(Centred(4, 4, 9))
    found = interpret(net, classes)
    assert sites_of(found, classes)["letters"].str.startswith(MOTIF).tolist() == [True] * 120
    assert row_of(found)["contribution"] == pytest.approx(by_hand(net, classes), rel=1e-5)


# 03: models that end in a probability.

#: A head that is sure of itself.
TWO_CLASSES = ((-1.0, 0.0, 0.0, 0.0), (3.0, 0.1, 0.05, -0.1))


class Sigmoid(Net):
    def __init__(self):
        super().__init__(head=((4.0, 0.1, 0.1, 0.1),))

    def forward(self, x):
        return torch.sigmoid(super().forward(x))


class Softmax(Net):
    def __init__(self, head=TWO_CLASSES):
        super().__init__(head=head)

    def forward(self, x):
        return torch.softmax(super().forward(x), 1)


class MeanOfSigmoids(Net):
    """A probability that no sigmoid ends, of which there is no logit to be found in the model."""

    def forward(self, x):
        z = 4 * super().forward(x)
        return (torch.sigmoid(z) + torch.sigmoid(z + 0.1)) / 2


@pytest.mark.parametrize("method", ["gradient_x_activation", "integrated_gradients", "ablation"])
@pytest.mark.parametrize(("model", "target"), [(Sigmoid, 0), (Softmax, 1), (Softmax, 0)])
def test_03_softmax_sigmoid_sign(model, target, method):
    """Every method gives what is so by hand; the two classes of a softmax, what is opposite."""
    classes, net = draw(120), model()
    with pytest.warns(UserWarning, match=f"the model ends in a {model.__name__.lower()}: what is read is the logit"):
        found = rcinterp.filter_contributions(net, *classes, target=target, method=method)
    expected = by_hand(net, classes, target)
    if model is Softmax:
        expected -= by_hand(net, classes, 1 - target)
    found = found.set_index("filter").loc["filter_0"]
    assert found["contribution"] == pytest.approx(expected, rel=1e-5)
    assert (found["contribution"] > 7) if (model, target) != (Softmax, 0) else (found["contribution"] < -7)
    assert found["contribution_q"] < 0.01


@pytest.mark.parametrize("method", ["gradient_x_activation", "integrated_gradients", "ablation"])
def test_03_softmax_of_three_classes(method):
    classes, net = draw(120), Softmax((*TWO_CLASSES, (0.0, 0.0, 0.0, 0.0)))
    with pytest.warns(UserWarning, match="ends in a softmax"):
        found = [rcinterp.filter_contributions(net, *classes, target=t, method=method) for t in (0, 1)]
    assert [np.sign(each["contribution"][0]) for each in found] == [-1, 1]
    assert all(each["contribution"].abs().idxmax() == 0 for each in found)


@pytest.mark.filterwarnings("always")
def test_03_softmax_sigmoid_sign_on_the_command_line(interpret_here):
    for options in ([], ["--logit"]):
        result, filters = interpret_here("Softmax", "--target", 1, *options)
        assert ("Warning: the model ends in a softmax" in result.stderr) is not bool(options)
        assert filters.index[0] == "filter_0"
        net, classes = Softmax(), draw(60)
        expected = by_hand(net, classes, 1) - by_hand(net, classes, 0)
        assert filters.loc["filter_0", "contribution"] == pytest.approx(expected, rel=1e-3)  # of p in float32
    with pytest.warns(UserWarning, match="all outputs lie between 0 and 1.* on the command line --logit"):
        interpret(MeanOfSigmoids(), draw(60))
    result, filters = interpret_here("MeanOfSigmoids", "--no-faithfulness", "--logit")
    assert "between 0 and 1" not in result.stderr
    assert filters.index[0] == "filter_0"
    assert filters.loc["filter_0", "contribution"] == pytest.approx(4 * by_hand(Net(), draw(60)), rel=0.02)


# 04 and 05: BED and narrowPeak of other than ten columns.

CENTRES = ["chr1:1100-1200", "chr1:1650-1750", "chr2:2150-2250"]
SUMMITS = ["chr1:970-1070", "chr1:1800-1900", "chr2:2010-2110"]
REGIONS = [("chr1", 1000, 1300), ("chr1", 1500, 1900), ("chr2", 2000, 2400)]
#: Behind the three columns of each region.
NO_NARROWPEAK = {
    "closest -d": ["chr1 1350 1400 gA 0 + 50", "chr1 1905 2000 gB 0 - 5", "chr2 2400 2500 gC 0 + 0"],
    "coverage": ["a 0 + 7 300 300 1.0000000", "b 0 + 4 200 400 0.5000000", "c 0 + 1 0 400 0.0000000"],
    "intersect -wa -wb": ["a 0 + chr1 1010 1020 3", "b 0 - chr1 1510 1520 9", "c 0 . chr2 2010 2020 7"],
}
NARROWPEAK = [". 1000 . 18.2 33.1 31.0 20", ". 540 . 8.2 13.1 11.0 350", ". 600 . 9.2 15.1 12.0 60"]
IDR = [
    "5.0 5.0 1000 1290 17.0 22 1002 1300 19.1 21",
    "1.1 1.2 1500 1890 7.0 348 1502 1900 9.1 352",
    "1.1 1.2 2000 2390 7.0 58 2002 2400 9.1 62",
]


@pytest.fixture
def build(tmp_path):
    """Give ``build(lines, name)``: names of the positives of `rcinterp dataset build`, its messages, and the BED."""
    rng = np.random.default_rng(0)
    with (tmp_path / "g.fa").open("w") as genome:
        for chrom in ("chr1", "chr2"):
            genome.write(f">{chrom}\n{''.join(rng.choice(list('ACGT'), 6000))}\n")
    negatives = [f"{chrom}\t{start}\t{start + 200}\n" for chrom in ("chr1", "chr2") for start in (4000, 5000)]
    (tmp_path / "n.bed").write_text("".join(negatives))

    def call(lines, name="p.bed"):
        rows = [(*map(str, region), *line.split()) for region, line in zip(REGIONS, lines, strict=True)]
        (tmp_path / name).write_text("".join("\t".join(row) + "\n" for row in rows))
        files = ["--peaks", tmp_path / name, "--negatives", tmp_path / "n.bed", "--genome", tmp_path / "g.fa"]
        options = ["--split", "chr1/chr2", "--width", 100, "--out", tmp_path / "out"]
        result = run("dataset", "build", *files, *options)
        assert result.exit_code == 0, result.stderr
        parts = [tmp_path / f"out/{part}.pos.fa.gz" for part in ("train", "valid")]
        return [name for part in parts for name in rcinterp.read_fasta(part).index], result.stderr, tmp_path / name

    return call


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("program", NO_NARROWPEAK)
def test_04_ten_columns_no_narrowpeak(build, program):
    windows, said, bed = build(NO_NARROWPEAK[program])
    assert windows == CENTRES
    assert "has 10 columns, but is no narrowPeak" in said
    assert "p.bed: 3 regions, 3 of them without a summit: their centre is taken" in said
    with pytest.warns(UserWarning, match="is no narrowPeak"):
        assert rcinterp.extract_windows(bed, bed.parent / "g.fa", 100).index.tolist() == CENTRES


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("name", ["p.bed", "p.narrowPeak"])
@pytest.mark.parametrize("n_columns", [10, 11, 18, 20])
def test_05_narrowpeak_of_20_columns(build, n_columns, name):
    """Of 20 columns, as IDR writes it; 11, as bedtools intersect -c; 18, as nothing else does."""
    more = [" ".join(line.split()[: n_columns - 10]) for line in IDR] if n_columns != 11 else ["3", "0", "1"]
    windows, said, bed = build([f"{ten} {rest}" for ten, rest in zip(NARROWPEAK, more, strict=True)], name)
    assert windows == SUMMITS
    assert f"{name}: 3 regions\n" in said
    assert (f"has {n_columns} columns: the first ten are taken as narrowPeak" in said) is (n_columns > 10)
    assert read_regions(bed)["score"].tolist() == [18.2, 8.2, 9.2]


@pytest.mark.filterwarnings("always")
def test_05_broadpeak_of_17_columns(build):
    """IDR's of broadPeak has no summit: its column 10 is the local IDR."""
    lines = [
        " ".join([*nine.split()[:-1], f"{5.0 if i == 0 else 1.1:.2f}", "1.20 1000 1290 17.0 1002 1300 19.1"])
        for i, nine in enumerate(NARROWPEAK)
    ]
    windows, said, _ = build(lines)
    assert windows == CENTRES
    assert "has 17 columns, but is no narrowPeak (column 10 is '5.00', expected an integer)" in said


# 06: first convolutions side by side.


class Parallel(nn.Module):
    """Convolutions of several widths, whose activations stand beside one another; the last has the motif."""

    def __init__(self, *widths):
        super().__init__()
        torch.manual_seed(5)
        for name, width in zip("abc", widths, strict=False):
            setattr(self, name, nn.Conv1d(4, 4, width, padding=width // 2))
        self.names = "abc"[: len(widths)]
        plant(getattr(self, self.names[-1]))
        self.fc = nn.Linear(4 * len(widths), 1)
        self.fc.weight.data.fill_(0.1)
        self.fc.weight.data[0, -4] = 1

    def forward(self, x):
        return self.fc(torch.cat([torch.relu(getattr(self, name)(x)) for name in self.names], 1).amax(2))


def two_widths():
    return Parallel(5, 9)


def three_widths():
    return Parallel(5, 7, 9)


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("model", [two_widths, three_widths])
def test_06_parallel_first_convolutions(interpret_here, tmp_path, model):
    names = model().names
    result, filters = interpret_here(model.__name__, "--no-faithfulness")
    others = ", ".join(repr(name) for name in names[1:])
    expected = f"layer 'a' is shown; the sequence is also read by {others}, whose filters are not: name it"
    assert expected in result.stderr
    assert "--layer" in result.stderr
    report = (tmp_path / "out/report.html").read_text()
    assert f"The sequence is also read by {', '.join(names[1:])}, whose filters are not shown." in report
    assert filters["contribution"].abs().max() < 0.5
    result, filters = interpret_here(model.__name__, "--no-faithfulness", "--layer", names[-1])
    assert "also read" not in result.stderr
    assert filters.index[0] == "filter_0"
    assert filters.loc["filter_0", "contribution"] > 1


# 07: TRANSFAC of mCrossBase, and of other writers.

MCROSS = {
    0: ["3 2 5 50", "0 0 0 60", "58 1 1 0", "55 2 2 1", "2 3 52 3", "50 5 3 2", "1 0 59 0"],
    1: ["30 10 10 10", "0 60 0 0", "0 0 60 0", "1 1 1 57", "60 0 0 0"],
}
EXPECTED = {"CELL.RBPX.0": "TTAAGAG", "CELL.RBPX.1": "ACGTA"}


def mcross(number, block="XL\n{}XX\n", header="A C G T", end=""):
    """An entry of mCrossBase: a block of numbered lines behind the matrix, and no // at the end."""
    rows = MCROSS[number]
    name = f"CELL.RBPX.{number}"
    matrix = "".join(f"{i:02d}\t{row} N\n" for i, row in enumerate(rows, 1)).replace(" ", "\t")
    numbered = block.format("".join(f"{i:02d}\t{9 - i}\n" for i in range(len(rows))))
    text = f"AC\t{name}\nXX\nTY\tMotif\nXX\nID\t{name}\nXX\nNA\t{name}\nXX\nDE\tN=60, Consensus=NN, Score=10\nP0\t"
    return f"{text}{header}\n".replace("A C G T", "A\tC\tG\tT") + f"{matrix}XX\nIC\t1.0 1.0\nXX\n{numbered}{end}"


TRANSFAC = {
    "one": mcross(0),
    "two without an end": mcross(0) + mcross(1),
    "two with an end": mcross(0, end="//\n") + mcross(1, end="//\n"),
    "two without block and end": mcross(0, block="") + mcross(1, block=""),
    "more words in the header": mcross(0, header="A C G T cons inf", end="//\n") + mcross(1, end="//\n"),
    # Not reported: numbered lines that would do as positions.
    "a block of four numbers": mcross(0, block="XL\n00\t1\t2\t3\t4\n01\t9\t9\t9\t9\nXX\n") + mcross(1),
    "lower case and more words": mcross(0, header="a c g t cons", end="//\n") + mcross(1, header="a\tc\tg\tu"),
}


@pytest.mark.parametrize("kind", TRANSFAC)
def test_07_transfac_mcrossbase(tmp_path, kind):
    (tmp_path / "m.mat").write_text(TRANSFAC[kind])
    motifs = read_motifs(tmp_path / "m.mat")
    names = list(EXPECTED)[: 1 if kind == "one" else 2]
    assert {name: consensus(motif.ppm) for name, motif in motifs.items()} == {name: EXPECTED[name] for name in names}
    assert [motif.n_sites for motif in motifs.values()] == [60] * len(names)
    counts = np.array([row.split() for row in MCROSS[0]], dtype=float)
    np.testing.assert_allclose(motifs["CELL.RBPX.0"].ppm, counts.T / 60)
    result = run("compare", tmp_path / "m.mat", "--motifs", "encode", "--max-q-value", 1)
    assert result.exit_code == 0, result.stderr
    assert {line.split("\t")[0] for line in result.stdout.splitlines()[1:]} - {""} >= set(names)


# 10: checkpoints, as people have them.


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


LIGHTNING = {"epoch": 3, "global_step": 10, "pytorch-lightning_version": "2.5", "hyper_parameters": {"lr": 1e-3}}
needs_safe_globals = pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="needs torch 2.5")
#: How a state_dict is packed, and what is said to be left out.
CHECKPOINTS = {
    "plain": (lambda w: w, None),
    "DataParallel": (lambda w: prefixed("module.", w), "'module.'"),
    "compiled": (lambda w: prefixed("_orig_mod.", w), "'_orig_mod.'"),
    "Lightning": (lambda w: {"state_dict": prefixed("model.", w), **LIGHTNING}, "'model.'"),
    "Lightning, same names": (lambda w: {"state_dict": w, **LIGHTNING}, None),
    "model": (lambda w: {"model": w, "optimizer": {}}, None),
    "model_state_dict": (lambda w: {"model_state_dict": w, "optimizer": {}}, None),
    "buffer of a loss": (
        lambda w: {"state_dict": {**w, "criterion.pos_weight": torch.ones(1)}},
        "criterion.pos_weight",
    ),
    "prefix and loss": (lambda w: {**prefixed("net.", w), "loss.weight": torch.ones(1)}, "'net.'.*loss.weight"),
    # Not reported: one wrapper in another.
    "compiled DataParallel": (lambda w: {"state_dict": prefixed("_orig_mod.module.", w)}, "'_orig_mod.module.'"),
    "Lightning, compiled": (lambda w: {"state_dict": prefixed("model._orig_mod.", w)}, "'model._orig_mod.'"),
}


def blank():
    """The model, with no weights of its own."""
    net = Net()
    for parameter in net.parameters():
        nn.init.zeros_(parameter)
    return net


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("packed", [*CHECKPOINTS, pytest.param("Namespace", marks=needs_safe_globals)])
def test_10_checkpoints(tmp_path, packed):
    namespace = (lambda w: {"state_dict": w, "hyper_parameters": argparse.Namespace(lr=1)}, None)
    pack, left_out = CHECKPOINTS.get(packed, namespace)
    torch.save(pack(Net().state_dict()), tmp_path / "w.ckpt")
    net = blank()
    with warnings.catch_warnings(record=True) as said:
        load_weights(net, tmp_path / "w.ckpt")
    assert re.fullmatch(f".*{left_out}.*" if left_out else "", " ".join(str(each.message) for each in said))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in Net().state_dict().items())


@pytest.mark.filterwarnings("always")
@pytest.mark.parametrize("packed", ["Lightning", "model", "prefix and loss", "compiled DataParallel"])
def test_10_checkpoints_on_the_command_line(interpret_here, tmp_path, packed):
    pack, left_out = CHECKPOINTS[packed]
    torch.save(pack(Net().state_dict()), tmp_path / "w.ckpt")
    result, filters = interpret_here("blank", "--weights", tmp_path / "w.ckpt", "--no-faithfulness")
    assert result.exit_code == 0, result.stderr
    assert ("left out" in result.stderr) is (left_out is not None)
    assert re.search(left_out or "", result.stderr, re.DOTALL), result.stderr
    assert filters.loc["filter_0", "contribution"] == pytest.approx(by_hand(Net(), draw(60)), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*TorchScript", "ignore:.*torch.jit")
@pytest.mark.parametrize(
    ("save", "message"),
    [
        (lambda path: torch.save(Net(), path), r"cannot be read as weights alone .*; save model\.state_dict\(\)"),
        (lambda path: torch.jit.script(Net()).save(path), r"it is a TorchScript archive\); save model\.state_dict\(\)"),
        (lambda path: torch.save({"state_dict": nn.Linear(3, 1).state_dict()}, path), r"missing: conv\.weight"),
    ],
    ids=["whole", "TorchScript", "another model"],
)
def test_10_checkpoints_that_hold_no_weights(interpret_here, tmp_path, save, message):
    save(str(tmp_path / "w.pt"))
    result, _ = interpret_here("blank", "--weights", tmp_path / "w.pt")
    assert_refused(result, message)


# 11: models that cannot be followed.


def scripted():
    return torch.jit.script(Net())


def traced():
    return torch.jit.trace(Net().eval(), torch.zeros(2, 4, 100))


def frozen():
    return torch.jit.freeze(torch.jit.script(Net().eval()))


def lazy(convolution=None):
    first = nn.Conv1d(4, 4, 9) if convolution is None else convolution
    return nn.Sequential(first, nn.ReLU(), nn.AdaptiveMaxPool1d(2), nn.Flatten(), nn.LazyLinear(1))


class InsideAnother(nn.Module):
    """A module of one's own around a TorchScript model, as to take one of its outputs."""

    def __init__(self):
        super().__init__()
        self.model = scripted()

    def forward(self, x):
        return self.model(x)[:, :1]


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("model", [scripted, traced, frozen, InsideAnother])
def test_11_jit_traceback(interpret_here, model):
    message = "TorchScript.*cannot be followed. Give the nn.Module"
    with pytest.raises(InputError, match=message):
        rcinterp.filter_contributions(model(), *draw(60))
    assert_refused(interpret_here(model.__name__)[0], message)


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_11_lazy_traceback(interpret_here):
    classes = draw(60)
    for model in (lazy(), lazy(nn.LazyConv1d(4, 9))):
        with pytest.raises(InputError, match=r"weights without a shape .*4\.weight.*call it once"):
            rcinterp.filter_contributions(model, *classes)
        model(rcinterp.one_hot(classes[0][:2]))
        assert len(rcinterp.filter_contributions(model, *classes)) == 4
    assert_refused(interpret_here("lazy")[0], "weights without a shape.*call it once")


# 15: what a few known motifs can tell of a palindrome. AP-1 is one but for its middle letter.


def of_letters(letters, width):
    """A filter of one strand of these letters."""
    weight = np.zeros((4, width))
    weight[:, : len(letters)] = -0.25
    weight[["ACGT".index(letter) for letter in letters], range(len(letters))] = 0.75
    return weight


AP1 = {"9 bp": of_letters(MOTIF, 9), "7 bp": of_letters(MOTIF, 7)}
#: Catalogues of few motifs, and the class of each filter by them; "none" is of a filter that a single motif explains.
FEW = {
    "53 motifs": (SMALL, ["not judged", "none"]),
    "AP1": ({"AP1": ENCODE["AP1_known1"]}, ["not judged", "not judged"]),
    "NFE2": ({"NFE2": ENCODE["NFE2_disc1"]}, ["not judged", "none"]),
}


@pytest.mark.parametrize("motifs", FEW)
def test_15_triage_small_catalogue(motifs):
    known, expected = FEW[motifs]
    found = rcinterp.triage_palindromes(AP1, known)
    assert found["triage"].tolist() == expected
    assert (found["hybrid_similarity"] > 0.88).all()  # which would be an artefact by a catalogue that is large


def test_15_triage_by_the_whole_catalogue():
    assert rcinterp.triage_palindromes(AP1)["triage"].tolist() == ["true palindrome"] * 2


def test_15_triage_of_other_palindromes():
    """MARE, which has AP-1 in it, and CREB, the AP-1 of 8 bp: few motifs call none of them an artefact."""
    others = {"MARE": of_letters("TGCTGAGTCAGCA", 13), "CREB": of_letters("TGACGTCA", 9)}
    for known, _ in FEW.values():
        assert set(rcinterp.triage_palindromes(others, known)["triage"]) <= {"not judged", "true palindrome"}
    assert rcinterp.triage_palindromes(others)["triage"].tolist() == ["true palindrome"] * 2


def test_15_triage_in_the_verdict():
    classes = draw(120)
    by_few = row_of(interpret(Net(), classes))
    assert by_few["triage"] == "not judged"
    assert "so few known motifs cannot tell" in by_few["verdict"]
    by_all = row_of(rcinterp.interpret(Net(), *classes, measure_faithfulness=False))
    assert by_all["triage"] == "true palindrome"
    assert "artefact" not in by_all["verdict"]
