"""What ``help()`` says of every public name is whole: all parameters, what comes back, and an example or a source."""

import inspect
import re
import sys

import pytest

import rcinterp
import rclayers

PUBLIC = {
    f"{package.__name__}.{name}": getattr(package, name) for package in (rcinterp, rclayers) for name in package.__all__
}
#: Keywords of a function that are spread from a dict of known keys.
SPREAD = re.compile(r"Unpack\[(\w+)\]")


def section(text, *titles):
    """Give the lines of a numpydoc section; empty if there is none."""
    found = re.search(rf"^(?:{'|'.join(titles)})\n-+\n(.*?)(?=^[A-Z]\w+\n-+\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return "" if found is None else found[1]


def documented(text):
    """Names that stand at the margin of the section of parameters, or of a dataclass's attributes."""
    lines = [line for line in section(text, "Parameters", "Attributes").splitlines() if line and line[0] != " "]
    return {name.strip().lstrip("*") for line in lines for name in line.partition(" : ")[0].split(",")}


def parameters(thing):
    """Names that a caller may give, keywords of a TypedDict among them."""
    names = set()
    for parameter in inspect.signature(thing).parameters.values():
        spread = SPREAD.search(str(parameter.annotation))
        if spread is not None:
            names |= set(getattr(sys.modules[thing.__module__], spread[1]).__annotations__)
        elif parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            names.add(parameter.name)
    return names


def is_error(thing):
    return isinstance(thing, type) and issubclass(thing, Exception)


@pytest.mark.parametrize("name", PUBLIC)
def test_says_what_it_is_for(name):
    assert len((inspect.getdoc(PUBLIC[name]) or "").split()) > 3


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if not is_error(thing)])
def test_names_every_parameter_what_comes_back_and_an_example(name):
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    assert parameters(thing) - documented(text) == set()
    returns = inspect.signature(thing).return_annotation not in (None, "None", inspect.Signature.empty)
    if not isinstance(thing, type) and returns:
        assert section(text, "Returns").strip()
    assert (section(text, "Examples") or section(text, "References")).strip()


@pytest.mark.parametrize("name", [name for name, thing in PUBLIC.items() if isinstance(thing, type)])
def test_every_method_says_what_it_does(name):
    own = {method: value for method, value in vars(PUBLIC[name]).items() if not method.startswith("_")}
    said = {method: inspect.getdoc(value) for method, value in own.items() if inspect.isfunction(value)}
    assert [method for method, text in said.items() if not text] == []


def test_a_parameter_that_is_not_named_is_found():
    def function(given, more=0):
        """Take two.

        Parameters
        ----------
        given : int
            more : of it
        """

    assert parameters(function) - documented(inspect.getdoc(function)) == {"more"}
