"""Windows about summits: where they lie, what is in them, and what is left out, on a made genome."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcinterp.data.regions import read_regions
from rcinterp.data.sequences import one_hot, read_fasta, write_fasta
from rcinterp.data.windows import extract_windows, place_windows
from rcinterp.errors import InputError


@given(st.integers(1, 60), st.integers(60, 900))
def test_where_a_window_lies_about_its_summit(width, summit):
    window = place_windows(pd.DataFrame({"chrom": ["chr1"], "summit": [summit]}), width).iloc[0]
    before, after = summit - window["start"], window["end"] - summit - 1
    assert before + 1 + after == width
    assert before - after == (0 if width % 2 else 1)


@given(st.integers(0, 50), st.integers(1, 50))
def test_about_the_centre_of_a_region_as_wide_the_window_is_the_region(start, width):
    centre = (start + start + width) // 2
    window = place_windows(pd.DataFrame({"chrom": ["chr1"], "summit": [centre]}), width).iloc[0]
    assert (window["start"], window["end"]) == (start, start + width)


def test_windows_are_the_genome_s_bases(genome, chromosomes, write_bed, tmp_path):
    peaks = [(c, s, s + 60, ".", 0, ".", 1, -1, -1, offset) for c, s, offset in (("chr2", 400, 10), ("chr1", 300, -1))]
    bed = write_bed("p.narrowPeak", *peaks)
    for width in (20, 21):
        windows = extract_windows(bed, genome, width)
        starts = {"chr2": 410 - 10, "chr1": 330 - 10}
        expected = {f"{c}:{s}-{s + width}": chromosomes[c][s : s + width].upper() for c, s in starts.items()}
        assert windows.to_dict() == expected
        assert list(windows.index) == list(expected)
        pd.testing.assert_series_equal(extract_windows(read_regions(bed), genome, width), windows)
        write_fasta(tmp_path / "windows.fa", windows)
        pd.testing.assert_series_equal(read_fasta(tmp_path / "windows.fa"), windows)
        assert one_hot(windows).shape == (2, 4, width)


def test_what_is_left_out_is_counted(genome, write_bed):
    """Windows of 100 bp; chr3 has 997, chr1 N from 1,000 to 1,200."""
    centres = {
        "chr3": [49, 50, 947, 948],  # the first and last are 1 bp over an edge
        "chr1": [950, 951, 1249, 1250, 1100],  # 951 ends in the first N, 1249 begins in the last
        "chr9": [500, 500],
        "chr2": [300, 300, 300],
    }
    rows = [(chrom, centre, centre + 1) for chrom, positions in centres.items() for centre in positions]
    bed = write_bed("p.bed", *rows)
    left_out = (
        r"9 of 14 regions are left out: 2 chromosome not in the genome, 2 over an edge, 2 duplicate, 3 too many N\.$"
    )
    with pytest.warns(UserWarning, match=left_out):
        windows = extract_windows(bed, genome, 100)
    assert list(windows.index) == ["chr3:0-100", "chr3:897-997", "chr1:900-1000", "chr1:1200-1300", "chr2:250-350"]
    with pytest.warns(UserWarning, match="7 of 14 regions are left out"):
        assert len(extract_windows(bed, genome, 100, max_n=0.01)) == 7  # a share of 0.01 is allowed
    with pytest.warns(UserWarning, match="6 of 14 regions are left out"):
        assert extract_windows(bed, genome, 100, max_n=1.0)["chr1:1050-1150"] == "N" * 100


def test_tables_that_were_put_together_keep_all_their_windows(genome, write_bed):
    """Their rows may have the same labels."""
    table = read_regions(write_bed("p.bed", ("chr1", 300, 400), ("chr2", 500, 600)))
    again = table.assign(summit=table["summit"] + 50)
    together = extract_windows(pd.concat([table, again]), genome, 40)
    assert together.tolist() == [*extract_windows(table, genome, 40), *extract_windows(again, genome, 40)]


def test_no_window_left(genome, write_bed):
    bed = write_bed("p.bed", ("1", 500, 600))
    message = r"no window is left of 1 regions \(1 chromosome not in the genome\), .* chromosomes are chr1, chr2, chr3"
    with pytest.raises(InputError, match=message):
        extract_windows(bed, genome, 50)


def test_arguments_out_of_range(genome, write_bed):
    bed = write_bed("p.bed", ("chr1", 500, 600))
    for width in (0, 10.5):
        with pytest.raises(InputError, match=f"width: got {width}, expected a whole number of at least 1"):
            extract_windows(bed, genome, width)
    with pytest.raises(InputError, match="max_n: got 2, expected a share of N from 0 to 1"):
        extract_windows(bed, genome, 50, max_n=2)
    with pytest.raises(InputError, match="got a table of a, expected columns chrom and summit; read the file with"):
        extract_windows(pd.DataFrame({"a": [1]}), genome, 50)


def test_windows_of_real_peaks_are_where_others_cut_them(reference):
    """Sequences of 300 bp about the centres of these very peaks, whose headers say where they come from."""
    regions = read_regions(reference / "peaks_hg19/GM12878_CTCF_Broad_AwgUniPk.chr1-22.hg19.bed.gz")
    windows = place_windows(regions[regions["chrom"] == "chr21"], 300)
    ours = {f"{chrom}:{start}-{end}" for chrom, start, end in windows.itertuples(index=False)}
    theirs = set((reference / "ctcf_gm12878_hg19/w300_train_chr21.pos.names.txt").read_text().split())
    assert len(theirs) == 372
    assert theirs <= ours
