"""Types of what is given to commands; each knows which files a value stands for."""

import math
import os
import re
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from rcinterp.files import finish, is_pipe, parse_number
from rcinterp.files.paths import is_aside
from rcinterp.files.results import MODEL_FILES

_WHOLE = re.compile(r"[-+]?[0-9]{1,4000}")

FOLDER = click.Path(file_okay=False, path_type=Path)


class NewPath(click.Path):
    """A folder or a file that is written; an empty name, which would be the folder that one is in, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Give the path."""
        kind = "file" if self.file_okay else "folder"
        if not os.fspath(value):
            self.fail(f"got an empty name, expected that of a {kind}; give one, such as ./result.", param, ctx)
        if kind == "folder" and os.path.lexists(value) and not os.path.exists(value):
            self.fail(
                f"{os.fspath(value)!r} is a link to what is not there, expected a folder or a new name; make what it "
                "links to, or give another name.",
                param,
                ctx,
            )
        if kind == "folder" and is_pipe(value):
            self.fail(
                f"{os.fspath(value)!r} is a device or a pipe, expected a folder or a new name; give another name.",
                param,
                ctx,
            )
        return super().convert(value, param, ctx)


OUT = NewPath(file_okay=False, writable=True, path_type=Path)
#: A file that is written.
NEW_FILE = NewPath(dir_okay=False, path_type=Path)


class Number(click.FloatRange):
    """A finite number in a range; NaN, which compares with nothing, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give the number."""
        number = parse_number(value) if isinstance(value, str) else float(value)
        if number is None or not math.isfinite(number):
            self.fail(
                f"{value!r} is not a valid float range, expected a finite number in plain digits, such as 0.3.",
                param,
                ctx,
            )
        return float(super().convert(number, param, ctx))


class Whole(click.IntRange):
    """A whole number in a range, in plain digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the number."""
        if isinstance(value, str) and not _WHOLE.fullmatch(value):
            self.fail(f"{value[:40]!r} is not a valid integer range, expected plain digits, such as 10.", param, ctx)
        number = int(value)
        if abs(number) >= 2**63:
            self.fail(f"{value!s:.40} is too large, expected at most {2**63 - 1}.", param, ctx)
        return int(super().convert(number, param, ctx))


class InputFile(click.Path):
    """A file that is read."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def files(self, value: Path) -> list[Path]:
        """Give the file itself."""
        return [value]


class Genome(click.Path):
    """A FASTA file, or a folder of such files."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def files(self, value: Path) -> list[Path]:
        """Give the file, or the FASTA files of the folder."""
        from rcinterp.data.genome import list_fasta  # only now: it takes a while

        return list_fasta(value)


class DataFolder(click.Path):
    """A folder of sequences, train.pos.fa and so on."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def files(self, value: Path) -> list[Path]:
        """Give its FASTA files."""
        finish(value)
        return sorted(path for path in value.glob("*.fa*") if path.is_file() and not is_aside(path))


class _Text(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """Text that may name a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give the text as it is."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Let the shell complete the name of a file."""
        return [CompletionItem(incomplete, type="file")]


class Model(_Text):
    """A folder of `rcinterp train`, or FILE.py:NAME."""

    name = "model"

    def files(self, value: str) -> list[Path]:
        """Give the files of the folder that make the model, or FILE.py."""
        file, colon, _ = value.rpartition(":")
        if colon and file.endswith(".py"):
            return [Path(file)]
        finish(Path(value))
        return [Path(value) / name for name in MODEL_FILES if (Path(value) / name).is_file()]


class Motifs(_Text):
    """The name of a catalogue, or a motif file, whose format may stand behind a colon."""

    name = "motifs"

    def files(self, value: str) -> list[Path]:
        """Give the file, if it is one; FILE:format names one too."""
        from rcinterp.motifs.formats import split_format

        file, _ = split_format(value)
        return [Path(file)] if Path(file).is_file() or is_pipe(file) else []

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the catalogue, or files."""
        named = [CompletionItem("encode")] if incomplete and "encode".startswith(incomplete) else []
        return named or super().shell_complete(ctx, param, incomplete)


class FurtherInput(_Text):
    """A file of numpy arrays, or zeros:SHAPE."""

    name = "file"

    def files(self, value: str) -> list[Path]:
        """Give the file, unless no file is meant."""
        return [] if value.startswith("zeros:") else [Path(value)]


SEED = Whole(0, 2**32 - 1)
FILE, GENOME, DATA, MODEL, MOTIFS, FURTHER = InputFile(), Genome(), DataFolder(), Model(), Motifs(), FurtherInput()


def files_behind(parameter: click.Parameter, value: Any) -> list[Path]:
    """Files that a parameter's value, or each of its values, stands for."""
    find = getattr(parameter.type, "files", None)
    if find is None or value is None:
        return []
    values = value if isinstance(value, tuple | list) else [value]
    return [path for one in values for path in find(one)]
