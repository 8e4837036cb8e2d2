"""The training loop: a warm-up, then alternating forward and inverse phases (section 3 of the paper, Algorithm 1).

Read `train` from top to bottom. After each phase a checkpoint is saved and scored on held-out transitions that training
never sees; the best one is marked. An interrupted phase resumes from its last saved step, or with the scoring of its
checkpoint if that was saved.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from transformers import set_seed

from swirl.processes import world_size
from swirl.settings import Settings
from swirl.training.batch_checks import require_fitting_batches
from swirl.training.critic_verdicts import critic_verdict
from swirl.training.diagnostics import is_out_of_memory, memory_error
from swirl.training.held_out import MakeScorer
from swirl.training.lengths import drop_too_long, drop_too_long_labels
from swirl.training.parallelism import early_accelerator
from swirl.training.phase_results import SCORING_TIME, name_best_checkpoint, remove_saves, save_phase, score_checkpoint
from swirl.training.phase_training import train_phase
from swirl.training.pseudo_labels import pseudo_labels_per_phase
from swirl.training.requirements import is_warmed_up
from swirl.training.run_clock import RunClock
from swirl.training.run_computing import RunComputing, precision_for_run
from swirl.training.run_context import RunContext, warn
from swirl.training.run_progress import RunProgress, StopRequested
from swirl.training.run_start import (
    completed_checkpoints,
    connect_rollout_server,
    load_labels,
    load_trainable_model,
    make_probe,
    record_left_out,
    saved_checkpoint,
    training_transitions,
    warn_if_nothing_is_held_out,
    warn_if_states_change,
)
from swirl.training.schedule import PlannedPhase, plan_phases
from swirl.training.trackers import open_tracked_history
from swirl.training.warm_up import warm_up_steps

log = logging.getLogger("swirl")


def train(home: Path, run_id: str, make_scorer: MakeScorer) -> str:
    """Train a run to its end, or resume it where it stopped. Returns "finished" or "stopped".

    `make_scorer` builds the scorer of the checkpoints; the loop itself never sees a true action of the collection.
    Raises SwirlError for problems that the user can fix: data, settings, memory, divergence.
    """
    history = open_tracked_history(home, run_id)
    settings = Settings.from_dict(history.run(run_id).settings)
    labels = load_labels(home, settings)
    transitions = training_transitions(home, settings)
    phases = plan_phases(settings, 2 * warm_up_steps(len(labels), settings) if labels else 0)
    done = completed_checkpoints(home, history, run_id)
    steps_taken = {row.index: row.steps for row in history.phases(run_id)}
    is_main_process = int(os.environ.get("RANK", "0")) == 0
    if any(steps_taken[phase.index] < phase.steps for phase in phases[1 : len(done)]):
        if is_main_process:
            name_best_checkpoint(history, run_id)
        return "finished"  # it ended itself; all that it still had to do was to say so
    saved = saved_checkpoint(home, run_id, phases[len(done)]) if len(done) < len(phases) else None
    if is_main_process:
        history.update_run(run_id, activity="loading the model and the data", seconds_left=None)
    set_seed(settings.seed)  # new adapters are initialised at random
    with explain_out_of_memory(settings, None, history.run(run_id).device or settings.device):
        precision = precision_for_run(history, run_id, settings)
        world = load_trainable_model(home, settings, saved or (done[-1] if done else None), precision)
        computing = RunComputing(history, run_id, world, settings, is_main_process=is_main_process)
        # Before anything is written: processes that do not know of each other would all write this run.
        computing.record_parallelism(early_accelerator(world.device))
        transitions, left_out = drop_too_long(world, transitions, settings)
        labels_left_out = None
        begins_with_labels = is_warmed_up(settings) and not done and saved is None
        if begins_with_labels or settings.training_method.trains_on_labels:
            labels, labels_left_out = drop_too_long_labels(world, labels, settings)
            phases = plan_phases(settings, 2 * warm_up_steps(len(labels), settings))
        if is_main_process:
            record_left_out(history, run_id, left_out, labels_left_out)
        # Now, since the first phase with rewards may begin hours later.
        still_to_train = phases[len(done) :] if saved is None else phases[len(done) + 1 :]
        require_fitting_batches(settings, still_to_train, world_size(), len(transitions))
        server = connect_rollout_server(history, run_id, world, settings, is_main_process=is_main_process)
    scorer = make_scorer(home, settings.data, settings.held_out)
    probe = make_probe(scorer, settings)
    probed = len(probe.transitions) if probe else 0
    labelled = min(len(transitions), pseudo_labels_per_phase(settings))
    clock = RunClock(phases, settings, len(scorer.transitions), labelled, probed)
    for seconds in history.latest_values(run_id, SCORING_TIME, 1):
        clock.record_part("scoring", seconds)
    progress = RunProgress(history, run_id, clock, is_main_process=is_main_process)
    computing.start()
    run = RunContext(
        *(home, run_id, history, settings, world, transitions, scorer, probe, progress, computing, is_main_process),
        rollout_server=server,
    )
    if is_main_process and not (history.run(run_id).device or "").startswith(world.device.type):
        history.update_run(run_id, device=str(world.device))  # it differs from the one that the queue assumed
    if is_main_process and not done:
        warn_if_states_change(run)
        warn_if_nothing_is_held_out(run)
    try:
        for planned in phases[len(done) :]:
            with explain_out_of_memory(settings, planned.kind, str(world.device)):
                if saved is None:
                    start_phase(run, planned)
                    phase = train_phase(run, planned, labels)
                    save_phase(run, phase)
                else:
                    phase = replace(planned, steps=steps_taken[planned.index])
                    remove_saves(run)  # a run that was killed right after its checkpoint was saved still has them
                saved = None
                score_checkpoint(run, phase)
            if phase.steps < planned.steps:
                if is_main_process:
                    name_best_checkpoint(history, run_id)
                break
    except StopRequested:
        return "stopped"
    finally:
        if server is not None:
            server.close()
    return "finished"


@contextmanager
def explain_out_of_memory(settings: Settings, kind: str | None, device: str) -> Iterator[None]:
    """Turn out-of-memory errors into a SwirlError that names the settings that need less memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        log.warning("Out of memory: %s", str(error).partition("\n")[0])
        raise memory_error(settings, kind, device) from error


def start_phase(run: RunContext, phase: PlannedPhase) -> None:
    """Record the start of a phase, and before the first after the warm-up warn if the critic is not strong."""
    log.info("phase %d: iteration %d, %s, %d steps", phase.index, phase.iteration, phase.kind, phase.steps)
    if not run.is_main_process:
        return
    run.history.start_phase(run.id, phase.index, phase.iteration, phase.kind, phase.steps)
    run.history.update_run(run.id, ended_early=None)
    if phase.index == 1 and run.settings.training_method.needs_inverse_model:
        verdict = critic_verdict(run.history.checkpoints(run.id)[-1].scores)
        if verdict is not None and verdict.level != "good":
            warn(run, verdict.sentence)
