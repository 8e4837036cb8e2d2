"""What a user does that can be killed: exports, imports, labels, votes, the queue; and what each leaves."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sqlite3
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "sources"), str(TESTS.parent)]  # pytest does so by itself

from fuzzed_readers import make_run  # noqa: E402
from making import frames, picture, scene, video  # noqa: E402
from stand_in_worker import NOTES, spawn_stand_in  # noqa: E402

from studio.services.votes import Votes  # noqa: E402
from studio.view_models.comparison import CheckpointAnswer  # noqa: E402
from swirl import processes  # noqa: E402
from swirl.cli import main as swirl  # noqa: E402
from swirl.errors import SwirlError  # noqa: E402
from swirl.history import UNFINISHED_STATUSES, History  # noqa: E402
from swirl.runs import jobs, scheduler  # noqa: E402
from swirl.settings import Settings  # noqa: E402
from swirl.sources.collections import import_draft  # noqa: E402
from swirl.sources.collections.catalog import import_collection, list_collections, load_sequences  # noqa: E402
from swirl.sources.labels import hand_labelling  # noqa: E402
from swirl.sources.labels.writing import write_labels  # noqa: E402

VARYING = frozenset(
    {
        *("created", "updated", "started", "finished", "heartbeat", "exported", "fingerprint", "applied_at", "since"),
        *("pid", "pid_started", "place", "device", "memory_bytes"),
    }
)
"""Columns and keys that say when, by which process, or how often something was tried; all others must be equal."""
ANSWERS = "evaluating"
"""The folder with the answers of what was killed, even just after its end; they are kept for 30 days."""
UNCOMPARED = ("studio.db-wal", "studio.db-shm", "jobs.lock")
QUEUE_SECONDS = 90.0


@dataclass(frozen=True)
class Place:
    """Where a work is done: the folder of the home, of the sources and of the outputs."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, *arguments: object) -> int:
        """Run `swirl ARGUMENTS` in this process; its exit code."""
        return swirl(["--home", str(self.home), *map(str, arguments)])


@dataclass(frozen=True)
class Work:
    """Something that is done and killed.

    `prepare` makes what it needs; `do` does it, or what is missing of it, as a user would who tries again, and returns
    an exit code. `functions` are calls at which it is killed besides the changes of files. `settle` waits for processes
    that it started, and says what is wrong with them.
    """

    name: str
    prepare: Callable[[Place], object]
    do: Callable[[Place], int]
    functions: tuple[str, ...] = ()
    settle: Callable[[Place], list[str]] = lambda place: []
    imports: tuple[str, ...] = ()
    """Large modules that it needs; they are imported once, before its processes are forked."""


# --- exporting ------------------------------------------------------------------------------------------------


def prepare_texts(place: Place) -> None:
    """A collection of texts with actions."""
    place.out.mkdir()
    place.source.mkdir()
    file = place.source / "texts.jsonl"
    rows = [{"id": f"s{i}", "states": [f"{i} {j} lamp" for j in range(5)]} for i in range(12)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    actions = [{"id": row["id"], "actions": list("abcd")} for row in rows]
    (place.source / "actions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in actions))
    import_collection(place.home, file, "mine")


def prepare_frames(place: Place) -> None:
    """A collection of pictures with actions."""
    place.out.mkdir()
    write_frames(place)
    import_collection(place.home, place.source, "mine")


def write_frames(place: Place) -> None:
    """A folder with three folders of pictures and their actions."""
    for name in "abc":
        frames(place.source / name, 4)
    lines = ({"id": name, "actions": ["go", "stay", "go"]} for name in "abc")
    (place.source / "actions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def prepare_run(place: Place) -> None:
    """A finished run with figures, rollouts and a checkpoint."""
    place.out.mkdir()
    place.source.mkdir()
    make_run(place.source)
    (place.source / "home").rename(place.home)
    (place.source / "run.zip").rename(place.source / "run.swirl.zip")


def prepare_run_file(place: Place) -> None:
    """The file of a run, and an empty home."""
    prepare_run(place)
    shutil.rmtree(place.home)
    History(place.home)


# --- importing ------------------------------------------------------------------------------------------------


def prepare_lines(place: Place) -> None:
    """A file of texts that is not imported yet."""
    prepare_texts(place)
    shutil.rmtree(place.home)
    History(place.home)


def prepare_pictures(place: Place) -> None:
    """Folders of pictures that are not imported yet."""
    write_frames(place)
    History(place.home)


def prepare_film(place: Place) -> None:
    """Two films that are not imported yet."""
    for name in ("one", "two"):
        video(place.source / f"{name}.mp4", [scene(8 * n) for n in range(6)])
    History(place.home)


def prepare_archive(place: Place) -> None:
    """An archive of pictures that is not imported yet."""
    place.source.mkdir()
    with zipfile.ZipFile(place.source / "frames.zip", "w") as archive:
        for number in range(6):
            archive.writestr(f"{number // 3}/{number % 3}.png", picture("PNG", 4 * number, (32, 24)))
    History(place.home)


def prepare_renewed(place: Place) -> None:
    """A file that was imported and has changed since."""
    prepare_texts(place)
    with (place.source / "texts.jsonl").open("a") as file:
        file.write(json.dumps({"id": "new", "states": ["a", "b", "c"]}) + "\n")


def import_as(name: str, *options: str) -> Callable[[Place], int]:
    """Import what is at that place among the sources."""

    def do(place: Place) -> int:
        import_draft.SAVE_SECONDS = -1.0  # every mark is saved
        return place.run("import", place.source / name, "--name", "mine", *options)

    return do


def import_run(place: Place) -> int:
    """Import the file of a run unless the run is there."""
    return 0 if History(place.home).runs() else place.run("runs", "import", place.source / "run.swirl.zip")


# --- labelling, voting ----------------------------------------------------------------------------------------


def label(place: Place) -> int:
    """Label and skip what is not labelled yet, change one label, and write the file that a run reads."""
    transitions = hand_labelling.training_transitions(load_sequences(place.home, "mine"))[:6]
    so_far = hand_labelling.load_labelling_progress(place.home, "mine", transitions)
    for transition in hand_labelling.unlabelled_transitions(transitions, so_far):
        action = None if transition.step == 1 else f"push {transition.step}"
        hand_labelling.save_hand_label(place.home, "mine", transition, action)
    hand_labelling.save_hand_label(place.home, "mine", transitions[0], "pull")
    so_far = hand_labelling.load_labelling_progress(place.home, "mine", transitions)
    write_labels(place.home, "mine", so_far.labels)
    return 0


def vote(place: Place) -> int:
    """Vote on every question that is open, always in the same way."""
    votes = Votes(place.home)
    votes._random = random.Random(0)
    transitions = [t for sequence in load_sequences(place.home, "mine")[:2] for t in sequence.transitions()]
    answers = [[CheckpointAnswer("go", -1.0, f"{name} {n}", None, False) for n in range(8)] for name in ("x", "y")]
    while (question := votes.ask(["x", "y"], "mine", transitions, answers).question) is not None:
        votes.vote(question.ticket, "left" if question.left == "x" else "right")
    return 0


# --- queueing -------------------------------------------------------------------------------------------------


def prepare_queue(place: Place) -> None:
    """Settings of a run that takes one core."""
    place.source.mkdir()
    changes = {"data": "household", "model": "tiny-household", "cores": 1}
    (place.source / "settings.json").write_text(json.dumps(Settings().replace(changes).to_dict()))
    History(place.home)


def queue(place: Place) -> int:
    """Queue three runs, those that are not there yet, and put the last one first."""
    scheduler.processes.spawn = spawn_stand_in
    for name in "abc":
        there = {run.name for run in History(place.home).runs()}
        if name not in there and place.run(
            "train", "--config", place.source / "settings.json", "--detach", "--name", name
        ):
            return 1
    with suppress(SwirlError):  # it may just have left the queue
        for run in History(place.home).queued_runs()[-1:]:
            jobs.move_in_queue(place.home, run.id, "first")
    return 0


def resume_all(place: Place) -> int:
    """Resume every run that was stopped."""
    scheduler.processes.spawn = spawn_stand_in
    jobs.reconcile(place.home)
    for run in History(place.home).runs():
        if run.status in jobs.RESUMABLE:
            jobs.resume(place.home, run.id)
    return 0


def prepare_stopped(place: Place) -> None:
    """Two runs that were stopped."""
    place.source.mkdir()
    settings = Settings().replace({"data": "household", "model": "tiny-household", "cores": 1})
    for name in "ab":
        jobs.create_stopped_run(place.home, preset=None, settings=settings, name=name)


def settle_queue(place: Place) -> list[str]:
    """Wait until no run is left, and look whether each was trained once and by a process that has ended."""
    scheduler.processes.spawn = spawn_stand_in
    end = time.monotonic() + QUEUE_SECONDS
    while any(run.status in UNFINISHED_STATUSES for run in History(place.home).runs()):
        if time.monotonic() > end:
            return [f"runs have not ended: {[(run.id, run.status) for run in History(place.home).runs()]}"]
        time.sleep(0.05)
        jobs.reconcile(place.home)
    file = place.home / NOTES
    notes = [line.split() for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    wrong = []
    for run in History(place.home).runs():
        done = [what for what, run_id, _ in notes if run_id == run.id]
        if run.status != "finished" or done != ["begin", "end"]:
            wrong.append(f"{run.id} is {run.status} after {done}")
    for pid in {int(pid) for _, _, pid in notes}:
        while processes.find_process(pid, started_at(pid)) is not None and time.monotonic() < end:
            time.sleep(0.05)  # it has recorded its end and is about to leave
        if processes.find_process(pid, started_at(pid)) is not None:
            wrong.append(f"process {pid} is left over")
    return wrong


def started_at(pid: int) -> float | None:
    """The start of a process; None if there is none."""
    try:
        return processes.process_start(pid)
    except processes.psutil.NoSuchProcess:
        return None


def delete_run(place: Place) -> int:
    """Delete the run; a second time it is refused, for it is gone."""
    code = place.run("runs", "delete", "household-01", "--yes")
    return code if History(place.home).runs() else 0


WORKS = (
    Work("export JSONL", prepare_texts, lambda p: p.run("export", "mine", "--out", p.out / "x.jsonl", "--actions")),
    Work("export Parquet", prepare_texts, lambda p: p.run("export", "mine", "--out", p.out / "x.parquet")),
    Work(
        "export pictures",
        prepare_frames,
        lambda p: p.run("export", "mine", "--out", p.out / "x.jsonl", "--actions"),
        ("swirl.sources.collections.frame_archive:FrameWriter.add_sequence",),
    ),
    Work("export a Space", prepare_texts, lambda p: p.run("export", "tiny-household", "--space", p.out / "space")),
    Work(
        "export a run",
        prepare_run,
        lambda p: p.run("runs", "export", History(p.home).runs()[0].id, p.out / "x.swirl.zip"),
        ("swirl.runs.archive.exporting:RunFileWriter.write_file",),
    ),
    Work(
        "infer actions",
        prepare_texts,
        lambda p: p.run("infer", "tiny-household", "--data", "mine", "--out", p.out / "x.jsonl", "--device", "cpu"),
        ("swirl.models.world_model:WorldModel.infer",),
        imports=("swirl.models.loading", "swirl.models.world_model", "peft", "safetensors.torch"),
    ),
    Work(
        "record a world",
        prepare_texts,
        lambda p: p.run("record", "household", "--out", p.out / "world", "--sequences", "5", "--seed", "1"),
    ),
    Work("import texts", prepare_lines, import_as("texts.jsonl")),
    Work("import pictures", prepare_pictures, import_as("")),
    Work("import films", prepare_film, import_as("", "--every", "1")),
    Work("import an archive", prepare_archive, import_as("frames.zip")),
    Work("import again", prepare_renewed, import_as("texts.jsonl")),
    Work(
        "import a run",
        prepare_run_file,
        import_run,
        ("swirl.runs.archive.importing:RunFileReader.store_rows",),
    ),
    Work("delete a run", prepare_run, delete_run),
    Work("label", prepare_frames, label),
    Work("vote", prepare_texts, vote, ("swirl.history:History.add_preference",)),
    Work("queue", prepare_queue, queue, ("swirl.processes:process_start",), settle_queue),
    Work("resume", prepare_stopped, resume_all, ("swirl.processes:process_start",), settle_queue),
)


# --- what is left ---------------------------------------------------------------------------------------------


def outcome(place: Place) -> dict[str, Any]:
    """All that lies in the home and among the outputs, without times: the files by name, the rows by table."""
    found: dict[str, Any] = {}
    list_collections(place.home)  # the database only keeps what is counted here
    for folder in (place.home, place.out):
        for file in sorted(folder.rglob("*")):
            name = str(file.relative_to(place.folder))
            if file.is_dir():
                found[name] = "folder"
            elif file.name == "studio.db":
                found |= {f"{name} {table}": rows for table, rows in database_rows(file).items()}
            elif file.name not in UNCOMPARED and file.parent.name != ANSWERS:
                found[name] = contents(file)
    return found


def contents(file: Path) -> Any:
    """What a file holds, without times."""
    if is_hidden(file):
        return "a draft"
    if file.name == "collection.json":
        return without_times(json.loads(file.read_text()))
    if file.name == "log.txt":
        return "a log"
    if file.name == NOTES:
        return sorted(line.split()[0] for line in file.read_text().splitlines())
    if file.name.endswith(".swirl.zip"):
        with zipfile.ZipFile(file) as archive:
            assert archive.testzip() is None
            members = {name: archive.read(name) for name in archive.namelist()}
        return {
            name: without_times(json.loads(data)) if name.endswith(".json") else hashlib.sha256(data).hexdigest()
            for name, data in members.items()
        }
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_hidden(file: Path) -> bool:
    """Whether a file is, or lies in, something whose name begins with a dot, as drafts do."""
    return any(part.startswith(".") for part in file.parts)


def without_times(value: Any) -> Any:
    """A document of JSON without the keys that vary."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in VARYING}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def database_rows(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each table, sorted, without the columns that vary and without ids that only count rows."""
    found = {}
    with sqlite3.connect(file) as db:
        tables = [
            name
            for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        for table in sorted(tables):
            about = list(db.execute(f'PRAGMA table_info("{table}")'))
            numbers = {column[1] for column in about if column[2] == "INTEGER" and column[5]}
            columns = [column[1] for column in about if column[1] not in VARYING | numbers]
            if not columns:
                continue
            names = ", ".join(f'"{column}"' for column in columns)
            rows = list(db.execute(f'SELECT {names} FROM "{table}"'))
            if table == "preferences":  # the sides of a question are drawn; the vote names the same checkpoint
                rows = [tuple(sorted(map(str, row))) for row in map(winner, rows)]
            found[table] = sorted(rows, key=repr)
    return found


def winner(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A vote with the side that was chosen left out: the test always votes for the same checkpoint."""
    return tuple(value for value in row if value not in ("left", "right"))


def opens(place: Place, whole: dict[str, Any], had: set[str]) -> list[str]:
    """What is wrong with what a killed process has left: what does not open, half of an output, a lost collection.

    `had` are the names of the collections that there were before.
    """
    wrong = []
    try:
        History(place.home).runs()
        collections = list_collections(place.home)
        wrong += [f"{name} is lost" for name in had - {collection.name for collection in collections}]
        for collection in collections:
            if len(load_sequences(place.home, collection.name)) != collection.sequences:
                wrong.append(f"{collection.name} is not whole")
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {error}")
    if place.out.is_dir():
        for file in place.out.rglob("*"):
            name = str(file.relative_to(place.folder))
            if not is_hidden(file) and file.is_file() and contents(file) != whole.get(name):
                wrong.append(f"{name} is half-written")
    return wrong
