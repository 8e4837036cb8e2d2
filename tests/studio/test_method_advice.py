"""Advice on the start form: a model is probed in the background, and the advised method fills the form's fields."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from studio.components.train import method_advice, start_form
from studio.services.inference import shared_models
from studio.services.probes import ProbeQuestion, shared_prober
from studio.view_models.method_advice import advice_verdict, probe_bars
from studio.view_models.start_form import field_values, parse_form
from swirl.errors import SwirlError
from swirl.evaluation import reward_probe
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments import evidence as evidence_room
from swirl.experiments import probing
from swirl.experiments.advice import advise, evidence_temperature, with_method
from swirl.experiments.evidence import MethodResult, ProblemEvidence, write_evidence
from swirl.paths import assets
from swirl.presets import PRESETS

STRONG = {"critic": 0.95, "right": 0.5, "spread": 0.4, "agreement": 0.95, "kept": 0.95, "kept_preferred": 0.96,
          "changed": 0.5, "changed_preferred": 0.8}  # fmt: skip
SETTINGS = PRESETS["tiny-household-anchor"].settings
QUESTION = ProbeQuestion("tiny-household", "household", evidence_temperature())
OTHER = {"model": str(assets() / "tiny-household")}
"""The same model under another name, which makes it another question."""
PATIENCE = 300.0  # seconds; a busy machine is slow, not broken


def method(name: str, title: str, value: float, over: dict[str, tuple[float, float]]) -> MethodResult:
    found = {other: Estimate(round((low + high) / 2, 4), low, high) for other, (low, high) in over.items()}
    interval = Estimate(value, round(value - 0.05, 4), round(value + 0.05, 4))
    return MethodResult(name, title, interval, found, 3, 10.0, needs_labels=name == "sft-merged")


EVIDENCE = [
    ProblemEvidence("clean", "household, clean", STRONG, (
        method("warm-up", "Warm-up only", 0.5, {}),
        method("sft", "SFT, continued", 0.7, {"warm-up": (0.1, 0.3), "anchor": (-0.02, 0.06)}),
        method("sft-merged", "SFT, merged", 0.8, {"warm-up": (0.2, 0.4), "sft": (0.05, 0.15)}),
        method("anchor", "Anchor", 0.68, {"warm-up": (0.1, 0.25)}),
    )),
]  # fmt: skip


@pytest.fixture
def advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, with evidence of one problem and probes of a few transitions."""
    write_evidence(EVIDENCE, tmp_path / "regimes.json")
    monkeypatch.setattr(evidence_room, "EVIDENCE_FILES", [str(tmp_path / "regimes.json")])
    monkeypatch.setattr(reward_probe, "MAX_PROBED", 12)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def known(advised: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same home after a probe that found what the evidence is about."""
    monkeypatch.setattr(probing, "figures_of_model", lambda *_: STRONG | {"transitions": 12})
    shared_prober(advised).start(QUESTION)
    until(lambda: shared_prober(advised).figures(QUESTION))
    return advised


def until(look: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def request(values: dict[str, Any] | None = None, undo: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"values": field_values(SETTINGS) | (values or {}), "undo": undo}


def words(html: str) -> str:
    """What the page says, without tags and with ordinary spaces."""
    return re.sub(r"\s+", " ", unescape(re.sub("<[^>]+>", " ", html))).replace("\N{NO-BREAK SPACE}", " ")


def offered(card: str) -> dict[str, Any]:
    """The fields that "Use it" sets."""
    found = re.search(r'data-use-advice="([^"]+)"', card)
    assert found is not None
    return json.loads(unescape(found.group(1)))


def test_a_real_model_is_probed_once_and_the_advice_shows_what_was_seen(
    advised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = probing.figures_of_model

    def count(world: Any, transitions: Any, *others: Any) -> Any:
        asked.append(len(transitions))
        return real(world, transitions, *others)

    monkeypatch.setattr(probing, "figures_of_model", count)
    first = method_advice.ask_advice(advised, request())
    assert first["probing"] and "Probing tiny-household on household: " in words(first["parts"]["probing"])
    until(lambda: not method_advice.follow_probe(advised, request())["probing"])
    figures = shared_prober(advised).figures(QUESTION)
    assert figures is not None and figures["transitions"] == 12
    assert figures["critic"] > 0.7 and figures["changed_preferred"] > figures["changed"]
    answer = method_advice.ask_advice(advised, request())
    assert asked == [12] and not answer["probing"] and answer["parts"]["probing"] == ""
    assert answer["parts"]["advice"] == start_form.check_form(advised, request())["parts"]["advice"]
    assert shared_models(advised).loaded() == ["tiny-household"]
    card = words(answer["parts"]["advice"])
    assert "Advised: SFT, continued Your start is most like household, clean, where “SFT, continued” did best." in card
    assert "It gained +0.200 [+0.100, +0.300] of exact match there, 3 seeds." in card
    assert "does not tell it apart from Anchor." in card
    assert f"Prefers right to wrong {100 * figures['critic']:.0f} % 95 %" in card
    assert f"Different outcomes {100 * figures['spread']:.0f} % 40 %" in card
    assert 'href="experiments?name=regimes"' in answer["parts"]["advice"]


def test_use_it_sets_the_form_and_can_be_undone(known: Path) -> None:
    card = method_advice.follow_probe(known, request())["parts"]["advice"]
    changes = offered(card)
    assert "Sets method swirl → sft , anchor 4.0 → 0.0" in words(card)
    undo = {name: request()["values"][name] for name in changes}
    used = request(changes, undo)
    assert parse_form(used["values"]).settings == with_method(SETTINGS, "sft")
    card = method_advice.follow_probe(known, used)["parts"]["advice"]
    assert "data-undo-advice" in card and "data-use-advice" not in card
    assert "The form is set to it: method swirl → sft , anchor 4.0 → 0.0" in words(card)
    assert parse_form(used["values"] | undo).settings == SETTINGS
    by_hand = method_advice.follow_probe(known, request(changes))["parts"]["advice"]
    assert "The form is set to this method." in by_hand and "data-undo-advice" not in by_hand
    assert (
        "data-use-advice"
        in method_advice.follow_probe(known, request(changes | {"anchor": "1"}, undo))["parts"]["advice"]
    )


def test_a_shared_value_that_no_phase_has_any_more_is_emptied() -> None:
    settings = SETTINGS.replace({"steps_per_phase": 30, "forward.steps_per_phase": 50})
    now, wanted = field_values(settings), field_values(with_method(settings, "phase-one"))
    changes = method_advice.changed_fields(now, wanted)
    assert changes == {"anchor": "0", "steps_per_phase": "", "inverse.steps_per_phase": "0"}
    filled = parse_form(now | changes).settings
    assert filled is not None and field_values(filled) == wanted
    assert method_advice.changed_fields(wanted, now)["inverse.steps_per_phase"] == ""


def test_methods_that_need_labels_are_advised_where_there_are_some(known: Path) -> None:
    card = method_advice.follow_probe(known, request({"labels": "labels.jsonl"}))["parts"]["advice"]
    assert "Advised: SFT, merged" in card and "This run warms up on labels first" in card
    assert offered(card)["method"] == "sft-merged"


def test_the_advice_is_about_the_forms_own_start(known: Path) -> None:
    for other in (OTHER, {"data": "blocks"}, {"model": "tiny-blocks"}, {"data": "nowhere"}):
        assert method_advice.follow_probe(known, request(other))["parts"]["advice"] == ""
    assert "advice" not in method_advice.follow_probe(known, request({"seed": "x"}))["parts"]
    for same in ({"seed": "3"}, {"temperature": "0.5"}):  # it is compared with probes at the evidence's temperature
        assert "Advised" in method_advice.follow_probe(known, request(same))["parts"]["advice"]


def test_without_evidence_nothing_is_probed(advised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_room, "EVIDENCE_FILES", ["nowhere/regimes.json"])
    answer = method_advice.ask_advice(advised, request())
    assert answer["parts"]["advice"].startswith('<p class="note">No advice yet: the experiment')
    assert shared_prober(advised).progress() is None
    assert "advice" not in start_form.check_form(advised, request())["parts"]


def test_what_cannot_be_probed_is_said_at_its_field(advised: Path) -> None:
    answer = method_advice.ask_advice(advised, request({"model": "nothing-here"}))
    assert "nothing-here" in answer["errors"]["model"] and answer["error"] == "Correct the marked settings first."
    assert "pictures" in method_advice.ask_advice(advised, request({"data": "blocks"}))["errors"]["model"]
    assert method_advice.ask_advice(advised, request({"seed": "x"}))["errors"].keys() == {"seed"}
    assert shared_prober(advised).progress() is None


def test_a_probe_is_stopped_and_only_one_is_made_at_a_time(advised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, told = threading.Event(), threading.Event()

    def endless(world: Any, *_: Any) -> None:
        begun.set()
        assert told.wait(PATIENCE), "what is said while it stops"
        while True:
            world.check_interrupt()
            time.sleep(0.01)

    monkeypatch.setattr(probing, "figures_of_model", endless)
    assert method_advice.ask_advice(advised, request())["probing"]
    assert begun.wait(PATIENCE)
    assert method_advice.ask_advice(advised, request())["probing"], "the same question joins the running probe"
    with pytest.raises(SwirlError, match="Another model is being probed; wait until that is done, or stop it"):
        method_advice.ask_advice(advised, request(OTHER))
    assert "stopping" in method_advice.stop_probe(advised, request())["parts"]["probing"]
    told.set()
    until(lambda: shared_prober(advised).progress() is None)
    answer = method_advice.follow_probe(advised, request())
    assert answer == {"parts": {"probing": "", "advice": ""}, "probing": False}
    with shared_models(advised).use("tiny-household") as model:
        model.check_interrupt()


def test_a_probe_gives_way_to_a_page_and_is_made_again(advised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, tries = threading.Event(), []

    def probe(world: Any, *_: Any) -> dict[str, float]:
        tries.append(1)
        begun.set()
        while len(tries) == 1:
            world.check_interrupt()
            time.sleep(0.01)
        return STRONG

    monkeypatch.setattr(probing, "figures_of_model", probe)
    method_advice.ask_advice(advised, request())
    assert begun.wait(PATIENCE)
    with shared_models(advised).use("tiny-household"):
        assert len(tries) == 1
    until(lambda: shared_prober(advised).figures(QUESTION) == STRONG)
    assert len(tries) == 2


def test_a_probe_that_fails_says_why(advised: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise SwirlError("The model is <broken>.")

    monkeypatch.setattr(probing, "figures_of_model", fail)
    method_advice.ask_advice(advised, request())
    until(lambda: not method_advice.follow_probe(advised, request())["probing"])
    shown = method_advice.follow_probe(advised, request())["parts"]["advice"]
    assert shown == '<p class="error" role="alert">The model is &lt;broken&gt;.</p>'
    assert method_advice.follow_probe(advised, request(OTHER))["parts"]["advice"] == ""


def test_a_demonstration_has_no_button(advised: Path) -> None:
    assert "data-ask-advice" in start_form.initial_form(advised, {})["parts"]["ask-advice"]
    shared_models(advised).only_offered = True
    assert start_form.initial_form(advised, {})["parts"]["ask-advice"] == ""


def test_bars_show_both_starts_and_dashes_where_nothing_was_compared() -> None:
    yours = STRONG | {"critic": None, "kept_preferred": 0.91}
    critic, spread, agreement, kept = probe_bars(yours, STRONG | {"kept_preferred": None})
    assert (critic.share, critic.words, critic.nearest, critic.nearest_words) == (
        None,
        "–",
        0.95,
        "95\N{NO-BREAK SPACE}%",
    )
    assert (spread.share, spread.tone, agreement.share, agreement.tone) == (0.4, "forward", 0.95, "inverse")
    assert (kept.words, kept.nearest, kept.nearest_words, kept.origin) == ("−4.0\N{NO-BREAK SPACE}pt", None, "–", 0.5)
    assert kept.share == pytest.approx(0.3)
    assert probe_bars(STRONG | {"kept_preferred": 0.1}, STRONG)[3].share == 0.0


def test_the_claim_says_how_far_it_can_be_relied_on() -> None:
    assert advice_verdict(advise(STRONG, EVIDENCE)).tone == "good"
    far = advice_verdict(advise(dict.fromkeys(STRONG, 0.0), EVIDENCE))
    assert (far.tone, far.claim) == ("neutral", "A first guess: SFT, continued")
    hurt = ProblemEvidence("noisy", "noisy", STRONG, (method("anchor", "Anchor", 0.5, {"warm-up": (-0.1, 0.02)}),))
    assert advice_verdict(advise(STRONG, [hurt])).claim == "At best Anchor: nothing clearly helped there"
