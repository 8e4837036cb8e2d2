"""Kills the studio again and again while a run that it started trains, an import runs and labels are written.

As a command it kills it 20 times and prints what was lost:

    python tests/robustness/killed_studio.py --kills 20
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "training"), str(TESTS.parent)]  # pytest does so by itself

from ended_runs import end_runs  # noqa: E402
from killed_training import SMALL_RUN  # noqa: E402
from studio_process import PATIENCE, ROOT, StudioProcess  # noqa: E402
from tiny_base import make_tiny_base  # noqa: E402

from swirl.history import UNFINISHED_STATUSES, History  # noqa: E402
from swirl.runs import jobs, scheduler  # noqa: E402
from swirl.sources.collections.catalog import load_sequences  # noqa: E402
from swirl.sources.collections.split import split_of  # noqa: E402
from swirl.states import Transition  # noqa: E402

SEQUENCES = 4000
"""How many an import reads; it takes seconds."""


def call(studio: StudioProcess, endpoint: str, *values: Any) -> dict[str, Any]:
    """What an endpoint for programs answers."""
    address = f"{studio.url}/gradio_api/call/{endpoint}"
    body = json.dumps({"data": values}).encode()
    with urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "application/json"})) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{address}/{event}", timeout=PATIENCE) as stream:
        lines = stream.read().decode().splitlines()
    assert lines[0] == "event: complete", lines
    return json.loads(lines[1].removeprefix("data: "))[0]


def write_labels(studio: StudioProcess, transitions: Sequence[Transition], kept: list[Transition]) -> None:
    """Label transitions until the studio is gone; `kept` gets those that it has answered for."""
    for t in transitions[len(kept) :]:
        try:
            answer = studio.ask("keep", data="household", sequence=t.sequence_id, step=t.step, action="push the lamp")
        except (OSError, urllib.error.URLError, HTTPException, ValueError):
            return  # it was killed
        assert "error" not in answer, answer
        kept.append(t)


def kill_studio(folder: Path, base: Path, kills: int, seed: int = 0, steps: int = 60) -> list[str]:
    """Kill the studio so often at random instants; what was lost or shown wrongly, in sentences."""
    draw, wrong = random.Random(seed), []
    home, source = folder / "home", folder / "large.jsonl"
    rows = ({"id": f"s{i}", "states": [f"{i} {j}" for j in range(20)]} for i in range(SEQUENCES))
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    studio = StudioProcess(home, folder / "studio.txt")
    studio.start()
    settings = {**SMALL_RUN, "model": str(base), "steps_per_phase": steps * max(1, kills), "cores": 1, "labels": None}
    run_id = call(studio, "start", "tiny-household", settings, "survivor")["run"]
    command = [sys.executable, "-m", "swirl", "--home", str(home), "import", str(source), "--name", "large"]
    importing = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    sequences = [s for s in load_sequences(home, "household") if split_of(s.id) == "train"]
    transitions = [t for sequence in sequences for t in sequence.transitions()]
    kept: list[Transition] = []
    process = None
    try:
        for number in range(1, kills + 1):
            labelling = threading.Thread(target=write_labels, args=(studio, transitions, kept))
            labelling.start()
            time.sleep(draw.uniform(0.2, 2.0))
            studio.kill()
            labelling.join()
            run = History(home).run(run_id)
            process = process or run.pid
            if run.status != "running" or run.pid != process or not jobs.is_alive(run):
                wrong.append(f"kill {number}: the run is {run.status}, its process {run.pid} after {process}")
            stored = {(label.sequence, label.step) for label in History(home).hand_labels("household")}
            if lost := [t for t in kept if (t.sequence_id, t.step) not in stored]:
                wrong.append(f"kill {number}: {len(lost)} labels are lost")
            studio.start()
            shown = call(studio, "status", run_id)["runs"][0]
            if shown["status"] not in ("running", "finished"):
                wrong.append(f"kill {number}: the run is shown as {shown['status']}")
        if importing.wait(PATIENCE) != 0 or len(load_sequences(home, "large")) != SEQUENCES:
            wrong.append(f"the import did not end: {importing.stderr.read() if importing.stderr else ''}")
        jobs.stop(home, run_id)
        end = time.monotonic() + PATIENCE
        while History(home).run(run_id).status in UNFINISHED_STATUSES and time.monotonic() < end:
            time.sleep(0.2)
        run = History(home).run(run_id)
        if run.status != "stopped" or History(home).resumptions(run_id):
            wrong.append(f"the run ended as {run.status}: {run.error}")
        if (scheduler.run_folder(home, run_id) / "log.txt").read_text().count("phase 1: iteration 1") != 1:
            wrong.append("the run was not trained exactly once")
        if "Traceback" in studio.log.read_text():
            wrong.append("the studio wrote a traceback")
    finally:
        studio.kill()
        importing.kill()
        end_runs(home)
    return wrong


def main() -> int:
    """The command. Returns 1 if anything was lost or shown wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="how often the studio is killed (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random instants")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = make_tiny_base(Path(folder) / "base")
        wrong = kill_studio(Path(folder), base, options.kills, options.seed, steps=200)
    for sentence in wrong:
        print(sentence)
    print(f"the studio was killed {options.kills} times, {len(wrong)} things went wrong")
    return bool(wrong)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
