"""Presets: named, complete sets of settings, each with a sentence on its purpose and one on what it needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from swirl.errors import UsageError
from swirl.methods import JUDGED_BY_BOTH
from swirl.models.checkpoint_files import EMU3, JANUS_1B, JANUS_7B
from swirl.models.gguf_files import SMOLLM2
from swirl.models.model_sizes import EMU3_8B, JANUS_PRO_1B, JANUS_PRO_7B, LIQUID_7B, ModelShape, estimate_run_memory
from swirl.settings import Settings

NO_GPU = 0


@dataclass(frozen=True)
class Preset:
    """A preset: its name, purpose (`title`), hardware and data requirements (`needs`), and settings."""

    name: str
    title: str
    needs: str
    settings: Settings
    gpu_gigabytes: int = 0
    """Memory, in GB of 10^9 bytes, that one GPU must have; NO_GPU where none is needed."""


TINY = {
    "batch_size": 32,
    "group_size": 4,
    "temperature": 0.8,
    "forward.steps_per_phase": 50,
    "forward.learning_rate": 4e-4,
    "inverse.steps_per_phase": 12,
    "inverse.learning_rate": 1e-4,
    "learning_rate_warmup": 8,
    "max_state_tokens": 128,
    "warm_up_learning_rate": 2e-3,
    "warm_up_epochs": 20,
    # Some six to ten probes a forward phase; an inverse phase takes a few seconds and is scored at its end anyway.
    "forward.probe_every": 8,
    "inverse.probe_every": 12,
    "stop_when_harmful": True,
}
# The hybrid: the forward model imitates for five times as many steps, under actions that both models agree on, and so
# becomes a better critic in short inverse phases, in which both judge, too (docs/results/README.md). To infer an action
# takes longer than to imitate it, so each is imitated two and a half times, and more where there are not so many.
FORWARD_FIRST = {
    "method": "hybrid",
    **JUDGED_BY_BOTH,
    "label_passes": 2.5,
    "forward.steps_per_phase": 250,
    "forward.probe_every": 25,
    "inverse.steps_per_phase": 24,
    "inverse.learning_rate": 4e-4,
}
# The warm-up's settings worked in a trial by hand on TextWorldExpress; the others are not tuned.
SMOLLM2_SETTINGS = {
    "model": SMOLLM2,
    "batch_size": 4,
    "group_size": 4,
    "forward.steps_per_phase": 20,
    "inverse.steps_per_phase": 10,
    "learning_rate": 2e-5,
    "learning_rate_warmup": 2,
    "beta": 0.04,
    "anchor": 1.0,
    "iterations": 1,
    "max_action_tokens": 32,
    "max_state_tokens": 384,
    "held_out": 24,
    "save_every": 5,
    "warm_up_batch_size": 8,
    "warm_up_epochs": 6,
    "warm_up_learning_rate": 7e-4,
}
# A frame has only 16 tokens, so larger batches and more steps fit into the same time. The cosine schedule ends each
# forward phase at a low learning rate.
BLOCKS = {
    "model": "tiny-blocks",
    "data": "blocks",
    "max_action_tokens": 16,
    "forward.batch_size": 64,
    "forward.steps_per_phase": 100,
    "forward.learning_rate": 1e-3,
    "forward.scheduler": "cosine",
    "forward.probe_every": 17,
}
QWEN = {
    "labels": None,
    "warm_up_epochs": 5,
    "max_action_tokens": 64,
    "max_state_tokens": 1024,
    "accumulation": 16,
    "save_every": 25,
}
PAPER_TEXT = {
    **QWEN,
    "model": "Qwen/Qwen2.5-3B-Instruct",
    "learning_rate": 5e-5,
    "learning_rate_warmup": 25,
    "scheduler": "cosine",
    "batch_size": 128,
    "accumulation": 128,
    "beta": 0.1,
    "temperature": 0.7,
    "top_p": 0.96,
    "group_size": 16,
    "max_action_tokens": 4096,
    "max_state_tokens": 4096,
    # The paper's 4096 tokens of a prompt, and the action, which the limit counts with it.
    "max_prompt_tokens": 4096 + 4096,
}
AUTHORS = {
    **QWEN,
    "model": "Qwen/Qwen2.5-3B-Instruct",
    "learning_rate": 1e-6,
    "scheduler": "cosine",
    "batch_size": 32,
    "accumulation": 32,
    "max_action_tokens": 128,
    "max_state_tokens": 1024,
    "forward.beta": 0.04,
    "forward.group_size": 8,
    "forward.temperature": 0.75,
    "forward.top_p": 0.96,
    "forward.top_k": 4096,
    "inverse.beta": 0.1,
    "inverse.group_size": 16,
    "inverse.temperature": 0.7,
    "inverse.top_p": 0.9,
    "inverse.top_k": 50,
    "inverse.max_grad_norm": 0.1,
}
# The image column of the authors' settings. Each model has its own number of tokens per frame.
UNIFIED = {
    **{name: value for name, value in AUTHORS.items() if name != "model"},
    "data": "blocks",
    "max_state_tokens": 1024,
}


def _preset(name: str, title: str, gpu_gigabytes: int, /, **changes: object) -> Preset:
    needs = f"one GPU with {gpu_gigabytes} GB of memory" if gpu_gigabytes else "about 1 GB of memory"
    return Preset(name, title, needs, Settings().replace(changes), gpu_gigabytes)


def _unified(name: str, title: str, shape: ModelShape, **changes: object) -> Preset:
    """A preset of a unified model; its `needs` state the estimated GPU memory."""
    settings = Settings().replace({**UNIFIED, **changes})
    gigabytes = math.ceil(estimate_run_memory(shape, settings)[1].gigabytes)
    needs = f"one GPU with {gigabytes} GB of memory (estimated) and labels for the warm-up"
    return Preset(name, title, needs, settings, gigabytes)


PRESETS = {
    preset.name: preset
    for preset in (
        _preset(
            "tiny-household",
            "A small text model on the Household world, trained by the hybrid; takes minutes on a CPU.",
            NO_GPU,
            **{**TINY, **FORWARD_FIRST, "forward.learning_rate": 1e-3},
        ),
        _preset(
            "tiny-household-anchor",
            "The same model and world with the paper's loop, anchored to the observed next states.",
            NO_GPU,
            **{**TINY, "forward.learning_rate": 1.5e-3, "anchor": 4.0},
        ),
        _preset(
            "tiny-household-paper",
            "The same model and world with the paper's loop, without extensions.",
            NO_GPU,
            **TINY,
        ),
        _preset(
            "tiny-blocks",
            "A small image model on the Blocks world, trained by the hybrid; takes minutes on a CPU.",
            NO_GPU,
            **{**TINY, **BLOCKS, **FORWARD_FIRST, "forward.steps_per_phase": 500, "forward.probe_every": 50},
        ),
        _preset(
            "tiny-blocks-anchor",
            "The same model and world with the paper's loop, anchored to the observed next states.",
            NO_GPU,
            **{**TINY, **BLOCKS, "anchor": 4.0},
        ),
        _preset(
            "tiny-blocks-paper",
            "The same model and world with the paper's loop, without extensions.",
            NO_GPU,
            **{**TINY, **BLOCKS},
        ),
        Preset(
            "smollm2-135m",
            "SmolLM2-135M-Instruct, a pretrained language model, on text sequences; trains on a CPU.",
            "any computer with about 4 GB of free memory, no download, and labels for the warm-up",
            Settings().replace(SMOLLM2_SETTINGS),
        ),
        _preset(
            "qwen2.5-0.5b",
            "Qwen2.5-0.5B-Instruct on your own text sequences.",
            8,
            **{**QWEN, "model": "Qwen/Qwen2.5-0.5B-Instruct", "learning_rate": 5e-5, "temperature": 0.7, "top_p": 0.96},
        ),
        _preset(
            "qwen2.5-3b-paper",
            "Qwen2.5-3B-Instruct with the text settings printed in the paper.",
            80,
            **PAPER_TEXT,
        ),
        _preset(
            "qwen2.5-3b-authors",
            "Qwen2.5-3B-Instruct with the settings of the authors' scripts.",
            80,
            **AUTHORS,
        ),
        _unified(
            "liquid-7b",
            "Liquid-7B on image sequences; its weights go into liquid-7b, its converted VQGAN into liquid-7b/codec.",
            LIQUID_7B,
            model="liquid-7b",
        ),
        _unified("janus-pro-1b", "Janus-Pro-1B on image sequences.", JANUS_PRO_1B, model=JANUS_1B),
        _unified("janus-pro-7b", "Janus-Pro-7B on image sequences.", JANUS_PRO_7B, model=JANUS_7B),
        _unified(
            "emu3-8b",
            "Emu3-8B on image sequences at 512 × 512 pixels.",
            EMU3_8B,
            model=EMU3,
            max_state_tokens=4160,
            max_prompt_tokens=9216,
        ),
    )
}


def get_preset(name: str) -> Preset:
    """The preset with this name. Raises UsageError that lists the names if there is none."""
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}; the presets are: {', '.join(PRESETS)}.")
    return PRESETS[name]
