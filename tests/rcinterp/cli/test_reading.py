"""interpret and compare-models take what Python takes: several layers and outputs, names, further inputs, methods."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp import interpret
from rcinterp.reading.model import one_thread

pytestmark = pytest.mark.filterwarnings("default")  # as for users: a warning is a line, and no error
CLASSES = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
COMMON = [*CLASSES, "--motifs", "known.meme"]


def own_model(name):
    names = {}
    exec(Path("mine.py").read_text(), names)
    return names[name]()


def contributions(folder):
    return pd.read_csv(Path(folder) / "contributions.tsv", sep="\t")["contribution"].to_numpy()


def expected(name, layer=None, target=0, **options):
    """What Python's `interpret` finds."""
    with one_thread():
        data = Path("data/valid.pos.fa.gz"), Path("data/valid.neg.fa.gz")
        found = interpret(own_model(name), [data[0]], [data[1]], "known.meme", layer, target, **options)
    return found.contributions["contribution"].to_numpy()


def test_several_layers_and_outputs_have_a_folder_each_and_a_page_of_all(work, run, run_for_json):
    asked = ["mine.py:Net", *COMMON, "--layer", "b", "--layer", "a", "--target", "SPI1", "--target", 0]
    found = run_for_json("interpret", *asked, "--no-faithfulness", "--out", "out")
    folders = {"b_output_SPI1": ("b", 1), "b_output_0": ("b", 0), "a_output_SPI1": ("a", 1), "a_output_0": ("a", 0)}
    assert [(one["layer"], one["target"]) for one in found["readings"]] == list(folders.values())
    assert {path.name for path in Path("out").iterdir() if path.is_dir()} == set(folders)
    page = Path("out/report.html").read_text()
    for name, (layer, target) in folders.items():
        np.testing.assert_allclose(
            contributions(f"out/{name}"), expected("Net", layer, target, measure_faithfulness=False), rtol=1e-5
        )
        assert f"{layer}, output {'SPI1' if target else '0'}" in page


def test_several_layers_alone_are_called_by_their_names(work, run):
    run("interpret", "mine.py:Net", *COMMON, "--layer", "a", "--layer", "b", "--no-faithfulness", "--out", "out")
    assert {path.name for path in Path("out").iterdir()} == {"a", "b", "report.html", "run.toml"}


@pytest.mark.parametrize("command", ["interpret", "compare-models"])
def test_an_output_is_named_by_a_file(work, run, command):
    Path("names.txt").write_text("left\nright\n\n")
    models = ["mine.py:Net"] if command == "interpret" else ["mine.py:Net", "mine.py:Other"]
    with Path("mine.py").open("a") as file:
        file.write("\nclass Other(Net):\n    pass\n")
    for target in ("right", "1"):
        run(command, *models, *COMMON, "--targets", "names.txt", "--target", target, "--out", target)
    table = "contributions.tsv" if command == "interpret" else "members.tsv"
    assert Path("right", table).read_bytes() == Path("1", table).read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--target", "SPI2"],
            r"--target: got 'SPI2', expected a number .* the model's task_names, such as SPI1, CTCF",
        ),
        (["--target", "x", "--targets", "twice.txt"], r"--target: 'x' stands 2 times in twice\.txt; give its number"),
        (["--target", "y", "--targets", "none.txt"], r"none\.txt: no such file, expected the names of the outputs"),
        (["--target", "9"], r"target: got 9, expected 0 to 1"),
        (["--target", "1", "--target", "SPI1"], r"--target: got 1 twice, expected each once"),
        (["--layer", "a", "--layer", "a"], r"--layer: got a twice, expected each once\. Leave one out"),
        (["--layer", "c"], r"layer: got 'c', expected the name of a convolution: 'a'"),
        (["--device", "abacus"], r"device: got 'abacus', which cannot be used here"),
        (["--args", "zeros:4x5"], r"--args: got 'zeros:4x5', expected zeros: and the shape of one row"),
        (["--args", "none.npy"], r"--args: none\.npy: no such file, expected \.npy or \.npz"),
        (["--args", "mine.py"], r"--args: mine\.py: cannot be read, expected arrays of numbers"),
        (["--args", "words.npy"], r"--args: words\.npy: holds no arrays of numbers, expected one row a sequence"),
        (["--args", "long.npy"], r"--args: long\.npy: arr_0 is of the type \w+, which torch does not have"),
        (["--args", "nan.npz"], r"--args: nan\.npz: b has values that are NaN, expected numbers; fill them"),
        (
            ["--args", "inf.npy"],
            r"--args: inf\.npy: arr_0 has values that are infinite, expected finite numbers; limit",
        ),
        (["--target", "\u0661"], r"--target: got '\u0661', expected a number from 0 or a name of"),
        (["--targets", "blank.txt"], r"blank\.txt: line 2 is blank, expected a name a line: .*\. Fill or remove it\."),
        (["--targets", "three.txt"], r"--targets: three\.txt has 3 names, expected 2, one for each output of the mode"),
        (["--output", "-1"], r"--output: got '-1', expected a part of what the model returns"),
        (["--args", "three.npy"], r"args: input 0 is \(3, 2\), expected a tensor of 24 rows, one a sequence"),
        (["--method", "magic"], r"Invalid value for '--method': 'magic' is not one of 'gradient_x_activation'"),
        (["--threshold", "2"], r"Invalid value for '--threshold': 2\.0 is not in the range"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(work, run, options, message):
    Path("twice.txt").write_text("x\nx\n")
    Path("blank.txt").write_text("x\n \ny\n")
    Path("three.txt").write_text("x\ny\nz\n")
    np.save("words.npy", np.array(["a", "b"]))
    np.save("long.npy", np.zeros((24, 2), np.longdouble))
    np.savez("nan.npz", a=np.zeros(1), b=np.full((24, 2), np.nan, np.float16))
    np.save("inf.npy", np.full((24, 2), -np.inf))
    np.save("three.npy", np.zeros((3, 2)))
    said = run("interpret", "mine.py:Net", *COMMON, *options, "--out", "out", status=2).stderr
    assert re.fullmatch(rf"Error: [^\n]*{message}[^\n]*\n", said)
    assert not Path("out").exists()


def test_a_name_without_names_is_told_how_to_give_them(work, run):
    said = run("interpret", "model_0", *COMMON, "--target", "CTCF", "--out", "out", status=2).stderr
    assert "expected a number from 0; for names give --targets FILE, one name a line" in said


@pytest.mark.parametrize("kind", ["npy", "npz", "zeros"])
def test_further_inputs_come_from_files_one_row_a_sequence(work, run, kind):
    rng = np.random.default_rng(0)
    control, weight = rng.random((24, 2, 7)), rng.random((1, 1)).astype(np.float32)
    if kind == "zeros":
        control = np.zeros((1, 2, 7))
    np.save("control.npy", control)
    np.save("weight.npy", weight)
    np.savez("both.npz", control, weight)
    given = {
        "npy": ["--args", "control.npy", "--args", "weight.npy"],
        "npz": ["--args", "both.npz"],
        "zeros": ["--args", "zeros:2,7", "--args", "weight.npy"],
    }[kind]
    run("interpret", "mine.py:Controlled", *COMMON, *given, "--no-faithfulness", "--out", "out")
    args = torch.tensor(control), torch.tensor(weight)
    right = expected("Controlled", args=args, measure_faithfulness=False)
    np.testing.assert_allclose(contributions("out"), right, rtol=1e-5)
    run("evaluate", "mine.py:Controlled", *CLASSES, *given)


def test_evaluate_gives_each_class_its_own_rows(work, run_for_json):
    rows = np.concatenate([np.full((12, 1, 1), 1000.0), np.full((12, 1, 1), -1000.0)])
    np.save("control.npy", rows)
    np.save("weight.npy", np.ones((1, 1), np.float32))
    found = run_for_json("evaluate", "mine.py:Controlled", *CLASSES, "--args", "control.npy", "--args", "weight.npy")
    assert found["auroc"]["value"] == 1


def test_evaluate_says_which_of_several_outputs_is_below_chance(work, run):
    np.save("control.npy", np.concatenate([np.full((12, 1, 1), -1000.0), np.full((12, 1, 1), 1000.0)]))
    np.save("weight.npy", np.array([[1, -1]], np.float32))
    asked = ["evaluate", "mine.py:Controlled", *CLASSES, "--args", "control.npy", "--args", "weight.npy"]
    told = "Warning: auROC 0.0000 is below chance; the model has 2 outputs, of which output 0 was read; name another by"
    assert told in run(*asked).stderr
    assert "below chance" not in run(*asked, "--target", 1).stderr


def test_evaluate_says_why_an_interval_is_missing(work, run):
    np.save("control.npy", np.concatenate([np.full((12, 1, 1), 1000.0), np.full((12, 1, 1), -1000.0)]))
    np.save("weight.npy", np.ones((1, 1), np.float32))
    found = run("evaluate", "mine.py:Controlled", *CLASSES, "--args", "control.npy", "--args", "weight.npy")
    told = "Warning: auroc, auprc, brier, mean_probability: no 95 % interval (low and high are empty), as hardly any"
    assert found.stderr.count(told) == found.stderr.count("no 95 % interval") == 1
    assert "no 95 % interval" not in run("evaluate", "mine.py:Net", *CLASSES).stderr


def test_missing_intervals_are_told_on_standard_error(work, run):
    lines = gzip.decompress(Path(CLASSES[1]).read_bytes()).decode().splitlines()[: 2 * 5]
    Path("few.fa").write_text("\n".join(lines) + "\n")
    few = ["--positives", "few.fa", "--negatives", CLASSES[3], "--motifs", "known.meme"]
    said = run("interpret", "mine.py:Net", *few, "--no-faithfulness", "--out", "few").stderr
    told = (
        "Warning: interpret: the contributions of 5 filters have no 95 % interval: a class has fewer than 10 sequences"
    )
    assert said.count(told) == said.count("no 95 % interval") == 1


def test_what_python_takes_arrives(work, run, monkeypatch):
    given = {}
    real = interpret

    def note(*arguments, **options):
        given.update(options, arguments=arguments[3:])
        return real(*arguments, **options)

    monkeypatch.setattr("rcinterp.interpretation.interpret", note)
    how = ["--method", "ablation", "--baseline", "mean", "--motifs-from", "weights", "--distance", "pearson"]
    how += ["--threshold", 0.25, "--seed", 5, "--batch-size", 7, "--device", "cpu"]
    run("interpret", "mine.py:Net", *COMMON, *how, "--layer", "a", "--target", 1, "--out", "out")
    assert given.pop("func") is None
    assert given == {
        "arguments": ("known.meme", "a", 1),
        "method": "ablation",
        "baseline": "mean",
        "motifs_from": "weights",
        "distance": "pearson",
        "threshold": 0.25,
        "flank": 0,
        "seed": 5,
        "batch_size": 7,
        "device": "cpu",
        "args": None,
        "verbose": False,
        "scheduler": None,
        "measure_faithfulness": True,
    }


def test_compare_models_takes_what_interpret_takes():
    from rcinterp.cli.interpret import interpret as reading
    from rcinterp.cli.stability import compare_models

    alone = {"layers", "targets", "faithfulness", "genome", "model"}  # of one model's report
    names = {parameter.name for parameter in reading.params} - alone
    assert names <= {parameter.name for parameter in compare_models.params}


def test_sites_are_linked_to_a_genome(work, run):
    for name in ("pos", "neg"):
        path = Path(f"data/valid.{name}.fa.gz")
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        named = [f">chr1:{100 * i}-{100 * i + 100}" if line[0] == ">" else line for i, line in enumerate(lines)]
        path.write_bytes(gzip.compress("\n".join(named).encode()))
    run("interpret", "mine.py:Net", *COMMON, "--genome", "hg38", "--no-faithfulness", "--out", "out")
    assert "db=hg38" in Path("out/report.html").read_text()


def test_forgotten_weights_are_warned_of_once(work, run):
    asked = ["strands", "mine.py:Net", "--sequences", "data/valid.pos.fa.gz"]
    said = run(*asked, "--out", "out", "--quiet").stderr
    assert said == (
        "Warning: mine.py:Net: read with the weights that the file itself makes, perhaps random ones; trained ones are "
        "given by --weights FILE.\n"
    )
    assert "Warning" not in run(*asked, "--weights", "weights.pt", "--out", "out").stderr
    assert "Warning" not in run("strands", "model_0", *asked[2:], "--out", "out").stderr
    two = ["mine.py:Net", "mine.py:Controlled", *COMMON, "--args", "zeros:1,1", "--args", "zeros:1"]
    assert "cannot be run" in run("compare-models", *two, "--out", "patterns", status=2).stderr
    layers = ["--layer", "a", "--layer", "b"]
    said = run("interpret", "mine.py:Net", *COMMON, *layers, "--no-faithfulness", "--out", "report").stderr
    assert said.count("perhaps random ones") == 1


def test_a_single_model_is_no_comparison(work, run):
    said = run("compare-models", "model_0", *COMMON, "--out", "out", status=2).stderr
    assert said == (
        "Error: compare-models: got one model, expected two or more. For a single one: rcinterp interpret MODEL ...\n"
    )


def test_models_of_one_function_are_told_apart_by_their_weights(work, run, run_for_json):
    model = own_model("Net")
    for seed in range(2):
        torch.manual_seed(seed)
        torch.nn.init.normal_(model.a.weight)
        torch.save(model.state_dict(), f"weights_{seed}.pt")
    weights = ["--weights", "weights_0.pt", "--weights", "weights_1.pt"]
    found = run_for_json("compare-models", "mine.py:Net", *COMMON, *weights, "--out", "out")
    assert [row["model"] for row in found["models"]] == ["weights_0.pt", "weights_1.pt"]
    mixed = ["model_0", "mine.py:Net", "model_1", "mine.py:Net"]
    found = run_for_json("compare-models", *mixed, *COMMON, *weights, "--out", "mixed")
    assert [row["model"] for row in found["models"]] == ["model_0", "weights_0.pt", "model_1", "weights_1.pt"]
    said = run("compare-models", *mixed, *COMMON, *weights[:2], "--out", "out", status=2).stderr
    assert "got 1 --weights for 2 models FILE.py:NAME, expected one for each, in their order" in said


def test_two_outputs_whose_folders_would_be_one_are_refused(work, run):
    """... before anything is read: the second would take the place of the first."""
    (work / "names.txt").write_text("a b\na/b\n")
    asked = ["--targets", "names.txt", "--target", "a b", "--target", "a/b", "--out", "out"]
    said = run("interpret", "mine.py:Net", *COMMON, *asked, status=2).stderr
    assert "the folder of a result: got output_a_b twice, expected each once. Leave one out.\n" in said
    assert not (work / "out").exists()


def test_the_files_of_a_training_are_known_again(work, run):
    train = ["--positives", "data/train.pos.fa.gz", "--negatives", "data/train.neg.fa.gz"]
    told = "these sequences are the very ones that the model was trained on"
    assert run("evaluate", "model_0", *train).stderr.count(told) == 1
    assert told not in run("evaluate", "model_0", *CLASSES).stderr
    models = ["model_0", "model_1", *train, "--motifs", "known.meme"]
    assert run("compare-models", *models, "--out", "patterns").stderr.count(told) == 1
    assert "All models: These sequences are the very ones" in Path("patterns/report.html").read_text()
    run("train", *train, "--filters", 2, "--width", 19, "--pool", 20, "--epochs", 1, "--recipe", "quiet", "--out", "m")
    assert run("evaluate", "m", *train).stderr.count(told) == 1  # of which a fifth was held out


def test_overlapping_windows_of_a_split_at_random_are_told(work, run):
    """Half of the names tell no place, as those of shuffled sequences do not."""
    rng = np.random.default_rng(0)
    dna = "".join(rng.choice(list("ACGT"), 2000))
    Path("pos.fa").write_text("".join(f">chr1:{i}-{i + 60}\n{dna[i : i + 60]}\n" for i in range(0, 1800, 10)))
    letters = ["".join(rng.choice(list("ACGT"), 60)) for _ in range(180)]
    Path("neg.fa").write_text("".join(f">shuffled_{i}\n{one}\n" for i, one in enumerate(letters)))
    sizes = ["--filters", 2, "--width", 9, "--pool", 20, "--stride", 20, "--epochs", 1, "--recipe", "quiet"]
    said = run("train", "--positives", "pos.fa", "--negatives", "neg.fa", *sizes, "--out", "m").stderr
    assert "drawn at random" in said
    assert said.count("Warning: fit: 36 validation sequences overlap a training sequence by half or more") == 1
