"""Documents with odd values are read or refused in a sentence; valid ones come back as they were written."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odd_documents import OddTarget, as_file, explore, targets

from swirl.cli.run_settings import read_config
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.exports.state_sequences import export_collection
from swirl.settings import Settings
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.labels.reading import read_labels
from swirl.sources.labels.writing import write_labels
from swirl.states import LabelledTransition, State

DOCUMENTS = 12
"""Documents for each reader; the command tries more."""
NAMES = ("sequences", "json", "table", "tabs", "text", "chats", "answer tree", "labels", "true actions", "settings",
         "settings in TOML", "--set", "experiment", "given actions", "run")  # fmt: skip


@pytest.fixture(scope="module")
def odd_targets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OddTarget]:
    return {target.name: target for target in targets(tmp_path_factory.mktemp("made"))}


@pytest.mark.parametrize("name", NAMES)
def test_odd_documents_are_read_or_refused_in_a_sentence(
    name: str, odd_targets: dict[str, OddTarget], tmp_path: Path
) -> None:
    assert set(odd_targets) == set(NAMES)
    tried, faults = explore(odd_targets[name], DOCUMENTS, tmp_path / "odd")
    assert faults == []
    assert tried >= DOCUMENTS


def test_the_search_finds_the_smallest_fault(tmp_path: Path) -> None:
    def read(home: Path, path: Path) -> None:
        if b"b" in path.read_bytes():
            raise KeyError("b")

    target = OddTarget("made up", st.binary(max_size=20), as_file("x"), read)
    _, faults = explore(target, 2000, tmp_path / "odd")
    assert len(faults) == 1 and faults[0].what.startswith("KeyError: 'b'") and faults[0].what.endswith("for b'b'")


# --- valid documents ------------------------------------------------------------------------------------------

stable = settings(
    max_examples=8,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# A file with a byte 0 is taken for a binary one.
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12).filter(
    str.strip
)
COLLECTIONS = st.dictionaries(TEXTS.map(str.strip), st.lists(TEXTS, min_size=2, max_size=4), min_size=1, max_size=3)


def imported(home: Path, file: Path) -> dict[str, list[str]]:
    """The states of a file by the ids of their sequences, after an import."""
    import_collection(home, file, file.suffix[1:])
    return {s.id: [state.text for state in s.states] for s in load_sequences(home, file.suffix[1:])}


def empty(folder: Path) -> Path:
    """The folder, emptied, for the next example."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@stable
@given(COLLECTIONS)
def test_sequences_come_back_from_each_export(tmp_path: Path, meant: dict[str, list[str]]) -> None:
    folder = empty(tmp_path / "round")
    (folder / "mine.jsonl").write_text("".join(json.dumps({"id": n, "states": s}) + "\n" for n, s in meant.items()))
    actions = ({"id": name, "actions": ["go"] * (len(states) - 1)} for name, states in meant.items())
    (folder / "actions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in actions))
    assert imported(folder / "home", folder / "mine.jsonl") == meant
    taken = load_true_actions(folder / "home", "jsonl")
    assert {name: len(given) for name, given in taken.items()} == {name: len(s) - 1 for name, s in meant.items()}
    for suffix in ("jsonl", "parquet"):
        file = folder / suffix / f"again.{suffix}"
        export_collection(folder / "home", "jsonl", file, with_actions=True)
        home = folder / f"home-{suffix}"
        assert imported(home, file) == meant
        assert load_true_actions(home, suffix) == taken


@stable
@given(COLLECTIONS, st.sampled_from((",", "\t", ";", "|")), st.randoms(use_true_random=False))
def test_tables_come_back(tmp_path: Path, meant: dict[str, list[str]], delimiter: str, draw: Any) -> None:
    folder = empty(tmp_path / "round")
    rows = [(name, step, text) for name, states in meant.items() for step, text in enumerate(states)]
    draw.shuffle(rows)
    with (folder / "mine.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(
            [("sequence_id", "step", "state"), *rows]
        )
    assert imported(folder / "home", folder / "mine.csv") == meant


@stable
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4))
def test_labels_come_back(tmp_path: Path, meant: list[tuple[str, str, str]]) -> None:
    labels = [LabelledTransition(State(before), action, State(after)) for before, action, after in meant]
    found, skipped = read_labels(write_labels(empty(tmp_path / "round"), "mine", labels))
    assert (found, skipped) == (labels, [])


@stable
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**31 - 1),
            "learning_rate": st.floats(1e-7, 1e-2),
            "anchor": st.floats(0.0, 10.0),
            "batch_size": st.integers(1, 64),
            "data": TEXTS.map(str.strip),
        },
    )
)
def test_settings_come_back(tmp_path: Path, changes: dict[str, Any]) -> None:
    try:
        meant = Settings().replace(changes)
    except SwirlError:
        return
    (tmp_path / "settings.json").write_text(json.dumps(meant.to_dict()))
    assert Settings.from_dict(read_config(tmp_path / "settings.json")) == meant
