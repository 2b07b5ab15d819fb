"""docs/explanation/definitions.md and the saved tables say the same: each column once, and every table."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch

from rcinterp import (
    compact_model,
    compare_models,
    fit,
    interpret,
    load_dataset,
    load_motifs,
    simulate_motifs,
    strand_consistency,
)
from rcinterp.comparison import COLUMNS
from rcinterp.data.sequences import decode

PAGE = (Path(__file__).parents[1] / "docs" / "explanation" / "definitions.md").read_text(encoding="utf-8")
#: Tables that have other columns than those of the package, which the page says in a sentence.
OTHERS = {"matches.tsv", "pattern_contributions.tsv"}


def _rows(section):
    """Rows of the table of a section of the page."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [row.strip("|").split(" | ") for row in text.splitlines() if row.startswith("| `")]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Give every table that the package saves, name to columns, made by small models."""
    folder, length = tmp_path_factory.mktemp("tables"), 60
    motif = {"CTCF_known1": load_motifs("encode")["CTCF_known1"]}
    simulated = simulate_motifs(motif, 60, length, seed=0, mean_instances=1, max_instances=1)
    data = load_dataset(simulated.x[:40], simulated.x[:40].flip(2))
    model = compact_model(1, 3, length, widths=(11,), pool=10, stride=10)
    history = fit(model, data, data, seed=0, epochs=1, progress=False)
    history.to_csv(folder / "history.tsv", sep="\t", index=False)
    x = torch.cat([simulated.x[40:], simulated.x[40:].flip(2)])
    named = pd.Series(decode(x), index=[f"chr1:{100 * i}-{100 * i + length}" for i in range(len(x))])
    catalogue = dict(list(load_motifs("encode").items())[:60])
    found = interpret(model, named[:20], named[20:], catalogue)
    found.save(folder)
    compare_models([found, found], motifs=catalogue).save(folder / "models")
    strands = strand_consistency(model, named)
    strands.table.to_csv(folder / "strands.tsv", sep="\t", index=False)
    strands.logits.to_csv(folder / "strand_logits.tsv", sep="\t", index=False)
    simulated.sites.to_csv(folder / "simulated_sites.tsv", sep="\t", index=False)
    paths = [*folder.glob("*.tsv"), *(folder / "models").glob("*.tsv")]
    return {path.name: list(pd.read_csv(path, sep="\t", comment="#").columns) for path in paths}


def test_every_column_is_defined_once():
    rows = [*_rows("Columns"), *_rows("Columns of the studies")]
    defined = [column for row in rows for column in re.findall("`([^`]+)`", row[0])]
    assert len(defined) == len(set(defined))
    assert all(len(row) == 2 and len(row[1].strip()) > 3 for row in rows)


@pytest.mark.filterwarnings("ignore:recipe quiet")
def test_tables_have_the_columns_that_the_page_lists(tables):
    listed = {row[0].strip(" `"): re.findall(r"`(\w+)`", row[2]) for row in _rows("Tables")}
    assert set(listed) == set(tables) - OTHERS
    for name, columns in listed.items():
        assert columns == tables[name], name


def test_what_is_listed_is_defined_and_what_is_defined_is_listed(tables):
    defined = {row[0].strip(" `") for row in _rows("Columns")}
    listed = {column for row in _rows("Tables") for column in re.findall(r"`(\w+)`", row[2])}
    assert listed == defined


def test_matches_have_tomtom_s_columns(tables):
    assert tables["matches.tsv"] == list(COLUMNS)
    assert all(f"`{column}`" in PAGE for column in COLUMNS)
