"""Every function that is given a path says in one line what is no path."""

import numpy as np
import pytest
from torch import nn

import rcinterp
from rcinterp.data.sequences import write_fasta
from rcinterp.errors import InputError
from rcinterp.reading.checkpoints import load_weights
from rcinterp.reading.exchange import load_modisco, save_modisco


def fit_to(path):
    data = rcinterp.load_dataset(["ACGTACGTAC", "CCCCAACGTA"], ["TTTTTACGTA", "GGGGACGTAG"])
    rcinterp.fit(rcinterp.compact_model(1, 1, 10, widths=(3,), pool=4, stride=2), data, data, seed=0, checkpoint=path)


def save_model_to(path):
    rcinterp.save_model(rcinterp.compact_model(1, 1, 10, widths=(3,), pool=4, stride=2), path)


TAKING = {
    "write_fasta": lambda path: write_fasta(path, ["ACGT"]),
    "save_model": save_model_to,
    "load_model": rcinterp.load_model,
    "load_weights": lambda path: load_weights(nn.Linear(2, 2), path),
    "load_modisco": load_modisco,
    "save_modisco": lambda path: save_modisco(path, *[rcinterp.one_hot(["ACGT"])] * 2),
    "fit: checkpoint": fit_to,
    "write_report": lambda path: rcinterp.write_report(path, None),
}


@pytest.mark.parametrize("name", TAKING)
def test_what_is_no_path_is_one_line(name):
    with pytest.raises(InputError, match=rf"{name}: got a .*of type int, expected a "):
        TAKING[name](5)
    with pytest.raises(InputError, match=rf"{name}: 'a\\x00b' has the character NUL, which no file has in its name"):
        TAKING[name]("a\0b")


def test_numbers_that_modisco_cannot_use_are_refused(tmp_path):
    x = rcinterp.one_hot(["ACGT"])
    for wrong in (np.nan, 1e300):
        save_modisco(tmp_path, x, x)
        np.savez(tmp_path / "contributions.npz", x.numpy().astype(np.float64) * wrong)
        with pytest.raises(InputError, match=r"contributions\.npz is no .* \(it has values that are NaN or infinite\)"):
            load_modisco(tmp_path)


def test_names_that_are_no_list_are_refused(tmp_path):
    with pytest.raises(InputError, match="write_fasta: got names of type int, expected a list of one name each"):
        write_fasta(tmp_path / "a.fa", ["ACGT"], names=5)
