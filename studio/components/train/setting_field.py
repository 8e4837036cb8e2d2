"""One setting as a field of the start form, built from its declaration: label, meaning, range and error line."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.view_models.start_form import describe_range, is_per_phase
from swirl.settings import DIRECTIONS, SETTING_FIELDS, SETTING_TYPES

TITLES = {
    "iterations": "Iterations",
    "steps_per_phase": "Steps in a phase",
    "seed": "Seed",
    "anchor": "Anchor",
    "observed_in_group": "Observed state in the group",
}
"""Labels of the settings that are always visible; the others use their names in files and commands as labels."""


NO_PHASE_VALUES = "Other values by phase"
"""The summary of the two folded fields while a setting has one value for both phases."""


def setting_field(name: str) -> str:
    """The field with its meaning, and two folded fields for a setting that can differ between the phases."""
    spec = SETTING_FIELDS[name]
    meaning = spec.metadata["help"]
    if meaning.startswith("Extension: "):
        meaning = meaning.removeprefix("Extension: ")
        meaning = meaning[0].upper() + meaning[1:]  # capitalize() would make IDM and KL small
    span = describe_range(name)
    hint = f"{meaning} {span[:1].upper() + span[1:]}." if span else meaning
    title = escape(TITLES.get(name, name))
    label = title if name in TITLES else f'<span class="mono">{title}</span>'
    if SETTING_TYPES[name] is bool:
        body = f'<label class="check">{setting_input(name, title)} {label}</label>'
    else:
        body = f'<label for="set-{name}">{label}</label>{setting_input(name, title)}'
    return (
        f'<div class="setting" data-setting="{name}">{body}<small class="note" id="hint-{name}">{escape(hint)}</small>'
        f"{error_line(name)}{overrides(name) if is_per_phase(name) else ''}</div>"
    )


def setting_input(name: str, title: str, setting: str | None = None) -> str:
    """The input of the setting `name`; with `setting`, of the override `name` of that setting in one phase."""
    spec, described = SETTING_FIELDS[setting or name], f'aria-describedby="hint-{setting or name} error-{name}"'
    if SETTING_TYPES[setting or name] is bool:
        return f'<input type="checkbox" id="set-{name}" name="{name}" {described}>'
    unset = "the same" if setting else "differs by phase" if is_per_phase(name) else ""
    if spec.metadata["choices"]:
        # Only the values of both phases empty the shared value, so the user cannot choose its empty option.
        empty = f'<option value=""{"" if setting else " hidden"}>{unset}</option>' if unset else ""
        options = "".join(
            f'<option value="{escape(choice)}">{escape(choice)}</option>' for choice in spec.metadata["choices"]
        )
        return f'<select class="field" id="set-{name}" name="{name}" {described}>{empty}{options}</select>'
    numeric = spec.metadata["low"] is not None
    extra = 'inputmode="decimal" autocomplete="off"' if numeric else 'autocomplete="off" spellcheck="false"'
    models = ' list="models"' if name == "model" else ""
    placeholder = f' placeholder="{unset}"' if unset else ""
    named = f'id="set-{name}" name="{name}" aria-label="{title}"'
    return f'<input class="field" {named} {extra}{models}{placeholder} {described}>'


def overrides(name: str) -> str:
    """The two folded fields that give a setting its own value in each direction."""
    fields = "".join(
        f'<div><label for="set-{way}.{name}" class="{way}-text">{way}</label>'
        f"{setting_input(f'{way}.{name}', f'{way} {name}', name)}{error_line(f'{way}.{name}')}</div>"
        for way in DIRECTIONS
    )
    return (
        f'<details class="overrides"><summary data-part="by-phase-{name}">{NO_PHASE_VALUES}</summary>'
        f'<div class="row">{fields}</div></details>'
    )


def error_line(name: str) -> str:
    """The place of the sentence about a wrong value."""
    return f'<p class="error" id="error-{name}" data-error="{name}" role="alert"></p>'
