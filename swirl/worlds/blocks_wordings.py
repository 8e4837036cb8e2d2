"""What can be said in Blocks, and which different actions can lead to one change."""

from __future__ import annotations

from swirl.worlds.wordings import Wordings

WORDINGS = Wordings(
    {
        "move the {thing} {word}": ("move the {thing} {word}", "shift the {thing} {word}", "nudge the {thing} {word}"),
        "push the {thing} {word}": ("push the {thing} {word}", "shove the {thing} {word}", "press the {thing} {word}"),
        "slide the {thing} {word}": ("slide the {thing} {word}", "drag the {thing} {word}", "bring the {thing} {word}"),
        "paint the {thing} {word}": (
            "paint the {thing} {word}",
            "colour the {thing} {word}",
            "make the {thing} {word}",
            "turn the {thing} {word}",
        ),
        "remove the {thing}": (
            "remove the {thing}",
            "delete the {thing}",
            "erase the {thing}",
            "take away the {thing}",
        ),
        "swap the {thing} and the {other}": (
            "swap the {thing} and the {other}",
            "exchange the {thing} and the {other}",
            "switch the {thing} and the {other}",
        ),
    },
    {"thing": r"\w+ \w+", "other": r"\w+ \w+", "word": r"\w+"},
)


def alternatives(action: str) -> tuple[str, ...]:
    """Other actions, in their standard wordings, that lead to the same change in some states.

    A slide is a move where the way is free and a push where it is not; a swap names its objects in either order.
    """
    match action.split():
        case ["move" | "push", *rest]:
            return (" ".join(["slide", *rest]),)
        case ["swap", "the", *one, "and", "the", colour, shape]:
            return (f"swap the {colour} {shape} and the {' '.join(one)}",)
    return ()
