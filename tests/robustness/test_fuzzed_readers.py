"""Damaged input never ends in a traceback, a hang or files outside the home: the short form of `fuzzed_readers.py`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzzed_readers import TARGETS, Target, damage, fuzz, try_to_read

from swirl.errors import SwirlError

INPUTS = 12
FOUND_BEFORE = {"arrow": (2, 1058), "tabs": (1011,)}
"""Inputs that once ended in a traceback."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_input_is_read_or_refused_in_a_sentence(target: Target, tmp_path: Path) -> None:
    assert list(fuzz(target, range(INPUTS), tmp_path / "damaged")) == []
    for number in FOUND_BEFORE.get(target.name, ()):
        assert list(fuzz(target, range(number, number + 1), tmp_path / str(number))) == []


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
