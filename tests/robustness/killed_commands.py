"""Kills exports, imports, labelling, votes and the queue at every change they make, and lets them be tried again.

A process is killed before each change of a file and around each commit of the database. Then the home must open and
nothing may be half-written; and the same command must end with what it leaves when nobody kills it, without files left
over, runs lost, started twice or orphaned. As a command it tries every such point, then random instants:

    python tests/robustness/killed_commands.py --random 50
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from kill_events import watch_events
from killable_works import WORKS, Place, Work, is_hidden, opens, outcome

DEADLINE_SECONDS = 900.0
SHOWN = 4


def work_on(name: str, folder: Path, step: str, kill_at: int | None, record: Path | None, answer: Path) -> None:
    """The body of a process: one step of a work; the answer goes to the file `answer`, an error as its text."""
    place = Place(folder)
    work = next(work for work in WORKS if work.name == name)
    log = os.open(folder.parent / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        if step == "do":
            watch_events(folder, work.functions, kill_at, record)
        found = {"prepare": work.prepare, "do": work.do}[step](place)
    except Exception:
        found = traceback.format_exc()
    answer.write_bytes(pickle.dumps(found))


class Arena:
    """Does works in processes of their own, which are forked from this one, so that its imports are not repeated."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = Place(folder / "place")
        self.exit_code: int | None = None
        self.context = multiprocessing.get_context("fork")

    def call(
        self, work: Work, step: str, kill_at: int | None = None, seconds: float | None = None, record: bool = False
    ) -> Any:
        """What a step of a work answers; None if its process was killed, at an event or after `seconds`."""
        answer, written = self.folder / "answer.pickle", self.folder / "events.txt" if record else None
        answer.unlink(missing_ok=True)
        arguments = (work.name, self.place.folder, step, kill_at, written, answer)
        process = self.context.Process(target=work_on, args=arguments)
        process.start()
        process.join(DEADLINE_SECONDS if seconds is None else seconds)
        if process.is_alive():
            process.kill()
            process.join()
            if seconds is None:
                raise TimeoutError(f"{work.name} has not ended: {step}")
        self.exit_code = process.exitcode
        if process.exitcode == -signal.SIGKILL:
            return None
        return pickle.loads(answer.read_bytes())

    def whole(self, work: Work) -> tuple[dict[str, Any], list[str], float]:
        """What a work leaves that nobody kills, the events that it passes, and how many seconds it takes."""
        self.begin(work)
        started = time.monotonic()
        code = self.call(work, "do", record=True)
        seconds = time.monotonic() - started
        assert code == 0, f"{work.name}: {code}\n{(self.folder / 'said.txt').read_text()}"
        assert not (wrong := work.settle(self.place)), wrong
        events = (self.folder / "events.txt").read_text().splitlines()
        return outcome(self.place), events, seconds

    def begin(self, work: Work) -> None:
        """Put everything back to what it was before the work: a copy of what was prepared once."""
        for module in work.imports:
            importlib.import_module(module)
        prepared = self.folder / "prepared" / work.name
        end = time.monotonic() + DEADLINE_SECONDS
        while self.place.folder.exists() and time.monotonic() < end:  # a process that is about to end may still write
            shutil.rmtree(self.place.folder, ignore_errors=True)
        if not prepared.is_dir():
            self.place.folder.mkdir(parents=True)
            answer = self.call(work, "prepare")
            assert not isinstance(answer, str), answer
            shutil.copytree(self.place.folder, prepared)
        else:
            shutil.copytree(prepared, self.place.folder)

    def kill_and_try_again(
        self, work: Work, whole: dict[str, Any], kill_at: int | None = None, seconds: float | None = None
    ) -> list[str]:
        """Kill a work and do it again; what is wrong then, in sentences."""
        self.begin(work)
        if self.call(work, "do", kill_at, seconds) is not None and kill_at is not None:
            # One that waits for another process looks more or less often for it: it had fewer events this time.
            return self.kill_and_try_again(work, whole, kill_at - 1) if kill_at else ["it was not killed"]
        had = {folder.name for folder in (self.folder / "prepared" / work.name / "home" / "collections").glob("[!.]*")}
        wrong = opens(self.place, whole, had)
        complete = {name: what for name, what in outcome(self.place).items() if not is_hidden(Path(name))} == whole
        code = self.call(work, "do")
        # What was complete when it was killed is refused the second time, for nothing is overwritten.
        if code != 0 and not (complete and code in (1, 2)):
            wrong.append(f"tried again it ends with {code}")
        wrong += work.settle(self.place)
        left = outcome(self.place)
        return wrong + differences(whole, left)


def differences(whole: dict[str, Any], left: dict[str, Any]) -> list[str]:
    """What differs between two outcomes, the first few things."""
    found = [
        f"{name} {'is left over' if name not in whole else 'is missing' if name not in left else 'differs'}"
        for name in sorted({*whole, *left})
        if whole.get(name) != left.get(name)
    ]
    return [*found[:SHOWN], f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else found


def spread(count: int, most: int | None) -> list[int]:
    """At most so many of the numbers below `count`, evenly spread, the last ones all."""
    if most is None or count <= most:
        return list(range(count))
    last = most // 2
    first = count - last
    return sorted({*(first * i // (most - last) for i in range(most - last)), *range(first, count)})


def kill_at_events(arena: Arena, works: Sequence[Work], most: int | None) -> Iterator[tuple[str, list[str]]]:
    """Kill each work at its events, at most so many of them; yields what was done and what is wrong."""
    for work in works:
        whole, events, _ = arena.whole(work)
        for number in spread(len(events), most):
            yield f"{work.name}, {number}: {events[number]}", arena.kill_and_try_again(work, whole, number)


def kill_at_random(arena: Arena, works: Sequence[Work], times: int, seed: int) -> Iterator[tuple[str, list[str]]]:
    """Kill works at random instants; yields what was done and what is wrong."""
    draw = random.Random(seed)
    wholes: dict[str, tuple[dict[str, Any], list[str], float]] = {}
    for _ in range(times):
        work = draw.choice(works)
        whole, _, seconds = wholes.setdefault(work.name, wholes.get(work.name) or arena.whole(work))
        instant = draw.uniform(0.0, seconds)
        yield f"{work.name}: after {instant:.2f} s", arena.kill_and_try_again(work, whole, seconds=instant)


def main() -> int:
    """The command. Returns 1 if something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--random", type=int, default=50, help="random kills after the named points (default: 50)")
    parser.add_argument("--most", type=int, help="points of each work, evenly spread (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random instants")
    parser.add_argument("--only", nargs="+", choices=[work.name for work in WORKS], help="these works only")
    options = parser.parse_args()
    works = [work for work in WORKS if not options.only or work.name in options.only]
    kills = bad = 0
    with tempfile.TemporaryDirectory() as folder:
        arena = Arena(Path(folder))
        at_events = kill_at_events(arena, works, options.most)
        for what, wrong in chain(at_events, kill_at_random(arena, works, options.random, options.seed)):
            kills += 1
            bad += bool(wrong)
            print(f"{what}: {'; '.join(wrong) or 'the same'}", flush=True)
    print(f"{kills} kills of {len(works)} works, {kills - bad} of them end the same")
    return bool(bad)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
