"""What the Play page answers."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from studio.components.play.futures import distinct_futures
from studio.pages.play import LONGEST_ACTION, LONGEST_STATE, PlayPage
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.models import Prediction
from swirl.states import State

STATE = "you are in hall. cup in hall, lying."


@pytest.fixture
def page(home: Path, loaded: list) -> PlayPage:
    return PlayPage(home)


def test_it_begins_where_explore_was(page: PlayPage) -> None:
    begun = page.begin({"data": "walks", "sequence": "1", "step": "2"})
    assert begun["state"].startswith("you are in attic")
    assert 'value="walks"' in begun["options"]
    assert page.begin({"own": "  a state of mine. \n"})["state"] == "  a state of mine. \n"


def test_a_start_that_is_not_there_is_named_beside_those_that_are(page: PlayPage) -> None:
    for asked, words in (({"data": "gone"}, "There is no collection 'gone'"), ({"own": " "}, "Write or paste a state")):
        begun = page.begin(asked)
        assert begun["error"].startswith(words) and 'value="walks"' in begun["options"] and "state" not in begun


def test_imagine_merges_equal_samples_and_marks_the_best(page: PlayPage) -> None:
    answer = page.imagine({"state": STATE, "action": " go  to attic ", "n": 4, "seed": 0})
    assert answer["action"] == "go to attic"
    assert [(f["score"], f["times"]) for f in answer["futures"]] == [(-0.2, 3), (-3.0, 1)]
    html = answer["parts"]["futures"]
    assert html.count('class="future best"') == 1 and "3 of 4 samples" in html and '<ins class="forward">attic' in html
    assert answer["parts"]["title"] == "Two imagined futures"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"state": STATE, "action": "  "}, "Choose an action first: type one"),
        ({"state": STATE, "action": "x" * (LONGEST_ACTION + 1)}, "keep it to a phrase of at most"),
        ({"state": "", "action": "go"}, "state first"),
        ({"state": "x" * (LONGEST_STATE + 1), "action": "go"}, "shorten"),
        ({}, "state first"),
    ],
)
def test_mistakes_are_named(page: PlayPage, request_: dict, words: str) -> None:
    with pytest.raises(SwirlError, match=words):
        page.imagine(request_)


def test_suggestions_are_numbered_escaped_and_asked_once(page: PlayPage, loaded: list, monkeypatch) -> None:
    html = page.suggest({"state": STATE})["parts"]["suggestions"]
    assert "<kbd>1</kbd>go to attic" in html and "&lt;hall&gt;" in html
    monkeypatch.setattr(type(loaded[0]), "suggest_actions", lambda *a, **k: ["something else"])
    assert page.suggest({"state": STATE})["parts"]["suggestions"] == html


def test_draw_restores_a_kept_path_with_its_futures(page: PlayPage) -> None:
    path = {
        "nodes": [
            {"parent": None, "action": "", "state": STATE},
            {"parent": 0, "action": "go to attic", "state": STATE.replace("hall", "attic", 1)},
        ],
        "at": 1,
    }
    futures = [{"state": STATE, "score": -0.1, "times": 2}, {"state": 3}, "junk"]
    parts = page.draw({"path": path, "action": "go to hall", "futures": futures})["parts"]
    assert parts["where"] == "state 2" and parts["title"] == "One imagined future"
    assert '<ins class="forward">attic</ins>' in parts["stage"] and parts["path"].count('class="node"') == 2
    assert "go to hall" in parts["futures"]
    assert "Type or pick an action" in page.draw({"path": path})["parts"]["futures"]


def test_distinct_futures_are_ranked_by_score() -> None:
    drawn = [("a", -2.0), ("b", -1.0), ("a", -2.0)]
    found = distinct_futures([Prediction(State(text), score, 0.0) for text, score in drawn])
    assert [(f.state, f.times) for f in found] == [("b", 1), ("a", 2)]


def test_without_best_of_n_the_first_drawn_comes_first(page: PlayPage) -> None:
    drawn = [Prediction(State(text), score, 0.0) for text, score in (("a", -2.0), ("b", -1.0), ("a", -2.0))]
    assert [(f.state, f.times) for f in distinct_futures(drawn, ranked=False)] == [("a", 2), ("b", 1)]
    asked = {"state": STATE, "action": "go to attic", "n": 4, "seed": 0}
    assert "best <kbd>" in page.imagine(asked)["parts"]["futures"]
    assert "first <kbd>" in page.imagine(asked | {"best": False})["parts"]["futures"]


def test_what_was_imagined_ahead_is_at_hand(page: PlayPage, loaded: list, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"state": STATE, "action": "go to attic", "n": "4", "seed": 0}
    page.suggest(asked)
    assert page.prepare(asked) == {}
    monkeypatch.setattr(type(loaded[0]), "imagine", None)
    assert page.imagine(asked)["futures"]


def test_nothing_is_imagined_ahead_by_models_that_were_unloaded(page: PlayPage, loaded: list) -> None:
    asked = {"state": STATE, "action": "go to attic", "n": "4", "seed": 0}
    page.suggest(asked)
    models = shared_models(page.home)
    models.unload()
    assert page.prepare(asked) == {} and models.loaded() == []
    assert page.imagine(asked)["futures"] and models.loaded(), "what is asked for is answered"


def test_a_second_model_gets_the_same_action_and_seed(page: PlayPage, loaded: list) -> None:
    name = page.models({"kind": "text"})["options"].split('"')[1]
    answer = page.imagine({"state": STATE, "action": "go", "n": 2, "seed": 3, "rival": name})
    assert answer["rivals"] == answer["futures"]
    assert f'<h3 class="by">{name}</h3>' in answer["parts"]["futures"]


def test_a_path_of_texts_is_saved_with_its_actions(page: PlayPage) -> None:
    nodes = [{"parent": None, "action": "", "state": STATE}, {"parent": 0, "action": "look", "state": "two."}]
    saved = page.save({"path": {"nodes": nodes, "at": 1}, "form": "jsonl", "name": "../p"})
    line = json.loads(base64.b64decode(saved["address"].partition(",")[2]))
    assert saved["name"] == "p.jsonl"
    assert line == {"id": "p", "states": [STATE, "two."], "actions": ["look"]}
    saved = page.save({"path": {"nodes": nodes, "at": 1}, "form": "parquet", "name": "p"})
    table = pq.read_table(io.BytesIO(base64.b64decode(saved["address"].partition(",")[2])))
    place = {"episode": "p", "episode_index": 0}
    assert saved["name"] == "p.parquet" and table.to_pylist() == [
        {**place, "frame_index": 0, "state": STATE, "action": "look"},
        {**place, "frame_index": 1, "state": "two.", "action": None},
    ]
    with pytest.raises(SwirlError, match="cannot be saved as"):
        page.save({"path": {"nodes": nodes, "at": 1}, "form": "exe"})
