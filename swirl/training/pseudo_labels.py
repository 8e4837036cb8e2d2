"""Pseudo-labels: the actions that phases without rewards imitate, inferred from training transitions.

The greedy answer of the IDM is the paper's pseudo-label. With more than one candidate, the FWM has a say in it as well:
of the IDM's guesses, the one with the highest log Q(z | x, y) + log P(y | x, z) is taken, the likeliest under both.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence

import torch

from swirl.models.results import Inference
from swirl.models.world_model import WorldModel, joint_log_probs
from swirl.pictures import state_key
from swirl.progress import ProgressCallback
from swirl.settings import DIRECTIONS, Settings
from swirl.states import State
from swirl.training.label_file import LabelFile

SURE = math.log(0.95)
"""Greedy actions at least so likely under the IDM are kept; those that the FWM overrules to a gain are less likely."""

TRANSITIONS_AT_ONCE = 128
"""How many transitions are taken through all steps of a choice, and kept, before the next ones.

As many as the model takes at once: the answers to more are those to their parts, to the last bit.
"""

GREEDY_SHARE = 0.4
"""About the share of time that the greedy answers take; other guesses and their scores take the rest."""


def pseudo_labels_per_phase(settings: Settings) -> int:
    """The transitions that are labelled before a phase which imitates: as many as it sees, each `label_passes` times.

    Of the longer phase, if both directions imitate.
    """
    method = settings.training_method
    directions = DIRECTIONS if method.has_inverse_phases else ("forward",)
    phases = [settings.for_phase(direction) for direction in directions if not method.rewards_in(direction)]
    seen = max((phase.steps_per_phase * phase.batch_size for phase in phases), default=0)
    return math.ceil(seen / settings.label_passes)


def infer_actions_to_imitate(
    world: WorldModel,
    pairs: Sequence[tuple[State, State]],
    candidates: int,
    seed: int,
    progress: ProgressCallback,
    kept: LabelFile | None = None,
) -> list[str]:
    """The action of each transition (x, y): the IDM's greedy answer, or the best of `candidates` under both models.

    Candidates are drawn where the greedy answer has a probability below 0.95, with random numbers of `seed`. With
    `kept`, the actions that it holds are taken, and each part of the others is added to it.
    """
    actions = list(kept.actions) if kept is not None else []
    message = "inferring the actions to train on"
    for start in range(len(actions), len(pairs), TRANSITIONS_AT_ONCE):
        part = pairs[start : start + TRANSITIONS_AT_ONCE]
        greedy = world.infer(part, alternatives=1)
        if candidates == 1:
            chosen = [found.action for found in greedy]
        else:
            progress((start + GREEDY_SHARE * len(part)) / len(pairs), message)
            chosen = choose_by_both_models(world, part, greedy, candidates, seed + start)
        actions += chosen
        if kept is not None:
            kept.add(chosen)
        progress(len(actions) / len(pairs), message)
    return actions


def label_source(world: WorldModel, pairs: Sequence[tuple[State, State]], candidates: int, seed: int) -> str:
    """A hash of what `infer_actions_to_imitate` depends on: the adapters, the transitions (x, y), how it chooses."""
    digest = hashlib.sha256(json.dumps([candidates, seed, TRANSITIONS_AT_ONCE, len(pairs)]).encode())
    for pair in pairs:
        for state in pair:
            digest.update(hashlib.sha256(state_key(state).encode("utf-8", "surrogatepass")).digest())
    adapters = {world.adapter("idm")} if candidates == 1 else {world.adapter("idm"), world.adapter("fwm")}
    for name, weight in world.model.named_parameters():
        if ".lora_" in name and not adapters.isdisjoint(name.split(".")):
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def choose_by_both_models(
    world: WorldModel,
    pairs: Sequence[tuple[State, State]],
    greedy: Sequence[Inference],
    candidates: int,
    seed: int,
) -> list[str]:
    """The action of each transition (x, y) with the highest log Q(z | x, y) + log P(y | x, z) of several candidates.

    These are the IDM's `greedy` answers and, where they are unsure, the likeliest of its samples. What cannot be chosen
    is not computed: log P is at most 0, so that an action loses to one whose sum is above its log Q; and all actions
    but the greedy one together have a probability of at most 1 - Q(greedy).
    """
    actions = [found.action for found in greedy]
    unsure = [index for index, found in enumerate(greedy) if found.log_prob < SURE]
    sums = dict(
        zip(unsure, joint_log_probs(world, [(pairs[i], greedy[i].alternatives[0]) for i in unsure]), strict=True)
    )
    beatable = [index for index in unsure if sums[index] < math.log1p(-math.exp(greedy[index].log_prob))]
    drawn = world.infer(
        [pairs[index] for index in beatable],
        alternatives=candidates,
        greedy=[actions[index] for index in beatable],
        seed=seed,
    )
    rivals = [
        (index, rival)
        for index, found in zip(beatable, drawn, strict=True)
        for rival in found.alternatives
        if rival.action != actions[index] and rival.log_prob > sums[index]
    ]
    scores = joint_log_probs(world, [(pairs[index], rival) for index, rival in rivals])
    for (index, rival), score in zip(rivals, scores, strict=True):
        if score > sums[index]:
            actions[index], sums[index] = rival.action, score
    return actions
