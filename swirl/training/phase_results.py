"""Saves the checkpoint of a phase that has ended, scores it on held-out transitions and records it."""

from __future__ import annotations

import logging
import shutil

from swirl.history import History
from swirl.settings import Settings
from swirl.training.critic_verdicts import reward_divergence_warning
from swirl.training.held_out import best_checkpoint
from swirl.training.run_context import RunContext, checkpoint_folder, warn
from swirl.training.run_monitor import is_true_on_any_rank
from swirl.training.run_progress import StopRequested
from swirl.training.schedule import PlannedPhase
from swirl.training.sharded_weights import whole_adapters, whole_weights
from swirl.training.time_metrics import SCORING_TIME

log = logging.getLogger("swirl")


def save_phase(run: RunContext, phase: PlannedPhase) -> None:
    """Save the checkpoint of a phase that has ended; from then on the phase needs no training again."""
    adapters = whole_adapters(run.world.model)
    if run.is_main_process:
        folder = checkpoint_folder(run.home, run.id, phase)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run.world.save(folder, adapters=adapters)
    remove_saves(run)


def remove_saves(run: RunContext) -> None:
    """Remove what the trainer saved within a phase, which its checkpoint has made superfluous."""
    if run.is_main_process:
        shutil.rmtree(run.folder / "trainer", ignore_errors=True)


def score_checkpoint(run: RunContext, phase: PlannedPhase) -> None:
    """Score the saved checkpoint of a phase and record it. Raises StopRequested, on all ranks, on request."""
    stopped = False
    with whole_weights(run.world.model):
        if run.is_main_process:
            try:
                scores = measure_scores(run, phase)
            except StopRequested:
                stopped = True
            else:
                record_checkpoint(run, phase, scores)
        # The other ranks wait here until the scoring has ended.
        if is_true_on_any_rank(stopped):
            raise StopRequested


def measure_scores(run: RunContext, phase: PlannedPhase) -> dict[str, float]:
    """The held-out scores of the model as it is; how long they take is a metric at the phase's last step."""
    count = len(run.scorer.transitions)
    with run.progress.follow(run.world, phase, "scoring", count, "scoring the checkpoint") as report:
        scores = run.scorer(run.world, report)
    if count:
        seconds = run.progress.clock.measured["scoring"]
        run.history.log_metrics(run.id, phase.index, phase.steps, {SCORING_TIME: seconds})
    return scores


def record_checkpoint(run: RunContext, phase: PlannedPhase, scores: dict[str, float]) -> None:
    """Record the checkpoint of a phase, mark the best one, and compare the reward with the score."""
    history, earlier = run.history, run.history.checkpoints(run.id)
    path = str(checkpoint_folder(run.home, run.id, phase).relative_to(run.home))
    # In one transaction: a run that is killed here has either all of it or scores its checkpoint again.
    with history.transaction():
        history.add_checkpoint(
            run.id, index=phase.index, iteration=phase.iteration, phase=phase.kind, path=path, scores=scores
        )
        history.finish_phase(run.id, phase.index)
        history.mark_best(run.id, best_checkpoint(history.checkpoints(run.id)).index)
        if earlier and phase.kind != "warm-up" and run.settings.training_method.rewards_in(phase.kind):
            check_reward_against_score(run, phase, earlier[-1].scores, scores)
    log.info("held out: %s", ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def name_best_checkpoint(history: History, run_id: str) -> None:
    """Say at the end of a run that has ended itself from which checkpoint to go on, and how."""
    why = history.run(run_id).ended_early
    best = next((checkpoint.name for checkpoint in history.checkpoints(run_id) if checkpoint.best), None)
    if why and best and best not in why:
        advice = "start another run from it with a lower learning rate"
        if Settings.from_dict(history.run(run_id).settings).training_method.rewards_in("forward"):
            advice += ", a higher beta or an anchor"
        history.update_run(run_id, ended_early=f"{why} The best checkpoint is {best}; {advice}.")


def check_reward_against_score(
    run: RunContext, phase: PlannedPhase, before: dict[str, float], after: dict[str, float]
) -> None:
    """Warn if the reward of the phase rose while the held-out score of the trained model fell."""
    rewards = [m.value for m in run.history.metrics(run.id, ["reward"]) if m.phase == phase.index]
    name = f"{phase.kind}/exact_match"
    name = name if name in before and name in after else "cycle/exact_match"
    tenth = max(1, len(rewards) // 10)
    if rewards and name in before and name in after:
        sentence = reward_divergence_warning(
            sum(rewards[:tenth]) / tenth, sum(rewards[-tenth:]) / tenth, before[name], after[name]
        )
        if sentence:
            warn(run, sentence)
