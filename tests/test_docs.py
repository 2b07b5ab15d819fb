"""Every code block of the README, docs and the guide runs, and prints what stands below it; every link leads somewhere.

The blocks of a page run in order, in one namespace and one folder of small data (`workplace` says what is in it).
A ```text block right below one is what it prints. A comment right above a block can mark it::

    <!-- not run: why -->    it is not run; the options of its rcinterp commands are looked up all the same
    <!-- slow: why -->       it is run by `make test-slow` alone
    <!-- about: why -->      the numbers that it prints may differ, its words may not
"""

import contextlib
import doctest
import gzip
import io
import re
import runpy
import shlex
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner

from rcinterp.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "rcinterp/guide.md",
]
SITE = runpy.run_path(str(ROOT / "docs" / "site.py"))
MARK = re.compile(r"^<!-- (not run|slow|about|slow, about): (.*) -->$")
#: Languages of blocks: what runs, and what is shown.
LANGUAGES = {"python", "sh", "text"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int  # of its first line of code, from 1
    language: str
    code: str
    mark: str = ""  # "not run", "slow", "about", "slow, about", or none
    reason: str = ""
    printed: str | None = None  # the ```text block right below it

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}, line {self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Give the blocks of a page that can run, each with its mark and with what it should print."""
    lines = page.read_text(encoding="utf-8").split("\n")
    fences = [i for i, line in enumerate(lines) if line.lstrip().startswith("```")]
    found = []
    for first, last in zip(fences[::2], fences[1::2], strict=True):
        mark = MARK.match(lines[first - 1].strip()) if first else None
        code = "\n".join(lines[first + 1 : last]) + "\n"
        language = lines[first].strip().removeprefix("```")
        found.append((first, last, Block(page, first + 2, language, code, *(mark.groups() if mark else ()))))
    blocks = [block for _, _, block in found]
    for (_, end, block), (start, _, below) in pairwise(found):
        if below.language == "text" and block.language != "text" and not "".join(lines[end + 1 : start]).strip():
            blocks[blocks.index(block)] = Block(**{**vars(block), "printed": below.code})
    return blocks


BLOCKS = {page: read_blocks(page) for page in PAGES}
IN_PAGES = [block for blocks in BLOCKS.values() for block in blocks]
CODE = [block for block in IN_PAGES if block.language in ("python", "sh")]


def read_commands(block: Block) -> Iterator[list[str]]:
    """Give the words of each command of a shell block."""
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def alike(printed: str, expected: str) -> bool:
    """Whether two texts have the same words, whatever their numbers are."""

    def words(text: str) -> list[str]:
        return re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "#", text).split()

    return words(printed) == words(expected)


class Run:
    """Runs the blocks of a page one after the other."""

    def __init__(self) -> None:
        self.names = {"__name__": "__main__"}

    def __call__(self, block: Block) -> None:
        printed = self._python(block) if block.language == "python" else self._shell(block)
        if block.printed is not None:
            same = alike(printed, block.printed) if "about" in block.mark else printed == block.printed
            assert same, f"{block} prints\n{printed}"

    def _python(self, block: Block) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            if block.code.startswith(">>> "):
                example = doctest.DocTestParser().get_doctest(block.code, self.names, str(block), None, block.line)
                failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, clear_globs=False).failed
                self.names = example.globs
                assert not failed, f"{block}\n{printed.getvalue()}"
            else:
                exec(compile("\n" * (block.line - 1) + block.code, str(block.page), "exec"), self.names)
        return printed.getvalue()

    def _shell(self, block: Block) -> str:
        printed = ""
        for command in read_commands(block):
            assert command[0] == "rcinterp", f"{block}: mark what is no command of rcinterp: <!-- not run: why -->"
            words = [one for word in command[1:] for one in sorted(map(str, Path().glob(word))) or [word]]
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, f"{block}: {shlex.join(command)}\n{result.output}\n{result.exception!r}"
            printed += result.stdout
        return printed


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Make the folder that pages take as given, once."""
    from rcinterp import compact_model, decode, fit, load_dataset, save_model
    from rcinterp.data.sequences import write_fasta
    from rcinterp.data.simulation import simulate_background

    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.chdir(folder)
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(main, ["simulate", "--n", "500", "--out", "data"])
        assert result.exit_code == 0, result.output
        train, valid = (load_dataset(f"data/{part}.pos.fa.gz", f"data/{part}.neg.fa.gz") for part in ("train", "valid"))
        for seed in range(2):
            model = compact_model(1, 8, train.length, widths=(21,), pool=20)
            fit(model, train, valid, seed=seed, recipe="quiet", epochs=3, baseline=False, progress=False)
            save_model(model, f"model_{seed}")
        shutil.copytree("model_0", "model")
        for name in ("pos", "neg"):
            shutil.copy(f"data/valid.{name}.fa.gz", f"{name}.fa.gz")
        Path("my_model.py").write_text(
            "from torch import nn\n\n\ndef build():\n"
            "    read_out = nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1)\n"
            "    return nn.Sequential(nn.Conv1d(4, 8, 15), nn.ReLU(), *read_out)\n"
        )
        torch.manual_seed(0)
        torch.save(runpy.run_path("my_model.py")["build"]().state_dict(), "weights.pt")
        chromosomes = ["chr21", "chr22"]
        write_fasta("hg19.fa", list(decode(simulate_background(2, 200_000, seed=0))), chromosomes)
        for name, first in (("peaks", 1000), ("relaxed", 1000), ("dnase", 3000)):
            rows = [
                f"{chrom}\t{start}\t{start + 200}\t.\t0\t.\t5\t-1\t-1\t100\n"
                for chrom in chromosomes
                for start in range(first, 198_000, 4000)
            ]
            Path(f"{name}.narrowPeak").write_text("".join(rows))
            with gzip.open(f"{name}.narrowPeak.gz", "wt") as file:
                file.write("".join(rows))
    return folder


@pytest.fixture
def workplace(prepared, tmp_path, monkeypatch):
    """Make the folder of a page the working one.

    It has data/ as `rcinterp simulate` writes it (CTCF_known1 in 500 sequences, and 500 without), the models model/,
    model_0/ and model_1/ of them, a model of one's own in my_model.py with weights.pt, pos.fa.gz and neg.fa.gz, and
    {peaks,dnase,relaxed}.narrowPeak, also as .gz, of a small genome, hg19.fa.
    """
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_page(page: Path, *, slow: bool) -> None:
    run, n_threads = Run(), torch.get_num_threads()
    torch.manual_seed(0)
    with warnings.catch_warnings(), contextlib.ExitStack() as afterwards:  # pages show warnings in their own way
        warnings.simplefilter("default")
        warnings.showwarning = lambda *_, **__: None
        afterwards.callback(torch.set_num_threads, n_threads)
        for block in BLOCKS[page]:
            if block.language in ("python", "sh") and block.mark != "not run" and (slow or "slow" not in block.mark):
                run(block)


def pages_with(*marks: str) -> list[Path]:
    return sorted({block.page for block in CODE if block.mark in marks})


@pytest.mark.parametrize("page", pages_with("", "about"), ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page, workplace):
    run_page(page, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with("slow", "slow, about"), ids=lambda page: str(page.relative_to(ROOT)))
def test_all_blocks_of_a_page_run(page, workplace):
    run_page(page, slow=True)


def test_marks_have_reasons():
    marked = [block for block in IN_PAGES if block.mark]
    assert marked
    assert not [str(block) for block in marked if len(block.reason.split()) < 3]
    assert not [str(block) for block in marked if block.language == "text"]


def test_no_mark_stands_without_a_block():
    marks = sum(
        len(re.findall(r"^<!-- (?:not run|slow|about)\b", page.read_text(encoding="utf-8"), flags=re.M))
        for page in PAGES
    )
    assert marks == sum(bool(block.mark) for block in IN_PAGES)


def test_blocks_say_what_they_are():
    assert not [f"{block}: {block.language!r}" for block in IN_PAGES if block.language not in LANGUAGES]


@pytest.mark.parametrize("block", [block for block in CODE if block.language == "sh"], ids=str)
def test_quoted_commands_have_the_options_that_are_quoted(block):
    for words in read_commands(block):
        while words and "=" in words[0] and not words[0].startswith("-"):  # variables before the command
            words = words[1:]
        if words[:1] != ["rcinterp"]:
            continue
        command, words = main, words[1:]
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            name, words = words[0], words[1:]
            command = command.get_command(click.Context(command), name)
            assert command is not None, f"{block}: {name}"
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        quoted = {word.partition("=")[0] for word in words if word.startswith("-")} - {"--help", "--version"}
        assert not quoted - options, block


def anchors(page: Path) -> set[str]:
    """Give the anchors of a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return {SITE["anchor"](re.sub(r"[`*]", "", heading)) for heading in re.findall(r"^#+ (.*)$", text, flags=re.M)}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```|<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^()\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if target != ROOT / "docs" / SITE["COMMAND_LINE"]:
            assert target.exists(), link
        if place:
            assert place in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_a_page_names_are_there(page):
    for path, name in re.findall(r"(tests/[\w/]+\.py)::(test_\w+)", page.read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


def test_links_are_turned_to_where_the_site_has_the_files():
    turn = SITE["turn_links"]
    assert turn("[a](../../examples/bpnet.py#x)", "how-to/own-model.md") == "[a](../repository/examples/bpnet.py#x)"
    assert turn("[a](../../examples)", "how-to/own-model.md") == "[a](../repository/examples/index.md)"
    assert turn("[a](docs/evidence/results.md)", "repository/CHANGELOG.md") == "[a](../evidence/results.md)"
    assert turn("[a](../results)", "evidence/results.md") == "[a](../results/index.md)"
    assert turn("[a](https://example.org) [b](#b)", "index.md") == "[a](https://example.org) [b](#b)"


@pytest.mark.parametrize(
    ("html", "is_fetched"),
    [
        ('<link rel="stylesheet" href="https://fonts.example.org/css">', True),
        ("<script async src=//cdn.example.org/x.js></script>", True),
        ('<img alt="" src="https://example.org/a.png">', True),
        ('<link rel="stylesheet" href="assets/main.css"><img src="../images/fig5.png">', False),
        ('<a href="https://example.org">', False),
    ],
)
def test_what_a_page_fetches_from_elsewhere_is_found(html, is_fetched):
    assert bool(SITE["FETCHED"].search(html)) is is_fetched


def test_the_site_describes_every_command():
    page = SITE["describe_commands"]()
    assert {"## rcinterp", "## rcinterp interpret", "## rcinterp study fig5"} <= set(page.splitlines())
    assert "--negatives" in page


def test_every_page_is_in_the_site_once():
    listed = re.findall(
        r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2], flags=re.M
    )
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in PAGES if (ROOT / "docs") in page.parents}
    assert len(listed) == len(set(listed))
    assert {page for page in listed if not page.startswith("repository/")} == pages | {SITE["COMMAND_LINE"]}


def test_the_reference_has_every_public_name():
    import rcinterp
    import rclayers

    for package in (rcinterp, rclayers):
        page = (ROOT / "docs/reference" / f"{package.__name__}.md").read_text(encoding="utf-8")
        shown = re.findall(rf"^::: {package.__name__}\.(\w+)$", page, flags=re.M)
        assert sorted(shown) == sorted(package.__all__)


def test_the_own_model_page_lists_its_rows():
    """Each "what if" of the list has a heading, and each heading a block that prints its answer."""
    page = ROOT / "docs/how-to/own-model.md"
    rows = page.read_text(encoding="utf-8").partition("## On the command line")[0]
    headings = [heading.lower() for heading in re.findall(r"^## \.\.\. (.*)\?$", rows, flags=re.M)]
    assert [row.lower() for row in re.findall(r"^\| \[(.*?)\]\(#", rows, flags=re.M)] == headings
    answered = [block for block in BLOCKS[page] if block.language == "python" and block.printed is not None]
    assert len(answered) == len(headings) + 1


@pytest.mark.parametrize(
    ("printed", "expected", "same"),
    [
        ("filter_0 1.00 (2e-30)", "filter_2  7.5 (1.5e-15)", True),
        ("a 1.0", "b 1.0", False),
        ("a 1.0", "a 1.0 more", False),
    ],
)
def test_numbers_may_differ(printed, expected, same):
    assert alike(printed, expected) is same
