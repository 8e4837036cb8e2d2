"""The settings of a run: their names, types, ranges and meanings, and how `--set key=value` changes them."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from swirl.errors import UsageError
from swirl.methods import LABEL_CANDIDATES, TRAINING_METHODS, TrainingMethod

Direction = Literal["forward", "inverse"]
DIRECTIONS: tuple[Direction, ...] = ("forward", "inverse")
MOST_TOKENS = 65536
"""The largest limit of the tokens of an action or a state."""


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    per_phase: bool = False,
) -> Any:
    """A dataclass field that carries its help text (shown on screen and in `--help`) and its allowed range."""
    return field(
        default=default,
        metadata={"help": help, "low": low, "high": high, "choices": choices, "per_phase": per_phase},
    )


@dataclass(frozen=True)
class Settings:
    """All settings of a run. `forward.NAME` and `inverse.NAME` override a per-phase setting NAME for one direction."""

    model: str = setting(
        "tiny-household",
        "A shipped model, smollm2-135m, a folder, a GGUF file, RUN[@iteration], or a model id on the Hub.",
    )
    data: str = setting("household", "Collection of state-only sequences to learn from.")
    labels: str | None = setting(
        None,
        "JSONL file with state, action and next_state in each line: for the warm-up, and for the methods that train on "
        "labels.",
    )
    method: str = setting(
        "swirl",
        " ".join(f"{m.name}: {f'{m.role}; ' if m.role else ''}{m.sentence}" for m in TRAINING_METHODS.values()),
        choices=tuple(TRAINING_METHODS),
    )
    seed: int = setting(0, "Random seed for the data order and for all sampling.", low=0, high=2**31 - 1)
    device: str = setting(
        "auto", "Device to train on; auto takes the best one available.", choices=("auto", "cpu", "cuda", "mps")
    )
    precision: str = setting(
        "auto",
        "Number format of the model weights; auto takes bfloat16 if the GPU or CPU has instructions for it and the "
        "model is not small, else float32.",
        choices=("auto", "float32", "bfloat16", "4bit"),
    )
    cores: int | None = setting(
        None,
        "CPU cores that the run takes, one thread each; other runs may train on the rest. none: the whole CPU.",
        low=1,
        high=1024,
    )
    iterations: int = setting(2, "Rounds of one forward and one inverse phase each.", low=0, high=100)
    inverse_first: bool = setting(
        False, "Extension: each iteration begins with its inverse phase, so that a weak critic learns before it judges."
    )
    steps_per_phase: int = setting(60, "Optimiser steps per phase.", low=0, high=1_000_000, per_phase=True)
    batch_size: int = setting(16, "Prompts (transitions) per step.", low=1, high=65536, per_phase=True)
    accumulation: int = setting(
        1,
        "Passes, at least, that the rollouts of one step are split into, down to one rollout each; same result.",
        low=1,
        high=65536,
        per_phase=True,
    )
    group_size: int = setting(8, "Rollouts per prompt (G).", low=2, high=1024, per_phase=True)
    learning_rate: float = setting(1e-4, "Learning rate of AdamW.", low=0.0, high=1.0, per_phase=True)
    learning_rate_warmup: int = setting(
        0, "Steps over which the learning rate rises to its full value.", low=0, high=1_000_000, per_phase=True
    )
    scheduler: str = setting(
        "constant_with_warmup",
        "Learning-rate schedule.",
        choices=("constant_with_warmup", "cosine", "linear"),
        per_phase=True,
    )
    max_grad_norm: float = setting(
        1.0, "Gradients whose norm exceeds this value are scaled down to it.", low=0.0, high=1e6, per_phase=True
    )
    beta: float = setting(
        0.1, "Weight of the KL penalty, KL(trainee || reference).", low=0.0, high=100.0, per_phase=True
    )
    temperature: float = setting(1.0, "Sampling temperature of the rollouts.", low=0.01, high=10.0, per_phase=True)
    top_p: float = setting(
        1.0,
        "Nucleus sampling: the share of the probability mass to sample from; 1 keeps all tokens.",
        low=0.0,
        high=1.0,
        per_phase=True,
    )
    top_k: int = setting(
        0, "Sample from the k likeliest tokens only; 0 keeps all tokens.", low=0, high=1_000_000, per_phase=True
    )
    rollout_server: str | None = setting(
        None,
        "URL of a vLLM server that samples the rollouts of a text model; none: this program samples them itself.",
    )
    max_prompt_tokens: int = setting(
        4096,
        "Longest prompt together with the longest action, in tokens; transitions that need more are left out and "
        "counted.",
        low=8,
        high=1_000_000,
    )
    max_action_tokens: int = setting(32, "Longest sampled action, in tokens.", low=1, high=MOST_TOKENS)
    max_state_tokens: int = setting(512, "Longest sampled next state, in tokens.", low=1, high=MOST_TOKENS)
    reward: str = setting(
        "mean",
        "mean: the partner's log-probability per token. sum: its total over all tokens.",
        choices=("mean", "sum"),
        per_phase=True,
    )
    reward_clamp: float | None = setting(
        -10.0,
        "Rewards below this value are raised to it; none turns the clamp off.",
        low=-1e9,
        high=0.0,
        per_phase=True,
    )
    reference_reward: float = setting(
        0.0,
        "Extension: this weight times the log-probability of a rollout under the reference, the trainee at the phase's "
        "start, is added to its reward; with reward=sum and 1, the likeliest rollout under both models earns most.",
        low=0.0,
        high=1000.0,
        per_phase=True,
    )
    anchor: float = setting(
        0.0,
        "Extension: adds this weight times the negative log-likelihood of the observed next state to the forward loss.",
        low=0.0,
        high=1000.0,
    )
    observed_in_group: bool = setting(
        False, "Extension: the observed next state takes the place of one rollout in each group of a forward phase."
    )
    observed_reward: float = setting(
        0.0,
        "Extension: share of the reward in forward phases that is the likeness to the observed next state, beside the "
        "critic's; both relative to their group.",
        low=0.0,
        high=1.0,
    )
    drift_penalty: float = setting(
        0.0,
        "Extension: in forward phases, this weight times the share of what the step left as it was that a prediction "
        "loses is subtracted from the reward.",
        low=0.0,
        high=1000.0,
    )
    overlap_penalty: float = setting(
        0.0,
        "Extension: in inverse phases, this weight times the share of an action's words that stand in the next state "
        "only is subtracted from the reward.",
        low=0.0,
        high=1000.0,
    )
    action_cap: int | None = setting(
        None,
        "Extension: actions longer than this many tokens get the lowest reward of their group; none turns it off.",
        low=1,
        high=65536,
    )
    min_reward_spread: float = setting(
        0.0,
        "Extension: groups whose rewards have a smaller standard deviation than this are left out of the update.",
        low=0.0,
        high=1000.0,
        per_phase=True,
    )
    label_candidates: int | None = setting(
        None,
        "Extension: where the IDM is unsure of an action to imitate, the likeliest of this many guesses under both "
        "models is taken, by log Q(z|x,y) + log P(y|x,z); 1 takes its first guess, as the paper's SFT does; none: "
        f"{LABEL_CANDIDATES} with hard-em, otherwise 1.",
        low=1,
        high=64,
    )
    label_passes: float = setting(
        1.0,
        "Extension: how often a phase imitates each action that it infers; with 2, half as many are inferred, in half "
        "the time.",
        low=1.0,
        high=100.0,
    )
    prior_reference: bool = setting(
        False,
        "Extension: in inverse phases the KL reference is asked without the next state, so that it presses against "
        "actions that only the next state explains.",
    )
    share_weights: bool = setting(
        False,
        "One adapter serves both models, as in the paper's shared variant; on a checkpoint with two adapters it is a "
        "new one, which needs a warm-up on labels.",
    )
    lora_rank: int = setting(16, "Rank of the LoRA adapters, if the model has none yet.", low=1, high=4096)
    warm_up_epochs: int = setting(5, "Epochs over the labels in the warm-up; 0 skips it.", low=0, high=10_000)
    warm_up_learning_rate: float = setting(2e-5, "Learning rate in the warm-up.", low=0.0, high=1.0)
    warm_up_batch_size: int = setting(16, "Transitions per warm-up step.", low=1, high=65536)
    held_out: int = setting(200, "Held-out transitions scored after each phase, at most.", low=1, high=1_000_000)
    test_at_end: int = setting(
        0,
        "Transitions of the test part on which the best and the last checkpoint are evaluated when the run ends, at "
        "most; 0 evaluates none.",
        low=0,
        high=1_000_000,
    )
    best_of: int = setting(
        1,
        "Next states drawn for each transition of that evaluation, of which the IDM chooses one; 1 draws none.",
        low=1,
        high=1024,
    )
    probe_every: int = setting(
        0,
        "Steps between two probes of the model on a few held-out transitions during a phase; 0 turns them off.",
        low=0,
        high=1_000_000,
        per_phase=True,
    )
    probe_size: int = setting(48, "Held-out transitions in each probe, at most.", low=1, high=1_000_000)
    stop_when_harmful: bool = setting(
        False,
        "End a run whose last three probes in a row got worse since the phase's start while its reward rose; needs "
        "probe_every.",
    )
    save_every: int = setting(10, "Steps between the saves from which a run can resume.", low=1, high=1_000_000)
    report_to: str = setting(
        "none",
        "Tracker that receives the metrics as well as the run history.",
        choices=("none", "trackio", "wandb", "tensorboard"),
    )
    overrides: dict[str, dict[str, Any]] = field(default_factory=lambda: {"forward": {}, "inverse": {}})

    @property
    def training_method(self) -> TrainingMethod:
        """What the setting `method` stands for."""
        return TRAINING_METHODS[self.method]

    @property
    def guesses_per_label(self) -> int:
        """The guesses that are compared for each action to imitate."""
        return self.training_method.label_candidates if self.label_candidates is None else self.label_candidates

    def for_phase(self, direction: Direction) -> Settings:
        """These settings with the overrides of one direction applied."""
        return dataclasses.replace(self, **self.overrides.get(direction, {}))

    def require_even_batch(self, processes: int) -> None:
        """Raise UsageError unless so many processes can share the prompts of a step; for the settings of a phase."""
        if self.batch_size % processes:
            raise UsageError(
                f"batch_size={self.batch_size} cannot be split evenly over {processes} processes; make it a multiple "
                f"of {processes}."
            )

    def to_dict(self) -> dict[str, Any]:
        """A flat dictionary with overrides as `forward.NAME` or `inverse.NAME`; `from_dict` reads it back."""
        flat = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "overrides"}
        for direction, values in self.overrides.items():
            flat.update({f"{direction}.{name}": value for name, value in values.items()})
        return flat

    @classmethod
    def from_dict(cls, flat: dict[str, Any]) -> Settings:
        """Build checked settings. Raises UsageError that names the setting and what is allowed."""
        return cls().replace(flat)

    def replace(self, changes: dict[str, Any]) -> Settings:
        """These settings with checked changes; a value may be a string, as typed on a command line.

        A value without a direction applies to both directions: it clears earlier overrides of that setting, unless
        `changes` gives them too. Raises UsageError that names the setting and what is allowed.
        """
        plain: dict[str, Any] = {}
        overrides = {direction: dict(values) for direction, values in self.overrides.items()}
        for key, value in changes.items():
            direction, _, name = key.rpartition(".")
            if direction:
                if direction not in overrides or name not in PER_PHASE:
                    names = ", ".join(sorted(PER_PHASE))
                    raise UsageError(
                        f"Unknown setting {key!r}; the prefixes forward. and inverse. apply only to: {names}."
                    )
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
    """`value` converted to the setting's type. Raises UsageError that says what is allowed if it does not fit."""
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
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{key}={value!r} is not {describe_allowed_values(kind, meta)}.") from None
    outside = meta["choices"] and value not in meta["choices"]
    if kind in (int, float):
        outside = not (meta["low"] <= value <= meta["high"])
    if outside:
        raise UsageError(f"{key}={value} is out of range; it takes {describe_allowed_values(kind, meta)}.")
    return value


def convert_value(kind: type, value: Any) -> Any:
    """`value` converted to `kind` strictly. Raises TypeError or ValueError for, say, a fraction where an int is due."""
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
        if not number.is_integer():  # which infinity is not
            raise ValueError
        return int(number)
    return float(value)


def json_bool(value: Any) -> bool:
    """Return `value` if it is a bool. Raises ValueError otherwise."""
    if not isinstance(value, bool):
        raise ValueError
    return value


def describe_allowed_values(kind: type, meta: typing.Mapping[str, Any]) -> str:
    """The values that a setting accepts, in words."""
    if meta["choices"]:
        return "one of " + ", ".join(meta["choices"])
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        number = "a whole number" if kind is int else "a number"
        return f"{number} from {json.dumps(meta['low'])} to {json.dumps(meta['high'])}"
    return "text"
