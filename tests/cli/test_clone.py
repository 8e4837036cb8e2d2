"""`swirl clone`: from a collection to measured policies, stopped and continued, and its mistakes in words."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from swirl.cli import main
from swirl.evaluation.progress import EvaluationStopped
from swirl.history import History
from swirl.planning import cloned_policy

FIGURES = {"inferred_2", "true_2", "difference_2", "inferred_3", "true_3", "difference_3", "idm", "random"}


def clone(home: Path, model: Path, *options: str) -> int:
    asked = ["clone", str(model), "--data", "household", "--goals", "1", "--steps", "2", "--out", str(home / "out")]
    return main(["--home", str(home), *asked, *options])


@pytest.mark.slow
def test_a_stopped_command_goes_on_and_keeps_policies_rows_and_figures(
    tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[str] = []
    train = cloned_policy.train_policy

    def stop_at_third(model, rows, settings, seed, report):
        trained.append("once")
        if len(trained) == 3:
            raise EvaluationStopped
        train(model, rows, settings, seed, report)

    monkeypatch.setattr(cloned_policy, "train_policy", stop_at_third)
    options = ["--sequences", "3", "2", "--json"]
    assert clone(tmp_path, tiny_base, *options) == 1
    assert "actions, policies and outcomes so far are kept" in capsys.readouterr().err.splitlines()[-1]
    assert clone(tmp_path, tiny_base, *options) == 0
    assert len(trained) == 3 + 2, "two policies were kept, the third began anew"

    document = json.loads(capsys.readouterr().out)
    assert document["sequences"] == [2, 3] and document["goals"] == {str(d): 1 for d in (1, 2, 3, 4, 6)}
    names = {name.removeprefix("policy/").partition("@")[0] for name in document["metrics"]}
    assert names == FIGURES
    assert [Path(folder).name for folder in document["policies"]] == [
        "inferred-2-seed-0",
        "true-2-seed-0",
        "inferred-3-seed-0",
        "true-3-seed-0",
    ]
    counts = document["rows"]
    assert counts["inferred-2-seed-0"] == counts["true-2-seed-0"] < counts["true-3-seed-0"]
    rows = pq.read_table(document["demonstrations"]).to_pylist()
    assert len(rows) == counts["inferred-3-seed-0"]
    assert {row["goal_frame_index"] - row["frame_index"] for row in rows} <= set(range(1, 7))
    (kept,) = History(tmp_path).evaluations(data="household, policies")
    assert kept.metrics == document["metrics"]

    assert clone(tmp_path, tiny_base, "--sequences", "2", "--learning-rate", "0.01") == 1
    assert "were trained with another learning_rate; name another folder" in capsys.readouterr().err
    policy = document["policies"][0]
    assert main(["--home", str(tmp_path), "infer", policy, "--data", "household", "--limit", "2"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--data", "household", "--sequences", "5000"], 1, "record more: swirl record household --sequences 6600"),
        (["--data", "household", "--sequences", "0"], 2, "'0' is not a whole number above 0"),
        (["--data", "scienceworld"], 1, "cannot be played on from a recorded state; choose another world"),
        (["--data", "no-such"], 1, "There is no collection 'no-such'"),
        (["--data", "household", "--base", "tiny-household", "--from-idm"], 2, "leave one out"),
        (["--data", "household", "--goals-from", "blocks", "--sequences", "9"], 2, "not of the same world"),
        (["--data", "household", "--learning-rate", "7"], 2, "between 0 and 1, not 7.0"),
    ],
)
def test_mistakes_are_named_in_a_sentence(
    arguments: list[str], code: int, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "clone", "tiny-household", *arguments]) == code
    assert reason in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "policies").exists()
