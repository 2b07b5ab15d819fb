import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.reading.functions import find_sites
from rcinterp.reading.inputs import as_inputs
from rcinterp.reading.model import Runner
from rcinterp.reading.probe import probe
from rcinterp.reading.receptive_field import field_of_positions
from rcinterp.reading.sites import BestSites, best_sites, join_sites, with_names
from rcinterp.training.models import compact_model
from rclayers import Conjoined

GATTACA = torch.nn.functional.one_hot(torch.tensor([2, 0, 3, 3, 0, 1, 0]), 4).T.float()


@pytest.fixture
def gattaca():
    """A one-layer model whose first filter is GATTACA, the second its reverse, the third the same everywhere."""

    def build(rc):
        model = compact_model(1, 3, 41, rc=rc, widths=(7,), pool=5, stride=5)
        with torch.no_grad():
            model.conv1.weight[0] = GATTACA
            model.conv1.weight[1] = GATTACA.flip(1)
            model.conv1.weight[2] = 1.0
        return model

    return build


def _occurrences(x):
    """Sequence, start and strand of every GATTACA of each sequence, by comparing strings."""
    letters = ["".join("ACGT"[i] for i in row) for row in x.argmax(1).tolist()]
    return {
        (i, start, strand)
        for i, text in enumerate(letters)
        for strand, word in (("+", "GATTACA"), ("-", "TGTAATC"))
        for start in range(35)
        if text[start : start + 7] == word
    }


@pytest.mark.parametrize("rc", [True, False])
def test_finds_what_was_planted(rc, gattaca, planted):
    x = planted(40, 0).x
    sites = find_sites(gattaca(rc), x, threshold=1.0)
    own = sites[sites["filter"] == "filter_0"]
    found = set(zip(own["sequence"], own["start"], own["strand"], strict=True))
    expected = {site for site in _occurrences(x) if rc or site[2] == "+"}
    assert found <= expected
    assert {site[0] for site in found} == {site[0] for site in expected}  # the best one of each sequence
    assert (own["end"] - own["start"] == 7).all()
    assert "filter_2" not in set(sites["filter"])  # centred, it prefers nothing
    assert list(sites.columns) == ["filter", "sequence", "start", "end", "strand", "site_score"]


def test_names_and_coordinates(gattaca, planted):
    x = planted(6, 0).x
    strings = ["".join("ACGT"[i] for i in row) for row in x.argmax(1).tolist()]
    names = [f"chr{i}:{100 * i}-{100 * i + 41}" for i in range(5)] + ["chr9:1000-1041(-)"]
    sites = find_sites(gattaca(True), pd.Series(strings, index=names), threshold=0.3)
    assert sites["name"].tolist() == [names[i] for i in sites["sequence"]]
    forward = sites[sites["sequence"] < 5]
    assert (forward["chrom_start"] == 100 * forward["sequence"] + forward["start"]).all()
    assert (forward["chrom"] == "chr" + forward["sequence"].astype(str)).all()
    assert (forward["chrom_strand"] == forward["strand"]).all()
    backward = sites[sites["sequence"] == 5]
    assert len(backward)
    assert (backward["chrom_end"] == 1041 - backward["start"]).all()
    assert (backward["chrom_strand"] != backward["strand"]).all()
    other = find_sites(gattaca(True), pd.Series(strings, index=["a", "b", "c", "d", "e", "f"]))
    assert list(other.columns)[-1] == "name"


def _deep():
    """Two convolutions with a pooling between: the second one's filters see 7 + 2·2 + 1 bp, every second base."""
    torch.manual_seed(0)
    first = [nn.Conv1d(4, 5, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2)]
    return nn.Sequential(*first, nn.Conv1d(5, 3, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1))


def _field(model, x, layer):
    runner, inputs = Runner(model, func=lambda y: y.flatten(1).sum(1)), as_inputs(x)
    with runner.borrowed():
        return field_of_positions(probe(runner, inputs, layer), inputs)


def test_receptive_field_by_arithmetic(dna):
    x = dna(2, 40, 0)
    width, (row,) = _field(_deep(), x, "3")
    assert width == 7 + 2 * 2 + 1
    assert row.starts.tolist() == list(range(-3, -3 + 2 * 18, 2))
    assert not row.is_reverse
    width, (row,) = _field(_deep(), x, "0")
    assert (width, row.starts.tolist()) == (7, list(range(-3, 37)))
    width, rows = _field(_Strands(_deep(), "rc last"), x, "model.0")
    assert [(row.starts.tolist(), row.is_reverse) for row in rows] == [
        (list(range(-3, 37)), False),
        (list(range(36, -4, -1)), True),
    ]


def test_a_deep_layer_reads_what_its_site_shows(dna):
    """The site alone, in a sequence without letters, gives the filter the same activation."""
    x, model = dna(30, 40, 1), _deep()
    sites = find_sites(model, x, "3", threshold=0.2)
    assert set(sites["filter"]) == {"filter_0", "filter_1", "filter_2"}
    model.eval()
    for row in sites.to_dict("records"):
        alone = torch.zeros(1, 4, 40)
        alone[0, :, row["start"] : row["end"]] = x[row["sequence"], :, row["start"] : row["end"]]
        with torch.no_grad():
            activation = model[:5](alone)[0, int(row["filter"][-1])]
        assert activation[(row["start"] + 3) // 2].item() == pytest.approx(row["site_score"], abs=1e-5)
    assert (sites["start"] >= 0).all()
    assert (sites["end"] <= 40).all()


def test_deep_sites_of_an_rc_model_turn_with_the_sequence(dna):
    torch.manual_seed(0)
    model = compact_model(2, 3, 41, widths=(8, 5), pool=6, stride=4)
    x = dna(20, 41, 0)
    forward, reverse = find_sites(model, x, "conv2"), find_sites(model, x.flip(1, 2), "conv2")
    keys = ["filter", "sequence"]
    both = forward.merge(reverse, on=keys, suffixes=("", "_rc"))
    assert len(both) == len(forward) > 20
    assert (both["start_rc"] == 41 - both["end"]).all()
    assert (both["strand_rc"] != both["strand"]).all()
    assert (forward["end"] - forward["start"] == 12).all()
    assert set(forward["strand"]) == {"+", "-"}


class _Strands(nn.Module):
    """Both strands of a model of one, in calls of their own or as one batch, the reverse complement first or last."""

    def __init__(self, model, how):
        super().__init__()
        self.model, self.how = model, how

    def forward(self, x):
        rc = x.flip(1, 2)
        if self.how == "rc first":
            return (self.model(rc) + self.model(x)) / 2
        if self.how == "rc last":
            return (self.model(x) + self.model(rc)) / 2
        if self.how == "blocks":
            return self.model(torch.cat([x, rc])).reshape(2, len(x), -1).amax(0)
        return self.model(torch.stack([rc, x], 1).flatten(0, 1)).reshape(len(x), 2, -1).mean(1)


WRAPPERS = {
    "conjoined": lambda model: Conjoined(model),
    "conjoined max": lambda model: Conjoined(model, "max"),
    **{how: lambda model, how=how: _Strands(model, how) for how in ("rc first", "rc last", "blocks", "side by side")},
}


@pytest.mark.parametrize("how", WRAPPERS)
def test_a_model_that_reads_both_strands_has_sites_on_both(how, gattaca, planted):
    """As the filters of an RC layer with the same weights."""
    x = planted(12, 0).x
    torch.manual_seed(0)
    found = find_sites(WRAPPERS[how](gattaca(False)), x)
    assert set(found["strand"]) == {"+", "-"}
    pd.testing.assert_frame_equal(found, find_sites(gattaca(True), x))


@pytest.mark.parametrize("how", WRAPPERS)
def test_a_deeper_layer_of_both_strands_has_sites_on_both(how, dna):
    """The better of its sites in the sequence and in its reverse complement."""
    x = dna(30, 40, 1)
    model = nn.Sequential(*_deep(), nn.Flatten(), nn.Linear(3, 1))
    forward, reverse = (find_sites(model, strand, "3", threshold=0.0) for strand in (x, x.flip(1, 2)))
    found = find_sites(WRAPPERS[how](model), x, "model.3", threshold=0.0)
    assert set(found["strand"]) == {"+", "-"}
    keys = ["filter", "sequence"]
    both = found.merge(forward, "left", on=keys, suffixes=("", "_f")).merge(
        reverse, "left", on=keys, suffixes=("", "_r")
    )
    best = both[["site_score_f", "site_score_r"]].max(axis=1)  # one of them may lie over an end, and is left out
    assert (both["site_score"] >= best - 1e-6).all()
    for site in both[both["site_score_f"] == both["site_score"]].itertuples():
        assert (site.strand, site.start, site.end) == ("+", site.start_f, site.end_f)
    for site in both[(both["site_score_r"] == both["site_score"]) & (both["site_score_f"] < best)].itertuples():
        assert (site.strand, site.start, site.end) == ("-", 40 - site.end_r, 40 - site.start_r)


def test_a_model_that_reads_the_other_strand_alone_has_sites_there(gattaca, planted):
    class Other(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x.flip(1, 2))

    x = planted(12, 0).x
    found, expected = find_sites(Other(gattaca(False)), x), find_sites(gattaca(False), x.flip(1, 2))
    assert set(found["strand"]) == {"-"}
    columns = ["filter", "sequence", "site_score"]  # of equal sites the leftmost is taken, here of the other strand
    pd.testing.assert_frame_equal(found[columns], expected[columns])
    letters = x.flip(1, 2)[found["sequence"].to_list()]
    for site, sequence in zip(found.itertuples(), letters, strict=True):
        if site.filter == "filter_0" and site.site_score > 5:
            start = 41 - site.end
            assert torch.equal(sequence[:, start : start + 7], GATTACA)


def test_a_model_that_turns_its_input_is_refused(gattaca, planted):
    class Turned(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x.flip(1))

    with pytest.raises(InputError, match=r"'model\.conv1' reads letters in another order or orientation"):
        find_sites(Turned(gattaca(False)), planted(4, 0).x)


def test_a_model_that_crops_or_pads_its_input_is_read(gattaca, planted):
    class Cropped(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x[:, :, 4:45])

    x = torch.cat([torch.zeros(8, 4, 4), planted(8, 0).x, torch.zeros(8, 4, 3)], 2)
    inner = find_sites(gattaca(False), planted(8, 0).x)
    outer = find_sites(Cropped(gattaca(False)), x)
    np.testing.assert_array_equal(outer["start"], inner["start"] + 4)


def test_sites_lie_where_the_model_looks(dna):
    """A crop from 15 to 29, a stride of two, padding of three: no site elsewhere, nor half on the padding."""

    class Cropped(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.conv = nn.Conv1d(4, 3, 5, stride=2, padding=3)

        def forward(self, x):
            return torch.relu(self.conv(x[:, :, 15:29])).amax(2)

    x = dna(40, 41, 0)
    sites = find_sites(Cropped(), x, threshold=0.0)
    assert set(sites["start"]) == {16, 18, 20, 22, 24}
    model = Cropped()
    starts = np.arange(16, 25, 2)
    weight = model.conv.weight.detach() - model.conv.weight.detach().mean(1, keepdim=True)
    for row in sites.head(20).to_dict("records"):
        f = int(row["filter"][-1])
        scores = [float((weight[f] * x[row["sequence"], :, s : s + 5]).sum()) for s in starts]
        assert row["start"] == starts[int(np.argmax(scores))]
    short = nn.Sequential(nn.Conv1d(4, 3, 9, padding=4), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    with pytest.raises(InputError, match=r"reads 5 bp with filters of 9 bp: no site fits"):
        find_sites(short, dna(3, 5, 0))


def test_a_model_that_refuses_nan_is_told_so(dna):
    class Strict(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = _deep()

        def forward(self, x):
            assert bool((x.sum(1) == 1).all())
            return self.model(x)

    with pytest.raises(InputError, match=r"the model refuses sequences with NaN.*AssertionError"):
        find_sites(Strict(), dna(3, 40, 0), "model.3")
    assert len(find_sites(Strict(), dna(3, 40, 0)))


def test_one_sequence_and_a_model_that_squeezes(dna):
    class Squeezed(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = _deep()

        def forward(self, x):
            return self.model(x).squeeze()

    x = dna(1, 40, 0)
    pd.testing.assert_frame_equal(find_sites(Squeezed(), x), find_sites(_deep(), x))


def test_what_has_no_sites_is_refused(gattaca, planted, dna):
    attention = nn.Sequential(nn.Conv1d(4, 5, 7), nn.InstanceNorm1d(5), nn.ReLU(), nn.Conv1d(5, 3, 3), nn.ReLU())
    with pytest.raises(InputError, match=r"'3' sees 30 of 30 bp at once.*name an earlier layer"):
        find_sites(attention, dna(2, 30, 0), "3")
    with pytest.raises(InputError, match=r"threshold=2, expected a share of the best score, 0 to 1"):
        find_sites(gattaca(True), planted(4, 0).x, threshold=2)


def test_sites_of_shards_are_put_one_after_the_other():
    generator = torch.Generator().manual_seed(0)
    parts = [
        BestSites(torch.rand(n, 3, generator=generator), torch.full((n, 3), n), torch.full((n, 3), n > 3), 7)
        for n in (4, 2, 5)
    ]
    joined = join_sites(parts, 11)
    for name in ("site_scores", "starts", "is_reverse"):
        assert torch.equal(getattr(joined, name), torch.cat([getattr(part, name) for part in parts]))
    assert joined.width == 7


@pytest.mark.parametrize("length", [5, 6, 9])
@pytest.mark.parametrize("both_strands", [False, True])
def test_sites_are_looked_for_up_to_the_last_position(both_strands, length, dna):
    """Also if the filter is as wide as the sequence, and there is one position."""
    x, width = dna(8, length, 0).float(), 5
    weight = torch.randn(3, 4, width, generator=torch.Generator().manual_seed(0))
    found = best_sites(weight, x, both_strands, batch_size=3)
    strands = [weight, weight.flip(1, 2)][: 1 + both_strands]
    scores = torch.stack(
        [
            torch.stack([torch.einsum("ncw,fcw->nf", x[:, :, at : at + width], strand) for strand in strands], 2)
            for at in range(length - width + 1)
        ],
        3,
    )
    best, where = scores.flatten(2).max(2)
    torch.testing.assert_close(found.site_scores, best)
    n_positions = length - width + 1
    assert torch.equal(found.starts, where % n_positions)
    assert torch.equal(found.is_reverse, where >= n_positions)


def test_a_site_on_the_reverse_strand_of_a_reversed_sequence_is_on_the_forward_strand():
    table = pd.DataFrame({"sequence": [0, 0, 1], "start": [2, 2, 2], "end": [9, 9, 9], "strand": ["+", "-", "-"]})
    found = with_names(table, ["chr1:100-141(-)", "chr2:200-241(+)"], 41)
    assert found["chrom"].tolist() == ["chr1", "chr1", "chr2"]
    assert found["chrom_start"].tolist() == [132, 132, 202]
    assert found["chrom_end"].tolist() == [139, 139, 209]
    assert found["chrom_strand"].tolist() == ["-", "+", "-"]
