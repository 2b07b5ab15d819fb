"""The commands as they are typed: what they print where, what they write, and what they say of bad input."""

import errno
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from rcinterp.cli import main
from rcinterp.cli._common import keep_freed_memory
from rcinterp.cli.stability import name_models
from rcinterp.comparison import COLUMNS
from rcinterp.data.datasets import load_dataset
from rcinterp.data.sequences import one_hot, read_fasta, write_fasta
from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, write_meme
from rcinterp.reading.model import one_thread
from rcinterp.studies import STUDIES
from rcinterp.studies._study import Findings, Options
from rcinterp.training.fitting import fit
from rcinterp.training.models import Architecture
from rcinterp.training.saving import load_model

COMMANDS = [
    *("", "demo", "simulate", "train", "interpret", "compare", "compare-models", "strands", "evaluate"),
    *("rerun", "doctor", "completion"),
    *("study", "study list"),
    *(f"study {name}" for name in STUDIES),
    *("dataset", "dataset build", "dataset fetch"),
]


def run(*arguments):
    """Result of a command; what is no problem of the input is raised."""
    with one_thread():
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_well(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def assert_refused(result, message):
    """Exit status 2, nothing on standard output and one line on standard error."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.fullmatch(r"Error: [^\n]+\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr


def training_files(folder):
    return [
        *("--positives", folder / "train.pos.fa.gz", "--negatives", folder / "train.neg.fa.gz"),
        *("--valid-positives", folder / "valid.pos.fa.gz", "--valid-negatives", folder / "valid.neg.fa.gz"),
    ]


def reading_files(folder):
    return ["--positives", folder / "valid.pos.fa.gz", "--negatives", folder / "valid.neg.fa.gz"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def simulated(folder):
    out = folder / "new" / "data"
    result = run_well("simulate", "--n", 40, "--length", 100, "--seed", 5, "--out", out)
    assert (result.stdout, result.stderr) == (f"{out}\n", "")
    return out


@pytest.fixture(scope="module")
def trained(folder, simulated):
    """The folder of a model, and what its training said."""
    out = folder / "model"
    sizes = ["--filters", 3, "--width", 19, "--pool", 20, "--stride", 20, "--epochs", 3, "--seed", 7]
    return out, run_well("train", *training_files(simulated), *sizes, "--out", out)


@pytest.fixture(scope="module")
def interpreted(folder, simulated, trained):
    out = folder / "filters"
    result = run_well("interpret", trained[0], *reading_files(simulated), "--out", out)
    assert (result.stdout, result.stderr) == (f"{out / 'report.html'}\n", "")
    return out


# Help.


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    for flag in ("--help", "-h"):
        result = run_well(*command.split(), flag)
        assert result.stderr == ""
        assert result.stdout.startswith("Usage: ")
    assert main.name == "main"


def test_every_command_is_listed_and_says_what_it_does():
    sections = run_well("--help").stdout.split("\n\n")[3:-1]  # after the options, before the example
    assert all(re.match(r"[A-Z][a-z ]+:\n", section) for section in sections)
    lines = [line for section in sections for line in section.splitlines()[1:]]
    listed = {line.split()[0]: line.split()[1:] for line in lines}
    assert len(listed) == len(lines)  # each stands under one heading
    assert set(listed) == {name.split()[0] for name in COMMANDS if name}
    assert all(listed.values())


def test_version():
    assert re.fullmatch(r"\S+, version \d+\.\d+\.\d+\S*\n", run_well("--version").stdout)


@pytest.mark.parametrize("command", ["train", "study", "study fig3"])
def test_help_does_not_wait_for_torch(command):
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom rcinterp.cli import main\n"
        f"assert CliRunner().invoke(main, {[*command.split(), '--help']}).exit_code == 0\nprint('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_study_is_listed_with_its_question():
    result = run_well("study", "list")
    assert result.stderr == ""
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert lines == [[name, question] for name, question in STUDIES.items()]
    commands = run_well("study", "--help").stdout.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert {line.split()[0] for line in commands} == {"list", *STUDIES}


# The chain.


def test_simulate_writes_sequences_and_where_the_motif_is(simulated):
    assert {path.name for path in simulated.iterdir()} == {
        "train.pos.fa.gz",
        "train.neg.fa.gz",
        "valid.pos.fa.gz",
        "valid.neg.fa.gz",
        "run.toml",
        "sites.tsv",
    }
    parts = {name: read_fasta(simulated / f"{name}.fa.gz") for name in ("train.pos", "valid.pos", "train.neg")}
    assert [len(part) for part in parts.values()] == [28, 12, 28]
    assert parts["valid.pos"].index.tolist() == [f"pos_{i}" for i in range(28, 40)]
    positives = pd.concat([parts["train.pos"], parts["valid.pos"]])
    sites = pd.read_csv(simulated / "sites.tsv", sep="\t")
    assert set(sites["sequence"]) == set(positives.index)
    assert set(sites["motif"]) == {"CTCF_known1"}
    found = []
    for site in sites.to_dict("records"):
        letters = one_hot(positives[site["sequence"]][site["start"] : site["end"]])[0].numpy()
        found.append(letters if site["strand"] == "+" else letters[::-1, ::-1])
    assert len(found) > 50
    np.testing.assert_allclose(np.mean(found, axis=0), load_motifs("encode")["CTCF_known1"], atol=0.2)


def test_simulate_again_gives_the_same_bytes(simulated, tmp_path):
    run_well("simulate", "--n", 40, "--length", 100, "--seed", 5, "--out", tmp_path)
    for path in simulated.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_train_writes_a_model_and_prints_where(trained):
    out, result = trained
    assert result.stdout == f"{out}\n"
    said = r"\nbest epoch [123]: validation auROC 0\.\d{4}, auPRC 0\.\d{4}\n"
    assert re.search(said + r"a logistic regression on 6-mers: validation auROC 0\.\d{4}\n$", result.stderr)
    assert {path.name for path in out.iterdir()} == {
        "baseline.safetensors",
        "checkpoint.safetensors",
        "history.tsv",
        "model.json",
        "model.safetensors",
        "run.toml",
    }
    model = load_model(out)
    assert (model.architecture.n_filters, model.architecture.widths, model.architecture.pool) == (3, (19,), 20)
    assert model.provenance["seed"] == 7
    assert pd.read_csv(out / "history.tsv", sep="\t")["epoch"].tolist() == [1, 2, 3]


def test_train_without_validation_files(simulated, tmp_path):
    files = training_files(simulated)[:4]
    sizes = ["--filters", 2, "--epochs", 1, "--seed", 3, "--no-baseline"]
    result = run_well("train", *files, *sizes, "--out", tmp_path / "model")
    assert "validation: 12 sequences drawn at random (seed 3), as their names tell no chromosomes" in result.stderr
    assert "logistic" not in result.stderr
    assert load_model(tmp_path / "model").provenance["split"] == {"by": "random", "seed": 3, "share": 0.2}
    assert not (tmp_path / "model" / "baseline.safetensors").exists()
    rng = np.random.default_rng(0)
    for label, offset in (("pos", 0), ("neg", 500)):
        records = ["".join(rng.choice(list("ACGT"), 100)) for _ in range(120)]
        names = [f"chr{1 + i // 20}:{i * 1000 + offset}-{i * 1000 + offset + 100}" for i in range(120)]
        write_fasta(tmp_path / f"{label}.fa", records, names)
    files = ["--positives", tmp_path / "pos.fa", "--negatives", tmp_path / "neg.fa"]
    result = run_well("train", *files, *sizes, "--out", tmp_path / "of-chromosomes")
    assert re.search(r"validation: (40|80) sequences of chr\d(, chr\d)?, held out of training", result.stderr)
    one_class = [*files, *training_files(simulated)[4:6]]
    assert_refused(run("train", *one_class, "--out", tmp_path / "model"), "got validation sequences of one class")


def test_evaluate_adds_the_baseline_that_train_kept(simulated, trained):
    found = json.loads(run_well("evaluate", trained[0], *reading_files(simulated), "--json").stdout)
    data = load_dataset(simulated / "valid.pos.fa.gz", simulated / "valid.neg.fa.gz")
    measured = load_model(trained[0]).baseline.evaluate(data).iloc[0]
    for name in ("auroc", "auprc"):
        assert found[f"baseline_{name}"]["value"] == pytest.approx(measured[name])
        assert found[f"baseline_{name}"]["low"] <= measured[name] <= found[f"baseline_{name}"]["high"]


def test_the_report_repeats_the_baseline(interpreted, simulated, trained):
    page = (interpreted / "report.html").read_text(encoding="utf-8")
    assert re.search(r"A logistic regression on counts of 6-mers, .* reaches auROC 0\.\d{4}", page)


def test_train_again_goes_on_from_the_checkpoint(trained, simulated, monkeypatch):
    out, first = trained

    def fail(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr("rcinterp.training.fitting._train_epoch", fail)
    before = (out / "model.safetensors").read_bytes()
    sizes = ["--filters", 3, "--width", 19, "--pool", 20, "--stride", 20, "--epochs", 3]
    again = run_well("train", *training_files(simulated), *sizes, "--seed", 7, "--out", out)
    assert again.stdout == first.stdout
    assert again.stderr.splitlines()[-1] == first.stderr.splitlines()[-1]
    assert (out / "model.safetensors").read_bytes() == before
    other = run("train", *training_files(simulated), *sizes, "--seed", 8, "--out", out)
    assert_refused(other, r"checkpoint.safetensors: a checkpoint of another run \(seed was 7, now 8\); delete it, or")


def test_interpret_writes_the_report(interpreted, trained):
    assert {path.name for path in interpreted.iterdir()} == {
        "contributions.tsv",
        "faithfulness.tsv",
        "filters.meme",
        "filters.tsv",
        "logos.png",
        "logos.svg",
        "matches.tsv",
        "palindromes.tsv",
        "report.html",
        "run.toml",
        "sites.tsv",
        "triage.tsv",
    }
    assert len(pd.read_csv(interpreted / "filters.tsv", sep="\t")) == 3
    assert "<title>Filters of model</title>" in (interpreted / "report.html").read_text(encoding="utf-8")


def test_interpret_from_weights_with_motifs_of_one_s_own(trained, simulated, tmp_path):
    write_meme(tmp_path / "known.meme", dict(list(load_motifs("encode").items())[:60]))
    options = ["--motifs", tmp_path / "known.meme", "--motifs-from", "weights", "--out", tmp_path / "out"]
    run_well("interpret", trained[0], *reading_files(simulated), *options)
    assert pd.read_csv(tmp_path / "out/filters.tsv", sep="\t")["n_sites"].isna().all()


def test_compare_prints_a_table_or_writes_it(tmp_path):
    known = load_motifs("encode")
    write_meme(tmp_path / "queries.meme", {"q0": known["CTCF_known1"], "q1": known["SRF_known1"]})
    printed = run_well("compare", tmp_path / "queries.meme", "--max-q-value", 0.001)
    assert printed.stderr == ""
    rows = [line.split("\t") for line in printed.stdout.splitlines()]
    assert rows[0] == list(COLUMNS)
    assert rows[1][:2] == ["q0", "CTCF_known1"]
    assert all(float(row[5]) <= 0.001 for row in rows[1:])
    assert len(rows) < len(run_well("compare", tmp_path / "queries.meme").stdout.splitlines())
    out = tmp_path / "matches.tsv"
    written = run_well("compare", tmp_path / "queries.meme", "--max-q-value", 0.001, "--out", out)
    assert (written.stdout, written.stderr) == (f"{out}\n", "")
    assert out.read_text() == printed.stdout


def test_compare_says_which_matches_are_of_composition_alone(tmp_path):
    blurred = 0.5 * load_motifs("encode")["CTCF_known1"] + 0.125
    shuffled = blurred[:, np.random.default_rng(0).permutation(blurred.shape[1])]
    write_meme(tmp_path / "queries.meme", {"CTCF": blurred, "shuffled": shuffled})
    result = run_well("compare", tmp_path / "queries.meme")
    assert re.fullmatch(
        r"Warning: 1 of 2 best matches \(q <= 0\.01\) may be of composition alone; with their columns in other orders "
        r"these are as similar to some known motif: shuffled\n",
        result.stderr,
    )


def test_compare_by_another_distance_against_few_motifs_of_any_format_and_by_group(tmp_path):
    known = load_motifs("encode")
    names = ["CTCF_known1", "CTCF_known2", "SRF_known1"]
    queries = as_path(
        tmp_path / "q.txt", ">q0\n" + "".join(f"{' '.join(map(str, row))}\n" for row in known[names[0]].T)
    )
    rows = [zip("ACGT", (known[name] * 100).round(), strict=True) for name in names]
    jaspar = [
        f">{n}\n" + "".join(f"{x} [{' '.join(map(str, c))}]\n" for x, c in r) for n, r in zip(names, rows, strict=True)
    ]
    few = as_path(tmp_path / "few.jaspar", "".join(jaspar))
    asked = ["compare", queries, "--motifs", few, "--background", "encode", "--max-q-value", 0.001]
    plain = run_well(*asked)
    assert plain.stderr == ""
    assert [line.split("\t")[1] for line in plain.stdout.splitlines()[1:]] == names[:2]
    pearson = run_well(*asked, "--distance", "pearson")
    assert [line.split("\t")[:2] for line in pearson.stdout.splitlines()[1:]] == [["q0", name] for name in names[:2]]
    assert pearson.stdout != plain.stdout
    for group_by, group in (("family", "CTCF"), ("similarity", "CTCF_known1")):
        lines = run_well(*asked, "--group-by", group_by).stdout.splitlines()
        assert lines[0].split("\t") == [*COLUMNS, "Target_group", "Group_matches"]
        assert [line.split("\t")[1:2] + line.split("\t")[-2:] for line in lines[1:]] == [["CTCF_known1", group, "2"]]


def test_compare_takes_what_interpret_wrote(interpreted, tmp_path):
    run_well("compare", interpreted / "filters.meme", "--out", tmp_path / "matches.tsv")


def test_compare_models_writes_what_returns(trained, simulated, tmp_path):
    shutil.copytree(trained[0], tmp_path / "model")
    models, out = [trained[0], tmp_path / "model"], tmp_path / "new" / "out"
    result = run_well("compare-models", *models, *reading_files(simulated), "--out", out)
    assert result.stdout == f"{out / 'report.html'}\n"
    assert re.match(r"2 models show \d+ patterns?, \d+ of them in every model\. ", result.stderr)
    rows = pd.read_csv(out / "models.tsv", sep="\t")
    assert rows["model"].tolist() == [str(model) for model in models]  # their names are the same
    assert rows["seen_again"].tolist() == [1, 1]
    short = name_models(("a/m", "a/n", "x/own.py:make"))
    assert short == {"m": "a/m", "n": "a/n", "make": "x/own.py:make"}
    same = run("compare-models", trained[0], trained[0], *reading_files(simulated), "--out", out)
    assert_refused(same, "got one model twice, expected different ones. Name each of them once")


@pytest.mark.filterwarnings("default")
def test_a_warning_is_one_line_on_standard_error(tmp_path):
    known = load_motifs("encode")
    few = {name: known[name] for name in ("CTCF_known1", "SRF_known1", "MYC_known1")}
    write_meme(tmp_path / "few.meme", few)
    result = run_well("compare", tmp_path / "few.meme", "--motifs", tmp_path / "few.meme")
    assert re.fullmatch(r"Warning: got 3 targets, expected at least 50: [^\n]*\n", result.stderr)
    assert result.stdout.startswith("Query_ID\t")


@pytest.mark.filterwarnings("default")
def test_sequences_in_both_sets_are_a_warning(simulated, tmp_path, monkeypatch):
    def fit(*_, **__):
        raise InputError("that is all")

    monkeypatch.setattr("rcinterp.training.fitting.fit", fit)
    shared = read_fasta(simulated / "train.pos.fa.gz")
    negatives = pd.concat([read_fasta(simulated / "train.neg.fa.gz"), shared[:3]])
    write_fasta(tmp_path / "neg.fa", negatives)
    files = training_files(simulated)
    files[3] = tmp_path / "neg.fa"
    result = run("train", *files, "--out", tmp_path / "model")
    assert result.stderr.splitlines() == [
        "Warning: load_dataset: 3 sequences stand both in the positives and in the negatives, as they are or as their "
        "reverse complement; remove them from one, or no model of both strands can label them.",
        "Error: that is all",
    ]


@pytest.mark.parametrize("name", STUDIES)
def test_study_hands_on_what_it_was_given(monkeypatch, tmp_path, name):
    """The studies themselves: studies/test_study.py."""
    given = {}

    def run_study(study, folder, options, **how):
        given.update(how, name=study.name, folder=folder, options=options)
        return Findings({}, "It holds.", None, folder / "there")

    monkeypatch.setattr("rcinterp.studies._study.run_study", run_study)
    monkeypatch.setattr("rcinterp.comparison.is_engine_compiled", lambda: True)
    data = ["--data", tmp_path, "--data", tmp_path / "other", "--length", 300, "--length", 500]
    data += ["--noise", "shuffled"]
    how = ["--seeds", 3, "--epochs", 4, "--recipe", "quiet", "--small", "--jobs", 2, "--scheduler", "tcp://here:1"]
    result = run_well("study", name, *data, *how, "--out", tmp_path / "o")
    assert (result.stdout, result.stderr) == (f"{tmp_path / 'o' / 'there'}\n", "It holds.\n")
    folders = (tmp_path, tmp_path / "other")
    assert given.pop("options") == Options(3, folders, 4, "quiet", (300, 500), noise="shuffled", small=True)
    assert given == {"name": name, "folder": tmp_path / "o", "jobs": 2, "scheduler": "tcp://here:1"}
    run_well("study", name)
    assert given["options"] == Options()
    assert (str(given["folder"]), given["jobs"], given["scheduler"]) == ("results", 1, None)


def test_demo_hands_on_what_it_was_given(monkeypatch, tmp_path):
    """The demo itself: test_demo.py."""
    given = {}

    def run_demo(folder, *, seed, settings, say):
        given["demo"] = (folder, seed, settings.epochs)
        say("simulating")
        return folder / "report.html"

    monkeypatch.setattr("rcinterp.demo.run_demo", run_demo)
    result = run_well("demo", "--out", tmp_path / "d", "--seed", 5, "--epochs", 6)
    assert given["demo"] == (tmp_path / "d", 5, 6)
    assert (result.stdout, result.stderr) == (f"{tmp_path / 'd' / 'report.html'}\n", "simulating\n")


def test_a_study_in_its_small_setting(simulated, tmp_path, monkeypatch, on_a_terminal):
    """... is what a user types first; 100 samples an epoch are enough here."""
    monkeypatch.setattr("rcinterp.studies._runs.fit", partial(fit, samples_per_epoch=100))
    how = ["--data", simulated, "--seeds", 1, "--epochs", 1, "--small", "--jobs", 1, "--out", tmp_path / "new" / "out"]
    result = run_well("study", "fig4", *how)
    folder = tmp_path / "new" / "out" / "fig4-data-1epochs-small"
    assert result.stdout == f"{folder}\n"
    assert "4/4" in result.stderr  # the bar
    verdict = (folder / "verdict.txt").read_text()
    assert verdict.endswith("predictions of the RC models from both strands are identical\n")
    assert result.stderr.endswith(verdict)
    results = pd.read_csv(folder / "results.tsv", sep="\t")
    assert (set(results["data"]), set(results["n_epochs"]), len(results)) == ({"data"}, {1}, 4)


def test_train_hands_on_what_it_was_given(simulated, monkeypatch, tmp_path):
    given = {}

    def fit(model, train, valid, **options):
        given.update(options, model=model, train=train, valid=valid)
        raise InputError("that is all")

    monkeypatch.setattr("rcinterp.training.fitting.fit", fit)
    sizes = ["--layers", 2, "--filters", 3, "--width", 8, "--width", 5, "--pool", 11, "--stride", 6, "--traditional"]
    how = ["--augment", "--epochs", 7, "--patience", 2, "--batch-size", 13, "--seed", 17]
    how += ["--precision", "bf16-mixed"]
    assert_refused(run("train", *training_files(simulated), *sizes, *how, "--out", tmp_path), "that is all")
    assert given.pop("model").architecture == Architecture(2, 3, 100, False, 1, (8, 5), 11, 6, "dense")
    assert (len(given.pop("train")), len(given.pop("valid"))) == (56, 24)
    assert given == {
        "seed": 17,
        "recipe": "seeded",
        "epochs": 7,
        "patience": 2,
        "batch_size": 13,
        "augment": True,
        "precision": "bf16-mixed",
        "checkpoint": tmp_path / "checkpoint.safetensors",
        "baseline": True,
    }


def test_train_leaves_epochs_and_patience_to_the_recipe(simulated, monkeypatch, tmp_path):
    given = {}

    def fit(*_, **options):
        given.update(options)
        raise InputError("that is all")

    monkeypatch.setattr("rcinterp.training.fitting.fit", fit)
    sizes = ["--width", 19, "--pool", 20, "--recipe", "paper", "--out", tmp_path]
    assert_refused(run("train", *training_files(simulated), *sizes), "that is all")
    assert (given["recipe"], given["epochs"], given["patience"]) == ("paper", None, "recipe")


def test_a_compiler_that_must_run_first_is_announced(monkeypatch, tmp_path):
    write_meme(tmp_path / "q.meme", {"q0": load_motifs("encode")["CTCF_known1"]})
    monkeypatch.setattr("rcinterp.comparison.is_engine_compiled", lambda: False)
    result = run_well("compare", tmp_path / "q.meme")
    assert re.fullmatch(
        r"the motif comparison compiles itself at its first use on this machine: about a minute more\n", result.stderr
    )


# Bad input.


def as_path(path, text):
    if isinstance(text, bytes):
        path.write_bytes(text)
    elif text is not None:
        path.write_text(text)
    return path


BAD_FASTA = {
    "missing": (None, r"bad.fa: no such file, expected a FASTA file; check the path"),
    "empty": ("", r"bad.fa: the file is empty; expected FASTA records"),
    "lengths": (
        f">a\n{'ACGTA' * 20}\n>b\nACG\n",
        r"record 1 \('b'\) (is 3 bp long, but|of the (posi|nega)tives \(3 bp, not 100\))",
    ),
    "all-shorter": (">a\nACGTA\n>b\nACGTC\n", r"5 bp"),
    "letters": (f">a\n{'ACGTE' * 20}\n", r"bad.fa: record 0 \('a'\) has 'E' at position 4; expected A, C, G, T, N"),
    "rna": (f">a\n{'ACGUA' * 20}\n", r"RNA must be converted to DNA first"),
    "no-fasta": ("chr1\t5\t10\n", r"bad.fa: starts with 'chr1\\t5\\t10\\n', expected '>' and a name"),
    "no-sequence": (">a\n>b\nACGT\n", r"record 0 \('a'\) has no sequence"),
    "damaged-gzip": (gzip.compress(b">a\nACGT\n" * 99, mtime=0)[:-20], r"bad.fa: is a damaged gzip file"),
    "not-text": (b"\xff\xfe\x00\x01", r"bad.fa: is not text"),
}


@pytest.mark.parametrize("option", ["--positives", "--negatives"])
@pytest.mark.parametrize("kind", BAD_FASTA)
def test_bad_sequences(simulated, trained, tmp_path, kind, option):
    text, message = BAD_FASTA[kind]
    bad = as_path(tmp_path / "bad.fa", text)
    for command, files in (
        (["train", "--filters", 1], training_files(simulated)),
        (["interpret", trained[0]], reading_files(simulated)),
    ):
        files[files.index(option) + 1] = bad
        result = run(*command, *files, "--out", tmp_path / "out")
        assert_refused(result, message)
        assert not (tmp_path / "out").exists()


def test_positives_that_are_the_negatives(simulated, trained, tmp_path):
    same = simulated / "valid.pos.fa.gz"
    files = [*training_files(simulated)[:4], "--valid-positives", same, "--valid-negatives", same]
    message = "positives and negatives hold the same sequences, expected different ones; check that the same file"
    assert_refused(run("train", *files, "--out", tmp_path / "out"), message)
    files = ["--positives", same, "--negatives", same]
    assert_refused(run("interpret", trained[0], *files, "--out", tmp_path / "out"), message)
    assert list(tmp_path.iterdir()) == []


def test_validation_sequences_of_another_length(simulated, tmp_path):
    write_fasta(tmp_path / "pos.fa", ["ACGTA", "CCGTA"])
    write_fasta(tmp_path / "neg.fa", ["ACGTC", "CCGTC"])
    files = training_files(simulated)[:4]
    files += ["--valid-positives", tmp_path / "pos.fa", "--valid-negatives", tmp_path / "neg.fa"]
    result = run("train", *files, "--out", tmp_path / "out")
    assert_refused(result, "training sequences of 100 bp .* validation sequences of 5 bp")


def test_a_folder_that_holds_no_model(simulated, trained, tmp_path):
    files = [*reading_files(simulated), "--out", tmp_path / "out"]
    assert_refused(run("interpret", simulated, *files), "no model.json here, expected a folder written by")
    assert_refused(run("interpret", tmp_path / "none", *files), "none: no model.json here")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "model.json").write_bytes((trained[0] / "model.json").read_bytes())
    assert_refused(run("interpret", damaged, *files), r"model.safetensors: does not hold the weights")
    (damaged / "model.json").write_text("{")
    assert_refused(run("interpret", damaged, *files), r"model.json: cannot be read .*; train the model again")
    (damaged / "model.json").write_text("{}")
    assert_refused(run("interpret", damaged, *files), r"not a model of rcinterp, expected")
    assert_refused(run("interpret", damaged / "model.json", *files), r"is a file, expected the folder of a model")


def test_motifs_that_are_not_there(simulated, trained, tmp_path):
    text = as_path(tmp_path / "bad.meme", "no motif\n")
    out = ["--out", tmp_path / "out"]
    assert_refused(
        run("simulate", "--motif", "CTCF", *out), "--motif: 'CTCF' is not in encode, expected a name such as"
    )
    assert_refused(
        run("simulate", "--motifs", text, *out), "bad.meme: got a file of no known format, expected MEME, JASPAR"
    )
    assert_refused(
        run("interpret", trained[0], *reading_files(simulated), "--motifs", text, *out), "bad.meme: got a file"
    )
    assert_refused(
        run("compare", tmp_path / "none.meme"), 'none.meme: no such file, expected a motif file; give "encode" or'
    )
    assert_refused(run("compare", text), "bad.meme: got a file")
    assert_refused(run("compare", tmp_path), "File '.*' is a directory")
    assert not (tmp_path / "out").exists()


def test_lengths_that_break_the_guarantee_or_do_not_fit(simulated, tmp_path):
    train = ["train", *training_files(simulated), "--out", tmp_path / "out"]
    message = r"breaks the reverse-complement guarantee. Lengths that work: 99 or 101; or change a width by one"
    assert_refused(run(*train, "--width", 15, "--pool", 41, "--stride", 20), message)
    assert_refused(run(*train, "--width", 95), "for which no pool, stride fit what is given, expected e.g. 119 bp")
    assert_refused(run(*train, "--layers", 3, "--width", 5), "got 1 widths for 3 layers, expected one a layer")
    assert not (tmp_path / "out").exists()


def test_a_motif_that_does_not_fit_in(tmp_path):
    message = "got length=60 bp, expected at least 93 bp"
    assert_refused(run("simulate", "--length", 60, "--out", tmp_path / "out"), message)
    message = "--valid-fraction: got 0.01 of 10 sequences, expected a share that leaves at least one for training and"
    assert_refused(run("simulate", "--n", 10, "--valid-fraction", 0.01, "--out", tmp_path / "out"), message)
    assert not (tmp_path / "out").exists()


def test_unknown_recipe(simulated, tmp_path):
    train = ["train", *training_files(simulated), "--out", tmp_path / "out"]
    assert_refused(run(*train, "--recipe", "modern?"), r"recipe: got 'modern\?', expected one of paper")


def test_a_study_without_data(simulated, tmp_path):
    out = ["--out", tmp_path / "out"]
    result = run("study", "fig5", "--data", tmp_path, *out)
    assert_refused(result, r"expected a folder with one file train\*.pos.fa\*, got none")
    assert_refused(run("study", "fig5", *out), r"study fig5: got 0 folders of data, expected one: --data DIR, with one")
    assert_refused(
        run("study", "fig7", *out), r"study fig7: got 0 folders of data, expected some: --data DIR, with one"
    )
    result = run("study", "fig4", "--data", simulated, "--data", tmp_path, *out)
    assert_refused(result, r"study fig4: got 2 folders of data, expected one")
    result = run("study", "fig7", "--data", simulated, "--data", tmp_path / "data", *out)
    assert_refused(result, "study fig7: got folders of data called data, data, expected different names")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["fig3", "--data", "somewhere"],
            "study fig3: got data, somewhere, but it simulates its own; leave --data out",
        ),
        (["fig3", "--length", 300], r"study fig3: got lengths \(300,\), but its lengths are given; leave --length out"),
        (["strategies", "--length", 300, "--length", 300], r"got lengths \(300, 300\), expected each once"),
        (["fig2", "--recipe", "loud"], "recipe: got 'loud', expected one of paper, quiet, seeded, or"),
        (["ablation", "--recipe", "quiet"], "got recipe quiet, but it compares recipes; leave --recipe out"),
        (["fig3", "--seeds", 0], "Invalid value for '--seeds': 0 is not in the range x>=1"),
        (["fig3", "--epochs", 0], "Invalid value for '--epochs': 0 is not in the range x>=1"),
    ],
)
def test_a_study_that_is_given_what_does_not_fit(tmp_path, arguments, message):
    assert_refused(run("study", *arguments, "--out", tmp_path / "out"), message)
    assert not (tmp_path / "out").exists()


def test_a_study_that_nobody_knows():
    result = run("study", "fig8")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such command 'fig8'" in result.stderr


@pytest.fixture
def commands(simulated, trained, tmp_path):
    """Each command that writes, without its --out."""
    write_meme(tmp_path / "q.meme", {"q0": load_motifs("encode")["CTCF_known1"]})
    return {
        "demo": ["demo", "--epochs", 1],
        "simulate": ["simulate", "--n", 10, "--length", 100],
        "train": ["train", *training_files(simulated), "--filters", 1, "--epochs", 1],
        "interpret": ["interpret", trained[0], *reading_files(simulated)],
        "compare": ["compare", tmp_path / "q.meme"],
        "study": ["study", "fig3", "--small", "--seeds", 1, "--epochs", 1],
    }


@pytest.mark.parametrize("command", ["demo", "simulate", "train", "interpret", "compare", "study"])
def test_a_place_that_cannot_be_written(commands, command, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(*commands[command], "--out", tmp_path / "file" / "out")
    assert_refused(result, r"file/out.*: Not a directory")
    if command == "compare":
        assert_refused(
            run(*commands[command], "--out", tmp_path), "Invalid value for '--out': File '.*' is a directory"
        )
        assert_refused(run(*commands[command], "--out", tmp_path / "no" / "out"), "no/out: No such file or directory")
    else:
        result = run(*commands[command], "--out", tmp_path / "file")
        assert_refused(result, "Invalid value for '--out': Directory '.*file' is a file")
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize("command", ["demo", "simulate", "train", "interpret", "study"])
def test_a_folder_without_permission(commands, command, tmp_path, monkeypatch):
    """... which root has everywhere, so that the system's answer is put on."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **rest: mode != os.W_OK and access(path, mode, **rest))
    assert_refused(
        run(*commands[command], "--out", tmp_path), "Invalid value for '--out': Directory '.*' is not writable"
    )


def test_simulate_does_not_write_among_a_built_data_set(commands, tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    assert_refused(run(*commands["simulate"], "--out", tmp_path), r"holds a data set that was built .*; name another")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".gz"] == []


def test_a_damaged_checkpoint(commands, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_text("not a checkpoint, and long enough")
    assert_refused(
        run(*commands["train"], "--out", tmp_path), r"checkpoint.safetensors: cannot be read as a checkpoint"
    )


def test_a_checkpoint_that_cannot_be_written(commands, tmp_path, monkeypatch):
    """... is found out when the first epoch is done; where nobody looks, no bar stands above the error."""
    monkeypatch.setattr("rcinterp.training.fitting._train_epoch", lambda *_: 0.5)

    def full_disk(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full_disk)
    result = run(*commands["train"], "--out", tmp_path)
    assert_refused(result, r"checkpoint\.safetensors: No space left on device\n$")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--seed", -1], "Invalid value for '--seed': -1 is not in the range 0<=x<=4294967295"),
        (["demo", "--epochs", "many"], "Invalid value for '--epochs': 'many' is not a valid integer range"),
        (["simulate", "--n", 3, "--out", "out"], "Invalid value for '--n': 3 is not in the range x>=10"),
        (["study", "fig5", "--data", ".", "--jobs", 0], "Invalid value for '--jobs': 0 is not in the range x>=1"),
        (
            ["compare", "q.meme", "--max-q-value", 2],
            "Invalid value for '--max-q-value': 2.0 is not in the range 0<x<=1",
        ),
    ],
)
def test_values_out_of_range(arguments, message):
    assert_refused(run(*arguments), re.escape(message))


@pytest.mark.parametrize("arguments", [["train"], ["interpret"], ["simulate"], ["demo", "--speed", 1], ["dance"]])
def test_what_was_not_understood_is_answered_with_the_usage(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: main")
    assert re.search(r"\n\nError: (Missing|No such)[^\n]*\n$", result.stderr)


def test_an_error_of_ours_is_not_dressed_up_as_bad_input(monkeypatch, tmp_path):
    def fail(*_, **__):
        raise ValueError("a mistake in the program")

    monkeypatch.setattr("rcinterp.demo.run_demo", fail)
    with pytest.raises(ValueError, match="a mistake in the program"):
        run("demo", "--out", tmp_path)


def test_as_a_program(tmp_path):
    """In a process of its own: the exit status, and no traceback."""
    command = [sys.executable, "-m", "rcinterp.cli", "compare", "none.meme"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"Error: none.meme: no such file, expected a motif file; give [^\n]*\n", done.stderr)


def test_a_reader_that_has_left_is_no_problem_of_the_input(tmp_path):
    write_meme(tmp_path / "q.meme", {f"q{i}": load_motifs("encode")["CTCF_known1"] for i in range(3)})
    code = (
        "import os, sys\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\n"
        "from rcinterp.cli import main\nsys.argv[1:] = ['compare', 'q.meme']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_what_a_step_frees_is_kept_unless_the_user_says_otherwise(monkeypatch):
    names = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"
    for name in names:
        monkeypatch.delenv(name, raising=False)
    asked = []
    library = SimpleNamespace(mallopt=lambda number, value: asked.append((number, value)))
    monkeypatch.setattr("rcinterp.cli._common.ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("rcinterp.cli._common.sys.platform", "linux")
    keep_freed_memory()
    assert asked == [(-1, 2**29), (-3, 2**25)]
    assert [os.environ[name] for name in names] == [str(2**29), str(2**25)]  # for processes that are started
    keep_freed_memory()
    assert len(asked) == 2
    for name in names:
        monkeypatch.delenv(name)
    monkeypatch.setattr("rcinterp.cli._common.ctypes.CDLL", lambda name: SimpleNamespace())  # another C library
    keep_freed_memory()
    monkeypatch.setattr("rcinterp.cli._common.sys.platform", "darwin")
    keep_freed_memory()
    assert len(asked) == 2


def test_the_package_is_the_program():
    ended = subprocess.run([sys.executable, "-m", "rcinterp", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("python -m rcinterp, version")
