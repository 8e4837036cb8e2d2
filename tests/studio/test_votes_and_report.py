"""Tests of blind votes, the verdicts on Compare, the self-contained report, and models outside the list."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from studio.components.shared.health_report import health_report
from studio.pages.compare import ComparePage
from studio.services.health_checks import check_summaries
from studio.view_models.health import summarize_health
from studio.view_models.health_of_codes import describe_exchange, health_findings
from swirl import models
from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.confused_words import ConfusedWord
from swirl.evaluation.health_findings import (
    CheckedTransition,
    Composition,
    ExchangedAction,
    HealthCheck,
    health_check_from_json,
    health_check_to_json,
)
from swirl.history import History

BOTH = {"a": "first", "b": "second", "data": "walks"}


@pytest.fixture
def compared(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> ComparePage:
    """A comparison that both have answered in full; `second` predicts that nothing ever changes."""
    page = ComparePage(home)
    load = models.load_world_model

    def stubborn(home: Path, name: str, **options: object) -> object:
        model = load(home, name, **options)
        if name == "second":
            model.imagine_batch = lambda states, actions, temperature=0.0: list(states)
        return model

    monkeypatch.setattr(models, "load_world_model", stubborn, raising=False)
    for side in ("a", "b"):
        page.ask({**BOTH, "side": side, "first": 0, "size": 12})
    return page


def ticket(answer: dict) -> str:
    return re.search(r'data-ticket="(\w+)"', answer["parts"]["question"])[1]


def test_a_vote_is_blind_until_it_is_stored(compared: ComparePage, home: Path) -> None:
    asked = compared.question(BOTH)
    assert not re.search("first|second", asked["parts"]["question"])
    answer = compared.vote({**BOTH, "ticket": ticket(asked), "choice": "left"})
    kept = History(home).preferences("walks", ["first", "second"])
    assert len(kept) == 1 and {kept[0].left, kept[0].right} == {"first", "second"}
    assert kept[0].left in answer["parts"]["revealed"].split("right was")[0]
    assert "1 decided vote" in answer["parts"]["rates"].replace("\N{NO-BREAK SPACE}", " ")
    with pytest.raises(SwirlError, match="no longer open"):
        compared.vote({**BOTH, "ticket": ticket(asked), "choice": "left"})
    compared.take_back({**BOTH, "vote": kept[0].id})
    assert History(home).preferences("walks", ["first", "second"]) == []


def test_every_pair_that_differs_is_asked_once(compared: ComparePage, home: Path) -> None:
    answer, votes = compared.question(BOTH), 0
    while "data-ticket" in answer["parts"]["question"]:
        choice = ("tie", "skip", "right")[votes % 3]
        answer = compared.vote({**BOTH, "ticket": ticket(answer), "choice": choice})
        votes += 1
    places = {(vote.sequence, vote.step) for vote in History(home).preferences("walks", ["first", "second"])}
    assert votes == len(places) == 3
    assert "You have voted on every pair" in answer["parts"]["question"]
    assert "1 tie, 1 skipped" in answer["parts"]["rates"].replace("\N{NO-BREAK SPACE}", " ")


def test_a_vote_is_one_of_four(compared: ComparePage) -> None:
    with pytest.raises(SwirlError, match="left, right, tie, skip"):
        compared.vote({**BOTH, "ticket": ticket(compared.question(BOTH)), "choice": "both"})


def test_the_verdicts_are_kept_and_their_evidence_is_there(compared: ComparePage, home: Path) -> None:
    assert compared.show(BOTH)["parts"]["health-a"] == ""
    said = compared.look({**BOTH, "side": "a"})["parts"]["health-a"]
    assert [name for name in ("meaningful", "collapsed", "leaking") if f'data-finding="{name}"' in said] != []
    assert ">threshold</th>" in said and "go to attic" in said and "at least" in said
    again = ComparePage(home).show(BOTH)["parts"]
    assert again["health-a"] == said and again["health-b"] == ""
    assert check_summaries(home)["first"].endswith("on walks")


def test_the_report_is_self_contained(compared: ComparePage, home: Path) -> None:
    compared.look({**BOTH, "side": "a"})
    answer = compared.report(BOTH)
    html = answer["html"]
    assert answer["name"] == "compare-walks-first-second.html"
    assert "✓ right" in html and "has the next state right" in html and "Meaningful" in html
    assert "prefers-color-scheme: dark" in html
    assert not re.search(r"<script|<link|<button|<iframe|https?://|url\((?!data:)", html)
    assert str(home) not in html and str(Path.home()) not in html


def test_no_report_before_all_were_asked(home: Path, loaded: list) -> None:
    with pytest.raises(SwirlError, match="Compare them first"):
        ComparePage(home).report(BOTH)


def glance_of(**figures: float) -> HealthCheck:
    sound = {"shuffling": 5.0, "read_back": 1.0, "stitch": 3.0, "ablation": 3.0, "overlap": 0.0}
    counts = {"distinct": 4.0, "effective": 4.0, "length": 3.0}
    values = {name: Estimate(v, v - 0.1, v + 0.1) for name, v in {**sound, **counts, **figures}.items()}
    cases = tuple(CheckedTransition("s", i, f"go {i % 4}", None, "stay", 5.0, True, 3.0, 3.0, 0.0) for i in range(8))
    return HealthCheck(cases, {name: value for name, value in values.items() if value.value is not None})


def tones(look: HealthCheck) -> list[str]:
    return [finding.verdict.tone for finding in health_findings(look)]


def test_the_three_verdicts_follow_their_thresholds() -> None:
    assert tones(glance_of()) == ["good", "good", "good"]
    assert summarize_health(glance_of()) == "meaningful · not collapsed · no leak"
    assert tones(glance_of(shuffling=0.4)) == ["wrong", "good", "neutral"]
    assert tones(glance_of(effective=1.2)) == ["good", "wrong", "good"]
    assert tones(glance_of(overlap=0.6)) == ["good", "good", "wrong"]
    assert tones(glance_of(stitch=0.1, ablation=0.1)) == ["good", "good", "wrong"]
    assert tones(glance_of(stitch=0.1)) == ["good", "good", "good"]


def test_a_model_that_cannot_be_offered_is_refused(home: Path, loaded: list) -> None:
    page = ComparePage(home)
    with pytest.raises(SwirlError, match="Name a folder"):
        page.offer({"name": " "})
    with pytest.raises(SwirlError, match="There is no checkpoint"):
        page.offer({"name": "nowhere at all"})


def test_the_verdicts_on_undoing_composing_and_codes() -> None:
    composed = {"done": 0.8, "undone": 0.7, "undone_after_done": 0.7, "reads_same": 0.9, "two_steps_copy": 0.2}
    two = {"two_steps": 0.6, "two_steps_expected": 0.64, "two_steps_gain": -0.04}
    claims = [finding.verdict.claim for finding in health_findings(glance_of(**composed, **two))]
    assert claims == ["Meaningful", "Not collapsed", "No leak", "Undo and compose"]
    assert tones(glance_of(**composed, **two))[3] == "good"
    assert tones(glance_of(**composed))[3] == "good"
    assert tones(glance_of(**composed, **two | {"two_steps_gain": -0.3}))[3] == "wrong"
    assert tones(glance_of(**composed | {"undone_after_done": 0.39}, **two))[3] == "inverse"
    assert tones(glance_of(done=0.0, undone=1.0))[3] == "neutral"
    # The line in the menu keeps to the first three.
    assert summarize_health(glance_of(**composed, **two)) == "meaningful · not collapsed · no leak"


def confused_check(*confused: ConfusedWord, kept_words: float = 0.98) -> HealthCheck:
    plain = glance_of(kept_words=kept_words)
    cases = tuple(
        replace(case, mixed_up=(("coin", "apple"), ("key", "rope")) if case.step == 5 else ()) for case in plain.cases
    )
    return replace(plain, cases=cases, confused=confused)


def test_the_verdict_on_words_taken_for_others() -> None:
    sound = health_findings(confused_check())[3]
    assert (sound.name, sound.verdict.tone, sound.verdict.claim) == ("confused", "good", "Tells words apart")
    assert sound.verdict.reason == "keeps 98\N{NO-BREAK SPACE}% of the words that stay"
    losing = health_findings(confused_check(kept_words=0.4))[3].verdict
    assert (losing.tone, losing.claim) == ("inverse", "Loses words")
    assert losing.reason == "keeps only 40\N{NO-BREAK SPACE}% of the words that stay, though it takes none for another"
    check = confused_check(ConfusedWord("coin", "apple", 11, 20), ConfusedWord("apple", "coin", 8, 20))
    finding = health_findings(check)[3]
    assert (finding.verdict.tone, finding.verdict.claim) == ("wrong", "Takes words for others")
    assert finding.verdict.reason == "writes “apple” in 11 of 20 places where “coin” stays"
    assert [measure.name for measure in finding.measures[1:]] == [
        "“apple” where “coin” stays",
        "“coin” where “apple” stays",
    ]
    assert finding.measures[1].value.replace("\N{NO-BREAK SPACE}", " ") == "55 %, 11 of 20 places"
    assert finding.cases[0].step == 5
    html = health_report(check, {})
    assert 'data-finding="confused"' in html and "“apple” for “coin”, “rope” for “key”" in html


def exchanged_check(lost: list[float | None], share: float) -> HealthCheck:
    names = ("own", "partner_own", "own_exchanged", "partner_exchanged")
    figures = {f"exact_match/{name}": 0.8 for name in names} | {"log_prob/interaction": 0.2, "same_words": 0.5}
    plain = glance_of(**figures, private_share=share)
    case = plain.cases[0]
    cases = tuple(replace(case, step=i, exchange=ExchangedAction("walk", one)) for i, one in enumerate(lost))
    return HealthCheck(cases, plain.figures, "household-01@0")


def test_the_verdict_on_a_private_code_shows_what_fails_first() -> None:
    private = health_findings(exchanged_check([0.0] * 8 + [1.0] * 4, 0.33))[-1]
    assert (private.verdict.tone, private.verdict.claim) == ("wrong", "Private code")
    assert private.verdict.reason.startswith("33\N{NO-BREAK SPACE}% of the score depends on its own partner")
    assert [case.exchange.lost for case in private.cases] == [1.0] * 4
    assert describe_exchange(private.cases[0]) == "the partner says “walk”; exchanged: both fail"
    common = health_findings(exchanged_check([0.0] * 12, 0.01))[-1]
    assert common.verdict.reason == "Its actions mean the same to the warm-up's model (household-01@0)"
    assert health_findings(exchanged_check([0.0] * 12, 0.12))[-1].verdict.claim == "Perhaps a private code"
    assert health_findings(exchanged_check([0.0] * 9, 0.9))[-1].verdict.claim == "Too few to tell"


def test_checks_of_earlier_versions_are_still_read() -> None:
    check = glance_of()
    stored = health_check_to_json(check)
    del stored["partner"]
    for case in stored["cases"]:
        del case["composition"], case["exchange"]
    assert health_check_from_json(json.loads(json.dumps(stored))) == check
    new = exchanged_check([0.5, None], 0.5)
    new = replace(
        new, cases=tuple(replace(case, composition=Composition("go back", True, False)) for case in new.cases)
    )
    assert health_check_from_json(json.loads(json.dumps(health_check_to_json(new)))) == new
