"""Explains failures of training in one sentence each: which setting to change, and from what value to what value.

All changes that a sentence gives as NAME=VALUE belong together, in the form that `swirl train --set` takes; the error
also holds them as values. Other settings that might help are named with their current value in parentheses. Does not
import torch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from swirl.errors import SwirlError
from swirl.history import Run
from swirl.settings import Settings
from swirl.training.schedule import PlannedPhase

RESTART_PHRASE = "start another run like this with"
ACCUMULATION_FACTOR = 4  # factor by which to raise accumulation after memory ran out
LEARNING_RATE_DIVISOR = 5  # factor by which to lower the learning rate after a divergence
# KL to the start of the phase (nats per token, k3 estimator) beyond which a policy counts as diverged, and for how
# many steps in a row it must stay there.
MAX_KL, MAX_KL_STEPS = 5.0, 3
WINDOW = 10  # steps that a drop of the reward, or a reward stuck at the clamp, must last
MAX_REWARD_DROP = {"mean": 5.0, "sum": 50.0}  # nats below the best of the phase, by setting `reward`
# A killed process that held at least this share of the machine's memory was most likely killed because of it.
SUSPECT_MEMORY_SHARE = 0.6
OUT_OF_MEMORY_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory", "cublas_status_alloc_failed")


class DivergenceError(SwirlError):
    """Training has diverged; the message says which setting to change."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: an error of Python, of CUDA, or of the CPU allocator, which has no class of its own."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_MESSAGES)
    )


@dataclass(frozen=True)
class Change:
    """One setting to change in another run; `remark` gives its current value."""

    name: str
    value: Any
    remark: str

    def __str__(self) -> str:
        """`group_size=4 (now 8)`, and for None `reward_clamp=none`."""
        value = "none" if self.value is None else f"{self.value:g}" if isinstance(self.value, float) else self.value
        return f"{self.name}={value}" + (f" ({self.remark})" if self.remark else "")

    @property
    def setting(self) -> dict[str, Any]:
        """The setting's name and its new value."""
        return {self.name: self.value}


def memory_error(settings: Settings, kind: str | None, device: str) -> SwirlError:
    """What to change after memory ran out in a phase of this `kind`, or while loading the model if `kind` is None."""
    can_quantise = device.startswith("cuda") and settings.precision != "4bit"
    if kind is None:
        too_large = f"The model {settings.model} does not fit into the memory of {device}"
        if not can_quantise:
            return SwirlError(f"{too_large}; use a smaller model or a machine with more memory.")
        change = Change("precision", "4bit", f"now {settings.precision}")
        return SwirlError(f"{too_large}; {RESTART_PHRASE} {change}, or use a smaller model.", change.setting)
    if kind == "warm-up":
        now = settings.warm_up_batch_size
        change = Change("warm_up_batch_size", max(1, now // 2), f"now {now}")
        rest = f"lower max_state_tokens ({settings.max_state_tokens})"
    else:
        phase = settings.for_phase(kind)  # type: ignore[arg-type]
        change = suggest_memory_change(settings, kind)
        longest = "max_state_tokens" if kind == "forward" else "max_action_tokens"
        names = [n for n in ("group_size", "batch_size", longest) if n != change.name.rpartition(".")[2]]
        rest = "lower " + ", ".join(f"{name} ({getattr(phase, name)})" for name in names)
    quantise = ", or use precision 4bit" if can_quantise else ""
    sentence = f"Out of memory in the {kind} phase on {device}: {RESTART_PHRASE} {change}; otherwise {rest}{quantise}."
    return SwirlError(sentence, change.setting)


def suggest_memory_change(settings: Settings, direction: str) -> Change:
    """The single change that saves memory and alters the method least."""
    phase = settings.for_phase(direction)  # type: ignore[arg-type]
    rollouts = phase.batch_size * phase.group_size
    if phase.accumulation < rollouts:
        parts = min(ACCUMULATION_FACTOR * phase.accumulation, rollouts)
        name = setting_key(settings, direction, "accumulation")
        return Change(name, parts, f"now {phase.accumulation}; same result")
    if phase.group_size > 2:
        name = setting_key(settings, direction, "group_size")
        return Change(name, max(2, phase.group_size // 2), f"now {phase.group_size}")
    name = "max_state_tokens" if direction == "forward" else "max_action_tokens"
    now = getattr(phase, name)
    return Change(name, max(1, now // 2), f"now {now}")


def setting_key(settings: Settings, direction: str, name: str) -> str:
    """The name under which to change a phase's setting: with its direction if that direction overrides it."""
    return f"{direction}.{name}" if name in settings.overrides.get(direction, {}) else name


def killed_error(run: Run, total: int) -> SwirlError | None:
    """The error of a run whose process was killed while it held most of the machine's `total` bytes; else None."""
    if not run.memory_bytes or run.device != "cpu" or run.memory_bytes < SUSPECT_MEMORY_SHARE * total:
        return None
    advice = memory_error(Settings.from_dict(run.settings), run.phase or "warm-up", "this machine")
    held = f"{run.memory_bytes / 1e9:.1f} of {total / 1e9:.1f} GB"
    why = f"Its process was killed while it held {held}, most likely because memory ran out. {advice}"
    return SwirlError(why, advice.advised_changes)


class DivergenceDetector:
    """Checks the metrics of a phase after each step, and raises DivergenceError if training will not recover."""

    def __init__(self, phase: PlannedPhase, settings: Settings) -> None:
        self.phase, self.run_settings = phase, settings
        self.settings = settings if phase.kind == "warm-up" else settings.for_phase(phase.kind)
        self.high_kl_steps = self.clamped_steps = 0
        self.rewards: deque[float] = deque(maxlen=WINDOW)
        self.best_reward = -math.inf

    def check(self, step: int, figures: Mapping[str, Any]) -> None:
        """Raise DivergenceError if the phase has diverged; `figures` go by the names in `run_monitor.METRIC_NAMES`."""
        for name, words in (("loss", "The loss"), ("grad_norm", "The gradient")):
            if not math.isfinite(figures.get(name, 0.0)):
                precision = "" if self.run_settings.precision == "float32" else ", or use precision float32"
                change = self.suggest_lower_learning_rate()
                raise DivergenceError(
                    f"{words} of the {self.phase.kind} phase became NaN or infinite at step {step}: "
                    f"{RESTART_PHRASE} {change}; otherwise lower max_grad_norm "
                    f"({self.settings.max_grad_norm:g}){precision}.",
                    change.setting,
                )
        self.check_kl(step, figures.get("kl"))
        self.check_reward(step, figures.get("reward"), figures.get("zero_variance", 0.0))

    def check_kl(self, step: int, kl: float | None) -> None:
        """Raise DivergenceError if the KL to the start of the phase stays too high.

        A reference that is asked without the next state (`prior_reference`) is far away from the start on.
        """
        if self.phase.kind == "inverse" and self.settings.prior_reference:
            return
        self.high_kl_steps = self.high_kl_steps + 1 if kl is not None and kl > MAX_KL else 0
        if self.high_kl_steps >= MAX_KL_STEPS:
            change = self.suggest_lower_learning_rate()
            raise DivergenceError(
                f"The {self.phase.kind} phase is {kl:.0f} nats per token away from its starting point at step {step}: "
                f"{RESTART_PHRASE} {change}; otherwise raise beta ({self.settings.beta:g}).",
                change.setting,
            )

    def check_reward(self, step: int, reward: float | None, zero_variance: float) -> None:
        """Raise DivergenceError if the reward falls far below its best, or if every rollout stays at the clamp."""
        if reward is None:
            return
        clamp = self.settings.reward_clamp
        is_clamped = clamp is not None and zero_variance >= 1 and reward <= clamp + 1e-3
        self.clamped_steps = self.clamped_steps + 1 if is_clamped else 0
        if self.clamped_steps >= WINDOW:
            change = Change(setting_key(self.run_settings, self.phase.kind, "reward_clamp"), None, "")
            raise DivergenceError(
                f"Every rollout in the last {WINDOW} steps of the {self.phase.kind} phase received the clamped reward, "
                f"{clamp:g}, so there is nothing to learn from: {RESTART_PHRASE} {change}, or warm the models up "
                "longer first.",
                change.setting,
            )
        self.rewards.append(reward)
        if len(self.rewards) < WINDOW:
            return
        average = fmean(self.rewards)
        self.best_reward = max(self.best_reward, average)
        if self.best_reward - average > MAX_REWARD_DROP[self.settings.reward]:
            change = self.suggest_lower_learning_rate()
            raise DivergenceError(
                f"The {self.phase.kind} phase's reward fell from {self.best_reward:.1f} to {average:.1f} nats by step "
                f"{step}: {RESTART_PHRASE} {change}; otherwise raise beta ({self.settings.beta:g}).",
                change.setting,
            )

    def suggest_lower_learning_rate(self) -> Change:
        """A lower learning rate for this phase."""
        name = "warm_up_learning_rate" if self.phase.kind == "warm-up" else "learning_rate"
        now = getattr(self.settings, name)
        lower = float(f"{now / LEARNING_RATE_DIVISOR:.2g}")
        return Change(setting_key(self.run_settings, self.phase.kind, name), lower, f"now {now:g}")
