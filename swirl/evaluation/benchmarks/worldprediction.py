"""WorldPrediction (Chen et al. 2025): up to six turns of a procedure, each from the model's own last prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.clip import CLIP_MISSING, available_clip, cosines
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.image_scores import psnr_between, state_pictures
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import GatheredItems, iterate_with_progress, sample_items
from swirl.evaluation.benchmarks.worldprediction_files import PROJECT, Procedure, read_procedures
from swirl.evaluation.benchmarks.worldprediction_frames import SegmentFrames
from swirl.evaluation.judge import JudgeCalls, Question, parse_numbers
from swirl.progress import ProgressCallback
from swirl.states import State


@dataclass(frozen=True)
class ObservedProcedure:
    """The observed start, and for each turn the action and the state observed after it, if its frame is there."""

    id: str
    split: str
    start: State
    turns: tuple[tuple[str, State | None], ...]


@dataclass(frozen=True)
class PredictedTurn:
    """Where a journey is after some turns: what the model drew, what was observed, and the start."""

    procedure: ObservedProcedure
    action: str
    predicted: State
    observed: State


class WorldPrediction:
    """The benchmark's JSON files in a folder, with `videos/` or `frames/` beside them."""

    name, kind, title = "worldprediction", "image", "WorldPrediction"
    splits, paper_rows = paper_figures.TURN_SPLITS, paper_figures.WORLDPREDICTION
    has_judge = True

    def gather(
        self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None
    ) -> GatheredItems[ObservedProcedure]:
        """Read the files and the frames. Raises SwirlError where there is no procedure."""
        files = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
        if not files:
            raise SwirlError(f"{folder} has no JSON file of WorldPrediction; get them from {PROJECT}.")
        gathered = GatheredItems[ObservedProcedure]([], {})
        found = [item for file in files for item in read_procedures(file, gathered.notes)]
        gathered.split_sizes = {
            turn: sum(len(item.turns) >= int(turn) for item in found)
            for turn in self.splits
            if any(len(item.turns) >= int(turn) for item in found)
        }
        frames = SegmentFrames(folder if folder.is_dir() else folder.parent)
        for item in iterate_with_progress(sample_items(found, limit, seed), progress, "reading the frames"):
            journey = observe_procedure(item, frames)
            gathered.items += [] if journey is None else [journey]
        if frames.missing:
            gathered.notes.append(
                f"{len(frames.missing)} frames are not there ({frames.missing[0]}); what needs them is left out. "
                f"{PROJECT} says where the videos come from."
            )
        return gathered

    def judge_calls(self, gathered: GatheredItems[ObservedProcedure], infers: bool) -> list[JudgeCalls]:
        """What a judge will be asked: every turn whose next state was observed."""
        turns = sum(observed is not None for item in gathered.items for _, observed in item.turns)
        return [JudgeCalls(turns, len(judge_instructions.TURN) + 60, 2)]

    def measure(self, gathered: GatheredItems[ObservedProcedure], with_: MeasurementContext) -> Iterator[MetricColumn]:
        """PSNR and CLIP similarity beside those of the start copied, and the judge's 0 to 10, turn by turn."""
        if available_clip() is None:
            with_.notes.append(CLIP_MISSING)
        for turn, arrivals in enumerate(predict_turns(gathered.items, with_), start=1):
            if arrivals:
                yield from turn_columns(str(turn), arrivals, gathered.split_sizes, with_)


def observe_procedure(item: Procedure, frames: SegmentFrames) -> ObservedProcedure | None:
    """A procedure with its frames; None without its first."""
    start = frames.segment_state(item.start, item.split)
    if start is None:
        return None
    turns = tuple((action, frames.segment_state(segment, item.split)) for action, segment in item.turns)
    return ObservedProcedure(item.id, item.split, start, turns)


def predict_turns(journeys: Sequence[ObservedProcedure], with_: MeasurementContext) -> Iterator[list[PredictedTurn]]:
    """Where the journeys are after each turn; the model goes on from what it drew itself.

    Where a turn's frame is missing the model still goes on, but has not arrived anywhere that can be scored.
    """
    at = {journey.id: journey.start for journey in journeys}
    for turn in range(paper_figures.TURNS):
        going = [journey for journey in journeys if len(journey.turns) > turn]
        if not going:
            return
        actions = [journey.turns[turn][0] for journey in going]
        made = imagine_states(with_, [at[journey.id] for journey in going], actions, f"drawing turn {turn + 1}")
        at.update(zip((journey.id for journey in going), made, strict=True))
        yield [
            PredictedTurn(journey, action, drawn, journey.turns[turn][1])
            for journey, action, drawn in zip(going, actions, made, strict=True)
            if journey.turns[turn][1] is not None
        ]


def turn_columns(
    turn: str, arrivals: Sequence[PredictedTurn], of: dict[str, int], with_: MeasurementContext
) -> Iterator[MetricColumn]:
    """The figures of one turn."""
    splits, groups = [turn] * len(arrivals), [arrival.procedure.id for arrival in arrivals]
    ours = [psnr_between(arrival.predicted, arrival.observed) for arrival in arrivals]
    copied = [psnr_between(arrival.procedure.start, arrival.observed) for arrival in arrivals]
    yield from mean_columns("forward/psnr", splits, groups, ours, of)
    yield from mean_columns("copy/psnr", splits, groups, copied, of)
    if (clip := available_clip()) is not None:
        drawn, observed, starts = (
            clip.embed_pictures(state_pictures(states))
            for states in zip(*((a.predicted, a.observed, a.procedure.start) for a in arrivals), strict=True)
        )
        yield from mean_columns("forward/clip_image", splits, groups, cosines(drawn, observed), of)
        yield from mean_columns("copy/clip_image", splits, groups, cosines(starts, observed), of)
    if with_.judge is not None:
        questions = [
            Question(
                f"{a.procedure.id}, turn {turn}",
                judge_instructions.TURN,
                a.action,
                (a.observed.picture, a.predicted.picture),
            )
            for a in arrivals
        ]
        scores = with_.judge.ask(
            questions, partial(parse_numbers, key="score", count=1, low=0, high=10), with_.progress
        )
        yield from mean_columns("judge/score", splits, groups, [score and score[0] for score in scores], of)
