"""Trains one phase: the warm-up, a phase that imitates, or one of GRPO; resumed from its newest save."""

from __future__ import annotations

import gc
import json
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError

from transformers import PrinterCallback, Trainer

from swirl.errors import SwirlError
from swirl.models.loading import reset_adapter
from swirl.processes import world_size
from swirl.settings import Direction
from swirl.states import LabelledTransition
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.label_file import LabelFile
from swirl.training.on_demand_samples import OnDemandSampler
from swirl.training.phase_probe import PhaseProbe
from swirl.training.pseudo_labels import infer_actions_to_imitate, label_source, pseudo_labels_per_phase
from swirl.training.run_context import RunContext
from swirl.training.run_monitor import PhaseEnded, RunMonitor
from swirl.training.run_progress import StopRequested
from swirl.training.schedule import PlannedPhase
from swirl.training.sharded_weights import undivide, whole_weights
from swirl.training.time_metrics import LABELLING_TIME
from swirl.training.warm_up import build_supervised_phase_trainer, build_warm_up_trainer

log = logging.getLogger("swirl")


def train_phase(run: RunContext, phase: PlannedPhase, labels: Sequence[LabelledTransition]) -> PlannedPhase:
    """Train one phase to its end; returns it with the steps that it took. Raises StopRequested on request.

    A phase of 0 steps leaves the models as they are.
    """
    if phase.steps == 0:
        return phase
    if phase.kind == "warm-up":
        run_warm_up(run, phase, labels)
        return phase
    if run.settings.training_method.rewards_in(phase.kind):
        return run_grpo_phase(run, phase)
    return run_supervised_phase(run, phase, labels)


def run_warm_up(run: RunContext, phase: PlannedPhase, labels: Sequence[LabelledTransition]) -> None:
    """The warm-up (step 0): both models learn the form of an answer from labels."""
    directions = ("forward",) if run.world.shared else ("forward", "inverse")
    steps_per_direction = phase.steps // 2
    for turn, direction in enumerate(directions):
        folder = run.folder / "trainer" / f"{phase.folder_name}-{direction}"
        monitor = build_monitor(run, phase, direction, offset=turn * steps_per_direction)
        trainer = build_warm_up_trainer(run.world, direction, labels, run.settings, folder, [monitor])
        run_trainer(run, trainer, monitor, folder)


def build_monitor(
    run: RunContext, phase: PlannedPhase, direction: Direction, offset: int = 0, probe: PhaseProbe | None = None
) -> RunMonitor:
    """The monitor of a phase; on request it samples rollouts of held-out transitions, else of training ones."""
    transitions = run.scorer.transitions or run.transitions
    sampler = OnDemandSampler(run.world, direction, transitions, run.settings.for_phase(direction))
    return RunMonitor(
        run.progress,
        phase,
        offset=offset,
        draw_requested_rollouts=sampler,
        settings=run.settings,
        computing=run.computing,
        probe=probe,
    )


def run_supervised_phase(run: RunContext, phase: PlannedPhase, labels: Sequence[LabelledTransition]) -> PlannedPhase:
    """A phase in which a model imitates pseudo-labels, the labels, or both.

    Returns the phase with the steps that it took: fewer than planned if its probe ended it.
    """
    method = run.settings.training_method
    rows: list[LabelledTransition] = []
    if method.trains_on_pseudo_labels:
        rows += infer_pseudo_labels(run, phase)
    if method.trains_on_labels:
        rows += labels
    if method.starts_anew:
        reset_adapter(run.world.model, run.world.adapter("fwm"), run.settings.seed + phase.index)
    folder, probe = run.folder / "trainer" / phase.folder_name, make_phase_probe(run, phase)
    monitor = build_monitor(run, phase, phase.kind, probe=probe)
    trainer = build_supervised_phase_trainer(run.world, phase.kind, rows, run.settings, folder, phase.index, [monitor])
    run_trainer(run, trainer, monitor, folder)
    return as_taken(run, phase, trainer, monitor)


def make_phase_probe(run: RunContext, phase: PlannedPhase) -> PhaseProbe | None:
    """The probe of one phase; None where there is none, or none is due within the phase."""
    if run.probe is None or not 0 < run.settings.for_phase(phase.kind).probe_every <= phase.steps:
        return None
    file = run.folder / "trainer" / f"{phase.folder_name}-probes.json"
    return PhaseProbe(run.probe, run.world, phase, run.settings, run.progress, file)


def as_taken(run: RunContext, phase: PlannedPhase, trainer: Trainer, monitor: RunMonitor) -> PlannedPhase:
    """A phase that has ended with the steps that it took; if its probe ended it, the history is told so and why."""
    if not monitor.ended_early:
        return phase
    ended = replace(phase, steps=trainer.state.global_step)
    run.progress.clock.end_after(ended)
    if run.is_main_process and monitor.probe is not None:
        why = monitor.probe.describe_harm(ended.steps)
        log.warning(why)
        with run.history.transaction():
            run.history.shorten_phase(run.id, phase.index, ended.steps)
            run.history.update_run(run.id, ended_early=why)
    return ended


def infer_pseudo_labels(run: RunContext, phase: PlannedPhase) -> list[LabelledTransition]:
    """Training transitions, as many as the phase sees, with the actions that are inferred from them.

    Those that an earlier attempt has inferred are read from its file.
    """
    transitions = run.transitions
    seen = pseudo_labels_per_phase(run.settings)
    if seen < len(transitions):
        transitions = random.Random(run.settings.seed + phase.index).sample(transitions, seen)
    pairs = [(t.state, t.next_state) for t in transitions]
    guesses, seed = run.settings.guesses_per_label, run.settings.seed + phase.index
    # Several ranks must stop together, which they do after a step.
    can_stop = world_size() == 1
    with whole_weights(run.world.model):
        source = label_source(run.world, pairs, guesses, seed)
        file = run.folder / "trainer" / f"{phase.folder_name}-labels.jsonl"
        kept = LabelFile(file, source, writes=run.is_main_process)
        follow = run.progress.follow(
            *(run.world, phase, "pseudo-labels", len(pairs), "inferring the actions to train on"),
            can_stop=can_stop,
            share_before=len(kept.actions) / len(pairs),
            seconds_before=kept.seconds,
        )
        with follow as report:
            actions = infer_actions_to_imitate(run.world, pairs, guesses, seed, report, kept)
    if run.is_main_process:
        seconds = run.progress.clock.measured["pseudo-labels"]
        run.history.log_metrics(run.id, phase.index, 0, {LABELLING_TIME: seconds})
    return [LabelledTransition(t.state, z, t.next_state) for t, z in zip(transitions, actions, strict=True)]


def run_grpo_phase(run: RunContext, phase: PlannedPhase) -> PlannedPhase:
    """Phase I (forward) or Phase II (inverse): GRPO with the frozen partner's log-probability as the reward.

    Returns the phase with the steps that it took: fewer than planned if its probe ended it.
    """
    folder = run.folder / "trainer" / phase.folder_name
    monitor = build_monitor(run, phase, phase.kind, probe=make_phase_probe(run, phase))
    trainer = build_grpo_trainer(
        run.world,
        phase.kind,
        run.transitions,
        run.settings,
        folder,
        phase.index,
        [monitor],
        server=run.rollout_server,
    )
    monitor.latest_rollouts = lambda: trainer.reward_funcs[0].shown_groups
    run_trainer(run, trainer, monitor, folder)
    return as_taken(run, phase, trainer, monitor)


def run_trainer(run: RunContext, trainer: Trainer, monitor: RunMonitor, folder: Path) -> None:
    """Train to the end of a phase, from its newest complete save if there is one. Raises StopRequested on request.

    A phase that its probe ends has ended too, and so has one whose save is that of its last step.
    """
    run.computing.record_parallelism(trainer.accelerator)
    trainer.remove_callback(PrinterCallback)
    save = newest_trainer_save(folder)
    try:
        with suppress(PhaseEnded):
            trainer.train(resume_from_checkpoint=save)
    except UnpicklingError as error:  # it holds more than tensors and numbers, which is never loaded
        raise SwirlError(
            f"The save {save} is damaged or was not written by this trainer; delete that folder, then resume the run."
        ) from error
    finished = monitor.ended_early or trainer.state.global_step >= trainer.args.max_steps
    trainer.accelerator.free_memory()
    undivide(run.world.model)
    gc.collect()
    if monitor.stopped and not finished:
        raise StopRequested


def newest_trainer_save(folder: Path) -> str | None:
    """The newest complete save of a trainer; its `trainer_state.json` is written last."""
    saved = [f for f in folder.glob("checkpoint-*") if is_whole_json(f / "trainer_state.json")]
    return str(max(saved, key=lambda f: int(f.name.rpartition("-")[2]))) if saved else None


def is_whole_json(file: Path) -> bool:
    """Whether a JSON file is there to its end; a full disk leaves an empty one, or a part."""
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True
