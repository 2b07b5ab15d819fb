"""Reading a model on a real Dask scheduler with worker processes, all on the loopback interface."""

import importlib
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from rcinterp import filter_contributions, find_sites, interpret, sequence_contributions
from rcinterp.cli import main
from rcinterp.data.coded import CodedSequences
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.errors import InputError
from rcinterp.reading import cluster as cluster_module
from rcinterp.reading.cluster import outcome_of
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.model import one_thread
from rcinterp.reading.passes import READING, _in_order, _read_shard, _shard_of, _shards
from rcinterp.training.models import compact_model

distributed = pytest.importorskip("distributed", reason="needs dask.distributed (pip install rcinterp[dask])")

LENGTH, BATCH = 60, 10
MOTIFS = {"GATA": np.array([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0]], dtype=float)}


class Slow(nn.Module):
    """A model that takes its time, and reads a further input."""

    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds
        self.own = compact_model(1, 5, LENGTH, widths=(11,), pool=10, stride=10)

    def forward(self, x, control=None):
        time.sleep(self.seconds)
        return self.own(x) if control is None else self.own(x) * control


# The workers, which cannot import this file, get it whole.
Slow.__module__ = Slow.__init__.__module__ = Slow.forward.__module__ = "__main__"


@pytest.fixture(autouse=True)
def single():
    with one_thread():
        yield


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, processes):
    """Address of a scheduler with one worker process."""
    folder = tmp_path_factory.mktemp("cluster")
    with processes.scheduler_in(folder) as (_, address), processes.worker_of(address, folder):
        with distributed.Client(address, timeout=10, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield address


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Slow()


@pytest.fixture
def classes(dna):
    return dna(133, LENGTH, 1), dna(127, LENGTH, 2)


def assert_same(found, expected):
    """The same to the last bit, but for what is a sum over all batches."""
    pd.testing.assert_frame_equal(
        found.drop(columns="strand_balance", errors="ignore"),
        expected.drop(columns="strand_balance", errors="ignore"),
        check_exact=True,
    )
    if "strand_balance" in expected:
        np.testing.assert_allclose(found["strand_balance"], expected["strand_balance"], rtol=1e-12)


def test_a_worker_killed_amid_a_shard_changes_no_bit(cluster, model, classes, processes, tmp_path):
    options = {"batch_size": BATCH, "measure_faithfulness": False}
    expected = interpret(model, *classes, MOTIFS, **options)
    trainable = [parameter.requires_grad for parameter in model.parameters()]
    model.seconds = 0.05
    found, errors = [], []

    def read():
        try:
            found.append(interpret(model, *classes, MOTIFS, scheduler=cluster, **options))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    with distributed.Client(cluster, timeout=10, set_as_default=False) as client:
        others = set(client.scheduler_info()["workers"])
        with processes.worker_of(cluster, tmp_path) as victim:
            (address,) = processes.wait_until(lambda: set(client.scheduler_info()["workers"]) - others)
            client.run(exec, "import rcinterp.reading.reader")  # takes seconds, in which it cannot be looked at
            thread.start()

            def is_at_a_shard():
                keys = client.run(processes.executing, workers=[address]).get(address, ())
                return any("read_shard" in key for key in keys)

            processes.wait_until(is_at_a_shard)
            victim.send_signal(signal.SIGKILL)
            victim.wait(10)
            assert thread.is_alive()
        thread.join(180)
    assert not thread.is_alive()
    assert not errors
    assert len(expected.sites) > 0
    for name in ("table", "contributions", "sites", "matches", "palindromes"):
        assert_same(getattr(found[0], name), getattr(expected, name))
    assert found[0].performance == expected.performance
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == trainable


@pytest.mark.parametrize("method", ["gradient_x_activation", "ablation", "integrated_gradients", "deeplift"])
def test_each_method_gives_the_numbers_of_one_process(cluster, model, classes, method):
    classes = classes[0][:23], classes[1][:21]
    options = {"method": method, "batch_size": BATCH, "n_resamples": 50}
    args = (torch.linspace(0.5, 2, 44)[:, None],)
    for more in ({"args": args}, {"baseline": "mean"}):
        expected = filter_contributions(model, *classes, **options, **more)
        found = filter_contributions(model, *classes, scheduler=cluster, **options, **more)
        if "baseline" in more:  # the mean may be rounded otherwise
            pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
        else:
            assert_same(found, expected)


def test_several_layers_and_targets_in_one_pass(cluster, classes):
    torch.manual_seed(0)
    model = compact_model(3, 4, LENGTH, widths=(7, 5, 3), n_tasks=2)
    asked = {"layer": ["conv1", "conv2"], "target": [0, 1], "batch_size": BATCH, "n_resamples": 50}
    expected = filter_contributions(model, *classes, **asked)
    assert_same(filter_contributions(model, *classes, scheduler=cluster, **asked), expected)


def test_scores_and_sites_of_one_class(cluster, model, classes):
    soft = classes[0] * 0.9 + 0.025
    for x in (classes[0], soft, soft.double(), decode(classes[0])):
        expected = sequence_contributions(model, x, batch_size=BATCH)
        assert torch.equal(sequence_contributions(model, x, batch_size=BATCH, scheduler=cluster), expected)
    where = [find_sites(model, classes[0], batch_size=BATCH, scheduler=scheduler) for scheduler in (cluster, None)]
    pd.testing.assert_frame_equal(*where, check_exact=True)


def test_a_model_whose_gradients_are_hidden_has_its_best_matches_for_sites(cluster, model, classes):
    options = {"func": lambda y: y.detach(), "method": "ablation", "batch_size": BATCH}
    expected = interpret(model, *classes, MOTIFS, **options)
    found = interpret(model, *classes, MOTIFS, scheduler=cluster, **options)
    pd.testing.assert_frame_equal(found.sites, expected.sites, check_exact=True)
    assert_same(found.table, expected.table)


def test_the_command_sends_a_model_of_one_s_own_and_reads_several_files(cluster, classes, tmp_path):
    text = "from torch import nn\nfrom beside_mine import WIDTH, activation\n\nclass Mine(nn.Module):\n"
    text += "    def __init__(self):\n        super().__init__()\n"
    text += "        self.conv, self.head = nn.Conv1d(4, 3, WIDTH), nn.Linear(3, 1)\n\n"
    text += "    def forward(self, x):\n        return self.head(activation(self.conv(x)).mean(2))\n"
    (tmp_path / "mine.py").write_text(text)
    (tmp_path / "beside_mine.py").write_text("WIDTH = 9\n\ndef activation(x):\n    return x.relu()\n")
    files = {}
    for label, x in zip(("positives", "negatives"), classes, strict=True):
        strings, names = decode(x), [f"{label}_{i}" for i in range(len(x))]
        parts = {"whole": slice(None), "a": slice(50), "b": slice(50, 90), "c": slice(90, None)}
        for name, rows in parts.items():
            write_fasta(tmp_path / f"{label}.{name}.fa", strings[rows], names[rows])
        files[label] = [f"--{label}={tmp_path}/{label}.{name}.fa" for name in ("a", "b", "c")]
        files[label, "whole"] = [f"--{label}={tmp_path}/{label}.whole.fa"]
    (tmp_path / "motifs.pfm").write_text(">GATA\n0 9 0 9 9\n0 0 0 0 0\n9 0 0 0 0\n0 0 9 0 0\n")

    def tables(out, *options):
        torch.manual_seed(0)
        arguments = [f"{tmp_path / 'mine.py'}:Mine", *options, f"--motifs={tmp_path / 'motifs.pfm'}", f"--out={out}"]
        result = CliRunner().invoke(main, ["interpret", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return {path.name: path.read_bytes() for path in out.glob("*.tsv")}

    expected = tables(tmp_path / "here", *files["positives", "whole"], *files["negatives", "whole"])
    shards = [*files["positives"], *files["negatives"]]
    assert tables(tmp_path / "there", *shards, f"--scheduler={cluster}") == expected
    assert {"filters.tsv", "contributions.tsv", "sites.tsv"} <= expected.keys()


def test_no_scheduler_is_one_line(model, classes):
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(InputError, match=f"^--scheduler: no Dask scheduler answers at {address} .*expected an add"):
            filter_contributions(model, *classes, scheduler=address)


def test_a_scheduler_without_workers_is_told_of_and_a_lost_one_is_no_hang(
    model, classes, processes, tmp_path, monkeypatch
):
    monkeypatch.setattr(cluster_module, "_SECONDS_TO_CONNECT", 1)
    with processes.scheduler_in(tmp_path) as (process, address):
        timer = threading.Timer(1, process.kill)
        timer.start()
        with (
            pytest.warns(UserWarning, match=f"no worker has joined {address} yet; the shards wait for one"),
            pytest.raises(InputError, match=f"^--scheduler: {address} was lost, or has dropped the reading; start it"),
        ):
            filter_contributions(model, *classes, scheduler=address, batch_size=BATCH)
        timer.join()


def test_workers_that_die_one_after_the_other():
    class Future:
        def result(self):
            raise distributed.KilledWorker("shard", None, 3)

    with pytest.raises(InputError, match=r"4 workers died .* at the same shard, .*; give the workers more memory, or"):
        outcome_of(Future(), "tcp://127.0.0.1:1", READING)


def test_a_model_that_cannot_be_sent_is_one_line(cluster, model, classes):
    model.lock = threading.Lock()
    with pytest.raises(InputError, match=r"^--scheduler: the model \(Slow\), or func, cannot be sent to [^\n]*$"):
        filter_contributions(model, *classes, scheduler=cluster)
    assert len(filter_contributions(model, *classes, n_resamples=10)) == 5


def test_a_model_that_the_workers_cannot_import_is_one_line(cluster, model, classes, tmp_path, monkeypatch):
    (tmp_path / "unknown_to_workers.py").write_text("def choose(y):\n    return y\n")
    monkeypatch.syspath_prepend(tmp_path)
    choose = importlib.import_module("unknown_to_workers").choose
    with pytest.raises(InputError, match=r"^--scheduler: the model cannot be made on [^\n]*unknown_to_workers[^\n]*$"):
        filter_contributions(model, *classes, func=choose, scheduler=cluster)
    del sys.modules["unknown_to_workers"]


def test_an_error_of_the_model_on_a_worker_is_raised_here(cluster, model, classes):
    args = (torch.cat([torch.ones(250, 1), torch.full((10, 1), torch.inf)]),)
    with pytest.raises(InputError) as here:
        filter_contributions(model, *classes, args=args, method="deeplift")
    with pytest.raises(InputError) as there:
        filter_contributions(model, *classes, args=args, method="deeplift", scheduler=cluster)
    assert str(there.value) == str(here.value)


def test_another_version_is_refused():
    with pytest.raises(InputError, match=r"got rcinterp 0\.0\.1 here and .* expected one version"):
        _read_shard(b"", "0.0.1", False, len, None)


def test_shards_are_whole_batches_of_all_rows(dna):
    for n, batch_size, n_threads in ((1, 7, 3), (70, 7, 2), (71, 7, 2), (500, 1, 5), (30, 100, 2)):
        inputs = Inputs(dna(n, 12, 0), (torch.arange(n)[:, None].expand(n, 3),))
        shards = list(_shards(inputs, batch_size, n_threads))
        assert [row for rows in shards for row in range(n)[rows]] == list(range(n))
        assert all(rows.start % batch_size == 0 for rows in shards)
        sent = [_shard_of(inputs, rows) for rows in shards]
        assert all(isinstance(one.x, CodedSequences) for one in sent)
        assert torch.equal(torch.cat([one.x[:] for one in sent]), inputs.x)
        assert torch.equal(torch.cat([one.further[0] for one in sent]), inputs.further[0])
        assert all(one.further[0].untyped_storage().nbytes() == one.further[0].nbytes for one in sent)


def test_few_shards_are_away_at_a_time(dna):
    away, most = 0, []

    def submit(read, shard):
        nonlocal away
        away += 1
        most.append(away)

        def result():
            nonlocal away
            away -= 1
            return read(None, shard)

        return SimpleNamespace(result=result)

    workers = SimpleNamespace(submit=submit, n_threads=2, scheduler="")
    noted = []
    found = list(_in_order(workers, lambda held, shard: len(shard), Inputs(dna(200, 12, 0)), 1, noted.append))
    assert found == noted
    assert sum(found) == 200
    assert len(found) == 8
    assert max(most) == 6
