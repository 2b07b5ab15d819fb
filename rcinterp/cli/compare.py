"""The command line of comparing motifs."""

from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import OVERWRITE, is_asked, say, shows_progress, warm_up, warn
from rcinterp.cli._help import option
from rcinterp.cli._place import check_file
from rcinterp.cli._types import FILE, MOTIFS, NEW_FILE, Number
from rcinterp.files import write_at_once
from rcinterp.files.paths import number_of_open


@click.command(
    cls=Command,
    short_help="Compare the motifs of a file with known ones.",
    example="rcinterp compare report/filters.meme --motifs encode --out matches.tsv",
)
@click.argument("queries", type=FILE)
@option("--motifs", type=MOTIFS, default="encode", group="Known motifs", help='"encode", or a motif file.')
@option(
    "--background",
    type=MOTIFS,
    group="Known motifs",
    help='For few known motifs: "encode", or a motif file whose columns join theirs.',
)
@option(
    "--distance",
    type=click.Choice(["euclidean", "pearson"]),
    default="euclidean",
    group="Comparison",
    help="Of two columns.",
)
@option(
    "--group-by",
    type=click.Choice(["family", "similarity"]),
    group="Comparison",
    help="Keep the best match of each group.",
)
@option(
    "--max-q-value",
    type=Number(0, 1, min_open=True),
    default=0.5,
    group="Comparison",
    help="Largest q-value kept.",
)
@option("--out", type=NEW_FILE, group="Output", help="File for the table.  [default: standard output]")
def compare(
    queries: Path,
    motifs: str,
    distance: str,
    background: str | None,
    group_by: str | None,
    max_q_value: float,
    out: Path | None,
) -> Done:
    """Compare the motifs of a file with known ones; prints MEME Tomtom's table.

    Files may be in the format of MEME, JASPAR, TRANSFAC, HOMER, ENCODE, pfm, CIS-BP or UniPROBE, plain or gzipped.
    """
    from rcinterp.comparison import compare_motifs, find_uninformative, format_matches
    from rcinterp.motifs.groups import best_groups, group_motifs, name_families

    if out is not None:
        check_file(out, "Query_ID\t", is_asked(OVERWRITE))
    if distance == "euclidean":
        warm_up()
    table = compare_motifs(
        queries,
        motifs,
        distance=distance,
        background=background,
        max_q_value=max_q_value,
        progress=shows_progress(),
    )
    _warn_of_composition(table, queries, motifs)
    if table.empty:
        say(f"no motif of {queries} has a match with q <= {max_q_value:g}; --max-q-value 1 shows the nearest ones")
    if group_by is not None:
        table = best_groups(table, group_motifs(motifs) if group_by == "similarity" else name_families(motifs))
    text = format_matches(table, find_uninformative(queries))
    rows = table.to_dict("records")
    if out is None:
        return Done(text, {"matches": rows})
    write_at_once(out, text)
    return Done(str(out) if out.is_file() and number_of_open(out) is None else "", {"file": out, "matches": rows})


def _warn_of_composition(matches: Any, queries: Path, motifs: str) -> None:
    """Name the queries whose best match is one by composition alone, by the limits of `interpret`."""
    from rcinterp.comparison import best_matches, shuffled_p_values
    from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, SHUFFLED_P_VALUE

    best = best_matches(matches)
    best = best[best["q-value"] <= MATCH_Q_VALUE]
    doubtful = best["Query_ID"][
        shuffled_p_values(best, queries, motifs, progress=shows_progress()) > SHUFFLED_P_VALUE
    ].tolist()
    if doubtful:
        shown = ", ".join(doubtful[:5]) + (f" and {len(doubtful) - 5} more" if len(doubtful) > 5 else "")
        warn(
            f"{len(doubtful)} of {len(best)} best matches (q <= {MATCH_Q_VALUE:g}) may be of composition "
            f"alone; with their columns in other orders these are as similar to some known motif: {shown}"
        )
