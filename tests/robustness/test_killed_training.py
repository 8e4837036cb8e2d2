"""Training that is killed and resumed ends like training that nobody killed: the short form of `killed_training.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from killed_training import POINTS, Arena, differences, snapshot

pytestmark = pytest.mark.slow

KILLS = (
    ("loop", "before Trainer._save_optimizer_and_scheduler", 2),  # a save of the warm-up without its optimiser
    ("loop", "after Trainer._save_checkpoint", 9),  # the last save of the forward phase
    ("loop", "before Trainer._save_checkpoint", 7),  # the first save of the forward phase; its probe comes again
    ("loop", "before base_entry", 2),
    ("loop", "after WorldModel.save", 3),  # of the last phase: nobody else would remove its saves
    ("loop", "before History.finish_phase", 2),
    ("loop", "before evaluate_checkpoint", 1),
    ("hybrid", "after infer_pseudo_labels", 1),
)
"""The kind of run, the point and which time it is passed: a sample of what the command tries."""


@pytest.fixture(scope="module")
def arena(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Arena:
    return Arena(tiny_base, tmp_path_factory.mktemp("killed"))


@pytest.fixture(scope="module")
def wholes(arena: Arena) -> dict[str, dict[str, Any]]:
    """What uninterrupted runs leave."""
    found = {}
    for kind in {kind for kind, _, _ in KILLS}:
        home, run_id = arena.start_run(kind)
        assert not arena.train(home, run_id)
        found[kind] = snapshot(home, run_id)
        assert found[kind]["run"][0][0] == "finished"
    return found


@pytest.mark.parametrize(("kind", "name", "occurrence"), KILLS)
def test_a_killed_run_resumes_and_ends_the_same(
    kind: str, name: str, occurrence: int, arena: Arena, wholes: dict[str, dict[str, Any]]
) -> None:
    point = next(point for point in POINTS if str(point) == name)
    home, run_id = arena.start_run(kind)
    assert arena.train(home, run_id, point, occurrence), "the run ended before it was killed"
    assert not arena.train(home, run_id)
    assert differences(wholes[kind], snapshot(home, run_id)) == []
