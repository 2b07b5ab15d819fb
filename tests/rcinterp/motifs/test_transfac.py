"""TRANSFAC's format as its own database, JASPAR, RSAT and Biopython write it."""

import io

import numpy as np
import pytest
from Bio import motifs as bio
from Bio.motifs import transfac

from rcinterp.errors import InputError
from rcinterp.motifs.transfac import parse_transfac

COUNTS = np.array([[1, 2, 3], [2, 1, 5], [2, 2, 0], [0, 0, 1]])
TRANSFAC = """VV  TRANSFAC MATRIX TABLE, Release 9.4
XX
//
AC  M00001
XX
ID  V$MYOD_01
XX
NA  MyoD
XX
P0      A      C      G      T
01      1      2      2      0      S
02      2      1      2      0      R
03      3      5      0      1      A
XX
BA  3 functional elements in 3 genes
XX
RN  [1]; RE0000231.
//
"""


@pytest.mark.parametrize(
    "text",
    [
        TRANSFAC,
        TRANSFAC.replace("P0 ", "PO "),
        TRANSFAC.replace("XX\n", "").replace("\n", "\r\n"),
        TRANSFAC.removesuffix("//\n"),
        TRANSFAC.replace("A      C      G      T", "a c g u").replace("01 ", "1"),
        "\n".join(line.rstrip("SRA") if line[:1] == "0" else line for line in TRANSFAC.split("\n")),
        TRANSFAC.replace("A      C      G      T", "T G C A")
        .replace("1      2      2      0      S", "0 2 2 1")
        .replace("2      1      2      0      R", "0 2 1 2")
        .replace("3      5      0      1      A", "1 0 5 3"),
    ],
)
def test_variants_are_read_alike(text):
    motifs = parse_transfac(text, "x")
    assert list(motifs) == ["M00001"]
    np.testing.assert_allclose(motifs["M00001"].ppm, COUNTS / COUNTS.sum(axis=0))
    assert motifs["M00001"].n_sites == pytest.approx((5 + 5 + 9) / 3)
    assert motifs["M00001"].other_name == "V$MYOD_01"


def test_a_name_is_ac_or_id_or_na():
    for left_out, name, other_name in (("AC", "V$MYOD_01", "MyoD"), ("AC ID", "MyoD", "")):
        text = "\n".join(line for line in TRANSFAC.split("\n") if line[:2] not in left_out.split())
        (found,) = parse_transfac(text, "x").items()
        assert (found[0], found[1].other_name) == (name, other_name)


def test_what_biopython_writes_and_reads():
    rng = np.random.default_rng(0)
    given = {f"M{w}": rng.integers(1, 30, size=(4, w)) for w in (5, 7, 11)}
    written = []
    for name, counts in given.items():
        motif = transfac.Motif(counts={letter: list(row) for letter, row in zip("ACGT", counts, strict=True)})
        motif["AC"], motif["ID"] = name, f"V${name}"
        written.append(motif)
    text = bio.write(written, "transfac")
    ours, theirs = parse_transfac(text, "x"), bio.parse(io.StringIO(text), "transfac")
    assert list(ours) == [motif["AC"] for motif in theirs] == list(given)
    for motif in theirs:
        expected = np.array([motif.pwm[letter] for letter in "ACGT"])
        np.testing.assert_allclose(ours[motif["AC"]].ppm, expected, atol=1e-9)
        assert ours[motif["AC"]].other_name == motif["ID"]


#: As the program mCrossBase writes it: numbered lines after the matrix, and no // at the end.
MCROSS = """AC	CELL.RBPX.{n}
XX
ID	CELL.RBPX.{n}
XX
DE	N=60, Consensus=NN, Score=10
P0	A	C	G	T
01	3	2	5	50	N
02	0	0	0	60	N
03	58	1	1	0	N
XX
IC	1.0 1.0 1.0
XX
XL
00	2
01	9
02	1
XX
"""


@pytest.mark.parametrize("end", ["", "//\n"])
def test_a_matrix_ends_with_its_lines_and_an_entry_with_the_next_ac(end):
    motifs = parse_transfac(MCROSS.format(n=0) + end + MCROSS.format(n=1) + end, "x")
    assert list(motifs) == ["CELL.RBPX.0", "CELL.RBPX.1"]
    for motif in motifs.values():
        assert motif.n_sites == 60
        np.testing.assert_allclose(60 * motif.ppm, [[3, 0, 58], [2, 0, 1], [5, 0, 1], [50, 60, 0]])


def test_a_header_may_say_more_than_the_letters():
    text = TRANSFAC.replace("A      C      G      T", "A C G T cons inf").replace("0      S", "0 S 1.5")
    np.testing.assert_allclose(parse_transfac(text, "x")["M00001"].ppm, COUNTS / COUNTS.sum(axis=0))


def test_a_motif_without_a_matrix_is_named():
    with pytest.warns(UserWarning, match="x: left out motifs without a letter-probability matrix: M2, M3"):
        motifs = parse_transfac(TRANSFAC + "AC  M2\nXX\n//\nAC  M3\nP0 A C G T\n//\n", "x")
    assert list(motifs) == ["M00001"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P0 A C G T\n01 1 2 3 4\n//\n", "x: got a matrix without a name, expected AC, ID or NA"),
        (TRANSFAC.replace("BA  3", "P0 A C G T\nBA  3"), "x: got two matrices of motif M00001, expected .* one matrix"),
        (TRANSFAC + TRANSFAC, "x: motif M00001 occurs twice"),
        (
            TRANSFAC.replace("A      C", "A      A"),
            "x: motif M00001: got the letters AAGT, expected each of A, C, G, T once",
        ),
        (TRANSFAC.replace("0      S", ""), "x: motif M00001, position 01: got 3 numbers, expected four"),
        (TRANSFAC.replace("0      S", "x"), "x: motif M00001, row 1: got 1 2 2 x, expected numbers"),
        ("VV nothing\n//\n", "x: found no motif"),
    ],
)
def test_bad_transfac(text, message):
    with pytest.raises(InputError, match=message):
        parse_transfac(text, "x")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("01 1 2 3 4\nx\n02 1 2 3 4", r"got the position '02 1 2 3 4' after 'x', which ends the matrix"),
        ("01 1 2 3 4\n03 1 2 3 4", r"position 03 follows 01; expected one after the other"),
        ("01 1 2 3 4\n01 1 2 3 4", r"position 01 follows 01; expected one after the other"),
        ("01 1 2 3 4 5\n02 1 2 3 4", r"position 01: got 5 numbers, expected four"),
    ],
)
def test_no_position_is_dropped_without_a_word(rows, message):
    with pytest.raises(InputError, match=message):
        parse_transfac(f"AC M1\nP0 A C G T\n{rows}\n//\n", "x")


@pytest.mark.parametrize("position", ["01 1 2 3 4", "1 2 3 4", "O1 1 2 3 4", "-1 1 2 3 4", "\xa001 1 2 3 4"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "AC M1\n{}\nP0 A C G T\n02 1 2 3 4\n//\n",
            r"x: line 2: got the position .*, expected a line P0 A C G T above",
        ),
        ("AC M1\n P0 A C G T\n{}\n//\n", r"x: line 3: got the position"),
        ("AC M1\nP0 A C G T\n02 1 2 3 4\n//\nXX\n{}\n//\n", r"x: line 6: got the position"),
        (
            "AC M1\nP0 A C G T\n02 1 2 3 4\nXX\n\nXX\n{}\n//\n",
            r"x: motif M1: got the position .* after 'XX'.*\(line 7\)",
        ),
    ],
)
def test_no_position_stands_outside_the_matrix(text, position, message):
    with pytest.raises(InputError, match=message):
        parse_transfac(text.format(position), "x")


@pytest.mark.parametrize("mark", ["ID x", "XX", "BA 3 genes", "XX\nXL\n00 2\nXX"])
def test_no_position_stands_below_a_mark(mark):
    with pytest.raises(
        InputError, match=r"x: motif M1: got the position '03 1 2 3 4' after '.*', which ends the matrix"
    ):
        parse_transfac(f"AC M1\nP0 A C G T\n02 1 2 3 4\n{mark}\n03 1 2 3 4\n//\n", "x")


@pytest.mark.parametrize("last", ["O3 1 2 3 4", "-3 1 2 3 4", "[03 1 2 3 4]", "x", "xx", "\xa003 1 2 3 4"])
def test_a_matrix_ends_with_a_mark(last):
    with pytest.raises(InputError, match=r"x: motif M1, line 4: got '.*' below the positions, expected a position"):
        parse_transfac(f"AC M1\nP0 A C G T\n02 1 2 3 4\n{last}\n//\n", "x")


def test_no_position_stands_behind_the_letters():
    with pytest.raises(InputError, match=r"x: motif M1, line 2: got numbers behind the letters, expected them below"):
        parse_transfac("AC M1\nP0 A C G T 01 1 2 3 4\n02 1 2 3 4\n//\n", "x")


@pytest.mark.parametrize("mark", ["AC", "ID", "NA"])
def test_an_entry_has_one_name_of_a_kind(mark):
    with pytest.raises(InputError, match=f"x: line 2: got a second {mark} in one entry, expected one"):
        parse_transfac(f"{mark} M1\n{mark} M2\nP0 A C G T\n01 1 2 3 4\n//\n", "x")


def test_an_entry_ends_with_its_line_whatever_else_that_says():
    text = "ID M1\nP0 A C G T\n01 1 2 3 4\n// end\nID M2\nP0 A C G T\n01 4 3 2 1\n//\n"
    assert list(parse_transfac(text, "x")) == ["M1", "M2"]


ENTRY = "AC  M{n}\nXX\nP0 A C G T\n01 1 2 3 40\n02 4 3 2 10\nXX\n//\n"


@pytest.mark.parametrize(("n_lines", "message"), [(1, "line 8"), (3, "line 10"), (4, "line 11")])
@pytest.mark.parametrize("n_letters", [0, 1, 4])
def test_a_file_that_was_cut_within_its_last_entry(n_lines, message, n_letters):
    lines = ENTRY.format(n=2).splitlines(keepends=True)
    text = ENTRY.format(n=1) + "".join(lines[:n_lines])
    text = text[: len(text) - min(n_letters, len(lines[n_lines - 1]) - 3)] if n_letters else text
    with pytest.raises(
        InputError, match=rf"x: {message}: the file ends within (M2|an entry) \(no //, as others have\)"
    ):
        parse_transfac(text, "x")


def test_a_last_entry_whose_matrix_is_closed_is_whole():
    motifs = parse_transfac(ENTRY.format(n=1) + ENTRY.format(n=2).removesuffix("//\n"), "x")
    assert [one.ppm.shape for one in motifs.values()] == [(4, 2), (4, 2)]


def test_what_ends_with_no_rule_or_in_no_entry_was_not_cut():
    whole, other = ENTRY.format(n=1), ENTRY.format(n=2)
    for text in (whole + other, (whole + other).replace("//\n", ""), whole + other + "XX\n\n", whole + other[:-1]):
        assert list(parse_transfac(text, "x")) == ["M1", "M2"]
    with pytest.raises(InputError, match="x: line 8: the file ends within an entry"):
        parse_transfac(whole + "A", "x")
    with pytest.raises(InputError, match="x: line 3: the file ends within an entry"):
        parse_transfac("VV 9\n//\nP0 A C G T", "x")


@pytest.mark.parametrize("indent", ["  ", "\t", " \t"])
def test_lines_that_are_all_indented_alike(indent):
    lines = (ENTRY.format(n=1) + "\n" + ENTRY.format(n=2)).split("\n")
    motifs = parse_transfac("\n \n" + "\r\n".join(indent + line if line else "" for line in lines), "x")
    np.testing.assert_allclose(motifs["M2"].ppm[:, 0], np.array([1, 2, 3, 40]) / 46)


def test_marks_in_small_letters():
    text = "vv 9\nxx\n//\nac M1\nxx\nid one\np0 a c g t\n01 1 2 3 4 n\nxx\nba 3\n//\n"
    assert [(name, one.other_name) for name, one in parse_transfac(text, "x").items()] == [("M1", "one")]
    with pytest.raises(InputError, match="the file ends within M1"):
        parse_transfac(text + text[11:-3], "x")


def test_many_entries_without_a_matrix_take_no_time():
    with pytest.raises(InputError, match="x: line 2: got a second AC in one entry"):
        parse_transfac("AC x\n" * 200_000, "x")


def test_an_indented_position_is_one():
    assert parse_transfac("AC M1\nP0 A C G T\n01 1 2 3 4\n  02 9 9 9 9\n03 1 2 3 4\n//\n", "x")["M1"].ppm.shape == (
        4,
        3,
    )
