"""Health at a glance: is the latent action meaningful, has it collapsed, does it leak the next state? With evidence."""

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

MIN_SHUFFLING_COST = 1.0  # nats: below, the forward model hardly listens to the action
SHOWN = 4  # examples


@dataclass(frozen=True)
class Measure:
    """One figure behind a verdict: what it is, its value with the interval, and what it is held to."""

    name: str
    value: str
    threshold: str


@dataclass(frozen=True)
class HealthFinding:
    """One of the three verdicts with its evidence: how it was found, the figures, and the cases that show it best."""

    name: str
    verdict: Verdict
    method: str
    measures: tuple[Measure, ...]
    cases: tuple[CheckedTransition, ...]


def health_findings(look: HealthCheck) -> list[HealthFinding]:
    """The three findings: meaningful, collapsed, leaking."""
    return [check_meaningful(look), check_collapse(look), check_leakage(look)]


def check_meaningful(look: HealthCheck) -> HealthFinding:
    """Whether the forward model listens to the action: another transition's action must cost it."""
    cost = look.figures.get("shuffling")
    if cost is None:
        verdict = Verdict("wrong", "Not meaningful", "every transition gets the same action")
    elif cost.value >= MIN_SHUFFLING_COST and cost.low > 0:
        verdict = Verdict("good", "Meaningful", f"shuffling the actions costs {format_signed(cost.value)} nats")
    elif cost.value >= MIN_SHUFFLING_COST:
        why = f"shuffling the actions costs {format_signed(cost.value)} nats, but the interval holds 0"
        verdict = Verdict("inverse", "Perhaps meaningful", why)
    else:
        verdict = Verdict("wrong", "Hardly heard", f"shuffling the actions costs only {format_signed(cost.value)} nats")
    measures = [
        Measure(
            "log P(y|x,z) − log P(y|x,z of another)",
            format_nats(cost, "nats"),
            f"at least {MIN_SHUFFLING_COST:.0f}, not by chance",
        ),
        Measure(
            "action read back from the state imagined with it",
            format_share(look.figures["read_back"]),
            "for comparison",
        ),
    ]
    if "agreement" in look.figures:
        truth = Measure(
            "the inferred action is the true one", format_share(look.figures["agreement"]), "for comparison"
        )
        measures.append(truth)
    scored = [case for case in look.cases if case.shuffling is not None]
    telling = sorted(scored, key=lambda case: case.shuffling, reverse=verdict.tone == "good")
    how = (
        "Each transition's next state is scored under its own action and under another transition's. If the actions "
        "mean something, the wrong one makes what happened less likely."
    )
    return HealthFinding("meaningful", verdict, how, tuple(measures), tuple(telling[:SHOWN]))


def check_collapse(look: HealthCheck) -> HealthFinding:
    """Whether the actions differ at all."""
    effective, distinct = look.figures["effective"], look.figures["distinct"]
    total = len(look.cases)
    known = [case.true_action for case in look.cases if case.true_action is not None]
    bar = collapse_threshold(total, effective_number(known) if known else None)
    why = f"{effective.value:.0f} effective actions, {distinct.value:.0f} distinct"
    sound = effective.value >= bar
    verdict = Verdict("good", "Not collapsed", why) if sound else Verdict("wrong", "Collapsed", why)
    often, times = Counter(case.action for case in look.cases).most_common(1)[0]
    measures = (
        Measure("effective number of actions, exp(entropy)", format_action_count(effective), f"at least {bar:.2g}"),
        Measure("distinct actions", f"{distinct.value:.0f} of {total}", "for comparison"),
        Measure("the most frequent one", f"{times} of {total}: {often or '(no words)'}", "for comparison"),
        Measure("length", f"{look.figures['length'].value:.1f} words", "for comparison"),
    )
    how = "The same few words for everything explain nothing: it is counted how many different actions there are."
    frequent = {action: n for n, action in enumerate(action for action, _ in action_counts(look.cases))}
    firsts = {case.action: case for case in reversed(look.cases)}
    shown = sorted(firsts.values(), key=lambda case: frequent[case.action])[:SHOWN]
    if not sound:
        shown = [case for case in look.cases if case.action == often][:SHOWN]
    return HealthFinding("collapsed", verdict, how, measures, tuple(shown))


def action_counts(cases: Sequence[CheckedTransition]) -> list[tuple[str, int]]:
    """The actions with how often each was inferred, the most frequent first."""
    return Counter(case.action for case in cases).most_common()


def check_leakage(look: HealthCheck) -> HealthFinding:
    """Whether the action carries the next state instead of naming what was done."""
    found = look.figures
    shared, stitch, ablation = found.get("overlap"), found["stitch"], found["ablation"]
    says_something = (
        "shuffling" in found and found["shuffling"].value >= MIN_SHUFFLING_COST and found["shuffling"].low > 0
    )
    if shared is not None and is_copying(shared.value):
        why = f"{format_percent(shared.value)} of what is new in the next states stands in the actions"
        verdict = Verdict("wrong", "Leaking", why)
    elif is_carrying(stitch.value, ablation.value, says_something):
        lost = format_signed(ablation.value)
        why = f"the action alone tells the next state: without x it loses only {lost} nats a token"
        verdict = Verdict("wrong", "Leaking", why)
    elif not says_something:
        verdict = Verdict("neutral", "No leak to find", "the actions tell the forward model nothing for certain")
    else:
        first = f"{format_percent(shared.value)} of what is new stands in the actions; " if shared is not None else ""
        verdict = Verdict(
            "good", "No leak", f"{first}a next state from elsewhere costs {format_signed(stitch.value)} nats a token"
        )
    measures = [
        Measure(
            "stitch test: loss when y comes from elsewhere",
            format_nats(stitch, "nats a token"),
            f"at least {LEAK_LOSS:g}",
        ),
        Measure(
            "loss without the state x",
            format_nats(ablation, "nats a token"),
            f"at least {LEAK_LOSS:g}, or the stitch test",
        ),
    ]
    if shared is not None:
        new = Measure(
            "new word pairs of y that stand in z", format_share(shared), f"at most {format_percent(LEAK_OVERLAP)}"
        )
        measures.insert(0, new)
    how = (
        "An action that copies the next state looks perfect by every other measure. If it names what was done instead, "
        "no single action leads to a state of another sequence, and the state is needed to foresee the next one."
    )
    suspicious = sorted(look.cases, key=lambda case: (-(case.overlap or 0.0), case.ablation))
    return HealthFinding("leaking", verdict, how, tuple(measures), tuple(suspicious[:SHOWN]))


def summarize_health(look: HealthCheck) -> str:
    """The three claims in one line: `meaningful · not collapsed · no leak`."""
    return " · ".join(finding.verdict.claim.lower() for finding in health_findings(look))


def describe_sample(look: HealthCheck) -> str:
    """What the verdicts rest on."""
    sequences = len({case.sequence for case in look.cases})
    return f"{pluralize(len(look.cases), 'transition')} of {pluralize(sequences, 'sequence')}, drawn at random"


def format_nats(value: Estimate | None, unit: str) -> str:
    """A figure in nats with its interval."""
    if value is None:
        return "not defined: there is one action only"
    return f"{format_signed(value.value)} ({format_signed(value.low)} to {format_signed(value.high)}) {unit}"


def format_share(value: Estimate) -> str:
    """A share with its interval."""
    return f"{format_percent(value.value)} ({round(100 * value.low)} to {format_percent(value.high)})"


def format_action_count(value: Estimate) -> str:
    """A count with its interval."""
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})"
