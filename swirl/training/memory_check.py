"""Checks before loading anything whether a run fits into memory, and suggests settings that make it fit.

The estimate is that of `swirl.models.memory_estimate`. The model's sizes come from its config.json, the length of the
states from the data and the model's own tokenizer. Does not import torch and downloads nothing.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from swirl import devices
from swirl.codecs import CODEC_FOLDER
from swirl.history import History
from swirl.models.checkpoint_files import MANIFEST, read_json_object, read_manifest
from swirl.models.checkpoints import base_source, resolve_checkpoint
from swirl.models.gguf_files import read_header
from swirl.models.memory_estimate import MemoryEstimate
from swirl.models.model_sizes import PUBLISHED_SHAPES, ModelShape, estimate_run_memory
from swirl.settings import Settings
from swirl.training.diagnostics import setting_key

COMFORTABLE_SHARE = 0.85  # share of the available memory up to which no change is suggested
SAMPLED_STATES = 400  # states that are tokenized to find the longest
CHARACTERS_PER_TOKEN = 3  # a low estimate, used if the tokenizer is not on this machine
SMALLEST_GROUP = 4


@dataclass(frozen=True)
class MemoryFit:
    """Memory that a run needs in its most demanding phase, and `available_bytes` on its device.

    If memory is short, `suggested_changes` are settings that together lower the need to `bytes_after_changes`, which
    may still be too much.
    """

    device: str
    phase: str
    needed: MemoryEstimate
    available_bytes: int
    suggested_changes: dict[str, Any] = field(default_factory=dict)
    bytes_after_changes: int | None = None

    @property
    def fits(self) -> bool:
        """Whether the run fits at all."""
        return self.needed.total <= self.available_bytes

    @property
    def is_tight(self) -> bool:
        """Whether the run fits with so little to spare that the error of the estimate matters."""
        return self.fits and self.needed.total > COMFORTABLE_SHARE * self.available_bytes

    @property
    def fits_after_changes(self) -> bool:
        """Whether the suggested changes make the run fit."""
        return self.bytes_after_changes is not None and self.bytes_after_changes <= self.available_bytes


def check_memory(home: Path, settings: Settings) -> MemoryFit | None:
    """How a run with these settings fits on the device it would get; None if the model's sizes are unknown."""
    shape = model_shape(home, settings.model)
    if shape is None:
        return None
    device = devices.candidate_devices(settings.device)[0]
    longest = longest_state_tokens(home, settings)
    available = available_memory(home, device)
    phase, needed = estimate_run_memory(shape, settings, device, longest, available)
    fit = MemoryFit(device, phase, needed, available)
    return fit if needed.total <= COMFORTABLE_SHARE * available else suggest_changes(fit, shape, settings, longest)


def available_memory(home: Path, device: str) -> int:
    """Bytes available to a run: all of a GPU, or the main memory that is free once the run's turn has come."""
    if device.startswith("cuda:"):
        index = device.removeprefix("cuda:")
        return next((gpu.memory_total for gpu in devices.gpus() if gpu.index == index), 0)
    used, total = devices.memory_usage()
    # A run that trains on this device now will have ended by then.
    freed = sum(run.memory_bytes or 0 for run in History(home).training_runs() if run.device == device)
    return total - max(0, used - freed)


def suggest_changes(fit: MemoryFit, shape: ModelShape, settings: Settings, longest: int) -> MemoryFit:
    """`fit` with changes added one by one until the run fits, those that alter the method least first."""
    changes: dict[str, Any] = {}
    phase, memory = fit.phase, fit.needed
    while memory.total > COMFORTABLE_SHARE * fit.available_bytes:
        steps = (settings.replace(step) for step in memory_saving_changes(settings, phase, fit.device, longest))
        estimates = (
            (step, *estimate_run_memory(shape, step, fit.device, longest, fit.available_bytes)) for step in steps
        )
        best = next((step for step in estimates if step[2].total < 0.98 * memory.total), None)
        if best is None:
            break
        before = settings.to_dict()
        settings, phase, memory = best
        changes |= {name: value for name, value in settings.to_dict().items() if before.get(name) != value}
    return replace(fit, suggested_changes=changes, bytes_after_changes=memory.total) if changes else fit


def memory_saving_changes(settings: Settings, direction: str, device: str, longest: int) -> list[dict[str, Any]]:
    """Single changes that may save memory in a phase, the one that alters the method least first."""
    phase = settings.for_phase(direction)  # type: ignore[arg-type]
    changes: list[dict[str, Any]] = []
    rollouts, parts = phase.batch_size * phase.group_size, 2 * phase.accumulation
    while phase.accumulation < rollouts and parts < 2 * rollouts:
        changes.append({setting_key(settings, direction, "accumulation"): min(parts, rollouts)})
        parts *= 2
    limit = "max_state_tokens" if direction == "forward" else "max_action_tokens"
    half = getattr(phase, limit) // 2
    if half >= (longest if direction == "forward" else 16):
        changes.append({limit: half})
    if phase.group_size > SMALLEST_GROUP:
        changes.append({setting_key(settings, direction, "group_size"): max(SMALLEST_GROUP, phase.group_size // 2)})
    if device.startswith("cuda") and settings.precision != "4bit" and importlib.util.find_spec("bitsandbytes"):
        changes.append({"precision": "4bit"})
    if phase.batch_size > 1 and phase.batch_size % 2 == 0:
        batch = phase.batch_size // 2
        halved = {setting_key(settings, direction, "batch_size"): batch}
        if phase.accumulation > batch * phase.group_size:
            halved[setting_key(settings, direction, "accumulation")] = batch * phase.group_size
        changes.append(halved)
    return changes


# --- the sizes of a model and its data ------------------------------------------------------------------------


def find_base_model(home: Path, model: str) -> str:
    """The folder, GGUF file or Hub id of a model's base model."""
    source = resolve_checkpoint(home, model)
    if isinstance(source, Path) and (source / MANIFEST).is_file():
        return base_source(source, read_manifest(source))
    return str(source)


def local_file(base: str, name: str) -> Path | None:
    """A file of a model, in its folder or in the local cache of the Hub; None if it is not on this machine.

    A GGUF file holds all of its model and has no other files.
    """
    if Path(base).is_file():
        return None
    if Path(base).is_dir():
        return Path(base) / name if (Path(base) / name).is_file() else None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(base, name)
    return Path(cached) if isinstance(cached, str) else None


def model_shape(home: Path, model: str) -> ModelShape | None:
    """The sizes of a model, as published or from its config.json; None if they are unknown."""
    base = find_base_model(home, model)
    if base in PUBLISHED_SHAPES:
        return PUBLISHED_SHAPES[base]
    if Path(base).is_file():
        return gguf_shape(Path(base))
    config = read_json_object(local_file(base, "config.json"))
    text = config.get("text_config", config)
    try:
        hidden, layers, heads = text["hidden_size"], text["num_hidden_layers"], text["num_attention_heads"]
        feed_forward, vocabulary = text["intermediate_size"], text["vocab_size"]
    except KeyError:
        return None
    head_size = text.get("head_dim") or hidden // heads
    keys = head_size * (text.get("num_key_value_heads") or heads)
    tables = 1 if text.get("tie_word_embeddings", config.get("tie_word_embeddings", True)) else 2
    layer = 2 * hidden * head_size * heads + 2 * hidden * keys + 3 * hidden * feed_forward
    codes, frame = codec_sizes(base)
    parameters = layers * layer + tables * vocabulary * hidden
    return ModelShape(parameters, layers, hidden, feed_forward, keys, vocabulary - codes, codes, frame, 0)


def gguf_shape(file: Path) -> ModelShape | None:
    """The sizes of the model in a GGUF file, from its header; None if it does not give them."""
    header = read_header(file)
    names = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")
    layers, hidden, feed_forward, heads = (header.size(name) for name in names)
    if not (layers and hidden and feed_forward and heads):
        return None
    head_size = header.size("attention.key_length") or hidden // heads
    keys = head_size * (header.size("attention.head_count_kv") or heads)
    return ModelShape(header.parameters, layers, hidden, feed_forward, keys, header.vocabulary, 0, 0, 0)


def codec_sizes(base: str) -> tuple[int, int]:
    """The number of codes in a model's image codec, and per frame; (0, 0) if it has no codec."""
    config, frames = (
        read_json_object(local_file(base, f"{CODEC_FOLDER}/{name}")) for name in ("config.json", "frames.json")
    )
    if "num_vq_embeddings" not in config:
        return 0, 0
    size = int(frames.get("size", config.get("sample_size", 0)))
    step = int(frames.get("patch", 1)) * 2 ** (len(config.get("block_out_channels", (0,))) - 1)
    return int(config["num_vq_embeddings"]), (size // step) ** 2


def longest_state_tokens(home: Path, settings: Settings) -> int:
    """Tokens of the longest text state in a sample of the data, at most `max_state_tokens`; that limit for images."""
    from swirl.sources.collections.catalog import get_collection
    from swirl.sources.collections.stored_collection import fingerprint

    collection = get_collection(home, settings.data)
    if collection.kind != "text":
        return settings.max_state_tokens
    tokenizer = local_file(find_base_model(home, settings.model), "tokenizer.json")
    stamp = fingerprint(collection.path) if collection.path.is_dir() else ""
    return min(settings.max_state_tokens, count_longest_state(home, settings.data, str(tokenizer or ""), stamp))


@lru_cache(maxsize=32)
def count_longest_state(home: Path, data: str, tokenizer: str, stamp: str) -> int:
    """Tokens of the longest of SAMPLED_STATES states spread over a collection; `stamp` changes with its files.

    Without a tokenizer on this machine, one token counts as CHARACTERS_PER_TOKEN characters, which is a low estimate.
    """
    from swirl.sources.collections.catalog import load_sequences

    states = [state.text for sequence in load_sequences(home, data) for state in sequence.states]
    sampled = states[:: max(1, len(states) // SAMPLED_STATES)]
    if not tokenizer:
        return max((len(text) for text in sampled), default=1) // CHARACTERS_PER_TOKEN + 1
    from tokenizers import Tokenizer

    encodings = Tokenizer.from_file(tokenizer).encode_batch(sampled, add_special_tokens=False)
    return max((len(encoding.ids) for encoding in encodings), default=1)
