"""The stages of a tiny model's training: their progress, and their scores on the recipe's own episodes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from swirl.evaluation.report import held_out_scores
from swirl.models.world_model import WorldModel
from swirl.progress import ProgressCallback
from swirl.recipes.tiny_recipes import HELD_OUT_SEED, Recipe, record_episodes
from swirl.states import LabelledTransition, Transition
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs
from swirl.worlds.regimes import RegimeWorld, are_equivalent

BATCH = 64

log = logging.getLogger("swirl")


@dataclass
class Stages:
    """Trains one stage after another and reports the progress of all of them.

    `total_steps` is the number of optimiser steps of all stages that are foreseen, at most; rounds that turn out to be
    needed add theirs.
    """

    total_steps: int
    progress: ProgressCallback | None = None
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    """The scores after each stage."""
    done_steps: int = 0

    def train(
        self,
        world: WorldModel,
        pairs: list[PromptCompletion],
        stage: str,
        *,
        steps: int,
        learning_rate: float,
        seed: int,
    ) -> None:
        """Train all parameters that require a gradient, and log the loss of every 50th step."""

        def report_step(step: int, loss: float) -> None:
            if step % 50 == 0:
                log.info("%s %d: %.4f nats per token", stage, step, loss)
            if self.progress:
                self.progress(min(1.0, (self.done_steps + step) / self.total_steps), f"{stage}, step {step} of {steps}")

        options = {"steps": steps, "batch_size": BATCH, "learning_rate": learning_rate, "seed": seed}
        callbacks = [StepLossCallback(report_step)]
        train_on_pairs(world.model, pairs, world.tokenizer.pad_token_id, **options, callbacks=callbacks)
        self.done_steps += steps

    def score(self, world: WorldModel, recipe: Recipe, stage: str) -> dict[str, float]:
        """Score a stage and remember it."""
        self.scores[stage] = score_stage(world, recipe, stage)
        return self.scores[stage]


def unfreeze_base(world: WorldModel) -> None:
    """Make the base model trainable and freeze the adapters."""
    for name, parameter in world.model.named_parameters():
        parameter.requires_grad_("lora_" not in name)


def unfreeze_adapter(world: WorldModel, adapter: str) -> None:
    """Make one adapter trainable and freeze everything else."""
    world.model.requires_grad_(False)
    world.model.set_adapter(adapter)


def score_stage(world: WorldModel, recipe: Recipe, stage: str, transitions: int = 240) -> dict[str, float]:
    """Held-out scores after one stage, on episodes that neither training nor the shipped collection contains.

    Beside `held_out_scores`: `inverse/equivalent`, the share of inferred actions that lead to the same (in a noisy
    world, most likely) next state as the true one; and `oracle/exact_match`, see `oracle_exact_match`.
    """
    simulator = recipe.world()
    rows = record_episodes(simulator, HELD_OUT_SEED, transitions)
    scores = held_out_scores(
        world, [Transition("held-out", 0, r.state, r.next_state) for r in rows], [r.action for r in rows]
    )
    inferred = world.infer([(r.state, r.next_state) for r in rows], alternatives=1)
    same = [are_equivalent(simulator, r.state, a.action, r.action) for r, a in zip(rows, inferred, strict=True)]
    scores["inverse/equivalent"] = sum(same) / len(same)
    scores["oracle/exact_match"] = oracle_exact_match(simulator, rows)
    log.info("%s: %s", stage, ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    return scores


def oracle_exact_match(simulator: RegimeWorld, rows: Sequence[LabelledTransition]) -> float:
    """The ceiling of the forward exact match: how often the most likely next state under the true action came true."""
    return sum(simulator.next_state(r.state, r.action) == r.next_state for r in rows) / len(rows)
