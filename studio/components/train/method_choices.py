"""The ways of training as radio buttons, each with a line that says what it does and what it is good for."""

from __future__ import annotations

from studio.components.shared.html import escape
from studio.components.train.setting_field import error_line
from swirl.methods import TRAINING_METHODS, TrainingMethod


def method_choices() -> str:
    """The choices of the setting `method` as HTML; none is chosen yet."""
    choices = "".join(map(_choice, TRAINING_METHODS.values()))
    return (
        '<div><div role="radiogroup" aria-labelledby="method-title" id="set-method" class="presets">'
        f"{choices}</div>{error_line('method')}</div>"
    )


def _choice(method: TrainingMethod) -> str:
    role = f"{method.role.capitalize()}: " if method.role else ""
    sentence = f"{role}{method.sentence}"
    needs = " Needs labels." if method.trains_on_labels else ""
    return (
        f'<label class="preset"><input type="radio" name="method" value="{escape(method.name)}">'
        f"<span><b>{escape(method.title)}</b> <code>{escape(method.name)}</code>"
        f"<small>{escape(sentence[0].upper() + sentence[1:])}{needs}</small></span></label>"
    )
