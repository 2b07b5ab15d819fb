"""What is written as TOML is read back as it was."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcinterp.cli._toml import TomlError, read_toml, write_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
DOCUMENTS = st.recursive(
    st.dictionaries(TEXTS, VALUES, max_size=4),
    lambda inner: st.dictionaries(TEXTS, st.one_of(VALUES, inner), max_size=4),
    max_leaves=8,
)


@given(DOCUMENTS)
def test_a_document_comes_back_as_it_was(document):
    assert read_toml(write_toml(document)) == document


@pytest.mark.parametrize(
    "text", ['a "quoted" \\ one', "two\nlines\r\n", "tab\t, bell\x07, del\x7f", "µ ∑ 😀", "", "'''"]
)
def test_texts_that_need_escapes(text):
    assert read_toml(write_toml({"t": text, text: {text: [text]}})) == {"t": text, text: {text: [text]}}


def test_kinds_are_kept():
    found = read_toml(write_toml({"yes": True, "one": 1, "float": 1.0, "small": 1e-7, "nan": math.nan, "list": (1, 2)}))
    assert (found["yes"], type(found["one"]), type(found["float"]), found["small"]) == (True, int, float, 1e-7)
    assert math.isnan(found["nan"])
    assert found["list"] == [1, 2]


@pytest.mark.parametrize("text", [f"z{'.a' * 5000} = 1", f"[{'.'.join('a' * 60)}]", f"z = {'[' * 60}{']' * 60}"])
def test_a_document_that_is_too_deep_is_none(text):
    with pytest.raises(TomlError, match="more than 50 lists or tables within one another"):
        read_toml(text)


def test_nothing_is_left_out_and_what_toml_has_not_is_refused():
    assert write_toml({"a": None, "b": 1}) == "b = 1\n"
    with pytest.raises(TypeError, match="got a set, expected a text, number"):
        write_toml({"a": {"b": {1}}})
    with pytest.raises(TomlError):
        read_toml("a = ")
