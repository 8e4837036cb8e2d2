"""The server functions of the Label page."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from studio.components.label import label_progress, labelling_card
from studio.components.label.labelling_card import used_actions
from studio.components.train import start_form
from studio.pages import label
from studio.pages.label import LabelPage
from studio.services.inference import shared_models
from studio.view_models.label_progress import WARM_UP_RESULTS, describe_label_progress, target_label_count
from swirl.errors import SwirlError
from swirl.sources.labels import hand_labelling, writing
from swirl.sources.labels.reading import read_labels

DATA = {"data": "walks"}


@pytest.fixture
def page(home: Path, loaded: list) -> LabelPage:
    return LabelPage(home)


def labelled(page: LabelPage, *actions: str) -> dict:
    """The page's answer after these labels were given."""
    answer = page.show(DATA)
    for action in actions:
        answer = page.keep({**answer["at"], "action": action})
    return answer


def test_the_orders_of_only_a_few_collections_are_kept(page: LabelPage, monkeypatch: pytest.MonkeyPatch) -> None:
    found = label.sequences(page.home, DATA["data"])
    monkeypatch.setattr(label, "sequences", lambda home, data: found)
    for number in range(label.MAX_ORDERS + 3):
        assert page.order(f"collection {number}") is page.order(f"collection {number}")
    assert [*page._orders] == [f"collection {number}" for number in range(3, label.MAX_ORDERS + 3)]


def test_a_transition_is_shown_with_its_changes_and_no_true_action(page: LabelPage) -> None:
    answer = page.show(DATA)
    assert "<del>" in answer["parts"]["transition"] and "<ins>" in answer["parts"]["transition"]
    assert "go to" not in str(answer["parts"])
    assert answer["count"] == 0 and not answer["known"]


def test_no_module_of_the_page_reads_true_actions() -> None:
    for module in (hand_labelling, writing, label, labelling_card, label_progress):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert "true_actions" not in text and "sidecar" not in text


def test_suggestions_are_numbered_and_available_ahead_of_the_next_transition(page: LabelPage, loaded: list) -> None:
    first = page.show(DATA)
    html = page.suggest(DATA)["parts"]["suggestions"]
    assert re.search(r'data-suggestion="go to \w+"><kbd>1</kbd>', html) and "<kbd>2</kbd>" in html
    page.suggest({**DATA, "ahead": 1})
    following = page.keep({**first["at"], "action": "walk"})
    assert following["known"] and "data-suggestion" in following["parts"]["suggestions"]
    assert len(loaded) == 1 and len(loaded[0].inferred) == 2
    assert shared_models(page.home).loaded() == ["first"]


def test_saving_skipping_and_undoing_change_the_counts(page: LabelPage) -> None:
    answer = labelled(page, "walk up")
    assert answer["count"] == 1 and answer["used"] == ["walk up"]
    skipped = page.skip(answer["at"])
    assert "1 skipped" in skipped["parts"]["progress"] and skipped["count"] == 1
    assert page.undo(DATA)["undone"] == ""
    back = page.undo(DATA)
    assert back["undone"] == "walk up" and back["count"] == 0
    with pytest.raises(SwirlError, match="nothing to undo"):
        page.undo(DATA)


def test_another_studio_on_the_same_home_continues(page: LabelPage, home: Path) -> None:
    answer = labelled(page, "walk up")
    assert LabelPage(home).show(DATA)["at"] == answer["at"]


@pytest.mark.parametrize("place", [{"sequence": "w9", "step": 0}, {"sequence": "w0", "step": 7}, {"step": "0"}, {}])
def test_a_missing_transition_is_not_labelled(page: LabelPage, place: dict) -> None:
    with pytest.raises(SwirlError, match="no longer in the collection"):
        page.keep({**DATA, **place, "action": "walk"})
    assert page.show(DATA)["count"] == 0


def test_the_end_of_labelling_is_announced(page: LabelPage) -> None:
    answer = page.show(DATA)
    while "step" in answer["at"]:
        answer = page.skip(answer["at"])
    assert "labelled or skipped" in answer["parts"]["transition"]
    assert page.suggest(DATA) == {"parts": {}}


def test_saved_labels_are_those_that_training_reads(page: LabelPage, home: Path) -> None:
    with pytest.raises(SwirlError, match="No transition is labelled"):
        page.save(DATA)
    labelled(page, "walk up", "walk down")
    answer = page.save(DATA)
    (kept,) = (home / "labels").glob("*.jsonl")
    assert str(kept) in answer["parts"]["saved"] and answer["name"] == "walks-labels.jsonl"
    assert base64.b64decode(urlsplit(answer["address"]).path.partition(",")[2]) == kept.read_bytes()
    assert [row.action for row in read_labels(kept)[0]] == ["walk up", "walk down"]


def test_the_start_form_takes_over_hand_labels(page: LabelPage, home: Path) -> None:
    labelled(page, "walk up")
    form = start_form.initial_form(home, {"data": "walks", "labels": start_form.HAND_LABELS})
    assert len(read_labels(Path(form["labels"]))[0]) == 1
    assert Path(form["labels"]).name in form["parts"]["labels-note"] and form["values"]["data"] == "walks"
    assert start_form.initial_form(home, {"data": "walks", "labels": "/etc/hostname"})["labels"] == ""


def test_the_guidance_follows_the_measurements() -> None:
    for kind, rows in WARM_UP_RESULTS.items():
        assert [row.labels for row in rows] == sorted(row.labels for row in rows) and target_label_count(kind) == rows[
            -1
        ].labels
        sentences = [describe_label_progress(row.labels, kind) for row in rows]
        assert len(set(sentences)) == len(rows) and all(sentences)
        assert describe_label_progress(rows[-1].labels + 1, kind) == sentences[-1]


def test_used_actions_are_escaped_and_the_rest_counted() -> None:
    html = used_actions(["<b>", *(f"word {index}" for index in range(20)), "word 3"])
    assert "&lt;b&gt;" in html and "<b>" not in html
    assert html.index("word 3<") < html.index("&lt;b&gt;") and "and 9 more" in html
