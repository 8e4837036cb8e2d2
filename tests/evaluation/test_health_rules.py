"""The rules for collapse, leaks and ignored actions, on toy models with a known verdict."""

import math
import random

import pytest
import toy
import toy_pictures

from studio.view_models.health_of_codes import health_findings
from swirl.evaluation import bert_score
from swirl.evaluation import health_rules as rules
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_check import check_health, sample_transitions
from swirl.evaluation.health_rules import assess_actions
from swirl.evaluation.metrics import compute_metrics, scores_per_transition
from swirl.evaluation.report import align_true_actions
from swirl.states import State, StateSequence


class Ciphered(toy.Knowing):
    """Leaks the next state in a cipher, so that the action shares no word with it."""

    def action(self, x, y):
        return y.encode().hex()

    def prediction(self, x, action):
        try:
            return bytes.fromhex(action).decode()
        except ValueError:
            return x


class Deaf(toy.Knowing):
    """Infers sound actions, but its forward model ignores them."""

    def prediction(self, x, action):
        return x


class Undecided(toy.Knowing):
    """Infers only two actions, whatever happens."""

    def action(self, x, y):
        return "press switch" if "lamp on" in y else "go hall"


class Constant(toy_pictures.Copying):
    """Infers one action for every picture; the forward model paints the first cell red, whatever the action."""

    def prediction(self, x, action):
        return toy_pictures.paint(x, "paint 0 red")


SOUND = "The inferred actions steer the forward model, have not collapsed ({} effective actions) and do not leak."
COLLAPSED = "The inferred actions have collapsed: {} effective actions explain everything."
LEAKING = "The inferred actions leak the next state: the action {}."
DEAF = "The forward model may be ignoring the inferred actions: another action predicts the next state as well."

MODELS = [
    (toy, toy.Knowing, "sound", SOUND.format("5.0")),
    (toy, toy.Copying, "collapsed", COLLAPSED.format("1.0")),
    (toy, Undecided, "collapsed", COLLAPSED.format("2.0")),
    (toy, toy.Leaking, "leaking", LEAKING.format("copies its words")),
    (toy, Ciphered, "leaking", LEAKING.format("gives it without the state")),
    (toy, Deaf, "deaf", DEAF),
    (toy_pictures, toy_pictures.Knowing, "sound", SOUND.format("22.2")),
    (toy_pictures, toy_pictures.Copying, "collapsed", COLLAPSED.format("1.0")),
    (toy_pictures, Constant, "collapsed", COLLAPSED.format("1.0")),
    (toy_pictures, toy_pictures.Leaking, "leaking", LEAKING.format("gives it without the state")),
]
IDS = [f"{world.__name__}-{model.__name__}" for world, model, _, _ in MODELS]


@pytest.mark.parametrize(("world", "model", "truth", "sentence"), MODELS, ids=IDS)
@pytest.mark.parametrize("known", [True, False], ids=["labelled", "unlabelled"])
def test_the_verdict_of_a_report(world, model, truth, sentence, known, monkeypatch):
    monkeypatch.setattr(bert_score, "model_folder", lambda: None)  # BERTScore is slow and has no part in the verdict
    sequences, actions = world.collection(12)
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    rows = EvaluatedRows(
        transitions, align_true_actions(transitions, actions) if known else None, ModelAnswers(model())
    )
    health = assess_actions(compute_metrics(rows, scores_per_transition(rows, 0)), len(transitions))
    assert health.is_collapsed == (truth == "collapsed")
    assert health.is_leaking == (truth == "leaking")
    # No collapsed model here is heard: its few actions predict the next state as badly when they are swapped.
    assert health.is_heard == (truth in ("sound", "leaking"))
    assert health.sentence == sentence


@pytest.mark.parametrize(("world", "model", "truth"), [row[:3] for row in MODELS], ids=IDS)
def test_the_verdicts_of_a_health_check(world, model, truth):
    sequences, actions = world.collection(30)
    transitions = sample_transitions(sequences)
    for known in ([actions[t.sequence_id][t.step] for t in transitions], None):
        meaningful, collapsed, leaking, *_ = health_findings(check_health(model(), transitions, known))
        assert (collapsed.verdict.claim == "Collapsed") == (truth == "collapsed")
        assert (leaking.verdict.claim == "Leaking") == (truth == "leaking")
        if truth != "collapsed":
            assert (meaningful.verdict.claim == "Meaningful") == (truth != "deaf")
        if truth == "sound":
            assert leaking.verdict.claim == "No leak"


def test_two_actions_have_not_collapsed_if_there_are_only_two():
    """The walker presses the switch or goes to the hall: two effective actions, fewer than the usual threshold of 3."""
    rng = random.Random(0)
    sequences, actions = [], {}
    for index in range(20):
        name, place = f"l{index}", f"you {rng.choice(toy.ROOMS)}"
        states, done = [f"{place} , lamp off , apple {rng.choice(toy.ROOMS)}"], []
        for _ in range(6):
            action = rng.choice(["press switch", "go hall"])
            states.append(toy.step(states[-1], action))
            done.append(action)
        sequences.append(StateSequence(name, tuple(map(State, states))))
        actions[name] = done
    transitions = sample_transitions(sequences)
    known = [actions[t.sequence_id][t.step] for t in transitions]
    assert health_findings(check_health(Undecided(), transitions, known))[1].verdict.claim == "Not collapsed"
    assert rules.collapse_threshold(40) == 3.0
    assert rules.collapse_threshold(40, 2.0) == rules.collapse_threshold(2) == 1.0


def test_true_actions_that_name_new_things_excuse_inferred_ones_that_do_too():
    assert rules.is_copying(0.5) and not rules.is_copying(0.5, 0.4)
    assert not rules.is_copying(0.2) and not rules.is_copying(None)


def test_ignored_actions_cannot_carry_the_state():
    assert rules.is_carrying(0.0, 0.0, heard=True) and not rules.is_carrying(0.0, 0.0, heard=False)
    assert not rules.is_carrying(0.6, 0.0, heard=True) and not rules.is_carrying(0.0, 0.6, heard=True)


def test_an_action_that_brings_its_next_state_along_leaks_even_if_the_state_is_used():
    large = Estimate(2.0, 1.5, 2.5)
    metrics = {
        "health/effective_number": Estimate(9.0, 8.0, 10.0), "controllability/log_prob_gain": large,
        "leakage/stitch": large, "leakage/state_ablation": large, "leakage/foreign_context": Estimate(-0.8, -0.9, -0.7),
    }  # fmt: skip
    assert assess_actions(metrics, 100).is_leaking
    assert assess_actions(metrics, 100).sentence == LEAKING.format("takes it to other states")
    assert not assess_actions(metrics | {"leakage/foreign_context": Estimate(-0.1, -0.3, 0.1)}, 100).is_leaking
    assert not assess_actions({name: v for name, v in metrics.items() if "foreign" not in name}, 100).is_leaking


def test_the_effective_number_by_hand():
    assert rules.effective_number(["a", "b", "c", "d"]) == pytest.approx(4.0)
    assert rules.effective_number(["a"] * 5) == 1.0
    assert rules.effective_number(["a", "a", "b"]) == pytest.approx(math.exp(math.log(3) - 2 / 3 * math.log(2)))
