"""Files that are either whole or not there."""

import os

import pytest

from rcinterp.files import write_at_once


@pytest.mark.parametrize(("content", "expected"), [("é\n", "é\n".encode()), (b"\x00\r\n", b"\x00\r\n"), ("", b"")])
def test_content_is_written_as_it_is_and_nothing_beside_it(tmp_path, content, expected):
    for _ in range(2):  # also over an earlier one
        write_at_once(tmp_path / "a.json", content)
        assert (tmp_path / "a.json").read_bytes() == expected
        assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("function", ["os.fsync", "os.replace"])
def test_what_stops_it_leaves_the_earlier_content(tmp_path, monkeypatch, function):
    write_at_once(tmp_path / "a.json", "old")

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(function, stop)
    with pytest.raises(KeyboardInterrupt):
        write_at_once(tmp_path / "a.json", "new")
    assert (tmp_path / "a.json").read_text() == "old"


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """... or a power cut leaves an empty file of the right name."""
    done = []
    monkeypatch.setattr(os, "fsync", lambda _: done.append("on the disk"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("named"), replace(*paths)))
    write_at_once(tmp_path / "a.json", "new")
    assert done == ["on the disk", "named"]
