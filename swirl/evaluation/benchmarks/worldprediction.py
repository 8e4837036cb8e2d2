"""WorldPrediction (Chen et al. 2025): up to six turns of a procedure, each from the model's last prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.image_scores import psnr_between, state_pictures
from swirl.evaluation.benchmarks.judge_scores import judge_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import GatheredItems, iterate_with_progress, sample_items
from swirl.evaluation.benchmarks.worldprediction_files import PROJECT, Procedure, read_procedures
from swirl.evaluation.benchmarks.worldprediction_frames import SegmentFrames
from swirl.evaluation.clip import CLIP_MISSING, available_clip, cosines
from swirl.evaluation.judge import JudgeCalls, Question
from swirl.progress import ProgressCallback
from swirl.states import State


@dataclass(frozen=True)
class ObservedProcedure:
    """The observed start, and per turn the action and the state observed after it (None if the frame is missing)."""

    id: str
    split: str
    start: State
    turns: tuple[tuple[str, State | None], ...]


@dataclass(frozen=True)
class PredictedTurn:
    """A turn of a procedure: its action, the state that the model predicts after it, and the observed one."""

    procedure: ObservedProcedure
    action: str
    predicted: State
    observed: State


class WorldPrediction:
    """WorldPrediction's JSON files in a folder, with `videos/` or `frames/` next to them."""

    name, kind, title = "worldprediction", "image", "WorldPrediction"
    splits, paper_rows = paper_figures.TURN_SPLITS, paper_figures.WORLDPREDICTION
    has_judge = True

    def gather(
        self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None
    ) -> GatheredItems[ObservedProcedure]:
        """Read the files and the frames. Raises SwirlError if there is no file, or a file is not WorldPrediction's."""
        files = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
        if not files:
            raise SwirlError(f"{folder} has no JSON file of WorldPrediction; get the files from {PROJECT}.")
        gathered = GatheredItems[ObservedProcedure]([], {})
        procedures = [procedure for file in files for procedure in read_procedures(file, gathered.notes)]
        reaching = {turn: sum(len(item.turns) >= int(turn) for item in procedures) for turn in self.splits}
        gathered.split_sizes = {turn: size for turn, size in reaching.items() if size}
        frames = SegmentFrames(folder if folder.is_dir() else folder.parent)
        for item in iterate_with_progress(sample_items(procedures, limit, seed), progress, "reading the frames"):
            observed = observe_procedure(item, frames)
            gathered.items += [] if observed is None else [observed]
        if frames.missing:
            count = f"{len(frames.missing)} frames are" if len(frames.missing) > 1 else "1 frame is"
            gathered.notes.append(
                f"{count} missing ({frames.missing[0]}); what needs them is left out. For the videos, see {PROJECT}."
            )
        return gathered

    def judge_calls(self, gathered: GatheredItems[ObservedProcedure], infers: bool) -> list[JudgeCalls]:
        """The calls that a judge will get: one per turn whose next state was observed."""
        turns = sum(observed is not None for item in gathered.items for _, observed in item.turns)
        return [JudgeCalls(turns, len(judge_instructions.TURN) + 60, 2)]

    def measure(
        self, gathered: GatheredItems[ObservedProcedure], context: MeasurementContext
    ) -> Iterator[MetricColumn]:
        """PSNR and CLIP similarity of the predictions and of a copy of the start, and the judge's 0 to 10, per turn."""
        if available_clip() is None:
            context.notes.append(CLIP_MISSING)
        for turn, predicted in enumerate(predict_turns(gathered.items, context), start=1):
            if predicted:
                yield from turn_columns(str(turn), predicted, gathered.split_sizes, context)


def observe_procedure(item: Procedure, frames: SegmentFrames) -> ObservedProcedure | None:
    """A procedure with its frames; None if its first frame is missing."""
    start = frames.segment_state(item.start, item.split)
    if start is None:
        return None
    turns = tuple((action, frames.segment_state(segment, item.split)) for action, segment in item.turns)
    return ObservedProcedure(item.id, item.split, start, turns)


def predict_turns(
    procedures: Sequence[ObservedProcedure], context: MeasurementContext
) -> Iterator[list[PredictedTurn]]:
    """The predictions of each turn, in turn; the model continues from its own predictions.

    If the observed frame of a turn is missing, the model continues, but the turn is left out since it cannot be scored.
    """
    current = {procedure.id: procedure.start for procedure in procedures}
    for turn in range(paper_figures.TURNS):
        active = [procedure for procedure in procedures if len(procedure.turns) > turn]
        if not active:
            return
        actions = [procedure.turns[turn][0] for procedure in active]
        states = [current[procedure.id] for procedure in active]
        drawn = imagine_states(context, states, actions, f"drawing turn {turn + 1}")
        current.update(zip((procedure.id for procedure in active), drawn, strict=True))
        yield [
            PredictedTurn(procedure, action, prediction, procedure.turns[turn][1])
            for procedure, action, prediction in zip(active, actions, drawn, strict=True)
            if procedure.turns[turn][1] is not None
        ]


def turn_columns(
    turn: str, predicted: Sequence[PredictedTurn], split_sizes: dict[str, int], context: MeasurementContext
) -> Iterator[MetricColumn]:
    """The columns of one turn."""
    splits, groups = [turn] * len(predicted), [item.procedure.id for item in predicted]
    ours = [psnr_between(item.predicted, item.observed) for item in predicted]
    copied = [psnr_between(item.procedure.start, item.observed) for item in predicted]
    yield from mean_columns("forward/psnr", splits, groups, ours, split_sizes)
    yield from mean_columns("copy/psnr", splits, groups, copied, split_sizes)
    if (clip := available_clip()) is not None:
        drawn, observed, starts = (
            clip.embed_pictures(state_pictures(states))
            for states in zip(*((i.predicted, i.observed, i.procedure.start) for i in predicted), strict=True)
        )
        yield from mean_columns("forward/clip_image", splits, groups, cosines(drawn, observed), split_sizes)
        yield from mean_columns("copy/clip_image", splits, groups, cosines(starts, observed), split_sizes)
    questions = [
        Question(
            f"{item.procedure.id}, turn {turn}",
            judge_instructions.TURN,
            item.action,
            (item.observed.picture, item.predicted.picture),
        )
        for item in predicted
    ]
    yield from judge_columns("judge/score", splits, groups, questions, split_sizes, context, low=0, high=10)
