"""The tiny unified models behave as unified.py describes the real ones: ids of images, logits of ids, gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import unified
from diffusers import VQModel
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from transformers import (
    AutoModelForCausalLM,
    AutoProcessor,
    AutoTokenizer,
    Emu3ForConditionalGeneration,
    JanusForConditionalGeneration,
)

# The language model's layers and nothing else: "all-linear" would also take the vision tower and the image heads.
LAYERS = {
    "liquid": r".*\.layers\.\d+\.(self_attn|mlp)\.\w+_proj",
    "janus": r".*language_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj",
    "emu3": r".*text_model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj",
}


def picture(side: int, seed: int = 0) -> Image.Image:
    """Random 4 x 4 patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return Image.fromarray(patches).resize((side, side), Image.Resampling.NEAREST)


def with_adapter(model: torch.nn.Module, name: str) -> PeftModel:
    model.requires_grad_(False)
    return get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=LAYERS[name]), adapter_name="fwm")


def gradient_reaches_the_adapter_alone(model: PeftModel, loss: torch.Tensor) -> None:
    loss.backward()
    reached = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    # B starts at 0, so the gradient of A is 0 until the first step.
    assert reached == {name for name, _ in model.named_parameters() if ".lora_B.fwm." in name}
    assert len(reached) == 2 * 7  # layers x matrices
    model.zero_grad()


# --- Liquid ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def liquid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unified.build_liquid(tmp_path_factory.mktemp("unified") / "liquid")


def test_liquid_has_its_codes_after_its_words(liquid: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(liquid)
    model = AutoModelForCausalLM.from_pretrained(liquid)
    assert model.config.vocab_size == len(tokenizer) + unified.CODES
    boi, eoi = tokenizer.convert_tokens_to_ids(["<boi>", "<eoi>"])
    assert max(boi, eoi) < len(tokenizer)
    asked = tokenizer("<boi><eoi>\nmake it red").input_ids
    assert asked[:3] == [tokenizer.bos_token_id, boi, eoi]
    said = tokenizer.apply_chat_template(
        [{"role": "user", "content": "<boi><eoi>\nhi"}], tokenize=False, add_generation_prompt=True
    )
    assert said == "<bos><start_of_turn>user\n<boi><eoi>\nhi<end_of_turn>\n<start_of_turn>model\n"


def test_liquid_is_trained_through_the_codes_logits(liquid: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(liquid)
    vq = VQModel.from_pretrained(liquid / "codec")
    pixels = torch.from_numpy(np.asarray(picture(32))).permute(2, 0, 1)[None].float() / 127.5 - 1
    codes = vq.quantize(vq.encode(pixels).latents)[2][2]
    assert codes.shape == (16,)
    offset = len(tokenizer)
    model = with_adapter(AutoModelForCausalLM.from_pretrained(liquid), "liquid")
    boi = tokenizer.convert_tokens_to_ids("<boi>")
    ids = torch.tensor([[*tokenizer("make it red").input_ids, boi, *(codes + offset).tolist()]])
    base = model.get_base_model()
    hidden = base.base_model(input_ids=ids).last_hidden_state[:, -17:-1]
    logits = hidden @ base.lm_head.weight[offset:].T
    torch.testing.assert_close(logits, model(input_ids=ids).logits[:, -17:-1, offset:])
    scores = logits.log_softmax(-1).gather(-1, codes[None, :, None])
    gradient_reaches_the_adapter_alone(model, -scores.mean())


# --- Janus -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def janus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unified.build_janus(tmp_path_factory.mktemp("unified") / "janus")


def janus_prompt(model: JanusForConditionalGeneration, asked: dict[str, torch.Tensor]) -> torch.Tensor:
    """The embeddings (1, T, hidden) of a prompt, with the vision tower's features at the placeholders."""
    embedded = model.get_input_embeddings()(asked["input_ids"])
    features = model.model.get_image_features(asked["pixel_values"]).pooler_output
    places = (asked["input_ids"] == model.config.image_token_id).unsqueeze(-1).expand_as(embedded)
    return embedded.masked_scatter(places, features.to(embedded.dtype))


def test_janus_reads_by_features_and_answers_in_words(janus: Path) -> None:
    processor = AutoProcessor.from_pretrained(janus)
    model = JanusForConditionalGeneration.from_pretrained(janus)
    asked = processor(text="<image_placeholder>\nwhat?", images=picture(64), return_tensors="pt")
    assert (asked["input_ids"] == model.config.image_token_id).sum() == 16
    peft = with_adapter(model, "janus")
    logits = peft(**asked).logits
    hidden = model.model.language_model(inputs_embeds=janus_prompt(model, asked)).last_hidden_state
    torch.testing.assert_close(model.lm_head(hidden), logits)
    gradient_reaches_the_adapter_alone(peft, -logits[:, -1].log_softmax(-1)[0, 5])


def test_janus_draws_by_its_generation_head(janus: Path) -> None:
    processor = AutoProcessor.from_pretrained(janus)
    model = JanusForConditionalGeneration.from_pretrained(janus)
    asked = processor(
        text="<|User|>: <image_placeholder>\nmake it red\n\n<|Assistant|>:<begin_of_image>",
        images=picture(64),
        return_tensors="pt",
    )
    with torch.no_grad():
        ids = unified.janus_ids(model, asked["pixel_values"])
    assert ids.shape == (1, 16)
    peft = with_adapter(model, "janus")
    prompt = janus_prompt(model, asked)
    drawn = model.prepare_embeddings_for_image_generation(ids[:, :-1])
    hidden = model.model.language_model(inputs_embeds=torch.cat([prompt, drawn], dim=1)).last_hidden_state[:, -16:]
    logits = model.model.generation_head(hidden)
    assert logits.shape == (1, 16, unified.CODES)
    with torch.no_grad():  # one token at a time, with a cache
        out = model.model.language_model(inputs_embeds=prompt, use_cache=True)
        for i in range(16):
            step = model.model.generation_head(out.last_hidden_state[:, -1])
            torch.testing.assert_close(step, logits[:, i], atol=1e-4, rtol=1e-4)
            entered = model.prepare_embeddings_for_image_generation(ids[:, i : i + 1])
            out = model.model.language_model(inputs_embeds=entered, past_key_values=out.past_key_values, use_cache=True)
    gradient_reaches_the_adapter_alone(peft, -logits.log_softmax(-1).gather(-1, ids.unsqueeze(-1)).mean())


def test_janus_ids_are_those_whose_directions_lie_nearest(janus: Path) -> None:
    model = JanusForConditionalGeneration.from_pretrained(janus)
    vq = model.model.vqmodel
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        ids = unified.janus_ids(model, pixels)
        latents = vq.quant_conv(vq.encoder(pixels)).flatten(2).transpose(1, 2)
        directions = torch.nn.functional.normalize(vq.quantize.embedding.weight, dim=-1)
        nearest = torch.cdist(torch.nn.functional.normalize(latents, dim=-1), directions).argmin(dim=-1)
        assert torch.equal(ids, nearest)
        drawn = model.decode_image_tokens(ids)
    assert drawn.shape == (1, 64, 64, 3)
    # With vectors of different lengths, angle and distance give different codes.
    vq.quantize.embedding.weight.data *= torch.linspace(0.1, 10, unified.CODES)[:, None]
    with torch.no_grad():
        assert torch.equal(unified.janus_ids(model, pixels), ids)
        assert not torch.equal(vq.encode(pixels).image_tokens.view(1, -1), ids)


# --- Emu3 ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emu3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unified.build_emu3(tmp_path_factory.mktemp("unified") / "emu3")


def test_emu3_has_its_codes_in_its_vocabulary(emu3: Path) -> None:
    processor = AutoProcessor.from_pretrained(emu3)
    model = Emu3ForConditionalGeneration.from_pretrained(emu3)
    tokenizer, mapping = processor.tokenizer, model.vocabulary_mapping
    first = tokenizer.convert_tokens_to_ids("<|visual token 000000|>")
    assert mapping.image_tokens == list(range(first, first + unified.CODES))
    assert first + unified.CODES == model.config.text_config.vocab_size
    pixels = processor.image_processor(picture(32), return_tensors="pt")
    with torch.no_grad():
        ids = model.model.get_image_tokens(pixels["pixel_values"], pixels["image_sizes"]).view(4, 5)
        assert set(ids[:, -1].tolist()) == {tokenizer.convert_tokens_to_ids("<|extra_200|>")} == {mapping.eol_token_id}
        assert (ids[:, :-1] >= first).all()
        codes = model.model.vqmodel.encode(pixels["pixel_values"], pixels["image_sizes"]).image_tokens[0]
        assert torch.equal(ids[:, :-1] - first, codes)
        closed = torch.cat([ids.flatten(), ids.new_zeros(3)])[None]
        drawn = model.decode_image_tokens(image_tokens=closed, height=4, width=4)
        assert drawn.shape == (1, 3, 32, 32)
        torch.testing.assert_close(drawn, model.model.vqmodel.decode(codes[None]))
    asked = processor(text="<image>hi", images=picture(32), return_tensors="pt")["input_ids"][0]
    assert tokenizer.decode(asked) == (
        "<|extra_203|><|image start|>4*4<|image token|>" + "<image>" * 20 + "<|extra_201|><|image end|>hi"
    )


def test_emu3_is_trained_through_the_visual_tokens_logits(emu3: Path) -> None:
    processor = AutoProcessor.from_pretrained(emu3)
    model = Emu3ForConditionalGeneration.from_pretrained(emu3)
    pixels = processor.image_processor(picture(32), return_tensors="pt")
    with torch.no_grad():
        frame = model.model.get_image_tokens(pixels["pixel_values"], pixels["image_sizes"])
    prompt = processor.tokenizer("<|extra_203|>make it red<|image start|>4*4<|image token|>").input_ids
    peft = with_adapter(model, "emu3")
    ids = torch.tensor([[*prompt, *frame.tolist()]])
    hidden = model.model.text_model(input_ids=ids).last_hidden_state[:, len(prompt) - 1 : -1]
    first = model.vocabulary_mapping.image_tokens[0]
    chosen = frame != model.vocabulary_mapping.eol_token_id  # ends of lines are forced
    logits = hidden[:, chosen] @ model.lm_head.weight[first:].T
    torch.testing.assert_close(logits, peft(input_ids=ids).logits[:, len(prompt) - 1 : -1][:, chosen][..., first:])
    # The placeholders of a prompt stand for the same ids.
    asked = processor(text="<image>hi", images=picture(32), return_tensors="pt")
    known = asked["input_ids"].clone()
    known[known == model.vocabulary_mapping.image_token_id] = frame.long()  # they come as int32
    with torch.no_grad():
        torch.testing.assert_close(model(**asked).logits, model(input_ids=known).logits)
    scores = logits.log_softmax(-1).gather(-1, (frame[chosen] - first)[None, :, None])
    gradient_reaches_the_adapter_alone(peft, -scores.mean())


def test_emu3s_image_tokenizer_must_stay_in_eval_mode(emu3: Path) -> None:
    model = Emu3ForConditionalGeneration.from_pretrained(emu3)
    pixels = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sizes = torch.tensor([[32, 32]])

    def latents() -> torch.Tensor:
        with torch.no_grad():
            return model.model.vqmodel.encode(pixels, sizes).last_hidden_state

    still = latents()
    torch.testing.assert_close(latents(), still)
    model.train()  # its batch norms then use the statistics of the batch and overwrite the learnt ones
    assert (latents() - still).abs().max() > 1e-3
    model.eval()
    assert (latents() - still).abs().max() > 1e-6


# --- all -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["liquid", "janus", "emu3"])
def test_an_adapter_is_stored_and_loaded_again(name: str, request, tmp_path: Path) -> None:
    folder = request.getfixturevalue(name)
    classes = {"janus": JanusForConditionalGeneration, "emu3": Emu3ForConditionalGeneration}
    load = classes.get(name, AutoModelForCausalLM).from_pretrained
    peft = with_adapter(load(folder), name)
    for key, weight in peft.named_parameters():
        if "lora_B" in key:
            weight.data.normal_(std=0.2, generator=torch.Generator().manual_seed(0))
    peft.save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(load(folder), tmp_path / "fwm", adapter_name="fwm").eval()
    ids = torch.arange(4, 12)[None]
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids).logits, peft.eval()(input_ids=ids).logits)
        with again.disable_adapter():
            assert (again(input_ids=ids).logits - peft(input_ids=ids).logits).abs().max() > 1e-3
