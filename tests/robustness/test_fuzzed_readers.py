"""Damaged input never ends in a traceback, a hang or files outside the home: the short form of `fuzzed_readers.py`."""

from __future__ import annotations

import random
import time
from pathlib import Path

import fuzzed_readers
import pytest
from fuzzed_readers import (
    LIMIT_BYTES,
    MEMORY_BYTES,
    TARGETS,
    Reader,
    Target,
    damage,
    fuzz,
    import_it,
    text_file,
    try_to_read,
)

from swirl.errors import SwirlError
from swirl.sources.formats.content import open_source
from swirl.sources.registry import FORMATS, find_format

INPUTS = 12
FOUND_BEFORE = {"arrow": (2, 1058), "tabs": (1011,), "export": (92,), "inspect": (108,)}
"""Inputs that once ended in a traceback."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_input_is_read_or_refused_in_a_sentence(target: Target, tmp_path: Path) -> None:
    assert list(fuzz(target, range(INPUTS), tmp_path / "damaged")) == []
    for number in FOUND_BEFORE.get(target.name, ()):
        assert list(fuzz(target, range(number, number + 1), tmp_path / str(number))) == []


def test_every_format_is_among_the_samples(tmp_path: Path) -> None:
    found = set()
    for number, target in enumerate(TARGETS):
        if target.read is import_it:
            (tmp_path / str(number)).mkdir()
            found.add(find_format(open_source(target.make(tmp_path / str(number)))).name)
    assert found == set(FORMATS)


def allocate(home: Path, path: Path) -> None:
    """A reader that takes more memory than it may."""
    if path.parent.name == "input":
        assert b"x" * (MEMORY_BYTES + (64 << 20))


def allocate_without_end(home: Path, path: Path) -> None:
    """A reader that would take all memory."""
    if path.parent.name == "input":
        assert b"x" * 2 * LIMIT_BYTES


def hang(home: Path, path: Path) -> None:
    """A reader that does not come back, whatever it catches."""
    while path.parent.name == "input":
        try:
            time.sleep(60)
        except Exception:
            continue


@pytest.mark.parametrize(
    ("read", "said"),
    [(allocate, "the peak of memory rose"), (allocate_without_end, "MemoryError"), (hang, "took more than")],
)
def test_the_limits_of_time_and_memory_are_checked(
    read: Reader, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzzed_readers, "SECONDS_EACH", 1 if read is hang else 60)
    target = Target("made up", text_file("x.txt", "x"), read)
    assert [said in fault.what for fault in fuzz(target, range(1), tmp_path / "a")] == [True]


def test_the_search_finds_faults(tmp_path: Path) -> None:
    def fails(error: BaseException) -> Target:
        def read(home: Path, path: Path) -> None:
            raise error

        return Target("made up", lambda folder: folder, read)

    assert try_to_read(fails(SwirlError("It is damaged; copy it again.")), 3, tmp_path, tmp_path) is None
    found = try_to_read(fails(KeyError("x")), 3, tmp_path, tmp_path)
    assert found is not None and (found.number, found.what.partition(" (")[0]) == (3, "KeyError: 'x'")
    assert try_to_read(fails(SwirlError(" ")), 3, tmp_path, tmp_path) is not None


def test_damage_is_small_and_repeatable() -> None:
    data = bytes(range(200))
    changed = [damage(data, random.Random(f"x {number}")) for number in range(50)]
    assert changed == [damage(data, random.Random(f"x {number}")) for number in range(50)]
    assert sum(each != data for each in changed) > 40
