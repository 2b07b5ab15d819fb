"""MEME minimal format: what is read, what is refused, and that others read what is written."""

import gzip
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs
from rcinterp.motifs.matrices import Motif, consensus
from rcinterp.motifs.meme import read_meme, write_meme

HEADER = (
    "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n"
)
TWO_ROWS = "0.1 0.2 0.3 0.4\n0.7 0.1 0.1 0.1\n"
MOTIF = "MOTIF M1 one\nletter-probability matrix: alength= 4 w= 2 nsites= 31 E= 1e-5\n" + TWO_ROWS


def write(tmp_path, text):
    path = tmp_path / "motifs.meme"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def random_motifs(widths, seed=0):
    rng = np.random.default_rng(seed)
    return {f"M{width}": rng.dirichlet([0.5] * 4, size=width).T for width in widths}


@pytest.mark.parametrize(
    "text",
    [
        HEADER + MOTIF,
        HEADER + MOTIF.rstrip("\n"),
        (HEADER + MOTIF).replace("\n", "\r\n"),
        (HEADER + MOTIF).replace(" 0", "\t0"),
        "MEME version 5.5.7 (Release date: Wed Jun 19 2024)\n" + MOTIF,
        "\ufeff" + HEADER + MOTIF,
        HEADER + "\n\n" + MOTIF.replace("MOTIF M1 one", "  MOTIF   M1"),
        HEADER + MOTIF.replace("alength= 4 w= 2 nsites= 31", "nsites=31"),
        HEADER + MOTIF.replace("alength= 4 w= 2 nsites= 31 E= 1e-5", "w=2 nsites=31"),
        HEADER + MOTIF.replace("0.4\n0.7", "0.4\n\n0.7") + "\nURL https://example.org\n",
        HEADER + MOTIF.replace("letter-prob", "URL https://example.org\n\nletter-prob") + "\n-----\n 0.5 0.5 0 0\n",
        HEADER + MOTIF.replace("letter-", "log-odds matrix: alength= 4 w= 2\n -1 2 -3 4\n 5 -6 7 -8\n\nletter-"),
        HEADER.replace("ALPHABET= ACGT", 'ALPHABET "DNA" DNA-LIKE') + MOTIF,
        HEADER + MOTIF.replace("0.1 0.1 0.1", ".1 1e-1 0.100000"),
    ],
)
def test_reads_every_variant_alike(tmp_path, text):
    motifs = read_meme(write(tmp_path, text))
    assert list(motifs) == ["M1"]
    np.testing.assert_array_equal(motifs["M1"].ppm, [[0.1, 0.7], [0.2, 0.1], [0.3, 0.1], [0.4, 0.1]])
    assert motifs["M1"].n_sites == 31


def test_gzip_is_told_by_its_bytes_and_not_by_its_name(tmp_path):
    assert list(read_meme(write(tmp_path, gzip.compress((HEADER + MOTIF).encode())))) == ["M1"]
    plain = tmp_path / "plain.gz"
    plain.write_text(HEADER + MOTIF)
    assert list(read_meme(plain)) == ["M1"]


@pytest.mark.parametrize("field", ["", "nsites= 0"])
def test_number_of_sites_may_be_unknown(tmp_path, field):
    path = write(tmp_path, HEADER + MOTIF.replace("nsites= 31", field))
    assert read_meme(path)["M1"].n_sites is None


def test_rows_that_sum_to_one_within_the_tolerance_are_divided_by_their_sums(tmp_path):
    path = write(tmp_path, HEADER + MOTIF.replace("0.1 0.2 0.3 0.4", "0.33 0.33 0.33 0.00"))
    np.testing.assert_allclose(read_meme(path)["M1"].ppm[:, 0], [1 / 3, 1 / 3, 1 / 3, 0])
    np.testing.assert_allclose(load_motifs(path)["M1"].sum(axis=0), 1, atol=1e-15)


@pytest.mark.parametrize(
    "row",
    [
        "0.1 0.2 0.3 0.3",
        "3 5 2 11",
        "0.1 0.2 0.7",
        "0.1 0.2 0.3 0.2 0.2",
        "-0.1 0.3 0.4 0.4",
        "nan 0 0 1",
        "0.1 0.2 x 0.7",
    ],
)
def test_a_bad_row_is_named(tmp_path, row):
    path = write(tmp_path, HEADER + MOTIF.replace("0.7 0.1 0.1 0.1", row))
    message = (
        rf"motifs\.meme: motif M1, row 2: got {re.escape(row)}, expected four probabilities \(A C G T\) that sum to 1"
    )
    with pytest.raises(InputError, match=message):
        read_meme(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r'got a file without a line "MEME version \.\.\.", expected MEME minimal format'),
        (">MA0004.1\nA [4 19]\n", r"jaspar2meme, transfac2meme and others convert to it"),
        (HEADER, r"found no motif, expected at least one with a matrix"),
        (HEADER + MOTIF + MOTIF, r"motif M1 occurs twice; expected unique names\. Rename one"),
        (HEADER + "MOTIF M1\n" + MOTIF, r"motif M1 occurs twice"),
        (HEADER + MOTIF + "MOTIF\n" + TWO_ROWS, r"line 14 is MOTIF without an id"),
        (HEADER + MOTIF.replace("w= 2", "w= 3"), r"motif M1 has 2 rows of probabilities, expected w= 3"),
        (HEADER + MOTIF.replace("w= 2", "w= 1"), r"motif M1 has 2 rows of probabilities, expected w= 1"),
        (HEADER + MOTIF.replace(TWO_ROWS, ""), r"motif M1 has 0 rows of probabilities, expected w= 2"),
        (
            HEADER + "MOTIF M1\nletter-probability matrix:\n\n",
            r"motif M1 has 0 rows of probabilities, expected at least one",
        ),
        (HEADER.replace("ACGT", "ACGU") + MOTIF, r"motifs of the alphabet ACGU, expected DNA \(ALPHABET= ACGT\)"),
        (b"\xff\xfe\x00", "is not text, expected a motif file"),
        (gzip.compress((HEADER + MOTIF).encode(), mtime=0)[:60], "is a damaged gzip file"),
    ],
)
def test_what_is_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_meme(write(tmp_path, text))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(InputError, match="is a folder, expected a motif file"):
        read_meme(tmp_path)


def test_a_motif_without_a_matrix_is_named_in_a_warning(tmp_path):
    path = write(tmp_path, HEADER + "MOTIF first\nURL x\n" + MOTIF + "MOTIF last\n")
    with pytest.warns(
        UserWarning, match=r"left out motifs without a letter-probability matrix: first, last \(lines 10, 16\)$"
    ):
        motifs = read_meme(path)
    assert list(motifs) == ["M1"]


@pytest.mark.parametrize(
    ("file", "n_motifs", "name", "expected"),
    [
        ("motifs/JASPAR2024.meme.gz", 2346, "MA0004.1", "CACGTG"),
        ("motifs/H12CORE.first400.meme.gz", 400, "AHR.H12CORE.0.P.B", "GCTTGCGTGC"),
        ("tomtom/targets_jaspar2020.meme.gz", 746, "MA0006.1", "TGCGTG"),
        ("tomtom/queries.meme", 50, "filter0", "CAGTTATTTACCTGGTTTA"),
    ],
)
def test_reads_real_files(reference, file, n_motifs, name, expected):
    motifs = load_motifs(reference / file)
    assert len(motifs) == n_motifs
    assert consensus(motifs[name]) == expected


def test_reads_as_memelite_does(reference, read_meme_by_memelite):
    path = reference / "tomtom" / "queries.meme"
    theirs = read_meme_by_memelite(str(path))
    ours = load_motifs(path)
    assert list(ours) == list(theirs)
    for name, ppm in ours.items():
        np.testing.assert_allclose(ppm, theirs[name], atol=1e-6)


def test_round_trip(tmp_path):
    motifs = random_motifs([7, 5, 11])
    write_meme(tmp_path / "out.meme", motifs, n_sites=31.5)
    read = read_meme(tmp_path / "out.meme")
    assert list(read) == list(motifs)
    for name, ppm in motifs.items():
        np.testing.assert_allclose(read[name].ppm, ppm, atol=1e-6)
        assert read[name].n_sites == 31.5


def test_memelite_reads_what_is_written(tmp_path, read_meme_by_memelite):
    ppm = random_motifs([7])["M7"]
    write_meme(tmp_path / "out.meme", {"a": Motif(ppm, 153.25, "two words"), "c": Motif(ppm), "d": ppm})
    theirs = read_meme_by_memelite(str(tmp_path / "out.meme"))
    assert list(theirs) == ["a two_words", "c", "d"]
    for read_ppm in theirs.values():
        np.testing.assert_allclose(read_ppm, ppm, atol=1e-6)


def strictly_parsed(text):
    """The motifs of a file in MEME minimal format, by the letter of its documentation: what is not there, fails.

    Version line first; alphabet, strands and background before the first motif; then MOTIF with an id and perhaps
    another name, the line of the matrix with its keys in their order, w rows of alength probabilities, and nothing but
    blank lines up to the next motif.
    """
    lines = iter(text.split("\n"))
    assert re.fullmatch(r"MEME version \d+(\.\d+)*", next(lines))
    header = []
    while not (line := next(lines)).startswith("MOTIF"):
        header += [line] if line else []
    alphabet, strands, background, frequencies = header
    assert (alphabet, strands) == ("ALPHABET= ACGT", "strands: + -")
    assert re.fullmatch(r"Background letter frequencies( \(from .+\):)?", background)
    words = frequencies.split()
    assert words[::2] == list("ACGT")
    assert abs(sum(map(float, words[1::2])) - 1) < 1e-5
    motifs = {}
    while line is not None:
        _, identifier, *other = line.split(" ")
        assert identifier not in motifs
        assert len(other) <= 1
        assert all(0 < len(name) <= 100 for name in (identifier, *other))
        keys = re.fullmatch(
            r"letter-probability matrix: alength= 4 w= ([1-9]\d*) nsites= (\d+(?:\.\d+)?) E= (\d+)", next(lines)
        )
        assert float(keys[2]) > 0
        rows = [[float(word) for word in next(lines).split()] for _ in range(int(keys[1]))]
        assert all(len(row) == 4 and min(row) >= 0 and max(row) <= 1 and abs(sum(row) - 1) < 1e-5 for row in rows)
        motifs[identifier] = (np.array(rows).T, float(keys[2]), "".join(other))
        line = next((line for line in lines if line), None)
        assert line is None or line.startswith("MOTIF ")
    return motifs


@given(st.lists(st.integers(1, 13), min_size=1, max_size=5, unique=True), st.integers(0, 10**6), st.floats(1e-3, 1e9))
def test_what_is_written_obeys_the_format_to_the_letter(tmp_path_factory, widths, seed, n_sites):
    path = tmp_path_factory.mktemp("meme") / "out.meme"
    given_motifs = {name: Motif(ppm, n_sites, "a b") for name, ppm in random_motifs(widths, seed).items()}
    write_meme(path, given_motifs, background=[0.3, 0.2, 0.2, 0.3])
    parsed = strictly_parsed(path.read_text())
    assert list(parsed) == list(given_motifs)
    for name, (ppm, sites, other_name) in parsed.items():
        np.testing.assert_allclose(ppm, given_motifs[name].ppm, atol=1e-7)
        assert sites == pytest.approx(n_sites, rel=1e-12)
        assert other_name == "a_b"


def test_a_motif_keeps_its_sites_and_its_other_name(tmp_path):
    ppm = random_motifs([7])["M7"]
    motifs = {"a": Motif(ppm, 153.25, "two words"), "b": Motif(ppm, 11, "x" * 130), "c": Motif(ppm), "d": ppm}
    write_meme(tmp_path / "out.meme", motifs, n_sites={"b": 12.5})
    read = read_meme(tmp_path / "out.meme")
    assert [motif.n_sites for motif in read.values()] == [153.25, 12.5, 20, 20]
    assert [motif.other_name for motif in read.values()] == ["two_words", "x" * 100, "", ""]


def test_the_text_that_is_written(tmp_path):
    path = tmp_path / "out.meme"
    write_meme(path, {"a::b(1)": [[0.5], [0.125], [0.25], [0.125]]}, background=[0.3, 0.2, 0.2, 0.3], n_sites={"x": 3})
    assert path.read_text() == (
        "MEME version 5\n\nALPHABET= ACGT\n\nstrands: + -\n\nBackground letter frequencies (from unknown source):\n"
        "A 0.300000 C 0.200000 G 0.200000 T 0.300000\n\n"
        "MOTIF a::b(1)\nletter-probability matrix: alength= 4 w= 1 nsites= 20 E= 0\n"
        " 0.50000000  0.12500000  0.25000000  0.12500000\n"
    )


@pytest.mark.parametrize(
    ("name", "advice"), [("two words", "two_words"), ("tab\t", "tab"), ("", "motif_0"), ("x" * 101, "x" * 100)]
)
def test_a_name_that_meme_cannot_hold(tmp_path, name, advice):
    ppm = random_motifs([7])["M7"]
    message = (
        f"got the motif name {name!r}, expected 1 to 100 characters without white space. Rename it, e.g. {advice!r}"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        write_meme(tmp_path / "out.meme", {name: ppm})
    assert not (tmp_path / "out.meme").exists()
    write_meme(tmp_path / "out.meme", {advice: ppm})
    assert list(read_meme(tmp_path / "out.meme")) == [advice]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"motifs": {}}, "write_meme: got no motif, expected at least one"),
        ({"motifs": {3: np.full((4, 5), 0.25)}}, r"got the name 3 \(int\)"),
        ({"motifs": {"M": np.full((4, 5), 0.5)}}, "motif M: the probabilities of position 0"),
        ({"n_sites": 0}, "got n_sites 0 for motif M7, expected a positive number"),
        ({"n_sites": {"M7": float("nan")}}, "got n_sites nan for motif M7"),
        ({"background": [1, 0, 0, 0]}, "expected four positive probabilities"),
    ],
)
def test_what_is_not_written(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        write_meme(tmp_path / "out.meme", **{"motifs": random_motifs([7])} | arguments)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(
        InputError, match=r"cannot write .*out\.meme \(No such file or directory\)\. Give a path in a folder"
    ):
        write_meme(tmp_path / "nowhere" / "out.meme", random_motifs([7]))


@pytest.mark.parametrize(
    ("below", "message"),
    [
        ("x\n0 0 0 1\n", r"motif M1: got the row 0 0 0 1 after 'x', which ends the matrix"),
        ("letter-probability matrix: w= 1\n0 0 0 1\n", r"motif M1: got two matrices, expected one"),
        ("log-odds matrix: w= 1\n1 -2 3 4\nletter-probability matrix:\n0 0 0 1\n", r"motif M1: got two matrices"),
    ],
)
def test_no_row_is_dropped_without_a_word(tmp_path, below, message):
    text = HEADER + MOTIF.replace(" alength= 4 w= 2 nsites= 31 E= 1e-5", "")
    assert read_meme(write(tmp_path, text + "log-odds matrix: w= 1\n1 -2 3 4\n"))["M1"].ppm.shape == (4, 2)
    with pytest.raises(InputError, match=message):
        read_meme(write(tmp_path, text + below))


@pytest.mark.parametrize("row", ["1_0 0 0 0", "nan 0 0 1", "0 0 0 1\xa00"])
def test_rows_of_anything_but_plain_numbers(tmp_path, row):
    with pytest.raises(
        InputError, match=r"expected four probabilities|has 1 rows of probabilities|which ends the matrix"
    ):
        read_meme(write(tmp_path, HEADER + MOTIF.replace("0.7 0.1 0.1 0.1", row)))


#: A motif as in MEME's full text: what stands around the matrix is of other tables.
FULL_TEXT = """
********************************************************************************
MOTIF M1 one	width =   2  sites =  31  llr = 88  E-value = 1.0e-005
********************************************************************************
--------------------------------------------------------------------------------
	Motif M1 one Description
--------------------------------------------------------------------------------
Simplified        A  13
         bits    2.1 *
Relative         1.9 *
--------------------------------------------------------------------------------
	Motif M1 one block diagrams
--------------------------------------------------------------------------------
SEQ1   8.7e-07  51_[1]_139 2 3 4
--------------------------------------------------------------------------------
	Motif M1 one position-specific scoring matrix
--------------------------------------------------------------------------------
log-odds matrix: alength= 4 w= 2 n= 462 bayes= 6.4 E= 1e-5
 -1010    227  -1010  -1010
     1      0      0      0
--------------------------------------------------------------------------------
	Motif M1 one position-specific probability matrix
--------------------------------------------------------------------------------
letter-probability matrix: alength= 4 w= 2 nsites= 31 E= 1.0e-005
 0.1  0.2  0.3  0.4
 0.7  0.1  0.1  0.1
--------------------------------------------------------------------------------
	Motif M1 one regular expression
--------------------------------------------------------------------------------
[TG]A
--------------------------------------------------------------------------------

Time  0.26 secs.

********************************************************************************
SUMMARY OF MOTIFS
********************************************************************************
SEQ1  1 0 0 0
 0 1 0 0
"""
DREME = """#             Word    RC Word        Pos        Neg    P-value    E-value
# BEST          TA         TA        350         40   4.9e-078   2.1e-073
#               GA         TC        175         19   2.4e-036   1.0e-031
"""
DNA = """ALPHABET "DNA" DNA-LIKE
# core symbols
A "Adenine = A" CC0000 ~ T "Thymine" 008000
C "Cytosine" 0000CC ~ G "Guanine" FFB300
N "Any base" = ACGT
. = ACGT
U = T
END ALPHABET"""
RNA = 'ALPHABET "RNA" RNA-LIKE\nA\nC\nG\nU\nEND ALPHABET'


@pytest.mark.parametrize(
    "text",
    [
        HEADER + FULL_TEXT,
        HEADER + MOTIF.replace("letter-", DREME + "\nletter-") + "\nTime 12.3 secs.\n",
        HEADER + MOTIF + "Time 12.3 secs.\n",
        HEADER + MOTIF + "# 1 2 3 4\nURL 1 2 3 4\n\n*****\nSTOPPING REASON: 3 motifs\n1 2 3 4\n",
        HEADER + MOTIF + "\nlog-odds matrix: alength= 4 w= 1\n1 0 0 0\n",
        *(HEADER.replace("ALPHABET= ACGT", own) + MOTIF for own in (DNA, RNA, "ALPHABET= DNA\nALPHABET= ACGT")),
        HEADER + MOTIF.replace("4 w= 2 nsites= 31", "4, W=2, nsites= 3.1e1,"),
    ],
)
def test_what_meme_s_programs_write_around_a_matrix_is_no_row(tmp_path, text):
    motif = read_meme(write(tmp_path, text))["M1"]
    np.testing.assert_array_equal(motif.ppm, [[0.1, 0.7], [0.2, 0.1], [0.3, 0.1], [0.4, 0.1]])
    assert motif.n_sites == 31


@pytest.mark.parametrize("line", ["motif M2", "MOTIF\xa0M2", "Motif: M2", "\ufeffMOTIF M2", ">MOTIF M2"])
@pytest.mark.parametrize("place", ["first", "without a matrix", "after another"])
def test_no_motif_is_dropped_or_given_another_s_name(tmp_path, line, place):
    text = {"first": "", "without a matrix": "MOTIF M0\n", "after another": MOTIF}[place]
    message = (
        r"line \d+: got a matrix before the first MOTIF" if place == "first" else r"line \d+: got '.*', expected MOTIF"
    )
    with pytest.raises(InputError, match=message):
        read_meme(write(tmp_path, HEADER + text + MOTIF.replace("MOTIF M1 one", line) + MOTIF.replace("M1", "M3")))


@pytest.mark.parametrize("row", ["O 1 0 0", "[0 1 0 0]", "\xa00 1 0 0", "(0,1,0,0)", "x 0 1 0 0", "a1 1 0 0"])
@pytest.mark.parametrize("above", ["", "\n"])
@pytest.mark.parametrize("is_counted", [True, False])
def test_a_row_that_is_misspelt_is_not_the_end_of_the_matrix(tmp_path, row, above, is_counted):
    text = MOTIF if is_counted else MOTIF.replace("w= 2", "")
    with pytest.raises(InputError, match=rf"motif M1, line 1[45]: got {re.escape(repr(row))} below the rows, expected"):
        read_meme(write(tmp_path, HEADER + text + above + row + "\n"))


@pytest.mark.parametrize(
    "below", ["x\n", "x\n0 0 1\n", "URL x\n0 1 0 0\n", "\nx\n[0 1 0 0]\n", "URL x\n0 1 0 0\n0 1 0 0"]
)
def test_no_row_beyond_those_that_the_header_counts(tmp_path, below):
    with pytest.raises(
        InputError, match=r"line 14: got 'x' below the rows|got the row .* which ends the matrix.*line 1\d"
    ):
        read_meme(write(tmp_path, HEADER + MOTIF + below))


@pytest.mark.parametrize(
    "block", ["0 1 0 0\n" + MOTIF.split("\n", 1)[1], "letter-probability:\n" + TWO_ROWS, "\n[1 0 0 0]\n"]
)
def test_no_row_stands_above_the_matrix_or_without_its_header(tmp_path, block):
    message = r'motif M1, line 1\d: got the row .*, expected a line "letter-probability matrix:" above the rows'
    with pytest.raises(InputError, match=message):
        read_meme(write(tmp_path, HEADER + "MOTIF M1\n" + block))


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("nsites= 31", ["1_0", "nan", "1e999", "-7", "many", "", "1,000", "31 nsites= 7"]),
        ("w= 2", ["2.0", "-2", "1_0", "two", "\u0662", "", "2 w= 1"]),
        ("alength= 4", ["20", "5", "4.0", "four", ""]),
    ],
)
def test_the_numbers_of_a_header_are_plain(tmp_path, key, values):
    name = key.split("=")[0]
    for value in values:
        with pytest.raises(
            InputError, match=rf"motif M1, line 11: got {name}= .*, expected .*\. Correct it, or leave it"
        ):
            read_meme(write(tmp_path, HEADER + MOTIF.replace(key, f"{name}= {value}")))


@pytest.mark.parametrize(
    ("alphabet", "message"),
    [
        ("ALPHABET= ACGT\nALPHABET= ACDEFGHIKLMNPQRSTVWY", "line 4: got motifs of the alphabet ACDEFGHIKLMNPQRSTVWY"),
        ("ALPHABET= ACTG", "line 3: got motifs of the alphabet ACTG, expected DNA"),
        (
            RNA.replace("A\nC\nG\nU", "U\nG\nC\nA"),
            "line 3: got an alphabet of the letters U G C A, expected A, C, G, T in",
        ),
        (RNA.replace("U", "D"), "line 3: got an alphabet of the letters A C G D"),
        (DNA.replace("N ", "m ").replace('"Any base" =', '"Methylated"'), "got an alphabet of the letters A C m T G"),
        (DNA.replace("A ", "C ", 1).replace("\nC ", "\nA "), "got an alphabet of the letters"),
    ],
)
def test_columns_are_those_of_a_c_g_t(tmp_path, alphabet, message):
    with pytest.raises(InputError, match=message):
        read_meme(write(tmp_path, HEADER.replace("ALPHABET= ACGT", alphabet) + MOTIF))


@pytest.mark.parametrize("row", ["0.1 0.2 0.3 0.4", "\xa0[0 1 0 0]", "nsites= 3 0 0 1 O"])
def test_no_row_stands_behind_the_header_of_a_matrix(tmp_path, row):
    text = HEADER + f"MOTIF M1\nletter-probability matrix:{row}\n{TWO_ROWS}"
    with pytest.raises(
        InputError, match=r"motif M1, line 11: got numbers behind 'letter-probability matrix:', expected"
    ):
        read_meme(write(tmp_path, text))


@pytest.mark.parametrize("line", ["MEME version", "ALPHABET=", "strands:", "MOTIF"])
def test_no_row_stands_above_the_first_motif(tmp_path, line):
    with pytest.raises(InputError, match=r"motifs\.meme, line \d+: got the row '0 1 0 0', expected a line"):
        read_meme(write(tmp_path, (HEADER + MOTIF).replace(line, f"0 1 0 0\n{line}", 1)))
    bare = HEADER.replace("A 0.25 C 0.25 G 0.25 T 0.25", "0.25 0.25 0.25 0.25")
    assert list(read_meme(write(tmp_path, bare + MOTIF))) == ["M1"]


def test_files_that_were_joined_are_read(tmp_path):
    text = HEADER + MOTIF + HEADER + MOTIF.replace("M1", "M2")
    assert list(read_meme(write(tmp_path, text))) == ["M1", "M2"]


@pytest.mark.parametrize("n_sites", ["x", 10**400, [1], float("nan"), 0, {"a": "31 sites"}])
def test_what_is_no_number_of_sites_is_refused_and_the_old_file_stays(tmp_path, n_sites):
    (tmp_path / "out.meme").write_text("old")
    with pytest.raises(InputError, match=r"^write_meme: got n_sites .* for motif a, expected a positive number\.$"):
        write_meme(tmp_path / "out.meme", {"a": np.full((4, 3), 0.25)}, n_sites=n_sites)
    assert (tmp_path / "out.meme").read_text() == "old"
    with pytest.raises(InputError, match=r"write_meme: .*NUL"):
        write_meme("a\0b", {"a": np.full((4, 3), 0.25)})
    with pytest.raises(InputError, match=r"motif a: got something that is not a matrix of numbers .*complex"):
        write_meme(tmp_path / "out.meme", {"a": np.full((4, 3), 0.25 + 1j)})


@pytest.mark.parametrize("name", ["a\x00", "\x07b", "c\u200b"])
def test_a_name_that_cannot_be_seen_is_not_written(tmp_path, name):
    with pytest.raises(InputError, match=r"got the motif name '.*', with a character that cannot be seen\. Rename it"):
        write_meme(tmp_path / "a.meme", {name: np.full((4, 3), 0.25)})


def test_an_alphabet_that_does_not_end_is_looked_for_once(tmp_path):
    path = write(tmp_path, "MEME version 4\n" + 'ALPHABET "DNA"\n' * 100_000)
    with pytest.raises(InputError, match="found no motif"):
        read_meme(path)
