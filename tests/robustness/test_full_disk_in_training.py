"""The disk fills up while a run trains: the run says so in a sentence, and ends the same once there is space again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killed_training import POINTS, Arena, count_down, differences, nothing, snapshot, train, wrap
from small_disk import SmallDisk, mounted_disk

from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs

pytestmark = pytest.mark.slow

FULL = (
    ("before RunMonitor.on_log", 3, 20_000),  # room for a few rows of the database
    ("before Trainer._save_checkpoint", 2, 60_000),  # the save begins
    ("before TrainerState.save_to_json", 2, 0),  # an empty file is left
    ("before save_phase", 2, 0),
    ("before base_entry", 2, 0),  # adapters are written, the manifest is not
    ("before evaluate_checkpoint", 1, 0),
    ("before record_end", 1, 0),
)
"""The point, which time it is passed, and the bytes that are left then."""

FURTHER = ("transformers:TrainerState.save_to_json",)


def train_until_full(home: Path, run_id: str, point: str, occurrence: int, leave: int, said: Path) -> None:
    """The body of a process: train as a worker does, and fill the disk at the point."""
    with said.open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    names = [each.function for each in POINTS] + list(FURTHER)
    function = next(name for name in names if name.partition(":")[2] == point.partition(" ")[2])
    call = count_down(occurrence, SmallDisk(home.parent).fill, leave)
    wrap(function, *((call, nothing) if point.startswith("before") else (nothing, call)))
    try:
        train(home, run_id, None, 1, None)
    except SwirlError as error:
        print(error, flush=True)


@pytest.fixture(scope="module")
def arena(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("full")
    with mounted_disk(folder, 48) as disk:
        yield Arena(tiny_base, disk.folder)


@pytest.fixture(scope="module")
def whole(arena: Arena) -> dict[str, Any]:
    """What an undisturbed run leaves."""
    home, run_id = arena.start_run("loop")
    arena.train(home, run_id)
    return snapshot(home, run_id)


@pytest.mark.parametrize(("point", "occurrence", "leave"), FULL)
def test_a_run_on_a_full_disk(
    point: str, occurrence: int, leave: int, arena: Arena, whole: dict[str, Any], tmp_path: Path
) -> None:
    home, run_id = arena.start_run("loop")
    said = tmp_path / "said.txt"
    disk = SmallDisk(arena.folder)
    process = arena.context.Process(target=train_until_full, args=(home, run_id, point, occurrence, leave, said))
    process.start()
    process.join(240)
    assert (arena.folder / "filler").exists(), "the point was not passed"
    disk.free()
    log = (home / "runs" / run_id / "log.txt").read_text() + said.read_text()
    assert process.exitcode == 0, log
    assert "Traceback" not in log and "Logging error" not in log, log
    jobs.reconcile(home)
    run = History(home).run(run_id)
    assert run.status in ("failed", "interrupted"), run
    assert "is full; free some space" in (run.error or log), (run, log)
    arena.train(home, run_id)
    assert differences(whole, snapshot(home, run_id)) == []
    shutil.rmtree(home)  # room for the next
