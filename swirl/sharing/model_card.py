"""Write the model card of a checkpoint: what it is, how to load it, its scores, and how it was trained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.history import Checkpoint, Evaluation, History
from swirl.history.evaluations import preferred_evaluation
from swirl.models.checkpoints import resolve_checkpoint
from swirl.models.hub import HUB_ID

TRAINING_SETTINGS = ("method", "data", "iterations", "steps_per_phase", "batch_size", "group_size", "seed", "anchor")


@dataclass(frozen=True)
class Score:
    """A figure with its 95 % interval, if there is one, and the collection and part it was measured on."""

    metric: str
    value: float
    low: float | None
    high: float | None
    data: str
    part: str


def load_scores(home: Path, source: Path) -> tuple[list[Score], dict[str, Any]]:
    """Return the scores of a checkpoint, and the settings of the run that made it.

    The scores are those of its newest evaluation on the test part of each collection, or on another part of those that
    it was not tested on, or without any the held-out scores from training. The settings are empty when no run of this
    home made the checkpoint.
    """
    history = History(home)
    row = find_checkpoint_row(history, home, source)
    settings = history.run(row.run).settings if row else {}
    found: dict[str, list[Evaluation]] = {}
    for evaluation in history.evaluations():
        if is_same_checkpoint(home, evaluation.checkpoint, source):
            found.setdefault(evaluation.data, []).append(evaluation)
    shown = [preferred_evaluation(evaluations) for evaluations in found.values()]
    scores = [
        Score(metric, value["value"], value.get("low"), value.get("high"), evaluation.data, evaluation.part or "test")
        for evaluation in shown
        if evaluation is not None
        for metric, value in evaluation.metrics.items()
        if isinstance(value, dict) and isinstance(value.get("value"), int | float)
    ]
    if not scores and row:
        data = str(settings.get("data"))
        scores = [Score(metric, value, None, None, data, "selection") for metric, value in row.scores.items()]
    return scores, settings


def find_checkpoint_row(history: History, home: Path, source: Path) -> Checkpoint | None:
    """Return the checkpoint of the history whose files lie in the folder `source`, or None."""
    if not source.is_relative_to(home.resolve()):
        return None
    checkpoints = (checkpoint for run in history.runs() for checkpoint in history.checkpoints(run.id))
    return next(
        (checkpoint for checkpoint in checkpoints if (home / checkpoint.path).resolve() == source.resolve()), None
    )


def is_same_checkpoint(home: Path, name: str, source: Path) -> bool:
    """Return whether a name, as stored with an evaluation, still refers to the checkpoint in `source`."""
    try:
        folder = resolve_checkpoint(home, name)
    except SwirlError:
        return False
    return isinstance(folder, Path) and folder.resolve() == source.resolve()


def render_model_card(
    name: str,
    repository: str,
    manifest: Mapping[str, Any],
    origin: str,
    scores: list[Score],
    settings: Mapping[str, Any],
    *,
    gguf_file: str | None = None,
) -> str:
    """Return the text of README.md with its front matter for the Hub.

    `origin` describes a base model that is uploaded too; it is not used for a base model on the Hub. `gguf_file` is the
    name of that base model if it is a GGUF file.
    """
    base = str(manifest["base"])
    on_hub = base if HUB_ID.fullmatch(base) else None
    front = front_matter(name, on_hub, scores, manifest.get("kind") == "image")
    if on_hub:
        where = f"The base model is [{on_hub}](https://huggingface.co/{on_hub})."
        base_model = f'AutoModelForCausalLM.from_pretrained("{on_hub}")'
    else:
        where = f"The base model, {origin}, is in the folder `base/`."
        base_model = f'AutoModelForCausalLM.from_pretrained("{repository}", subfolder="base")'
    imports = "AutoModelForCausalLM"
    if gguf_file:
        # Without dequantize, transformers may keep the weights packed, and refuses to train adapters on them.
        imports = "AutoModelForCausalLM, GgufConfig"
        base_model = f"""AutoModelForCausalLM.from_pretrained(
    "{repository}",
    subfolder="base",
    gguf_file="{gguf_file}",
    quantization_config=GgufConfig(dequantize=True),
)"""
    states = "pictures" if manifest.get("kind") == "image" else "texts"
    return f"""---
{front}---

# {name}

A world model of {states}: one language model with two LoRA adapters. `fwm`, the forward world model, predicts the next
state after an action. `idm`, the inverse dynamics model, infers the action that led from one state to the next. Trained
with SWIRL Studio, which implements *Self-Improving World Modelling with Latent Actions*
([arXiv 2602.06130](https://arxiv.org/abs/2602.06130)).

{where}

## Usage

In SWIRL Studio, name the checkpoint `hub:{repository}`: `swirl infer hub:{repository} --data NAME`.
The adapters are ordinary peft adapters in safetensors:

```python
from peft import PeftModel
from transformers import {imports}

base = {base_model}
model = PeftModel.from_pretrained(base, "{repository}", subfolder="fwm", adapter_name="fwm")
model.load_adapter("{repository}", subfolder="idm", adapter_name="idm")
```

## Scores

{score_table(scores)}

## Training

{render_training_settings(settings)}
"""


def front_matter(name: str, base: str | None, scores: list[Score], image: bool) -> str:
    """Return the YAML that the Hub reads: library, base model, tags, and the scores as a model index."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="world-model",
            task_name="World model",
            dataset_type=re.sub(r"[^a-z0-9]+", "-", score.data.lower()).strip("-") or "data",
            dataset_name=score.data,
            dataset_split=score.part,
            metric_type=score.metric,
            metric_name=score.metric,
            metric_value=round(score.value, 6),
        )
        for score in scores
    ]
    data = ModelCardData(
        base_model=base,
        library_name="peft",
        pipeline_tag="image-to-image" if image else "text-generation",
        tags=["swirl", "world-model", "lora"],
        model_name=name if results else None,
        eval_results=results or None,
    )
    return data.to_yaml() + "\n"


def score_table(scores: list[Score]) -> str:
    """Format the scores as a Markdown table, or return a sentence when there are none."""
    if not scores:
        return "None are recorded, because this checkpoint was not evaluated before the upload."
    rows = [
        f"| {score.metric} | {score.value:.4f} | {format_interval(score)} | {describe_place(score)} |"
        for score in scores
    ]
    return "\n".join(["| metric | value | 95 % interval | measured on |", "|---|---|---|---|", *rows])


def describe_place(score: Score) -> str:
    """Where a score was measured: `household, test part`, or `household, all of it`."""
    return f"{score.data}, all of it" if score.part == "all" else f"{score.data}, {score.part} part"


def format_interval(score: Score) -> str:
    """Format the 95 % interval as `0.5 to 0.6`; a dash where there is none."""
    return "–" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"


def render_training_settings(settings: Mapping[str, Any]) -> str:
    """List the main training settings as Markdown, or return a sentence when they are unknown."""
    lines = [f"- `{name}`: {settings[name]}" for name in TRAINING_SETTINGS if name in settings]
    lines += [f"- `{name}`: {value}" for name, value in settings.items() if name.startswith(("forward.", "inverse."))]
    return (
        "\n".join(lines) or "The settings are not known, because no run in the home of the upload made this checkpoint."
    )
