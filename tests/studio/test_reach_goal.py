"""Reach a goal on Play: what the page's requests are answered, with models that follow the rules of the worlds."""

from __future__ import annotations

import base64
import io
import json
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from picture_model import PictureModel
from PIL import Image

from studio.components.play.reach_goal import ReachGoal
from studio.pages.play import PlayPage
from studio.services import goal_searches, inference
from studio.services.inference import shared_models
from swirl import models, pictures
from swirl.errors import SwirlError
from swirl.models import LogProb
from swirl.sources.collections.catalog import delete_collection, import_collection, load_sequences
from swirl.states import State
from swirl.worlds import blocks_rules
from tests.planning.rules_model import RulesModel


class PlanningRules(RulesModel):
    """Follows the rules of Household; of `wrong`, it believes that it happens in another room."""

    device, codec, wrong = "cpu", None, ""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def after(self, state: State, action: str) -> State:
        after = super().after(state, action)
        if self.wrong and action == self.wrong and after != state:
            return State(after.text.replace("kitchen dark", "kitchen lit", 1))
        return after

    def unload(self) -> None:
        pass


class PlanningBlocks(PictureModel):
    """Follows the rules of Blocks, but makes pushed things disappear."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.codec.decode_states = lambda answers: [self.codec.decode_state(ids) for ids in answers]

    def sample_next_states(
        self, states: Sequence[State], actions: Sequence[str], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[State]]:
        rng = random.Random(seed)
        return [
            [self._after(state, action) for action in rng.choices(blocks_rules.actions(self.board(state)), k=n)]
            for state in states
        ]

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]:
        return [[found.action] * n for found in self.infer(transitions)]

    def inverse_log_prob(
        self, states: Sequence[State], next_states: Sequence[State], actions: Sequence[str]
    ) -> list[LogProb]:
        return [LogProb(-0.1, 4)] * len(states)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReachGoal]:
    """The mode over an empty home, with a model of texts, `reader`, and one of pictures, `seer`."""
    monkeypatch.setattr(
        models,
        "load_world_model",
        lambda home, name: (PlanningBlocks if name == "seer" else PlanningRules)(name),
        raising=False,
    )
    monkeypatch.setattr(inference, "ready_models", lambda: ["seer", "reader"])
    monkeypatch.setattr(inference, "checkpoint_kind", lambda folder: "image" if folder.name == "seer" else "text")
    yield ReachGoal(tmp_path / "home")
    shared_models(tmp_path / "home").only_offered = False


def begun(page: ReachGoal, data: str = "household", sequence: int = 1, step: int = 1) -> dict[str, Any]:
    """What the browser sends along: a path that has just begun, and where."""
    answer = PlayPage(page.home).begin({"data": data, "sequence": sequence, "step": step})
    return {"path": {"nodes": [{"parent": None, "action": "", "state": answer["state"]}], "at": 0}, **answer}


def searched(page: ReachGoal, request: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """A search to its end: its name, and all news of it."""
    news = [page.seek(request)]
    while not news[-1]["finished"]:
        news.append(page.advance({"search": news[0]["search"]}))
    return news[0]["search"], news


def content(saved: dict[str, str]) -> bytes:
    return base64.b64decode(saved["address"].partition(",")[2])


def test_later_states_are_offered_by_what_must_change_for_them(page: ReachGoal) -> None:
    at = begun(page)
    offered = page.goals({**at, "state": at["path"]["nodes"][0]["state"]})
    html = offered["parts"]["goals"]
    states = load_sequences(page.home, "household")[0].states
    others = [number for number, state in enumerate(states) if state != states[0]]
    assert offered["later"] == len(others) == html.count('type="radio"') == html.count("<small>+")
    assert html.count(" checked") == 1 and "<ins>" in html
    assert offered["most"] == 1000 and offered["drops"] is True


def test_a_text_of_ones_own_has_no_later_states(page: ReachGoal) -> None:
    own = {"path": {"nodes": [{"parent": None, "action": "", "state": "you are in hall."}], "at": 0}}
    assert page.goals(own | {"state": "you are in hall."})["later"] == 0
    with pytest.raises(SwirlError, match="began in no sequence that is here"):
        page.seek(own | {"by": "step", "step": 3})


def test_a_path_outlives_its_collection(page: ReachGoal, tmp_path: Path) -> None:
    file = tmp_path / "houses.jsonl"
    held = DARK_HALL.replace("cup in hall, lying", "cup in hall, held")
    file.write_text(json.dumps({"id": "h", "states": [DARK_HALL, held]}) + "\n")
    import_collection(page.home, file, "houses")
    wanted = {**begun(page, "houses"), "state": DARK_HALL, "by": "words", "goal": "cup in hall, held"}
    name, _ = searched(page, wanted)
    delete_collection(page.home, "houses")
    assert page.goals(wanted)["later"] == 0 and page.goals(wanted)["parts"]["goals"] == ""
    with pytest.raises(SwirlError, match="began in no sequence that is here"):
        page.seek({**wanted, "by": "step", "step": 1})
    for search in (name, searched(page, {**wanted, "data": "household"})[0]):
        shown = page.found({"search": search})
        assert "Reached in imagination" in shown["parts"]["verdicts"] and shown["real"] is False
        assert "houses is not here any more" in shown["parts"]["plan-note"]


def test_a_search_grows_reaches_the_goal_and_comes_true(page: ReachGoal) -> None:
    at = begun(page, sequence=2)
    name, news = searched(page, {**at, "by": "step", "step": 3, "budget": 250})
    assert news[0]["nodes"][0][:2] == [0, None] and news[0]["path"] == [[0, ""]]
    numbers = [node[0] for answer in news for node in answer["nodes"]]
    assert set(numbers) == set(range(max(numbers) + 1)), "each new state is told once, none is left out"
    assert "away from the goal" in news[0]["words"] and "step" in news[-1]["words"]
    shown = page.found({"search": name})
    assert "Reached in imagination" in shown["parts"]["verdicts"] and shown["real"] and not shown["done"]
    assert len(shown["steps"]) == len(news[-1]["path"]) - 1
    assert "for real" not in shown["parts"]["plan"] and "the last state is this one" in shown["parts"]["plan"]
    real = page.carry_out({"search": name})
    assert "reached for real, and every state came as imagined" in real["parts"]["verdicts"] and real["done"]
    assert real["parts"]["plan"].count("✓ as imagined") == len(shown["steps"]) + 1
    assert page.advance({"search": name})["nodes"] == [], "what was carried out stays the plan"
    assert real["again"] is False
    with pytest.raises(SwirlError, match="made again where the truth is not as imagined"):
        page.replan({"search": name})


DARK_HALL = (
    "you are in hall. key in hall, lying. cup in hall, lying. book in kitchen, lying. box in hall, lying, shut. "
    "chest in cellar, shut. cellar door shut. kitchen dark. cellar dark. attic dark."
)


@pytest.fixture
def mistaken(page: ReachGoal, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished search whose plan is to take the cup, as that would light the kitchen."""
    monkeypatch.setattr(PlanningRules, "wrong", "take the cup")
    path = {"nodes": [{"parent": None, "action": "", "state": DARK_HALL}], "at": 0}
    goal = DARK_HALL.replace("cup in hall, lying", "cup in hall, held").replace("kitchen dark", "kitchen lit")
    return searched(page, {"path": path, "data": "household", "by": "edit", "goal": goal, "budget": 250})[0]


def test_a_plan_that_failed_is_made_again_from_where_it_parted(page: ReachGoal, mistaken: str) -> None:
    with pytest.raises(SwirlError, match="Do this plan for real first"):
        page.replan({"search": mistaken})
    assert page.found({"search": mistaken})["again"] is False
    assert page.carry_out({"search": mistaken})["again"] is True
    news = page.replan({"search": mistaken})
    name = news["search"]
    while not news["finished"]:
        news = page.advance({"search": name})
    shown = page.found({"search": name})
    strip = shown["parts"]["plan"]
    assert "Reached in imagination, in 3 more steps." in shown["parts"]["verdicts"]
    assert shown["steps"][0]["action"] == "take the cup" and len(shown["steps"]) == 4
    assert shown["steps"][0]["state"] == DARK_HALL.replace("cup in hall, lying", "cup in hall, held"), "the true state"
    assert strip.count("planned again") == 1 and strip.count("✕ parts here") == 1 and strip.count("for real") == 1
    real = page.carry_out({"search": name})
    assert "reached for real" in real["parts"]["verdicts"] and real["again"] is False
    assert real["parts"]["plan"].count("✓ as imagined") == 3
    lines = content(page.save_plan({"search": name, "form": "jsonl"})).decode().splitlines()
    planned, true = map(json.loads, lines)
    assert planned["states"] == true["states"] and len(planned["states"]) == 5 and len(planned["read_back"]) == 4


def test_where_imagination_and_truth_part_is_marked(page: ReachGoal, mistaken: str) -> None:
    shown = page.carry_out({"search": mistaken})["parts"]
    assert "Imagination and truth part at step 1, and the goal was not reached: it is 1 word away" in shown["verdicts"]
    assert shown["plan"].count("✕ parts here") == 1 and "✓ as imagined" in shown["plan"]


def test_steps_taken_before_are_done_for_real_first(page: ReachGoal) -> None:
    at = begun(page, sequence=2)
    model = PlanningRules("reader")
    here = State(at["path"]["nodes"][0]["state"])
    action = next(z for z in model.effective(here) if z.startswith("go to"))
    at["path"]["nodes"].append({"parent": 0, "action": action, "state": model.after(here, action).text})
    at["path"]["at"] = 1
    name, _ = searched(page, {**at, "by": "edit", "goal": here.text, "budget": 250})
    assert "every state came as imagined" in page.carry_out({"search": name})["parts"]["verdicts"]


def test_words_are_a_goal(page: ReachGoal) -> None:
    at = begun(page)
    name, news = searched(page, {**at, "by": "words", "goal": "You are in attic ; ", "budget": 250})
    assert news[-1]["words"].endswith("away") and page.found({"search": name})["steps"]
    line = json.loads(content(page.save_plan({"search": name, "form": "jsonl"})).splitlines()[0])
    assert line["goal"] == "a state in which “You are in attic”"
    assert "you are in attic" in line["states"][-1]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"by": "words", "goal": " ; "}, "Write the words that the state shall have"),
        ({"by": "edit", "goal": "  "}, "Write the state that you want to reach"),
        ({"by": "edit", "goal": "x" * 9000}, "shorten it to 8000"),
        ({"by": "picture", "goal": ""}, "Drop a picture first"),
    ],
)
def test_a_missing_goal_is_named(page: ReachGoal, wanted: dict[str, str], words: str) -> None:
    with pytest.raises(SwirlError, match=words):
        page.seek({**begun(page), **wanted})


def test_texts_and_pictures_are_no_goals_for_each_other(page: ReachGoal) -> None:
    picture = begun(page, "blocks")["path"]["nodes"][0]["state"]
    with pytest.raises(SwirlError, match="The state is a text, so the goal must be one"):
        page.seek({**begun(page), "by": "picture", "goal": picture})
    with pytest.raises(SwirlError, match="The state is a picture, so the goal must be one"):
        page.seek({**begun(page, "blocks"), "by": "words", "goal": "red"})


def test_a_forgotten_search_is_named(page: ReachGoal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goal_searches, "MAX_SEARCHES", 1)
    request = {**begun(page), "by": "step", "step": 1}
    first = page.seek(request)["search"]
    page.seek(request)
    with pytest.raises(SwirlError, match="does not remember this search any more; search again"):
        page.advance({"search": first})


def test_between_two_batches_others_ask_the_model(page: ReachGoal) -> None:
    name = page.seek({**begun(page, sequence=2), "by": "step", "step": 4})["search"]
    page.advance({"search": name})
    lock = shared_models(page.home).lock
    asked = threading.Thread(target=lambda: lock.__enter__() or lock.__exit__(None, None, None))
    asked.start()
    asked.join(5)
    assert not asked.is_alive()


def test_a_search_goes_on_with_a_model_that_was_loaded_anew(page: ReachGoal) -> None:
    name = page.seek({**begun(page, sequence=2), "by": "step", "step": 3})["search"]
    before = page.searches.find(name).search.model
    shared_models(page.home).unload()
    page.advance({"search": name})
    search = page.searches.find(name).search
    assert search.model is not before and search.proposer.proposer.model is search.model


def test_pictures_are_searched_done_for_real_and_saved(page: ReachGoal) -> None:
    at = begun(page, "blocks")
    name, _ = searched(page, {**at, "by": "step", "step": 1, "budget": 250})
    shown = page.found({"search": name})
    assert "Reached in imagination" in shown["parts"]["verdicts"] and "<img" in shown["parts"]["plan"]
    assert all(step["state"].startswith("picture:") for step in shown["steps"])
    alone = Image.open(io.BytesIO(content(page.save_plan({"search": name, "form": "gif"}))))
    real = page.carry_out({"search": name})["parts"]
    assert "The goal was reached for real" in real["verdicts"] and real["plan"].count("<small>for real") == 2
    both = Image.open(io.BytesIO(content(page.save_plan({"search": name, "form": "gif"}))))
    assert both.height > 2 * alone.height - 1 and both.n_frames == 2
    lines = [json.loads(line) for line in content(page.save_plan({"search": name, "form": "jsonl"})).splitlines()]
    assert [line["id"] for line in lines] == ["plan", "plan-real"] and lines[0]["reached"] is True
    assert lines[0]["actions"] == lines[1]["actions"] and len(lines[1]["states"]) == 2
    with pytest.raises(SwirlError, match="cannot be saved as"):
        page.save_plan({"search": name, "form": "exe"})


def test_a_dropped_picture_is_a_goal(page: ReachGoal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    file = tmp_path / "uploads" / "goal.png"
    file.write_bytes(pictures.read_picture_bytes(load_sequences(page.home, "blocks")[0].states[1].picture))
    dropped = page.drop_picture({"path": str(file)})
    assert "<img" in dropped["parts"]["goal-picture"]
    name, _ = searched(page, {**begun(page, "blocks"), "by": "picture", "goal": dropped["state"], "budget": 250})
    assert "Reached in imagination" in page.found({"search": name})["parts"]["verdicts"]
    file.write_bytes(b"no picture")
    with pytest.raises(SwirlError, match=r"goal\.png is not a complete image"):
        page.drop_picture({"path": str(file)})


def test_a_goal_that_is_there_already_needs_no_plan(page: ReachGoal) -> None:
    at = begun(page)
    name, news = searched(page, {**at, "by": "edit", "goal": at["path"]["nodes"][0]["state"]})
    shown = page.found({"search": name})
    assert len(news) == 1 and "The state is the goal already" in shown["parts"]["verdicts"]
    assert shown["steps"] == [] and shown["real"] is False and shown["parts"]["plan"] == ""


def test_a_demonstration_has_a_small_budget_and_no_heavy_simulators(page: ReachGoal) -> None:
    shared_models(page.home).only_offered = True
    at = begun(page)
    assert page.goals({**at, "state": at["path"]["nodes"][0]["state"]})["most"] == 100
    name = page.seek({**at, "by": "step", "step": 3, "budget": 1500})["search"]
    assert page.searches.find(name).search.settings.budget == 100
    assert page.searches.why_not_real("household") == "" == page.searches.why_not_real("blocks")
    for data in ("scienceworld", "miniwob"):
        assert "does not run in a demonstration; install SWIRL Studio" in page.searches.why_not_real(data)


def test_without_a_simulator_there_is_one_sentence(page: ReachGoal, home: Path) -> None:
    assert "were not recorded from a simulator" in ReachGoal(home).searches.why_not_real("walks")
