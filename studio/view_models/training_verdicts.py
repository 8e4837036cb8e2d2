"""The verdicts that answer "Is it helping?": held-out scores, the critic's strength, and the best checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from studio.view_models.formatting import format_percent, format_signed, pluralize
from studio.view_models.timeline import PhaseBand
from swirl.history import Checkpoint, Run
from swirl.settings import Settings
from swirl.training.critic_verdicts import HOPELESS_FORWARD, STRONG_INVERSE, WEAK_INVERSE

SCORE_METRICS = {"forward": ("forward/exact_match", "cycle/exact_match"), "inverse": ("inverse/exact_match",)}
"""The metrics that score each model, best first; without true actions, the forward model's is the cycle's."""
CHARTED = ("forward/exact_match", "inverse/exact_match", "cycle/exact_match", "copy/exact_match")
MIN_STEPS = 10
PROBE_CLAIMS = {
    "together": ("good", "Early on, training and held-out score went together"),
    "parted": ("wrong", "Early on, training and held-out score parted ways"),
    "falling": ("inverse", "Early on, the held-out score fell"),
    "unclear": ("neutral", "Early on, nothing showed whether the held-out score follows training"),
}
"""The tone and the claim of each outcome of the first probes."""


@dataclass(frozen=True)
class Verdict:
    """One verdict: `tone` is good, neutral, inverse (a warning) or wrong; `claim` a clause, `reason` its figures."""

    tone: str
    claim: str
    reason: str


def training_verdicts(
    settings: Settings,
    checkpoints: Sequence[Checkpoint],
    line: Sequence[PhaseBand],
    reward_rises: Mapping[int, float],
    held_out: int,
    warning: str | None = None,
) -> list[Verdict]:
    """What a user should know before looking at a curve, the most urgent first.

    `reward_rises` are those of the run's phases by index, as `rises_by_phase` gives them, and `held_out` is the number
    of transitions behind each score; a change within its 95 % interval counts as no change. `warning` is the last one
    that training itself gave.
    """
    verdicts = divergence_verdicts(settings, checkpoints, line, reward_rises, held_out)
    critic = critic_strength_verdict(checkpoints, line) if settings.training_method.trains_by_rewards else None
    # Training warns of divergence and of a weak critic too; quote it only if neither verdict is already given here.
    if warning and not verdicts and (critic is None or critic.tone == "good"):
        verdicts.append(Verdict("inverse", "A warning from training", warning))
    candidates = (
        accuracy_change_verdict("forward", checkpoints, held_out),
        accuracy_change_verdict("inverse", checkpoints, held_out),
        critic,
        best_checkpoint_verdict(checkpoints),
    )
    verdicts += [verdict for verdict in candidates if verdict]
    if not verdicts:
        why = "The first comes with the first checkpoint; rewards alone cannot show whether training helps."
        verdicts = [Verdict("neutral", "No held-out score yet", why)]
    return verdicts


def probe_verdicts(run: Run) -> list[Verdict]:
    """What the run itself said a third into its first phase; empty before that, and for a run without probes."""
    if not run.probe_verdict:
        return []
    tone, claim = PROBE_CLAIMS.get(run.probe_outcome or "", PROBE_CLAIMS["unclear"])
    return [Verdict(tone, claim, run.probe_verdict)]


def confidence_margin(first: float, second: float, held_out: int) -> float:
    """Half the width of the 95 % interval of a difference of two shares, each measured on `held_out` transitions."""
    variance = (first * (1 - first) + second * (1 - second)) / max(1, held_out)
    return 1.96 * math.sqrt(variance)


def comparison_metric(checkpoints: Sequence[Checkpoint], direction: str) -> str | None:
    """The metric by which one model's checkpoints can be compared; None if none of them has a score."""
    return next((name for name in SCORE_METRICS.get(direction, ()) if any(name in c.scores for c in checkpoints)), None)


def accuracy_change_verdict(direction: str, checkpoints: Sequence[Checkpoint], held_out: int) -> Verdict | None:
    """How one model's held-out accuracy has changed since the first checkpoint; None without scores."""
    name = comparison_metric(checkpoints, direction)
    if name is None:
        return None
    what = "Action accuracy" if direction == "inverse" else "Next-state accuracy"
    basis = f"on {pluralize(held_out, 'held-out transition')}" + (", with inferred actions" if "cycle" in name else "")
    scored = [c for c in checkpoints if name in c.scores]
    first, last = scored[0].scores[name], scored[-1].scores[name]
    since = "the start" if scored[0].index == 0 else scored[0].name
    if len(scored) == 1:
        copying = scored[0].scores.get("copy/exact_match") if direction == "forward" else None
        baseline = f"; copying the state scores {format_percent(copying)}" if copying is not None else ""
        return Verdict("neutral", f"{what} starts at {format_percent(first)}", basis + baseline)
    points = round(100 * (last - first))
    figures = f"{format_percent(first)} → {format_percent(last)} {basis}"
    margin = confidence_margin(first, last, held_out)
    if abs(last - first) <= margin:
        why = f"{figures}; changes below {pluralize(max(1, round(100 * margin)), 'point')} are noise"
        return Verdict("neutral", f"No clear change in {what.lower()} since {since}", why)
    if points > 0:
        return Verdict("good", f"{what} is up {pluralize(points, 'point')} since {since}", figures)
    return Verdict("wrong", f"{what} is down {pluralize(-points, 'point')} since {since}", figures)


def critic_strength_verdict(checkpoints: Sequence[Checkpoint], line: Sequence[PhaseBand]) -> Verdict | None:
    """Whether the frozen partner in the current (or next) phase is strong enough to be a critic."""
    open_phases = [band for band in line if band.state != "done" and band.direction in SCORE_METRICS]
    if not open_phases:
        return None
    partner = "inverse" if open_phases[0].direction == "forward" else "forward"
    name = comparison_metric(checkpoints, partner)
    if name is None:
        return None
    score = [c.scores[name] for c in checkpoints if name in c.scores][-1]
    strong, weak = (STRONG_INVERSE, WEAK_INVERSE) if partner == "inverse" else (HOPELESS_FORWARD, HOPELESS_FORWARD)
    subject = f"the {partner} model " + ("infers" if partner == "inverse" else "predicts")
    right = "of actions right" if partner == "inverse" else "of next states right"
    if score >= strong:
        figures = f"{subject} {format_percent(score)} {right}; strong enough from {format_percent(strong)}"
        return Verdict("good", "The critic is strong enough", figures)
    if score >= weak:
        figures = f"{subject} {format_percent(score)} {right}; gains are larger from {format_percent(strong)}"
        return Verdict("neutral", "The critic is fair: expect a small gain", figures)
    figures = f"{subject} only {format_percent(score)} {right} (needed: {format_percent(weak)}); warm up longer first"
    return Verdict("inverse", "The critic is too weak to trust", figures)


def best_checkpoint_verdict(checkpoints: Sequence[Checkpoint]) -> Verdict | None:
    """The checkpoint marked as best; None if there is none yet."""
    best = next((c for c in checkpoints if c.best), None)
    if best is None:
        return None
    last = checkpoints[-1]
    if not best.scores:
        return Verdict(
            "neutral", f"Kept as the best: {describe_checkpoint(best)}", "no sequence is held out to score on"
        )
    if best.index == 0:
        why = "no checkpoint has beaten it yet" if last.index else "every later checkpoint is compared with it"
        return Verdict("neutral", "Best so far: the start", why)
    why = (
        "kept; later iterations often lose ground"
        if best.index == last.index
        else f"kept; {last.name} scores no higher"
    )
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
    reward_rises: Mapping[int, float],
    held_out: int,
) -> list[Verdict]:
    """The phases whose reward rose while the trained model's held-out score fell by more than noise."""
    by_index = {c.index: c for c in checkpoints}
    verdicts = []
    for band in line:
        before, after = by_index.get(band.index - 1), by_index.get(band.index)
        name = comparison_metric([c for c in (before, after) if c], band.direction)
        if not (before and after and name and name in before.scores and name in after.scores):
            continue
        first, last = before.scores[name], after.scores[name]
        rise = reward_rises.get(band.index, 0.0)
        if rise > 0 and first - last > confidence_margin(first, last, held_out):
            unit = "nats per token" if settings.for_phase(band.direction).reward == "mean" else "nats"
            claim = f"Reward rose but held-out accuracy fell in iteration {band.iteration}, {band.direction} phase"
            why = (
                f"reward {format_signed(rise, plus=True)} {unit}, accuracy {format_percent(first)} → "
                f"{format_percent(last)}: the model learned to please its critic instead of matching the data"
            )
            verdicts.append(Verdict("wrong", claim, why))
    return verdicts


def rises_by_phase(rewards: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Of each phase the mean reward of its last fifth minus that of its first; none for less than MIN_STEPS values.

    `rewards` are pairs of a phase's index and a reward, in the order of the steps.
    """
    phases: dict[int, list[float]] = {}
    for phase, reward in rewards:
        phases.setdefault(phase, []).append(reward)
    fifths = {phase: len(values) // 5 for phase, values in phases.items() if len(values) >= MIN_STEPS}
    return {phase: fmean(phases[phase][-fifth:]) - fmean(phases[phase][:fifth]) for phase, fifth in fifths.items()}


def score_points(checkpoints: Sequence[Checkpoint], line: Sequence[PhaseBand]) -> dict[str, list[tuple[int, float]]]:
    """The points of the held-out chart: METRIC to (step on the axis, share from 0 to 1), oldest first."""
    ends = {band.index: band.start + band.steps for band in line}
    points = {
        name: [(ends[c.index], c.scores[name]) for c in checkpoints if name in c.scores and c.index in ends]
        for name in CHARTED
    }
    return {name: scored for name, scored in points.items() if scored}
