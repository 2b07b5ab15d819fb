"""The page as a person uses it, in headless Chromium: reports of 3, 24 and 300 filters, and of patterns.

Where there is no Chromium (`chromium` on the path) or no client (playwright), the tests are skipped.
"""

import re
import shutil
from importlib.util import find_spec

import numpy as np
import pytest

from rcinterp.interpretation import write_report
from rcinterp.motifs import information_content, read_meme, reverse_complement_motif
from rcinterp.report.logos import stack_letters
from rcinterp.stability import compare_models

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="no client for a browser: pip install playwright"),
]
SIZES = (3, 24, 300)
WIDTHS = (390, 768, 1440)
#: A click, a key or a choice may take so long [ms] until the page has been laid out anew.
AT_MOST = 100


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def reports(of_size, tmp_path_factory):
    """Paths of reports, by their numbers of filters, and of patterns."""
    folder = tmp_path_factory.mktemp("reports")
    found = {n: folder / f"{n}.html" for n in SIZES}
    for n, path in found.items():
        write_report(path, of_size(n), f"{n} filters", genome="hg38" if n == 24 else None)
    compare_models({"a": of_size(24), "b": of_size(12)}).to_html(folder / "patterns.html")
    return {**found, "patterns": folder / "patterns.html"}


@pytest.fixture
def visit(browser, reports):
    """Give ``visit(n, ...)``: an open page; afterwards, that it asked for nothing and complained of nothing."""
    pages = []

    def open_page(which, **options):
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page, problems = context.new_page(), []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        own = reports[which].as_uri()
        page.on("request", lambda request: None if request.url.split("#")[0] == own else problems.append(request.url))
        page.goto(own)
        pages.append((context, problems))
        return page

    yield open_page
    for context, problems in pages:
        context.close()
        assert [one for one in problems if not one.startswith("blob:")] == []


def shown(page):
    """Names of the filters that are shown, from the top down."""
    return page.evaluate(
        "[...document.querySelectorAll('tbody.f')].filter(row => row.getClientRects().length)"
        ".map(row => row.querySelector('th').textContent.trim())"
    )


def values(page, n):
    return page.evaluate(
        "n => [...document.querySelectorAll('tbody.f')].filter(row => row.getClientRects().length)"
        ".map(row => row.querySelector('.c' + n).dataset.v)",
        n,
    )


@pytest.mark.parametrize("n", SIZES)
def test_a_click_on_a_heading_sorts_by_it_then_turns_round_then_goes_back(visit, n):
    page = visit(n)
    given = shown(page)
    heading = page.get_by_role("columnheader", name="Contribution")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    falling = list(map(float, values(page, 3)))
    assert falling == sorted(falling, reverse=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert list(map(float, values(page, 3))) == sorted(falling)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") is None
    assert shown(page) == given
    page.get_by_role("columnheader", name="Verdict").get_by_role("button").click()
    words = values(page, 5)
    assert words == sorted(words, key=str.lower)


@pytest.mark.parametrize("n", [24, 300])
def test_search_and_filters_leave_what_was_asked_for(visit, of_size, n):
    table = of_size(n).table
    page = visit(n)
    page.get_by_role("searchbox").fill("spi1")
    spi1 = set(shown(page))
    assert spi1
    assert spi1 < set(table["filter"])
    assert page.locator(".tools output").inner_text() == f"{len(spi1)} of {n}"
    page.get_by_role("searchbox").fill("no such thing")
    assert shown(page) == []
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Verdict").select_option("CTCF")
    ctcf = table[table["match_factor"].eq("CTCF") & table["verdict_kinds"].str.contains("known motif")]
    assert set(shown(page)) <= set(ctcf["filter"])
    assert shown(page)
    page.get_by_role("combobox", name="Verdict").select_option("")
    page.get_by_label("q-value of the contribution").select_option(".01")
    assert set(shown(page)) == set(table["filter"][table["contribution_q"] <= 0.01])


def test_filters_that_contribute_nothing_are_folded_until_asked_for(visit):
    page = visit(24)
    button = page.get_by_role("button", name=re.compile("nothing, or next to nothing"))
    folded = len(shown(page))
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    assert folded < len(shown(page)) == 24


@pytest.mark.parametrize("n", SIZES)
def test_a_row_opens_and_everything_in_it_is_drawn(visit, n):
    page = visit(n)
    button = page.locator("button.open").first
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    more = page.locator("tr.more:visible")
    assert more.count() == 1
    drawn = more.locator("i.d")
    assert drawn.count() > 8
    assert more.locator("i.d svg").count() + more.locator("i.d b").count() > drawn.count()
    for heading in ("Motif of its sites", "Known motifs, each above", "Contribution by sequence", "Its best sites"):
        assert more.get_by_role("heading", name=heading).count() == 1
    page.keyboard.press("Escape")
    assert button.get_attribute("aria-expanded") == "false"
    assert more.count() == 0


def test_what_the_script_draws_is_what_the_package_draws(visit):
    """The letters of a filter, drawn by both: as many of each, within a unit of the same places."""
    page = visit(24)
    page.locator("button.open").first.click()
    boxes = page.evaluate(
        """() => {
      const row = document.querySelector('tbody.f'), own = row.querySelector('td.logo svg');
      const drawn = row.querySelector('tr.more i[data-d=w] svg');
      const extent = svg => {
        const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
        const boxes = [...svg.querySelectorAll('use, path[class^=b]')].map(e => e.getBoundingClientRect());
        const ends = [Math.min(...boxes.map(b => b.left)) - frame.left, Math.min(...boxes.map(b => b.top)) - frame.top,
          Math.max(...boxes.map(b => b.right)) - frame.left, Math.max(...boxes.map(b => b.bottom)) - frame.top];
        return ends.map(v => v / scale); };
      return [extent(own), extent(drawn)]; }"""
    )
    np.testing.assert_allclose(boxes[0], boxes[1], atol=1.5)


#: Letters of a picture of the script, each as [letter, column, top, bottom] in units of the picture.
LETTERS = """at => [...at.querySelectorAll('path')].filter(path => /^b[ACGT]/.test(path.getAttribute('class')))
  .flatMap(path => { const seen = {}, numbers = path.getAttribute('d').match(/-?[\\d.]+/g).map(Number);
    for (let i = 0; i < numbers.length; i += 2) { const column = Math.floor((numbers[i] - 24) / 9 + 1e-6);
      const ends = seen[column] = seen[column] || [Infinity, -Infinity];
      ends[0] = Math.min(ends[0], numbers[i + 1]); ends[1] = Math.max(ends[1], numbers[i + 1]); }
    return Object.entries(seen).map(([column, ends]) => [path.getAttribute('class')[1], +column, ...ends]); })"""
TOP, HEIGHT, BELOW = 4, 52, 60  # units: of the drawing, and from one drawing of an alignment to the next


def expected_letters(heights, span=None, column=0, down=0):
    """Where the package's own stacks of letters stand, {(letter, column): (top, bottom)}; those of 3 units or more.

    Letters as high as another one of their stack are left out: which of them stands first is left to rounding.
    """
    low, high = span or (np.minimum(heights, 0).sum(0).min(), np.maximum(heights, 0).sum(0).max())
    scale = HEIGHT / (high - low)
    bases = stack_letters(heights)
    return {
        ("ACGT"[c], column + i): (
            TOP + down + (high - max(bases[c, i], bases[c, i] + size)) * scale,
            TOP + down + (high - min(bases[c, i], bases[c, i] + size)) * scale,
        )
        for (c, i), size in np.ndenumerate(heights)
        if abs(size) * scale >= 3 and (np.abs(heights[:, i] - size) * scale < 0.2).sum() == 1
    }


def check_letters(drawn, *expected):
    """Every letter of the expected pictures stands where it should, and no large one elsewhere."""
    places = [(key, ends) for one in expected for key, ends in one.items()]
    found = {}
    for letter, column, top, bottom in drawn:
        found.setdefault((letter, column), []).append((top, bottom))
    for key, ends in places:
        near = [max(abs(top - ends[0]), abs(bottom - ends[1])) for top, bottom in found.get(key, ())]
        assert near, f"{key} is not drawn"
        assert min(near) <= 1 + 0.1 * (ends[1] - ends[0]), (key, ends, found[key])
    assert len(places) >= 2


def test_each_letter_that_the_script_draws_stands_where_the_package_puts_it(visit, of_size):
    """Weights, reverse complements, motifs and alignments: matches on both strands that hang over or begin late."""
    found, page = of_size(24), visit(24)
    seen = set()
    for button in page.locator("tbody.f:not(.idle) button.open").all():
        name = button.inner_text()
        button.click()
        row = page.locator("tbody.f").filter(has=page.locator("button.open", has_text=re.compile(rf"^{name}$")))
        more = row.locator("tr.more")
        own = found.filters[name]
        check_letters(more.locator("i.d[data-d=w]").evaluate(LETTERS), expected_letters(own))
        check_letters(more.locator("i.d[data-d=r]").evaluate(LETTERS), expected_letters(reverse_complement_motif(own)))
        ppm = found.ppms[name]
        bits = ppm * information_content(ppm)
        check_letters(more.locator("i.d[data-d=p]").evaluate(LETTERS), expected_letters(bits, (0, 2)))
        for at in more.locator("i.d[data-d=m]").all():
            start, turned, target = (at.get_attribute(f"data-{key}") for key in "orm")
            listed = found.matches[found.matches["Query_ID"] == name].head(5)
            page_targets = page.evaluate("JSON.parse(document.querySelector('#data').textContent).targets.filters")
            known = page_targets[int(target)][0]
            (match,) = listed[listed["Target_ID"] == known].to_dict("records")
            assert turned == match["Orientation"]
            matrix = found.targets[known] if turned == "+" else reverse_complement_motif(found.targets[known])
            known_bits = matrix * information_content(matrix)
            left = min(0, int(start))
            letters = at.evaluate(LETTERS)
            above = [one for one in letters if one[3] <= TOP + HEIGHT + 1]
            under = [one for one in letters if one[2] >= TOP + HEIGHT]
            check_letters(above, expected_letters(known_bits, (0, 2), int(start) - left))
            check_letters(under, expected_letters(bits, (0, 2), -left, BELOW))
            seen.add((turned, np.sign(int(start))))
    assert {turned for turned, _ in seen} == {"+", "-"}
    assert {sign for _, sign in seen} >= {-1, 1}


def test_columns_are_chosen(visit):
    page = visit(24)
    assert not page.locator("td.c7").first.is_visible()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="Likeness to its own RC").check()
    page.get_by_role("checkbox", name="Reverse complement").uncheck()
    assert page.locator("td.c7").first.is_visible()
    assert not page.locator("td.c2").first.is_visible()


def test_rows_are_copied_and_downloaded(visit, of_size, tmp_path):
    found, page = of_size(24), visit(24)
    page.get_by_role("combobox", name="Verdict").select_option("CTCF")
    kept = shown(page)
    lines = found.table.to_csv(sep="\t", index=False).splitlines()
    expected = [lines[0], *(line for line in lines[1:] if line.split("\t")[0] in kept)]
    page.get_by_role("button", name="Copy rows").click()
    page.wait_for_function("document.querySelector('.tools output').textContent.includes('copied')")
    assert sorted(page.evaluate("navigator.clipboard.readText()").splitlines()) == sorted(expected)
    for button, name in (("Download TSV", "filters.tsv"), ("Download MEME", "filters.meme")):
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        assert download.value.suggested_filename == name
        download.value.save_as(tmp_path / name)
    assert sorted((tmp_path / "filters.tsv").read_text().splitlines()) == sorted(expected)
    motifs = read_meme(tmp_path / "filters.meme")
    assert set(motifs) == set(kept)
    for name, motif in motifs.items():
        np.testing.assert_allclose(motif.ppm if hasattr(motif, "ppm") else motif, found.ppms[name], atol=5e-4)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_it_is_toggled(visit, scheme):
    page = visit(24, color_scheme=scheme)
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    assert (before == "rgb(255, 255, 255)") == (scheme == "light")
    page.get_by_role("button", name=re.compile("colours")).click()
    after = page.evaluate(background)
    assert (after == "rgb(255, 255, 255)") == (scheme == "dark")
    page.reload()
    assert page.evaluate(background) == after


@pytest.mark.parametrize("which", [*SIZES, "patterns"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_lies_beyond_the_edge_of_a_screen(visit, which, width):
    page = visit(which, viewport={"width": width, "height": 800})
    page.locator("button.open").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = page.evaluate(
        "() => [...document.querySelectorAll('td, th, button, select, input, p, figure, li')].filter(e => "
        "!e.closest('.wide, .said, .letters') && e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert beyond == 0


@pytest.mark.parametrize("which", [24, 300, "patterns"])
@pytest.mark.parametrize("width", [768, 1280, 1440])
def test_no_text_runs_into_the_next_cell(visit, which, width):
    page = visit(which, viewport={"width": width, "height": 900})
    page.locator("button.open").first.click()
    into = page.evaluate(
        """() => [...document.querySelectorAll('tbody.f')].slice(0, 8)
      .flatMap(row => [...row.querySelectorAll('tr:not(.more) > *')])
      .filter(cell => cell.clientWidth && cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.className)"""
    )
    assert into == []


@pytest.mark.parametrize("which", [3, 300])
def test_numbers_of_an_axis_stand_left_of_it_and_are_several(visit, which):
    page = visit(which)
    page.locator("button.open").first.click()
    axes = page.evaluate(
        """() => [...document.querySelectorAll('.hero svg[role=img], .more svg[role=img]')].filter(
        svg => /Logo|Centred|Motif|Reverse/.test(svg.getAttribute('aria-label'))).map(svg => {
      const frame = svg.getBoundingClientRect(), scale = frame.width / svg.viewBox.baseVal.width;
      return [...svg.querySelectorAll('text[text-anchor=end], text.end')].filter(text => text.getClientRects().length)
        .map(text => (text.getBoundingClientRect().right - frame.left) / scale); })"""
    )
    assert len(axes) > 4
    assert [ends for ends in axes if len(ends) < 2 or max(ends) > 24] == []


@pytest.mark.parametrize("which", [3, 24, "patterns"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_nothing_serious(visit, which, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    page = visit(which, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.locator("button.open").first.click()
    found = axe.Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in serious] == []


def test_three_hundred_filters_answer_at_once(visit):
    page = visit(300)
    page.wait_for_timeout(500)
    took = page.evaluate(
        """() => { const time = act => { const start = performance.now(); act(); document.body.offsetHeight;
      return performance.now() - start; };
    const one = selector => document.querySelector(selector), search = one('input[type=search]');
    const type = text => () => { search.value = text; search.dispatchEvent(new Event('input')); };
    const acts = { sort: () => one('button[data-sort="3"]').click(), search: type('ctcf'), clear: type(''),
      open: () => one('button.open').click() };
    const medians = {};
    for (const [name, act] of Object.entries(acts))
      medians[name] = [1, 2, 3, 4, 5].map(() => time(act)).sort((a, b) => a - b)[2];
    return medians; }"""
    )
    assert {name: ms for name, ms in took.items() if ms > AT_MOST} == {}


def test_it_prints_each_section_on_its_page(visit):
    page = visit(24)
    text = page.pdf(prefer_css_page_size=True)
    assert text.startswith(b"%PDF")
    n_pages = len(re.findall(rb"/Type\s*/Page\b", text))
    assert n_pages >= page.locator("section").count()


def test_without_a_script_it_is_a_plain_table_of_everything(browser, reports):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(reports[24].as_uri())
    assert page.locator("tbody.f:visible").count() == 24
    assert page.locator("tr.more:visible").count() == 24
    assert page.locator(".tools:visible").count() == 0
    context.close()


def test_patterns_sort_search_and_open(visit):
    page = visit("patterns")
    n = len(shown(page))
    page.get_by_role("columnheader", name="Models").get_by_role("button").click()
    assert list(map(int, values(page, 4))) == sorted(map(int, values(page, 4)))
    page.get_by_role("searchbox").fill("spi1")
    assert 0 < len(shown(page)) < n
    page.locator("button.open:visible").first.click()
    assert page.locator("tr.more:visible li").count() >= 1
    assert page.locator("tr.more:visible svg").count() == 1
