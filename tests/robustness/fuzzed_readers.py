"""Feeds every reader with damaged input, and looks for tracebacks, hangs, hunger for memory and strayed files.

The samples of all formats are damaged byte by byte. A reader may succeed or raise a SwirlError with one sentence;
anything else is a fault. As a command it prints the number of inputs and the faults:

    python tests/robustness/fuzzed_readers.py --inputs 200
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "sources")]  # pytest does so by itself

from sample_datasets import (  # noqa: E402
    make_answer_tree,
    make_aurora,
    make_export,
    make_hdf5,
    make_image_folder,
    make_image_lines,
    make_inline_pictures,
    make_inspect_log,
    make_minari,
    make_picture_labels,
    make_texts,
)

from swirl import paths  # noqa: E402
from swirl.errors import SwirlError  # noqa: E402

SECONDS_EACH = 10
START_SECONDS = 120
"""How long a process may take to make a sample and import the libraries."""
MEMORY_BYTES = 1 << 30
"""How much more memory than before a batch of inputs may take at its peak."""
LIMIT_BYTES = 4 << 30
"""How many more addresses than before a process gets at all, where the system can limit that; threads take some."""

Reader = Callable[[Path, Path], object]
"""Reads a file or folder, given after the home."""


@dataclass(frozen=True)
class Target:
    """A kind of input: `make` writes a valid sample and returns its path, `read` reads it into a home."""

    name: str
    make: Callable[[Path], Path]
    read: Reader


@dataclass(frozen=True)
class Fault:
    """An input that a reader did not stand, by the number that makes it again, and what happened."""

    target: str
    number: int
    what: str


# --- the samples ----------------------------------------------------------------------------------------------


def text_file(name: str, text: str) -> Callable[[Path], Path]:
    """A sample that is a text file."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def json_lines(*records: object) -> str:
    """The records as lines of JSON."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


STATES = ["the lamp is on.", "the lamp is off.", "the lamp is off. the door is open."]
SEQUENCES = json_lines({"id": "a", "states": STATES}, {"id": "b", "states": STATES[::-1], "actions": ["x", "y"]})
DOCUMENT = json.dumps([{"id": "a", "states": STATES}, {"id": "b", "states": STATES[:2]}])
CHAT = json_lines(
    {
        "messages": [
            {"role": "user", "content": "open the door"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "open", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "the door is open"},
        ]
    }
)
LABELS = json_lines(*({"state": x, "action": "switch it", "next_state": y} for x, y in pairwise(STATES)))
TABLE = "sequence_id,step,state,action\n" + "".join(f'e{i // 3},{i},"state {i}, so",go\n' for i in range(9))
SETTINGS = '{"model": "tiny-household", "seed": 3, "forward": {"learning_rate": 0.001}, "anchor": 1.5}'
TOML_SETTINGS = """model = "tiny-household"
seed = 3
[forward]
learning_rate = 0.001
"""
PLAN = """methods = ["warm-up", "sft"]
seeds = [0, 1]
[settings]
iterations = 1
[[problems]]
data = "household"
preset = "tiny-household"
"""


def make_pictures(folder: Path) -> Path:
    """A folder of frames in three formats."""
    from making import picture, write

    for number, kind in enumerate(("PNG", "JPEG", "TIFF")):
        write(folder / "frames" / f"{number}.{kind.lower()}", picture(kind, 4 * number, (32, 24)))
    return folder / "frames"


def make_zip(folder: Path) -> Path:
    """A zip file of two sequences of frames."""
    import zipfile

    from making import picture

    path = folder / "frames.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(6):
            archive.writestr(f"{number // 3}/{number % 3}.png", picture("PNG", 4 * number, (32, 24)))
    return path


def make_tar(folder: Path) -> Path:
    """A WebDataset archive of frames with texts."""
    import io
    import tarfile

    from making import picture

    path = folder / "shard-000.tar"
    with tarfile.open(path, "w") as archive:
        for number in range(4):
            for suffix, data in (("png", picture("PNG", 4 * number, (32, 24))), ("json", b'{"episode": 1}')):
                member = tarfile.TarInfo(f"{number:04d}.{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return path


def make_video(folder: Path) -> Path:
    """A short film."""
    from making import scene, video

    return video(folder / "film.mp4", [scene(4 * at, (64, 48)) for at in range(6)])


def make_gif(folder: Path) -> Path:
    """A short animation."""
    from making import gif

    return gif(folder / "film.gif", 4)


def make_arrays(folder: Path) -> Path:
    """NumPy episodes of pictures with actions."""
    import numpy as np

    path = folder / "episodes.npz"
    pixels = np.random.default_rng(0).integers(0, 255, (4, 24, 32, 3), dtype=np.uint8)
    np.savez(path, observations=pixels, actions=np.arange(3))
    return path


def make_parquet(folder: Path) -> Path:
    """A table of texts by episode in Parquet."""
    import pyarrow
    from pyarrow import parquet

    path = folder / "rows.parquet"
    columns = {"episode": [0, 0, 0, 1, 1], "step": [0, 1, 2, 0, 1], "state": [*STATES, *STATES[:2]]}
    parquet.write_table(pyarrow.table(columns), path)
    return path


def make_arrow(folder: Path) -> Path:
    """The same in Arrow's stream format."""
    import pyarrow

    path = folder / "rows.arrow"
    table = pyarrow.table({"states": [STATES, STATES[::-1]]})
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return path


def make_lerobot(folder: Path) -> Path:
    """A LeRobot dataset with two episodes."""
    from lerobot_files import own_files

    return own_files(folder / "robot", [3, 2])


def make_run(folder: Path) -> Path:
    """An exported run with figures, rollouts and one checkpoint."""
    from swirl.history import History
    from swirl.runs.archive.exporting import export_run
    from swirl.runs.scheduler import run_folder
    from swirl.settings import Settings

    home = folder / "home"
    history = History(home)
    run = history.create_run(preset=None, settings=Settings().to_dict(), name="exported")
    history.start_phase(run, 0, 1, "forward", 2)
    history.log_metrics(run, 0, 1, {"loss": 0.5, "reward": -1.0})
    row = {"state": STATES[0], "next_state": STATES[1], "action": "go", "samples": ["x"], "rewards": [-1.0]}
    history.log_rollouts(run, 0, 1, [row | {"advantages": [0.0]}])
    place = run_folder(home, run) / "checkpoints" / "00-forward"
    shutil.copytree(paths.assets() / "tiny-household" / "fwm", place / "fwm")
    shutil.copytree(paths.assets() / "tiny-household" / "idm", place / "idm")
    manifest = {"format": 1, "base": "tiny-household", "shared": False, "kind": "text"}
    (place / "swirl.json").write_text(json.dumps(manifest))
    name = str(place.relative_to(home))
    history.add_checkpoint(run, index=0, iteration=1, phase="forward", path=name, scores={"forward/exact_match": 0.5})
    history.update_run(run, status="finished")
    export_run(home, run, folder / "run.zip")
    return folder / "run.zip"


def make_checkpoint(folder: Path) -> Path:
    """A checkpoint folder with its base model."""
    path = folder / "checkpoint"
    shutil.copytree(paths.assets() / "tiny-household", path)
    return path


def make_gguf(folder: Path) -> Path:
    """The header of a GGUF file with one tensor."""
    import gguf
    import numpy as np

    path = folder / "model.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(32)
    writer.add_token_list(["a", "b", "c"])
    writer.add_tensor("token_embd.weight", np.zeros((3, 4), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# --- the readers ----------------------------------------------------------------------------------------------


def import_it(home: Path, path: Path) -> object:
    """Import into the collections, and read what came out."""
    from swirl.sources.collections.catalog import import_collection, load_sequences

    report = import_collection(home, path, "fuzzed")
    return [state for sequence in load_sequences(home, report.name) for state in sequence.states]


def read_labels(home: Path, path: Path) -> object:
    """Read a labels file."""
    from swirl.sources.labels.reading import read_labels as read

    return read(path)


def read_settings(home: Path, path: Path) -> object:
    """Read settings from a file as `swirl train --config` does."""
    from swirl.cli.run_settings import read_config
    from swirl.settings import Settings

    return Settings().replace(read_config(path))


def read_experiment(home: Path, path: Path) -> object:
    """Read a grid of one's own."""
    from swirl.experiments.plan_file import read_plan

    return read_plan(path)


def import_run(home: Path, path: Path) -> object:
    """Import a run file."""
    from swirl.runs.archive.importing import import_run as read

    return read(home, path)


def load_checkpoint(home: Path, path: Path) -> object:
    """Load a checkpoint."""
    from swirl.models import load_world_model

    return load_world_model(home, str(path), "cpu", "float32")


def read_gguf(home: Path, path: Path) -> object:
    """Read a GGUF file's header."""
    from swirl.models.gguf_files import check_loadable

    return check_loadable(path)


TARGETS = (
    Target("sequences", text_file("mine.jsonl", SEQUENCES), import_it),
    Target(
        "json",
        text_file("mine.json", DOCUMENT),
        import_it,
    ),
    Target("table", text_file("mine.csv", TABLE), import_it),
    Target("tabs", text_file("mine.tsv", TABLE.replace(",", "\t")), import_it),
    Target("text", text_file("mine.txt", "\n\n".join(STATES)), import_it),
    Target("chat", text_file("chat.jsonl", CHAT), import_it),
    Target("parquet", make_parquet, import_it),
    Target("arrow", make_arrow, import_it),
    Target("arrays", make_arrays, import_it),
    Target("pictures", make_pictures, import_it),
    Target("zip", make_zip, import_it),
    Target("webdataset", make_tar, import_it),
    Target("video", make_video, import_it),
    Target("gif", make_gif, import_it),
    Target("lerobot", make_lerobot, import_it),
    Target("minari", make_minari, import_it),
    Target("hdf5", make_hdf5, import_it),
    Target("aurora", make_aurora, import_it),
    Target("image folder", make_image_folder, import_it),
    Target("image lines", make_image_lines, import_it),
    Target("inline pictures", make_inline_pictures, import_it),
    Target("folder of texts", make_texts, import_it),
    Target("export", make_export, import_it),
    Target("inspect", make_inspect_log, import_it),
    Target("answer tree", make_answer_tree, import_it),
    Target("picture labels", make_picture_labels, lambda home, path: read_labels(home, path / "labels.jsonl")),
    Target("settings in TOML", text_file("settings.toml", TOML_SETTINGS), read_settings),
    Target("labels", text_file("labels.jsonl", LABELS), read_labels),
    Target("settings", text_file("settings.json", SETTINGS), read_settings),
    Target("experiment", text_file("plan.toml", PLAN), read_experiment),
    Target("run", make_run, import_run),
    Target("checkpoint", make_checkpoint, load_checkpoint),
    Target("gguf", make_gguf, read_gguf),
)


# --- damage ---------------------------------------------------------------------------------------------------

INTERESTING = (b"\x00", b"\xff", b"\xff" * 4, b"\x7f\xff\xff\xff", b"NaN", b"-1", b"1e999", b"null", b'"', b"[", b"{}",
               b"../", b"\r\n", b"\xef\xbb\xbf", b"\xed\xa0\x80")  # fmt: skip


def damage(data: bytes, draw: random.Random) -> bytes:
    """The bytes with one to four random changes."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        at, end = sorted(draw.randrange(len(changed) + 1) for _ in range(2))
        end = min(end, at + draw.choice((1, 4, 64, 4096)))
        kind = draw.randrange(6)
        if kind == 0 and changed:
            place = draw.randrange(len(changed))
            changed[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del changed[at:end]
        elif kind == 2:
            changed[at:at] = draw.choice(INTERESTING)
        elif kind == 3:
            changed[at:end] = draw.randbytes(end - at)
        elif kind == 4:
            changed[at:at] = changed[at:end]
        else:
            del changed[at:]
    return bytes(changed)


def damage_sample(path: Path, draw: random.Random) -> None:
    """Damage a file, or a random file of a folder; now and then that file is removed, emptied or renamed."""
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    file = draw.choice(files)
    if path.is_dir() and draw.random() < 0.1:
        file.unlink()
    elif draw.random() < 0.03:
        file.write_bytes(b"")
    else:
        file.write_bytes(damage(file.read_bytes(), draw))


# --- running --------------------------------------------------------------------------------------------------


class TookTooLong(BaseException):
    """A reader has not come back within SECONDS_EACH; no reader may catch it."""


def give_up(*_: object) -> None:
    """What the alarm does."""
    raise TookTooLong


def read_damaged(target: Target, numbers: range, folder: Path, results: Any) -> None:
    """The body of a process: read the inputs of these numbers, and report each fault, with the number under way."""
    signal.signal(signal.SIGALRM, give_up)
    (folder / "home").mkdir(parents=True)
    sample = target.make(folder)
    target.read(folder / "home", sample)  # a whole sample is read, and the libraries are imported
    before = limit_memory()
    for number in numbers:
        results.put(number)
        place = folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        copy = place / sample.name
        shutil.copytree(sample, copy) if sample.is_dir() else shutil.copyfile(sample, copy)
        damage_sample(copy, random.Random(f"{target.name} {number}"))
        results.put(try_to_read(target, number, folder / "home", copy))
        strayed = {path.name for path in folder.iterdir()} - {"home", "input", sample.name}
        if strayed:
            results.put(Fault(target.name, number, f"files outside the home: {sorted(strayed)}"))
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if grown > MEMORY_BYTES:
        results.put(Fault(target.name, numbers.start, f"the peak of memory rose by {grown >> 20} MiB"))


def limit_memory() -> int:
    """Have this process get no more than LIMIT_BYTES from here on. Returns the peak of its memory so far, in KiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").is_file() else 0
    if pages:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + LIMIT_BYTES, most))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def try_to_read(target: Target, number: int, home: Path, path: Path) -> Fault | None:
    """The fault that an input shows; None if it was read, or refused in a sentence."""
    signal.alarm(SECONDS_EACH)
    try:
        target.read(home, path)
    except SwirlError as error:
        signal.alarm(0)
        sentence = str(error)
        if not sentence.strip() or "Traceback" in sentence:
            return Fault(target.name, number, f"no sentence: {sentence!r}")
    except TookTooLong:
        return Fault(target.name, number, f"took more than {SECONDS_EACH} s")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/swirl/" in frame.filename][-1:]
        at = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*own, where))
        return Fault(target.name, number, f"{type(error).__name__}: {str(error)[:120]} ({at})")
    finally:
        signal.alarm(0)
    return None


def fuzz(target: Target, numbers: range, folder: Path) -> Iterator[Fault]:
    """Read the damaged inputs of these numbers in a process of their own; yields the faults, its death included."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=read_damaged, args=(target, numbers, folder, results))
    process.start()
    process.join(START_SECONDS + len(numbers) * SECONDS_EACH)
    if process.is_alive():
        process.kill()
        process.join()
    number = numbers.start
    while not results.empty():
        found = results.get()
        if isinstance(found, Fault):
            yield found
        elif isinstance(found, int):
            number = found
    if process.exitcode:
        yield Fault(target.name, number, f"the process died ({process.exitcode})")


def main() -> int:
    """The command. Returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200, help="inputs of each kind (default: 200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first input (default: 0)")
    parser.add_argument("--only", nargs="+", choices=[target.name for target in TARGETS], help="these kinds only")
    options = parser.parse_args()
    targets = [target for target in TARGETS if not options.only or target.name in options.only]
    faults = 0
    for target in targets:
        with tempfile.TemporaryDirectory() as folder:
            found = list(fuzz(target, range(options.first, options.first + options.inputs), Path(folder) / "arena"))
        faults += len(found)
        print(f"{target.name}: {options.inputs} inputs, {len(found)} faults", flush=True)
        for fault in found[:20]:
            print(f"  {fault.number}: {fault.what}", flush=True)
    print(f"{options.inputs * len(targets)} inputs, {faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
