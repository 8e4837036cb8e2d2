"""Steps of the plain trainer of separate models."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

from swirl.codecs.state_codecs import ImageCodec, TextCodec
from swirl.models.loading import find_codec
from swirl.models.placement import pick_device
from swirl.models.prompts import build_layout
from swirl.runs.step_benchmark.phase_prompts import PhasePrompts
from swirl.runs.step_benchmark.plain_trainer import PlainTrainer
from swirl.runs.step_benchmark.separate_models import load_frozen, load_policy, roles
from swirl.runs.step_benchmark.step_control import StepControl
from swirl.runs.step_benchmark.workload import ACTION_TOKENS, ModelSource, Workload
from swirl.runs.step_benchmark.workload_data import LEARNING_RATE, workload_transitions


def take_steps(workload: Workload, source: ModelSource, home: Path, scratch: Path, control: StepControl) -> None:
    """Train until the benchmark ends."""
    device = pick_device(workload.device)
    trainee_role, partner_role = roles(workload.direction)
    policy, tokenizer = load_policy(source, workload, device)
    partner = load_frozen(source, workload, device, partner_role)
    codec = find_codec(source.base, partner, tokenizer) or TextCodec(tokenizer)
    trainer = PlainTrainer(
        policy,
        partner,
        load_frozen(source, workload, device, trainee_role) if workload.beta else None,
        PhasePrompts(codec, build_layout(codec), workload.direction),
        pad_id=tokenizer.pad_token_id,
        group_size=workload.group_size,
        answer_tokens=workload.answer_tokens,
        action_tokens=ACTION_TOKENS,
        beta=workload.beta,
        learning_rate=LEARNING_RATE,
        picture_ids=(codec.offset, codec.offset + codec.codebook_size) if isinstance(codec, ImageCodec) else None,
        parts=control.parts,
    )
    transitions = cycle(workload_transitions(workload, home, codec))
    while True:
        batch = list(islice(transitions, workload.prompts))
        control.wait()
        control.parts.begin_step()
        trainer.step(batch)
        control.parts.finish_step()
