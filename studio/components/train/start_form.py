"""The form that starts a run: preset, data, the main settings, all others folded away, and the estimated cost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.components.shared.html import escape, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.components.shared.verdict_list import verdict_list
from studio.components.train import method_advice
from studio.components.train.method_choices import method_choices
from studio.components.train.preset_choices import preset_choices
from studio.components.train.run_updates import active_run
from studio.components.train.setting_field import NO_PHASE_VALUES, error_line, setting_field
from studio.services.history_store import history
from studio.services.inference import MAX_LISTED_RUNS, shared_models
from studio.services.uploads import delete_upload, resolve_upload
from studio.view_models.advised_settings import describe_limits, format_assignments
from studio.view_models.cost import describe_cost, estimate_cost, past_paces
from studio.view_models.formatting import pluralize
from studio.view_models.length_verdict import earlier_run_verdict, length_verdict
from studio.view_models.memory_verdict import memory_verdict
from studio.view_models.preset_fit import preset_obstacles
from studio.view_models.run_descriptions import describe_method
from studio.view_models.start_form import (
    EXTENSION_SETTINGS,
    MAIN_SETTINGS,
    SETTING_GROUPS,
    check_references,
    describe_phase_values,
    field_values,
    format_setting,
    parse_form,
    preset_differences,
    preset_kind,
)
from studio.view_models.start_verdict import start_verdict
from studio.view_models.training_verdicts import Verdict
from swirl.errors import SwirlError
from swirl.history import History
from swirl.presets import PRESETS
from swirl.runs import jobs
from swirl.runs.archive.settings_differences import Difference, settings_difference
from swirl.settings import PER_PHASE, Settings, parse_assignment
from swirl.training.length_check import check_label_lengths, check_lengths, tokenizer_folder
from swirl.training.lengths import limits_that_take_most
from swirl.training.memory_check import MemoryFit, check_memory
from swirl.training.text_check import check_states, describe_loss

DEFAULT_PRESET = next(iter(PRESETS))
HAND_LABELS = "by-hand"
"""The value of `labels` in the address that stands for those given on the Label page."""
LABELS_NOTE = (
    "For a warm-up, and for methods that train on labels: JSONL with state, action and next_state in each line. "
    "Shipped models are warmed up already; to use your own words for actions, "
    '<a href="label" data-label>label a few by hand</a>.'
)


def render(home: Path) -> gr.HTML:
    """The form, which stays hidden until the address or the run view asks for it."""

    def form(request: Request) -> Answer:
        return initial_form(home, request.get("query") or {})

    def check(request: Request) -> Answer:
        return check_form(home, request)

    def labels(request: Request) -> Answer:
        return save_labels(home, get_text(request, "path"), get_text(request, "name"))

    def start(request: Request) -> Answer:
        return start_run(home, request)

    def advise(request: Request) -> Answer:
        return method_advice.ask_advice(home, request)

    def follow(request: Request) -> Answer:
        return method_advice.follow_probe(home, request)

    def stop(request: Request) -> Answer:
        return method_advice.stop_probe(home, request)

    return scripted_block(template(), "start_form", (form, check, labels, start, advise, follow, stop))


def template() -> str:
    """The form as HTML, without its values and presets."""
    groups = "".join(
        f'<fieldset><legend>{escape(title)}</legend><div class="settings">{"".join(map(setting_field, names))}</div>'
        "</fieldset>"
        for title, names in SETTING_GROUPS.items()
    )
    return f"""<form class="studio start-form" hidden novalidate autocomplete="off">
<div class="stack">
<div data-part="notice"></div>
<section class="panel"><h2 id="presets-title">Start from a preset</h2>
<div role="radiogroup" aria-labelledby="presets-title" data-part="presets"></div></section>
<section class="panel"><h2>What to learn from</h2><div class="settings two">
<div class="setting"><label for="set-data">Sequences</label><select class="field" id="set-data" name="data"></select>
<small class="note">State-only sequences; you can import your own on the Explore page.</small>{error_line("data")}</div>
<div class="setting"><label for="set-labels">Labels (optional)</label>
<input class="field" type="file" id="set-labels" accept=".jsonl,.json">
<small class="note" data-part="labels-note">{LABELS_NOTE}</small>{error_line("labels")}</div></div></section>
<section class="panel"><div class="row spread between"><h2 id="method-title">How to train</h2>
<div data-part="ask-advice"></div></div>{error_line("advice")}{method_advice.TEMPLATE}{method_choices()}</section>
<section class="panel"><h2>Main settings</h2>
<div class="settings three">{"".join(map(setting_field, MAIN_SETTINGS))}</div>
<h3>Our extensions, with more below; with all off, the run follows the paper's method</h3>
<div class="settings two">{"".join(map(setting_field, EXTENSION_SETTINGS))}</div></section>
<section class="panel"><details class="others"><summary><h2>All other settings</h2>
<span class="muted small" data-part="changed"></span></summary>{groups}</details></section>
</div>
<aside class="stack"><section class="panel sticky"><h2>Before it starts</h2>
<div data-part="unlike" class="unlike small"></div>
<div data-part="before" aria-live="polite"></div>
<div data-part="fitting"></div>
<div class="setting"><label for="run-name">Name (optional)</label>
<input class="field" id="run-name" maxlength="80" autocomplete="off"></div>
<button type="submit" class="button button-primary" data-start>Start training</button>
<p class="error" data-error="form" role="alert"></p></section></aside>
<datalist id="models"></datalist></form>"""


def initial_form(home: Path, query: dict[str, str]) -> Answer:
    """What the form shows when it opens: values, choices, and a notice when another run is active.

    `query` may give `data`, `model`, a run (`from`) whose settings are copied, changes to them (`set`, as NAME=VALUE,
    separated by commas), and `labels`, where HAND_LABELS stands for those given on the Label page. What of it is not
    there any more or cannot be used is named in a notice, and the form opens without it.
    """
    from swirl.sources.collections.catalog import list_collections

    opening = open_settings(home, query)
    preset, settings, labels = opening.preset, opening.settings, opening.labels
    collections = list_collections(home)
    kinds = {c.name: c.kind for c in collections}
    kind = kinds.get(query.get("data", ""))
    if kind and preset and preset_kind(PRESETS[preset]) != kind:
        preset = next((name for name, known in PRESETS.items() if preset_kind(known) == kind), preset)
        settings = PRESETS[preset].settings
    values = field_values(settings) | {name: query[name] for name in ("data", "model") if query.get(name)}
    options = "".join(
        f'<option value="{escape(c.name)}">{escape(c.title or c.name)} · {pluralize(c.sequences, "sequence")}, '
        f"{pluralize(c.transitions, 'transition')}</option>"
        for c in collections
    )
    return {
        "preset": preset,
        "values": values,
        "labels": labels,
        "presets": {name: field_values(known.settings) for name, known in PRESETS.items()},
        "data": options,
        "kinds": kinds,
        "models": "".join(f'<option value="{escape(name)}">' for name in model_names(home)),
        "parts": {
            "notice": "".join(f'<p class="notice">{escape(problem)}</p>' for problem in opening.problems)
            + queue_notice(home),
            "ask-advice": method_advice.ask_button(home),
            "presets": preset_choices(preset_obstacles(home), preset),
            "labels-note": labels_note(Path(labels).name) if labels else LABELS_NOTE,
        },
    }


@dataclass
class Opening:
    """The preset, the settings and the labels file that the form opens with, and what could not be followed."""

    preset: str
    settings: Settings
    labels: str
    problems: list[str]


def open_settings(home: Path, query: dict[str, str]) -> Opening:
    """What `initial_form` is asked to open with, as far as it is there; the problems are sentences."""
    from swirl.sources.labels.hand_labelling import load_hand_labels
    from swirl.sources.labels.writing import write_labels

    preset, settings, problems = DEFAULT_PRESET, PRESETS[DEFAULT_PRESET].settings, []
    run = history(home).find_run(query.get("from", ""))
    if run is not None:
        try:
            settings = Settings.from_dict(run.settings)
            preset = run.preset if run.preset in PRESETS else ""
        except SwirlError as error:
            problems.append(f"The settings of {run.id} cannot be copied, so these are those of {preset}: {error}")
    elif query.get("from"):
        problems.append(f"The run {query['from']} is not here any more, so these are the settings of {preset}.")
    if query.get("set"):
        try:
            settings = settings.replace(dict(parse_assignment(part) for part in query["set"].split(",")))
        except SwirlError as error:
            problems.append(f"The changes in the address are left out: {error}")
    labels = settings.labels or ""
    if query.get("labels") == HAND_LABELS:
        try:
            labels = str(write_labels(home, query.get("data", ""), load_hand_labels(home, query.get("data", ""))))
        except SwirlError as error:
            problems.append(f"The labels given by hand are left out: {error}")
    return Opening(preset, settings, labels, problems)


def labels_note(name: str, details: str = "") -> str:
    """Which labels file the form uses, what is known of it, and a button that leaves it out."""
    known = f": {details}" if details else "."
    return (
        f"The run learns from {escape(name)}{escape(known)} "
        '<button type="button" class="button-link" data-no-labels>Leave them out</button>'
    )


def model_names(home: Path) -> list[str]:
    """The models a run can start from: those shipped, those of the presets, and the checkpoints of recent runs."""
    from swirl.models.checkpoints import ready_models, trained_checkpoints

    trained = [checkpoint.name for checkpoint in trained_checkpoints(history(home), MAX_LISTED_RUNS)]
    return list(dict.fromkeys([*ready_models(), *(known.settings.model for known in PRESETS.values()), *trained]))


def queue_notice(home: Path) -> str:
    """A notice that another run is active and a new one would wait for it; empty otherwise."""
    run = active_run(home)
    if run is None:
        return ""
    return (
        f'<p class="notice"><a href="train?run={escape(run.id)}">{escape(run.name)}</a> is {run.status}. '
        "A run started now waits in the queue until its device is free.</p>"
    )


def check_form(home: Path, request: Request) -> Answer:
    """The errors by field, and what the run would cost, how good its start is and whether it fits in memory."""
    reading = parse_form(request.get("values") or {})
    settings = reading.settings
    errors = reading.errors or (check_references(home, settings) if settings else {})
    if settings is None:
        note = '<p class="note">Correct the marked settings to see the estimated cost of the run.</p>'
        return {"errors": errors, "parts": {"before": note}}
    past = history(home)
    cost = estimate_cost(settings, past_paces(past))
    verdicts = [Verdict("neutral", *describe_cost(settings, cost))]
    fitting = ""
    if "model" not in errors and "data" not in errors:
        fit = check_memory(home, settings)
        verdicts.append(memory_verdict(fit))
        lengths, limits = check_length(home, past, settings, with_labels="labels" not in errors)
        verdicts += lengths
        fitting = apply_fit_button(fit) + use_button(limits, describe_limits(limits))
        verdicts.append(start_verdict(past, settings))
        loss = check_states(home, settings)
        if loss is not None:
            verdicts.append(Verdict("inverse", "Some states come back changed", describe_loss(settings.model, loss)))
    verdicts.append(Verdict("neutral", "How it trains", describe_method(settings)))
    advised = method_advice.advice_answer(home, request, settings)
    parts = advised["parts"] | {
        "before": verdict_list(verdicts),
        "fitting": fitting,
        "changed": escape(describe_changes(preset_differences(str(request.get("preset")), settings))),
        "unlike": source_run_differences(past, get_text(request, "from"), settings),
        **{f"by-phase-{name}": describe_phase_values(settings, name) or NO_PHASE_VALUES for name in PER_PHASE},
    }
    return {"errors": errors, "parts": parts, "probing": advised["probing"]}


def describe_changes(differing: Sequence[Difference]) -> str:
    """`2 settings changed: anchor, beta`; empty when nothing differs."""
    return (
        f"{pluralize(len(differing), 'setting')} changed: {', '.join(d.name for d in differing)}" if differing else ""
    )


def apply_fit_button(fit: MemoryFit | None) -> str:
    """The button that applies the settings which make a run fit; empty if none are needed or none help."""
    if fit is None or not fit.fits_after_changes:
        return ""
    return use_button(fit.suggested_changes, f"Set {format_assignments(fit.suggested_changes)}")


def use_button(changes: Mapping[str, Any], label: str) -> str:
    """A button that puts changed settings into the form's fields; empty if there are none."""
    if not changes:
        return ""
    values = json.dumps({name: format_setting(value) for name, value in changes.items()})
    return f'<button type="button" class="button" data-use="{escape(values)}">{escape(label)}</button>'


def check_length(
    home: Path, past: History, settings: Settings, *, with_labels: bool
) -> tuple[list[Verdict], dict[str, int]]:
    """The verdicts on transitions and labels that are too long, and the limits that would take most of them."""
    tokenizer = tokenizer_folder(home, settings)
    if tokenizer is None:
        verdict, limits = earlier_run_verdict(past, settings) or (None, {})
        return [verdict] if verdict else [], limits
    found = [check_lengths(home, settings, tokenizer)]
    if with_labels:
        found.append(check_label_lengths(home, settings, tokenizer))
    left_out = [each for each in found if each is not None]
    return [length_verdict(each) for each in left_out], limits_that_take_most(left_out)


def source_run_differences(past: History, run_id: str, settings: Settings) -> str:
    """How the form differs from the run whose settings it copied, as HTML; empty if it copied none."""
    source = past.find_run(run_id)
    if source is None:
        return ""
    differences = settings_difference(source.settings, settings.to_dict())
    rows = "".join(
        f"<li><code>{escape(d.name)}</code> {escape(d.values[0])} → <b>{escape(d.values[1])}</b></li>"
        for d in differences
    )
    name = f'<a href="train?run={escape(source.id)}">{escape(source.name)}</a>'
    return f"<p>Like {name}, except for</p><ul>{rows}</ul>" if rows else f"<p>The same settings as {name}.</p>"


LABELS_MISSING = "The labels file did not arrive; choose it again."


def save_labels(home: Path, uploaded: str, name: str) -> Answer:
    """Check an uploaded labels file and copy it into the home, so that a run can be resumed; its path and a note.

    The upload is deleted. Raises SwirlError when no line of it is usable; then nothing is kept. What is said of the
    file calls it by its own `name`, not by that of the upload.
    """
    from swirl.sources.labels.reading import read_labels

    own_name = Path(name).name
    try:
        source = resolve_upload(uploaded)
    except SwirlError as error:
        raise SwirlError(LABELS_MISSING) from error
    try:
        labels, skipped = read_labels(source)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
        suffix = ".json" if source.suffix.lower() == ".json" else ".jsonl"  # by which it is read again
        target = home / "labels" / f"{file_stem(name)}-{digest}{suffix}"
        target.parent.mkdir(exist_ok=True)
        draft = target.with_suffix(".part")
        shutil.copyfile(source, draft)
        os.replace(draft, target)
    except FileNotFoundError as error:  # the same file was sent twice at once, and the other one has been taken
        raise SwirlError(LABELS_MISSING) from error
    except SwirlError as error:
        raise SwirlError(with_own_name(str(error), source, own_name)) from error
    finally:
        delete_upload(source)
    left_out = f" {pluralize(len(skipped), 'line')} left out: {skipped[0].where} {skipped[0].why}." if skipped else ""
    details = with_own_name(f"{pluralize(len(labels), 'labelled transition')}.{left_out}", source, own_name)
    return {"path": str(target), "note": labels_note(own_name, details)}


def with_own_name(sentence: str, uploaded: Path, name: str) -> str:
    """A sentence about an uploaded file, with the name that its owner gave it wherever its path or its name stands."""
    return re.sub(f"{re.escape(str(uploaded))}|{re.escape(uploaded.name)}", lambda _: name, sentence)


def file_stem(name: str) -> str:
    """What a file is called, as a part of a file name on any system: no control characters, nothing that leads away."""
    return re.sub(r"[^\w.-]+", "-", Path(name).stem).strip("-.")[:60] or "labels"


def start_run(home: Path, request: Request) -> Answer:
    """Start the run and return its id; or return the errors by field."""
    reading = parse_form(request.get("values") or {})
    errors = reading.errors or (check_references(home, reading.settings) if reading.settings else {})
    if errors or reading.settings is None:
        return {"errors": errors}
    preset = str(request.get("preset") or "") or None
    name = str(request.get("name") or "").strip()[:80] or None
    source = history(home).find_run(get_text(request, "from"))
    parent = source.id if source else None
    shared_models(home).free_memory_for_device(reading.settings.device)
    return {"run": jobs.start(home, preset=preset, settings=reading.settings, name=name, parent=parent)}
