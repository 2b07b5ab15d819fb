"""HTML pages that are one file each, their pictures inside; a table of filters is the heart of them."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rcinterp.files import printable, write_at_once
from rcinterp.report.filters import FilterSection
from rcinterp.report.svg import letter_definitions


@dataclass(frozen=True)
class Number:
    """A number that stands at the top of a page: ``label value (beside)``."""

    label: str
    value: str
    beside: str = ""


@dataclass(frozen=True)
class Picture:
    """A logo at the top of a page, and what it is of."""

    logo: Markup
    name: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart, its title, and a sentence on it."""

    title: str
    picture: Markup
    text: str


@dataclass(frozen=True)
class Part:
    """One model's part of a report.

    Attributes
    ----------
    heading : str
        Empty for none.
    answer : str
        The answer in a few sentences.
    numbers : list of Number
        How good the model is.
    warnings : list of str
        What would mislead a reader who does not know it, a sentence each.
    hero, hero_text : list of Picture, str
        The filters that matter.
    filters : FilterSection
    charts : list of Chart
    methods : list of str
        Paragraphs.
    made : list of (str, str)
        What it was made from.
    command : str
        That makes it again; empty if there is none.
    """

    heading: str
    answer: str
    numbers: list[Number]
    warnings: list[str]
    hero: list[Picture]
    hero_text: str
    filters: FilterSection
    charts: list[Chart] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)
    made: list[tuple[str, str]] = field(default_factory=list)
    command: str = ""


def write_parts(
    path: str | os.PathLike[str],
    title: str,
    parts: Sequence[Part],
    summary: str = "",
    *,
    limits: Mapping[str, float],
    references: Sequence[str] = (),
) -> None:
    """Write models' parts to one HTML file that needs no other file and no network; `limits` are explained on it."""
    tables = {part.filters.identity: part.filters for part in parts}
    data = as_data(
        lines={identity: filters.lines for identity, filters in tables.items()},
        targets={identity: filters.targets for identity, filters in tables.items()},
    )
    write_page(
        path,
        "report.html",
        title=title,
        summary=summary,
        parts=parts,
        limits=limits,
        references=references,
        data=data,
    )


def table_of_filters(section: FilterSection, limits: Mapping[str, float]) -> str:
    """The table of a page by itself, with logos, for a notebook: no script, and no row opens."""
    template = _templates().get_template("fragment.html")
    return template.render(section=section, limits=limits)


def as_data(**values: Any) -> Markup:
    """What the script of a page reads, as an element of it; nothing in it can be taken for markup."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return Markup(f'<script type="application/json" id="data">{text}</script>')


def write_page(path: str | os.PathLike[str], template: str, **values: Any) -> None:
    """Write a template of this package, filled in, to one HTML file."""
    write_at_once(path, printable(_templates().get_template(template).render(values)))


@cache
def _templates() -> Environment:
    loader = PackageLoader("rcinterp", "report")
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    here = files("rcinterp.report")
    templates.globals["letters"] = letter_definitions()
    for name, file in (("css", "page.css"), ("script", "page.js")):
        templates.globals[name] = Markup((here / file).read_text(encoding="utf-8").strip())
    return templates
