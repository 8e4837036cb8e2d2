"""One setting as a field of the start form, made from its declaration: label, meaning, range, and room for an error."""

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
"""Names in words for the settings that everybody sees; the others go by the name that files and commands use."""


NO_PHASE_VALUES = "Other values by phase"
"""What unfolds the two fields of a setting that has one value for both phases."""


def setting_field(name: str) -> str:
    """The field with its meaning; a setting that can differ between the phases has two more, folded beside it."""
    spec = SETTING_FIELDS[name]
    meaning = spec.metadata["help"]
    if meaning.startswith("Extension: "):
        meaning = meaning.removeprefix("Extension: ").capitalize()
    span = describe_range(name)
    hint = f"{meaning} {span[:1].upper() + span[1:]}." if span else meaning
    title = escape(TITLES.get(name, name))
    shown = title if name in TITLES else f'<span class="mono">{title}</span>'
    if SETTING_TYPES[name] is bool:
        body = f'<label class="check">{setting_input(name, title)} {shown}</label>'
    else:
        body = f'<label for="set-{name}">{shown}</label>{setting_input(name, title)}'
    return (
        f'<div class="setting" data-setting="{name}">{body}<small class="note" id="hint-{name}">{escape(hint)}</small>'
        f"{error_line(name)}{overrides(name) if is_per_phase(name) else ''}</div>"
    )


def setting_input(name: str, title: str, setting: str | None = None) -> str:
    """The input of a setting, or of a phase's override of `setting`."""
    spec, described = SETTING_FIELDS[setting or name], f'aria-describedby="hint-{setting or name} error-{name}"'
    if SETTING_TYPES[setting or name] is bool:
        return f'<input type="checkbox" id="set-{name}" name="{name}" {described}>'
    unset = "the same" if setting else "differs by phase" if is_per_phase(name) else ""
    if spec.metadata["choices"]:
        # A common value is emptied by those of the phases alone, so it offers no empty choice of its own.
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
    """The two fields that give a setting another value in one direction."""
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
    """Where the sentence about a wrong value stands."""
    return f'<p class="error" id="error-{name}" data-error="{name}" role="alert"></p>'
