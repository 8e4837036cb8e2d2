"""A long day: a run takes thousands of steps while visitors cause ten thousands of page events, and nothing may grow.

As a command it starts a studio over a new home, has it train a tiny model, sends the events over loopback, and prints
what both processes held meanwhile; it returns 1 if anything grows beyond what is stored:

    python tests/robustness/long_day.py --steps 4000 --events 20000 --minutes 20
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(Path(__file__).parent), str(TESTS.parent)]  # pytest does so by itself

from ended_runs import end_runs  # noqa: E402
from growth import MEGABYTE, Growth, Reading, judge, read_folder, read_process, table  # noqa: E402
from page_events import STORIES, Day, Stories, visitor  # noqa: E402
from small_runs import SMALL_RUN  # noqa: E402
from studio_process import StudioProcess  # noqa: E402
from tiny_base import make_tiny_base  # noqa: E402

from swirl.history import UNFINISHED_STATUSES, History  # noqa: E402
from swirl.runs import jobs, scheduler  # noqa: E402
from swirl.settings import Settings  # noqa: E402

VISITORS = 3
PHASES = 24
"""Each kind of phase begins for the first time, which takes memory once, well before the warm-up of the judge ends."""


@dataclass
class LongDay:
    """The readings of a day, and what else went wrong, in sentences."""

    studio: list[Reading]
    training: list[Reading]
    events: dict[str, int]
    steps: int
    wrong: list[str]

    def growths(self) -> dict[str, list[Growth]]:
        """The growth of the studio and of the training, by their names."""
        return {"studio": judge(self.studio), "training": judge(self.training)}


def start_training(home: Path, base: Path, steps: int) -> str:
    """Start a run of so many steps; returns its id."""
    per_phase = max(2, steps // PHASES)
    changes = {
        **SMALL_RUN,
        "iterations": PHASES // 2,
        "steps_per_phase": per_phase,
        "save_every": max(1, per_phase // 20),
        "learning_rate": 1e-5,  # so that thousands of steps do not diverge
        "model": str(base),
        "labels": None,
        "cores": 1,
    }
    return jobs.start(home, preset=None, settings=Settings().replace(changes), name="a long day")


def read_home(home: Path, run_id: str) -> dict[str, float]:
    """What the home holds beyond what is to be stored: rows of the history, checkpoints, and the frames of paths."""
    database = home / "studio.db"
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as db:
        pages, free, size = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    db.close()
    on_disk = sum(f.stat().st_size for f in (database, database.with_name("studio.db-wal")) if f.exists())
    kept = [home / "frames", *(home / point.path for point in History(home).checkpoints(run_id))]
    # A kept folder is a file of its own beside those in it.
    files = read_folder(home)[0] - sum(1 + read_folder(folder)[0] for folder in kept if folder.is_dir())
    return {
        "database beyond its rows, MB": (on_disk - (pages - free) * size) / MEGABYTE,
        "files beyond checkpoints": files,
    }


def steps_taken(history: History, run_id: str) -> int:
    """The steps of all phases of the run so far."""
    run, phases = history.run(run_id), history.phases(run_id)
    done = sum(phase.steps for phase in phases if phase.finished)
    # The run still names the phase before until the new one has taken a step.
    is_counting = any(phase.finished is None and phase.index == run.phase_index for phase in phases)
    return done + ((run.step or 0) if is_counting else 0)


def read_training(history: History, run_id: str) -> Reading | None:
    """What the worker of a run holds; None before it has taken a step and after its end."""
    run = history.run(run_id)
    steps = steps_taken(history, run_id)
    if run.pid is None or not steps or run.activity:
        return None
    log = scheduler.run_folder(history.home, run_id) / "log.txt"
    with suppress(psutil.NoSuchProcess):
        return Reading(steps, read_process(psutil.Process(run.pid)) | {"log, MB": log.stat().st_size / MEGABYTE})
    return None


def check_stored(history: History, run_id: str) -> list[str]:
    """What the history holds of the run beyond one row a figure and the few rollouts of each step, in sentences."""
    from swirl.history.metric_bins import STEPS_PER_BIN
    from swirl.training.rewards import PartnerReward

    wrong = []
    with sqlite3.connect(f"file:{history.path}?mode=ro", uri=True) as db:
        bins, expected = db.execute(
            f"SELECT (SELECT count(*) FROM metric_bins WHERE run = ?), (SELECT count(*) FROM "
            f"(SELECT DISTINCT name, phase, step / {STEPS_PER_BIN} FROM metrics WHERE run = ?))",
            [run_id, run_id],
        ).fetchone()
        most = db.execute(
            "SELECT max(n) FROM (SELECT count(*) n FROM rollouts WHERE run = ? GROUP BY phase, step)", [run_id]
        ).fetchone()[0]
    db.close()
    if bins > expected:
        wrong.append(f"{bins} bins of metrics are stored for the {expected} that have values")
    if (most or 0) > PartnerReward.MAX_SHOWN_GROUPS:
        wrong.append(f"{most} groups of rollouts are stored for one step, not at most {PartnerReward.MAX_SHOWN_GROUPS}")
    return wrong


def live_a_day(folder: Path, steps: int, events: int, seconds: float, stories: Stories = STORIES) -> LongDay:
    """Train and receive visitors at once, for at most so many `steps` and `seconds`, and for so many `events`."""
    home, temporary = folder / "home", folder / "tmp"
    temporary.mkdir()
    base = make_tiny_base(folder / "base")
    studio = StudioProcess(home, folder / "studio.txt", environment={"TMPDIR": str(temporary)})
    studio.start()
    assert studio.process is not None
    failures: list[str] = []
    day = LongDay([], [], {}, 0, [])
    try:
        run_id = start_training(home, base, steps)
        history, process = History(home), psutil.Process(studio.process.pid)
        visits = Day(studio.port, events, seconds, run_id)
        end = visits.deadline
        threads = [threading.Thread(target=visitor, args=(visits, seed, failures, stories)) for seed in range(VISITORS)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            working = any(thread.is_alive() for thread in threads)
            if working:
                files, size = read_folder(temporary)
                seen = {"temporary files": files, "temporary files, MB": size / MEGABYTE}
                day.studio.append(Reading(visits.done, read_process(process) | seen | read_home(home, run_id)))
                visits.readings += 1
            training = read_training(history, run_id)
            if training and (not day.training or training.done > day.training[-1].done):
                day.training.append(training)
            if not working and history.run(run_id).status not in UNFINISHED_STATUSES:
                break
            time.sleep(min(2.0, seconds / 300))
        for thread in threads:
            thread.join()
        day.events, day.steps = visits.by_story, steps_taken(history, run_id)
        if history.run(run_id).status in UNFINISHED_STATUSES:
            jobs.stop(home, run_id)
        day.wrong += check_stored(history, run_id)
        if history.run(run_id).error:
            day.wrong.append(f"the run failed: {history.run(run_id).error}")
    finally:
        studio.stop()
        end_runs(home, grace=30.0)
    day.wrong += failures[:5]
    if "Traceback" in studio.log.read_text():
        day.wrong.append("the studio wrote a traceback")
    left = sorted(str(file.relative_to(temporary)) for file in temporary.rglob("*") if file.is_file())
    if left:
        day.wrong.append(f"{len(left)} temporary files stay behind when the studio has stopped: {', '.join(left[:5])}")
    return day


def main() -> int:
    """The command. Returns 1 if anything grows, or was stored or left behind that should not be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000, help="training steps (default: 4000)")
    parser.add_argument("--events", type=int, default=20_000, help="the fewest page events (default: 20000)")
    parser.add_argument("--minutes", type=float, default=20, help="the longest that both may take (default: 20)")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        day = live_a_day(Path(folder), options.steps, options.events, 60 * options.minutes)
    growths = day.growths()
    print(table("studio", "events", day.studio, growths["studio"]), end="\n\n")
    print(table("training", "steps", day.training, growths["training"]), end="\n\n")
    told = ", ".join(f"{name} {count}" for name, count in sorted(day.events.items()))
    print(
        f"{sum(day.events.values())} events ({told}) and {day.steps} steps in {(time.monotonic() - begun) / 60:.1f} min"
    )
    for sentence in day.wrong:
        print(sentence)
    grown = [f"{where}: {growth.name}" for where, found in growths.items() for growth in found if growth.is_real]
    print(f"grows: {', '.join(grown)}" if grown else "nothing grows")
    return bool(grown or day.wrong)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
