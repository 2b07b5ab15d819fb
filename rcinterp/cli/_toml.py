"""The little of TOML that a record needs to be written: the standard library reads TOML and does not write it."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from rcinterp.files.documents import DEEPEST, is_deeper

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["TomlError", "read_toml", "write_toml"]

TomlError = tomllib.TOMLDecodeError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_toml(text: str) -> dict[str, Any]:
    """Give what a TOML document says.

    Raises
    ------
    TomlError
        If it is none, or too deep.
    """
    try:
        found = tomllib.loads(text)
        if is_deeper(found, DEEPEST):
            raise TomlError(f"it has more than {DEEPEST} lists or tables within one another")
        return found
    except TomlError:
        raise
    except ValueError as error:  # a number of more digits than Python reads
        raise TomlError(str(error)) from None


def write_toml(values: Mapping[str, Any]) -> str:
    """Write a document of texts, numbers, truth values, lists of them, and tables; None is left out, as TOML has none.

    Raises
    ------
    TypeError
        For a value of another kind.
    """
    return "\n".join(_lines(values, ())).lstrip("\n") + "\n"


def _lines(values: Mapping[str, Any], place: tuple[str, ...]) -> list[str]:
    tables = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    plain = {name: value for name, value in values.items() if value is not None and name not in tables}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in plain.items()]
    for name, table in tables.items():
        inside = (*place, name)
        lines += ["", f"[{'.'.join(map(_key, inside))}]", *_lines(table, inside)]
    return lines


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """A basic string: JSON's escapes are TOML's, but DEL must be escaped too."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"got a {type(value).__name__}, expected a text, number, truth value, list or table")
