"""The health verdicts on latent actions (meaningful, collapsed, leaking), each with its evidence.

Those on undoing, composing and private codes are in `health_of_codes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from studio.view_models.formatting import format_percent, format_signed, pluralize
from studio.view_models.training_verdicts import Verdict
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.health_findings import CheckedTransition, HealthCheck
from swirl.evaluation.health_rules import (
    LEAK_LOSS,
    LEAK_OVERLAP,
    collapse_threshold,
    effective_number,
    is_carrying,
    is_copying,
)

MIN_SHUFFLING_COST = 1.0  # nats; below this, the forward model hardly uses the action
MAX_EXAMPLES = 4


@dataclass(frozen=True)
class Measure:
    """One figure behind a verdict: its name, its value with the 95 % interval, and its threshold, as text."""

    name: str
    value: str
    threshold: str


@dataclass(frozen=True)
class HealthFinding:
    """One verdict: how it was reached, its figures, and the transitions that show it best."""

    name: str
    verdict: Verdict
    method: str
    measures: tuple[Measure, ...]
    cases: tuple[CheckedTransition, ...]


def basic_findings(check: HealthCheck) -> list[HealthFinding]:
    """The three findings that every check has, in order: meaningful, collapsed, leaking."""
    return [check_meaningful(check), check_collapse(check), check_leakage(check)]


def check_meaningful(check: HealthCheck) -> HealthFinding:
    """Check that the forward model uses the action: another transition's action must cost it log-probability."""
    cost = check.figures.get("shuffling")
    if cost is None:
        verdict = Verdict("wrong", "Not meaningful", "every transition gets the same action")
    elif cost.value >= MIN_SHUFFLING_COST and cost.low > 0:
        verdict = Verdict("good", "Meaningful", f"shuffling the actions costs {format_signed(cost.value)} nats")
    elif cost.value >= MIN_SHUFFLING_COST:
        why = f"shuffling the actions costs {format_signed(cost.value)} nats, but the interval includes 0"
        verdict = Verdict("inverse", "Perhaps meaningful", why)
    else:
        why = f"shuffling the actions costs only {format_signed(cost.value)} nats"
        verdict = Verdict("wrong", "Hardly used", why)
    measures = [
        Measure(
            "log P(y|x,z) − log P(y|x,z′), z′ another transition's action",
            format_nats(cost, "nats"),
            f"at least {MIN_SHUFFLING_COST:.0f}, interval above 0",
        ),
        Measure(
            "action read back from the state imagined with it",
            format_share(check.figures["read_back"]),
            "for comparison",
        ),
    ]
    if "agreement" in check.figures:
        agreement = format_share(check.figures["agreement"])
        measures.append(Measure("inferred action is the true one", agreement, "for comparison"))
    scored = [case for case in check.cases if case.shuffling is not None]
    telling = sorted(scored, key=lambda case: case.shuffling, reverse=verdict.tone == "good")
    method = (
        "Each next state is scored under its own action and under another transition's. If the actions mean "
        "something, the wrong action makes the true next state less likely."
    )
    return HealthFinding("meaningful", verdict, method, tuple(measures), tuple(telling[:MAX_EXAMPLES]))


def check_collapse(check: HealthCheck) -> HealthFinding:
    """Check that the actions differ from one another."""
    effective, distinct = check.figures["effective"], check.figures["distinct"]
    total = len(check.cases)
    true_actions = [case.true_action for case in check.cases if case.true_action is not None]
    threshold = collapse_threshold(total, effective_number(true_actions) if true_actions else None)
    why = (
        f"{pluralize(round(effective.value), 'effective action')}, {distinct.value:.0f} distinct, "
        f"on {pluralize(total, 'transition')}"
    )
    healthy = effective.value >= threshold
    verdict = Verdict("good", "Not collapsed", why) if healthy else Verdict("wrong", "Collapsed", why)
    counts = action_counts(check.cases)
    commonest, times = counts[0]
    measures = (
        Measure(
            "effective number of actions, exp(entropy)", format_action_count(effective), f"at least {threshold:.2g}"
        ),
        Measure("distinct actions", f"{distinct.value:.0f} of {total}", "for comparison"),
        Measure("most frequent action", f"{times} of {total}: {commonest or '(no words)'}", "for comparison"),
        Measure("mean length", f"{check.figures['length'].value:.1f} words", "for comparison"),
    )
    method = "An action used for everything explains nothing, so this counts how many different actions there are."
    rank = {action: place for place, (action, _) in enumerate(counts)}
    first_cases = {case.action: case for case in reversed(check.cases)}
    examples = sorted(first_cases.values(), key=lambda case: rank[case.action])
    if not healthy:
        examples = [case for case in check.cases if case.action == commonest]
    return HealthFinding("collapsed", verdict, method, measures, tuple(examples[:MAX_EXAMPLES]))


def action_counts(cases: Sequence[CheckedTransition]) -> list[tuple[str, int]]:
    """Each inferred action with its count, the most frequent first."""
    return Counter(case.action for case in cases).most_common()


def check_leakage(check: HealthCheck) -> HealthFinding:
    """Check that the action names what was done and does not carry the next state itself."""
    figures = check.figures
    overlap, stitch, ablation = figures.get("overlap"), figures["stitch"], figures["ablation"]
    meaningful = (
        "shuffling" in figures and figures["shuffling"].value >= MIN_SHUFFLING_COST and figures["shuffling"].low > 0
    )
    if overlap is not None and is_copying(overlap.value):
        why = f"{format_percent(overlap.value)} of the new word pairs in the next states appear in the actions"
        verdict = Verdict("wrong", "Leaking", why)
    elif is_carrying(stitch.value, ablation.value, meaningful):
        loss = format_signed(ablation.value)
        why = f"the action alone determines the next state: without x, log P loses only {loss} nats per token"
        verdict = Verdict("wrong", "Leaking", why)
    elif not meaningful:
        verdict = Verdict("neutral", "No leak to find", "the forward model gains nothing certain from the actions")
    else:
        copied = (
            f"{format_percent(overlap.value)} of the new word pairs appear in the actions; "
            if overlap is not None
            else ""
        )
        why = f"{copied}a next state of another sequence costs {format_signed(stitch.value)} nats per token"
        verdict = Verdict("good", "No leak", why)
    measures = [
        Measure(
            "stitch test: loss when y is from another sequence",
            format_nats(stitch, "nats per token"),
            f"at least {LEAK_LOSS:g}",
        ),
        Measure(
            "loss without the state x",
            format_nats(ablation, "nats per token"),
            f"at least {LEAK_LOSS:g}, or the stitch test",
        ),
    ]
    if overlap is not None:
        threshold = f"at most {format_percent(LEAK_OVERLAP)}"
        measures.insert(0, Measure("new word pairs of y that appear in z", format_share(overlap), threshold))
    method = (
        "An action that copies the next state looks perfect by every other measure. An action that names what was done "
        "cannot lead to a state of another sequence, and cannot predict the next state without the current one."
    )
    suspicious = sorted(check.cases, key=lambda case: (-(case.overlap or 0.0), case.ablation))
    return HealthFinding("leaking", verdict, method, tuple(measures), tuple(suspicious[:MAX_EXAMPLES]))


def summarize_health(check: HealthCheck) -> str:
    """The three claims on one line: `meaningful · not collapsed · no leak`."""
    return " · ".join(finding.verdict.claim.lower() for finding in basic_findings(check))


def describe_sample(check: HealthCheck) -> str:
    """The transitions behind the verdicts: `40 transitions from 12 sequences, drawn at random`."""
    sequences = len({case.sequence for case in check.cases})
    return f"{pluralize(len(check.cases), 'transition')} from {pluralize(sequences, 'sequence')}, drawn at random"


def format_nats(value: Estimate | None, unit: str) -> str:
    """A value in nats with its 95 % interval."""
    if value is None:
        return "undefined: there is only one action"
    return f"{format_signed(value.value)} ({format_signed(value.low)} to {format_signed(value.high)}) {unit}"


def format_share(value: Estimate) -> str:
    """A share with its 95 % interval: `73 % (70 to 76 %)`."""
    return f"{format_percent(value.value)} ({round(100 * value.low)} to {format_percent(value.high)})"


def format_action_count(value: Estimate) -> str:
    """A count with its interval: `9.4 (7.1 to 11.8)`."""
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})"
