"""What can be said in Household, and which different actions can lead to one change."""

from __future__ import annotations

from swirl.worlds.wordings import Wordings

WORDINGS = Wordings(
    {
        "go to the {place}": ("go to the {place}", "walk to the {place}", "head to the {place}", "enter the {place}"),
        "leave the room": ("leave the room", "exit the room", "walk out of the room"),
        "take the {noun}": ("take the {noun}", "pick up the {noun}", "grab the {noun}", "get the {noun}"),
        "drop the {noun}": ("drop the {noun}", "put down the {noun}", "lay down the {noun}", "let go of the {noun}"),
        "put the {noun} in the {place}": (
            "put the {noun} in the {place}",
            "place the {noun} in the {place}",
            "store the {noun} in the {place}",
            "put the {noun} into the {place}",
        ),
        "open the {noun}": ("open the {noun}", "open up the {noun}", "pull open the {noun}"),
        "shut the {noun}": ("shut the {noun}", "close the {noun}", "push shut the {noun}"),
        "flip the switch": ("flip the switch", "press the switch", "use the switch"),
        "turn on the lamp": ("turn on the lamp", "switch on the lamp", "light the lamp"),
        "turn off the lamp": ("turn off the lamp", "switch off the lamp", "put out the lamp"),
    },
    {"noun": r"\w+", "place": r"\w+"},
)

ALTERNATIVES = {"flip the switch": ("turn on the lamp", "turn off the lamp"), "go to the hall": ("leave the room",)}
"""Other actions that can lead to the same change as an action, depending on the state."""


def alternatives(action: str) -> tuple[str, ...]:
    """Other actions, in their standard wordings, that lead to the same change in some states."""
    return ALTERNATIVES.get(action, ())
