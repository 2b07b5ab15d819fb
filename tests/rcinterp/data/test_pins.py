"""Digests of chromosomes: the published ones of short sequences, and what is told where a chromosome is another."""

import base64
import hashlib
import re

import pytest

from rcinterp.data import pins
from rcinterp.data.fetching import CHROMOSOMES


@pytest.mark.parametrize(
    ("letters", "refget", "m5"),
    [
        # The examples of GA4GH's refget specification, and of its computed identifiers.
        ("ACGT", "aKF498dAxcJAqme6QYQ7EZ07-fiw8Kw2", "f1f8f4bf413b16ad135722aa4591043e"),
        ("", "z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXc", "d41d8cd98f00b204e9800998ecf8427e"),
    ],
)
@pytest.mark.parametrize("form", [">c\n{}\n", ">c\r\n{}\r\n", ">c x\n{}\n>d\nTTTT\n"])
def test_digests_are_the_published_ones(letters, refget, m5, form, tmp_path):
    path = tmp_path / "c.fa"
    path.write_text(form.format("\n".join(letters.lower())), newline="")
    assert pins.letters_digest(path, "sha512") == refget
    assert pins.letters_digest(path, "md5") == m5


def test_long_sequences_are_those_of_one_call(tmp_path, monkeypatch):
    letters, path = "ACGTN" * 333, tmp_path / "c.fa"
    path.write_text(">c\n" + "\n".join(re.findall(".{1,50}", letters)) + "\n>d\nA\n")
    monkeypatch.setattr(pins, "CHUNK", 7)
    expected = base64.urlsafe_b64encode(hashlib.sha512(letters.encode()).digest()[:24]).decode()
    assert pins.letters_digest(path, "sha512") == expected


def test_every_chromosome_has_one_digest():
    assert {*pins.SHA512, *pins.MD5} == set(CHROMOSOMES)
    assert not pins.SHA512.keys() & pins.MD5.keys()
    assert all(len(base64.urlsafe_b64decode(digest)) == 24 for digest in pins.SHA512.values())
    assert len(set(pins.SHA512.values())) == len(pins.SHA512)


def test_a_chromosome_of_which_nothing_is_known(tmp_path):
    path = tmp_path / "c.fa"
    path.write_text(">c\nA\n")
    assert pins.is_hg19("chrY", path) is None
    assert pins.is_hg19("chr3", path) is False
    assert pins.is_hg19("chr1", path) is False
