"""Pseudo-labels: the actions that phases without rewards imitate, inferred from training transitions.

The greedy answer of the IDM is the paper's pseudo-label. With more than one candidate, the FWM has a say in it as well:
of the IDM's guesses, the one with the highest log Q(z | x, y) + log P(y | x, z) is taken, the likeliest under both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from swirl.models.world_model import WorldModel
from swirl.progress import ProgressCallback
from swirl.settings import DIRECTIONS, Settings
from swirl.states import State

SURE = math.log(0.95)
"""Greedy actions at least so likely under the IDM are kept; those that the FWM overrules to a gain are less likely."""

GREEDY_SHARE = 0.4
"""About the share of time that the greedy answers take; other guesses and their scores take the rest."""


def pseudo_labels_per_phase(settings: Settings) -> int:
    """The transitions that a phase sees which imitates, the longer one if both directions do: no more are labelled."""
    method = settings.training_method
    directions = DIRECTIONS if method.has_inverse_phases else ("forward",)
    phases = [settings.for_phase(direction) for direction in directions if not method.rewards_in(direction)]
    return max((phase.steps_per_phase * phase.batch_size for phase in phases), default=0)


def infer_actions_to_imitate(
    world: WorldModel, pairs: Sequence[tuple[State, State]], candidates: int, seed: int, progress: ProgressCallback
) -> list[str]:
    """The action of each transition (x, y): the IDM's greedy answer, or the best of `candidates` under both models.

    Candidates are drawn where the greedy answer has a probability below 0.95, with random numbers of `seed`.
    """
    if candidates == 1:
        return [found.action for found in world.infer(pairs, alternatives=1, progress=progress)]
    message = "inferring the actions to train on"
    greedy = world.infer(pairs, alternatives=1, progress=lambda done, _: progress(GREEDY_SHARE * done, message))
    actions = [found.action for found in greedy]
    unsure = [index for index, found in enumerate(greedy) if found.log_prob < SURE]
    guesses = world.infer(
        [pairs[index] for index in unsure],
        alternatives=candidates,
        by_both_models=True,
        seed=seed,
        progress=lambda done, _: progress(GREEDY_SHARE + (1 - GREEDY_SHARE) * done, message),
    )
    for index, found in zip(unsure, guesses, strict=True):
        actions[index] = found.action
    progress(1.0, message)
    return actions
