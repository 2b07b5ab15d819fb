"""What all studies share: the list, the errors before anything is done, the tables, the files."""

import importlib
import itertools
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib.figure import Figure

from rcinterp.errors import InputError
from rcinterp.studies import STUDIES, find_study
from rcinterp.studies._study import Findings, Options, Study, name_of, run_study, tabulate
from rclayers import SymmetryError

#: Of each study: how many folders of data it is given here, its tables, and its number of runs.
SMALL = {
    "fig2": (0, {"results", "curves", "claims"}, 3),
    "fig3": (0, {"results", "summary", "claims"}, 3),
    "fig4": (1, {"results", "summary"}, 4),
    "fig5": (1, {"results", "top_filters", "claims"}, 2),
    "fig6": (1, {"results", "summary", "claims"}, 6),
    "fig7": (2, {"results", "summary", "claims"}, 6),
    "strategies": (0, {"results", "summary", "claims"}, 14),
    "heads": (0, {"results", "summary", "claims"}, 4),
    "recovery": (0, {"results", "summary", "filters", "claims"}, 8),
    "triage": (0, {"results", "classes", "filters"}, 4),
    "contributions": (0, {"results", "rankings", "naming", "names"}, 4),
    "ablation": (0, {"results", "summary"}, 42),
}
PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "definitions.md").read_text(encoding="utf-8")
#: Columns that the page defines.
DEFINED = {
    column
    for row in PAGE.splitlines()
    if row.startswith("| `") and row.count(" | ") == 1
    for column in re.findall("`([^`]+)`", row.split(" | ")[0])
}


# The list.


def test_every_study_is_found_under_its_name():
    assert set(SMALL) == set(STUDIES)
    for name, question in STUDIES.items():
        study = find_study(name)
        assert study.name == name
        assert study is importlib.import_module(f"rcinterp.studies.{name}").STUDY
        assert question.rstrip(")").endswith(("?", ".")), question


def test_a_former_name_still_finds_the_study():
    assert find_study("scores") is find_study("contributions")


def test_an_unknown_study():
    with pytest.raises(
        InputError,
        match=r"^study: got 'fig8', expected one of fig2, fig3, .*, recovery, triage, contributions, ablation\.$",
    ):
        find_study("fig8")


# What is refused.


@pytest.fixture
def start(tmp_path, tfs):
    """Give ``start(name, **options)``: what is refused, before anything is written."""

    def start(name, n_folders=0, **options):
        options = {"data": tfs[:n_folders], **options}
        with pytest.raises(InputError) as error:
            run_study(find_study(name), tmp_path / "out", Options(**options), progress=False)
        assert not (tmp_path / "out").exists()
        return str(error.value)

    return start


@pytest.mark.parametrize("name", ["fig4", "fig5", "fig6", "fig7"])
def test_studies_of_real_data_ask_for_it(start, name):
    message = start(name)
    assert message.startswith(f"study {name}: got 0 folders of data, expected {'some' if name == 'fig7' else 'one'}: ")
    assert "--data DIR, with one file each of train*.pos.fa*, train*.neg.fa*, valid*.pos.fa* and " in message


@pytest.mark.parametrize("name", ["fig4", "fig5", "fig6"])
def test_studies_of_one_data_set_take_no_two(start, name):
    assert start(name, 2).startswith(f"study {name}: got 2 folders of data, expected one: --data DIR")


@pytest.mark.parametrize("name", ["fig2", "fig3", "strategies", "heads", "recovery"])
def test_studies_that_simulate_take_no_data(start, tfs, name):
    assert start(name, 1) == f"study {name}: got data, {tfs[0]}, but it simulates its own; leave --data out."


@pytest.mark.parametrize("name", ["fig7", "ablation"])
def test_data_sets_of_the_same_name_would_be_one_in_the_tables(start, tfs, tmp_path, name):
    (tmp_path / "TF1").mkdir()
    message = start(name, data=(tfs[1], tfs[0], tmp_path / "TF1"))
    assert message.startswith(f"study {name}: got folders of data called TF1, TF0, TF1, expected different names")
    assert message.endswith("rename one.")
    assert "called TF0, TF0" in start(name, data=(tfs[0], tfs[0]))


@pytest.mark.parametrize("name", ["fig2", "fig3", "recovery"])
def test_lengths_where_they_are_given(start, name):
    assert start(name, lengths=(300,)) == (
        f"study {name}: got lengths (300,), but its lengths are given; leave --length out."
    )


def test_lengths_of_real_data(start):
    assert "its lengths are given" in start("ablation", 1, lengths=(300,))
    assert "its lengths are given" in start("fig5", 1, lengths=(300,))


@pytest.mark.parametrize("name", ["strategies", "heads", "ablation"])
def test_the_same_length_twice_would_count_every_seed_twice(start, name):
    assert start(name, lengths=(200, 300, 200)) == f"study {name}: got lengths (200, 300, 200), expected each once."


@pytest.mark.parametrize(("name", "n_folders"), [(name, n) for name, (n, *_) in SMALL.items()])
def test_an_unknown_recipe(start, name, n_folders):
    assert start(name, n_folders, recipe="loud").startswith(
        "recipe: got 'loud', expected one of paper, quiet, seeded, or"
    )


def test_the_ablation_takes_no_recipe(start):
    assert start("ablation", recipe="quiet") == (
        "study ablation: got recipe quiet, but it compares recipes; leave --recipe out."
    )


def test_numbers_of_seeds_and_epochs():
    for name, number in (("seeds", 0), ("seeds", 1.5), ("seeds", True), ("epochs", 0), ("epochs", 1.5)):
        with pytest.raises(InputError, match=f"{name}: got {number}, expected a whole number of at least 1"):
            Options(**{name: number})
    assert Options() == Options(seeds=10, data=(), epochs=None, recipe="paper", lengths=(), small=False)


# Tables.


def test_tabulate_keeps_the_numbers_of_a_result():
    data = SimpleNamespace(label="somewhere")
    runs = [SimpleNamespace(label=f"m{i}", data=data, recipe="paper", seed=5 + i) for i in range(2)]
    results = [{"a": 1.5, "name": None, "many": [1, 2], "more": {"b": 3}}, {"a": 2.5, "name": "x", "many": []}]
    expected = {"model": ["m0", "m1"], "data": ["somewhere"] * 2, "recipe": ["paper"] * 2, "seed": [5, 6]}
    expected |= {"a": [1.5, 2.5], "name": [None, "x"]}
    pd.testing.assert_frame_equal(tabulate(runs, results), pd.DataFrame(expected))
    with pytest.raises(ValueError, match="shorter"):
        tabulate(runs, results[:1])


# Whole studies.


def test_folders_of_recipes_stand_apart(tmp_path):
    def report(runs, results):
        assert (list(runs), list(results)) == ([], [])
        return Findings({"results": pd.DataFrame({"a": [1]})}, "yes", Figure())

    study = Study("nothing", lambda options: [], report)
    found = run_study(study, str(tmp_path))
    assert found.folder == tmp_path / "nothing"
    assert run_study(study, tmp_path, Options(recipe="quiet")).folder == tmp_path / "nothing-quiet"
    assert {path.name for path in tmp_path.iterdir()} == {"nothing", "nothing-quiet"}
    assert {path.name for path in found.folder.iterdir()} == {
        "results.tsv",
        "verdict.txt",
        "nothing.png",
        "nothing.svg",
    }


def test_a_place_that_cannot_be_written_is_found_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.studies._study.run_all", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "fig3").write_text("")
    with pytest.raises(FileExistsError):
        run_study(find_study("fig3"), tmp_path)


def test_what_is_given_is_handed_on(tmp_path, monkeypatch):
    given = {}

    def run_all(runs, folder, **options):
        given.update(options, runs=runs, folder=folder)
        raise InputError("that is all")

    monkeypatch.setattr("rcinterp.studies._study.run_all", run_all)
    study = find_study("recovery")
    with pytest.raises(InputError, match="that is all"):
        run_study(study, tmp_path, Options(seeds=1), jobs=3, scheduler="tcp://here:1", progress=False)
    assert given.pop("runs") == study.make_runs(Options(seeds=1))
    assert given == {
        "folder": tmp_path / "runs",
        "reading": study.reading,
        "jobs": 3,
        "scheduler": "tcp://here:1",
        "progress": False,
    }


def is_defined(column, defined):
    """Whether docs/explanation/definitions.md defines a column, or the one that it is made of."""
    for end in ("_mean", "_min", "_max"):
        column = column.removesuffix(end) if column.removesuffix(end) in defined else column
    return column.removeprefix("post_hoc_") in defined


def files_below(folder):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_from_end_to_end(fast, few_filters, tfs, tmp_path, monkeypatch, name):
    n_folders, tables, n_runs = SMALL[name]
    lengths = (120,) if name == "ablation" else ()
    options = Options(seeds=1, epochs=1, small=True, data=tfs[:n_folders], lengths=lengths)
    study = find_study(name)
    out, again = tmp_path / "out", tmp_path / "again"
    found = run_study(study, out, options, progress=False)

    place = out / name_of(study, options)
    assert found.folder == place
    assert set(found.tables) == tables
    expected = {f"{table}.tsv" for table in tables} | {"verdict.txt", f"{name}.png", f"{name}.svg"}
    assert {path.name for path in place.iterdir()} == expected
    assert {path.name for path in out.iterdir()} == {place.name, "runs"}
    assert len(list((out / "runs").iterdir())) == n_runs
    for table, content in found.tables.items():
        written = pd.read_csv(place / f"{table}.tsv", sep="\t")
        assert written.columns.tolist() == content.columns.tolist()
        assert len(written) == len(content) > 0
        assert [column for column in content if not is_defined(column, DEFINED)] == []
    assert (place / "verdict.txt").read_text() == found.verdict + "\n"
    assert (place / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(place / f"{name}.svg").getroot().tag.endswith("svg")

    kept = {path: path.stat().st_mtime_ns for path in files_below(out / "runs").values()}
    with monkeypatch.context() as patch:
        patch.setattr("rcinterp.studies._runner._complete", lambda *_: pytest.fail("done again"))
        patch.setattr("rcinterp.studies._study._write", lambda *_: None)  # what is written is compared below
        second = run_study(study, out, options, progress=False)
    assert second.verdict == found.verdict
    assert {path: path.stat().st_mtime_ns for path in files_below(out / "runs").values()} == kept

    run_study(study, again, options, progress=False)
    here, there = files_below(out), files_below(again)
    assert here.keys() == there.keys()
    assert [path for path in here if here[path].read_bytes() != there[path].read_bytes()] == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(seeds=3), "nothing"),
        (Options(recipe="quiet", data=(Path("some/where"), Path("there/"))), "nothing-quiet-where-there"),
        (Options(lengths=(200, 1000), noise="flipped"), "nothing-200bp-1000bp-flipped"),
        (Options(epochs=3, small=True), "nothing-3epochs-small"),
    ],
)
def test_other_options_have_another_folder(options, expected):
    assert name_of(Study("nothing", lambda _: [], lambda *_: None), options) == expected


@pytest.mark.parametrize(
    ("name", "noise", "message"),
    [("fig3", "flipped", "leave --noise out"), ("strategies", "loud", "expected one of shuffled, flipped")],
)
def test_noise_is_for_studies_that_know_it(tmp_path, name, noise, message):
    with pytest.raises(InputError, match=message):
        run_study(find_study(name), tmp_path, Options(noise=noise))


def test_a_study_finds_the_runs_of_another(fast, tmp_path, monkeypatch):
    options = Options(seeds=1, epochs=1, small=True)
    run_study(find_study("fig3"), tmp_path, options, progress=False)
    monkeypatch.setattr("rcinterp.studies._runner._complete", lambda *_: pytest.fail("done again"))
    found = run_study(find_study("fig2"), tmp_path, options, progress=False)
    results = {
        name: pd.read_csv(tmp_path / f"{name}-1epochs-small" / "results.tsv", sep="\t") for name in ("fig2", "fig3")
    }
    shared = results["fig3"].columns
    pd.testing.assert_frame_equal(results["fig2"][shared], results["fig3"])
    assert len(found.tables["curves"]) == 3


@pytest.mark.parametrize(("name", "other"), list(itertools.combinations(["fig2", "fig3", "strategies", "recovery"], 2)))
def test_studies_of_the_same_sequences_share_their_runs(name, other):
    options = Options(seeds=2, noise="shuffled")
    runs, others = ({run.name for run in find_study(study).make_runs(options)} for study in (name, other))
    n_shared = {"fig2": {"fig3": 6, "strategies": 6, "recovery": 6}, "fig3": {"strategies": 6, "recovery": 6}}
    n_shared |= {"strategies": {"recovery": 8}}
    assert len(runs & others) == n_shared[name][other]


def test_an_architecture_that_does_not_fit_is_refused_before_anything_is_trained(tmp_path):
    """301 bp leave an odd number of positions over, which only the RC models mind."""
    with pytest.raises(SymmetryError, match="length=301"):
        run_study(find_study("strategies"), tmp_path / "out", Options(seeds=1, lengths=(301,)), progress=False)
    assert not (tmp_path / "out").exists()
