"""The transitions of a workload, and what all trainers train with."""

from __future__ import annotations

from pathlib import Path

from swirl.codecs.state_codecs import Codec
from swirl.errors import UsageError
from swirl.runs.step_benchmark.workload import LIQUID_SHAPES, Workload
from swirl.sources.collections.catalog import load_sequences
from swirl.states import Transition

STEPS_WITHOUT_REPETITION = 16
MAX_STATE_TOKENS = 110
"""Longer texts of a collection are left out, so that the prompts of all steps have about the same length."""
LEARNING_RATE = 1e-6


def workload_transitions(workload: Workload, home: Path, codec: Codec) -> list[Transition]:
    """The transitions of the prompts, enough for some steps. Raises UsageError if the collection has too few."""
    wanted = workload.prompts * STEPS_WITHOUT_REPETITION
    if workload.model in LIQUID_SHAPES:
        from swirl.runs.step_benchmark.liquid_shape import random_transitions  # diffusers comes with it

        return random_transitions(LIQUID_SHAPES[workload.model].codes_per_side, wanted)
    found = []
    for sequence in load_sequences(home, workload.data):
        for transition in sequence.transitions():
            if codec.kind == "image" or is_short(transition.state.text, codec):
                found.append(transition)
            if len(found) == wanted:
                return found
    if len(found) < workload.prompts:
        raise UsageError(
            f"The collection {workload.data!r} has {len(found)} transitions of at most {MAX_STATE_TOKENS} tokens, "
            f"fewer than --prompts {workload.prompts}; name another one with --data."
        )
    return found


def is_short(text: str, codec: Codec) -> bool:
    """Whether a text has at most MAX_STATE_TOKENS tokens."""
    return len(codec.encode(text)) <= MAX_STATE_TOKENS
