"""CIS-BP's and UniPROBE's files as the databases give them, and what is none of theirs."""

import numpy as np
import pytest

from rcinterp.errors import InputError
from rcinterp.motifs.databases import parse_cisbp, parse_uniprobe

FIELDS = "TF\tT004843_1.02\nTF Name\tTFAP2B\nGene\tENSG1\nMotif\tM0082_1.02\nFamily\tAP-2\nSpecies\tHomo_sapiens\n"
MATRIX = "Pos\tA\tC\tG\tT\n1\t0.1\t0.2\t0.3\t0.4\n2\t0.7\t0.1\t0.1\t0.1\n3\t0.25\t0.25\t0.25\t0.25\n"
UNIPROBE = "A:\t0.1\t0.7\t0.25\nC:\t0.2\t0.1\t0.25\nG:\t0.3\t0.1\t0.25\nT:\t0.4\t0.1\t0.25\n"
PPM = np.array([[0.1, 0.7, 0.25], [0.2, 0.1, 0.25], [0.3, 0.1, 0.25], [0.4, 0.1, 0.25]])


@pytest.mark.parametrize(
    ("text", "name", "other_name"),
    [
        (MATRIX, "M0082_1.02", ""),
        (FIELDS + MATRIX, "M0082_1.02", "TFAP2B"),
        ("# CIS-BP\n" + FIELDS + "\n" + MATRIX.replace("\t", "   "), "M0082_1.02", "TFAP2B"),
        (">M0082_1.02 x\r\n" + MATRIX.replace("\n", "\r\n"), "M0082_1.02", ""),
        (MATRIX.replace("Pos\tA\tC\tG\tT", "Position\ta\tc\tg\tu"), "M0082_1.02", ""),
    ],
)
def test_cisbp(text, name, other_name):
    ((found, motif),) = parse_cisbp(text, "in/M0082_1.02.txt").items()
    assert (found, motif.other_name, motif.n_sites) == (name, other_name, None)
    np.testing.assert_allclose(motif.ppm, PPM)


def test_cisbp_of_many_motifs_and_of_letters_in_another_order():
    other = FIELDS.replace("M0082", "M0083") + "Pos\tT\tG\tC\tA\n1\t0.4\t0.3\t0.2\t0.1\n"
    motifs = parse_cisbp(FIELDS + MATRIX + "\n" + other, "x")
    np.testing.assert_allclose(motifs["M0083_1.02"].ppm, PPM[:, :1])
    with pytest.warns(UserWarning, match=r"x: left out motifs .*: M0083_1\.02, M0084_1\.02 \(lines 14, 21\)"):
        parse_cisbp(
            FIELDS
            + MATRIX
            + (FIELDS + MATRIX[:12]).replace("M0082", "M0083")
            + FIELDS.replace("82", "84")
            + FIELDS.replace("82", "85")
            + MATRIX,
            "x",
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MATRIX.replace("2\t0.7", "3\t0.7"), r"motif x: got '3 0\.7 .*', expected the position 2 and .*\(line 3\)"),
        (MATRIX.replace("1\t0.1\t", "0\t0.1\t"), r"got '0 0\.1 .*', expected the position 1"),
        (MATRIX.replace("\t0.4", ""), r"got '1 0\.1 0\.2 0\.3', expected the position 1 and four .*\(line 2\)"),
        (MATRIX[:-14], r"got '3 0\.25 0', expected the position 3 and four"),
        (MATRIX.replace("0.7", "x"), r"motif x, row 2: .*\(line 3\): 'x' is none"),
        (MATRIX.replace("2\t0.7", "x\n2\t0.7"), r"line 4: got the row '2 0\.7 .*', expected a line Pos A C G T above"),
        (MATRIX.replace("2\t0.7", "2\xa00.7"), r"line 3: got the row"),
        (MATRIX.replace("Pos", "1\t1\t1\t1\nPos"), r"line 1: got the row"),
        (MATRIX + FIELDS, r"line 10: got 'Species\\tHomo_sapiens' and no matrix below, .* cut\?"),
        (MATRIX + MATRIX, r"motif x occurs twice; .*\(lines 1 and 5\)"),
        (MATRIX.replace("G\tT", "G\tG"), r"x: line 1: got|letters"),
        (MATRIX.replace("A\tC\tG\tT", "A\tC\tG\tG"), r"motif x: got the letters ACGG, .* line 1\."),
        (MATRIX.replace("0.25\n", "0.5\n"), r"position 2 \(0-based\) sum to 1\.25.*\(line 4\)"),
    ],
)
def test_bad_cisbp(text, message):
    with pytest.raises(InputError, match=message):
        parse_cisbp(text, "x")


@pytest.mark.parametrize(
    ("text", "name", "other_name"),
    [
        (UNIPROBE, "Alx3", ""),
        ("Alx3\n" + UNIPROBE, "Alx3", ""),
        (">Alx3 one\n\n" + UNIPROBE.lower().replace("t:", "u:"), "Alx3", "one"),
        ("Protein: Alx3\tSeed k-mer: CAATTAAA\n" + UNIPROBE, "Alx3", "Seed k-mer: CAATTAAA"),
        ("# none\n" + "\n".join(reversed(UNIPROBE.split("\n"))), "Alx3", ""),
    ],
)
def test_uniprobe(text, name, other_name):
    ((found, motif),) = parse_uniprobe(text, "in/Alx3.pwm").items()
    assert (found, motif.other_name) == (name, other_name)
    np.testing.assert_allclose(motif.ppm, PPM)


def test_uniprobe_of_many_motifs():
    assert list(parse_uniprobe("a\n" + UNIPROBE + "\nProtein: b\n" + UNIPROBE, "x")) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (UNIPROBE + UNIPROBE, r"motif x occurs twice; .*\(lines 1 and 5\)"),
        (UNIPROBE.replace("C:", "A:"), r"line 2: got 'A:.*', expected a row C:, G:, T: of the motif above"),
        (UNIPROBE.replace("G:", "G"), r"line 3: got 'G.*', expected a row G:, T: of the motif above"),
        ("a\nb\n" + UNIPROBE, r"line 2: got 'b', expected a row A:, C:, G:, T: of the motif above"),
        (UNIPROBE[: UNIPROBE.index("T:")], r"line 3: the file ends here, expected the row T: too\. .*cut\?"),
        (UNIPROBE + "a\n", r"line 5: the file ends here, expected the row A:, C:, G:, T: too"),
        (UNIPROBE[:-6], r"motif x, row 4: got 2 numbers, expected 3 as in the first\. .*\(line 4\)"),
        (UNIPROBE.replace("0.7", "1_0"), r"motif x, row 1: .*\(line 1\): '1_0' is none"),
        (UNIPROBE.replace("0.7", "-0.7"), r"motif x: got negative"),
    ],
)
def test_bad_uniprobe(text, message):
    with pytest.raises(InputError, match=message):
        parse_uniprobe(text, "x")
