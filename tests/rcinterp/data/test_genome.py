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
    """Of a file without a line end at its end, with other line ends, and with an empty sequence."""
    for text in (ONE.rstrip("\n"), ONE.replace("\n", "\r\n"), ONE + "\n", ">a\n>b\nAC\n"):
        path = tmp_path / "genome.fa"
        path.write_bytes(text.encode())
        path.with_name("genome.fa.fai").unlink(missing_ok=True)
        found = []
        for _ in range(2):
            with Genome(path) as genome:
                found.append({name: genome.fetch(name, 0, length) for name, length in genome.lengths.items() if length})
        assert found[0] == found[1]


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
