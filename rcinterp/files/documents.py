"""JSON documents, checked before anything is made of them."""

import json
import os
from collections.abc import Mapping
from typing import Any

from rcinterp.errors import InputError
from rcinterp.files.reading import read_bytes

#: Bytes of a JSON file: a hundred thousand epochs of a history.
LARGEST_JSON = 2**26
#: Lists and objects within one another.
DEEPEST = 50


def read_json(path: str | os.PathLike[str], expected: str, advice: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises
    ------
    InputError
        If the file is missing, too large, no JSON, too deep, holds something else than an object, or a name twice.
    """
    data = read_bytes(path, expected, advice, largest=LARGEST_JSON)
    try:
        return parse_json(data)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}), expected {expected}; {advice}.") from None


def parse_json(text: str | bytes) -> dict[str, Any]:
    """The object that a JSON text holds.

    Raises
    ------
    ValueError
        If it is no JSON, too deep, something else than an object, or an object in it has a name twice.
    """
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
        is_deep = is_deeper(found, DEEPEST)
    except RecursionError:
        is_deep = True
    if is_deep:
        raise ValueError(f"it has more than {DEEPEST} lists or objects within one another")
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, expected an object")
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, of which Python would take the last value of a name that it has twice."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:40]!r} stands twice in one object")
        found[name] = value
    return found


def is_deeper(value: Any, most: int) -> bool:
    """Whether more lists and objects than that are within one another."""
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return most < 0 or any(is_deeper(one, most - 1) for one in inside if isinstance(one, dict | list))


def first_difference(found: Any, wanted: Mapping[str, Any]) -> str | None:
    """Which of the values that are wanted another object has otherwise, such as "seed was 1, now 0"; None if none.

    What is wanted need be no more than what JSON makes of it.
    """
    there = found if isinstance(found, Mapping) else {}
    for name, value in json.loads(json.dumps(wanted)).items():
        if name not in there or there[name] != value:
            was, now = (text if len(text) <= 60 else f"{text[:60]}..." for text in map(repr, (there.get(name), value)))
            return f"{name} was {was}, now {now}"
    return None
