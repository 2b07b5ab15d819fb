"""Genomes in every form of file, whole and damaged, and their indexes."""

import errno
import gzip
import os
import re
import shutil
import struct
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcinterp.data import fasta_index
from rcinterp.data.genome import Genome
from rcinterp.data.sequences import write_fasta
from rcinterp.errors import InputError


def bgzip(data, block=1000):
    """BGZF: gzip members with their size in an extra field "BC", and an empty one at the end."""
    members = []
    for i in range(0, len(data) + block, block):
        packer = zlib.compressobj(wbits=-15)
        deflated = packer.compress(data[i : i + block]) + packer.flush()
        head = struct.pack("<4BI2BH2BHH", 31, 139, 8, 4, 0, 0, 255, 6, 66, 67, 2, len(deflated) + 25)
        members.append(head + deflated + struct.pack("<II", zlib.crc32(data[i : i + block]), len(data[i : i + block])))
    return b"".join(members[: -(-len(data) // block)]) + bytes.fromhex(
        "1f8b08040000000000ff0600424302001b0003000000000000000000"
    )


@pytest.mark.parametrize("name", ["genome.fa", "genome.fa.gz", "genome.bgz", "folder"])
def test_every_kind_of_genome_gives_the_same_bases(genome, chromosomes, tmp_path, name):
    text = genome.read_text()
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        for chrom, record in zip(chromosomes, text.split(">")[1:], strict=True):
            (path / f"{chrom}.fa").write_text(f">{record}", newline="\r\n")
        (path / "README").write_text("")
    else:
        path.write_bytes(text.encode() if name.endswith("fa") else bgzip(text.encode()))
    for _ in range(2):  # with the index made, and with the one left
        with Genome(path) as opened:
            assert list(opened.lengths) == sorted(chromosomes)
            for chrom, dna in chromosomes.items():
                assert opened.lengths[chrom] == len(dna)
                assert opened.fetch(chrom, 0, len(dna)) == dna.upper()
                for start in (0, 1, 60, 61, 62, 121, 122, 931, len(dna) - 67):
                    assert (
                        opened.fetch(chrom, start, start + 67 - start % 3)
                        == dna[start : start + 67 - start % 3].upper()
                    )
        indexes = sorted(p.name for p in path.parent.rglob("*.fai"))
        assert indexes == (["chr1.fa.fai", "chr2.fa.fai", "chr3.fa.fai"] if name == "folder" else [f"{name}.fai"])
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("packed", [False, True])
def test_a_genome_comes_through_a_pipe(genome, chromosomes, piped, tmp_path, packed):
    data = genome.read_bytes()
    with Genome(piped("pipe", bgzip(data) if packed else data)) as opened:
        assert opened.lengths == {chrom: len(dna) for chrom, dna in sorted(chromosomes.items())}
        for chrom, dna in chromosomes.items():
            assert opened.fetch(chrom, 61, len(dna)) == dna[61:].upper()
        assert opened.files(["chr1"]) == [tmp_path / "pipe"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [genome.name, "pipe"]


def test_what_comes_through_a_pipe_is_named_by_the_pipe(piped):
    with pytest.raises(InputError, match=r"pipe: is plain gzip, in which no position can be found"):
        Genome(piped("pipe", gzip.compress(b">chr1\nACGT\n")))
    with pytest.raises(InputError, match=r"other: begins with b'chr1', expected '>' and a name"):
        Genome(piped("other", b"chr1"))


def test_an_outdated_index_is_made_anew(genome, chromosomes):
    with Genome(genome):
        pass
    index = Path(f"{genome}.fai")
    index.write_text("chr9\t5\t6\t61\t62\n")
    os.utime(index, (0, 0))
    with Genome(genome) as opened:
        assert list(opened.lengths) == list(chromosomes)
    assert "chr9" not in index.read_text()


def test_a_folder_that_cannot_be_written_needs_no_index(genome, chromosomes, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("rcinterp.data.genome.shutil.copyfile", refuse)
    with Genome(genome) as opened:
        assert opened.fetch("chr2", 0, 5) == chromosomes["chr2"][:5]
    assert [path.name for path in genome.parent.iterdir()] == ["genome.fa"]


def test_an_index_that_the_disk_has_no_room_for_is_left_out(genome, chromosomes, monkeypatch):
    def fill(source, target):
        Path(target).write_bytes(b"chr1")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("rcinterp.data.genome.shutil.copyfile", fill)
    with Genome(genome) as opened:
        assert opened.fetch("chr2", 0, 5) == chromosomes["chr2"][:5]
    assert [path.name for path in genome.parent.iterdir()] == ["genome.fa"]


def test_ambiguous_letters_are_n_and_others_an_error(tmp_path):
    write_fasta(tmp_path / "a.fa", ["ARYSWKMBDHVn"], names=["chr1"])
    with Genome(tmp_path / "a.fa") as opened:
        assert opened.fetch("chr1", 0, 12) == "A" + "N" * 11
    (tmp_path / "b.fa").write_text(">chr1\nACGTE\n")
    with (
        Genome(tmp_path / "b.fa") as opened,
        pytest.raises(InputError, match=r"b\.fa: chr1:1-5 is 'CGTE'\.\.\., expected 4"),
    ):
        opened.fetch("chr1", 1, 5)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "g.fa.gz",
            gzip.compress(b">chr1\nACGT\n", mtime=0),
            r"is plain gzip, .* expected FASTA, plain or bgzip\. Unpack it \(gunzip\)",
        ),
        ("g.fa.gz", bgzip(b">chr1\nACGT\n")[:-28], r"has no bgzip end-of-file mark, .* copy or download it again"),
        ("g.fa", bgzip(b">chr1\nACGT\n"), r"is compressed, expected \.gz at the end of .*; rename it"),
        ("g.fa.gz", b">chr1\nACGT\n", r"is not compressed, expected \.gz"),
        ("g.fa", b"chr1\t5\t10\n", r"begins with b'chr1\\t5\\t10\\n', expected '>' and a name"),
        ("g.fa", b">chr1\nACGT\nA\nACGT\n", r"cannot be read as FASTA \(Line length of fasta file is not consistent"),
        ("g.fa", b">chr1\nACGT\n>chr1\nACGT\n", r"cannot be read as FASTA \(Duplicate key"),
        ("none.fa", None, r"cannot be read \(No such file or directory\), expected a FASTA file"),
        ("", None, r"holds no FASTA file"),
    ],
)
def test_bad_genomes(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        Genome(tmp_path / name)


def test_a_chromosome_in_two_files(tmp_path):
    for name in ("a.fa", "b.fa"):
        write_fasta(tmp_path / name, ["ACGT"], names=["chr1"])
    with pytest.raises(InputError, match=r"b\.fa: chr1 stands in a\.fa too, expected each chromosome once; remove one"):
        Genome(tmp_path)


@pytest.mark.parametrize("is_indexed", [False, True])
def test_bgzip_without_biopython(tmp_path, monkeypatch, is_indexed):
    path = tmp_path / "g.fa.gz"
    path.write_bytes(bgzip(b">chr1\nACGT\n"))
    if is_indexed:
        with Genome(path):
            pass
    monkeypatch.setitem(sys.modules, "Bio", None)
    message = 'g.fa.gz: is bgzip, which needs biopython; pip install "rcinterp[bgzip]", or unpack the file.'
    with pytest.raises(InputError, match=f"{re.escape(message)}$"):
        Genome(path)
    write_fasta(tmp_path / "plain.fa", ["ACGT"], names=["chr1"])
    with Genome(tmp_path / "plain.fa") as opened:
        assert opened.lengths == {"chr1": 4}


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", r"a\.fa: its index a\.fa\.fai names no sequence; expected one of this file: delete it"),
        ("a\t-4\t3\t4\t5\n", r"has the numbers \(-4, 3, 4, 5\) for a, which is not in the file"),
        ("a\t9999\t3\t4\t5\n", r"has the numbers \(9999, 3, 4, 5\) for a"),
        ("a\t4\t3\t1\t99\n", r"has the numbers \(4, 3, 1, 99\) for a"),
        ("a\t4\t3\tx\t5\n", r"a\.fa: cannot be read as FASTA .* delete a\.fa\.fai"),
        ("a\t4\t-3\t4\t5\n", r"has the numbers \(4, -3, 4, 5\) for a"),
    ],
)
def test_an_index_that_is_damaged_is_told_with_its_name(index, message, tmp_path):
    (tmp_path / "a.fa").write_text(">a\nACGT\n")
    (tmp_path / "a.fa.fai").write_text(index)
    with pytest.raises(InputError, match=message), Genome(tmp_path / "a.fa") as genome:
        genome.fetch("a", 0, 4)


ONE = ">one a first\nACGTACGTAC\nGTACG\n>two\nTTTTTTTTTT\nCCCCCCCCCC\n>three\nGGG\n"
OTHERS = {
    "a longer header": ONE.replace("a first", "a first one, with more words " + "x" * 5000),
    "another order": ">two\nTTTTTTTTTT\nCCCCCCCCCC\n>one a first\nACGTACGTAC\nGTACG\n>three\nGGG\n",
    "another name": ONE.replace("two", "tow"),
    "longer lines": ONE.replace("AC\nGT", "ACGT"),
    "a longer sequence": ONE.replace("GTACG\n", "GTACGTA\n"),
    "a shorter sequence": ONE.replace("GTACG\n", "GTA\n"),
    "one letter more at the end": ONE.replace("GGG\n", "GGGG\n"),
    "a sequence before it": ">none\nACGT\n" + ONE,
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("other", OTHERS)
def test_an_index_of_another_file_of_the_same_name_is_refused(tmp_path, other, packed):
    """Newer than the file, as where an older copy has been put back; the sequences would be read at wrong places."""
    path = tmp_path / ("genome.fa.gz" if packed else "genome.fa")
    content = {text: bgzip(text.encode(), 30) if packed else text.encode() for text in (ONE, OTHERS[other])}
    path.write_bytes(content[ONE])
    for _ in range(2):
        with Genome(path) as genome:
            assert genome.lengths == {"one": 15, "two": 20, "three": 3}
    path.write_bytes(content[OTHERS[other]])
    if packed:
        Genome(shutil.copy(path, tmp_path / "other.fa.gz"))
        shutil.copy(tmp_path / "other.fa.gz.gzi", tmp_path / "genome.fa.gz.gzi")
    os.utime(path, (0, 0))
    with pytest.raises(
        InputError, match=r"genome.fa(.gz)?: its index genome.fa(.gz)?.fai (lets|has).* it is made anew"
    ):
        Genome(path)
    path.with_name(f"{path.name}.fai").unlink()
    with Genome(path) as genome:
        assert genome.fetch("two", 8, 12) == "TTCC" if "two" in genome.lengths else other == "another name"


def test_an_index_of_the_same_places_is_taken(tmp_path):
    """Of a file without a line end at its end, with other line ends, a byte order mark, comments and blank lines."""
    plain = ONE.encode()
    before = b"; a comment\n \n; another\n"
    for i, data in enumerate(
        (
            *(
                plain,
                plain.rstrip(b"\n"),
                plain.replace(b"\n", b"\r\n"),
                plain.replace(b"\n", b"\r"),
                plain + b"\n\n \n",
            ),
            *(before + plain, b"\xef\xbb\xbf" + plain, b"\xef\xbb\xbf" + before + plain, b"\n\n" + plain),
            *(
                plain.replace(b"\n>", b"\n\n>"),
                plain.replace(b"a first", b"a\rfirst"),
                plain.replace(b"GGG", b"GGG \t "),
            ),
            *(
                plain.replace(b"GGG", b"G" * 70),
                plain.replace(b"GGG", b"GGG \t "),
                plain.replace(b"GTACG\n", b"GTACG  \n"),
            ),
        )
    ):
        for name, content in ((f"{i}.fa", data), (f"{i}.fa.gz", bgzip(data, 7)), (f"{i}.bgz", bgzip(data))):
            (tmp_path / name).write_bytes(content)
            for _ in range(2):
                with Genome(tmp_path / name) as genome:
                    assert {one: genome.fetch(one, 0, length) for one, length in genome.lengths.items()} == {
                        "one": "ACGTACGTACGTACG",
                        "two": "T" * 10 + "C" * 10,
                        "three": "G" * (70 if b"G" * 70 in data else 3),
                    }, data


def test_bgzip_files_one_behind_the_other_are_one_genome(tmp_path):
    first, second = ONE.encode(), b">four\nACGTACGTAC\nACGT\n"
    (tmp_path / "genome.fa.gz").write_bytes(bgzip(first, 30) + bgzip(second, 9))
    for _ in range(2):
        with Genome(tmp_path / "genome.fa.gz") as genome:
            assert genome.lengths == {"one": 15, "two": 20, "three": 3, "four": 14}
            assert genome.fetch("four", 8, 12) == "ACAC"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("lost", [[0], [1], [2], [0, 1], [1, 2]])
def test_an_index_that_lost_lines_is_refused(tmp_path, lost, packed):
    """As one that was cut; its chromosomes would be missing without a word."""
    path = tmp_path / ("genome.fa.gz" if packed else "genome.fa")
    path.write_bytes(bgzip(ONE.encode(), 11) if packed else ONE.encode())
    with Genome(path):
        pass
    index = path.with_name(f"{path.name}.fai")
    lines = index.read_text().splitlines(keepends=True)
    index.write_text("".join(line for i, line in enumerate(lines) if i not in lost))
    with pytest.raises(InputError, match=r"its index .*\.fai .*has no entry for what stands .*: delete it"):
        Genome(path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("line", ["chr1\t150\t11\t50\t51\n", "chr1\t151\t11\t121\t122\n", "chr1\t152\t11\t152\t153\n"])
def test_an_index_of_another_line_width_is_refused(tmp_path, line, packed):
    """Its last letter stands where that of the file does, but others do not."""
    path = tmp_path / ("k.fa.gz" if packed else "k.fa")
    data = b">chr1 desc\n" + b"\n".join((b"ACGTTGCAAG" * 6, b"ACGTTGCATG" * 6, b"CCGTTGCAAG" * 3, b""))
    path.write_bytes(bgzip(data) if packed else data)
    with Genome(path) as genome:
        assert genome.lengths == {"chr1": 150}
    path.with_name(f"{path.name}.fai").write_text(line)
    with pytest.raises(InputError, match=r"lets chr1 have lines of another length than it has; .* made anew"):
        Genome(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b">a\nAC\n>b\n>c\nAC\n", r"line 3: record 'b' has no sequence; remove the record or fill in"),
        (b">a\nAC\n>b\n\n \n", r"line 3: record 'b' has no sequence"),
        (
            b">a\nACG \nACG \n",
            r"line 2 has blanks behind its letters, and letters follow\), expected lines of one length",
        ),
        (b">a\nACG\nACG\t\nA\n", r"line 3 has blanks behind its letters, and letters follow"),
        (b">a\nAC GT\n", r"line 2 has blanks between letters, expected letters alone; remove them\.$"),
        (b">a\nACG\n\nACG\n", r"line 3 is blank, and letters follow"),
        (b">a\n\nACG\n", r"line 2 is blank, and letters follow"),
        (b">a\nACG\nACGT\n", r"line 3 is longer than the one above"),
        (b">a\nACG\nA\n\nA\n", r"line 3 is shorter than those above or ends otherwise, and letters follow"),
        (b">a\nACG\r\nACG\nA\n", r"line 3 is shorter than those above or ends otherwise"),
        (b">a\nA\n>b\nA\n>a\nA\n", r"Duplicate key 'a' in lines 1 and 5\), expected each name once; rename"),
        (b">a\nA\n> \nA\n", r"line 3 has no name, expected '>' and a name"),
        (b">a\nA\n>\xe9\nA\n", r"line 3 has the name b'\\xe9', expected UTF-8; rename it"),
        (b">a\nA\n;c\n>b\nA\n", r"line 3 is a comment, expected a sequence's letters; remove it"),
        (b";c\nACGT\n>b\nA\n", r"line 2 stands before the first header, expected '>' and a name"),
        (b">" + b"a" * 2**20 + b"\nA\n", r"line 1 is a header of more than 1048576 bytes"),
        (b"\n\n", r"(begins with b'\\n\\n', expected '>' and a name|the file is empty; expected FASTA)"),
        (b";c\n\n", r"the file is empty; expected FASTA records"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 3, 2**24])
@pytest.mark.parametrize("packed", [False, True])
def test_what_no_index_can_describe_is_told_with_its_line(tmp_path, monkeypatch, data, message, chunk, packed):
    monkeypatch.setattr("rcinterp.data.fasta_index._CHUNK", chunk if len(data) < 100 else 2**10)
    path = tmp_path / ("a.fa.gz" if packed else "a.fa")
    path.write_bytes(bgzip(data, 2 if len(data) < 100 else 1000) if packed else data)
    with pytest.raises(InputError, match=rf"^{path}: (cannot be read as FASTA \(Line length .*: )?.*{message}"):
        Genome(path)


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(1, 12), st.sampled_from(["", "\n", " ", "\n\n"])),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 30),
    st.booleans(),
)
def test_an_index_is_that_of_a_slow_loop(tmp_path_factory, records, end, chunk, is_cut):
    """Whichever chunks the file comes in."""
    text, expected = "", {}
    for i, (length, width, behind) in enumerate(records):
        dna = "ACGTTGCAAC" * 4
        text += f">s{i} described\n"
        lines = [dna[j : min(j + width, length)] for j in range(0, length, width)]
        offset = len(text.replace("\n", end))
        text += "\n".join(lines) + behind + "\n"
        size = len(lines[0]) + len(behind if behind == " " and len(lines) == 1 else "") + len(end)
        expected[f"s{i}"] = [length, offset, len(lines[0]), size]
    data = text.replace("\n", end).encode()
    if is_cut and not records[-1][2]:
        data = data.removesuffix(end.encode())
        if records[-1][0] <= records[-1][1]:
            expected[f"s{len(records) - 1}"][3] -= len(end)
    folder = tmp_path_factory.mktemp("index")
    (folder / "a.fa").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta_index, "_CHUNK", max(chunk, 16 if "\r" in end else 1))
        fasta_index.write_index(folder / "a.fa", folder / "a.fa", folder / "a.fai", None)
    found = [line.split("\t") for line in (folder / "a.fai").read_text().splitlines()]
    assert {name: list(map(int, numbers)) for name, *numbers in found} == expected


def test_an_index_as_samtools_makes_it_is_taken(tmp_path):
    """Blanks at the end of a last line are no letters, and a name ends at a blank of ASCII alone."""
    path = tmp_path / "genome.fa"
    path.write_bytes(">a\u00a0b described\nACGT\nAC  \n>c\tx\nGG\n".encode())
    first, second = len(">a\u00a0b described\n".encode()), len(">a\u00a0b described\nACGT\nAC  \n>c\tx\n".encode())
    path.with_name("genome.fa.fai").write_text(f"a\u00a0b\t6\t{first}\t4\t5\nc\t2\t{second}\t2\t3\n", encoding="utf-8")
    with Genome(path) as genome:
        assert {name: genome.fetch(name, 0, n) for name, n in genome.lengths.items()} == {
            "a\u00a0b": "ACGTAC",
            "c": "GG",
        }
