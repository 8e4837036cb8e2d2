"""A home whose path has spaces, quotes, percent signs, other alphabets, and 200 characters: everything works there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ended_runs import end_runs
from killed_training import SMALL_RUN
from studio_process import PATIENCE, ROOT, StudioProcess
from test_full_disk import write_source

from swirl.history import UNFINISHED_STATUSES, History
from swirl.settings import Settings

pytestmark = pytest.mark.slow

NAMES = (  # of folders within each other
    "with spaces, 'quotes' and \"more\" 100% %41 #1?x=1&y [a] {b} $HOME ~ \\n",
    "дом – 家 – bäckerei – \N{COMBINING ACUTE ACCENT}e",
    "long " + "x" * 195,
)


def swirl(home: Path, *arguments: str) -> str:
    """Run a command as a terminal does; what it printed."""
    command = [sys.executable, "-m", "swirl", "--home", str(home), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def wait_for_end(home: Path, run_id: str) -> str:
    """The status in which a run has ended."""
    end = time.monotonic() + PATIENCE
    while (status := History(home).run(run_id).status) in UNFINISHED_STATUSES and time.monotonic() < end:
        time.sleep(0.2)
    return status


def test_a_home_on_a_strange_path(tiny_base: Path, tmp_path: Path) -> None:
    home = tmp_path.joinpath(*NAMES)
    studio = StudioProcess(home, tmp_path / "studio.txt")
    studio.start()
    try:
        for page in ("/", "/play", "/train", "/compare", "/experiments", "/runs", "/label"):
            assert b"<html" in studio.get(page)
        assert "household" in json.dumps(studio.ask("collections"))

        swirl(home, "import", str(write_source(tmp_path, "mine", 40)), "--name", "mine")
        swirl(home, "export", "mine", "--out", str(home / "out.parquet"))
        swirl(home, "import", str(home / "out.parquet"), "--name", "again")

        labels = home / "labels" / "a b%.jsonl"
        labels.parent.mkdir(exist_ok=True)
        labels.write_text(json.dumps({"state": "0 0", "action": "go", "next_state": "0 1"}) + "\n")
        changes = {**SMALL_RUN, "model": str(tiny_base), "data": "mine", "cores": 1, "steps_per_phase": 40}
        changes |= {"max_state_tokens": 128}
        changes |= {"labels": str(labels), "warm_up_epochs": 1}
        config = home / "settings.json"
        config.write_text(json.dumps(Settings().replace(changes).to_dict()))
        run_id = swirl(home, "train", "--config", str(config), "--detach").strip()
        end = time.monotonic() + PATIENCE
        while not History(home).metrics(run_id) and time.monotonic() < end:
            assert History(home).run(run_id).status != "failed", History(home).run(run_id).error
            time.sleep(0.1)
        swirl(home, "stop", run_id)
        assert wait_for_end(home, run_id) == "stopped"
        swirl(home, "resume", run_id, "--detach")
        assert wait_for_end(home, run_id) == "finished", History(home).run(run_id).error
        assert studio.ask("details", run=run_id)

        swirl(home, "runs", "export", run_id, str(home / "run.swirl.zip"))
        swirl(home, "runs", "import", str(home / "run.swirl.zip"))
        swirl(home, "export", f"{run_id}@1", "--space", str(home / "a space"))
        assert (home / "a space" / "app.py").is_file()
        swirl(home, "infer", f"{run_id}@1", "--data", "mine", "--out", str(home / "actions.jsonl"))
        assert "Traceback" not in studio.log.read_text()
    finally:
        studio.kill()
        end_runs(home)
