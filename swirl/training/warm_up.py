"""Builds the trainers of the supervised stages: the warm-up on labels (section 2, step 0) and supervised phases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from transformers import TrainerCallback

from swirl.models.scoring import FULL_VOCABULARY
from swirl.models.world_model import WorldModel
from swirl.processes import world_size
from swirl.settings import Direction, Settings
from swirl.states import LabelledTransition
from swirl.training.supervised import PairTrainer, PromptCompletion, supervised_trainer


def build_supervised_pairs(
    world: WorldModel, direction: Direction, rows: Sequence[LabelledTransition]
) -> list[PromptCompletion]:
    """Labelled transitions as (prompt, completion) pairs: next states for the FWM, actions for the IDM."""
    world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
    if direction == "forward":
        return [(world.layout.forward_prompt(r.state, r.action), world.state_completion(r.next_state)) for r in rows]
    return [(world.layout.inverse_prompt(r.state, r.next_state), world.completion(r.action)) for r in rows]


def warm_up_steps(labels: int, settings: Settings) -> int:
    """Optimiser steps of a warm-up on this many labels, for one model."""
    return settings.warm_up_epochs * math.ceil(labels / settings.warm_up_batch_size)


def build_warm_up_trainer(
    world: WorldModel,
    direction: Direction,
    labels: Sequence[LabelledTransition],
    settings: Settings,
    folder: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> PairTrainer:
    """The trainer of one model's warm-up. With shared weights it trains both tasks together."""
    pairs = build_supervised_pairs(world, direction, labels)
    if world.shared:
        pairs = [pair for task in ("forward", "inverse") for pair in build_supervised_pairs(world, task, labels)]
    world.model.set_adapter(world.adapter("fwm" if direction == "forward" else "idm"))
    # Completions of both tasks together may contain any id.
    support = FULL_VOCABULARY if world.shared else world.token_support("state" if direction == "forward" else "action")
    steps = warm_up_steps(len(pairs), settings)
    return supervised_trainer(
        world.model,
        pairs,
        world.tokenizer.pad_token_id,
        folder,
        steps=steps,
        batch_size=settings.warm_up_batch_size,
        learning_rate=settings.warm_up_learning_rate,
        warmup_steps=math.ceil(0.05 * steps),
        seed=settings.seed,
        save_every=settings.save_every,
        processes=world_size(),
        callbacks=callbacks,
        support=support,
    )


def build_supervised_phase_trainer(
    world: WorldModel,
    direction: Direction,
    rows: Sequence[LabelledTransition],
    settings: Settings,
    folder: Path,
    index: int,
    callbacks: Sequence[TrainerCallback] = (),
) -> PairTrainer:
    """The trainer of a phase without rewards: the FWM imitates the next states of `rows`, or the IDM their actions.

    The rows, in which pseudo-labels and labels may be mixed, are shuffled anew in each epoch. `settings` are those of
    the whole run; the phase `index` is added to the seed.
    """
    settings = settings.for_phase(direction)
    world.model.set_adapter(world.adapter("fwm" if direction == "forward" else "idm"))
    return supervised_trainer(
        world.model,
        build_supervised_pairs(world, direction, rows),
        world.tokenizer.pad_token_id,
        folder,
        steps=settings.steps_per_phase,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.learning_rate_warmup,
        seed=settings.seed + index,
        save_every=settings.save_every,
        accumulation=settings.accumulation,
        processes=world_size(),
        max_grad_norm=settings.max_grad_norm,
        scheduler=settings.scheduler,
        callbacks=callbacks,
        support=world.token_support("state" if direction == "forward" else "action"),
    )
