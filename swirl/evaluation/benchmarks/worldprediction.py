"""WorldPrediction (Chen et al. 2025): up to six turns of a procedure, each from the model's own last prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.clip import MISSING, clip_at_hand, cosines
from swirl.evaluation.benchmarks.figures import Column, means
from swirl.evaluation.benchmarks.image_scores import psnr_between, shown
from swirl.evaluation.benchmarks.predictions import Means, imagined
from swirl.evaluation.benchmarks.splits import Gathered, counted, some
from swirl.evaluation.benchmarks.worldprediction_files import PROJECT, Procedure, procedures_of
from swirl.evaluation.benchmarks.worldprediction_frames import SegmentFrames
from swirl.evaluation.judge import Load, Question, numbers
from swirl.evaluation.protocols import Progress
from swirl.states import State


@dataclass(frozen=True)
class Journey:
    """The observed start, and for each turn the action and the state observed after it, if its frame is there."""

    id: str
    split: str
    start: State
    turns: tuple[tuple[str, State | None], ...]


@dataclass(frozen=True)
class Arrival:
    """Where a journey is after some turns: what the model drew, what was observed, and the start."""

    journey: Journey
    action: str
    drawn: State
    observed: State


class WorldPrediction:
    """The benchmark's JSON files in a folder, with `videos/` or `frames/` beside them."""

    name, kind, title = "worldprediction", "image", "WorldPrediction"
    splits, paper = paper_figures.TURN_SPLITS, paper_figures.WORLDPREDICTION
    judged = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: Progress | None = None) -> Gathered[Journey]:
        """Read the files and the frames. Raises SwirlError where there is no procedure."""
        files = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
        if not files:
            raise SwirlError(f"{folder} has no JSON file of WorldPrediction; get them from {PROJECT}.")
        gathered = Gathered[Journey]([], {})
        found = [item for file in files for item in procedures_of(file, gathered.notes)]
        gathered.of = {
            turn: sum(len(item.turns) >= int(turn) for item in found)
            for turn in self.splits
            if any(len(item.turns) >= int(turn) for item in found)
        }
        frames = SegmentFrames(folder if folder.is_dir() else folder.parent)
        for item in counted(some(found, limit, seed), progress, "reading the frames"):
            journey = as_journey(item, frames)
            gathered.items += [] if journey is None else [journey]
        if frames.missing:
            gathered.notes.append(
                f"{len(frames.missing)} frames are not there ({frames.missing[0]}); what needs them is left out. "
                f"{PROJECT} says where the videos come from."
            )
        return gathered

    def loads(self, gathered: Gathered[Journey], infers: bool) -> list[Load]:
        """What a judge will be asked: every turn whose next state was observed."""
        turns = sum(observed is not None for item in gathered.items for _, observed in item.turns)
        return [Load(turns, len(judge_instructions.TURN) + 60, 2)]

    def measure(self, gathered: Gathered[Journey], with_: Means) -> Iterator[Column]:
        """PSNR and CLIP similarity beside those of the start copied, and the judge's 0 to 10, turn by turn."""
        if clip_at_hand() is None:
            with_.notes.append(MISSING)
        for turn, arrivals in enumerate(travelled(gathered.items, with_), start=1):
            if arrivals:
                yield from told(str(turn), arrivals, gathered.of, with_)


def as_journey(item: Procedure, frames: SegmentFrames) -> Journey | None:
    """A procedure with its frames; None without its first."""
    start = frames.of(item.start, item.split)
    if start is None:
        return None
    turns = tuple((action, frames.of(segment, item.split)) for action, segment in item.turns)
    return Journey(item.id, item.split, start, turns)


def travelled(journeys: Sequence[Journey], with_: Means) -> Iterator[list[Arrival]]:
    """Where the journeys are after each turn; the model goes on from what it drew itself.

    Where a turn's frame is missing the model still goes on, but has not arrived anywhere that can be scored.
    """
    at = {journey.id: journey.start for journey in journeys}
    for turn in range(paper_figures.TURNS):
        going = [journey for journey in journeys if len(journey.turns) > turn]
        if not going:
            return
        actions = [journey.turns[turn][0] for journey in going]
        made = imagined(with_, [at[journey.id] for journey in going], actions, f"drawing turn {turn + 1}")
        at.update(zip((journey.id for journey in going), made, strict=True))
        yield [
            Arrival(journey, action, drawn, journey.turns[turn][1])
            for journey, action, drawn in zip(going, actions, made, strict=True)
            if journey.turns[turn][1] is not None
        ]


def told(turn: str, arrivals: Sequence[Arrival], of: dict[str, int], with_: Means) -> Iterator[Column]:
    """The figures of one turn."""
    splits, groups = [turn] * len(arrivals), [arrival.journey.id for arrival in arrivals]
    ours = [psnr_between(arrival.drawn, arrival.observed) for arrival in arrivals]
    copied = [psnr_between(arrival.journey.start, arrival.observed) for arrival in arrivals]
    yield from means("forward/psnr", splits, groups, ours, of)
    yield from means("copy/psnr", splits, groups, copied, of)
    if (clip := clip_at_hand()) is not None:
        drawn, observed, starts = (
            clip.of_pictures(shown(states))
            for states in zip(*((a.drawn, a.observed, a.journey.start) for a in arrivals), strict=True)
        )
        yield from means("forward/clip_image", splits, groups, cosines(drawn, observed), of)
        yield from means("copy/clip_image", splits, groups, cosines(starts, observed), of)
    if with_.judge is not None:
        questions = [
            Question(
                f"{a.journey.id}, turn {turn}", judge_instructions.TURN, a.action, (a.observed.picture, a.drawn.picture)
            )
            for a in arrivals
        ]
        scores = with_.judge.ask(questions, partial(numbers, key="score", count=1, low=0, high=10), with_.progress)
        yield from means("judge/score", splits, groups, [score and score[0] for score in scores], of)
