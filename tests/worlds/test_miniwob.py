"""MiniWoB++: reading pages into widgets without a browser, and replaying the shipped sample in one."""

from __future__ import annotations

import json
import random

import pytest

from swirl.errors import SwirlError
from swirl.paths import assets
from swirl.sources.collections.catalog import load_sequences
from swirl.worlds import miniwob, registry
from swirl.worlds.base import HELD_OUT_SEED, episode_seed
from swirl.worlds.miniwob_page import Widget, format_page, parse_widgets

NEEDS = {world.name: world.needs for world in registry.world_infos()}["miniwob"]


def element(ref, parent, tag, text="", value="", classes=""):
    """An element of `dom_elements` with the keys that are read."""
    return {"ref": ref, "parent": parent, "tag": tag, "text": text, "value": value, "classes": classes}


FORM = [
    element(1, 0, "body"),
    element(5, 1, "label"),
    element(6, 5, "input_checkbox", value=True),
    element(-1, 5, "t", "zeaq"),
    element(7, 1, "input_radio", value=False),
    element(8, 1, "label", "Username"),
    element(9, 1, "input_text", value="ada"),
    element(10, 1, "input_password"),
    element(11, 1, "li", classes="ui-tab ui-tabs-active"),
    element(12, 11, "a", "Tab #1", classes="ui-tabs-anchor"),
    element(13, 1, "h3", "Section #1", classes="ui-accordion-header ui-accordion-header-collapsed"),
    element(14, 1, "button", "Submit"),
]


def test_a_page_is_read_into_its_widgets():
    assert format_page(parse_widgets(FORM)) == (
        'checkbox "zeaq": on; option "1": off; field "Username": "ada"; field "2": ""; tab "Tab #1": open; '
        'section "Section #1": closed.'
    )


def test_actions_name_their_widget_and_never_a_text_node():
    found = parse_widgets(FORM)
    assert all(widget.ref > 0 for widget in found)
    words = {deed.words for seed in range(40) for deed in miniwob.list_actions(found, random.Random(seed))}
    assert {'click the checkbox "zeaq"', 'click the option "1"', 'press backspace in the field "Username"'} <= words
    assert 'type "dog" into the field "2"' in words and not any("Submit" in action for action in words)
    assert 'press backspace in the field "2"' not in words  # the field is empty


def test_a_full_field_is_only_shortened():
    full = [Widget("field", "1", 3, '"abcdefgh"')]
    assert [deed.words for deed in miniwob.list_actions(full, random.Random(0))] == ['press backspace in the field "1"']


def test_without_a_browser_it_says_what_it_needs(monkeypatch, tmp_path):
    monkeypatch.setattr(miniwob.shutil, "which", lambda name: None)
    needs = {world.name: world.needs for world in registry.world_infos()}
    assert "chromium-driver" in needs["miniwob"]
    with pytest.raises(SwirlError, match="MiniWoB\\+\\+ is not ready"):
        registry.record("miniwob", tmp_path / "out", sequences=1, length=1, seed=0)


@pytest.mark.slow
@pytest.mark.skipif(bool(NEEDS), reason=NEEDS or "ready")
def test_a_browser_plays_the_sample_again_and_other_tasks_for_held_out_seeds(tmp_path):
    card = json.loads((assets() / "collections" / "miniwob" / "collection.json").read_text(encoding="utf-8"))
    assert card["license"] == "MIT" and "--sequences 42 --length 10 --seed 7" in card["recorded_with"]
    shipped = load_sequences(tmp_path, "miniwob")
    lines = (assets() / "collections" / "miniwob" / "actions.jsonl").read_text(encoding="utf-8").splitlines()
    with registry.open_world("miniwob") as world:
        process = world.env.instance.driver.service.process
        for index in (0, 3, 4):
            episode = world.episode(episode_seed(7, index), 10)
            assert list(shipped[index].states) == episode.states
            assert json.loads(lines[index])["actions"] == episode.actions
        opened = []
        inside, world._open = world._open, lambda task, seed: opened.append(task) or inside(task, seed)
        world.episode(episode_seed(HELD_OUT_SEED, 1), 1)
        assert opened == ["click-tab-2-hard"] and not set(miniwob.HELD_OUT_TASKS) & set(miniwob.TASKS)
    assert process.poll() is not None  # the driver has ended, and the browser with it
