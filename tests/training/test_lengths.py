"""Transitions that are too long for a run: which are left out, and the limits that would take most of them."""

from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from swirl.errors import UsageError
from swirl.history import History
from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.presets import PRESETS
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.sources.collections.importing import import_collection
from swirl.states import LabelledTransition, State, Transition
from swirl.training.length_check import check_label_lengths, check_lengths, sample_labels, tokenizer_folder
from swirl.training.lengths import TransitionLengths, drop_too_long, drop_too_long_labels, measure_lengths
from swirl.training.run_start import load_labels, record_left_out, training_transitions
from swirl.worlds.blocks import Blocks


@pytest.fixture(scope="module")
def world(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    return load_world_model(tmp_path_factory.mktemp("home"), str(tiny_base), "cpu", "float32")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the collection `talk`, whose states have from 5 to 43 words."""
    source = tmp_path / "talk.jsonl"
    rows = [{"id": f"s{i}", "states": ["hall " * (n + 5), "hall " * n + "lit"]} for i, n in enumerate(range(40))]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_collection(tmp_path / "home", source, "talk")
    return tmp_path / "home"


def transitions(*lengths: int) -> list[Transition]:
    """Transitions whose states have about so many words."""
    return [Transition("s", i, State("hall " * n + "lit"), State("hall " * n)) for i, n in enumerate(lengths)]


def test_the_error_names_the_lengths_and_a_limit_that_works(world: WorldModel) -> None:
    rows = transitions(*range(40, 60))
    settings = Settings().replace({"data": "talk", "max_state_tokens": 16})
    with pytest.raises(UsageError, match="No transition of 'talk' is short enough") as caught:
        drop_too_long(world, rows, settings)
    sentence = str(caught.value)
    longest = [len(world.state_completion(row.state)) for row in rows]
    assert f"from {min(longest)} to {max(longest)} tokens" in sentence
    limit = sorted(longest)[18]
    assert f"max_state_tokens={limit} takes 95 % of them" in sentence
    assert caught.value.advised_changes == {"max_state_tokens": limit}
    kept, left_out = drop_too_long(world, rows, settings.replace(caught.value.advised_changes))
    assert len(kept) == 19 and left_out is not None
    assert (left_out.too_long, left_out.total, left_out.suggested_limits) == (1, 20, {})


def test_pictures_are_counted_by_the_first_and_encoded_when_they_are_needed(
    tiny_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = load_world_model(tmp_path, str(tiny_pictures), "cpu", "float32")
    frames = Blocks().episode(3, 30).states
    rows = [Transition("s", i, a, b) for i, (a, b) in enumerate(pairwise(frames))]
    encoded: list[int] = []
    encode = type(world.codec.image_tokenizer).encode
    monkeypatch.setattr(
        type(world.codec.image_tokenizer),
        "encode",
        lambda self, images: encoded.append(len(images)) or encode(self, images),
    )
    settings = Settings(data="frames")
    kept, left_out = drop_too_long(world, rows, settings)
    assert (len(kept), left_out, sum(encoded)) == (30, None, 2)
    lengths = measure_lengths(world, rows, settings)
    for length, prompt, row in zip(lengths.states, lengths.prompts, rows, strict=True):
        assert length == len(world.state_completion(row.next_state))
        assert prompt == len(world.layout.inverse_prompt(row.state, row.next_state)) + settings.max_action_tokens
    with pytest.raises(UsageError, match="No transition of 'frames' is short enough"):
        drop_too_long(world, rows, settings.replace({"max_state_tokens": 2}))


def test_what_is_left_out_is_logged_and_stored_with_the_limit(
    world: WorldModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings, history = Settings().replace({"data": "talk", "max_state_tokens": 64}), History(tmp_path)
    run_id = history.create_run(preset=None, settings=settings.to_dict())
    kept, left_out = drop_too_long(world, transitions(5, 200), settings)
    with caplog.at_level(logging.WARNING):
        record_left_out(history, run_id, left_out)
    assert len(kept) == 1
    assert "1 of 2 transitions are too long" in caplog.text and "takes 95 % of them" in caplog.text
    run = history.run(run_id)
    assert left_out is not None and run.left_out == left_out.sentence
    assert run.advised_changes == left_out.suggested_limits != {}
    caplog.clear()
    kept, left_out = drop_too_long(world, transitions(5, 6), settings)
    record_left_out(history, run_id, left_out)
    assert len(kept) == 2 and left_out is None
    assert caplog.text == "" and history.run(run_id).left_out is None


def test_few_that_are_left_out_are_no_matter_for_the_run(world: WorldModel, tmp_path: Path) -> None:
    settings, history = Settings().replace({"data": "talk", "max_state_tokens": 64}), History(tmp_path)
    run_id = history.create_run(preset=None, settings=settings.to_dict())
    record_left_out(history, run_id, drop_too_long(world, transitions(*[5] * 39, 200), settings)[1])
    run = history.run(run_id)
    assert (run.left_out, run.advised_changes) == (None, {})


def test_both_limits_are_named_where_both_are_too_low() -> None:
    settings = Settings().replace({"max_state_tokens": 16, "max_prompt_tokens": 32})
    lengths = TransitionLengths([30, 40], [70, 90])
    assert "max_state_tokens=40 and max_prompt_tokens=90 takes 95 %" in lengths.describe(settings)
    assert lengths.suggest_limits(settings) == {"max_state_tokens": 40, "max_prompt_tokens": 90}


def labels(*actions: str, words: int = 5) -> list[LabelledTransition]:
    """Labels whose states have about so many words, with these actions."""
    return [LabelledTransition(State("hall " * words + "lit"), action, State("hall " * words)) for action in actions]


def write_labels(file: Path, rows: list[LabelledTransition]) -> str:
    lines = [{"state": row.state.text, "action": row.action, "next_state": row.next_state.text} for row in rows]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(file)


def test_labels_are_within_the_limits_of_transitions_and_of_actions(world: WorldModel) -> None:
    settings = Settings(labels="my.jsonl", max_action_tokens=4, max_state_tokens=32)
    short, wordy = labels("go", "take"), labels(*["go to the hall and wait there"] * 3)
    kept, left_out = drop_too_long_labels(world, [*short, *wordy, *labels("go", words=200)], settings)
    assert kept == short and left_out is not None and (left_out.too_long, left_out.total) == (4, 6)
    assert left_out.sentence.startswith("4 of 6 labels are too long and are left out: states have from ")
    needed = len(world.completion(wordy[0].action))
    assert f"actions up to {needed}, and max_state_tokens=32, max_prompt_tokens=4096, max_action_tokens=4" in (
        left_out.sentence
    )
    assert left_out.suggested_limits["max_action_tokens"] == needed
    with pytest.raises(UsageError, match=r"No label of 'my.jsonl' is short enough for this run") as caught:
        drop_too_long_labels(world, wordy, settings)
    assert caught.value.advised_changes == {"max_action_tokens": needed}
    assert drop_too_long_labels(world, wordy, settings.replace(caught.value.advised_changes)) == (wordy, None)
    assert drop_too_long_labels(world, short, settings) == (short, None)


def test_a_longer_action_needs_a_longer_prompt() -> None:
    settings = Settings(max_action_tokens=4, max_prompt_tokens=32)
    lengths = TransitionLengths([9, 9], [30, 30], [3, 8])
    assert lengths.suggest_limits(settings) == {"max_prompt_tokens": 34, "max_action_tokens": 8}


def test_what_is_left_out_of_both_is_stored_together(world: WorldModel, tmp_path: Path) -> None:
    settings = Settings().replace(
        {"data": "talk", "labels": "my.jsonl", "max_state_tokens": 64, "max_action_tokens": 2}
    )
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=settings.to_dict())
    rows = drop_too_long(world, transitions(5, 200), settings)[1]
    own = drop_too_long_labels(world, [*labels("go"), *labels("go to the hall", words=100)], settings)[1]
    assert rows is not None and own is not None
    record_left_out(history, run_id, rows, own)
    run = history.run(run_id)
    assert run.left_out == f"{rows.sentence} {own.sentence}"
    assert run.advised_changes == rows.suggested_limits | {
        "max_action_tokens": own.suggested_limits["max_action_tokens"]
    }
    assert rows.suggested_limits["max_state_tokens"] > own.suggested_limits["max_state_tokens"]


SHORT_RUN = {
    "data": "talk",
    "device": "cpu",
    "iterations": 0,
    "warm_up_epochs": 2,
    "warm_up_batch_size": 4,
    "max_state_tokens": 64,
    "held_out": 2,
}


@pytest.mark.slow
def test_the_warm_up_takes_the_labels_that_fit(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    rows = [*labels(*["go"] * 8), *labels(*["go to the hall and wait there"] * 40), *labels("go", words=200)]
    settings = Settings().replace(
        {
            **SHORT_RUN,
            "model": str(tiny_base),
            "labels": write_labels(tmp_path / "l.jsonl", rows),
            "max_action_tokens": 4,
        }
    )
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.train_in_foreground(home, run_id)
    history = History(home)
    run = history.run(run_id)
    assert run.status == "finished" and run.left_out is not None and "41 of 49 labels are too long" in run.left_out
    # Two epochs of two batches for each of the two models.
    assert [phase.steps for phase in history.phases(run_id)] == [8]
    assert [m.step for m in history.metrics(run_id, ["loss"])] == list(range(1, 9))


def test_a_run_whose_labels_are_all_too_long_says_so(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    file = write_labels(tmp_path / "l.jsonl", labels("go to the hall and wait there"))
    settings = Settings().replace({**SHORT_RUN, "model": str(tiny_base), "labels": file, "max_action_tokens": 4})
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.train_in_foreground(home, run_id)
    run = History(home).run(run_id)
    assert run.status == "failed" and run.error is not None and run.error.startswith(f"No label of {file!r} is short")
    assert set(run.advised_changes) == {"max_action_tokens"}
    unused = jobs.create_foreground_run(home, preset=None, settings=settings.replace({"warm_up_epochs": 0}))
    jobs.train_in_foreground(home, unused)
    assert History(home).run(unused).status == "finished", "labels that nobody reads are of no matter"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_takes_short_transitions(name: str, world: WorldModel) -> None:
    settings = PRESETS[name].settings
    rows = transitions(5, 60)
    assert drop_too_long(world, rows, settings) == (rows, None)


def test_the_papers_limits_are_of_prompts_without_the_action() -> None:
    settings = PRESETS["qwen2.5-3b-paper"].settings
    lengths = TransitionLengths([2000, 2000], [4096 + settings.max_action_tokens, 4097 + settings.max_action_tokens])
    assert lengths.fits(settings) == [True, False]


def test_a_failed_run_keeps_the_limits_that_let_another_one_start(home: Path, tiny_base: Path) -> None:
    settings = Settings(model=str(tiny_base), data="talk", max_state_tokens=2, device="cpu")
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.train_in_foreground(home, run_id)
    run = History(home).run(run_id)
    assert run.status == "failed" and run.error is not None and "is short enough" in run.error
    assert set(run.advised_changes) == {"max_state_tokens"} and run.advised_changes["max_state_tokens"] > 2


def test_the_check_before_the_start_counts_as_the_run_does(home: Path, tiny_base: Path) -> None:
    for model in (str(tiny_base), "tiny-household"):
        settings = Settings(model=model, data="talk", max_state_tokens=20)
        tokenizer = tokenizer_folder(home, settings)
        assert tokenizer is not None
        found = check_lengths(home, settings, tokenizer)
        world = load_world_model(home, model, "cpu", "float32")
        rows = training_transitions(home, settings)
        lengths = measure_lengths(world, rows, settings)
        assert found is not None and found.lengths == lengths.describe(settings)
        assert (found.too_long, found.total) == (lengths.fits(settings).count(False), len(rows))
        assert check_lengths(home, settings.replace({"max_state_tokens": max(lengths.states)}), tokenizer) is None


def test_the_check_before_the_start_counts_labels_as_the_run_does(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    rows = [*labels("go", "take"), *labels(*["go to the hall and wait there"] * 3), *labels("go", words=200)]
    file = write_labels(tmp_path / "my.jsonl", rows)
    settings = Settings(model=str(tiny_base), data="talk", labels=file, max_action_tokens=4, max_state_tokens=32)
    found = check_label_lengths(home, settings, tiny_base)
    _, by_the_run = drop_too_long_labels(load_world_model(home, str(tiny_base), "cpu", "float32"), rows, settings)
    assert found == by_the_run and found is not None and found.too_long == 4
    assert check_label_lengths(home, settings.replace({"warm_up_epochs": 0}), tiny_base) is None  # they are not used
    assert check_label_lengths(home, settings.replace({"labels": None}), tiny_base) is None
    write_labels(tmp_path / "my.jsonl", rows[:2])
    assert check_label_lengths(home, settings, tiny_base) is None  # the file is read again


def test_labels_of_another_kind_than_the_collection_are_refused(home: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "room.png")
    (tmp_path / "my.jsonl").write_text('{"state": "room.png", "action": "go", "next_state": "room.png"}\n')
    settings = Settings(data="talk", labels=str(tmp_path / "my.jsonl"))
    for load in (sample_labels, load_labels):
        with pytest.raises(UsageError, match=r"1 of 1 labels of \S+my.jsonl have pictures .* talk contains texts"):
            load(home, settings)


def test_the_check_is_left_to_the_run_where_it_has_no_tokenizer(home: Path) -> None:
    assert tokenizer_folder(home, Settings(model="tiny-blocks", data="blocks")) is None
    assert tokenizer_folder(home, Settings(model="Qwen/Qwen2.5-0.5B-Instruct", data="talk")) is None
