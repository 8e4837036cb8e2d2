"""The detectors of collapse and of leaks, on models that are sound, collapse, leak, or are deaf."""

import math
import random

import pytest
import toy
import toy_pictures

from studio.view_models.health import health_findings
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
    """Leaks the next state in letters that no word of it has, so that no shared word betrays it."""

    def action(self, x, y):
        return y.encode().hex()

    def prediction(self, x, action):
        try:
            return bytes.fromhex(action).decode()
        except ValueError:
            return x


class Deaf(toy.Knowing):
    """Infers sound actions, and its forward model ignores them."""

    def prediction(self, x, action):
        return x


class Undecided(toy.Knowing):
    """Two actions for all that happens."""

    def action(self, x, y):
        return "press switch" if "lamp on" in y else "go hall"


class Constant(toy_pictures.Copying):
    """One action for every picture; the forward model paints the first cell red whatever comes."""

    def prediction(self, x, action):
        return toy_pictures.paint(x, "paint 0 red")


MODELS = [
    (toy, toy.Knowing, "sound"),
    (toy, toy.Copying, "collapsed"),
    (toy, Undecided, "collapsed"),
    (toy, toy.Leaking, "leaking"),
    (toy, Ciphered, "leaking"),
    (toy, Deaf, "deaf"),
    (toy_pictures, toy_pictures.Knowing, "sound"),
    (toy_pictures, toy_pictures.Copying, "collapsed"),
    (toy_pictures, Constant, "collapsed"),
    (toy_pictures, toy_pictures.Leaking, "leaking"),
]
EACH = pytest.mark.parametrize(
    ("world", "model", "truth"), MODELS, ids=[f"{world.__name__}-{model.__name__}" for world, model, _ in MODELS]
)


@EACH
@pytest.mark.parametrize("known", [True, False], ids=["labelled", "unlabelled"])
def test_the_verdict_of_a_report(world, model, truth, known, monkeypatch):
    monkeypatch.setattr(bert_score, "model_folder", lambda: None)  # BERTScore takes its time and has no part in it
    sequences, actions = world.collection(12)
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    rows = EvaluatedRows(
        transitions, align_true_actions(transitions, actions) if known else None, ModelAnswers(model())
    )
    found = assess_actions(compute_metrics(rows, scores_per_transition(rows, 0)), len(transitions))
    assert found.is_collapsed == (truth == "collapsed")
    assert found.is_leaking == (truth == "leaking")
    assert found.is_heard or truth not in ("sound", "leaking")
    assert not (truth == "deaf" and found.is_heard)
    words = {"sound": "do not leak", "collapsed": "collapsed:", "leaking": "leak the", "deaf": "not surely listen"}
    assert words[truth] in found.sentence and found.sentence.endswith(".")


@EACH
def test_the_verdicts_of_a_glance(world, model, truth):
    sequences, actions = world.collection(30)
    transitions = sample_transitions(sequences)
    for known in ([actions[t.sequence_id][t.step] for t in transitions], None):
        meaningful, collapsed, leaking = health_findings(check_health(model(), transitions, known))
        assert (collapsed.verdict.claim == "Collapsed") == (truth == "collapsed")
        assert (leaking.verdict.claim == "Leaking") == (truth == "leaking")
        if truth != "collapsed":
            assert (meaningful.verdict.claim == "Meaningful") == (truth != "deaf")
        if truth == "sound":
            assert leaking.verdict.claim == "No leak"


def test_two_actions_have_not_collapsed_where_there_are_but_two():
    """A lamp that is pressed or left: the effective number is 2, which three would call collapsed."""
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
    assert (
        rules.collapse_threshold(40) == 3.0
        and rules.collapse_threshold(40, 2.0) == 1.0
        and rules.collapse_threshold(2) == 1.0
    )


def test_labels_that_name_new_things_excuse_actions_that_do_too():
    assert (
        rules.is_copying(0.5)
        and not rules.is_copying(0.5, 0.4)
        and not rules.is_copying(0.2)
        and not rules.is_copying(None)
    )


def test_what_is_not_listened_to_cannot_carry_the_state():
    assert rules.is_carrying(0.0, 0.0, heard=True) and not rules.is_carrying(0.0, 0.0, heard=False)
    assert not rules.is_carrying(0.6, 0.0, heard=True) and not rules.is_carrying(0.0, 0.6, heard=True)


def test_an_action_that_brings_its_next_state_along_leaks_even_if_the_state_is_used():
    sharp = Estimate(2.0, 1.5, 2.5)
    metrics = {
        "health/effective_number": Estimate(9.0, 8.0, 10.0), "controllability/log_prob_gain": sharp,
        "leakage/stitch": sharp, "leakage/state_ablation": sharp, "leakage/foreign_context": Estimate(-0.8, -0.9, -0.7),
    }  # fmt: skip
    assert assess_actions(metrics, 100).is_leaking
    assert not assess_actions(metrics | {"leakage/foreign_context": Estimate(-0.1, -0.3, 0.1)}, 100).is_leaking
    assert not assess_actions({name: v for name, v in metrics.items() if "foreign" not in name}, 100).is_leaking


def test_the_effective_number_by_hand():
    assert rules.effective_number(["a", "b", "c", "d"]) == pytest.approx(4.0)
    assert rules.effective_number(["a"] * 5) == 1.0
    assert rules.effective_number(["a", "a", "b"]) == pytest.approx(math.exp(math.log(3) - 2 / 3 * math.log(2)))
