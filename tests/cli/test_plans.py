"""`swirl plan` and `swirl evaluate --plan`, with the shipped models and the simulators."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import swirl
from swirl.cli import main
from swirl.history import History
from swirl.pictures import read_picture_bytes

ROOT = Path(__file__).parents[2]


def run(capsys, home: Path, *arguments: str) -> dict:
    assert main(["--home", str(home), *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_of_one_step_comes_true(tmp_path, capsys):
    options = ("--data", "household", "--start", "0", "--goal-step", "1", "--for-real", "--budget", "60")
    found = run(capsys, tmp_path, "plan", "tiny-household", *options)
    assert found["reached"] and found["differences"] == 0 and found["steps"]
    goal = swirl.load_collection("household").sequences[0].states[1].text
    assert found["steps"][-1]["imagined"] == goal
    assert found["real"]["reached"] is True and found["real"]["unknown"] == []
    assert all(step["read_back"] <= 0 and step["log_prob"] <= 0 for step in found["steps"])
    assert not list((tmp_path / "planning").glob("*")) if (tmp_path / "planning").exists() else True


def test_a_plan_is_made_again_from_the_truth(tmp_path, capsys):
    options = ("--data", "household", "--sequence", "household-7-00004", "--start", "0", "--goal-step", "3")
    once = run(capsys, tmp_path, "plan", "tiny-household", *options, "--for-real")
    found = run(capsys, tmp_path, "plan", "tiny-household", *options, "--for-real", "--replan")
    assert found["steps"] == [{k: v for k, v in row.items() if k not in ("real", "same")} for row in once["steps"]]
    real = found["real"]
    assert real["reached"] and len(real["steps"]) <= 8 and real["searches"] == real["steps"][-1]["search"] > 1
    assert real["imagined_states"] > found["imagined_states"]
    parted = next(place for place, row in enumerate(real["steps"]) if not row["same"])
    assert real["steps"][parted]["search"] == 1 and real["steps"][parted + 1]["search"] == 2
    assert main(["--home", str(tmp_path), "plan", "tiny-household", *options, "--for-real", "--replan"]) == 0
    assert "planned again from here" in capsys.readouterr().out


def test_goals_are_given_as_texts_words_and_pictures(tmp_path, capsys):
    states = swirl.load_collection("household").sequences[0].states
    (tmp_path / "start.txt").write_text(states[0].text)
    start = ("--from", f"@{tmp_path / 'start.txt'}", "--budget", "20")
    assert run(capsys, tmp_path, "plan", "tiny-household", *start, "--goal", states[0].text)["reached"]
    words = run(capsys, tmp_path, "plan", "tiny-household", *start, "--words", "You are in")
    assert words["reached"] and words["imagined_states"] == 0
    for number in (0, 1):
        picture = swirl.load_collection("blocks").sequences[0].states[number].picture
        (tmp_path / f"{number}.png").write_bytes(read_picture_bytes(picture))
    pictures = ("--from", str(tmp_path / "0.png"), "--goal", str(tmp_path / "1.png"), "--budget", "40")
    found = run(capsys, tmp_path, "plan", "tiny-blocks", *pictures)
    assert found["imagined_states"] <= 40
    assert all(Path(step["imagined"]).is_file() for step in found["steps"])


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--goal", "x"), "A start needs --data NAME"),
        (("--from", "x"), "Give the goal in one way"),
        (("--data", "household", "--goal-step", "1", "--replan"), "--replan needs --for-real"),
        (("--from", "x", "--goal", "y", "--words", "z"), "Give the goal in one way"),
        (("--from", "x", "--goal-step", "2"), "--goal-step needs --data"),
        (("--data", "household", "--goal-step", "99"), "--goal-step: the sequence household-7-00000 has the states 0"),
        (("--data", "household", "--start", "99", "--words", "a"), "--start: the sequence"),
        (("--from", "x", "--goal", "y", "--for-real"), "--for-real needs --data"),
        (("--from", "x", "--goal", "y", "--trust", "-1"), "must be 0 or more"),
        (("--from", "x", "--goal", "/nowhere.png"), "There is no picture /nowhere.png"),
        (("--data", "miniwob", "--goal-step", "1", "--for-real"), "cannot be played on"),
    ],
)
def test_what_cannot_be_planned_is_told_in_a_sentence(tmp_path, capsys, arguments, why):
    assert main(["--home", str(tmp_path), "plan", "tiny-household", *arguments]) in (1, 2)
    told = capsys.readouterr().err.strip()
    assert why in told and "\n" not in told


def test_words_are_no_goal_for_a_model_of_pictures(tmp_path, capsys):
    assert main(["--home", str(tmp_path), "plan", "tiny-blocks", "--data", "blocks", "--words", "red"]) == 2
    assert "--words is for texts" in capsys.readouterr().err


@pytest.mark.slow
def test_a_stopped_search_is_continued_by_the_same_command(tmp_path):
    states = swirl.load_collection("household").sequences
    command = [sys.executable, "-m", "swirl", "--home", str(tmp_path), "plan", "tiny-household", "--likeness", "exact"]
    command += ["--from", states[0].states[0].text, "--goal", states[5].states[0].text, "--budget", "2000"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    deadline = time.monotonic() + 120
    for line in process.stderr:
        if "imagined" in line:
            break
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    told = process.stderr.read()
    assert process.wait(120) == 1 and "The imagined states so far are kept" in told
    [file] = (tmp_path / "planning").iterdir()
    imagined = json.loads(file.read_text())["imagined"]
    assert imagined > 0
    done = subprocess.run(
        [*command[:-1], str(imagined + 1), "--json"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert f"Continuing from {imagined} imagined states." in done.stderr
    assert json.loads(done.stdout)["imagined_states"] > imagined
    assert not file.exists()


@pytest.mark.slow
def test_plans_are_evaluated_and_kept_beside_the_other_figures(tmp_path, capsys):
    options = ("--data", "household", "--plan", "--goals", "2", "--budget", "40", "--distances", "1", "3")
    found = run(capsys, tmp_path, "evaluate", "tiny-household", *options)
    assert found["goals"] == {"1": 2, "3": 2}
    assert found["metrics"]["plan/oracle@3"]["value"] == 1.0
    assert 0 <= found["metrics"]["plan/success@1"]["value"] <= found["metrics"]["plan/replan@1"]["value"] <= 1
    assert found["metrics"]["plan/replan_states@3"]["value"] >= found["metrics"]["plan/states@3"]["value"]
    [kept] = History(tmp_path).evaluations("tiny-household")
    assert kept.data == "household, plans" and kept.metrics.keys() == found["metrics"].keys()
    assert main(["--home", str(tmp_path), "evaluate", "tiny-household", *options]) == 0
    shown = capsys.readouterr().out
    assert "STEPS AWAY" in shown and "REPLANNED" in shown and "TRUE ACTIONS" in shown and "SIMULATOR" in shown


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--data", "household", "--goals", "3"), "belong to --plan"),
        (("--data", "household", "--no-critic"), "belong to --plan"),
        (("--data", "household", "--plan", "--limit", "3"), "do not apply to --plan"),
        (("--data", "miniwob", "--plan"), "cannot be played on"),
        (("--data", "x", "--plan", "--benchmark", "aurora-bench"), "give one of them"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, capsys, arguments, why):
    assert main(["--home", str(tmp_path), "evaluate", "tiny-household", *arguments]) in (1, 2)
    assert why in capsys.readouterr().err
