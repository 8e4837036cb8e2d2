"""Will a run fit? What it needs, what its device has, and which settings bring it down, before anything is loaded.

The sum is that of `swirl.models.memory_estimate`; the model's sizes come from its config.json, the states'
from the data, read with the model's own tokenizer. Nothing here needs torch, and nothing is fetched from anywhere.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from swirl import devices
from swirl.codecs import CODEC_FOLDER
from swirl.history import History
from swirl.models import model_sizes
from swirl.models.checkpoint_files import EMU3, JANUS_1B, JANUS_7B, MANIFEST, read_manifest
from swirl.models.checkpoints import base_source
from swirl.models.checkpoints import resolve_checkpoint as resolve
from swirl.models.memory_estimate import MemoryEstimate, estimate_memory
from swirl.models.model_sizes import QUESTION_TOKENS, ModelShape
from swirl.settings import DIRECTIONS, Direction, Settings
from swirl.training.diagnostics import setting_key

COMFORTABLE_SHARE = 0.85  # share of the room that a run may take and be called fitting
SAMPLED_STATES = 400  # states read to find the longest
CHARACTERS = 3  # that one token stands for, at the least, where its tokenizer is not known
SMALLEST_GROUP = 4
# The sizes of models that presets name, told before they are on this machine.
PUBLISHED = {
    JANUS_1B: model_sizes.JANUS_PRO_1B,
    JANUS_7B: model_sizes.JANUS_PRO_7B,
    EMU3: model_sizes.EMU3_8B,
    "Qwen/Qwen2.5-0.5B-Instruct": ModelShape(494_000_000, 24, 896, 4864, 128, 151_936, 0, 0, 0),
    "Qwen/Qwen2.5-3B-Instruct": ModelShape(3_090_000_000, 36, 2048, 11_008, 256, 151_936, 0, 0, 0),
}


@dataclass(frozen=True)
class MemoryFit:
    """What a run needs on its device, in bytes, in the phase that needs most, and the `room` it finds there.

    Where that is too little, `changes` are settings that together bring it down to `after`; they may not suffice.
    """

    device: str
    phase: str
    needed: MemoryEstimate
    available_bytes: int
    suggested_changes: dict[str, Any] = field(default_factory=dict)
    bytes_after_changes: int | None = None

    @property
    def fits(self) -> bool:
        """Whether it fits at all."""
        return self.needed.total <= self.available_bytes

    @property
    def is_tight(self) -> bool:
        """Whether it fits with so little to spare that the estimate's error matters."""
        return self.fits and self.needed.total > COMFORTABLE_SHARE * self.available_bytes

    @property
    def fits_after_changes(self) -> bool:
        """Whether the changes make it fit."""
        return self.bytes_after_changes is not None and self.bytes_after_changes <= self.available_bytes


def check_memory(home: Path, settings: Settings) -> MemoryFit | None:
    """How a run of these settings would fit on the device it would get; None where the model's sizes are not known."""
    shape = model_shape(home, settings.model)
    if shape is None:
        return None
    device = devices.candidate_devices(settings.device)[0]
    longest = longest_state_tokens(home, settings)
    room = available_memory(home, device)
    phase, needed = heaviest(shape, settings, device, longest)
    found = MemoryFit(device, phase, needed, room)
    return found if needed.total <= COMFORTABLE_SHARE * room else suggest_changes(found, shape, settings, longest)


def available_memory(home: Path, device: str) -> int:
    """Bytes that a run will find: all of a GPU, or what of the main memory others leave once its turn has come."""
    if device.startswith("cuda:"):
        index = device.removeprefix("cuda:")
        return next((gpu.memory_total for gpu in devices.gpus() if gpu.index == index), 0)
    used, total = devices.memory_usage()
    # A run that trains there now has ended by then.
    leaving = sum(run.memory_bytes or 0 for run in History(home).training_runs() if run.device == device)
    return total - max(0, used - leaving)


def heaviest(shape: ModelShape, settings: Settings, device: str, longest: int) -> tuple[str, MemoryEstimate]:
    """The phase that needs most, and what it needs."""
    phases = {direction: estimate_phase_memory(shape, settings, direction, device, longest) for direction in DIRECTIONS}
    return max(phases.items(), key=lambda item: item[1].total)


def estimate_phase_memory(
    shape: ModelShape, settings: Settings, direction: Direction, device: str, longest: int
) -> MemoryEstimate:
    """What one direction's phases need; answers are reckoned as long as the settings let them become."""
    phase, gpu = settings.for_phase(direction), device.startswith("cuda")
    state = shape.frame_tokens or longest
    prompt = (state + phase.max_action_tokens if direction == "forward" else 2 * state) + QUESTION_TOKENS
    answer = (shape.frame_tokens or phase.max_state_tokens) if direction == "forward" else phase.max_action_tokens
    found = estimate_memory(
        parameters=shape.parameters,
        layers=shape.layers,
        hidden=shape.hidden,
        vocabulary=shape.codebook_size if shape.codebook_size and direction == "forward" else shape.words,
        prompts=phase.batch_size,
        group_size=phase.group_size,
        prompt_tokens=min(prompt, phase.max_prompt_tokens),
        completion_tokens=answer,
        micro_batches=phase.accumulation,
        bits={"4bit": 4, "float32": 32, "bfloat16": 16}.get(phase.precision, 16 if gpu else 32),
        key_value_width=shape.key_value_width,
        inner=shape.inner,
        lora_rank=phase.lora_rank,
        outside=shape.vision_parameters,
        checkpointing=gpu,
    )
    if gpu or phase.precision == "bfloat16":
        return found
    # Elsewhere activations and cache are numbers of four bytes, not of two.
    return replace(found, activations=2 * found.activations, cache=2 * found.cache)


def suggest_changes(found: MemoryFit, shape: ModelShape, settings: Settings, longest: int) -> MemoryFit:
    """The same with the changes that make it fit, one after the other, those that alter the method least first."""
    changes: dict[str, Any] = {}
    phase, memory = found.phase, found.needed
    while memory.total > COMFORTABLE_SHARE * found.available_bytes:
        steps = (settings.replace(step) for step in memory_saving_changes(settings, phase, found.device, longest))
        helpful = ((step, *heaviest(shape, step, found.device, longest)) for step in steps)
        best = next((step for step in helpful if step[2].total < 0.98 * memory.total), None)
        if best is None:
            break
        before = settings.to_dict()
        settings, phase, memory = best
        changes |= {name: value for name, value in settings.to_dict().items() if before.get(name) != value}
    return replace(found, suggested_changes=changes, bytes_after_changes=memory.total) if changes else found


def memory_saving_changes(settings: Settings, direction: str, device: str, longest: int) -> list[dict[str, Any]]:
    """Single changes that may need less memory in a phase, the one that alters the method least first."""
    phase = settings.for_phase(direction)  # type: ignore[arg-type]
    changes: list[dict[str, Any]] = []
    parts = [n for n in range(2 * phase.accumulation, phase.batch_size + 1) if phase.batch_size % n == 0]
    if parts:
        changes.append({setting_key(settings, direction, "accumulation"): parts[0]})
    answer = "max_state_tokens" if direction == "forward" else "max_action_tokens"
    half = getattr(phase, answer) // 2
    if half >= (longest if direction == "forward" else 16):
        changes.append({answer: half})
    if phase.group_size > SMALLEST_GROUP:
        changes.append({setting_key(settings, direction, "group_size"): max(SMALLEST_GROUP, phase.group_size // 2)})
    if device.startswith("cuda") and settings.precision != "4bit" and importlib.util.find_spec("bitsandbytes"):
        changes.append({"precision": "4bit"})
    if phase.batch_size > 1 and phase.batch_size % 2 == 0:
        batch = phase.batch_size // 2
        halved = {setting_key(settings, direction, "batch_size"): batch}
        if phase.accumulation > batch:
            halved[setting_key(settings, direction, "accumulation")] = batch
        changes.append(halved)
    return changes


# --- how large a model and its data are ----------------------------------------------------------------------


def base_of(home: Path, model: str) -> str:
    """The folder or Hub id of a model's base."""
    source = resolve(home, model)
    if isinstance(source, Path) and (source / MANIFEST).is_file():
        return base_source(source, read_manifest(source))
    return str(source)


def local_file(base: str, name: str) -> Path | None:
    """A small file of a model, in its folder or where a download from the Hub has left it; None if it is not here."""
    if Path(base).is_dir():
        return Path(base) / name if (Path(base) / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(base, name)
    return Path(found) if isinstance(found, str) else None


def model_shape(home: Path, model: str) -> ModelShape | None:
    """The sizes of a model, from its files or as published; None where neither tells."""
    base = base_of(home, model)
    if base in PUBLISHED:
        return PUBLISHED[base]
    config = read_json_object(local_file(base, "config.json"))
    text = config.get("text_config", config)
    try:
        hidden, layers, heads = text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"]
        inner, words = text["intermediate_size"], text["vocab_size"]
    except KeyError:
        return None
    head = text.get("head_dim") or hidden // heads
    keys = head * (text.get("num_key_value_heads") or heads)
    tables = 1 if text.get("tie_word_embeddings", config.get("tie_word_embeddings", True)) else 2
    layer = 2 * hidden * head * heads + 2 * hidden * keys + 3 * hidden * inner
    codes, frame = codec_sizes(base)
    parameters = layers * layer + tables * words * hidden
    return ModelShape(parameters, layers, hidden, inner, keys, words - codes, codes, frame, 0)


def codec_sizes(base: str) -> tuple[int, int]:
    """How many codes the image codec beside a model has, and how many of them a frame; 0 and 0 where there is none."""
    config, frames = (
        read_json_object(local_file(base, f"{CODEC_FOLDER}/{name}")) for name in ("config.json", "frames.json")
    )
    if "num_vq_embeddings" not in config:
        return 0, 0
    size = int(frames.get("size", config.get("sample_size", 0)))
    step = int(frames.get("patch", 1)) * 2 ** (len(config.get("block_out_channels", (0,))) - 1)
    return int(config["num_vq_embeddings"]), (size // step) ** 2


def read_json_object(file: Path | None) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none, for loading the model says what is wrong."""
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def longest_state_tokens(home: Path, settings: Settings) -> int:
    """Tokens of the longest of some states of the data that training keeps; all it may have where they are pictures."""
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    collection = get_collection(home, settings.data)
    if collection.kind != "text":
        return settings.max_state_tokens
    tokenizer = local_file(base_of(home, settings.model), "tokenizer.json")
    stamp = fingerprint(collection.path) if collection.path.is_dir() else ""
    return min(settings.max_state_tokens, counted_tokens(home, settings.data, str(tokenizer or ""), stamp))


@lru_cache(maxsize=32)
def counted_tokens(home: Path, data: str, tokenizer: str, stamp: str) -> int:
    """Tokens of the longest of LOOKED_AT states, spread over a collection; `stamp` changes with its files.

    Without a tokenizer that is here a token is taken for CHARACTERS characters, which is few.
    """
    from swirl.sources.collections.catalog import load_sequences

    states = [state.text for sequence in load_sequences(home, data) for state in sequence.states]
    some = states[:: max(1, len(states) // SAMPLED_STATES)]
    if not tokenizer:
        return max((len(text) for text in some), default=1) // CHARACTERS + 1
    from tokenizers import Tokenizer

    read_with = Tokenizer.from_file(tokenizer)
    return max((len(found.ids) for found in read_with.encode_batch(some, add_special_tokens=False)), default=1)
