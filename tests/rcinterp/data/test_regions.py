"""Regions of BED and narrowPeak files, their summits and overlaps, against slow loops."""

import gzip
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rcinterp.data.regions import overlap_any, read_regions, take_summits
from rcinterp.errors import InputError


def narrowpeak(chrom, start, end, offset, score=1.0):
    return chrom, start, end, ".", 0, ".", score, -1, -1, offset


def table(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "summit", "has_summit", "score"])


# Reading regions.


def test_bed_takes_the_centre_and_narrowpeak_its_summit(write_bed):
    bed = read_regions(write_bed("a.bed", ("chr1", 10, 20), ("chr2", 10, 21), ("chr1", 0, 1)))
    assert bed["summit"].tolist() == [15, 15, 0]
    assert not bed["has_summit"].any()
    rows = (narrowpeak("chr1", 100, 160, 7, 2.5), narrowpeak("chr1", 100, 160, -1), narrowpeak("chrX", 9, 13, 4))
    peaks = read_regions(write_bed("b.narrowPeak", *rows))
    assert peaks["summit"].tolist() == [107, 130, 12]
    assert peaks["has_summit"].tolist() == [True, False, True]
    assert peaks["score"].tolist() == [2.5, 1.0, 1.0]


def test_a_file_may_have_headings_other_line_ends_and_be_packed(tmp_path):
    heading = "track name=x\nbrowser position\n# chrom start end\r\n\r\n"
    text = heading + "chr2\t5\t9\tb\t7\r\nchr1\t5\t9\ta\t.\r\nchr2\t5\t9\tb\t7"
    (tmp_path / "plain.bed").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "packed").write_bytes(gzip.compress(text.replace("\t", " ").encode()))
    plain, packed = read_regions(tmp_path / "plain.bed"), read_regions(tmp_path / "packed")
    pd.testing.assert_frame_equal(plain, packed)
    assert plain["chrom"].tolist() == ["chr2", "chr1", "chr2"]
    np.testing.assert_array_equal(plain["score"], [7, np.nan, 7])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("chr1\t5\t9\nchr1\t5", r"line 2 has 2 columns, expected 3 as in the lines above; correct or remove it\.$"),
        ("#\nchr1\t5", r"line 2 is 'chr1 5', expected chrom, start and end, separated by tabs"),
        ("chrom\tstart\tend", r"line 1 has start 'start' and end 'end', expected integers \(0-based\)"),
        ("chr1\t-5\t9", r"line 1 has start '-5'"),
        ("chr1\t1_0\t90", r"line 1 has start '1_0'"),
        ("chr1\t9\t9", r"line 1 has start 9 and end 9, expected start < end"),
        ("chr1\t5\t9\t.\t0\t.\t1\t-1\t-1\t5", r"line 1 has '5' in column 10, expected .* 0 to 4, or -1 for none"),
        ("\n".join(f"chr1\t5\t9\t.\t0\t.\t1\t-1\t-1\t{x}" for x in (2, "peak_1")), r"line 2 has 'peak_1' in column 10"),
        ("# nothing", r"holds no region, expected BED or narrowPeak lines"),
    ],
)
def test_a_bad_line_is_named(tmp_path, lines, message):
    (tmp_path / "bad.bed").write_text(lines)
    with pytest.raises(InputError, match=r"bad\.bed: " + message):
        read_regions(tmp_path / "bad.bed")


@pytest.mark.parametrize("word", ["1e999", "-1e999", "1_000", "1,000", "inf", "nan", "0x10"])
@pytest.mark.parametrize(("name", "column"), [("a.bed", 5), ("a.narrowPeak", 7)])
def test_a_score_that_is_no_finite_number_is_an_error(write_bed, word, name, column):
    """Taken as none, it would move summits to another one."""
    row = list(narrowpeak("chr1", 100, 160, 7, "1.5"))[: 10 if column == 7 else 6]
    bad = [word if i == column - 1 else value for i, value in enumerate(row)]
    message = rf"line 2 has the score '{word}' in column {column}, expected a finite number in plain digits, or \. for"
    with pytest.raises(InputError, match=message):
        read_regions(write_bed(name, row, bad))
    none = [["." if i == column - 1 else value for i, value in enumerate(row)]]
    assert np.isnan(read_regions(write_bed(name, *none))["score"]).all()


def test_words_in_column_5_of_bed_are_no_scores(write_bed):
    """Other programs put names, strands and words there; beside scores they are told."""
    rows = [("chr1", 100, 160, "gene", word) for word in ("+", "NA", "NOT_USED", "chr1", "DDX11L2")]
    assert np.isnan(read_regions(write_bed("a.bed", *rows))["score"]).all()
    with pytest.warns(
        UserWarning, match=r"a\.bed: has no score in 5 of 6 lines, the first line 2 with '\+' in column 5"
    ):
        assert read_regions(write_bed("a.bed", ("chr1", 1, 9, "x", "2.5"), *rows))["score"].notna().tolist() == [
            True,
            *[False] * 5,
        ]
    with pytest.raises(InputError, match="line 1 has the score 'abc' in column 7"):
        read_regions(write_bed("a.narrowPeak", narrowpeak("chr1", 100, 160, 7, "abc")))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("chr1 \t1\t20\n chr1\t 3\t20 \n", [("chr1", 1, 20), ("chr1", 3, 20)]),
        ("chr1\t1\t20\t\nchr1\t3\t20\tb\n", [("chr1", 1, 20), ("chr1", 3, 20)]),
        ("chr1\t1\t20\ta\t5\nchr1\t3\t20\tb\t\nchr1\t4\t20\t\t\n", [("chr1", n, 20) for n in (1, 3, 4)]),
        ("chr1\t1\t20\t\nchr1\t3\t20\n", [("chr1", 1, 20), ("chr1", 3, 20)]),
        (" # x\n\t# y\nchr1\t1\t20\n", [("chr1", 1, 20)]),
        ("track\t1\t20\nbrowser\t3\t20\ntracks\t3\t20\n", [("track", 1, 20), ("browser", 3, 20), ("tracks", 3, 20)]),
        ("track\ntrack name=a\ntrack\tname=a\nbrowser position a:1-2\nchr1 1 20\n", [("chr1", 1, 20)]),
        ("chr1\t1\t20\rchr2\t1\t20\r", [("chr1", 1, 20), ("chr2", 1, 20)]),
    ],
)
def test_blanks_empty_columns_and_headings_drop_nothing(tmp_path, lines, expected):
    (tmp_path / "a.bed").write_text(lines, newline="")
    regions = read_regions(tmp_path / "a.bed")
    assert list(regions[["chrom", "start", "end"]].itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("odd", ["\xa0", "\u200b", "\u202e"])
def test_what_cannot_be_seen_in_a_chromosome_is_an_error(tmp_path, odd):
    (tmp_path / "a.bed").write_text(f"chr1\t1\t20\nchr1{odd}\t1\t20\n", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"line 2 has the chromosome .*, with a character that cannot be seen; correct"
    ):
        read_regions(tmp_path / "a.bed")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("chr1\t1\t20\nchr1\t3\t20\tb\n", "line 2 has 4 columns, expected 3 as in the lines above"),
        ("chr1\t1\t20\ta\nchr1\t3\t20\n", "line 2 has 3 columns, expected 4 as in the lines above"),
        ("chr1\t1\t20\t\nchr1\t3\t20\tb\nchr1\t3\t20\n", "line 3 has 3 columns, expected 4 as in the lines above"),
    ],
)
def test_columns_that_are_missing_are_an_error(tmp_path, lines, message):
    (tmp_path / "a.bed").write_text(lines)
    with pytest.raises(InputError, match=message):
        read_regions(tmp_path / "a.bed")


def test_a_file_of_nine_columns_that_is_called_narrowpeak_is_told(write_bed):
    path = write_bed("a.narrowPeak", narrowpeak("chr1", 100, 160, 7)[:9])
    with pytest.warns(UserWarning, match=r"has 9 columns, but is called narrowPeak, .* the centre of a region as its"):
        assert read_regions(path)["summit"].tolist() == [130]


def test_a_table_is_compared_with_the_memory_there_is(write_bed, monkeypatch):
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 10**8)
    (path := write_bed("a.bed", ("c", 1, 2))).write_text("c\t1\t2\n" * 10**6)
    with pytest.raises(InputError, match=r"a table of its 1,000,001 lines takes about 150\.0 MB of memory, .*; split"):
        read_regions(path)


def test_short_lines_take_little_memory(tmp_path):
    """As of a small gzip file, which once took 30 times its text."""
    (tmp_path / "a.bed.gz").write_bytes(gzip.compress(b"c\t1\t2\n" * 60_000))
    tracemalloc.start()
    try:
        assert len(read_regions(tmp_path / "a.bed.gz")) == 60_000
        assert tracemalloc.get_traced_memory()[1] < 150 * 60_000
    finally:
        tracemalloc.stop()


#: Ten columns and more of other programs: bedtools closest -d, coverage, and a BED12 of two blocks.
TEN_COLUMNS = {
    "closest": [("chr1", 1000, 1300, "chr1", 1350, 1400, "gA", 0, "+", 50)],
    "coverage": [("chr1", 1000, 1300, "a", 0, "+", 7, 300, 300, "1.0000000")],
    "BED12": [("chr1", 1000, 1300, "a", 0, "+", 1000, 1300, 0, 2, "50,60,", "0,240")],
}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("closest", "column 6 is '1400', expected a strand"),
        ("coverage", "column 10 is '1.0000000', expected an integer"),
        ("BED12", "it is BED12"),
    ],
)
def test_ten_columns_are_no_narrowpeak_by_themselves(write_bed, program, reason):
    path = write_bed("x.bed", *TEN_COLUMNS[program])
    with pytest.warns(UserWarning, match="is no narrowPeak") as said:
        regions = read_regions(path)
    n = len(TEN_COLUMNS[program][0])
    assert str(said[0].message) == (
        f"{path}: has {n} columns, but is no narrowPeak ({reason}): taken as BED, and the centre of a region as its "
        "summit."
    )
    assert (regions["summit"].tolist(), regions["has_summit"].tolist()) == ([1150], [False])


def test_narrowpeak_with_more_columns_is_narrowpeak(write_bed):
    """As IDR writes it, of 20 columns, and bedtools intersect -c, of 11."""
    ten = [narrowpeak("chr1", 1000, 1300, 20, 18.2), narrowpeak("chr1", 1500, 1900, 350, 8.2)]
    expected = read_regions(write_bed("ten.bed", *ten))
    for more in ((5.0, 5.0, 1000, 1290, 17.0, 22, 1002, 1300, 19.1, 21), (3,)):
        path = write_bed("more.bed", *((*row, *more) for row in ten))
        with pytest.warns(UserWarning, match=f"has {10 + len(more)} columns: the first ten are taken as narrowPeak"):
            pd.testing.assert_frame_equal(read_regions(path), expected)
    assert expected["summit"].tolist() == [1020, 1850]
    assert expected["score"].tolist() == [18.2, 8.2]


def test_a_file_that_is_called_narrowpeak_is_held_to_it(write_bed):
    with pytest.raises(InputError, match=r"line 1 has '1\.0' in column 10, expected the summit of a narrowPeak"):
        read_regions(write_bed("x.narrowPeak", (*narrowpeak("chr1", 10, 20, 0)[:-1], "1.0")))


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"chr1\t5\t9\n" * 99)[:-9])
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name, message in (
        ("cut.gz", "is a damaged gzip file"),
        ("binary", "is not text"),
        ("none", r"no such file, expected a BED or narrowPeak file"),
        ("", r"is a folder, expected a BED or narrowPeak file"),
    ):
        with pytest.raises(InputError, match=message):
            read_regions(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "n", "has_summits"),
    [
        ("peaks_hg19/GM12878_CTCF_Broad_AwgUniPk.chr1-22.hg19.bed.gz", 43402, False),
        ("peaks_hg19/ChIPseq.GM12878.SPI1.conservative.train.first10000.narrowPeak.gz", 10000, True),
        ("peaks_hg19/ChIPseq.GM12878.MAX.conservative.train.narrowPeak.gz", 12786, True),
    ],
)
def test_real_files(reference, name, n, has_summits):
    regions = read_regions(reference / name)
    assert len(regions) == n
    assert (regions["has_summit"] == has_summits).all()
    assert ((regions["start"] <= regions["summit"]) & (regions["summit"] < regions["end"])).all()
    assert regions["score"].notna().all() == has_summits


# Summits of another file.


def test_summits_rule():
    regions = table(
        ("chr2", 10, 30, 20, True, 1.0),  # two: the higher score
        ("chr1", 10, 30, 20, True, 1.0),  # none in it (9 and 30 are outside): its own
        ("chr1", 25, 50, 37, False, 1.0),  # 30 twice with the same score as 40: the leftmost
        ("chr3", 10, 30, 20, False, 1.0),  # a score before none
    )
    summits = table(
        *(("chr1", p, p + 1, p, False, 5.0) for p in (40, 9, 30, 30)),
        *(("chr2", p, p + 1, p, False, float(p)) for p in (29, 10, 30)),
        *(("chr3", p, p + 1, p, False, s) for p, s in ((11, np.nan), (12, 0.0))),
    )
    taken = take_summits(regions, summits)
    assert taken["summit"].tolist() == [29, 20, 30, 12]
    assert taken["has_summit"].tolist() == [True, False, True, True]
    pd.testing.assert_frame_equal(
        taken.drop(columns=["summit", "has_summit"]), regions.drop(columns=["summit", "has_summit"])
    )


@given(
    st.lists(
        st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 20), st.integers(1, 15)), min_size=1, max_size=6
    ),
    st.lists(
        st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=12
    ),
)
def test_summits_are_those_of_a_slow_loop(spans, points):
    regions = table(*((c, s, s + n, s + n // 2, False, 0.0) for c, s, n in spans))
    expected = []
    for chrom, start, end, own, *_ in regions.itertuples(index=False):
        inside = [(-score, p) for c, p, score in points if c == chrom and start <= p < end]
        expected.append((min(inside)[1], True) if inside else (own, False))
    assume(any(has_summit for _, has_summit in expected))
    taken = take_summits(regions, table(*((c, p, p + 1, p, False, float(score)) for c, p, score in points)))
    assert list(zip(taken["summit"], taken["has_summit"], strict=True)) == expected


def test_summits_of_other_chromosomes():
    with pytest.raises(
        InputError, match=r"none of 1 lies in any of 1 regions, .* name chromosomes alike \('1', 'chr1'\)"
    ):
        take_summits(table(("chr1", 0, 9, 4, False, 0.0)), table(("1", 4, 5, 4, False, 0.0)))


# Overlaps.

spans = st.lists(
    st.tuples(st.sampled_from(["chr1", "chr2", "chr3"]), st.integers(0, 40), st.integers(1, 15)).map(
        lambda t: (t[0], t[1], t[1] + t[2])
    ),
    max_size=12,
)


@given(spans, spans)
def test_overlaps_are_those_of_a_slow_loop(regions, others):
    expected = [any(c == d and s < f and e < t for d, e, f in others) for c, s, t in regions]
    columns = ["chrom", "start", "end"]
    assert (
        overlap_any(pd.DataFrame(regions, columns=columns), pd.DataFrame(others, columns=columns)).tolist() == expected
    )
