import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.errors import InputError
from rcinterp.reading.inputs import as_classes, as_inputs, rows_of_args


def test_rows_of_further_inputs():
    rows, one = torch.arange(5)[:, None], torch.full((1, 2), 9.0)
    assert rows_of_args(None, 3) == ()
    assert [tuple(value.shape) for value in rows_of_args([rows, one], 5)] == [(5, 1), (5, 2)]
    with pytest.raises(
        InputError, match=r"args: input 1 is \(2, 1\), expected a tensor of 5 rows.*or of 1 row for all"
    ):
        rows_of_args((rows, rows[:2]), 5)
    with pytest.raises(InputError, match="args: input 0 is str"):
        rows_of_args(("controls",), 5)
    with pytest.raises(InputError, match="args: got Tensor, expected a tuple of tensors"):
        rows_of_args(rows, 5)
    with pytest.raises(InputError, match=r"args: input 0 is sparse_coo, expected dense, .*; give a plain tensor"):
        rows_of_args((rows.to_sparse(),), 5)
    with pytest.raises(InputError, match=r"args: input 0 has no values \(it is on the device meta\)"):
        rows_of_args((rows.to("meta"),), 5)
    with pytest.raises(InputError, match="args: input 1 has values that are NaN, expected numbers"):
        rows_of_args((rows, one * float("nan")), 5)


def test_args_are_split_between_the_classes(dna):
    rows, one = torch.arange(5)[:, None], torch.full((1, 2), 9.0)
    first, second = as_classes(dna(2, 11, 0), dna(3, 11, 1), (rows, one), "test")
    assert first.further[0].flatten().tolist() == [0, 1]
    assert second.further[0].flatten().tolist() == [2, 3, 4]
    assert (first.further[1].shape, second.further[1].shape) == ((2, 2), (3, 2))
    assert first.shapes == second.shapes == ((4, 11), (1,), (2,))


def test_further_inputs_come_with_their_sequences(dna):
    x, y, rows = dna(2, 11, 0), dna(3, 11, 1), torch.arange(5)[:, None]
    beside = as_classes(x, y, (rows,), "test")
    along = as_classes((x, rows[:2]), (y, rows[2:]), None, "test")
    for one, other in zip(beside, along, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.further[0], other.further[0])
    with pytest.raises(InputError, match="got further inputs with the sequences and as args too"):
        as_classes((x, rows[:2]), (y, rows[2:]), (rows,), "test")
    with pytest.raises(InputError, match="got further inputs with the sequences and as args too"):
        as_inputs((x, rows[:2]), (rows[:2],))


def test_a_tuple_of_strings_is_sequences():
    found = as_inputs(("ACGT", "TTTT"))
    assert found.x.shape == (2, 4, 4)
    assert found.further == ()


def test_names_stay_with_the_sequences():
    assert as_inputs(pd.Series(["ACGT"], index=["chr1:5-9"])).names == ["chr1:5-9"]
    assert as_inputs(["ACGT"]).names is None


def test_rows(dna):
    inputs = as_inputs((dna(5, 11, 0), torch.arange(5)[:, None]))
    some = inputs.rows(torch.tensor([3, 1]))
    assert len(some) == 2
    assert some.length == 11
    assert some.further[0].flatten().tolist() == [3, 1]
    np.testing.assert_array_equal(some.x[0], inputs.x[3])
