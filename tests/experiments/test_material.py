"""What is made for problems: found again by what it is, never by a name that another problem or collection has, too."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from swirl.experiments import preparation, probing
from swirl.experiments.catalog import EXPERIMENTS, get_experiment
from swirl.experiments.grid import Plan, Problem
from swirl.experiments.material import made_for_problem, problem_key, recording_name
from swirl.experiments.preparation import prepare_regime, record_collection, write_true_labels
from swirl.experiments.probing import PROBE_FILE, probe_problem, stored_probes
from swirl.sources.collections.catalog import delete_collection, get_collection, import_collection
from swirl.worlds import registry

PROBLEM = Problem("p", "tiny-household", world="household", regime="clean", sequences=6, length=3)


def silent(share: float, words: str = "") -> None:
    """No progress."""


def test_a_recording_is_named_by_all_that_it_is(tmp_path: Path) -> None:
    assert recording_name(EXPERIMENTS["regimes"].problem("household-clean"), "clean") == "household-clean-1500"
    short, long = (prepare_regime(tmp_path, replace(PROBLEM, length=length), silent) for length in (3, 5))
    assert (short["data"], long["data"]) == ("household-clean-6-of-3", "household-clean-6-of-5")
    assert get_collection(tmp_path, short["data"]).transitions == 18
    assert get_collection(tmp_path, long["data"]).transitions == 30
    assert short["labels"] != long["labels"]


@pytest.mark.parametrize(
    "other",
    [
        {"world": "blocks"},
        {"regime": "noisy"},
        {"sequences": 7},
        {"length": 4},
        {"model": "tiny-household"},
        {"new_adapters": True},
        {"preset": "tiny-blocks"},
        {"settings": {"temperature": 1.0}},
    ],
)
def test_problems_of_one_name_share_nothing_if_they_differ(tmp_path: Path, other: dict[str, object]) -> None:
    for part in ("labels", PROBE_FILE):
        assert made_for_problem(tmp_path, PROBLEM, part) != made_for_problem(tmp_path, replace(PROBLEM, **other), part)
    assert problem_key(PROBLEM) == problem_key(replace(PROBLEM, settings={"iterations": 1}))


def test_a_probe_of_an_earlier_version_counts_for_the_programs_own_problems_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "probe_figures", lambda *_: {"critic": 0.9})
    regimes = get_experiment("regimes")
    own = replace(regimes.problem("household-clean"), length=20)
    earlier = tmp_path / "experiments" / "problems" / own.name / PROBE_FILE
    earlier.parent.mkdir(parents=True)
    earlier.write_text(json.dumps({"critic": 0.1}))
    prepared = {"model": "m", "data": "d"}
    for problem in (regimes.problem(own.name), own):
        probe_problem(tmp_path, problem, prepared, silent)
    assert stored_probes(tmp_path, regimes) == {own.name: {"critic": 0.1}}
    assert stored_probes(tmp_path, Plan("g", "G", "?", (own,), ("sft",))) == {own.name: {"critic": 0.9}}
    newer = tmp_path / "experiments" / "problems" / problem_key(regimes.problem(own.name)) / PROBE_FILE
    newer.parent.mkdir()
    newer.write_text(json.dumps({"critic": 0.5}))
    assert stored_probes(tmp_path, regimes) == {own.name: {"critic": 0.5}}


def test_two_experiments_that_record_the_same_at_once_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, inside = registry.record, []

    def record_while_another_does(world: str, out: Path, **options: object) -> object:
        found = record(world, out, **options)
        if not inside:
            inside.append(out)
            record_collection(tmp_path, "household", "clean", "twice", PROBLEM, silent)
            assert (out / "sequences.jsonl").is_file()
        return found

    monkeypatch.setattr(registry, "record", record_while_another_does)
    record_collection(tmp_path, "household", "clean", "twice", PROBLEM, silent)
    assert inside and get_collection(tmp_path, "twice").transitions == 18
    assert list((tmp_path / "experiments" / "recordings").iterdir()) == []


def test_a_folder_that_another_process_has_made_meanwhile_stays(tmp_path: Path) -> None:
    def write(draft: Path) -> None:
        (tmp_path / "labels").mkdir()
        (tmp_path / "labels" / "theirs").touch()
        (draft / "mine").touch()

    preparation.install_once(tmp_path / "labels", write)
    assert [file.name for file in (tmp_path / "labels").iterdir()] == ["theirs"]


def test_true_labels_are_those_of_the_collection_as_it_is_now(tmp_path: Path) -> None:
    found = []
    for number, sequences in enumerate((20, 40)):
        out = tmp_path / str(number)
        registry.record("household", out, seed=number, sequences=sequences, length=3)
        import_collection(tmp_path, out, "mine")
        labels = write_true_labels(tmp_path, "mine")
        assert labels is not None and write_true_labels(tmp_path, "mine") == labels
        found.append(Path(labels).read_text())
        delete_collection(tmp_path, "mine")
    assert found[1].count("\n") > found[0].count("\n")
