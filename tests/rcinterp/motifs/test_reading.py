"""What the readers share: records, counts or probabilities, unique names."""

import gzip

import numpy as np
import pytest

from rcinterp.errors import InputError
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import Record, collect, counts_to_motif, iterate_records, numbers, read_motif_text

COUNTS = np.array([[3, 0, 5], [5, 1, 0], [2, 0, 0], [10, 7, 11]], dtype=float)


def test_text_plain_and_gzipped(tmp_path):
    for content in (b"\xef\xbb\xbfACGT\n", gzip.compress(b"ACGT\n")):
        (tmp_path / "motifs").write_bytes(content)
        assert read_motif_text(tmp_path / "motifs") == "ACGT\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe\x00", "is not text"), (gzip.compress(b"ACGT" * 99, mtime=0)[:20], "is a damaged gzip file")],
)
def test_damaged_files(tmp_path, content, message):
    (tmp_path / "motifs").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_motif_text(tmp_path / "motifs")
    with pytest.raises(InputError, match=r'nowhere: no such file, expected a motif file; give "encode" or the path'):
        read_motif_text(tmp_path / "nowhere")


def test_records_without_comments_blank_lines_and_brackets():
    text = "# made by hand\n\n>a one two\r\nA [1 2]\r\n\n>b\t3\n"
    assert list(iterate_records(text, "x.pfm")) == [Record("a one two", (("A", "1", "2"),)), Record("b\t3", ())]


@pytest.mark.parametrize(("source", "name"), [("in/MA0004.1.pfm", "MA0004.1"), ("M.pfm.gz", "M"), ("plain", "plain")])
def test_rows_without_a_header_are_named_after_the_file(source, name):
    assert list(iterate_records("1 2\n3 4\n", source)) == [Record(name, (("1", "2"), ("3", "4")))]


def test_a_header_without_a_name():
    with pytest.raises(InputError, match=r"x\.pfm: got a line > without a name, expected e\.g\. >MA0139\.1 CTCF"):
        list(iterate_records(">a\n1\n> \n2\n", "x.pfm"))


@pytest.mark.parametrize("mark", ["#>b", "# >b", "#\t> b 1"])
def test_rows_below_a_name_that_is_commented_out(mark):
    assert list(iterate_records(f">a\n1 2\n{mark}\n#3 4\n\n>c\n5 6\n", "x"))[1] == Record("c", (("5", "6"),))
    with pytest.raises(InputError, match=r"x: line 5: got a row below line 3, a name after #, expected a name with >"):
        list(iterate_records(f">a\n1 2\n{mark}\n\n3 4\n", "x"))


def test_numbers():
    np.testing.assert_array_equal(numbers([["1", "2.5"], ["1e-3", ".5"]], "x"), [[1, 2.5], [0.001, 0.5]])
    with pytest.raises(InputError, match=r"f: motif a, row 2: got 1 x, expected numbers\. Correct the row"):
        numbers([["1", "2"], ["1", "x"]], "f: motif a")
    with pytest.raises(InputError, match="f: motif a, row 2: got 1 numbers, expected 2 as in the first"):
        numbers([["1", "2"], ["1"]], "f: motif a")


def test_counts_are_divided_by_each_position_s_own_sum():
    motif = counts_to_motif(COUNTS, "x", "CTCF")
    np.testing.assert_allclose(motif.ppm, COUNTS / [20, 8, 16], rtol=1e-12)
    assert motif.n_sites == pytest.approx(44 / 3)
    assert motif.other_name == "CTCF"


def test_probabilities_stay_and_say_nothing_of_sites():
    ppm = COUNTS / COUNTS.sum(axis=0)
    motif = counts_to_motif(ppm.round(3), "x")
    np.testing.assert_allclose(motif.ppm, ppm, atol=1e-3)
    np.testing.assert_allclose(motif.ppm.sum(axis=0), 1, atol=1e-5)
    assert motif.n_sites is None


def test_one_site_is_a_probability():
    assert counts_to_motif(np.eye(4), "x").n_sites is None


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (COUNTS[:3], r"x: got a matrix of shape \(3, 3\), expected four values for each position"),
        (COUNTS[:, :0], r"x: got a matrix of shape \(4, 0\)"),
        (COUNTS - 1, r"x: got negative, NaN or infinite values.*Log-odds \(PWM\) are neither"),
        (COUNTS * np.nan, "x: got negative, NaN or infinite values"),
        (COUNTS * [1, 0, 1], r"x: the values of position 1 \(0-based\) sum to 0, expected 1 \(probabilities\) or more"),
        (COUNTS * 1e307, r"x: got values up to 1\.1e\+308, whose sum is too large for a float64"),
        (np.full((4, 5), 4e307), "x: got values up to 4e.307, whose sum"),  # of the positions' sums
        (COUNTS / [20, 4, 16], r"position 1 \(0-based\) sum to 2, and those of position 0 to 1, expected either prob"),
        (COUNTS / [20, 8, 1], r"position 2 \(0-based\) sum to 16, and those of position 0 to 1"),
        (COUNTS / [20, 10, 16], r"x: the values of position 1 \(0-based\) sum to 0\.8"),
    ],
)
def test_neither_counts_nor_probabilities(matrix, message):
    with pytest.raises(InputError, match=message):
        counts_to_motif(matrix, "x")


def test_whole_numbers_are_counts_also_where_a_position_has_one():
    motif = counts_to_motif(np.array([[1.0, 2], [0, 1], [0, 0], [0, 0]]), "x")
    np.testing.assert_allclose(motif.ppm[:, 1], [2 / 3, 1 / 3, 0, 0])
    assert motif.n_sites == 2


def test_collect_names_motifs_without_a_matrix():
    motif = Motif(np.eye(4))
    with pytest.warns(UserWarning, match="x: left out motifs without a letter-probability matrix: b, d"):
        assert list(collect([("a", motif), ("b", None), ("c", motif), ("d", None)], "x")) == ["a", "c"]
    with pytest.raises(InputError, match=r"x: motif a occurs twice; expected unique names\. Rename one"):
        collect([("a", motif), ("a", None)], "x")
    with pytest.raises(InputError, match="x: found no motif, expected at least one with a matrix"):
        collect([], "x")


def test_brackets_without_numbers():
    with pytest.raises(InputError, match=r"b\.txt: line 3 is '\[ \]', expected numbers in the brackets\."):
        list(iterate_records(">a\n1 2 3 4\n[ ]\n1 2 3 4\n", "b.txt"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_any_system_and_at_no_other_character(end):
    text = end.join([">a\x0cb first\u2028second", "1 2", "", "# none", "3\t4", ""])
    assert list(iterate_records(text, "x")) == [Record("a\x0cb first\u2028second", (("1", "2"), ("3", "4")))]


@pytest.mark.parametrize("word", ["1_0", "nan", "inf", "1e999", "\u0661", "0x1", "1\xa02", "--1", "1e", "."])
def test_only_finite_numbers_in_plain_digits(word):
    with pytest.raises(InputError, match=r"m, row 2: got 1 .*, expected numbers\. Correct the row"):
        numbers([["1", "2"], ["1", word]], "m")
