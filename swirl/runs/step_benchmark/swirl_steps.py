"""Steps of our own trainer: one base model with two adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PrinterCallback

from swirl.models.loading import load_world_model
from swirl.models.world_model import WorldModel
from swirl.runs.step_benchmark.step_control import StepControl
from swirl.runs.step_benchmark.workload import ACTION_TOKENS, LORA_RANK, ModelSource, Workload
from swirl.runs.step_benchmark.workload_data import LEARNING_RATE, workload_transitions
from swirl.settings import Settings
from swirl.training.grpo_phase import build_grpo_trainer

ENDLESS = 1_000_000
FILLER = " the"


def take_steps(workload: Workload, source: ModelSource, home: Path, scratch: Path, control: StepControl) -> None:
    """Train until the benchmark ends."""
    world = load_world_model(
        home, source.checkpoint or source.base, workload.device, workload.precision, lora_rank=LORA_RANK
    )
    settings = Settings().replace(
        {
            "steps_per_phase": ENDLESS,
            "save_every": ENDLESS,
            "batch_size": workload.prompts,
            "group_size": workload.group_size,
            "learning_rate": LEARNING_RATE,
            "beta": workload.beta,
            "max_action_tokens": ACTION_TOKENS,
            "max_state_tokens": workload.new_tokens,
            "reward_clamp": None,
        }
    )
    world.max_action_tokens, world.max_state_tokens = ACTION_TOKENS, workload.new_tokens
    give_every_answer_all_of_its_tokens(world)
    transitions = workload_transitions(workload, home, world.codec)
    trainer = build_grpo_trainer(world, workload.direction, transitions, settings, scratch, 0, [control], control.parts)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def give_every_answer_all_of_its_tokens(world: WorldModel) -> None:
    """Let no answer end early, as the other trainers do with `min_new_tokens`.

    Sampling goes on after an end id, which is then replaced by a word: decoding would drop it.
    """
    end_ids, filler, sample = world.end_ids, world.codec.encode(FILLER)[-1], world.sample
    world.end_ids = set()

    def sample_to_the_end(*arguments: Any, **options: Any) -> list[list[int]]:
        return [[filler if id_ in end_ids else id_ for id_ in ids] for ids in sample(*arguments, **options)]

    world.sample = sample_to_the_end
