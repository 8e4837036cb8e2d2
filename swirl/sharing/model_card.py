"""The model card of a checkpoint: what it is, how to load it, how it was trained, and its scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.history import Checkpoint, History
from swirl.models.checkpoints import resolve_checkpoint
from swirl.models.hub import HUB_ID

TRAINED_WITH = ("method", "data", "iterations", "steps_per_phase", "batch_size", "group_size", "seed", "anchor")


@dataclass(frozen=True)
class Score:
    """One figure with its 95 % interval where there is one, and the collection and part that it was measured on."""

    metric: str
    value: float
    low: float | None
    high: float | None
    data: str
    part: str


def load_scores(home: Path, source: Path) -> tuple[list[Score], dict[str, Any]]:
    """What is known of a checkpoint: its newest evaluation on each collection, else the scores of its training.

    Also the settings of the run that made it; none for one that no run of this home has made.
    """
    history = History(home)
    owned = find_checkpoint_row(history, home, source)
    settings = history.run(owned.run).settings if owned else {}
    newest: dict[str, Mapping[str, Any]] = {}
    for evaluation in history.evaluations():
        if is_same_checkpoint(home, evaluation.checkpoint, source):
            newest.setdefault(evaluation.data, evaluation.metrics)
    found = [
        Score(metric, value["value"], value.get("low"), value.get("high"), data, "test")
        for data, metrics in newest.items()
        for metric, value in metrics.items()
        if isinstance(value, dict) and isinstance(value.get("value"), int | float)
    ]
    if not found and owned:
        data = str(settings.get("data"))
        found = [Score(metric, value, None, None, data, "selection") for metric, value in owned.scores.items()]
    return found, settings


def find_checkpoint_row(history: History, home: Path, source: Path) -> Checkpoint | None:
    """The row of the checkpoint that lies in the folder `source`."""
    if not source.is_relative_to(home.resolve()):
        return None
    kept = (checkpoint for run in history.runs() for checkpoint in history.checkpoints(run.id))
    return next((checkpoint for checkpoint in kept if (home / checkpoint.path).resolve() == source.resolve()), None)


def is_same_checkpoint(home: Path, name: str, source: Path) -> bool:
    """Whether a name, as an evaluation kept it, still means the checkpoint in `source`."""
    try:
        found = resolve_checkpoint(home, name)
    except SwirlError:
        return False
    return isinstance(found, Path) and found.resolve() == source.resolve()


def render_model_card(
    name: str,
    repository: str,
    manifest: Mapping[str, Any],
    origin: str,
    known: list[Score],
    settings: Mapping[str, Any],
) -> str:
    """The text of README.md, its front matter for the Hub included; `origin` names a base that comes along."""
    base = str(manifest["base"])
    on_hub = base if HUB_ID.fullmatch(base) else None
    front = front_matter(name, on_hub, known, manifest.get("kind") == "image")
    if on_hub:
        where = f"The base model is [{on_hub}](https://huggingface.co/{on_hub})."
        base_model = f'AutoModelForCausalLM.from_pretrained("{on_hub}")'
    else:
        where = f"The base model, {origin}, is in the folder `base/`."
        base_model = f'AutoModelForCausalLM.from_pretrained("{repository}", subfolder="base")'
    states = "pictures" if manifest.get("kind") == "image" else "texts"
    return f"""---
{front}---

# {name}

A world model of {states}: one language model with two LoRA adapters. `fwm`, the forward world model, predicts the next
state after an action; `idm`, the inverse dynamics model, says which action led from one state to the next. Trained
with SWIRL Studio, after *Self-Improving World Modelling with Latent Actions*
([arXiv 2602.06130](https://arxiv.org/abs/2602.06130)).

{where}

## Use it

In SWIRL Studio, `hub:{repository}` is the checkpoint's name: `swirl infer hub:{repository} --data NAME`.
The adapters are ordinary ones of peft, in safetensors:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = {base_model}
model = PeftModel.from_pretrained(base, "{repository}", subfolder="fwm", adapter_name="fwm")
model.load_adapter("{repository}", subfolder="idm", adapter_name="idm")
```

## Scores

{score_table(known)}

## Training

{render_training_settings(settings)}
"""


def front_matter(name: str, base: str | None, known: list[Score], image: bool) -> str:
    """The YAML that the Hub reads: library, base model, tags, and the scores as a model index."""
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
        for score in known
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


def score_table(known: list[Score]) -> str:
    """The scores as a Markdown table, or one sentence where there are none."""
    if not known:
        return "None are recorded: this checkpoint was not evaluated before it was pushed."
    rows = [
        f"| {score.metric} | {score.value:.4f} | {format_interval(score)} | {score.data}, {score.part} part |"
        for score in known
    ]
    return "\n".join(["| metric | value | 95 % interval | measured on |", "|---|---|---|---|", *rows])


def format_interval(score: Score) -> str:
    """`0.5 to 0.6`, or a dash."""
    return "–" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"


def render_training_settings(settings: Mapping[str, Any]) -> str:
    """The settings that matter most, each by its name."""
    lines = [f"- `{name}`: {settings[name]}" for name in TRAINED_WITH if name in settings]
    lines += [f"- `{name}`: {value}" for name, value in settings.items() if name.startswith(("forward.", "inverse."))]
    return "\n".join(lines) or "No run of the home it was pushed from has made it, so its settings are not known there."
