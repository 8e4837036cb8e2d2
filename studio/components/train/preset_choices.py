"""The presets as radio buttons: those that this machine can run first, the others folded away with the reason."""

from __future__ import annotations

from collections.abc import Mapping

from studio.components.shared.html import escape
from swirl.presets import PRESETS, Preset


def preset_choices(obstacles: Mapping[str, str], chosen: str) -> str:
    """The choices as HTML. `obstacles` say by preset what this machine lacks, empty where it lacks nothing.

    The fold is open when it holds the `chosen` preset, or all of them.
    """
    fitting = "".join(_choice(PRESETS[name]) for name, obstacle in obstacles.items() if not obstacle)
    larger = [name for name, obstacle in obstacles.items() if obstacle]
    choices = (
        f'<div class="presets">{fitting}</div>'
        if fitting
        else '<p class="note">No preset fits this machine at the moment.</p>'
    )
    if not larger:
        return choices
    is_open = " open" if chosen in larger or not fitting else ""
    cards = "".join(_choice(PRESETS[name], obstacles[name]) for name in larger)
    return (
        f'{choices}<details class="larger-presets"{is_open}>'
        f"<summary>Needs more than this machine has ({len(larger)})</summary>"
        '<p class="note">You can still choose one, for example to read its settings.</p>'
        f'<div class="presets">{cards}</div></details>'
    )


def _choice(preset: Preset, obstacle: str = "") -> str:
    lacking = f'<small class="lacking">{escape(obstacle)}</small>' if obstacle else ""
    return (
        f'<label class="preset"><input type="radio" name="preset" value="{escape(preset.name)}">'
        f"<span><b>{escape(preset.name)}</b>"
        f"<small>{escape(preset.title)} Needs {escape(preset.needs)}.</small>{lacking}</span></label>"
    )
