"""Which method fits a start: the button that probes it, its progress, and the advice with the figures behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.components.shared.html import escape
from studio.components.shared.page_requests import Answer, Request
from studio.components.shared.share_bar import share_bar
from studio.components.shared.verdict_list import verdict_list
from studio.services.inference import shared_models
from studio.services.probes import Figures, ProbeProgress, ProbeQuestion, shared_prober
from studio.view_models.formatting import format_percent
from studio.view_models.method_advice import ProbeBar, advice_verdict, probe_bars
from studio.view_models.start_form import check_references, field_values, parse_form
from swirl.errors import SwirlError
from swirl.experiments.advice import EXPERIMENT, Advice, advise, evidence_temperature, with_method
from swirl.experiments.catalog import get_experiment
from swirl.experiments.evidence import ProblemEvidence, shipped_evidence
from swirl.experiments.known_private_codes import private_code_of
from swirl.models.checkpoints import short_name
from swirl.runs.archive.settings_differences import settings_difference
from swirl.settings import Settings
from swirl.training.requirements import is_warmed_up

BUTTON = (
    '<button type="button" class="button quiet" data-ask-advice title="Probes the model on the data for some seconds, '
    'without training, and looks up where an experiment met the like">Which method fits?</button>'
)
NO_EVIDENCE = (
    '<p class="note">No advice yet: the experiment that it rests on is not finished in this version; see the '
    '<a href="experiments">Experiments</a> page.</p>'
)
TEMPLATE = """<div class="probing" hidden><div data-part="probing"></div>
<button type="button" class="button-link small" data-stop-probe>Stop</button></div>
<div data-part="advice" aria-live="polite"></div>"""
"""Where progress and advice appear. Stop stands apart from the progress, which is drawn anew again and again."""


def ask_button(home: Path) -> str:
    """The button that asks for advice; empty in a demonstration, where nothing can be probed or started."""
    return "" if shared_models(home).only_offered else BUTTON


def ask_advice(home: Path, request: Request) -> Answer:
    """Probe the form's model on its data, in the background; the errors by field if it cannot be."""
    reading = parse_form(request.get("values") or {})
    if reading.settings is None:
        return {"errors": reading.errors, "error": "Correct the marked settings first."}
    missing = check_references(home, reading.settings)
    if missing.keys() & {"model", "data"}:
        return {"errors": missing, "error": "Correct the marked settings first."}
    if not shipped_evidence():
        return {"parts": {"advice": NO_EVIDENCE}}
    shared_prober(home).start(question_of(reading.settings))
    return follow_probe(home, request)


def stop_probe(home: Path, request: Request) -> Answer:
    """Ask the probe to stop."""
    shared_prober(home).stop()
    return follow_probe(home, request)


def follow_probe(home: Path, request: Request) -> Answer:
    """The progress of the probe, and the advice for the form as far as it is known."""
    return advice_answer(home, request, parse_form(request.get("values") or {}).settings)


def advice_answer(home: Path, request: Request, settings: Settings | None) -> Answer:
    """The parts about advice for the form's settings, if they are valid; `probing` is true while a probe is running.

    The request's `undo` holds the values of the fields that an advice has changed.
    """
    now = shared_prober(home).progress()
    running = now is not None and now.is_running
    parts = {"probing": progress_bar(now) if now is not None and running else ""}
    if settings is not None and (evidence := shipped_evidence()):
        parts["advice"] = advice_part(home, request, settings, evidence)
    return {"parts": parts, "probing": running}


def advice_part(home: Path, request: Request, settings: Settings, evidence: Sequence[ProblemEvidence]) -> str:
    """The advice, if the form's start has been probed; why its probe failed; empty otherwise."""
    prober, question = shared_prober(home), question_of(settings)
    try:
        figures = prober.figures(question)
    except SwirlError:
        return ""  # there is no such collection, as its field says
    if figures is None:
        now = prober.progress()
        return error(now.error) if now is not None and now.error and now.question == question else ""
    try:
        private_code = private_code_of(home, settings.model)
        advice = advise(figures, evidence, has_labels=settings.labels is not None, private_code=private_code)
    except SwirlError as problem:
        return error(str(problem))
    return advice_card(advice, figures, settings, settings_before(request, settings))


def question_of(settings: Settings) -> ProbeQuestion:
    """What a probe of a run's start is about, at the temperature of the evidence that it is compared with."""
    return ProbeQuestion(settings.model, settings.data, evidence_temperature())


def settings_before(request: Request, settings: Settings) -> Settings:
    """The settings without what an advice has changed in the form."""
    undo = request.get("undo")
    values = request.get("values")
    if not isinstance(undo, dict) or not isinstance(values, dict):
        return settings
    return parse_form(values | undo).settings or settings


def progress_bar(now: ProbeProgress) -> str:
    """What the probe does and the share done; it names the model, for the form may have moved on to another one."""
    subject = f"{short_name(now.question.model)} on {now.question.data}"
    return (
        f'<p class="note">Probing {escape(subject)}: {escape(now.words)}, {format_percent(now.fraction)}</p>'
        f"{share_bar(now.fraction)}"
    )


def error(sentence: str) -> str:
    """An error in place of the advice."""
    return f'<p class="error" role="alert">{escape(sentence)}</p>'


def advice_card(advice: Advice, figures: Figures, settings: Settings, before: Settings) -> str:
    """The advice, the figures behind it, and the button that takes it over."""
    plan = get_experiment(EXPERIMENT)
    warm_up = (
        '<p class="note">This run warms up on labels first; what was probed is the model before that.</p>'
        if is_warmed_up(settings)
        else ""
    )
    return (
        f'<div class="method-advice"><div>{verdict_list([advice_verdict(advice)])}'
        f'<p class="note"><b>{escape(advice.title)}</b>: {escape(plan.method(advice.method).sentence)}</p>{warm_up}'
        f"{take_over(advice, settings, before)}"
        f'<p class="note"><a href="experiments?name={EXPERIMENT}">The evidence, on the Experiments page</a></p></div>'
        f"{figures_table(advice, figures)}</div>"
    )


def take_over(advice: Advice, settings: Settings, before: Settings) -> str:
    """The button that sets the form to the advised method; or what it has set, with a button that undoes it."""
    problem = advice.problem.problem
    wanted, now = field_values(with_method(before, advice.method, problem)), field_values(settings)
    if wanted != now:
        advised = with_method(settings, advice.method, problem)
        values = escape(json.dumps(changed_fields(now, field_values(advised))))
        return (
            f'<p><button type="button" class="button quiet" data-use-advice="{values}">Use it</button></p>'
            f'<p class="note">Sets {describe_changes(settings, advised)}</p>'
        )
    if before == settings:
        return '<p class="note" tabindex="-1" data-in-use>The form is set to this method.</p>'
    return (
        '<p><button type="button" class="button quiet" data-undo-advice>Undo</button></p>'
        f'<p class="note">The form is set to it: {describe_changes(before, settings)}</p>'
    )


def changed_fields(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the form that differ, with their wanted values; what only one phase had for itself is emptied."""
    return {name: wanted.get(name, "") for name in {**now, **wanted} if now.get(name, "") != wanted.get(name, "")}


def describe_changes(old: Settings, new: Settings) -> str:
    """`method swirl → sft, anchor 1 → 0` as HTML."""
    return ", ".join(
        f"<code>{escape(d.name)}</code> {escape(d.values[0])} → <b>{escape(d.values[1])}</b>"
        for d in settings_difference(old.to_dict(), new.to_dict())
    )


def figures_table(advice: Advice, figures: Figures) -> str:
    """What the probe saw as a table of bars, on which a grey mark is the nearest problem."""
    rows = "".join(map(bar_row, probe_bars(figures, advice.problem.probe)))
    count = figures.get("transitions")
    caption = f"What {count:.0f} transitions showed" if count else "What the probe showed"
    nearest = escape(advice.problem.description)
    return (
        f'<table class="probe"><caption>{caption}</caption><thead><tr><td></td><td></td>'
        f'<th scope="col" class="number">Yours</th><th scope="col" class="number nearest-name" title="{nearest}">'
        f'<i class="nearest"></i><span>{nearest}</span></th></tr></thead><tbody>{rows}</tbody></table>'
    )


def bar_row(bar: ProbeBar) -> str:
    """One figure: its title with its meaning as a tooltip, a bar with the nearest problem's mark, and both values."""
    fill = ""
    if bar.share is not None:
        start, end = sorted((bar.origin, bar.share))
        fill = f'<i style="margin-left:{100 * start:.1f}%;width:{100 * (end - start):.1f}%"></i>'
    mark = "" if bar.nearest is None else f'<i class="nearest" style="left:{100 * bar.nearest:.1f}%"></i>'
    middle = '<i class="middle"></i>' if bar.origin else ""
    return (
        f'<tr><th scope="row"><abbr title="{escape(bar.meaning)}">{escape(bar.title)}</abbr></th>'
        f'<td aria-hidden="true"><div class="track"><span class="bar {bar.tone}">{fill}</span>{middle}{mark}</div></td>'
        f'<td class="number"><b>{bar.words}</b></td><td class="number muted">{bar.nearest_words}</td></tr>'
    )
