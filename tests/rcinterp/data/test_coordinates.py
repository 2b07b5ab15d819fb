import pytest

from rcinterp.data.coordinates import find_windows, parse_coordinates


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("chr1:100-200", ["chr1", 100, 200, None]),
        ("chr1:100-200(-)", ["chr1", 100, 200, "-"]),
        ("peak_7::chrX:100-200(+)", ["chrX", 100, 200, "+"]),
        ("a::b::2L:100-200", ["2L", 100, 200, None]),
        ("chr1_100_200", ["chr1", 100, 200, None]),
        ("chr1-100-200", ["chr1", 100, 200, None]),
        ("chr1_KI270706v1_random_100_200", ["chr1_KI270706v1_random", 100, 200, None]),
        ("chrM|100|200", ["chrM", 100, 200, None]),
        ("chr1:101-200", ["chr1", 100, 200, None]),  # 1-based and closed, as of samtools faidx
        ("chr1:100-200(.)", ["chr1", 100, 200, None]),
        ("chr1:1,000,100-1,000,200", ["chr1", 1000100, 1000200, None]),
        ("peak7:chr1:100-200", ["chr1", 100, 200, None]),
        ("peak7:chr1:100-200(-)", ["chr1", 100, 200, "-"]),
        ("hg38|chr1:100-200", ["chr1", 100, 200, None]),
        ("chr1:100-200|CTCF|5", ["chr1", 100, 200, None]),
        ("chr1:100-200|-|CTCF", ["chr1", 100, 200, "-"]),
        ("chr1:100-200::chr2:300-400(+)", ["chr2", 300, 400, "+"]),  # bedtools -name of such a name
        ("chr1:100-200|chr2:300-400", None),  # which of them?
        ("HLA-A*01:01:100-200", None),
        ("chr1:1,00-200", None),
        ("sample_100_200", None),
        ("chr1:100-201", None),
        ("chr1:100", None),
        ("positive_3", None),
    ],
)
def test_names(name, found):
    table = parse_coordinates([name], 100)
    assert (table if found is None else table.values.tolist()) == (None if found is None else [found])


def test_all_or_none():
    assert parse_coordinates(["chr1:100-200", "decoy"], 100) is None
    assert parse_coordinates(["chr1:100-200", "chr1:101-200"], 100) is None


def test_each_by_itself():
    names = ["chr1:100-200", "decoy", "chr1:301-400", "chr1:100-201", "peak:chr2:1,100-1,200(-)"]
    found = find_windows(names, 100)
    assert found.index.tolist() == [0, 2, 4]
    assert found.values.tolist() == [["chr1", 100, 200, None], ["chr1", 300, 400, None], ["chr2", 1100, 1200, "-"]]
    assert find_windows(["decoy"], 100).empty
