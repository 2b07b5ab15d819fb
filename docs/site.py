"""What mkdocs adds to the site: files of the repository outside of docs/, and what each command says of itself.

Links in the pages are right in the repository. In the site a file PATH of it stands at repository/PATH, and links
that leave docs/ are turned to there. Headings have the anchors that GitHub gives them.
"""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
#: Files that the site takes from outside of docs/.
TAKEN = [
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff", "LICENSE", "rcinterp/guide.md"),
    *("examples/*.py", "notebooks/*.ipynb"),
]
#: Folders that pages link to: each gets a page that lists its files.
LISTED = ["docs/results", "docs/results/*", "examples"]
COMMAND_LINE = "reference/command-line.md"
#: What a browser fetches from another server when it shows a page.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link(?=[^>]*stylesheet))\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>"
)
LINK = re.compile(r"(?<=\]\()([^()\s#]+)")


def anchor(heading: str, separator: str = "-") -> str:
    """Give the anchor of a heading, as GitHub makes it: lower case, without punctuation, a hyphen for each space."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", separator)


def on_config(config: Any) -> None:
    """Let headings have GitHub's anchors."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = anchor


def on_files(files: Any, config: Any) -> Any:
    """Add the files that are taken from outside, and the page of the command line."""
    from mkdocs.structure.files import File

    for path in sorted(path for pattern in TAKEN for path in ROOT.glob(pattern)):
        place = f"repository/{path.relative_to(ROOT).as_posix()}"
        files.append(File.generated(config, place, abs_src_path=str(path)))
    for folder in sorted(path for pattern in LISTED for path in ROOT.glob(pattern) if path.is_dir()):
        index = _place(PurePosixPath(folder.relative_to(ROOT))) / "index.md"
        files.append(File.generated(config, str(index), content=list_files(folder)))
    files.append(File.generated(config, COMMAND_LINE, content=describe_commands()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn the links of a page to where the site has their files."""
    return turn_links(markdown, page.file.src_uri)


def on_post_page(output: str, page: Any, **_: Any) -> None:
    """Refuse a page that would fetch anything from another server."""
    from mkdocs.exceptions import PluginError

    if found := FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri}: got {found[0]}, expected nothing that is fetched from elsewhere.")


def turn_links(markdown: str, uri: str) -> str:
    """Turn links that are right in the repository into those of the site, for the page at this place of the site."""
    place = PurePosixPath(uri)
    taken = place.parts[0] == "repository"
    folder = place.relative_to("repository").parent if taken else "docs" / place.parent

    def turn(link: re.Match[str]) -> str:
        if re.match(r"[a-z]+:", link[0]):
            return link[0]
        target = PurePosixPath(os.path.normpath(folder / link[0]))
        is_folder = (ROOT / target).is_dir()
        return os.path.relpath(_place(target) / "index.md" if is_folder else _place(target), place.parent)

    return LINK.sub(turn, markdown)


def list_files(folder: Path) -> str:
    """Give a page with a link to each file and folder in a folder."""
    shown = [path for path in sorted(folder.iterdir()) if path.name[0] not in "._"]
    rows = [f"- [{path.name}]({path.name}{'/index.md' if path.is_dir() else ''})" for path in shown]
    return "\n".join([f"# {folder.relative_to(ROOT)}\n", *rows]) + "\n"


def _place(path: PurePosixPath) -> PurePosixPath:
    """Give the place in the site of a file or folder of the repository."""
    return path.relative_to("docs") if path.parts[0] == "docs" else "repository" / path


def describe_commands() -> str:
    """Give a page of all commands, with what ``--help`` prints of each."""
    from rcinterp.cli import main

    parts = [
        "# Command line\n",
        "This is what `--help` says of each command.",
        "Standard output has the path of what was written, or the table; everything else goes to standard error.",
        "Bad input gives one line on standard error, and exit status 2.",
        "Every command takes `--json` (standard output is one JSON object), `--quiet` (only warnings and errors on "
        "standard error) and `--verbose` (settings and times, and where in the code an error arose).",
        "Progress bars are shown where standard error is a terminal.",
        "`rcinterp completion bash`, `zsh` or `fish` prints what completes commands with the Tab key.",
    ]
    for name, text in help_texts(main):
        parts += [f"\n## {name}\n", "```text", text, "```"]
    return "\n".join(parts) + "\n"


def help_texts(command: click.Command, name: str = "rcinterp", parent: click.Context | None = None) -> Any:
    """Yield the name and the help of a command, and of all commands below it."""
    settings = {"terminal_width": 80, **command.context_settings}
    context = click.Context(command, parent, info_name=name.rpartition(" ")[2], **settings)
    yield name, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            if child is not None and not child.hidden:
                yield from help_texts(child, f"{name} {below}", context)
