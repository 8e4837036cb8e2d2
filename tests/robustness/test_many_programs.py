"""Two studios and three terminals work on one home at once: nothing is lost, and each run is trained exactly once."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ended_runs import end_runs
from killed_training import SMALL_RUN
from studio_process import PATIENCE, ROOT, StudioProcess
from test_full_disk import write_source

from swirl.history import UNFINISHED_STATUSES, History
from swirl.runs import scheduler
from swirl.settings import Settings
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.split import split_of
from swirl.sources.labels.hand_labelling import normalize_action

pytestmark = pytest.mark.slow

RUNS, IMPORTS, LABELS, NOTES = 3, 4, 20, 4


def swirl(home: Path, *arguments: str) -> str:
    """Run a command as a terminal does; what it printed."""
    command = [sys.executable, "-m", "swirl", "--home", str(home), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


@pytest.fixture
def studios(tmp_path: Path) -> Iterator[list[StudioProcess]]:
    """Two studios over one home, which did not exist before."""
    both = [StudioProcess(tmp_path / "home", tmp_path / f"studio-{number}.txt") for number in (1, 2)]
    threads = [threading.Thread(target=studio.start) for studio in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield both
    for studio in both:
        studio.kill()
    end_runs(tmp_path / "home")


def test_two_studios_and_three_terminals(studios: list[StudioProcess], tiny_base: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    config = tmp_path / "settings.json"
    changes = {**SMALL_RUN, "model": str(tiny_base), "steps_per_phase": 2, "cores": 1}
    config.write_text(json.dumps(Settings().replace(changes).to_dict()))
    sequences = [s for s in load_sequences(home, "household") if split_of(s.id) == "train"]
    transitions = [t for sequence in sequences for t in sequence.transitions()]
    failures: list[BaseException] = []

    def queue_runs() -> None:
        for number in range(RUNS):
            swirl(home, "train", "--config", str(config), "--detach", "--name", f"run {number}")

    def import_sequences() -> None:
        for number in range(IMPORTS):
            swirl(home, "import", str(write_source(tmp_path, f"data-{number}", 40)), "--name", f"data-{number}")
            swirl(home, "export", f"data-{number}", "--out", str(tmp_path / f"{number}.jsonl"))

    def annotate() -> None:
        run_id = swirl(home, "train", "--config", str(config), "--detach", "--name", "annotated").strip()
        for number in range(NOTES):
            swirl(home, "runs", "note", run_id, f"note {number}")
            swirl(home, "runs", "tag", run_id, f"tag {number}", "kept")
            swirl(home, "queue")

    def label(studio: StudioProcess, first: int) -> None:
        for t in transitions[first : first + LABELS]:
            at = {"data": "household", "sequence": t.sequence_id, "step": t.step}
            answer = studio.ask("keep", **at, action=f"{t.sequence_id} {t.step}")
            assert "error" not in answer, answer
            studio.get("/runs")

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        return run

    work = (queue_runs, import_sequences, annotate, lambda: label(studios[0], 0), lambda: label(studios[1], LABELS))
    threads = [threading.Thread(target=guarded(each)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]

    history = History(home)
    end = time.monotonic() + PATIENCE
    while any(run.status in UNFINISHED_STATUSES for run in history.runs()) and time.monotonic() < end:
        time.sleep(0.5)
    runs = history.runs()
    assert sorted(run.name for run in runs) == ["annotated", *(f"run {number}" for number in range(RUNS))]
    assert {run.status for run in runs} == {"finished"}, runs
    for run in runs:
        log = (scheduler.run_folder(home, run.id) / "log.txt").read_text()
        assert log.count("phase 1: iteration 1") == 1 and "already" not in log, log
        assert history.resumptions(run.id) == [] and [c.index for c in history.checkpoints(run.id)] == [0, 1, 2]
    annotated = next(run for run in runs if run.name == "annotated")
    assert annotated.note == f"note {NOTES - 1}" and annotated.tags == ("kept", f"tag {NOTES - 1}")

    labels = history.hand_labels("household")
    expected = {
        (t.sequence_id, t.step, normalize_action(f"{t.sequence_id} {t.step}")) for t in transitions[: 2 * LABELS]
    }
    assert {(one.sequence, one.step, one.action) for one in labels} == expected and len(labels) == 2 * LABELS
    for number in range(IMPORTS):
        assert len(load_sequences(home, f"data-{number}")) == 40
    assert {row["name"] for row in history.collections()} >= {f"data-{number}" for number in range(IMPORTS)}
    assert {folder.name for folder in (home / "collections").iterdir()} == {f"data-{n}" for n in range(IMPORTS)}
    assert {folder.name for folder in (home / "runs").iterdir()} == {run.id for run in runs}
    for studio in studios:
        assert "Traceback" not in studio.log.read_text()
