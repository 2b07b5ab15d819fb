"""JASPAR, HOMER, ENCODE and pfm files as their programs write them, and as Biopython does."""

import io

import numpy as np
import pytest
from Bio import motifs as bio
from Bio.motifs import jaspar

from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs
from rcinterp.motifs.tabular import parse_encode, parse_homer, parse_jaspar, parse_pfm

COUNTS = np.array([[4, 19, 0, 0, 0], [16, 0, 20, 0, 0], [0, 1, 0, 20, 0], [0, 0, 0, 0, 20]])
ROWS = "\n".join(" ".join(map(str, row)) for row in COUNTS)
COLUMNS = "\n".join("\t".join(map(str, row)) for row in COUNTS.T)
PPM = COUNTS / 20


def biopython_motif(counts, **names):
    return jaspar.Motif(counts={letter: list(row) for letter, row in zip("ACGT", counts, strict=True)}, **names)


@pytest.mark.parametrize(
    "text",
    [
        ">MA0004.1\tArnt\nA  [     4     19      0      0      0 ]\nC  [    16      0     20      0      0 ]\n"
        "G  [     0      1      0     20      0 ]\nT  [     0      0      0      0     20 ]\n",
        ">MA0004.1 Arnt\nA [4 19 0 0 0]\nC [16 0 20 0 0]\nG [0 1 0 20 0]\nU [0 0 0 0 20]",
        f">MA0004.1 Arnt\n{ROWS}\n",
        ">MA0004.1 Arnt\n" + "\n".join(f"{letter} {row}" for letter, row in zip("ACGT", ROWS.split("\n"), strict=True)),
        f"# JASPAR\n\n>MA0004.1  Arnt\r\n{ROWS.replace(' ', chr(9))}\r\n\r\n",
    ],
)
def test_jaspar_variants_are_read_alike(text):
    motifs = parse_jaspar(text, "x")
    assert list(motifs) == ["MA0004.1"]
    np.testing.assert_allclose(motifs["MA0004.1"].ppm, PPM, rtol=1e-12)
    assert (motifs["MA0004.1"].n_sites, motifs["MA0004.1"].other_name) == (20, "Arnt")


def test_jaspar_of_one_matrix_without_a_header():
    assert list(parse_jaspar(ROWS, "some/MA0004.1.pfm")) == ["MA0004.1"]


def test_jaspar_as_biopython_writes_and_reads_it():
    rng = np.random.default_rng(0)
    given = {f"MA000{w}.1": rng.integers(0, 30, size=(4, w)) + 1 for w in (5, 7, 11)}
    written = bio.write([biopython_motif(c, matrix_id=name, name=f"TF{name}") for name, c in given.items()], "jaspar")
    ours = parse_jaspar(written, "x")
    theirs = bio.parse(io.StringIO(written), "jaspar")
    assert list(ours) == [motif.matrix_id for motif in theirs] == list(given)
    for motif in theirs:
        assert ours[motif.matrix_id].other_name == motif.name
        expected = np.array([motif.pwm[letter] for letter in "ACGT"])
        np.testing.assert_allclose(ours[motif.matrix_id].ppm, expected, atol=1e-9)
        np.testing.assert_allclose(ours[motif.matrix_id].n_sites, given[motif.matrix_id].sum(axis=0).mean())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ">M x\nT [1 2]\nG [1 2]\nC [1 2]\nA [1 2]",
            "x: motif M: got 4 rows named TGCA, expected four in the order A, C",
        ),
        (">M\n1 2\n3 4\n5 6\n", "x: motif M: got 3 rows, expected four in the order A, C, G, T"),
        (">M\n1 2\n3 4\n5 6\n7\n", "x: motif M, row 4: got 1 numbers, expected 2 as in the first"),
        (f">M a\n{ROWS}\n>M b\n{ROWS}", "x: motif M occurs twice"),
    ],
)
def test_bad_jaspar(text, message):
    with pytest.raises(InputError, match=message):
        parse_jaspar(text, "x")


def test_pfm_of_counts_and_of_probabilities():
    text = f"# a database\n>AHR_HUMAN.H11MO.0.B\n{COLUMNS}\n>second\tits other name\n.25 .25 .25 .25\n0.1 0.2 0.3 0.4\n"
    motifs = parse_pfm(text, "x")
    np.testing.assert_allclose(motifs["AHR_HUMAN.H11MO.0.B"].ppm, PPM)
    assert motifs["AHR_HUMAN.H11MO.0.B"].n_sites == 20
    np.testing.assert_allclose(motifs["second"].ppm[:, 1], [0.1, 0.2, 0.3, 0.4])
    assert (motifs["second"].n_sites, motifs["second"].other_name) == (None, "its other name")


@pytest.mark.parametrize("parse", [parse_jaspar, parse_pfm, parse_encode, parse_homer])
def test_a_motif_without_a_matrix_is_named(parse):
    tail = "\tempty\t1" if parse is parse_homer else ""
    filled = {parse_jaspar: ROWS, parse_encode: "\n".join("N " + row for row in COLUMNS.split("\n"))}.get(
        parse, COLUMNS
    )
    name = "full" if parse is parse_homer else "M"
    with pytest.warns(UserWarning, match="x: left out motifs without a letter-probability matrix: empty"):
        motifs = parse(f">empty{tail}\n>M\tfull\t2\n{filled}\n", "x")
    np.testing.assert_allclose(motifs[name].ppm, PPM)


HOMER = (
    ">ATGACTCATC\tAP-1(bZIP)/ThioMac-PU.1-ChIP-Seq(GSE21512)/Homer\t6.049537\t-1.782996e+03\t0\t"
    "9805.3,5781.0,3085.1,2715.0,0.00e+00\n0.419\t0.275\t0.277\t0.028\n0.001\t0.001\t0.001\t0.997\n"
    ">1-CACGTGAC\t1-CACGTGAC,BestGuess:USF1 (bHLH)\t7.2\t-92.1\t0\tT:103.0(28.09%),B:1.2(0.01%),P:1e-40\n"
    "0.010\t0.970\t0.010\t0.010\n"
)


def test_homer():
    motifs = parse_homer(HOMER, "x")
    assert list(motifs) == ["AP-1(bZIP)/ThioMac-PU.1-ChIP-Seq(GSE21512)/Homer", "1-CACGTGAC,BestGuess:USF1_(bHLH)"]
    first, second = motifs.values()
    np.testing.assert_allclose(
        first.ppm.T, np.array([[0.419, 0.275, 0.277, 0.028], [0.001, 0.001, 0.001, 0.997]]), atol=1e-3
    )
    assert (first.n_sites, first.other_name) == (None, "ATGACTCATC")
    np.testing.assert_allclose(second.ppm[:, 0], [0.01, 0.97, 0.01, 0.01])
    with pytest.raises(InputError, match="x: motif ACGT has no name, expected >consensus, a tab, name, threshold"):
        parse_homer(">ACGT\n0.1 0.2 0.3 0.4\n", "x")


def test_encode():
    motifs = parse_encode(">A_1\tfrom here\nG 0.1 0.2 0.6 0.1\nN 0.25 0.25 0.25 0.25\n>B\nC 0.1 0.7 0.1 0.1\n", "x")
    np.testing.assert_allclose(motifs["A_1"].ppm[:, 0], [0.1, 0.2, 0.6, 0.1])
    assert [(m.n_sites, m.other_name) for m in motifs.values()] == [(None, "from here"), (None, "")]
    with pytest.raises(InputError, match=r"x: motif A: got a matrix of shape \(3, 1\), expected four values"):
        parse_encode(">A\nG 0.1 0.2 0.7\n", "x")


@pytest.mark.parametrize("word", ["0.5", "AC", "Z", "7"])
def test_no_number_is_taken_for_the_letter_of_a_row(word):
    with pytest.raises(
        InputError, match=rf"x: motif A, row 2: got {word} 0 1 0 0, expected a letter \(IUPAC\) and four"
    ):
        parse_encode(f">A from\nG 0 0 1 0\n{word} 0 1 0 0\n", "x")


@pytest.mark.parametrize(
    "rows",
    [
        ["0.25 0.25 0.25 0.25", "1.25 0.25 0.25 2.25", "5.25 0.25 1.25 0.25"],  # pseudocounts; no site has the first
        ["0.3 0.3 0.3 0.1", "0.3 0.3 0.3 0.2", "0.7 0.1 0.1 0.1"],  # one digit
        ["1 0 0 0", "3 1 0 0"],  # whole
    ],
)
def test_sums_of_1_beside_others_are_counts_or_rounding(tmp_path, rows):
    path = tmp_path / "a.pfm"
    path.write_text(">a\n#>another name of it\n" + "\n".join(rows) + "\n")
    matrix = np.array([row.split() for row in rows], dtype=float)
    np.testing.assert_allclose(load_motifs(path)["a"].T, matrix / matrix.sum(1, keepdims=True))
