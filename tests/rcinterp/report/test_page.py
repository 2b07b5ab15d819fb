"""The page itself: what stands on it without its script, that nothing in it is taken for markup, and its size."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError

from rcinterp.errors import InputError
from rcinterp.interpretation import write_report
from rcinterp.interpretation.methods import list_references
from rcinterp.interpretation.report import make_part
from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.motifs import information_content, reverse_complement_motif
from rcinterp.report.filters import MOST_PICTURES
from rcinterp.report.page import write_parts
from rcinterp.report.svg import draw_alignment, draw_logo, draw_reverse_complement


@pytest.fixture
def page(tmp_path):
    """Give ``page(found, ...)``: the text of its report."""

    def write(found, title="Filters", **options):
        write_report(tmp_path / "report.html", found, title, **options)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def rows_of(page):
    """Name, and text of each cell, of each filter in the order of the page."""
    found = {}
    for body in re.findall(r'<tbody class="f.*?</tbody>', page, re.DOTALL):
        row = body.split("</tr>")[0]
        name, *cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        text = [" ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", cell).split()) for cell in (name, *cells)]
        found[text[0]] = text[1:]
    return found


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_every_filter_has_a_row_that_says_what_the_table_says(found, page):
    text = page(found)
    rows = rows_of(text)
    assert set(rows) == set(found.table["filter"])
    for row in found.table.to_dict("records"):
        _, _, contribution, q, verdict, match, _, sites, acts = rows[row["filter"]]
        has_interval = np.isfinite(row["contribution_low"])
        said = f"{row['contribution']:+.3f}" + (f" {row['contribution_low']:+.3f} to" if has_interval else "")
        assert (" to " in contribution) == has_interval
        assert contribution.replace("−", "-").startswith(said)
        assert float(q) == pytest.approx(row["contribution_q"], abs=5e-4)
        assert verdict.endswith(row["verdict"])
        assert sites == f"{row['n_sites']} {row['sites_in']} {row['n_other_sites']} of the others"
        assert acts == f"{100 * row['active_share']:.0f} %"
        is_idle = row["verdict"].startswith(("dead", "negligible"))
        assert (match == "–") == (is_idle or pd.isna(row["best_match"]) or row["match_q"] >= 1)
        assert match == "–" or match.startswith(row["best_match"])


def test_filters_of_one_motif_stand_together_and_idle_ones_last(found, page):
    text = page(found)
    groups = re.findall(r'<tbody class="g (\w+)"><tr><th[^>]*>(.*?)</th>', text)
    assert groups[-1][0] == "idlehead"
    assert [kind for kind, _ in groups[:-1]] == ["named"] * (len(groups) - 1)
    named = [re.sub(" <small>.*", "", heading) for _, heading in groups[:-1]]
    assert named[0] == "CTCF"
    assert len(set(named)) == len(named)
    order = list(rows_of(text))
    idle = found.table["filter"][found.table["verdict"].str.startswith(("dead", "negligible"))]
    assert set(order[-len(idle) :]) == set(idle)


def test_the_page_begins_with_the_answer(found, page):
    text = page(found)
    assert text.index(found.answer) < text.index('<table class="filters')
    assert f"auROC <b>{found.performance['auroc']:.3f}</b>" in text


def test_pictures_are_of_the_weights_and_their_reverse_complement(found, page):
    text = page(found)
    for name, weight in list(found.filters.items())[:4]:
        body = next(one for one in text.split("<tbody") if f">{name}</button>" in one)
        identity = re.search(r"<svg role=\"img\"[^>]*><g id=(\S+)-axes", body)[1]
        assert draw_logo(weight, f"Centred weights of {name}", identity=identity) in body
        assert draw_reverse_complement(weight.shape[1], f"Reverse complement of {name}", identity) in body


def best_alignments(found):
    """Row of matches of each filter's best match, and the target as it lies on the filter's motif."""
    named = found.table[found.table["match_q"] < 0.01].set_index("filter")["best_match"]
    rows = found.matches[found.matches["Target_ID"] == found.matches["Query_ID"].map(named)].to_dict("records")
    assert len({row["Optimal_offset"] for row in rows if row["Optimal_offset"] != 0}) > 2  # else a wrong sign would do
    for row in rows:
        target = found.targets[row["Target_ID"]]
        yield row, reverse_complement_motif(target) if row["Orientation"] == "-" else target


def test_matches_are_drawn_where_they_were_compared(found, page):
    """In a notebook as pictures; on a page by its script, which is told the same place."""
    text, shown = page(found), found._repr_html_()
    for row, target in best_alignments(found):
        name, start = row["Query_ID"], -row["Optimal_offset"]
        motif, known = (ppm * information_content(ppm) for ppm in (found.ppms[name], target))
        if f"{name}</th>" in shown and "negligible" not in found.table.set_index("filter")["verdict"][name]:
            assert draw_alignment(motif, known, start, f"{row['Target_ID']} above the motif of {name}") in shown
        body = next(one for one in text.split("<tbody") if f">{name}</button>" in one)
        number = list(found.targets).index(row["Target_ID"])
        told = f'data-d="m" data-m="{number}" data-o="{start}" data-r="{row["Orientation"]}"'
        assert ("negligible" in body) or told in body


def test_at_that_place_letters_that_are_certain_in_both_are_equal(found):
    n_equal, n_unequal = 0, 0
    for row, target in best_alignments(found):
        ppm, start = found.ppms[row["Query_ID"]], -row["Optimal_offset"]
        for j in range(target.shape[1]):
            if 0 <= j + start < ppm.shape[1] and min(target[:, j].max(), ppm[:, j + start].max()) > 0.8:
                is_equal = target[:, j].argmax() == ppm[:, j + start].argmax()
                n_equal, n_unequal = n_equal + is_equal, n_unequal + (not is_equal)
    assert n_equal > 40
    assert n_unequal < 0.05 * n_equal


def test_numbers_for_the_script_are_those_of_the_filters(found, page, decode_shares):
    text = page(found)
    for name in found.table["filter"]:
        body = next(one for one in text.split("<tbody") if f">{name}</button>" in one)
        weight, most, ppm = (re.search(rf'data-{key}="([^"]*)"', body)[1] for key in "wsp")
        np.testing.assert_allclose(
            (2 * decode_shares(weight) - 1) * float(most), found.filters[name], atol=1e-3 * max(1e-9, float(most))
        )
        np.testing.assert_allclose(decode_shares(ppm), found.ppms[name], atol=2e-4)
    data = data_of(text)
    for name, encoded in data["targets"]["filters"]:
        np.testing.assert_allclose(decode_shares(encoded), found.targets[name], atol=2e-4)


def test_lines_are_the_table_s(found, page):
    lines = data_of(page(found))["lines"]["filters"]
    assert "\n".join(lines) + "\n" == found.table.to_csv(sep="\t", index=False)


def test_nothing_given_is_taken_for_markup(found, page):
    odd = "<script>alert(1)</script>"
    best = found.table["best_match"]
    table = found.table.assign(match_description=odd, verdict="</td>" + odd, best_match=best.where(best.isna(), odd))
    text = page({odd: replace(found, table=table, layer=odd)}, title=odd, summary=odd)
    assert "<script>alert" not in text
    assert "</td><script" not in text
    assert text.count("<script") == text.count("</script>") == 2
    assert data_of(text)["lines"]["filters"][1].count(odd) >= 2


def test_sites_tell_their_places_and_link_to_a_browser_if_the_genome_is_known(found, page):
    best = found.best_sites.iloc[0]
    place = f"{best['chrom']}:{best['chrom_start'] + 1:,}–{best['chrom_end']:,} ({best['chrom_strand']})"
    without, linked = page(found), page(found, genome="hg38")
    assert place in without
    assert best["letters"] in without
    assert "https://" not in without.replace("https://doi.org", "")
    position = f"{best['chrom']}%3A{best['chrom_start'] + 1}-{best['chrom_end']}"
    assert f'href="https://genome.ucsc.edu/cgi-bin/hgTracks?db=hg38&amp;position={position}"' in linked


def test_models_stand_side_by_side(found, of_size, page):
    text = page({"Model A": found, "Model B": of_size(3)})
    assert re.findall("<h2>(.*?)</h2>", text)[:2] == ["Side by side", "Model A"]
    assert len(rows_of(text)) == len(found.table)  # B's have names that A's have too
    identities = re.findall(r'\bid="?([\w-]+)', text)
    assert len(identities) == len(set(identities))
    assert set(re.findall(r"href=\"?#([\w-]+)", text)) <= set(identities)


def test_the_same_pattern_in_other_models(found, page):
    class Comparison:
        members = pd.DataFrame(
            {
                "model": ["a", "b", "b"],
                "filter": ["filter_0", "filter_7", "filter_8"],
                "pattern": ["pattern_0", "pattern_0", "pattern_1"],
                "contribution": [1.0, 0.25, 3.0],
                "consensus_similarity": [0.9, 0.8, 0.7],
            }
        )
        models = pd.DataFrame({"model": ["a", "b"]})

    text = page({"a": found, "b": found}, comparison=Comparison())
    body = next(one for one in text.split("<tbody") if ">filter_0</button>" in one)
    assert "b, filter_7 <small>contribution +0.250, similarity to the consensus 0.80" in body
    assert "filter_8 <small>contribution" not in body
    with pytest.raises(InputError, match="has models a, b, expected 'RC' among them"):
        page({"RC": found, "b": found}, comparison=Comparison())


def test_the_same_findings_give_the_same_bytes(found, page):
    assert page(found) == page(found)


def test_a_row_that_lacks_something_is_an_error_not_a_gap(found, tmp_path):
    part = make_part("filters", "", found, has_pictures=True)
    del part.filters.groups[0].rows[0]["verdict"]
    with pytest.raises(UndefinedError, match="verdict"):
        write_parts(tmp_path / "report.html", "T", [part], limits=LIMITS)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("given", "got"),
    [({}, "a dict of 0"), ({"a": 1}, "a dict of 1"), ([1], "list"), (pd.DataFrame(), "DataFrame"), (None, "NoneType")],
)
def test_what_is_no_interpretation_is_refused(tmp_path, given, got):
    with pytest.raises(InputError, match=f"write_report: got {got}, expected what interpret returned, or several"):
        write_report(tmp_path / "report.html", given)
    assert not (tmp_path / "report.html").exists()


def test_a_layer_without_weights_of_letters_says_so(found, page):
    bits = replace(found, unit="bits")
    assert ">Centred weights</th>" in page(found)
    assert ">Motif</th>" in page(bits)
    assert ">Centred weights</th>" not in page(bits)


def test_what_a_reader_must_mind_stands_above_the_table(found, page):
    text = page(replace(found, is_probability=True, performance={"auroc": 0.3, "auprc": 0.4}))
    above = text[: text.index('<table class="filters')]
    assert "All outputs lie between 0 and 1" in above
    assert "perhaps the two classes are the wrong way round" in above


def test_methods_and_origin_tell_what_was_done(found, page):
    text = page(found)
    origin = found.origin
    for said in (origin.model, *origin.sequences.values(), *origin.versions.values(), "Seed: 0", "1,000 permutations"):
        assert said in text
    assert "interpret(model, positives, negatives, &#39;encode&#39;, layer=&#39;conv&#39;, target=0" in text
    assert re.search(r"[0-9a-f]{64}", origin.model)


def test_few_filters_have_pictures_and_many_are_drawn_by_the_script(of_size, page):
    few, many = page(of_size(MOST_PICTURES)), page(of_size(MOST_PICTURES + 1))
    assert few.count('class="c1 logo"><svg') == MOST_PICTURES
    assert many.count('class="c1 logo"><svg') == 0
    assert many.count('class="c1 logo"><i class="d" data-d="w"><span class="seq">') == MOST_PICTURES + 1


def test_pages_are_small(found, of_size, page):
    assert len(page(found).encode()) < 500_000
    assert len(page(of_size(300)).encode()) < 1.5e6


def test_the_script_is_small():
    from importlib.resources import files

    assert len((files("rcinterp.report") / "page.js").read_bytes()) < 20_000


def numbers_of(found):
    return {number.label: number.value for number in make_part("f", "", found, has_pictures=False).numbers}


def test_numbers_at_the_top_have_their_signs_and_are_of_the_output_that_was_read(found):
    own = found.performance["auroc"]
    for baseline in (own - 0.125, own + 0.25):
        said = numbers_of(replace(found, baseline={"auroc": baseline, "auprc": 0.5}))
        assert said["auROC above 6-mers"].replace("−", "-") == f"{own - baseline:+.3f}"
    table = pd.concat([found.strands.table.assign(task=i, rc_difference=size) for i, size in enumerate((3.0, 20.0))])
    two = replace(found, strands=replace(found.strands, table=table))
    assert numbers_of(two)["largest difference of the strands"] == "3"
    read = replace(two, origin=replace(found.origin, target=1))
    assert numbers_of(read)["largest difference of the strands"] == "20"


def test_the_first_logos_are_the_largest_of_each_motif_and_then_the_next_largest(found):
    part = make_part("f", "", found, has_pictures=False)
    carrying = found.carrying
    factors = carrying["match_factor"].where(carrying["verdict_kinds"].str.contains("known motif"))
    size = carrying["contribution"].abs()
    first = {carrying.loc[rows.idxmax(), "filter"] for _, rows in size.groupby(factors)}
    shown = [picture.name for picture in part.hero]
    assert len(shown) == 5
    assert first <= set(shown)
    assert [abs(float(carrying.set_index("filter").loc[name, "contribution"])) for name in shown] == sorted(
        (abs(float(carrying.set_index("filter").loc[name, "contribution"])) for name in shown), reverse=True
    )
    assert part.hero_text == "The largest filter of each motif, then the next largest ones."


def test_positions_are_counted_from_one_end_of_the_sequences_to_the_other(found):
    """... also where all sites lie in one half: the axis is that of the sequence."""
    half = replace(found, sites=found.sites[found.sites["end"] <= found.length // 2])
    groups = make_part("f", "", half, has_pictures=False).filters.groups
    counts = {row["filter"]: np.array(row["histogram"]) for group in groups for row in group.rows}
    assert sum(counts.values()).sum() == len(half.sites)
    for histogram in counts.values():
        assert histogram[len(histogram) // 2 + 1 :].sum() == 0


def test_what_is_cited_is_what_was_used(found):
    def cited(**columns):
        one = replace(found, contributions=found.contributions.assign(**columns))
        return " ".join(list_references([one]))

    assert "Axiomatic attribution" not in cited()
    assert "Axiomatic attribution" in cited(method="integrated_gradients")
    assert "propagating activation" in cited(method="deeplift")
    assert "Kheradpour" in cited()
    assert "Kheradpour" not in " ".join(
        list_references([replace(found, origin=replace(found.origin, motifs="my.meme"))])
    )


def test_an_odd_character_in_a_name_moves_no_row(found, page):
    """Next line, line separator and form feed end no line of the table that is copied and downloaded."""
    odd = {name: f"{name}\u0085a\u2028b\x0cc" for name in found.table["best_match"].dropna().unique()[:2]}
    lines = data_of(page(replace(found, table=found.table.replace({"best_match": odd}))))["lines"]["filters"]
    assert len(lines) == len(found.table) + 1
    assert [line.split("\t")[0] for line in lines[1:]] == found.table["filter"].tolist()
