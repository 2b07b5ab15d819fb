import json
from functools import partial

import pytest
import torch

from rcinterp.errors import InputError
from rcinterp.studies._runner import Run, run_all


@pytest.fixture(scope="module")
def square():
    """Work whose result depends on the settings only; each call leaves a file behind, in whatever process it is made.

    It is a function within a function, which other processes get whole: they cannot import this file.
    """

    def square(folder_of_calls, run, folder, fails=()):
        n = run.settings["n"]
        if n in fails:
            raise InterruptedError(run.name)
        folder.mkdir(parents=True, exist_ok=True)
        folder_of_calls.mkdir(exist_ok=True)
        (folder_of_calls / f"{run.name}-{len(list(folder_of_calls.iterdir()))}").touch()
        return {"square": n**2, "third": n / 3, "none": None, "threads": torch.get_num_threads()}

    return square


@pytest.fixture
def runs():
    return [Run(f"run{n}", {"n": n, "sizes": (2, 3)}) for n in (5, 3, 7)]


@pytest.fixture
def start(runs, square, tmp_path):
    """Give ``start(**options)``: the results of all runs in tmp_path / "runs"."""

    def start(runs=runs, fails=(), **options):
        work = partial(square, tmp_path / "calls", fails=fails)
        return run_all(runs, work, tmp_path / "runs", progress=False, **options)

    return start


@pytest.fixture
def calls(tmp_path):
    """Give ``calls()``: the runs done so far, in their order."""
    return lambda: [
        path.name.partition("-")[0]
        for path in sorted((tmp_path / "calls").iterdir(), key=lambda path: int(path.name.partition("-")[2]))
    ]


def expected(*numbers):
    return [{"square": n**2, "third": n / 3, "none": None, "threads": 1} for n in numbers]


def test_results_are_in_the_order_of_the_runs_and_kept(start, calls, tmp_path):
    assert start() == expected(5, 3, 7)
    assert calls() == ["run5", "run3", "run7"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["run3", "run5", "run7"]
    kept = json.loads((tmp_path / "runs/run7/result.json").read_text())
    assert kept == {"settings": {"n": 7, "sizes": [2, 3]}, "result": expected(7)[0]}


def test_a_finished_run_is_not_repeated(start, calls):
    first = start()
    assert start() == first
    assert len(calls()) == 3


def test_new_runs_are_done_beside_finished_ones(start, runs, calls):
    start(runs[1:])
    assert start() == expected(5, 3, 7)
    assert calls() == ["run3", "run7", "run5"]


def test_an_interrupted_study_goes_on_where_it_stopped(start, calls, tmp_path):
    with pytest.raises(InterruptedError, match="run3"):
        start(fails=(3,))
    assert calls() == ["run5"]
    assert not (tmp_path / "runs/run3").exists()
    assert start() == expected(5, 3, 7)
    assert calls() == ["run5", "run3", "run7"]


def test_a_result_is_there_wholly_or_not_at_all(start, calls, tmp_path, monkeypatch):
    def stop(*_):
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr("rcinterp.studies._runner.os.replace", stop)
        with pytest.raises(InterruptedError):
            start()
    assert [path.name for path in (tmp_path / "runs/run5").iterdir()] == ["result.json.part"]
    assert start() == expected(5, 3, 7)
    assert calls() == ["run5", "run5", "run3", "run7"]
    assert not list(tmp_path.glob("runs/**/*.part"))


def test_a_result_of_other_settings_is_refused_before_anything_is_done(start, runs, calls, tmp_path):
    start(runs[:1])
    others = [Run("run3", {"n": 3}), Run("run5", {"n": 5, "sizes": (2, 4)})]
    with pytest.raises(InputError) as error:
        start(others)
    assert str(error.value) == (
        f"{tmp_path / 'runs/run5/result.json'}: a result of other settings or data than asked for; name another "
        "folder, or delete this one."
    )
    assert calls() == ["run5"]


def test_a_result_that_someone_else_has_damaged(start, tmp_path):
    start()
    (tmp_path / "runs/run3/result.json").write_text("{")
    with pytest.raises(
        InputError, match=r"run3/result.json: cannot be read \(.*\); delete it, and the run is done again"
    ):
        start()
    (tmp_path / "runs/run3/result.json").unlink()
    assert start() == expected(5, 3, 7)


def test_two_processes_give_the_same_results(start, calls, tmp_path):
    assert start(jobs=2) == expected(5, 3, 7)
    assert sorted(calls()) == ["run3", "run5", "run7"]
    assert not list(tmp_path.glob("runs/**/*.part"))


def test_the_caller_s_threads_are_left_alone(start):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert {result["threads"] for result in start()} == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_runs_no_results(start):
    assert start([]) == []


def test_a_bar_if_wanted(runs, square, tmp_path, capsys):
    work = partial(square, tmp_path / "calls")
    run_all(runs, work, tmp_path / "runs", progress=False)
    assert capsys.readouterr().err == ""
    run_all(runs, work, tmp_path / "runs")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "3/3" in captured.err


def test_there_is_at_least_one_process(start):
    with pytest.raises(InputError, match="jobs: got 0, expected at least 1"):
        start(jobs=0)
