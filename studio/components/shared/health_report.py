"""The verdicts on a checkpoint's actions, each with its evidence in a fold: figures, thresholds, examples."""

from __future__ import annotations

from collections.abc import Mapping

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.verdict_list import SPOKEN_TONES
from studio.view_models.formatting import format_percent, format_signed
from studio.view_models.health import HealthFinding, describe_sample
from studio.view_models.health_of_codes import describe_exchange, describe_mix_up, describe_undoing, health_findings
from swirl.evaluation.health_findings import CheckedTransition, HealthCheck
from swirl.models.checkpoints import short_name
from swirl.states import Transition

FRAME_SIZE = 56  # pixels: the size of a frame in an example
TransitionsByStep = Mapping[tuple[str, int], Transition]
"""Transitions by sequence and step."""


def health_report(check: HealthCheck, transitions: TransitionsByStep, checkpoint: str = "") -> str:
    """The verdicts of a check as HTML; `transitions` are those that it examined, as far as they still exist.

    The last line says what was checked; it names the `checkpoint`, if given, for pages that show several in turn.
    """
    whose = f"Actions of {short_name(checkpoint)} on " if checkpoint else ""
    return "".join(_finding(finding, transitions) for finding in health_findings(check)) + (
        f'<p class="note">{escape(whose + describe_sample(check))}; intervals of 95\N{NO-BREAK SPACE}%</p>'
    )


def _finding(finding: HealthFinding, transitions: TransitionsByStep) -> str:
    verdict = finding.verdict
    rows = "".join(
        f'<tr><th scope="row">{escape(measure.name)}</th><td>{escape(measure.value)}</td>'
        f'<td class="muted">{escape(measure.threshold)}</td></tr>'
        for measure in finding.measures
    )
    cases = "".join(_case(finding.name, case, transitions) for case in finding.cases)
    return (
        f'<details class="finding" data-finding="{finding.name}"><summary><span class="verdict {verdict.tone}"><b>'
        f'<span class="visually-hidden">{SPOKEN_TONES[verdict.tone]}</span>{escape(verdict.claim)}</b>'
        f'<small>{escape(verdict.reason)}. <span class="evidence">Evidence</span></small></span></summary>'
        f'<div class="evidence-of"><p class="small">{escape(finding.method)}</p>'
        '<table class="table measures"><thead><tr><th scope="col">figure</th><th scope="col">value</th>'
        f'<th scope="col">threshold</th></tr></thead><tbody>{rows}</tbody></table>'
        f'<ul class="cases">{cases}</ul></div></details>'
    )


def _case(name: str, case: CheckedTransition, transitions: TransitionsByStep) -> str:
    """An example: the transition, its inferred action, and what the finding measured on it."""
    transition = transitions.get((case.sequence, case.step))
    content = (
        compact_transition(transition.state, transition.next_state, FRAME_SIZE)
        if transition
        else '<span class="muted">no longer in the collection</span>'
    )
    action = action_text(case.action)
    truth = ""
    if case.true_action is not None and case.true_action != case.action:
        truth = f' <span class="chip">truth: {escape(case.true_action)}</span>'
    return (
        f'<li class="transition"><span class="chip inverse"><span class="clamped">{action}</span></span>{truth} '
        f'<span class="small muted">{escape(_describe_case(name, case))}</span>{content}</li>'
    )


def _describe_case(name: str, case: CheckedTransition) -> str:
    if name == "meaningful":
        if case.shuffling is None:
            return "no other action to compare with"
        return f"with “{case.swapped}” instead: {format_signed(-case.shuffling, plus=True)} nats"
    if name == "collapsed":
        return f"step {case.step + 1} of {case.sequence}"
    if name == "confused":
        return describe_mix_up(case)
    if name == "composed":
        return describe_undoing(case)
    if name == "private":
        return describe_exchange(case)
    copied = f"{format_percent(case.overlap)} of what is new is in the action; " if case.overlap is not None else ""
    return f"{copied}without the state: {format_signed(-case.ablation, plus=True)} nats per token"
