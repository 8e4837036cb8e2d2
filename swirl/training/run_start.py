"""What a run needs before its first step: labels, transitions, its probe, the checkpoint to go on from, the model."""

from __future__ import annotations

import logging
from pathlib import Path

from swirl.errors import SwirlError
from swirl.history import History
from swirl.models import load_world_model
from swirl.models.world_model import WorldModel
from swirl.settings import DIRECTIONS, Settings
from swirl.sources.collections.catalog import get_collection, load_sequences
from swirl.sources.collections.split import split_of
from swirl.sources.labels.reading import read_labels, require_kind
from swirl.states import LabelledTransition, Transition
from swirl.training.held_out import HeldOutProbe, HeldOutScorer
from swirl.training.lengths import LeftOut, limits_that_take_most
from swirl.training.rollout_server import OWN_ENGINE, RolloutServer
from swirl.training.run_context import RunContext, checkpoint_folder, warn
from swirl.training.schedule import PlannedPhase
from swirl.training.text_check import describe_loss, sample_loss

log = logging.getLogger("swirl")


def load_labels(home: Path, settings: Settings) -> list[LabelledTransition]:
    """The labelled transitions of a run; empty if the settings name no labels.

    Raises SwirlError if the file has no usable label, or labels of another kind than the collection.
    """
    if settings.labels is None:
        return []
    labels, skipped = read_labels(Path(settings.labels).expanduser())
    for row in skipped:
        log.warning("%s left out: %s", row.where, row.why)
    if not labels:
        raise SwirlError(f"{settings.labels} has no usable label; each line needs state, action and next_state.")
    require_kind(labels, get_collection(home, settings.data).kind, settings.labels, settings.data)
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
    """The probe of the run's phases; None if the settings turn it off or no data are held out."""
    is_on = any(settings.for_phase(direction).probe_every for direction in DIRECTIONS)
    return scorer.make_probe(settings.probe_size) if is_on else None


def record_left_out(history: History, run_id: str, *found: LeftOut | None) -> None:
    """Log what is left out; store it with the run if other limits would take much more of it."""
    left_out = [each for each in found if each is not None]
    for each in left_out:
        log.warning(each.sentence)
    much = [each for each in left_out if each.suggested_limits]
    if not much:
        history.update_run(run_id, left_out=None)
        return
    sentences = " ".join(each.sentence for each in much)
    history.update_run(run_id, left_out=sentences, advised_changes=limits_that_take_most(much))


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


def connect_rollout_server(
    history: History, run_id: str, world: WorldModel, settings: Settings, *, is_main_process: bool
) -> RolloutServer | None:
    """The server that samples a run's rollouts, None without one; the run says which. Only rank 0 writes.

    A method that only imitates samples no rollouts, and needs no server. Raises SwirlError if the server is not there
    or cannot sample for this model.
    """
    if not settings.training_method.trains_by_rewards:
        return None
    server = None
    if settings.rollout_server is not None:
        server = RolloutServer(settings.rollout_server.rstrip("/"), world, is_main_process=is_main_process)
        log.info("rollouts by %s", server)
    if is_main_process:
        history.update_run(run_id, rollout_engine=OWN_ENGINE if server is None else str(server))
    return server


def warn_if_nothing_is_held_out(run: RunContext) -> None:
    """Warn if no checkpoint will be scored."""
    if not run.scorer.transitions:
        warn(
            run,
            f"{run.settings.data} has so few sequences that none is in its selection part, about a tenth of them: no "
            "checkpoint is scored, and the last one counts as the best. More sequences would change that.",
        )


def warn_if_states_change(run: RunContext) -> None:
    """Warn if the tokenizer of a text model does not give every state back."""
    if run.world.kind != "text":
        return
    states = (state for row in run.transitions for state in (row.state, row.next_state))
    loss = sample_loss(run.world.codec.text_tokenizer, (state.text for state in states))
    if loss is not None:
        warn(run, describe_loss(run.settings.model, loss))
