"""ByteMorph-Bench (Chang et al. 2025): motions of five kinds, from a source picture to a target picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.clip import CLIP_MISSING, Clip, available_clip, cosines
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.image_scores import clip_columns, pixel_columns, state_pictures
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import (
    BenchmarkStep,
    GatheredItems,
    iterate_with_progress,
    picture_problem,
    sample_items,
)
from swirl.evaluation.judge import JudgeCalls, Question, parse_numbers
from swirl.progress import ProgressCallback
from swirl.states import Picture, State

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

PROJECT = "the ByteMorph project (ByteMorph-Bench)"
FILES = ("data/test-*.parquet", "test-*.parquet", "*.parquet")
TEXT_COLUMNS = ("edit_type", "edit_prompt", "edit_prompt_rewrite_instruction", "tgt_img_caption")
NEEDED = {"edit_type", "src_img", "tgt_img", "edit_prompt"}
CATEGORY_ALIASES = {"camera_move": "camera_motion", "human_object_interaction": "interaction"}
"""Other names of the same categories."""


@dataclass
class Motions(GatheredItems[BenchmarkStep]):
    """The rows with both pictures, and the caption of each target by the row's id."""

    captions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _RowReference:
    """A row of a file before its pictures are read."""

    id: str
    split: str
    file: Path
    row: int
    prompt: str
    caption: str


class ByteMorph:
    """The benchmark's parquet files, in a folder or in its folder `data`."""

    name, kind, title = "bytemorph", "image", "ByteMorph-Bench"
    splits, paper_rows = paper_figures.BYTEMORPH_SPLITS, paper_figures.BYTEMORPH
    has_judge = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None) -> Motions:
        """Read the files. Raises SwirlError where there is none, or one has other columns."""
        files = [folder] if folder.is_file() else next((f for f in (sorted(folder.glob(p)) for p in FILES) if f), [])
        if not files:
            raise SwirlError(f"{folder} has no data/test-*.parquet; get the files from {PROJECT}.")
        gathered = Motions([], {})
        places = [place for file in files for place in read_row_references(file, gathered.notes)]
        gathered.split_sizes = dict(Counter(place.split for place in places))
        usable = [place for place in places if place.prompt]
        if len(usable) < len(places):
            gathered.notes.append(f"{len(places) - len(usable)} rows are left out, for they have no instruction.")
        for place, row in read_row_pictures(sample_items(usable, limit, seed), progress):
            source, target = (Picture(encoded=picture_bytes(row[name])) for name in ("src_img", "tgt_img"))
            if why := picture_problem(source, target):
                gathered.notes.append(f"{place.id} is left out: {why}")
                continue
            gathered.captions[place.id] = place.caption
            states = State(picture=source), State(picture=target)
            gathered.items.append(BenchmarkStep(place.id, place.split, states[0], place.prompt, states[1], place.id))
        return gathered

    def judge_calls(self, gathered: Motions, infers: bool) -> list[JudgeCalls]:
        """What a judge will be asked: each row once."""
        return [JudgeCalls(len(gathered.items), len(judge_instructions.MOTION) + 120, 3)]

    def measure(self, gathered: Motions, with_: MeasurementContext) -> Iterator[MetricColumn]:
        """CLIP similarities and directions, PSNR, and the judge's score from 0 to 100."""
        steps, of = gathered.items, gathered.split_sizes
        made = imagine_states(
            with_, [step.state for step in steps], [step.action for step in steps], "drawing the edits"
        )
        clip = available_clip()
        if clip is None:
            with_.notes.append(CLIP_MISSING)
        else:
            yield from clip_columns(clip, steps, made, of)
            yield from clip_direction_columns(clip, steps, made, gathered, with_)
        yield from pixel_columns(steps, made, of)
        if with_.judge is not None:
            questions = [
                Question(
                    s.id, judge_instructions.MOTION, s.action, (s.state.picture, s.next_state.picture, drawing.picture)
                )
                for s, drawing in zip(steps, made, strict=True)
            ]
            scores = with_.judge.ask(
                questions, partial(parse_numbers, key="Score", count=1, low=0, high=100), with_.progress
            )
            splits, groups = [step.split for step in steps], [step.group for step in steps]
            yield from mean_columns("judge/score", splits, groups, [score and score[0] for score in scores], of)


def clip_direction_columns(
    clip: Clip, steps: Sequence[BenchmarkStep], made: Sequence[State], gathered: Motions, with_: MeasurementContext
) -> Iterator[MetricColumn]:
    """`clip_direction`: the cosine of (target − source) and (drawn − source); `clip_text`: drawn against the caption.

    A drawing that is its source points nowhere: its direction counts 0.
    """
    splits, groups = [step.split for step in steps], [step.group for step in steps]
    sources, targets, drawn = (
        clip.embed_pictures(state_pictures(states))
        for states in ([s.state for s in steps], [s.next_state for s in steps], made)
    )
    turned = cosines(targets - sources, drawn - sources)
    yield from mean_columns("forward/clip_direction", splits, groups, turned, gathered.split_sizes)
    captions = [gathered.captions[step.id] for step in steps]
    words = clip.embed_texts([caption or " " for caption in captions])
    if words is None:
        with_.notes.append("CLIP's text similarity is left out, for the folder of the weights has no tokenizer.")
        return
    for name, vectors in (("forward/clip_text", drawn), ("copy/clip_text", sources)):
        values = [near if said else None for near, said in zip(cosines(vectors, words), captions, strict=True)]
        yield from mean_columns(name, splits, groups, values, gathered.split_sizes)


def open_parquet(file: Path) -> ParquetFile:
    """A parquet file of the benchmark. Raises SwirlError for any other file."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        parquet = ParquetFile(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise SwirlError(f"{file} cannot be read as parquet ({str(error).splitlines()[0]}); copy it again.") from error
    if missing := sorted(NEEDED - set(parquet.schema_arrow.names)):
        raise SwirlError(f"{file} has no column {missing[0]}; it is no file of ByteMorph-Bench, get it from {PROJECT}.")
    return parquet


def read_row_references(file: Path, notes: list[str]) -> Iterator[_RowReference]:
    """The rows of a file without their pictures; the prompt is the rewritten one, else the plain one."""
    parquet = open_parquet(file)
    columns = [name for name in TEXT_COLUMNS if name in parquet.schema_arrow.names]
    for row, record in enumerate(parquet.read(columns=columns).to_pylist()):
        prompt = cell_text(record, "edit_prompt_rewrite_instruction") or cell_text(record, "edit_prompt")
        split, caption = category(cell_text(record, "edit_type")), cell_text(record, "tgt_img_caption")
        yield _RowReference(f"{file.name}[{row}]", split, file, row, prompt, caption)


def cell_text(record: dict[str, Any], name: str) -> str:
    """A column's text without white space around it; empty where it has none."""
    value = record.get(name)
    return str(value).strip() if value is not None else ""


def category(edit_type: str) -> str:
    """The category's name in one spelling: `Camera Zoom` and `camera-zoom` are `camera_zoom`."""
    name = re.sub(r"[^a-z]+", "_", edit_type.lower()).strip("_")
    return CATEGORY_ALIASES.get(name, name) or "unnamed"


def read_row_pictures(
    places: Sequence[_RowReference], progress: ProgressCallback | None = None
) -> Iterator[tuple[_RowReference, dict[str, Any]]]:
    """Each place with its row's pictures, row group by row group, so that a large file is never in memory whole."""
    by_file: dict[Path, dict[int, _RowReference]] = {}
    for place in places:
        by_file.setdefault(place.file, {})[place.row] = place
    for file, wanted in iterate_with_progress(list(by_file.items()), progress, "reading the pictures"):
        row = 0
        for batch in open_parquet(file).iter_batches(batch_size=16, columns=["src_img", "tgt_img"]):
            for offset in range(batch.num_rows):
                if place := wanted.get(row + offset):
                    yield place, batch.slice(offset, 1).to_pylist()[0]
            row += batch.num_rows


def picture_bytes(value: Any) -> bytes:
    """The encoded picture of a cell: bytes, or the object `{"bytes", "path"}` that datasets writes."""
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else b""
