"""Plans in words: how far a state is from a goal, how much a step is to be trusted, and what came of a plan."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.view_models.formatting import format_percent, pluralize
from studio.view_models.text_difference import UNIT
from swirl.states import State
from swirl.text_units import writing_of

TRUST_WORDS = ((0.9, "sure"), (0.5, "fairly sure"), (0.1, "unsure"), (0.0, "doubtful"))
"""The word for a step that the inverse model reads back with at least this probability."""


def goal_unit(goal: State | None) -> str:
    """What the distance to a goal is counted in: cells of a picture or a map, words or characters of a text."""
    if goal is None:
        return "word"
    return "cell" if goal.picture is not None else UNIT[writing_of(goal.text)]


def distance_words(differences: int, unit: str) -> str:
    """`2 words away from the goal`."""
    return f"{pluralize(differences, unit)} away from the goal"


def progress_words(imagined: int, differences: int, steps: int, unit: str, *, is_finished: bool) -> str:
    """How far a search is: the states that it has imagined, and the closest of all states so far."""
    count = f"{pluralize(imagined, 'state')} imagined"
    if differences:
        return f"{count}, the closest is {distance_words(differences, unit)}"
    reached = f"{count}, the goal is {pluralize(steps, 'step')} away"
    return reached if is_finished else f"{reached}; looking for a better way"


def plan_verdict(is_reached: bool, differences: int, steps: int, unit: str, *, before: int = 0) -> str:
    """One sentence on what a plan reaches in imagination, where `before` steps were really taken before it."""
    if is_reached:
        words = pluralize(steps, "step") if not before else f"{steps} more {'step' if steps == 1 else 'steps'}"
        return f"Reached in imagination, in {words}." if steps else "The state is the goal already."
    if not steps:
        return f"No step leads closer: the state stays {distance_words(differences, unit)}."
    return f"Not reached. The closest state found is {distance_words(differences, unit)}."


def trust_word(read_back: float) -> str:
    """How sure the critic is of a step, from log Q(z | x, y') in nats."""
    share = math.exp(min(0.0, read_back))
    return next(word for least, word in TRUST_WORDS if share >= least)


def trust_explanation(action: str, read_back: float) -> str:
    """What the word means."""
    share = format_percent(math.exp(min(0.0, read_back)))
    return (
        f"Shown only the two imagined states, the inverse model names “{action}” with a probability of {share}. "
        "A step that it can read back is to be trusted."
    )


def first_parting(same: Sequence[bool]) -> int | None:
    """The number of the first state that did not come as imagined, where 0 is the start; None if all did."""
    return next((number for number, is_same in enumerate(same) if not is_same), None)


def real_verdict(
    is_reached: bool, parted: int | None, unknown: Sequence[str], left: int, unit: str, *, before: int = 0
) -> str:
    """What came of a plan in the simulator.

    `parted` is the result of `first_parting`, `unknown` are the actions that the world does not know, `left` is how far
    the last true state is from the goal, and `before` counts the steps that were really taken before the plan.
    """
    parted = parted + before if parted else parted  # steps are numbered from the first one
    if is_reached:
        came = ", and every state came as imagined" if not before else ""
        what = "The goal was reached for real" + (f"{came}." if parted is None else f", although {_parting(parted)}.")
    elif parted is None:
        what = f"All came as imagined, and so the goal is still {pluralize(left, unit)} away."
    else:
        parting = _parting(parted)
        what = f"{parting[0].upper()}{parting[1:]}, and the goal was not reached: it is {pluralize(left, unit)} away."
    if unknown:
        names = ", ".join(f"“{action}”" for action in dict.fromkeys(unknown))
        what += f" {names}: no action of this world, so nothing happened."
    return what


def _parting(parted: int) -> str:
    if parted == 0:
        return "imagination and truth had parted before the plan began"
    return f"imagination and truth part at step {parted}"
