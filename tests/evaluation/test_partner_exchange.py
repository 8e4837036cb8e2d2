"""Exchanged partners: models with codes of their own, models that share a language, and real ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import toy
import toy_pictures

from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.partner_exchange import Exchange, Exchanges, exchange_partners
from swirl.evaluation.private_code import MIN_MASTERED, PRIVATE_SHARE, private_code_verdict
from swirl.evaluation.progress import EvaluationStopped
from swirl.evaluation.report import align_true_actions

SEQUENCES, ACTIONS = toy.collection(24)
TRANSITIONS = [transition for sequence in SEQUENCES for transition in sequence.transitions()]
TRUE = align_true_actions(TRANSITIONS, ACTIONS)


class Coded(toy.Knowing):
    """Calls each action by the name of the one `shift` places after it, and hears it so."""

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.spoken = {action: toy.ACTIONS[(i + shift) % len(toy.ACTIONS)] for i, action in enumerate(toy.ACTIONS)}
        self.heard = {spoken: action for action, spoken in self.spoken.items()}

    def action(self, x: str, y: str) -> str:
        return self.spoken.get(super().action(x, y), "something else")

    def prediction(self, x: str, action: str) -> str:
        return super().prediction(x, self.heard.get(action, action))


class Failing(toy.Knowing):
    """Speaks the common language, but its forward and its inverse model each fail from some states on."""

    def __init__(self, deaf: set[str], mute: set[str]) -> None:
        super().__init__()
        self.deaf, self.mute = deaf, mute

    def action(self, x: str, y: str) -> str:
        return "something else" if x in self.mute else super().action(x, y)

    def prediction(self, x: str, action: str) -> str:
        return x if x in self.deaf else super().prediction(x, action)


def states_in(room: str) -> set[str]:
    return {t.state.text for t in TRANSITIONS if t.state.text.startswith(f"you {room}")}


def opener(**models: toy.Knowing):
    opened: list[str] = []

    @contextmanager
    def open_model(name: str) -> Iterator[toy.Knowing]:
        opened.append(name)
        yield models[name]

    open_model.opened = opened
    return open_model


def exchange(first: toy.Knowing, second: toy.Knowing, true=None) -> tuple[Exchange, Exchanges]:
    done = exchange_partners(opener(a=first, b=second), "a", ["b"], TRANSITIONS, true)
    return done.exchanges[0], done


def test_two_codes_share_nothing():
    one, done = exchange(Coded(0), Coded(1), TRUE)
    figures = one.figures()
    for name in ("own", "partner_own", "own_loss", "partner_loss", "interaction"):
        assert figures[f"exact_match/{name}"] == Estimate(1, 1, 1), name
    assert figures["exact_match/own_exchanged"].value == figures["exact_match/inverse_skill"].value == 0
    # Each word has a probability of 0.9 or 0.01, so the wrong code costs log 90 per token.
    assert figures["log_prob/interaction"].value == pytest.approx(4.49981, abs=1e-5)
    assert figures["private_share"] == Estimate(1, 1, 1) and one.mastered == len(TRANSITIONS)
    assert figures["same_words"].value == 0
    verdict = one.verdict("the warm-up's model")
    assert verdict.is_private and verdict.sentence.startswith(
        "100\N{NO-BREAK SPACE}% of the score depends on its own partner"
    )
    # The first model's code is the language of the true actions.
    assert done.truth_figures()["log_prob/truth_gap"] == Estimate(0, 0, 0)


def test_a_private_code_is_understood_better_than_the_truth():
    one, done = exchange(Coded(1), Coded(0), TRUE)
    truth = done.truth_figures()
    assert truth["exact_match/truth"].value == 0 and truth["exact_match/truth_gap"].value == 1
    assert truth["log_prob/truth_gap"].value == pytest.approx(4.49981, abs=1e-5)
    assert "better than the true ones, by 4.50 nats" in one.verdict(truth_gap=truth["log_prob/truth_gap"]).sentence
    assert exchange(Coded(1), Coded(0))[1].truth_figures() == {}


def test_skills_that_add_up_are_no_code():
    deaf, mute = states_in("kitchen"), states_in("cellar")  # never both
    one, _ = exchange(toy.Knowing(), Failing(deaf, mute))
    figures = one.figures()
    failing = {
        name: sum(t.state.text in where for t in TRANSITIONS) / len(TRANSITIONS)
        for name, where in (("deaf", deaf), ("mute", mute))
    }
    assert min(failing.values()) > 0.1
    assert figures["exact_match/own_loss"].value == pytest.approx(failing["mute"])
    assert figures["exact_match/inverse_skill"].value == pytest.approx(failing["mute"])
    assert figures["exact_match/partner_loss"].value == pytest.approx(-failing["mute"])
    assert figures["exact_match/interaction"].value == pytest.approx(0, abs=1e-12)
    assert figures["private_share"] == Estimate(0, 0, 0)
    assert one.verdict().sentence == "Its actions mean the same to b." and one.verdict().is_private is False


def test_models_that_fail_together_interact_but_have_no_code():
    weak = states_in("hall")
    one, _ = exchange(toy.Knowing(), Failing(weak, weak))
    both_fail = sum(t.state.text in weak for t in TRANSITIONS) / len(TRANSITIONS)
    assert one.figures()["exact_match/interaction"].value == pytest.approx(both_fail / 2) and both_fail > 0.1
    assert one.figures()["private_share"].value == 0 and one.verdict().is_private is False
    assert one.mastered == round((1 - both_fail) * len(TRANSITIONS))


def test_each_model_is_open_alone_and_several_partners_cost_two_visits():
    models = opener(a=Coded(0), b=Coded(1), c=toy.Knowing())
    told: list[tuple[float, str]] = []
    done = exchange_partners(
        models, "a", ["b", "c"], TRANSITIONS, progress=lambda share, words: told.append((share, words))
    )
    assert models.opened == ["a", "b", "c", "a"]
    assert [one.partner for one in done.exchanges] == ["b", "c"]
    assert [one.figures()["private_share"].value for one in done.exchanges] == [1, 0]
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1 and told[-1][1] == "a: done"
    assert any(words.startswith("b: ") for _, words in told)


def test_an_exchange_stops_when_it_is_asked_to():
    def watch() -> None:
        raise EvaluationStopped

    with pytest.raises(EvaluationStopped):
        exchange_partners(opener(a=Coded(0), b=Coded(1)), "a", ["b"], TRANSITIONS, watch=watch)


def test_a_model_without_actions_is_refused():
    editor = toy.Knowing()
    editor.is_trainable = False
    with pytest.raises(SwirlError, match="b only predicts next states"):
        exchange_partners(opener(a=toy.Knowing(), b=editor), "a", ["b"], TRANSITIONS)


def test_transitions_that_change_nothing_prove_no_common_language():
    still = [dataclasses.replace(t, next_state=t.state) for t in TRANSITIONS[:20]]
    done = exchange_partners(opener(a=Coded(0), b=Coded(1)), "a", ["b"], still)
    assert done.exchanges[0].mastered == 0 and "private_share" not in done.exchanges[0].figures()
    assert done.exchanges[0].verdict().is_private is None


@pytest.mark.parametrize(
    ("share", "mastered", "private", "words"),
    [
        (Estimate(0.0, 0.0, 0.0), 20, False, "mean the same to B"),
        (Estimate(PRIVATE_SHARE, 0.0, 0.3), 20, False, "mean the same to B"),
        (Estimate(0.33, 0.2, 0.5), 20, True, "33\N{NO-BREAK SPACE}% of the score depends on its own partner"),
        (Estimate(0.33, 0.04, 0.6), 20, None, "Perhaps a private code"),
        (Estimate(1.0, 1.0, 1.0), MIN_MASTERED - 1, None, f"only {MIN_MASTERED - 1} transitions"),
        (None, 0, None, "only 0 transitions"),
    ],
)
def test_the_verdict(share, mastered, private, words):
    verdict = private_code_verdict(share, mastered, "B")
    assert verdict.is_private is private and words in verdict.sentence


def test_pictures_are_exchanged_too():
    sequences, _ = toy_pictures.collection(4)
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    one = exchange_partners(opener(a=toy_pictures.Knowing(), b=toy_pictures.Knowing()), "a", ["b"], transitions)
    figures = one.exchanges[0].figures()
    assert figures["exact_match/own"].value == 1 and figures["log_prob/interaction"].value == 0


def test_a_real_model_and_its_first_checkpoint(tmp_path: Path):
    from swirl.evaluation.report import draw_part
    from swirl.models import load_world_model

    transitions, true_actions, _ = draw_part(tmp_path, "household", "test", 12, 0)
    model = load_world_model(tmp_path, "tiny-household", "cpu")
    same = exchange_partners(opener(a=model, b=model), "a", ["b"], transitions, true_actions)
    figures = same.exchanges[0].figures()
    assert figures["exact_match/own"] == figures["exact_match/own_exchanged"] and figures["exact_match/own"].value > 0
    assert figures["log_prob/interaction"].value == 0 and figures["same_words"].value == 1
    assert same.truth_figures()["log_prob/truth"].value < 0
