import pytest

from rcinterp.data.coordinates import parse_coordinates


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
