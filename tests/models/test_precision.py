"""bfloat16 base weights on a CPU that has instructions for it; adapters, image codecs and small models stay float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import unified
from safetensors import safe_open

from swirl import devices
from swirl.models import load_world_model, precision
from swirl.models.model_sizes import ModelShape, estimate_phase_memory
from swirl.models.placement import pick_dtype
from swirl.models.world_model import WorldModel
from swirl.settings import Settings
from swirl.states import State
from swirl.worlds.blocks import Blocks

CPU = torch.device("cpu")
LARGE, SMALL = 135_000_000, 600_000
X86 = "processor\t: 0\nflags\t\t: fpu avx512f {}\n\nprocessor\t: 1\nflags\t\t: fpu\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\nCPU implementer\t: 0x41\n"


@pytest.fixture(autouse=True)
def forget_the_cpu() -> Iterator[None]:
    devices.cpu_multiplies_bfloat16.cache_clear()
    yield
    devices.cpu_multiplies_bfloat16.cache_clear()


@pytest.fixture
def fast_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU with instructions for bfloat16, on which no model is small."""
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "SMALL_MODEL_PARAMETERS", 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (X86.format("avx512_bf16"), True),
        (X86.format("amx_tile amx_bf16"), True),
        (X86.format("avx512_vnni"), False),
        (ARM.format("bf16 i8mm"), True),
        (ARM.format("asimdhp"), False),
        ("", False),
    ],
)
def test_the_instructions_are_read_from_the_list_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(devices, "CPU_INFO", tmp_path / "cpuinfo")
    assert devices.cpu_multiplies_bfloat16() is found


def test_without_such_a_list_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "CPU_INFO", tmp_path / "missing")
    assert devices.cpu_multiplies_bfloat16() is False


def test_only_large_models_on_such_a_cpu_get_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: True)
    assert pick_dtype(CPU, "auto", LARGE) == torch.bfloat16
    assert pick_dtype(CPU, "auto", SMALL) == torch.float32
    assert pick_dtype(torch.device("mps"), "auto", LARGE) == torch.float32
    assert pick_dtype(CPU, "float32", LARGE) == torch.float32
    assert pick_dtype(CPU, "bfloat16", SMALL) == torch.bfloat16
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    assert pick_dtype(CPU, "auto", LARGE) == torch.float32


def test_the_estimate_of_memory_counts_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = ModelShape(LARGE, 30, 576, 1536, 192, 49_152, 0, 0, 0)

    def weights_and_activations(name: str) -> tuple[int, int]:
        estimate = estimate_phase_memory(shape, Settings(precision=name), "forward", "cpu", 100)
        return estimate.weights, estimate.activations

    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: True)
    half = weights_and_activations("auto")
    assert half == weights_and_activations("bfloat16")
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    full = weights_and_activations("auto")
    assert full == weights_and_activations("float32")
    assert full[0] == pytest.approx(2 * half[0], rel=0.01)


def formats(world: WorldModel) -> tuple[set[torch.dtype], set[torch.dtype]]:
    """The number formats of the base's and of the adapters' parameters."""
    named = list(world.model.named_parameters())
    base, adapters = ([p.dtype for n, p in named if ("lora_" in n) is wanted] for wanted in (False, True))
    return set(base), set(adapters)


def test_adapters_are_float32_when_made_saved_and_loaded(tiny_base: Path, tmp_path: Path, fast_cpu: None) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu")
    assert formats(world) == ({torch.bfloat16}, {torch.float32})
    assert world.describe()["precision"] == "bfloat16"
    torch.manual_seed(0)
    for name, parameter in world.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    world.save(tmp_path / "saved")
    with safe_open(tmp_path / "saved" / "idm" / "adapter_model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float32}  # noqa: SIM118
    again = load_world_model(tmp_path, str(tmp_path / "saved"), "cpu")
    assert formats(again) == ({torch.bfloat16}, {torch.float32})
    rows = [State("you are in hall.")], ["go"], [State("you are in kitchen.")]
    assert again.forward_log_prob(*rows) == world.forward_log_prob(*rows)
    exact = load_world_model(tmp_path, str(tmp_path / "saved"), "cpu", "float32")
    assert formats(exact) == ({torch.float32}, {torch.float32})
    tokens = world.forward_log_prob(*rows)[0].tokens
    assert world.forward_log_prob(*rows)[0].total == pytest.approx(
        exact.forward_log_prob(*rows)[0].total, abs=0.05 * tokens
    )


@pytest.mark.parametrize("build", [unified.build_liquid, unified.build_janus, unified.build_emu3])
def test_an_image_codec_stays_float32_beside_a_bfloat16_model(build, tmp_path: Path, fast_cpu: None) -> None:
    folder = build(tmp_path / "model")
    half, full = (load_world_model(tmp_path, str(folder), "cpu", name, lora_rank=4) for name in ("auto", "float32"))
    assert (half.describe()["precision"], full.describe()["precision"]) == ("bfloat16", "float32")
    state, next_state = Blocks().episode(3, 1).states[:2]
    assert half.codec.encode_state(state) == full.codec.encode_state(state)
    half.max_action_tokens = 4
    assert half.infer([(state, next_state)], alternatives=1)[0].action is not None
    scores = [world.forward_log_prob([state], ["go"], [next_state])[0] for world in (half, full)]
    assert scores[0].tokens == scores[1].tokens == 16
    assert scores[0].total == pytest.approx(scores[1].total, rel=0.02)


def test_the_formats_in_words() -> None:
    assert precision.describe_precision("bfloat16") == "bfloat16 base weights, float32 adapters"
    assert precision.describe_precision("4bit") == "four-bit base weights, float32 adapters"
    assert precision.describe_precision("float32") == "float32 weights"
