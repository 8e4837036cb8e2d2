"""The settings of the shipped tiny models, and of starting models in other regimes of their worlds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

from swirl.codecs.vq_training import CodecShape
from swirl.errors import UsageError
from swirl.states import LabelledTransition
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household
from swirl.worlds.regimes import RegimeWorld

# Episode seeds far from those of any recording (`swirl.worlds.base.episode_seed`).
UNLABELLED_SEED, LABELLED_SEED, HELD_OUT_SEED = 10**15, 2 * 10**15, 3 * 10**15
ACTIONS_PER_EPISODE = 8
LORA_RANK = 16

START_REGIMES = ("ambiguous", "noisy", "weak-critic")
"""The regimes that a start can be built for: two of the worlds, and the clean world with a weak inverse model."""

WEAK_CRITIC_SHARE = 4
"""A weak critic is trained on one of this many labels."""


@dataclass(frozen=True)
class TargetRounds:
    """Rounds of `steps`, repeated until the forward exact match on the recipe's episodes reaches `target_exact_match`.

    There are at most `max_rounds`. When a forward model begins to get whole states right differs by a factor of two
    between seeds, machines or regimes, so a fixed number of steps would not give the same model.
    """

    steps: int
    target_exact_match: float
    max_rounds: int


@dataclass(frozen=True)
class Recipe:
    """The settings in which the shipped models differ. `codec` is None for text models."""

    world: Callable[[], RegimeWorld]
    codec: CodecShape | None
    vocabulary: int
    layers: int
    unlabelled: int
    """State pairs for the pretraining."""
    pretraining_steps: int
    inverse_rounds: tuple[tuple[int, int], ...]
    """Labels and optimiser steps of each inverse warm-up round."""
    mixed: TargetRounds | None
    """Rounds that train both tasks together on all weights, after the inverse rounds."""
    forward_steps: int
    """Steps of the forward task on the adapter `fwm` alone."""
    forward_rounds: TargetRounds | None = field(default=None, kw_only=True)
    """Rounds of the same after them, for starts whose forward model learns late."""
    max_action_tokens: int
    max_state_tokens: int
    forward_labels: int = 8000
    """Labels of the forward task. A round that trains both tasks sees as many inverse pairs, repeated if need be."""
    random_board_steps: int = 0
    """Pretraining steps on frames of random codes, before those on the world's frames."""
    extra_pretraining_steps: int = 200
    """Steps of a further round of pretraining, on bases that cannot yet copy each token (`confused_tokens`)."""
    max_extra_rounds: int = 10
    pretraining_world: Callable[[], RegimeWorld] | None = None
    """The world whose states the pretraining uses; None for `world`."""
    tokenizer_world: Callable[[], RegimeWorld] | None = None
    """A world whose actions the tokenizer covers too."""


RECIPES = {
    "tiny-household": Recipe(
        world=Household,
        codec=None,
        vocabulary=2048,
        layers=3,
        unlabelled=60_000,
        pretraining_steps=1100,
        inverse_rounds=((3000, 300), (3000, 300), (8000, 400)),
        mixed=None,
        forward_steps=130,
        max_action_tokens=12,
        max_state_tokens=48,
    ),
    "tiny-blocks": Recipe(
        world=Blocks,
        codec=CodecShape(size=64, tile=16, codes=128, channels=48),
        vocabulary=512,
        layers=3,
        unlabelled=20_000,
        pretraining_steps=500,
        inverse_rounds=((3000, 300), (8000, 400)),
        mixed=TargetRounds(steps=150, target_exact_match=0.43, max_rounds=20),
        forward_steps=0,
        max_action_tokens=12,
        max_state_tokens=16,
        random_board_steps=400,
    ),
}


def record_episodes(world: RegimeWorld, first_seed: int, transitions: int) -> list[LabelledTransition]:
    """The first `transitions` labelled transitions of episodes with consecutive seeds."""
    rows, seed = [], first_seed
    while len(rows) < transitions:
        episode = world.episode(seed, ACTIONS_PER_EPISODE)
        pairs = zip(pairwise(episode.states), episode.actions, strict=True)
        rows += [LabelledTransition(x, z, y) for (x, y), z in pairs]
        seed += 1
    return rows[:transitions]


REGIME_CHANGES: dict[tuple[str, str], dict[str, Any]] = {
    # On these bases the forward model only copies after the clean start's number of steps. The noisy world's ceiling
    # is 0.51.
    ("tiny-household", "ambiguous"): {"forward_rounds": TargetRounds(steps=60, target_exact_match=0.45, max_rounds=12)},
    ("tiny-household", "weak-critic"): {
        "forward_rounds": TargetRounds(steps=60, target_exact_match=0.45, max_rounds=12)
    },
    ("tiny-household", "noisy"): {"forward_rounds": TargetRounds(steps=60, target_exact_match=0.25, max_rounds=12)},
    # Half of the next states cannot be predicted; this is as far from the ceiling as the clean start is.
    ("tiny-blocks", "noisy"): {"mixed": TargetRounds(steps=150, target_exact_match=0.23, max_rounds=20)},
}
"""Settings in which a start differs from the shipped model, by model and regime (docs/lab-notes.md)."""


def regime_recipe(model: str, regime: str) -> Recipe:
    """The recipe of a start. Raises UsageError for an unknown model or regime.

    All starts of a model have the same pretraining, on states of the clean world, with a tokenizer that covers the
    words of all regimes; so they can share a pretrained base.
    """
    if model not in RECIPES or regime not in START_REGIMES:
        raise UsageError(
            f"There is no recipe for {model} in the regime {regime!r}; "
            f"the models are: {', '.join(RECIPES)}, the regimes: {', '.join(START_REGIMES)}."
        )
    recipe = RECIPES[model]
    clean = recipe.world
    recipe = replace(recipe, pretraining_world=clean, tokenizer_world=partial(clean, "ambiguous"))
    if regime == "weak-critic":
        rounds = tuple((labels // WEAK_CRITIC_SHARE, steps) for labels, steps in recipe.inverse_rounds)
        recipe = replace(recipe, inverse_rounds=rounds)
    else:
        recipe = replace(recipe, world=partial(clean, regime))
    return replace(recipe, **REGIME_CHANGES.get((model, regime), {}))
