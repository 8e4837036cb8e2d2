"""What goes wrong in training, told in one sentence: which setting to change, from what to what.

What a sentence writes as NAME=VALUE is meant together, and `swirl train --set` takes it as it stands; what else might
help is named with its present value in brackets. Nothing here needs torch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from swirl.errors import SwirlError
from swirl.history import Run
from swirl.settings import Settings
from swirl.training.schedule import PlannedPhase

RESTART_PHRASE = "start another run like this with"
MORE_PARTS = 4  # times as many micro-batches after memory ran out
LEARNING_RATE_DIVISOR = 5  # times lower a learning rate after a divergence
# A policy this far from its start, in nats a token by the k3 estimator, has nothing to do with it any more.
MAX_KL, MAX_KL_STEPS = 5.0, 3
WINDOW = 10  # steps that a fall of the reward, or its standstill at the clamp, must last
MAX_REWARD_DROP = {"mean": 5.0, "sum": 50.0}  # nats below the phase's best, by the kind of reward
SUSPECT_MEMORY_SHARE = (
    0.6  # share of the memory that a killed process must have held to be suspected of having used it up
)
OUT_OF_MEMORY_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory", "cublas_status_alloc_failed")


class DivergenceError(SwirlError):
    """Training leads nowhere any more; the message says what to change."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python's error, CUDA's, or the processor's allocator's, which has no class of its own."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_MESSAGES)
    )


def memory_advice(settings: Settings, kind: str | None, device: str) -> str:
    """What to change when memory ran out in a phase of this kind, or, with None, while the model was being loaded."""
    if kind is None:
        return (
            f"The model {settings.model} does not fit into the memory of {device}; {smaller_weights(settings, device)}."
        )
    if kind == "warm-up":
        now = settings.warm_up_batch_size
        change = f"warm_up_batch_size={max(1, now // 2)} (now {now})"
        rest = f"lower max_state_tokens ({settings.max_state_tokens})"
    else:
        phase = settings.for_phase(kind)  # type: ignore[arg-type]
        change = suggest_memory_change(settings, kind)
        longest = "max_state_tokens" if kind == "forward" else "max_action_tokens"
        names = ("group_size", "batch_size", longest)
        rest = "lower " + ", ".join(f"{name} ({getattr(phase, name)})" for name in names if f"{name}=" not in change)
    four = ", or take precision 4bit" if device.startswith("cuda") and settings.precision != "4bit" else ""
    return f"Out of memory in the {kind} phase on {device}: {RESTART_PHRASE} {change}; else {rest}{four}."


def suggest_memory_change(settings: Settings, direction: str) -> str:
    """The one change that needs less memory and alters the method least."""
    phase = settings.for_phase(direction)  # type: ignore[arg-type]
    if phase.accumulation < phase.batch_size:
        wanted = MORE_PARTS * phase.accumulation
        parts = next(n for n in range(min(wanted, phase.batch_size), phase.batch_size + 1) if not phase.batch_size % n)
        return (
            f"{setting_key(settings, direction, 'accumulation')}={parts} (now {phase.accumulation}; it learns the same)"
        )
    if phase.group_size > 2:
        return (
            f"{setting_key(settings, direction, 'group_size')}={max(2, phase.group_size // 2)} (now {phase.group_size})"
        )
    name = "max_state_tokens" if direction == "forward" else "max_action_tokens"
    now = getattr(phase, name)
    return f"{name}={max(1, now // 2)} (now {now})"


def smaller_weights(settings: Settings, device: str) -> str:
    """What to do about weights that do not fit."""
    if device.startswith("cuda") and settings.precision != "4bit":
        return f"{RESTART_PHRASE} precision=4bit (now {settings.precision}), or take a smaller model"
    return "take a smaller model, or a machine with more memory"


def setting_key(settings: Settings, direction: str, name: str) -> str:
    """The name under which a phase's setting is changed: with its direction where it has a value of its own."""
    return f"{direction}.{name}" if name in settings.overrides.get(direction, {}) else name


def killed_advice(run: Run, total: int) -> str | None:
    """What to say of a run whose process was killed while it held most of the machine's `total` bytes; else None."""
    if not run.memory_bytes or run.device != "cpu" or run.memory_bytes < SUSPECT_MEMORY_SHARE * total:
        return None
    advice = memory_advice(Settings.from_dict(run.settings), run.phase or "warm-up", "this machine")
    held = f"{run.memory_bytes / 1e9:.1f} of {total / 1e9:.1f} GB"
    return f"Its process was killed when it held {held}, most likely for memory. {advice}"


class DivergenceDetector:
    """Looks at a phase's figures after each step, and raises Diverged when they will not recover."""

    def __init__(self, phase: PlannedPhase, settings: Settings) -> None:
        self.phase, self.run_settings = phase, settings
        self.settings = settings if phase.kind == "warm-up" else settings.for_phase(phase.kind)
        self.far = self.stuck = 0
        self.rewards: deque[float] = deque(maxlen=WINDOW)
        self.best = -math.inf

    def check(self, step: int, figures: Mapping[str, Any]) -> None:
        """Raises Diverged in one sentence; `figures` are those of `swirl.training.run_monitor.FIGURES`."""
        for name, words in (("loss", "The loss"), ("grad_norm", "The gradient")):
            if not math.isfinite(figures.get(name, 0.0)):
                precision = "" if self.run_settings.precision == "float32" else ", or take precision float32"
                raise DivergenceError(
                    f"{words} of the {self.phase.kind} phase is no number at step {step}: "
                    f"{RESTART_PHRASE} {self.suggest_lower_learning_rate()}; else lower max_grad_norm "
                    f"({self.settings.max_grad_norm:g}){precision}."
                )
        self.check_kl(step, figures.get("kl"))
        self.check_reward(step, figures.get("reward"), figures.get("zero_variance", 0.0))

    def check_kl(self, step: int, kl: float | None) -> None:
        """The KL to the phase's start must not explode."""
        self.far = self.far + 1 if kl is not None and kl > MAX_KL else 0
        if self.far >= MAX_KL_STEPS:
            raise DivergenceError(
                f"The {self.phase.kind} phase is {kl:.0f} nats a token away from where it began at step {step}: "
                f"{RESTART_PHRASE} {self.suggest_lower_learning_rate()}; else raise beta ({self.settings.beta:g})."
            )

    def check_reward(self, step: int, reward: float | None, zero_variance: float) -> None:
        """The reward must not fall far below the phase's best, nor stand at its clamp for every rollout."""
        if reward is None:
            return
        clamp = self.settings.reward_clamp
        self.stuck = self.stuck + 1 if clamp is not None and zero_variance >= 1 and reward <= clamp + 1e-3 else 0
        if self.stuck >= WINDOW:
            change = setting_key(self.run_settings, self.phase.kind, "reward_clamp")
            raise DivergenceError(
                f"Every rollout of the last {WINDOW} steps of the {self.phase.kind} phase scored the clamp, {clamp:g}, "
                f"which teaches nothing: {RESTART_PHRASE} {change}=none, or from models that were warmed up longer."
            )
        self.rewards.append(reward)
        if len(self.rewards) < WINDOW:
            return
        now = fmean(self.rewards)
        self.best = max(self.best, now)
        if self.best - now > MAX_REWARD_DROP[self.settings.reward]:
            raise DivergenceError(
                f"The {self.phase.kind} phase's reward fell from {self.best:.1f} to {now:.1f} nats by step {step}: "
                f"{RESTART_PHRASE} {self.suggest_lower_learning_rate()}; else raise beta ({self.settings.beta:g})."
            )

    def suggest_lower_learning_rate(self) -> str:
        """A lower learning rate for this phase, and what it is now."""
        name = "warm_up_learning_rate" if self.phase.kind == "warm-up" else "learning_rate"
        now = getattr(self.settings, name)
        return (
            f"{setting_key(self.run_settings, self.phase.kind, name)}={now / LEARNING_RATE_DIVISOR:.2g} (now {now:g})"
        )
