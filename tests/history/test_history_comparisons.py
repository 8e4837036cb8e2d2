"""Votes, health checks and results per transition: stored, read, and deleted with their run."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from swirl.history import History

PLACE = {"data": "walks", "sequence": "w0", "step": 2}


def test_votes_are_found_by_collection_and_checkpoints(tmp_path: Path) -> None:
    history = History(tmp_path)
    first = history.add_preference(**PLACE, left="tiny", right="other", choice="left")
    history.add_preference(**PLACE, left="other", right="tiny", choice="tie")
    history.add_preference(**PLACE, left="other", right="third", choice="skip")
    history.add_preference(**{**PLACE, "data": "else"}, left="tiny", right="other", choice="right")
    found = history.preferences("walks", ["tiny", "other"])
    assert [(vote.left, vote.choice, vote.step) for vote in found] == [("tiny", "left", 2), ("other", "tie", 2)]
    history.remove_preference(first)
    assert [vote.choice for vote in history.preferences("walks", ["tiny", "other", "third"])] == ["tie", "skip"]


def test_unknown_choices_are_rejected(tmp_path: Path) -> None:
    history = History(tmp_path)
    with pytest.raises(sqlite3.IntegrityError):
        history.add_preference(**PLACE, left="a", right="b", choice="perhaps")
    assert history.preferences("walks", ["a", "b"]) == []


def test_everything_is_deleted_with_its_run(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={"data": "walks"})
    history.add_preference(**PLACE, left="tiny", right=f"{run}@1", choice="left")
    history.save_health_check(checkpoint=f"{run}@1", data="walks", found={"a": 1})
    history.save_health_check(checkpoint=f"{run}@1", data="walks", found={"a": 2})
    history.save_health_check(checkpoint="tiny", data="walks", found={"a": 3})
    assert [look.found for look in history.health_checks(checkpoint=f"{run}@1")] == [{"a": 2}]
    assert {row[:2] for row in history.newest_health_checks()} == {(f"{run}@1", "walks"), ("tiny", "walks")}
    evaluation = history.add_evaluation(checkpoint=f"{run}@1", data="walks", metrics={}, cases={"places": [["w0", 0]]})
    assert (
        history.evaluation_cases(evaluation) == {"places": [["w0", 0]]}
        and history.evaluation_cases(evaluation + 1) is None
    )
    history.delete_run(run)
    assert history.preferences("walks", ["tiny", f"{run}@1"]) == [] and history.evaluation_cases(evaluation) is None
    assert [look.checkpoint for look in history.health_checks(data="walks")] == ["tiny"]


def test_figures_are_of_the_contents_that_they_were_measured_on(tmp_path: Path) -> None:
    history = History(tmp_path)

    def measure(checkpoint: str) -> None:
        history.add_evaluation(checkpoint=checkpoint, data="walks", metrics={})
        history.save_health_check(checkpoint=checkpoint, data="walks", found={})
        history.add_preference(**PLACE, left=checkpoint, right=checkpoint, choice="tie")

    def known(checkpoint: str) -> list[bool]:
        checked = any(row[0] == checkpoint for row in history.newest_health_checks())
        return [
            history.evaluation_to_show(checkpoint, "walks") is not None,
            history.health_check_to_show(checkpoint, "walks") is not None,
            history.preferences("walks", [checkpoint]) != [],
            checked,
        ]

    measure("tiny")
    assert history.contents_since("walks") == "" and known("tiny") == [True] * 4
    history.record_contents("walks", "digest")
    history.record_contents("walks", "digest")
    assert history.contents_since("walks") == "" and known("tiny") == [True] * 4
    time.sleep(0.002)  # times are stored to the millisecond
    history.record_contents("walks", "other")
    assert history.contents_since("walks") != "" and known("tiny") == [False] * 4
    measure("second")
    assert known("second") == [True] * 4
    assert len(history.evaluations("tiny")) == 1  # nothing is deleted
