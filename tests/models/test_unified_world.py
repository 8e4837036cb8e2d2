"""Tiny random Liquid, Janus and Emu3 models as world models: loading, prompts, sampling, scoring, saving."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import unified

from swirl import pictures
from swirl.errors import SwirlError
from swirl.models import load_world_model
from swirl.models.checkpoints import checkpoint_kind
from swirl.models.generation import SamplingConfig
from swirl.models.world_model import WorldModel
from swirl.states import State
from swirl.worlds.blocks import Blocks

BUILDERS = {"liquid": unified.build_liquid, "janus": unified.build_janus, "emu3": unified.build_emu3}


@pytest.fixture(scope="module", params=sorted(BUILDERS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return BUILDERS[request.param](tmp_path_factory.mktemp("unified") / request.param)


@pytest.fixture(scope="module")
def world(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> WorldModel:
    loaded = load_world_model(tmp_path_factory.mktemp("home"), str(folder), "cpu", lora_rank=4)
    loaded.max_action_tokens = 6
    torch.manual_seed(1)
    for name, parameter in loaded.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    return loaded


@pytest.fixture(scope="module")
def states() -> list[State]:
    return Blocks().episode(3, 4).states


def test_it_is_a_model_of_pictures(folder: Path, world: WorldModel) -> None:
    side = 64 if folder.name == "janus" else 32
    assert checkpoint_kind(folder) == world.kind == "image"
    assert (world.codec.grid, world.codec.size, world.codec.codebook_size) == ((4, 4), (side, side), unified.CODES)
    adapted = {name.split(".lora_")[0] for name, _ in world.model.named_parameters() if ".lora_A.fwm." in name}
    assert len(adapted) == 2 * 7  # the language model's layers x matrices, nothing else
    assert all(".layers." in name and "vision" not in name and "vqmodel" not in name for name in adapted)


def test_a_frame_is_its_codes_and_is_drawn_from_them(world: WorldModel, states: list[State]) -> None:
    ids = world.codec.encode_state(states[0])
    assert len(ids) == 16
    assert all(world.codec.offset <= token < world.codec.offset + unified.CODES for token in ids)
    drawn = world.codec.decode_state(world.state_completion(states[0]))
    assert pictures.pixels(drawn.picture).shape == (*world.codec.size, 3)
    assert world.codec.encode_state(drawn) == ids == world.codec.to_prompt_state(world.state_completion(states[0]))
    world.model.train()  # where batch norms would use the statistics of the batch
    world.codec._frame_ids.clear()
    world.codec.prepare(states[1:])
    again = world.codec.encode_state(states[0])
    redrawn = world.codec.decode_state(ids)
    world.model.eval()
    assert (again, redrawn) == (ids, drawn)


def test_prompts_follow_the_format_of_the_model(folder: Path, world: WorldModel, states: list[State]) -> None:
    ids = world.codec.encode_state(states[0])
    row_end = world.codec.row_end
    shift = unified.CODES if folder.name == "janus" else 0
    shown = world.codec.to_prompt_ids(ids)
    assert [token - shift for token in shown if token != row_end] == ids

    def written(prompt: list[int]) -> str:
        text = "".join(map(chr, prompt))
        for state in states[:2]:
            read = "".join(map(chr, world.codec.to_prompt_ids(world.codec.encode_state(state))))
            assert text.count(read) <= 1
            text = text.replace(read, "\0")
        parts = [world.tokenizer.decode(list(map(ord, part))) for part in text.split("\0")]
        return "PICTURE".join(parts)

    expected = {
        "liquid": (
            "<bos><start_of_turn>user\n<boi>PICTURE<eoi>\nShow the picture after this action: go<end_of_turn>\n"
            "<start_of_turn>model\n<boi>",
            "<bos><start_of_turn>user\n<boi>PICTURE<eoi><boi>PICTURE<eoi>\nWhich",
            "<end_of_turn>\n<start_of_turn>model\n",
        ),
        "janus": (
            "<|begin▁of▁sentence|><|User|>: <begin_of_image>PICTURE<end_of_image>\nShow the picture after this action: "
            "go\n\n<|Assistant|>:<begin_of_image>",
            "<|begin▁of▁sentence|><|User|>: <begin_of_image>PICTURE<end_of_image><begin_of_image>PICTURE<end_of_image>"
            "\nWhich",
            "\n\n<|Assistant|>:",
        ),
        "emu3": (
            "<|extra_203|>You are a helpful assistant. USER: <|image start|>4*4<|image token|>PICTURE<|extra_201|>"
            "<|image end|>\nShow the picture after this action: go ASSISTANT:<|image start|>4*4<|image token|>",
            "<|extra_203|>You are a helpful assistant. USER: <|image start|>4*4<|image token|>PICTURE<|extra_201|>"
            "<|image end|><|image start|>4*4<|image token|>PICTURE<|extra_201|><|image end|>\nWhich",
            " ASSISTANT:",
        ),
    }[folder.name]
    assert written(world.layout.forward_prompt(states[0], "go")) == expected[0]
    asked = written(world.layout.inverse_prompt(states[0], states[1]))
    assert asked.startswith(expected[1]) and asked.endswith(expected[2])
    assert "PICTURE" not in written(world.layout.prompt_without_state("go"))
    prior = written(world.layout.prompt_without_next_state(states[0]))
    assert prior.count("PICTURE") == 1 and prior.endswith(asked[asked.index("\nWhich") :])


def test_answers_are_of_one_kind_and_pictures_whole(world: WorldModel, states: list[State]) -> None:
    first, row_end = world.codec.offset, world.codec.row_end
    prompts = [world.layout.forward_prompt(state, "paint it blue") for state in states[:2]]
    drawn = world.sample("fwm", prompts, 3, SamplingConfig(99, temperature=5.0), answer="state")
    assert len({tuple(row) for row in drawn}) == 6
    for row in drawn:
        codes = world.codec.to_prompt_state(row)
        assert len(codes) == 16 and all(first <= token < first + unified.CODES for token in codes)
        assert row == world.codec.to_completion_ids(codes)
        assert len(row) == (20 if row_end else 16)
    asked = [world.layout.inverse_prompt(x, y) for x, y in pairwise(states)]
    words = world.sample("idm", asked, 3, SamplingConfig(9, temperature=5.0), answer="action")
    assert all(token < first for row in words for token in row)


def reference_log_prob(world: WorldModel, prompt: list[int], answer: list[int]) -> float:
    """log P of a frame, computed with the calls of the published classes."""
    base = world.model.get_base_model()
    kind, first = base.config.model_type, world.codec.offset
    with world.activate_adapter("fwm"), torch.no_grad():
        if kind != "janus":
            logits = base(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1]
            scores = logits[:, first : first + unified.CODES].log_softmax(-1)
            rows = [(i, token - first) for i, token in enumerate(answer) if token != world.codec.row_end]
            return sum(scores[i, code].item() for i, code in rows)
        placeholder = base.config.image_token_id
        ids = [placeholder if token >= first else token for token in prompt]
        read = [token - first - unified.CODES for token in prompt if token >= first]
        pixels = base.model.vqmodel.decode(torch.tensor([read])).clamp(-1, 1)
        embedded = base.get_input_embeddings()(torch.tensor([ids]))
        seen = base.model.get_image_features(pixels).pooler_output
        embedded[0, [i for i, token in enumerate(ids) if token == placeholder]] = seen[0]
        codes = torch.tensor([[token - first for token in answer]])
        entered = base.prepare_embeddings_for_image_generation(codes[:, :-1])
        hidden = base.model.language_model(inputs_embeds=torch.cat([embedded, entered], 1)).last_hidden_state
        scores = base.model.generation_head(hidden[:, len(prompt) - 1 :]).log_softmax(-1)
        return scores.gather(-1, codes.unsqueeze(-1)).sum().item()


def test_probabilities_are_the_published_models(world: WorldModel, states: list[State]) -> None:
    prompt, answer = world.layout.forward_prompt(states[0], "remove it"), world.state_completion(states[1])
    (score,) = world.log_prob("fwm", [prompt], [answer], answer="state")
    assert score.tokens == 16
    assert score.total == pytest.approx(reference_log_prob(world, prompt, answer), abs=1e-3)
    # A batch of different lengths gives the same result.
    others = [prompt, world.layout.forward_prompt(states[1], "a much longer action than the first"), prompt]
    together = world.log_prob("fwm", others, [answer] * 3, answer="state")
    assert together[0].total == pytest.approx(score.total, abs=1e-3)
    assert together[1].total != pytest.approx(score.total, abs=1e-3)
    with pytest.raises(ValueError, match="outside"):
        world.log_prob("fwm", [prompt], [world.completion("words")], answer="state")


def test_sampling_follows_the_probabilities(world: WorldModel, states: list[State]) -> None:
    """Each token of the greedy answer, sampled with a cache, is the likeliest one when scored without a cache."""
    prompt = world.layout.forward_prompt(states[0], "go")
    (row,) = world.sample("fwm", [prompt], 1, SamplingConfig(99, 0.0), answer="state")
    total = world.log_prob("fwm", [prompt], [row], answer="state")[0].total
    first, row_end = world.codec.offset, world.codec.row_end
    for place in (0, 5, 13, len(row) - 1):
        if row[place] == row_end:
            continue
        others = [[*row[:place], first + code, *row[place + 1 :]] for code in range(0, unified.CODES, 7)]
        until = [other[: place + 1] for other in others]
        best = world.log_prob("fwm", [prompt], [row[: place + 1]], answer="state")[0].total
        scores = world.log_prob("fwm", [prompt] * len(until), until, answer="state")
        assert all(score.total <= best + 1e-4 for score in scores)
    assert total < 0


def test_it_infers_and_imagines(world: WorldModel, states: list[State]) -> None:
    found = world.infer(list(pairwise(states))[:2], alternatives=2)
    assert len(found) == 2 and found[0].log_prob < 0
    predictions = world.imagine(states[0], "move it up", n=2)
    assert [p.score for p in predictions] == sorted((p.score for p in predictions), reverse=True)
    assert all(pictures.pixels(p.state.picture).shape == (*world.codec.size, 3) for p in predictions)
    assert world.log_prob_without_state(["go"], states[:1])[0].tokens == 16
    assert len(world.suggest_actions(states[0], 1)) <= 1
    with pytest.raises(SwirlError, match="reads pictures"):
        world.infer([(State("a text"), states[0])])


def test_what_is_saved_is_loaded(world: WorldModel, states: list[State], tmp_path: Path) -> None:
    expected = world.forward_log_prob(states[:1], ["go"], states[1:2])[0].total
    for with_base in (False, True):
        world.save(tmp_path / "one", with_base=with_base)
        assert checkpoint_kind(tmp_path / "one") == "image"
        shutil.move(tmp_path / "one", tmp_path / f"two-{with_base}")
        again = load_world_model(tmp_path, str(tmp_path / f"two-{with_base}"), "cpu")
        assert again.codec.encode_state(states[2]) == world.codec.encode_state(states[2])
        assert again.forward_log_prob(states[:1], ["go"], states[1:2])[0].total == pytest.approx(expected, abs=1e-4)
        assert again.codec.reconstruct(states[0]) == world.codec.reconstruct(states[0])


def test_frames_of_any_shape_become_square(world: WorldModel) -> None:
    wide = State(picture=pictures.from_pixels(np.full((90, 160, 3), 200, np.uint8)))
    assert len(world.codec.encode_state(wide)) == 16


def test_pictures_are_coded_by_angle_in_janus(tmp_path: Path, states: list[State]) -> None:
    world = load_world_model(tmp_path, str(unified.build_janus(tmp_path / "janus")), "cpu", lora_rank=2)
    images = world.codec.image_tokenizer
    before = world.codec.encode_state(states[0])
    images.vq.quantize.embedding.weight.data *= torch.linspace(0.1, 10, unified.CODES)[:, None]
    world.codec._frame_ids.clear()
    assert world.codec.encode_state(states[0]) == before


def test_what_a_model_lacks_is_named(tmp_path: Path) -> None:
    liquid = unified.build_liquid(tmp_path / "liquid")
    shutil.rmtree(liquid / "codec")
    assert checkpoint_kind(liquid) == "text"
    with pytest.raises(SwirlError, match=r"has no image codec; name a folder.*python -m swirl.codecs.vqgan_conversion"):
        load_world_model(tmp_path, str(liquid), "cpu")
    emu3 = unified.build_emu3(tmp_path / "emu3")
    config = json.loads((emu3 / "config.json").read_text())
    a, b = "<|visual token 000003|>", "<|visual token 000004|>"
    codes = config["vocabulary_map"]
    codes[a], codes[b] = codes[b], codes[a]
    (emu3 / "config.json").write_text(json.dumps(config))
    with pytest.raises(SwirlError, match="not consecutive ids"):
        load_world_model(tmp_path, str(emu3), "cpu")
    (emu3 / "processor_config.json").unlink()
    codes[a], codes[b] = codes[b], codes[a]
    (emu3 / "config.json").write_text(json.dumps(config))
    with pytest.raises(SwirlError, match=r"image processor of the model .*emu3 cannot be loaded"):
        load_world_model(tmp_path, str(emu3), "cpu")
