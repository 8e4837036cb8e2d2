"""Rollouts on the model's own predictions, and best of N by the score of the inverse model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import toy
import toy_pictures

from swirl.cli import main
from swirl.errors import SwirlError
from swirl.evaluation import best_of_metrics
from swirl.evaluation.best_of import sample_best_of_n
from swirl.evaluation.image_metrics import MAX_PSNR
from swirl.evaluation.unrolling import unroll
from swirl.states import State, StateSequence


class Slipping(toy.Knowing):
    """Turns the lamp on whenever it goes somewhere; a lamp once wrong stays wrong."""

    def prediction(self, x, action):
        after = toy.step(x, action)
        return after.replace("lamp off", "lamp on") if action.startswith("go") else after


class Guessing(toy.Knowing):
    """Samples the results of random actions, including the right one; its inverse model knows which is which."""

    def sample_next_states(self, states, actions, n, *, temperature=1.0, seed=0):
        assert temperature == 1.0
        rng = random.Random(seed)
        return [[State(toy.step(x.text, rng.choice(toy.ACTIONS))) for _ in range(n)] for x in states]

    def prediction(self, x, action):
        return x


@pytest.fixture
def walk() -> StateSequence:
    lamp = "you {} , lamp {} , apple hand"
    places = [("hall", "off"), ("kitchen", "off"), ("kitchen", "on"), ("hall", "on"), ("hall", "off")]
    return StateSequence("walk", tuple(State(lamp.format(*place)) for place in places))


def test_a_knowing_model_arrives_where_the_sequence_does(walk: StateSequence) -> None:
    rollout = unroll(toy.Knowing(), walk, 1, 3)
    assert rollout.start == walk.states[1] and rollout.states == rollout.truth == walk.states[2:]
    assert rollout.actions == ("press switch", "go hall", "press switch") and not rollout.has_given_actions
    assert [step.exact_match for step in rollout.likeness] == [1.0] * 3
    assert [step.exact_match for step in rollout.copy_likeness] == [0.0] * 3
    assert [step.token_accuracy for step in rollout.copy_likeness] == pytest.approx([7 / 8, 6 / 8, 7 / 8])
    assert rollout.likeness[0].psnr is None


def test_an_error_persists_in_the_models_own_predictions(walk: StateSequence) -> None:
    rollout = unroll(Slipping(), walk, 0, 4)
    # The lamp is on too early, the switch turns it off, and going turns it on again, which happens to be right.
    assert [step.exact_match for step in rollout.likeness] == [0.0, 0.0, 1.0, 1.0]
    assert [state.text.split()[4] for state in rollout.states] == ["on", "off", "on", "off"]


def test_given_actions_may_go_beyond_the_end_of_the_sequence(walk: StateSequence) -> None:
    rollout = unroll(toy.Knowing(), walk, 3, 3, actions=["press switch", "go cellar", "drop apple"])
    assert rollout.has_given_actions and rollout.truth == walk.states[4:] and len(rollout.states) == 3
    assert len(rollout.likeness) == len(rollout.copy_likeness) == 1
    assert rollout.states[-1] == State("you cellar , lamp off , apple cellar")


@pytest.mark.parametrize(
    ("start", "steps", "actions", "sentence"),
    [
        (5, 1, None, "has the states 0 to 4"),
        (-1, 1, None, "start at one of them, not at -1"),
        (0, 0, None, "1 step or more"),
        (2, 3, None, "has 2 steps after state 2"),
        (0, 2, ["go hall"], "2 steps need 2 actions"),
    ],
)
def test_an_impossible_rollout_is_refused_in_one_sentence(
    walk: StateSequence, start, steps, actions, sentence: str
) -> None:
    with pytest.raises(SwirlError, match=sentence):
        unroll(toy.Knowing(), walk, start, steps, actions=actions)


def test_pictures_are_compared_in_decibels_too() -> None:
    boards, actions = toy_pictures.play(1, 4)
    sequence = StateSequence("cells", tuple(map(toy_pictures.draw, boards)))
    rollout = unroll(toy_pictures.Knowing(), sequence, 0, 4)
    assert rollout.actions == tuple(actions)
    assert [step.psnr for step in rollout.likeness] == [MAX_PSNR] * 4
    assert rollout.copy_likeness[0].psnr < 30 and rollout.copy_likeness[0].exact_match == 0.0
    assert rollout.copy_likeness[0].token_accuracy == pytest.approx(5 / 6)


def test_the_best_of_n_is_the_one_whose_action_the_inverse_model_infers() -> None:
    states, actions = [State("you hall , lamp off , apple cellar")] * 20, ["press switch", "go kitchen"] * 10
    right = [State(toy.step(x.text, z)) for x, z in zip(states, actions, strict=True)]
    shares = []
    for n in (1, 4, 32):
        best = sample_best_of_n(Guessing(), states, actions, n, seed=3)
        shares.append(sum(a == b for a, b in zip(best, right, strict=True)) / 20)
    assert shares[0] < shares[1] < shares[2] == 1.0
    assert sample_best_of_n(Guessing(), states, actions, 4, seed=3) == sample_best_of_n(
        Guessing(), states, actions, 4, seed=3
    )
    assert sample_best_of_n(Guessing(), [], [], 4) == []
    with pytest.raises(ValueError, match="1 or more, not 0"):
        sample_best_of_n(Guessing(), states, actions, 0)


def test_best_of_n_has_metrics_of_its_own(rows) -> None:
    asked = rows(Guessing())
    scores = best_of_metrics.score_best_of_n(asked, 32)
    assert set(scores) == {
        f"{group}/{name}_best_of_32" for group in ("forward", "cycle") for name in ("exact_match", "token_accuracy")
    }
    assert sum(scores["forward/exact_match_best_of_32"]) / 96 > 0.9  # its greedy predictions change nothing
    assert best_of_metrics.score_best_of_n(asked, 1) == {}
    assert set(best_of_metrics.score_best_of_n(rows(Guessing(), known=False), 2)) == {
        "cycle/exact_match_best_of_2",
        "cycle/token_accuracy_best_of_2",
    }


def test_best_of_n_steers_a_rollout(walk: StateSequence) -> None:
    assert unroll(Guessing(), walk, 0, 4).states[-1] == walk.states[0]
    assert unroll(Guessing(), walk, 0, 4, best_of=64, seed=1).states == walk.states[1:]


def test_unroll_from_the_shell(tmp_path: Path, capsys) -> None:
    asked = ["--home", str(tmp_path), "unroll", "tiny-household", "--data", "household", "--json"]
    assert main([*asked, "--start", "1", "--steps", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["start"], document["given"], document["best_of"]) == (1, False, 1)
    assert [row["step"] for row in document["steps"]] == [1, 2]
    for row in document["steps"]:
        assert set(row["likeness"]) == set(row["copy"]) == {"exact_match", "token_accuracy", "psnr"}
        assert row["copy"]["exact_match"] == 0.0 and row["imagined"] and row["action"]
    assert main([*asked, "--sequence", "nobody"]) == 2
    assert "has no sequence 'nobody'" in capsys.readouterr().err
    assert main([*asked, "--start", "700"]) == 1
    assert "start at one of them, not at 700" in capsys.readouterr().err


def test_pictures_are_unrolled_into_files_and_given_actions_beyond_the_truth(tmp_path: Path, capsys) -> None:
    asked = ["--home", str(tmp_path), "unroll", "tiny-blocks", "--data", "blocks", "--start", "7", "--best-of", "2"]
    assert main([*asked, "--action", "move the red square up", "--action", "move the red square down"]) == 0
    printed = capsys.readouterr().out
    files = sorted((tmp_path / "imagined").glob("*.png"))
    assert len(files) >= 2 and all(str(file) in printed for file in files)
    assert "as given" in printed and "PSNR (COPY)" in printed
