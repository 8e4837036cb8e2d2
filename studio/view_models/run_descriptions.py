"""A run in words: its status, model and data, method and extensions, progress, problems and scores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from studio.view_models.formatting import (
    NO_BREAK_SPACE,
    format_bytes,
    format_duration,
    format_percent,
    format_signed,
    format_step_time,
    format_time_ago,
    parse_time,
    pluralize,
)
from swirl.history import UNFINISHED_STATUSES, Checkpoint, Run
from swirl.models.checkpoints import short_name
from swirl.models.precision import describe_precision
from swirl.settings import DIRECTIONS, Direction, Settings

STATUS_LABELS = {
    "queued": ("○", "waiting", ""),
    "running": ("●", "running", "good"),
    "stopping": ("◐", "stopping", "inverse"),
    "interrupted": ("◇", "interrupted", "inverse"),
    "stopped": ("■", "stopped and saved", ""),
    "finished": ("✓", "finished", "good"),
    "failed": ("✕", "failed", "wrong"),
}
"""Status to its symbol, its label and its tone."""


def best_checkpoint(checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """The one marked as the best, else the last; None if there is none."""
    return next((c for c in checkpoints if c.best), checkpoints[-1] if checkpoints else None)


def describe_run(run: Run, settings: Settings, sequences: int | None) -> str:
    """The model, data and seed: `tiny-household on household, 400 sequences, seed 11`."""
    size = f", {pluralize(sequences, 'sequence')}" if sequences is not None else ""
    return f"{short_name(settings.model)} on {settings.data}{size}, seed {settings.seed}"


def describe_method(settings: Settings) -> str:
    """The method a run trains by, and which of our extensions to the paper's loop, in a sentence."""
    if not settings.iterations:
        return "The warm-up alone: no phases follow it."
    method = settings.training_method
    addition = " Both models share one adapter." if settings.share_weights else ""
    if method.trains_on_pseudo_labels and settings.guesses_per_label > 1:
        addition += f" Actions to imitate are the likeliest of {settings.guesses_per_label} guesses under both models."
    weighs_reference = any(settings.for_phase(direction).reference_reward for direction in DIRECTIONS)
    if method.inverse_by_rewards:
        addition += " The rewards are by both models, too." if weighs_reference else ""
        return f"{method.title}, our extension of the loop: {method.sentence}{addition}"
    if not method.trains_by_rewards:
        article = "an" if method.role[0] in "aeiou" else "a"
        return f"{method.title}, {article} {method.role}, not SWIRL: {method.sentence}{addition}"
    extensions = []
    if settings.anchor:
        extensions.append(f"anchor {settings.anchor:g}")
    if settings.observed_in_group:
        extensions.append("observed next state in the group")
    if weighs_reference:
        extensions.append("rewards by both models")
    if settings.inverse_first:
        extensions.append("inverse phases first")
    if settings.observed_reward:
        extensions.append(f"{settings.observed_reward:.0%} observed reward".replace("%", "\u202f%"))
    for name, label in (("drift_penalty", "drift penalty"), ("overlap_penalty", "overlap penalty")):
        if value := getattr(settings, name):
            extensions.append(f"{label} {value:g}")
    if settings.action_cap is not None:
        extensions.append(f"actions of at most {settings.action_cap} tokens")
    if settings.min_reward_spread:
        extensions.append("easy groups left out")
    if settings.prior_reference:
        extensions.append("a reference that does not see the next state")
    if not extensions:
        return f"The paper's loop, without extensions.{addition}"
    word = "extension" if len(extensions) == 1 else "extensions"
    named = ", ".join([*extensions[:-2], " and ".join(extensions[-2:])])
    return f"The paper's loop with our {word} {named}.{addition}"


def progress_lines(run: Run, step_seconds: float | None, now: datetime) -> tuple[str, str]:
    """The two lines beside the phase bar: the time left or taken; then pace, memory and how the run computes."""
    pace = [format_step_time(step_seconds)] if step_seconds is not None else []
    if run.memory_bytes:
        pace.append(format_bytes(run.memory_bytes))
    if run.precision:
        pace.append(describe_precision(run.precision))
    if run.threads:
        pace.append(pluralize(run.threads, "thread"))
    if run.parallelism:
        pace.append(run.parallelism)
    if run.rollout_note:
        pace.append(run.rollout_note)
    return describe_time(run, now), " · ".join(pace)


def describe_time(run: Run, now: datetime) -> str:
    """`2 min 10 s left` while it runs, `took 4 min, ended 12 min ago` afterwards."""
    if run.status == "queued":
        return "starts when the current run ends"
    if run.status == "stopping":
        return "stops in a moment" if run.activity else "will save after this step"
    if run.status == "running":
        if run.phase is None:
            return run.activity or "starting"
        return "estimating time left" if run.seconds_left is None else f"{format_duration(run.seconds_left)} left"
    taken = run_seconds(run, now)
    took = f"took {format_duration(taken)}, " if taken is not None else ""
    return f"{took}ended {format_time_ago(run.finished or run.heartbeat or run.created, now)}"


def run_seconds(run: Run, now: datetime) -> float | None:
    """Seconds from a run's start to its end, or to `now` while it runs; None before it starts."""
    started = parse_time(run.started)
    if started is None:
        return None
    # A killed run never recorded its end; its last heartbeat comes closest.
    end = now if run.status in UNFINISHED_STATUSES else parse_time(run.finished) or parse_time(run.heartbeat)
    return max(0.0, (end - started).total_seconds()) if end else None


def describe_problem(run: Run) -> tuple[str, str] | None:
    """What went wrong, why a run ended early or what it leaves out: a tone and what to do in words; else None."""
    if run.status == "failed":
        return "error", run.error or "The run failed without an error message; its log may show why."
    if run.status == "stopped" and run.started is None:
        return "notice", "This run was removed from the queue before it started. Resume puts it back at the end."
    if run.status == "interrupted":
        why = run.error or "Its process ended without saving, because it was killed or the machine stopped."
        return "notice", f"{why} Resume continues from the last checkpoint."
    remarks = [remark for remark in (run.ended_early, run.left_out) if remark]
    return ("notice", " ".join(remarks)) if remarks else None


def end_notification(run: Run) -> dict[str, str]:
    """The title and body of the notification that a run has ended."""
    taken = run_seconds(run, datetime.now(UTC))
    took = f"It took {format_duration(taken)}." if taken is not None else ""
    return {"title": f"{run.name}: {STATUS_LABELS[run.status][1]}", "body": run.error or run.ended_early or took}


def describe_reward(settings: Settings) -> str:
    """The definition and unit of the reward, for the chart's subtitle; only phases count that have rewards."""
    method = settings.training_method
    rewarded = [direction for direction in DIRECTIONS if method.rewards_in(direction)] or DIRECTIONS
    kinds = {settings.for_phase(direction).reward for direction in rewarded}
    if kinds == {"mean"}:
        unit = "nats per token"
    elif kinds == {"sum"}:
        unit = "nats"
    else:
        unit = f"nats{NO_BREAK_SPACE}(per token in one phase)"
    if all(is_partner_alone(settings, direction) for direction in rewarded):
        return f"mean log-probability under the frozen partner, {unit}"
    relative = "forward" in rewarded and settings.observed_reward  # to the group, so that it has no unit
    return "mean reward with the run's extensions" + ("" if relative else f", {unit}")


def is_partner_alone(settings: Settings, direction: Direction) -> bool:
    """Whether a rollout's reward in the phases of one direction is the partner's log-probability and nothing else."""
    if settings.for_phase(direction).reference_reward:
        return False
    if direction == "forward":
        return not (settings.observed_reward or settings.drift_penalty)
    return not settings.overlap_penalty and settings.action_cap is None


def describe_scores(scores: dict[str, float]) -> str:
    """A checkpoint's held-out accuracies, two at most: `next state 73 %, action 92 %`; else its log-probability."""
    labels = {"forward/exact_match": "next state", "inverse/exact_match": "action", "cycle/exact_match": "cycle"}
    parts = [f"{label} {format_percent(scores[name])}" for name, label in labels.items() if name in scores]
    if parts:
        return ", ".join(parts[:2])
    log_prob = scores.get("forward/log_prob")
    return f"{format_signed(log_prob)} nats per token" if log_prob is not None else ""
