"""Every setting of a run: its name, type, range and meaning, and how `--set key=value` changes it."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from swirl.errors import UsageError

Direction = Literal["forward", "inverse"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "inverse")


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    per_phase: bool = False,
) -> Any:
    """A dataclass field that carries its own range and one-sentence meaning."""
    return field(
        default=default,
        metadata={"help": help, "low": low, "high": high, "choices": choices, "per_phase": per_phase},
    )


@dataclass(frozen=True)
class Settings:
    """All settings of a run. `forward.NAME` and `inverse.NAME` override a per-phase setting NAME."""

    model: str = setting("tiny-household", "An asset name, a folder, RUN[@iteration], or a model id on the Hub.")
    data: str = setting("household", "The collection of state-only sequences to learn from.")
    labels: str | None = setting(None, "JSONL of state, action, next_state for the supervised warm-up.")
    method: str = setting(
        "swirl",
        "swirl: the alternating GRPO loop. sft: supervised fine-tuning on the IDM's pseudo-labels (a baseline).",
        choices=("swirl", "sft"),
    )
    seed: int = setting(0, "Seed of the data order and of all sampling.", low=0, high=2**31 - 1)
    device: str = setting("auto", "Where to compute.", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = setting("auto", "Number format of the weights.", choices=("auto", "float32", "bfloat16", "4bit"))
    iterations: int = setting(2, "Rounds of a forward and an inverse phase.", low=0, high=100)
    steps_per_phase: int = setting(60, "Optimiser steps in a phase.", low=0, high=1_000_000, per_phase=True)
    batch_size: int = setting(16, "Prompts (transitions) in a step.", low=1, high=65536, per_phase=True)
    accumulation: int = setting(1, "Micro-batches a step's rollouts are split into.", low=1, high=65536, per_phase=True)
    group_size: int = setting(8, "G, rollouts per prompt.", low=2, high=1024, per_phase=True)
    learning_rate: float = setting(1e-4, "AdamW's learning rate.", low=0.0, high=1.0, per_phase=True)
    learning_rate_warmup: int = setting(
        0, "Steps over which the learning rate rises.", low=0, high=1_000_000, per_phase=True
    )
    scheduler: str = setting(
        "constant_with_warmup",
        "The learning rate's course.",
        choices=("constant_with_warmup", "cosine", "linear"),
        per_phase=True,
    )
    max_grad_norm: float = setting(
        1.0, "Gradient norm above which gradients are scaled down.", low=0.0, high=1e6, per_phase=True
    )
    beta: float = setting(0.1, "Weight of KL(trainee || reference).", low=0.0, high=100.0, per_phase=True)
    temperature: float = setting(1.0, "Sampling temperature of the rollouts.", low=0.01, high=10.0, per_phase=True)
    top_p: float = setting(1.0, "Nucleus sampling: the share of probability kept.", low=0.0, high=1.0, per_phase=True)
    top_k: int = setting(0, "Sample among the k likeliest tokens; 0 keeps all.", low=0, high=1_000_000, per_phase=True)
    max_prompt_tokens: int = setting(
        4096, "Longest prompt; longer transitions are left out and counted.", low=8, high=1_000_000
    )
    max_action_tokens: int = setting(32, "Longest sampled action.", low=1, high=65536)
    max_state_tokens: int = setting(512, "Longest sampled next state.", low=1, high=65536)
    reward: str = setting(
        "mean", "Sum or per-token mean of the partner's log-probability.", choices=("mean", "sum"), per_phase=True
    )
    reward_clamp: float | None = setting(
        -10.0, "Rewards below this count as this; none: no clamp.", low=-1e9, high=0.0, per_phase=True
    )
    anchor: float = setting(
        0.0,
        "Extension: adds this times the negative log-likelihood of the observed next state in forward phases.",
        low=0.0,
        high=1000.0,
    )
    observed_in_group: bool = setting(
        False, "Extension: the observed next state is one member of each group in forward phases."
    )
    share_weights: bool = setting(False, "One adapter serves both models, as in the paper's shared variant.")
    lora_rank: int = setting(16, "Rank of the adapters, where the model brings none.", low=1, high=4096)
    warm_up_epochs: int = setting(5, "Passes over the labels in the warm-up.", low=0, high=10_000)
    warm_up_learning_rate: float = setting(2e-5, "Learning rate of the warm-up.", low=0.0, high=1.0)
    warm_up_batch_size: int = setting(16, "Transitions in a step of the warm-up.", low=1, high=65536)
    held_out: int = setting(200, "Held-out transitions scored after each phase.", low=1, high=1_000_000)
    save_every: int = setting(10, "Steps between checkpoints for resuming.", low=1, high=1_000_000)
    report_to: str = setting(
        "none", "Where the figures go besides the history.", choices=("none", "trackio", "wandb", "tensorboard")
    )
    overrides: dict[str, dict[str, Any]] = field(default_factory=lambda: {"forward": {}, "inverse": {}})

    def for_phase(self, direction: Direction) -> Settings:
        """These settings with the overrides of one direction applied."""
        return dataclasses.replace(self, **self.overrides.get(direction, {}))

    def to_dict(self) -> dict[str, Any]:
        """A flat dictionary, overrides as `forward.NAME`; `from_dict` reads it back."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "overrides"}
        for direction, values in self.overrides.items():
            flat.update({f"{direction}.{name}": value for name, value in values.items()})
        return flat

    @classmethod
    def from_dict(cls, flat: dict[str, Any]) -> Settings:
        """Check and build. Raises UsageError that names the setting and what is allowed."""
        return cls().replace(flat)

    def replace(self, changes: dict[str, Any]) -> Settings:
        """These settings with checked changes; a value may be a string, as typed on a command line.

        A value without a direction holds for both phases: overrides that were there before end, unless `changes`
        gives them too.
        """
        plain: dict[str, Any] = {}
        overrides = {direction: dict(values) for direction, values in self.overrides.items()}
        for key, value in changes.items():
            direction, _, name = key.rpartition(".")
            if direction:
                if direction not in overrides or name not in PER_PHASE:
                    names = ", ".join(sorted(PER_PHASE))
                    raise UsageError(f"Unknown setting {key!r}; forward. and inverse. go before one of: {names}.")
                overrides[direction][name] = validate_value(key, SETTING_FIELDS[name], value)
            else:
                if name not in SETTING_FIELDS:
                    raise UsageError(f"Unknown setting {key!r}; the settings are: {', '.join(sorted(SETTING_FIELDS))}.")
                plain[name] = validate_value(key, SETTING_FIELDS[name], value)
        for direction, values in overrides.items():
            for name in plain:
                if f"{direction}.{name}" not in changes:
                    values.pop(name, None)
        return dataclasses.replace(self, **plain, overrides=overrides)


SETTING_FIELDS = {f.name: f for f in fields(Settings) if f.name != "overrides"}
PER_PHASE = {name for name, f in SETTING_FIELDS.items() if f.metadata["per_phase"]}
SETTING_TYPES = {name: hint for name, hint in typing.get_type_hints(Settings).items() if name in SETTING_FIELDS}


def parse_assignment(text: str) -> tuple[str, str]:
    """Split `key=value`; raises UsageError when there is no `=`."""
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"--set takes key=value, not {text!r}.")
    return key.strip(), value.strip()


def validate_value(key: str, spec: dataclasses.Field[Any], value: Any) -> Any:
    """`value` as the setting's type and within its range, else UsageError that says what is allowed."""
    kinds = (
        typing.get_args(SETTING_TYPES[spec.name])
        if isinstance(SETTING_TYPES[spec.name], types.UnionType)
        else (SETTING_TYPES[spec.name],)
    )
    if type(None) in kinds and (value is None or (isinstance(value, str) and value.lower() in {"none", "null", ""})):
        return None
    kind = kinds[0]
    meta = spec.metadata
    try:
        value = convert_value(kind, value)
    except (TypeError, ValueError):
        raise UsageError(f"{key}={value!r} is not {describe_allowed_values(kind, meta)}.") from None
    outside = meta["choices"] and value not in meta["choices"]
    if kind in (int, float):
        outside = not (meta["low"] <= value <= meta["high"])
    if outside:
        raise UsageError(f"{key}={value} is out of range; it takes {describe_allowed_values(kind, meta)}.")
    return value


def convert_value(kind: type, value: Any) -> Any:
    """`value` as `kind`, strictly: no fraction becomes an int, no word becomes a bool."""
    if kind is bool:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        return words[value.lower()] if isinstance(value, str) and value.lower() in words else json_bool(value)
    if kind is str:
        if not isinstance(value, str):
            raise TypeError
        return value
    if isinstance(value, bool):
        raise TypeError
    if kind is int:
        number = float(value)
        if number != int(number):
            raise ValueError
        return int(number)
    return float(value)


def json_bool(value: Any) -> bool:
    """A real bool passes; anything else is refused."""
    if not isinstance(value, bool):
        raise ValueError
    return value


def describe_allowed_values(kind: type, meta: typing.Mapping[str, Any]) -> str:
    """What a setting takes, in words."""
    if meta["choices"]:
        return "one of " + ", ".join(meta["choices"])
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        number = "a whole number" if kind is int else "a number"
        return f"{number} from {json.dumps(meta['low'])} to {json.dumps(meta['high'])}"
    return "text"
