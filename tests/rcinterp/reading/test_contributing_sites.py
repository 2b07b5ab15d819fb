"""Sites by contribution: against a loop that moves every activation by itself, and on models built in many ways."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import fisher_exact
from torch import nn
from torch.nn import functional

from rcinterp.errors import InputError
from rcinterp.interpretation import interpret
from rcinterp.interpretation.verdicts import FEW_SITES, MIN_SITES, NOT_ENRICHED, WRONG_WAY_ROUND
from rcinterp.reading.contributing_sites import CLASSES, TOP_QUANTILE, ClassReading, ContributingSites, join_readings
from rcinterp.reading.contributions import Contributed
from rcinterp.reading.functions import filter_contributions
from rcinterp.reading.inputs import as_inputs
from rcinterp.reading.reader import Reader
from rcinterp.reading.sites import BestSites
from rcinterp.training.models import compact_model
from rclayers import Conjoined

WORD = [2, 0, 3, 3, 0, 1, 0]  # GATTACA
WIDTH, THRESHOLD = 7, 0.5


@pytest.fixture(scope="module")
def classes(dna):
    """GATTACA in 60 positives, on either strand, TGACTCA in 70 negatives; 41 bp."""
    found = []
    for n, word, seed in ((60, WORD, 0), (70, [3, 2, 0, 1, 3, 1, 0], 1)):
        letters = dna(n, 41, seed).argmax(1)
        starts = np.random.default_rng(seed).integers(35, size=n)
        for i, start in enumerate(starts):
            own = torch.tensor(word)
            letters[i, start : start + WIDTH] = own if i % 2 else 3 - own.flip(0)
        found.append(functional.one_hot(letters, 4).transpose(1, 2).float().contiguous())
    return found


def build(rc, sign=1.0):
    """GATTACA raises the logit, TGACTCA lowers it, a third filter is noise; a filter is active from 4 letters on."""
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, rc=rc, widths=(WIDTH,), pool=5, stride=5)
    with torch.no_grad():
        model.conv1.weight[0] = functional.one_hot(torch.tensor(WORD), 4).T
        model.conv1.weight[1] = functional.one_hot(torch.tensor([3, 2, 0, 1, 3, 1, 0]), 4).T
        model.conv1.weight.add_(0.01 * torch.randn(3, 4, WIDTH))  # no two sites are equal
        model.conv1.bias.copy_(torch.tensor([-3.0, -3.0, 0.0]))
        scale = sign * torch.tensor([1.0, -2.0, 0.1])
        if rc:
            model.weighted_sum.weight.copy_(scale[:, None] * (1 + torch.arange(7) / 10))
        else:
            model.head.weight.copy_((scale[:, None] * (1 + torch.arange(7) / 10)).reshape(1, -1))
    return model.double().eval()


def contributions_one_by_one(model, x):
    """Activation times what the logit moves by with it, (n, channels, positions): each is moved by itself."""
    with torch.no_grad():
        activation = model[:3](x)
        above, moved = model[3:], torch.zeros_like(activation)
        logit, step = above(activation)[:, 0], 1e-6
        for channel in range(activation.shape[1]):
            for position in range(activation.shape[2]):
                other = activation.clone()
                other[:, channel, position] -= step  # less, so that the largest of a window goes on being it, or not
                moved[:, channel, position] = (logit - above(other)[:, 0]) / step
    return activation * moved


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_sites_are_where_a_loop_finds_them(classes, rc, sign):
    model = build(rc, sign)
    doubles = [x.double() for x in classes]
    found = interpret(model, *doubles, measure_faithfulness=False)
    slow = [contributions_one_by_one(model, x) for x in doubles]
    for f in range(3):
        best = [
            {direction: [_best(one[i], f, rc, direction) for i in range(len(one))] for direction in (1, -1)}
            for one in slow
        ]
        mean = [{d: np.mean([site[0] for site in sites]) for d, sites in one.items()} for one in best]
        raises, lowers = mean[0][1] - mean[1][1], mean[1][-1] - mean[0][-1]
        direction = 1 if raises >= lowers else -1
        if max(raises, lowers) <= 0:
            direction = 1 if mean[0][1] + mean[1][1] >= mean[0][-1] + mean[1][-1] else -1
        own = 0 if direction == 1 else 1
        values = np.array([site[0] for one in best for site in one[direction]])
        level = THRESHOLD * np.quantile(values[values > 0], TOP_QUANTILE)
        n_sites = [sum(value >= level for value, _, _ in one[direction]) for one in best]
        row = found.table.set_index("filter").loc[f"filter_{f}"]
        assert row["sites_in"] == CLASSES[own]
        if f < 2:
            # a filter that lowers what it should raise speaks for the other class, where it has no sites beyond chance
            assert row["sites_in"] == ("positives" if (f == 0) == (sign > 0) else "negatives")
            assert (row["refused"] == WRONG_WAY_ROUND) == (sign < 0)
            assert (row["sites_p"] < 1e-3) == (sign > 0)
        assert (row["n_sites"], row["n_other_sites"]) == (n_sites[own], n_sites[1 - own])
        counts = [[n_sites[i], len(doubles[i]) - n_sites[i]] for i in (own, 1 - own)]
        assert row["sites_p"] == pytest.approx(fisher_exact(counts, alternative="greater")[1])
        sites = found.sites[found.sites["filter"] == f"filter_{f}"]
        assert len(sites) == n_sites[own]
        assert set(sites["sites_in"]) == {CLASSES[own]}
        for site in sites.itertuples():
            value, start, strand = best[own][direction][site.sequence]
            assert site.site_contribution == pytest.approx(direction * value, rel=1e-4)
            assert (site.start, site.strand) == (start, strand)


def _best(contributions, f, rc, direction):
    """Largest contribution of a filter in one sequence in a direction: its size, start and strand."""
    channels = {"+": f, **({"-": 5 - f} if rc else {})}
    options = [
        (direction * float(contributions[channel, position]), position, strand)
        for strand, channel in channels.items()
        for position in range(contributions.shape[1])
    ]
    value, start, strand = max(options, key=lambda site: (round(site[0], 6), site[2] == "+", -site[1]))
    return max(value, 0.0), start, strand


def test_one_pass_gives_contributions_and_logits_too(classes):
    model = build(True)
    doubles = [x.double() for x in classes]
    with torch.no_grad():
        expected = model(doubles[1])[:, 0]
    reading = Reader(model).read_classes(*doubles, measure_faithfulness=False)
    torch.testing.assert_close(reading.sites.classes[1].logits, expected)
    assert all(one.contributions is not None for one in reading.sites.classes)
    table = filter_contributions(model, *doubles)
    assert reading.contributions.equals(table)
    by_hand = [contributions_one_by_one(model, x).sum(2).mean(0) for x in doubles]
    difference = by_hand[0] - by_hand[1]
    both_strands = difference[:3] + difference.flip(0)[:3]
    np.testing.assert_allclose(table["contribution"][:2], both_strands[:2], rtol=1e-4)  # the third's sites are equal


class Padded(nn.Module):
    """As DeepBind: padded by 0.25, the larger of both strands."""

    def __init__(self, value=0.25):
        super().__init__()
        self.conv, self.value = nn.Conv1d(4, 3, WIDTH), value
        with torch.no_grad():
            self.conv.weight.copy_(build(False).conv1.weight)
            self.conv.bias.fill_(-3.0)

    def strand(self, x):
        x = functional.pad(x, (WIDTH - 1, WIDTH - 1), value=self.value)
        return functional.relu(self.conv(x)).amax(2) @ torch.tensor([[1.0], [-1.0], [0.01]])

    def forward(self, x):
        return torch.maximum(self.strand(x), self.strand(x.flip(1, 2)))


@pytest.mark.parametrize("value", [0.25, 0.0, -1.0])
def test_padding_of_any_value_is_no_letter(classes, value):
    found = interpret(Padded(value).eval(), *classes, measure_faithfulness=False)
    assert found.unit == "weight"  # read as letters
    own = found.sites[(found.sites["filter"] == "filter_0")]
    words = {"".join("ACGT"[i] for i in letters) for letters in _letters_of(own, classes[0])}
    assert "GATTACA" in words
    assert len(own) == pytest.approx(60, abs=6)
    assert set(own["strand"]) == {"+", "-"}


def _letters_of(sites, x):
    for site in sites.itertuples():
        letters = x[site.sequence, :, site.start : site.end].argmax(0)
        yield (letters if site.strand == "+" else 3 - letters.flip(0)).tolist()


class Grouped(nn.Module):
    """As ExplaiNN: one group of channels a filter, each of which reads its own copy of the letters."""

    def __init__(self):
        super().__init__()
        self.units = nn.Conv1d(12, 3, WIDTH, groups=3)
        with torch.no_grad():
            self.units.weight.copy_(build(False).conv1.weight.round())
            self.units.bias.fill_(-3.0)
        self.final = nn.Linear(3, 1)
        with torch.no_grad():
            self.final.weight.copy_(torch.tensor([[1.0, -1.0, 0.01]]))

    def forward(self, x):
        return self.final(torch.exp(self.units(x.repeat(1, 3, 1))).amax(2))


def test_groups_over_repeated_letters_are_found_and_read_as_letters(classes):
    found = interpret(Grouped().eval(), *classes, measure_faithfulness=False)
    assert (found.layer, found.unit, len(found.table)) == ("units", "weight", 3)
    np.testing.assert_allclose(
        found.filters["filter_0"] + 0.25, functional.one_hot(torch.tensor(WORD), 4).T.numpy(), atol=1e-6
    )
    own = found.sites[found.sites["filter"] == "filter_0"]
    words = ["".join("ACGT"[i] for i in letters) for letters in _letters_of(own, classes[0])]
    assert words.count("GATTACA") >= 25  # it lies on this strand in half of them


def test_groups_that_read_other_things_are_no_letters(classes):
    """Copies that differ in size, as where each group has its own scale."""

    class Scaled(Grouped):
        def forward(self, x):
            copies = x.repeat(1, 3, 1) * torch.tensor([1.0, 2.0, 3.0]).repeat_interleave(4)[:, None]
            return self.final(torch.exp(self.units(copies)).amax(2))

    assert interpret(Scaled().eval(), *classes, layer="units", measure_faithfulness=False).unit == "bits"


def test_a_filter_s_sites_are_where_it_matters_not_where_it_matches_best(classes, dna):
    """The read-out looks at the left half alone; the best match of each sequence is on the right."""
    x = [sequences.clone() for sequences in classes]
    for sequences, n in zip(x, (60, 70), strict=True):
        sequences[:, :, 30:] = dna(n, 11, 5)
        sequences[:, :, 32:39] = functional.one_hot(torch.tensor(WORD), 4).T.float()
    model = build(False).float()
    with torch.no_grad():
        model.head.weight.view(3, 7)[:, 4:] = 0
    found = interpret(model, *x, measure_faithfulness=False)
    own = found.sites[found.sites["filter"] == "filter_0"]
    assert len(own) > 10
    assert (own["start"] < 25).all()


class PooledFirst(nn.Module):
    """Pools before its nonlinearity, so that the activation's positions are windows."""

    def __init__(self):
        super().__init__()
        self.conv = Padded().conv

    def forward(self, x):
        pooled = functional.relu(functional.max_pool1d(self.conv(x), 5))
        return pooled.amax(2) @ torch.tensor([[1.0], [-1.0], [0.01]])


class PooledBesideIt(PooledFirst):
    """Pools as many positions as there are, so that each window has a position of its own."""

    def forward(self, x):
        pooled = functional.relu(functional.max_pool1d(self.conv(x), 5, 1, 2))
        return pooled.amax(2) @ torch.tensor([[1.0], [-1.0], [0.01]])


MODELS = {"one strand": PooledFirst(), "both": Conjoined(PooledFirst()), "stride 1": PooledBesideIt()}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_where_activations_have_no_place_sites_are_the_best_matches(classes, model):
    found = interpret(model.eval(), *classes, measure_faithfulness=False, batch_size=25)
    own = found.sites[found.sites["filter"] == "filter_0"]
    words = ["".join("ACGT"[i] for i in letters) for letters in _letters_of(own, classes[0])]
    assert words.count("GATTACA") >= 25
    assert set(own["sites_in"]) == {"positives"}
    assert found.contributions.equals(filter_contributions(model, *classes, batch_size=25))


@pytest.mark.parametrize("strand", [1, -1])
def test_sites_that_a_model_reads_in_part_are_none(classes, strand):
    """It cuts 20 bp out of the middle, and pads them."""

    class Cropped(Padded):
        def forward(self, x):
            return super().strand(x[:, :, 10:30] if strand == 1 else x.flip(1, 2)[:, :, 10:30])

    found = interpret(Cropped(0.0).eval(), *classes, measure_faithfulness=False)
    part = (10, 30) if strand == 1 else (41 - 30, 41 - 10)
    assert len(found.sites)
    assert (found.sites["start"] >= part[0]).all()
    assert (found.sites["end"] <= part[1]).all()


def test_n_in_the_first_sequences_does_not_hide_the_letters(classes):
    class TwoParts(Padded):
        def forward(self, x):
            return super().strand(x[:, :, :20]) + super().strand(x[:, :, 20:])

    x = [sequences.clone() for sequences in classes]
    x[0][0, :, 20:] = 0.0  # the first is N from the middle on, the second throughout
    x[0][1] = 0.0
    assert interpret(TwoParts(0.0).eval(), *x, measure_faithfulness=False).unit == "weight"


def test_without_gradients_sites_are_the_best_matches(classes):
    class Hidden(Padded):
        def forward(self, x):
            with torch.no_grad():
                return super().forward(x)

    found = interpret(Hidden().eval(), *classes, method="ablation")
    rows = found.table.set_index("filter")
    assert rows.loc["filter_0", "sites_in"] == "positives"
    assert rows.loc["filter_1", "sites_in"] == "negatives"


def test_few_sites_and_sites_in_both_classes_give_no_name(classes, dna):
    few = interpret(build(True).float(), classes[0][: MIN_SITES - 1], classes[1], measure_faithfulness=False)
    assert few.table.set_index("filter").loc["filter_0", "refused"] == FEW_SITES
    alike = classes[0][:30], classes[0][30:]
    both = interpret(build(True).float(), *alike, measure_faithfulness=False)
    assert both.table.set_index("filter").loc["filter_0", "refused"] == NOT_ENRICHED


def test_shuffled_labels_are_sites_by_chance(classes):
    """The p-value of sites: of the models' 3 filters and 40 shuffles of the labels, few are below 0.05."""
    x = torch.cat(classes)
    model = build(True).float()
    found = []
    for seed in range(40):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        reading = Reader(model).read_classes(x[order[:60]], x[order[60:]], measure_faithfulness=False)
        found += [reading.sites.of_filter(f, THRESHOLD).p for f in range(3)]
    assert np.mean(np.array(found) <= 0.05) <= 0.15  # two directions are looked at: at most 0.1 are expected
    assert np.mean(np.array(found) <= 1e-3) <= 0.02


def test_flanks_are_what_stands_beside_the_sites(classes):
    """TTT is planted before GATTACA: the motif shows it, turned with its site, and the sites stay where they are."""
    x = [sequences.clone() for sequences in classes]
    for sequence in x[0]:
        text = "".join("ACGT"[i] for i in sequence.argmax(0))
        for word, beside, letter in (("GATTACA", -3, 3), ("TGTAATC", WIDTH, 0)):
            start = text.find(word)
            if 3 <= start <= 41 - WIDTH - 3:
                sequence[:, start + beside : start + beside + 3] = functional.one_hot(torch.tensor([letter] * 3), 4).T
    plain = interpret(build(True).float(), *x, measure_faithfulness=False)
    found = interpret(build(True).float(), *x, measure_faithfulness=False, flank=4)
    motif = found.ppms["filter_0"]
    assert motif.shape[1] == WIDTH + 3  # the fourth holds nothing, nor do those on the other side
    assert (motif[:, :3].argmax(0) == 3).all()
    assert (motif[:, 3:].argmax(0) == torch.tensor(WORD).numpy()).all()
    own = [one.sites[one.sites["filter"] == "filter_0"] for one in (plain, found)]
    kept = own[0][(own[0]["start"] >= 4) & (own[0]["end"] <= 41 - 4)].reset_index(drop=True)
    assert kept.equals(own[1].reset_index(drop=True))


def test_flanks_of_weights_are_refused(classes):
    with pytest.raises(InputError, match="got flank=3 and motifs_from='weights', expected motifs_from='sites'"):
        interpret(build(True).float(), *classes, motifs_from="weights", flank=3)
    with pytest.raises(InputError, match="flank"):
        interpret(build(True).float(), *classes, flank=-1)


# Shards of the sequences, read apart.


def drawn_sites(n, generator):
    starts, is_reverse = torch.randint(30, (n, 3), generator=generator), torch.rand(n, 3, generator=generator) < 0.5
    return BestSites(torch.rand(n, 3, generator=generator), starts, is_reverse, WIDTH)


def drawn_reading(n, generator, has_gradient, are_matches):
    contributions = Contributed(n, True)
    contributions.add(torch.randn(n, 6, generator=generator))
    raising = drawn_sites(n, generator)
    lowering = raising if are_matches else drawn_sites(n, generator)
    logits = torch.randn(n, generator=generator, dtype=torch.float64)
    return ClassReading(logits, contributions if has_gradient else None, raising, lowering)


@pytest.mark.parametrize(("has_gradient", "are_matches"), [(True, False), (True, True), (False, True)])
def test_readings_of_shards_are_put_one_after_the_other(has_gradient, are_matches):
    generator = torch.Generator().manual_seed(0)
    parts = [drawn_reading(n, generator, has_gradient, are_matches) for n in (4, 2, 5)]
    joined = join_readings(parts, 11)
    assert torch.equal(joined.logits, torch.cat([part.logits for part in parts]))
    for which in ("raising", "lowering"):
        sites, own = getattr(joined, which), [getattr(part, which) for part in parts]
        for name in ("site_scores", "starts", "is_reverse"):
            assert torch.equal(getattr(sites, name), torch.cat([getattr(one, name) for one in own]))
        assert sites.width == WIDTH
    assert (joined.raising is joined.lowering) == are_matches
    assert (joined.contributions is not None) == has_gradient
    if has_gradient:
        values = [part.contributions.values for part in parts]
        assert torch.equal(joined.contributions.values, torch.cat(values))
        sums = sum(part.contributions.by_strand for part in parts)
        torch.testing.assert_close(joined.contributions.by_strand, sums)


# Tables of sites.


def drawn_classes(dna, names=(None, None)):
    """Two classes of five and six sequences, and three filters whose sites are drawn."""
    generator = torch.Generator().manual_seed(0)
    inputs = tuple(replace(as_inputs(dna(n, 41, n)), names=own) for n, own in zip((5, 6), names, strict=True))
    readings = tuple(drawn_reading(len(own), generator, True, False) for own in inputs)
    return ContributingSites(inputs, readings)


@pytest.mark.parametrize("is_raising", [True, False])
@pytest.mark.parametrize("own", [0, 1])
def test_examples_are_the_letters_of_the_sites_in_the_table(dna, own, is_raising):
    sites = drawn_classes(dna)
    chosen = {f"filter_{f}": sites.sites_of(f, own, 0.2, is_raising=is_raising) for f in range(3)}
    table = sites.tabulate(chosen)
    examples = sites.examples(table, chosen)
    assert len(examples) == len(table) > 6
    assert set(table["strand"]) == {"+", "-"}
    for row, site in zip(_letters_of(table, sites.inputs[own].x), examples.itertuples(), strict=True):
        assert site.letters == "".join("ACGT"[i] for i in row)
    which = "raising" if is_raising else "lowering"
    scores = getattr(sites.classes[own], which).site_scores
    for site in table.itertuples():
        value = float(scores[site.sequence, int(site.filter[-1])])
        assert site.site_contribution == pytest.approx(value if is_raising else -value)


def test_coordinates_are_whole_numbers_where_one_class_alone_has_them(dna):
    sites = drawn_classes(dna, ([f"chr1:{100 * i}-{100 * i + 41}" for i in range(5)], None))
    chosen = {
        "filter_0": sites.sites_of(0, 0, 0.2, is_raising=True),
        "filter_1": sites.sites_of(1, 1, 0.2, is_raising=True),
    }
    table = sites.tabulate(chosen)
    for column in ("chrom_start", "chrom_end"):
        assert table[column].dtype == "Int64"
        assert table[column].isna().tolist() == (table["sites_in"] == "negatives").tolist()
    own = table[table["sites_in"] == "positives"]
    assert (own["chrom_end"] == 100 * own["sequence"] + own["end"]).all()


def test_a_filter_that_matches_both_classes_alike_speaks_for_the_positives(dna):
    inputs = as_inputs(dna(5, 41, 0)), as_inputs(dna(5, 41, 1))
    one = drawn_reading(5, torch.Generator().manual_seed(0), False, True)
    assert ContributingSites(inputs, (one, one)).direction(0) == (0, True)
