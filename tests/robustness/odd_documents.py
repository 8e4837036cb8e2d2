"""Documents of texts that are built as they should be and hold odd values; what a reader makes of them.

Hypothesis makes them: values of other types, half characters, huge numbers, nesting without end, ids that come twice. A
reader may read a document or refuse it in one sentence, as with the damaged bytes of `fuzzed_readers.py`. As a command
it prints how many documents each reader was given and the smallest that it did not stand:

    python tests/robustness/odd_documents.py --documents 500
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import multiprocessing
import re
import resource
import shutil
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzed_readers import (
    MEMORY_BYTES,
    Fault,
    Reader,
    Target,
    give_up,
    import_it,
    import_run,
    limit_memory,
    make_run,
    read_experiment,
    read_labels,
    read_settings,
    try_to_read,
)
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from swirl.settings import Settings, parse_assignment
from swirl.worlds.given_actions import read_given_actions
from swirl.worlds.gymnasium_actions import Actions

Documents = st.SearchStrategy[bytes]
SECONDS_A_DOCUMENT = 3.0
"""How long a whole search may take for each of its documents."""


@dataclass(frozen=True)
class OddTarget:
    """A reader and the documents it is given: `place` makes the path to read from a folder and a document."""

    name: str
    documents: Documents
    place: Callable[[Path, bytes], Path]
    read: Reader


def as_file(name: str) -> Callable[[Path, bytes], Path]:
    """Write a document to a file of that name."""

    def write(folder: Path, document: bytes) -> Path:
        (folder / name).write_bytes(document)
        return folder / name

    return write


# --- values ---------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=12) | st.sampled_from(
    ("", " ", "\ud800", "a\udfffb", "\x00", "\r", "\u2028", "../x", "nan", "١٢", "1e999", "-0", "true", "null", "=1")
)
HUGE = "a number of more digits than Python converts"
"""Stands for such a number until a document is written."""
NUMBERS = (
    st.integers()
    | st.sampled_from((10**30, 10**400, -(2**63), 2**64, HUGE))
    | st.floats()
    | st.sampled_from((float("nan"), float("inf"), -0.0, 1e308))
)
NESTED = re.compile('"nested ([0-9]+)"')
"""Stands for so many lists within each other."""
ODD = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.integers(1, 1200).map("nested {}".format),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""Any value of JSON, and those that Python's JSON adds."""
DEEP = st.integers(1, 5000).map(lambda depth: "[" * depth + "1" + "]" * depth) | st.integers(1, 5000).map(
    lambda depth: '{"a":' * depth + "1" + "}" * depth
)
STATES = st.lists(st.sampled_from(("the lamp is on", "the lamp is off", "x")) | ODD, max_size=4)
IDS = st.sampled_from(("a", "b", 3)) | ODD


def usually(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What belongs there, or anything else."""
    return good | ODD


def to_json(value: Any) -> str:
    """JSON of a value; half characters are escaped."""
    text = json.dumps(value).replace(f'"{HUGE}"', "1" + "0" * 4400)
    return NESTED.sub(lambda found: "[" * int(found[1]) + "]" * int(found[1]), text)


def json_lines(records: st.SearchStrategy[Any]) -> Documents:
    """Lines of these records, among them blank, broken and deeply nested ones."""
    line = records.map(to_json) | ODD.map(to_json) | DEEP | st.sampled_from(("", "{", "\ufeff{}", "[]"))
    ends = st.sampled_from(("\n", "\r\n", "\r"))
    return st.builds(
        lambda lines, end, bom: (b"\xef\xbb\xbf" if bom else b"") + end.join(lines).encode(),
        st.lists(line, min_size=1, max_size=4),
        ends,
        st.booleans(),
    )


# --- documents ------------------------------------------------------------------------------------------------

SEQUENCE_RECORDS = st.fixed_dictionaries({"id": IDS, "states": usually(STATES)}, optional={"actions": ODD, "x": ODD})
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "id": usually(st.sampled_from("ab")),
        "type": ODD,
        "function": usually(
            st.fixed_dictionaries(
                {},
                optional={
                    "name": usually(st.just("open")),
                    "arguments": usually(st.sampled_from(("{}", "{", "[]", "[" * 3000))),
                },
            )
        ),
        "name": ODD,
        "input": ODD,
    },
)
PARTS = st.fixed_dictionaries(
    {"type": usually(st.sampled_from(("text", "tool_use", "tool_result", "image_url")))},
    optional={"text": ODD, "content": ODD, "tool_use_id": usually(st.just("a")), "id": ODD, "name": ODD, "input": ODD},
)
MESSAGES = st.lists(
    usually(
        st.fixed_dictionaries(
            {"role": usually(st.sampled_from(("system", "user", "assistant", "tool", "function")))},
            optional={
                "content": usually(st.lists(PARTS, max_size=2)),
                "tool_calls": usually(st.lists(usually(CALLS), max_size=2)),
                "tool_call_id": usually(st.just("a")),
                "name": ODD,
            },
        )
    ),
    max_size=5,
)
LOG_RECORDS = st.fixed_dictionaries({"messages": usually(MESSAGES)}, optional={"id": IDS, "tools": ODD}) | (
    st.fixed_dictionaries({"traj": usually(MESSAGES)}, optional={"task_id": ODD, "reward": ODD})
)
NODES = st.recursive(
    st.fixed_dictionaries(
        {"node_type": usually(st.sampled_from(("Action", "Action Input", "Thought"))), "description": ODD},
        optional={"observation": ODD, "children": ODD},
    ),
    lambda inner: st.fixed_dictionaries(
        {"node_type": st.just("Action Input"), "description": ODD, "children": st.lists(usually(inner), max_size=2)}
    ),
    max_leaves=4,
)
ANSWER_TREES = st.fixed_dictionaries(
    {"answer_generation": usually(st.fixed_dictionaries({"query": ODD})), "tree": usually(st.builds(dict, tree=NODES))}
)
LABEL_RECORDS = st.fixed_dictionaries(
    {}, optional={"state": IDS, "action": IDS, "next_state": IDS, "states": STATES, "actions": STATES, "id": ODD}
)
CELLS = st.sampled_from(("a", "b", "0", "1", "2", "1.0", "+3", " 1 ", "1e3", "", '"')) | TEXTS


def table(delimiter: str) -> Documents:
    """A table whose header has the columns, in any order and perhaps twice, and whose rows have odd cells."""

    def write(header: list[str], rows: list[list[str]], quoting: int) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, quoting=quoting, escapechar="\\")
        writer.writerows([header, *rows])
        return out.getvalue().encode(errors="surrogatepass")

    columns = st.permutations(("sequence_id", "step", "state"))
    headers = st.builds(list.__add__, columns, st.lists(st.sampled_from(("x", "step", "State ", "")), max_size=2))
    rows = st.lists(st.lists(CELLS, min_size=2, max_size=5), max_size=6)
    return st.builds(write, headers, rows, st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE)))


NAMES = st.sampled_from((*Settings().to_dict(), "forward.beta", "inverse.learning_rate", "fwd.beta", "forward."))
VALUES = ODD | st.sampled_from(("auto", "paper", "none", "1", "0.5", "True", 1, 0, -1, 0.5, True, None))
SETTINGS = st.dictionaries(NAMES, VALUES, max_size=4) | st.dictionaries(
    st.sampled_from(("forward", "inverse")), st.dictionaries(NAMES, VALUES, max_size=2), max_size=2
)


def to_toml(value: Any) -> str:
    """TOML of a value; of what TOML has no form for, a text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value != value:
        return "nan"
    if isinstance(value, float) and value in (float("inf"), -float("inf")):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, int | float):
        return to_json(value)
    if isinstance(value, list):
        return f"[{', '.join(map(to_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{toml_text(key)} = {to_toml(inner)}' for key, inner in value.items())}}}"
    return "1" + "0" * 4400 if value == HUGE else toml_text("" if value is None else value)


def toml_text(value: str) -> str:
    """A text of TOML, which has no half characters."""
    return json.dumps(value.encode(errors="replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_documents(values: st.SearchStrategy[dict[str, Any]]) -> Documents:
    """TOML of these values; now and then with an array that is nested deeply."""
    return st.builds(
        lambda found, deep: "\n".join(
            [
                *(f"{toml_text(key)} = {to_toml(value)}" for key, value in found.items()),
                *([f"z = {deep}"] if deep else []),
            ]
        ).encode(),
        values,
        st.none() | st.none() | st.integers(1, 3000).map(lambda depth: "[" * depth + "]" * depth),
    )


PROBLEMS = st.fixed_dictionaries(
    {"preset": usually(st.just("tiny-household"))},
    optional={
        "data": usually(st.just("household")),
        "world": usually(st.just("household")),
        "regime": usually(st.just("noisy")),
        "settings": usually(SETTINGS),
        "labels": ODD,
        "name": ODD,
        "method_settings": usually(st.dictionaries(TEXTS, usually(SETTINGS), max_size=2)),
    },
)
PLANS = st.fixed_dictionaries(
    {"methods": usually(st.lists(usually(st.sampled_from(("warm-up", "sft", "paper", "mine"))), max_size=3))},
    optional={
        "problems": usually(st.lists(usually(PROBLEMS), max_size=2)),
        "seeds": usually(st.lists(usually(st.integers(0, 3)), max_size=2)),
        "sizes": usually(st.lists(usually(st.integers(0, 50)), max_size=2)),
        "settings": usually(SETTINGS),
        "own_methods": usually(
            st.lists(
                usually(st.fixed_dictionaries({"name": usually(st.just("mine"))}, optional={"changes": ODD})),
                max_size=2,
            )
        ),
        "name": ODD,
        "title": ODD,
    },
)
ASSIGNMENTS = st.builds(
    lambda name, middle, value: f"{name}{middle}{value}".encode(errors="surrogatepass"),
    NAMES | TEXTS,
    st.sampled_from(("=", " = ", "", "==")),
    TEXTS | NUMBERS.map(str),
)
GIVEN_ACTIONS = usually(st.lists(usually(st.integers(-1, 4) | st.sampled_from(("go", "0", "[0]"))), max_size=3))


def changed_run(folder: Path) -> tuple[Documents, Callable[[Path, bytes], Path]]:
    """Run files whose run.json has odd values in places, and whose rows are odd but have the right hash.

    A document is the JSON of the changes: the path of a value and what takes its place.
    """
    with zipfile.ZipFile(make_run(folder)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    places = list(paths_in(json.loads(members["run.json"])))
    rows = json_lines(st.lists(ODD, max_size=5) | st.dictionaries(st.sampled_from(("state", "samples", "step")), ODD))
    changes = st.builds(
        lambda where, value, lines: json.dumps([where, value, None if lines is None else lines.decode()]).encode(),
        st.sampled_from(places),
        ODD,
        st.none() | rows,
    )

    def write(folder: Path, document: bytes) -> Path:
        where, value, lines = json.loads(document)
        run = json.loads(members["run.json"])
        found = dict(members)
        if lines is not None:
            for name in ("metrics.jsonl", "rollouts.jsonl"):
                found[name] = lines.encode()
                run["members"][name] |= {"bytes": len(found[name]), "sha256": hashlib.sha256(found[name]).hexdigest()}
        owner = run
        for key in where[:-1]:
            owner = owner[key]
        owner[where[-1]] = value
        found["run.json"] = to_json(run).encode()
        with zipfile.ZipFile(folder / "run.zip", "w") as archive:
            for name, data in found.items():
                archive.writestr(name, data)
        return folder / "run.zip"

    return changes, write


def paths_in(document: Any, start: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document but the document itself."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield (*start, key)
        yield from paths_in(value, (*start, key))


def import_with_actions(folder: Path, document: bytes) -> Path:
    """A folder of sequences with the document as its true actions."""
    (folder / "mine").mkdir(exist_ok=True)
    lines = ({"id": name, "states": ["one", "two", "three"]} for name in "ab")
    (folder / "mine" / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "mine" / "actions.jsonl").write_bytes(document)
    return folder / "mine"


def read_assignment(home: Path, path: Path) -> object:
    """What `--set` makes of a text."""
    return Settings().replace(dict([parse_assignment(path.read_bytes().decode(errors="surrogatepass"))]))


def read_actions(home: Path, path: Path) -> object:
    """The actions of a user's own for each kind of action space."""
    from gymnasium import spaces

    class Environment:
        unwrapped = spec = None

        def __init__(self, space: Any) -> None:
            self.action_space = space

    kinds = (
        spaces.Discrete(3),
        spaces.Box(-1.0, 1.0, (2,)),
        spaces.MultiDiscrete([2, 3]),
        spaces.Tuple((spaces.Discrete(2), spaces.Text(4))),
    )
    return [read_given_actions(path, Actions(Environment(space)).parse) for space in kinds]


def targets(folder: Path) -> tuple[OddTarget, ...]:
    """All readers of texts; `folder` holds what their documents are made from."""
    run_documents, run_place = changed_run(folder)
    return (
        OddTarget("sequences", json_lines(SEQUENCE_RECORDS), as_file("mine.jsonl"), import_it),
        OddTarget(
            "json",
            st.lists(usually(SEQUENCE_RECORDS), max_size=3).map(to_json).map(str.encode),
            as_file("mine.json"),
            import_it,
        ),
        OddTarget("table", table(","), as_file("mine.csv"), import_it),
        OddTarget("tabs", table("\t"), as_file("mine.tsv"), import_it),
        OddTarget(
            "text",
            st.text(max_size=40).map(lambda text: text.encode(errors="surrogatepass")),
            as_file("mine.txt"),
            import_it,
        ),
        OddTarget("chats", json_lines(LOG_RECORDS), as_file("chat.jsonl"), import_it),
        OddTarget("answer tree", ANSWER_TREES.map(to_json).map(str.encode), as_file("answer.json"), import_it),
        OddTarget("labels", json_lines(LABEL_RECORDS), as_file("labels.jsonl"), read_labels),
        OddTarget(
            "true actions",
            json_lines(st.fixed_dictionaries({"id": IDS, "actions": usually(STATES)})),
            import_with_actions,
            import_it,
        ),
        OddTarget(
            "settings",
            (SETTINGS | ODD).map(to_json).map(str.encode) | DEEP.map(str.encode),
            as_file("settings.json"),
            read_settings,
        ),
        OddTarget("settings in TOML", toml_documents(SETTINGS), as_file("settings.toml"), read_settings),
        OddTarget("--set", ASSIGNMENTS, as_file("set.txt"), read_assignment),
        OddTarget("experiment", toml_documents(PLANS), as_file("plan.toml"), read_experiment),
        OddTarget("given actions", json_lines(GIVEN_ACTIONS), as_file("actions.jsonl"), read_actions),
        OddTarget("run", run_documents, run_place, import_run),
    )


# --- the search -----------------------------------------------------------------------------------------------


def search(target: OddTarget, documents: int, folder: Path, results: Any) -> None:
    """The body of a process: read so many documents; reports their number, and the smallest that is a fault."""
    signal.signal(signal.SIGALRM, give_up)
    (folder / "home").mkdir(parents=True)
    tried = 0
    found: Fault | None = None
    before = limit_memory()

    @settings(
        max_examples=documents,
        derandomize=True,  # the same documents each time
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(target.documents)
    def read(document: bytes) -> None:
        nonlocal tried, found
        tried += 1
        place = folder / "input"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        path = target.place(place, document)
        fault = try_to_read(Target(target.name, lambda _: path, target.read), tried, folder / "home", path)
        strayed = {item.name for item in folder.iterdir()} - {"home", "input"}
        if fault is None and strayed:
            fault = Fault(target.name, tried, f"files outside the home: {sorted(strayed)}")
        if fault is not None:
            found = Fault(target.name, tried, f"{fault.what} for {document[:300]!r}")
        assert fault is None

    try:
        read()
    except AssertionError:
        results.put(found)
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    if grown > MEMORY_BYTES:
        results.put(Fault(target.name, tried, f"the peak of memory rose by {grown >> 20} MiB"))
    results.put(tried)


def explore(target: OddTarget, documents: int, folder: Path) -> tuple[int, list[Fault]]:
    """Search in a process of its own. Returns how many documents were read, and the faults, its death included."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=search, args=(target, documents, folder, results))
    process.start()
    process.join(60 + documents * SECONDS_A_DOCUMENT)
    if process.is_alive():
        process.kill()
        process.join()
    tried, faults = 0, []
    while not results.empty():
        found = results.get()
        if isinstance(found, int):
            tried = found
        else:
            faults.append(found)
    if process.exitcode:
        faults.append(Fault(target.name, tried, f"the process died ({process.exitcode})"))
    return tried, faults


def main() -> int:
    """The command. Returns 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=500, help="documents for each reader (default: 500)")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these readers only")
    options = parser.parse_args()
    total = faults = 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "made").mkdir()
        for target in targets(Path(folder) / "made"):
            if options.only and target.name not in options.only:
                continue
            tried, found = explore(target, options.documents, Path(folder) / target.name)
            total, faults = total + tried, faults + len(found)
            print(f"{target.name}: {tried} documents, {len(found)} faults", flush=True)
            for fault in found:
                print(f"  {fault.what}", flush=True)
    print(f"{total} documents, {faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
