"""The three verdicts on a checkpoint's actions, each with its evidence behind a fold: figures, thresholds, examples."""

from __future__ import annotations

from collections.abc import Mapping

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.verdict_list import SPOKEN
from studio.view_models.formatting import format_percent, format_signed
from studio.view_models.health import HealthFinding, describe_sample, health_findings
from swirl.evaluation.health_findings import CheckedTransition, HealthCheck
from swirl.states import Transition

FRAME_SIZE = 56  # pixels: the room for a frame of an example
TransitionsByStep = Mapping[tuple[str, int], Transition]
"""Transitions by sequence and step."""


def health_report(look: HealthCheck, places: TransitionsByStep) -> str:
    """The verdicts; what each rests on opens with a click or Enter."""
    return "".join(_finding(finding, places) for finding in health_findings(look)) + (
        f'<p class="note">{escape(describe_sample(look))}; intervals of 95\N{NO-BREAK SPACE}%</p>'
    )


def _finding(finding: HealthFinding, places: TransitionsByStep) -> str:
    verdict = finding.verdict
    rows = "".join(
        f'<tr><th scope="row">{escape(measure.name)}</th><td>{escape(measure.value)}</td>'
        f'<td class="muted">{escape(measure.threshold)}</td></tr>'
        for measure in finding.measures
    )
    cases = "".join(_case(finding.name, case, places) for case in finding.cases)
    return (
        f'<details class="finding" data-finding="{finding.name}"><summary><span class="verdict {verdict.tone}"><b>'
        f'<span class="visually-hidden">{SPOKEN[verdict.tone]}</span>{escape(verdict.claim)}</b>'
        f'<small>{escape(verdict.reason)}. <span class="evidence">Evidence</span></small></span></summary>'
        f'<div class="evidence-of"><p class="small">{escape(finding.method)}</p>'
        '<table class="table measures"><thead><tr><th scope="col">figure</th><th scope="col">value</th>'
        f'<th scope="col">wanted</th></tr></thead><tbody>{rows}</tbody></table>'
        f'<ul class="cases">{cases}</ul></div></details>'
    )


def _case(name: str, case: CheckedTransition, places: TransitionsByStep) -> str:
    """An example: the transition, the action inferred for it, and what the finding says of it."""
    there = places.get((case.sequence, case.step))
    shown = (
        compact_transition(there.state, there.next_state, FRAME_SIZE)
        if there
        else '<span class="muted">no longer there</span>'
    )
    action = action_text(case.action)
    truth = ""
    if case.true_action is not None and case.true_action != case.action:
        truth = f' <span class="chip">truth: {escape(case.true_action)}</span>'
    return (
        f'<li class="transition"><span class="chip inverse"><span class="clamped">{action}</span></span>{truth} '
        f'<span class="small muted">{escape(_describe_case(name, case))}</span>{shown}</li>'
    )


def _describe_case(name: str, case: CheckedTransition) -> str:
    if name == "meaningful":
        if case.shuffling is None:
            return "no other action to compare with"
        return f"with “{case.swapped}” instead: {format_signed(-case.shuffling, plus=True)} nats"
    if name == "collapsed":
        return f"step {case.step + 1} of {case.sequence}"
    copied = f"{format_percent(case.overlap)} of what is new stands in it; " if case.overlap is not None else ""
    return f"{copied}without the state: {format_signed(-case.ablation, plus=True)} nats a token"
