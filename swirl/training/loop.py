"""The training loop: a warm-up, then alternating forward and inverse phases (section 3 of the paper, Algorithm 1).

Read `train` from top to bottom. After each phase a checkpoint is saved and scored on held-out transitions that training
never sees; the best one is marked. An interrupted phase resumes from its last saved step, or with the scoring of its
checkpoint if that was saved.
"""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from transformers import PrinterCallback, Trainer, set_seed

from swirl.errors import SwirlError
from swirl.history import History
from swirl.models import load_world_model
from swirl.models.loading import reset_adapter
from swirl.models.world_model import WorldModel
from swirl.settings import DIRECTIONS, Direction, Settings
from swirl.sources.collections.catalog import load_sequences
from swirl.sources.collections.split import split_of
from swirl.sources.labels.reading import read_labels
from swirl.states import LabelledTransition, Transition
from swirl.training.critic_verdicts import critic_verdict, reward_divergence_warning
from swirl.training.diagnostics import is_out_of_memory, memory_error
from swirl.training.grpo_phase import build_grpo_trainer
from swirl.training.held_out import HeldOutProbe, HeldOutScorer, MakeScorer, headline
from swirl.training.lengths import LeftOut, drop_too_long
from swirl.training.on_demand_samples import OnDemandSampler
from swirl.training.parallelism import early_accelerator
from swirl.training.phase_probe import PhaseProbe
from swirl.training.run_clock import RunClock
from swirl.training.run_computing import RunComputing, precision_for_run
from swirl.training.run_monitor import PhaseEnded, RunMonitor, is_true_on_any_rank
from swirl.training.run_progress import RunProgress, StopRequested
from swirl.training.schedule import PlannedPhase, plan_phases
from swirl.training.sharded_weights import whole_adapters, whole_weights
from swirl.training.text_check import describe_loss, sample_loss
from swirl.training.trackers import open_tracked_history
from swirl.training.warm_up import build_supervised_phase_trainer, build_warm_up_trainer, warm_up_steps

SCORING_TIME = "scoring_time"
"""The metric that holds the seconds that the scoring of a phase's checkpoint took."""

log = logging.getLogger("swirl")


@dataclass
class RunContext:
    """What one training run carries from phase to phase."""

    home: Path
    id: str
    history: History
    settings: Settings
    world: WorldModel
    transitions: list[Transition]
    scorer: HeldOutScorer
    probe: HeldOutProbe | None
    progress: RunProgress
    computing: RunComputing
    is_main_process: bool

    @property
    def folder(self) -> Path:
        """The folder with the run's files."""
        return self.home / "runs" / self.id


def train(home: Path, run_id: str, make_scorer: MakeScorer) -> str:
    """Train a run to its end, or resume it where it stopped. Returns "finished" or "stopped".

    `make_scorer` builds the scorer of the checkpoints; the loop itself never sees a true action of the collection.
    Raises SwirlError for problems that the user can fix: data, settings, memory, divergence.
    """
    history = open_tracked_history(home, run_id)
    settings = Settings.from_dict(history.run(run_id).settings)
    labels = load_labels(settings)
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
    if is_main_process:
        record_left_out(history, run_id, left_out)
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
        home, run_id, history, settings, world, transitions, scorer, probe, progress, computing, is_main_process
    )
    if is_main_process and not (history.run(run_id).device or "").startswith(world.device.type):
        history.update_run(run_id, device=str(world.device))  # it differs from the one that the queue assumed
    if is_main_process and not done:
        warn_if_states_change(run)
    try:
        for planned in phases[len(done) :]:
            with explain_out_of_memory(settings, planned.kind, str(world.device)):
                if saved is None:
                    start_phase(run, planned)
                    phase = train_phase(run, planned, labels)
                    save_phase(run, phase)
                else:
                    phase = replace(planned, steps=steps_taken[planned.index])
                saved = None
                score_checkpoint(run, phase)
            if phase.steps < planned.steps:
                if is_main_process:
                    name_best_checkpoint(history, run_id)
                break
    except StopRequested:
        return "stopped"
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


# --- the start of a run ---------------------------------------------------------------------------------------


def load_labels(settings: Settings) -> list[LabelledTransition]:
    """The labelled transitions of a run; empty if the settings name no labels.

    Raises SwirlError if the file has no usable label.
    """
    if settings.labels is None:
        return []
    labels, skipped = read_labels(Path(settings.labels).expanduser())
    for row in skipped:
        log.warning("%s left out: %s", row.where, row.why)
    if not labels:
        raise SwirlError(f"{settings.labels} has no usable label; each line needs state, action and next_state.")
    return labels


def training_transitions(home: Path, settings: Settings) -> list[Transition]:
    """The transitions of the collection's training split, which excludes held-out sequences.

    Raises SwirlError if there are none.
    """
    sequences = [s for s in load_sequences(home, settings.data) if split_of(s.id) == "train"]
    transitions = [transition for sequence in sequences for transition in sequence.transitions()]
    if not transitions:
        raise SwirlError(f"The collection {settings.data!r} has no training transitions; import more sequences.")
    return transitions


def make_probe(scorer: HeldOutScorer, settings: Settings) -> HeldOutProbe | None:
    """The probe of the run's GRPO phases; None if the settings turn it off or no data are held out."""
    is_on = any(settings.for_phase(direction).probe_every for direction in DIRECTIONS)
    return scorer.make_probe(settings.probe_size) if is_on and settings.training_method.trains_by_rewards else None


def record_left_out(history: History, run_id: str, left_out: LeftOut | None) -> None:
    """Log which transitions are left out; store it with the run if other limits would take many more of them."""
    if left_out is not None:
        log.warning(left_out.sentence)
    if left_out is None or not left_out.suggested_limits:
        history.update_run(run_id, left_out=None)
    else:
        history.update_run(run_id, left_out=left_out.sentence, advised_changes=left_out.suggested_limits)


def completed_checkpoints(home: Path, history: History, run_id: str) -> list[Path]:
    """The checkpoint folders of the finished phases, in order, up to the first that is missing on disk."""
    folders = []
    for index, checkpoint in enumerate(history.checkpoints(run_id)):
        folder = home / checkpoint.path
        if checkpoint.index != index or not (folder / "swirl.json").is_file():
            break
        folders.append(folder)
    return folders


def saved_checkpoint(home: Path, run_id: str, phase: PlannedPhase) -> Path | None:
    """The checkpoint of a phase that was trained to its end but not scored; None if the phase is still to be trained.

    A checkpoint is written whole or not at all, and its folder only when the phase has ended.
    """
    folder = checkpoint_folder(home, run_id, phase)
    return folder if (folder / "swirl.json").is_file() else None


def checkpoint_folder(home: Path, run_id: str, phase: PlannedPhase) -> Path:
    """The folder of a phase's checkpoint."""
    return home / "runs" / run_id / "checkpoints" / phase.folder_name


def load_trainable_model(home: Path, settings: Settings, checkpoint: Path | None, precision: str) -> WorldModel:
    """The model of a checkpoint, else the one in the settings. Raises SwirlError for a diffusion editor."""
    world = load_world_model(
        home,
        settings.model if checkpoint is None else str(checkpoint),
        settings.device,
        precision,
        lora_rank=settings.lora_rank,
        share_weights=settings.share_weights,
    )
    if not world.is_trainable:
        world.raise_no_log_probs()
    world.max_action_tokens, world.max_state_tokens = settings.max_action_tokens, settings.max_state_tokens
    return world


# --- one phase ----------------------------------------------------------------------------------------------


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


def train_phase(run: RunContext, phase: PlannedPhase, labels: Sequence[LabelledTransition]) -> PlannedPhase:
    """Train one phase to its end; returns it with the steps that it took. Raises StopRequested on request.

    A phase of 0 steps leaves the models as they are.
    """
    if phase.steps == 0:
        return phase
    if phase.kind == "warm-up":
        run_warm_up(run, phase, labels)
    elif run.settings.training_method.rewards_in(phase.kind):
        return run_grpo_phase(run, phase)
    else:
        run_supervised_phase(run, phase, labels)
    return phase


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


def run_supervised_phase(run: RunContext, phase: PlannedPhase, labels: Sequence[LabelledTransition]) -> None:
    """A phase of a baseline or the upper bound: a model imitates pseudo-labels, the labels, or both."""
    method = run.settings.training_method
    rows: list[LabelledTransition] = []
    if method.trains_on_pseudo_labels:
        rows += infer_pseudo_labels(run, phase)
    if method.trains_on_labels:
        rows += labels
    if method.starts_anew:
        reset_adapter(run.world.model, run.world.adapter("fwm"), run.settings.seed + phase.index)
    folder = run.folder / "trainer" / phase.folder_name
    monitor = build_monitor(run, phase, phase.kind)
    trainer = build_supervised_phase_trainer(run.world, phase.kind, rows, run.settings, folder, phase.index, [monitor])
    run_trainer(run, trainer, monitor, folder)


def pseudo_labels_per_phase(settings: Settings) -> int:
    """The transitions that a forward phase sees: no more have to be labelled."""
    forward = settings.for_phase("forward")
    return forward.steps_per_phase * forward.batch_size


def infer_pseudo_labels(run: RunContext, phase: PlannedPhase) -> list[LabelledTransition]:
    """Training transitions, as many as the phase sees, with the actions that the IDM infers from them, greedily."""
    transitions = run.transitions
    seen = pseudo_labels_per_phase(run.settings)
    if seen < len(transitions):
        transitions = random.Random(run.settings.seed + phase.index).sample(transitions, seen)
    pairs = [(t.state, t.next_state) for t in transitions]
    # Several ranks must stop together, which they do after a step.
    can_stop = int(os.environ.get("WORLD_SIZE", "1")) == 1
    follow = run.progress.follow(
        run.world, phase, "pseudo-labels", len(pairs), "inferring the actions to train on", can_stop=can_stop
    )
    with whole_weights(run.world.model), follow as report:
        inferred = run.world.infer(pairs, alternatives=1, progress=report)
    return [LabelledTransition(t.state, i.action, t.next_state) for t, i in zip(transitions, inferred, strict=True)]


def run_grpo_phase(run: RunContext, phase: PlannedPhase) -> PlannedPhase:
    """Phase I (forward) or Phase II (inverse): GRPO with the frozen partner's log-probability as the reward.

    Returns the phase with the steps that it took: fewer than planned if its probe ended it.
    """
    folder = run.folder / "trainer" / phase.folder_name
    probe = None
    if run.probe is not None and 0 < run.settings.for_phase(phase.kind).probe_every <= phase.steps:
        file = folder.with_name(f"{phase.folder_name}-probes.json")
        probe = PhaseProbe(run.probe, run.world, phase, run.settings, run.progress, file)
    monitor = build_monitor(run, phase, phase.kind, probe=probe)
    trainer = build_grpo_trainer(run.world, phase.kind, run.transitions, run.settings, folder, phase.index, [monitor])
    monitor.latest_rollouts = lambda: trainer.reward_funcs[0].shown_groups
    run_trainer(run, trainer, monitor, folder)
    if not monitor.ended_early:
        return phase
    ended = replace(phase, steps=trainer.state.global_step)
    run.progress.clock.end_after(ended)
    if run.is_main_process and probe is not None:
        why = probe.describe_harm(ended.steps)
        log.warning(why)
        with run.history.transaction():
            run.history.shorten_phase(run.id, phase.index, ended.steps)
            run.history.update_run(run.id, ended_early=why)
    return ended


def run_trainer(run: RunContext, trainer: Trainer, monitor: RunMonitor, folder: Path) -> None:
    """Train to the end of a phase, from its newest complete save if there is one. Raises StopRequested on request.

    A phase that its probe ends has ended too, and so has one whose save is that of its last step.
    """
    run.computing.record_parallelism(trainer.accelerator)
    trainer.remove_callback(PrinterCallback)
    with suppress(PhaseEnded):
        trainer.train(resume_from_checkpoint=newest_trainer_save(folder))
    finished = monitor.ended_early or trainer.state.global_step >= trainer.args.max_steps
    trainer.accelerator.free_memory()
    gc.collect()
    if monitor.stopped and not finished:
        raise StopRequested


def newest_trainer_save(folder: Path) -> str | None:
    """The newest complete save of a trainer; its `trainer_state.json` is written last."""
    saved = [f for f in folder.glob("checkpoint-*") if (f / "trainer_state.json").is_file()]
    return str(max(saved, key=lambda f: int(f.name.rpartition("-")[2]))) if saved else None


def save_phase(run: RunContext, phase: PlannedPhase) -> None:
    """Save the checkpoint of a phase that has ended; from then on the phase needs no training again."""
    adapters = whole_adapters(run.world.model)
    if run.is_main_process:
        folder = checkpoint_folder(run.home, run.id, phase)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run.world.save(folder, adapters=adapters)
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
        history.mark_best(run.id, max(history.checkpoints(run.id), key=lambda c: headline(c.scores)).index)
        if earlier and phase.kind != "warm-up" and run.settings.training_method.rewards_in(phase.kind):
            check_reward_against_score(run, phase, earlier[-1].scores, scores)
    log.info("held out: %s", ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def name_best_checkpoint(history: History, run_id: str) -> None:
    """Say at the end of a run that has ended itself from which checkpoint to go on, and how."""
    why = history.run(run_id).ended_early
    best = next((checkpoint.name for checkpoint in history.checkpoints(run_id) if checkpoint.best), None)
    if why and best and best not in why:
        advice = "start another run from it with a lower learning rate, a higher beta or an anchor"
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


def warn_if_states_change(run: RunContext) -> None:
    """Warn if the tokenizer of a text model does not give every state back."""
    if run.world.kind != "text":
        return
    states = (state for row in run.transitions for state in (row.state, row.next_state))
    loss = sample_loss(run.world.codec.text_tokenizer, (state.text for state in states))
    if loss is not None:
        warn(run, describe_loss(run.settings.model, loss))


def warn(run: RunContext, sentence: str) -> None:
    """Log a warning and store it with the run, which continues."""
    log.warning(sentence)
    run.history.update_run(run.id, warning=sentence)
