"""Is it helping? Held-out scores, the critic's strength and the best checkpoint, in words, numbers and baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from studio.view_models.formatting import format_percent, format_signed, pluralize
from studio.view_models.timeline import PhaseBand
from swirl.history import Checkpoint, Metric
from swirl.settings import Settings
from swirl.training.critic_verdicts import HOPELESS_FORWARD, STRONG_INVERSE, WEAK_INVERSE

SCORE_METRICS = {"forward": ("forward/exact_match", "cycle/exact_match"), "inverse": ("inverse/exact_match",)}
"""What each model is held to; without true actions the forward model is, by the next state from the inferred one."""
CHARTED = ("forward/exact_match", "inverse/exact_match", "cycle/exact_match", "copy/exact_match")
LEAST_STEPS = 10


@dataclass(frozen=True)
class Verdict:
    """One judgement: `tone` is good, neutral, inverse (a warning) or wrong; `claim` a clause, `why` its figures."""

    tone: str
    claim: str
    reason: str


def training_verdicts(
    settings: Settings,
    checkpoints: Sequence[Checkpoint],
    line: Sequence[PhaseBand],
    rewards: Sequence[Metric],
    held_out: int,
    warning: str | None = None,
) -> list[Verdict]:
    """What a user should know before looking at a curve; `rewards` are the run's `reward` metrics.

    `held_out` is the number of transitions behind a score; a change within its 95 % interval counts as none.
    """
    verdicts = divergence_verdicts(settings, checkpoints, line, rewards, held_out)
    judged = critic_strength_verdict(checkpoints, line) if settings.method == "swirl" else None
    # Training warns of the same two things; it is quoted when they can no longer be seen from here.
    if warning and not verdicts and (judged is None or judged.tone == "good"):
        verdicts.append(Verdict("inverse", "A warning from training", warning))
    found = (
        accuracy_change_verdict("forward", checkpoints, held_out),
        accuracy_change_verdict("inverse", checkpoints, held_out),
        judged,
        best_checkpoint_verdict(checkpoints),
    )
    verdicts += [verdict for verdict in found if verdict]
    if not verdicts:
        why = "The first comes with the first checkpoint; rewards alone prove nothing."
        verdicts = [Verdict("neutral", "No held-out score yet", why)]
    return verdicts


def confidence_margin(first: float, second: float, held_out: int) -> float:
    """Half the width of the 95 % interval of the difference of two shares, each of `held_out` transitions."""
    variance = (first * (1 - first) + second * (1 - second)) / max(1, held_out)
    return 1.96 * math.sqrt(variance)


def comparison_metric(checkpoints: Sequence[Checkpoint], direction: str) -> str | None:
    """The METRIC by which a model's checkpoints can be compared; None when they have no score."""
    return next((name for name in SCORE_METRICS.get(direction, ()) if any(name in c.scores for c in checkpoints)), None)


def accuracy_change_verdict(direction: str, checkpoints: Sequence[Checkpoint], held_out: int) -> Verdict | None:
    """How far one model's held-out accuracy has moved since the first checkpoint; None without scores."""
    name = comparison_metric(checkpoints, direction)
    if name is None:
        return None
    what = "Action accuracy" if direction == "inverse" else "Next-state accuracy"
    basis = f"on {pluralize(held_out, 'held-out transition')}" + (", by inferred actions" if "cycle" in name else "")
    scored = [c for c in checkpoints if name in c.scores]
    first, last = scored[0].scores[name], scored[-1].scores[name]
    since = "the start" if scored[0].index == 0 else scored[0].name
    if len(scored) == 1:
        copying = scored[0].scores.get("copy/exact_match") if direction == "forward" else None
        beside = f"; copying the state: {format_percent(copying)}" if copying is not None else ""
        return Verdict("neutral", f"{what} starts at {format_percent(first)}", basis + beside)
    points = round(100 * (last - first))
    figures = f"{format_percent(first)} → {format_percent(last)} {basis}"
    noise = confidence_margin(first, last, held_out)
    if abs(last - first) <= noise:
        noise_words = f"{figures}; changes below {pluralize(max(1, round(100 * noise)), 'point')} are noise"
        return Verdict("neutral", f"{what} is about where it was at {since}", noise_words)
    if points > 0:
        return Verdict("good", f"{what} is up {pluralize(points, 'point')} since {since}", figures)
    return Verdict("wrong", f"{what} is down {pluralize(-points, 'point')} since {since}", figures)


def critic_strength_verdict(checkpoints: Sequence[Checkpoint], line: Sequence[PhaseBand]) -> Verdict | None:
    """Whether the frozen partner of the phase that goes on (or comes next) is strong enough to be followed."""
    open_phases = [band for band in line if band.state != "done" and band.direction in SCORE_METRICS]
    if not open_phases:
        return None
    partner = "inverse" if open_phases[0].direction == "forward" else "forward"
    name = comparison_metric(checkpoints, partner)
    if name is None:
        return None
    score = [c.scores[name] for c in checkpoints if name in c.scores][-1]
    strong, weak = (STRONG_INVERSE, WEAK_INVERSE) if partner == "inverse" else (HOPELESS_FORWARD, HOPELESS_FORWARD)
    does = f"the {partner} model " + ("reads" if partner == "inverse" else "predicts")
    what = "of actions" if partner == "inverse" else "of next states"
    if score >= strong:
        figures = f"{does} {format_percent(score)} {what}; below {format_percent(strong)} this run would be warned"
        return Verdict("good", "The critic is strong enough", figures)
    if score >= weak:
        figures = f"{does} {format_percent(score)} {what}; from {format_percent(strong)} on the gains are larger"
        return Verdict("neutral", "The critic is a fair one: expect a small gain", figures)
    figures = f"{does} only {format_percent(score)} {what} (wanted: {format_percent(weak)}); warm up longer first"
    return Verdict("inverse", "The critic is too weak to be trusted", figures)


def best_checkpoint_verdict(checkpoints: Sequence[Checkpoint]) -> Verdict | None:
    """The checkpoint that is marked best; None while there is none."""
    best = next((c for c in checkpoints if c.best), None)
    if best is None:
        return None
    last = checkpoints[-1]
    if best.index == 0:
        why = "nothing has beaten it yet" if last.index else "every later checkpoint is held against it"
        return Verdict("neutral", "Best so far: the start", why)
    why = "kept; later iterations often fall back" if best.index == last.index else f"kept; {last.name} scores lower"
    return Verdict("neutral", f"Best so far: {describe_checkpoint(best)}", why)


def describe_checkpoint(checkpoint: Checkpoint) -> str:
    """`the start`, `iteration 1, forward phase`, `iteration 1`."""
    if checkpoint.index == 0:
        return "the start"
    return f"iteration {checkpoint.iteration}" + (", forward phase" if checkpoint.phase == "forward" else "")


def divergence_verdicts(
    settings: Settings,
    checkpoints: Sequence[Checkpoint],
    line: Sequence[PhaseBand],
    rewards: Sequence[Metric],
    held_out: int,
) -> list[Verdict]:
    """The phases whose reward rose while the held-out score of the trained model fell by more than noise."""
    by_index = {c.index: c for c in checkpoints}
    found = []
    for band in line:
        before, after = by_index.get(band.index - 1), by_index.get(band.index)
        name = comparison_metric([c for c in (before, after) if c], band.direction)
        if not (before and after and name and name in before.scores and name in after.scores):
            continue
        first, last = before.scores[name], after.scores[name]
        risen = reward_rise([m for m in rewards if m.phase == band.index])
        if risen is not None and risen > 0 and first - last > confidence_margin(first, last, held_out):
            unit = "nats a token" if settings.for_phase(band.direction).reward == "mean" else "nats"
            claim = f"Reward and held-out score parted ways in iteration {band.iteration}, {band.direction} phase"
            why = (
                f"reward {format_signed(risen, plus=True)} {unit}, accuracy {format_percent(first)} → "
                f"{format_percent(last)}: the model learned to please its critic, not the world"
            )
            found.append(Verdict("wrong", claim, why))
    return found


def reward_rise(rewards: Sequence[Metric]) -> float | None:
    """Mean reward of a phase's last fifth less that of its first fifth; None below LEAST_STEPS steps."""
    values = [m.value for m in sorted(rewards, key=lambda m: m.step)]
    if len(values) < LEAST_STEPS:
        return None
    fifth = len(values) // 5
    return fmean(values[-fifth:]) - fmean(values[:fifth])


def score_points(checkpoints: Sequence[Checkpoint], line: Sequence[PhaseBand]) -> dict[str, list[tuple[int, float]]]:
    """For the held-out chart: METRIC to points (step on the axis, share from 0 to 1), oldest first."""
    ends = {band.index: band.start + band.steps for band in line}
    points = {
        name: [(ends[c.index], c.scores[name]) for c in checkpoints if name in c.scores and c.index in ends]
        for name in CHARTED
    }
    return {name: found for name, found in points.items() if found}
