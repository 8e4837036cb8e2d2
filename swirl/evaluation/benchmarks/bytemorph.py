"""ByteMorph-Bench (Chang et al. 2025): motions of five kinds, from a source picture to a target picture."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.figures import MetricColumn, mean_columns
from swirl.evaluation.benchmarks.image_scores import clip_columns, pixel_columns, state_pictures
from swirl.evaluation.benchmarks.judge_scores import judge_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import (
    BenchmarkStep,
    GatheredItems,
    iterate_with_progress,
    picture_problem,
    sample_items,
    splits_and_groups,
)
from swirl.evaluation.clip import CLIP_MISSING, Clip, available_clip, cosines
from swirl.evaluation.judge import JudgeCalls, Question
from swirl.progress import ProgressCallback
from swirl.states import Picture, State

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

PROJECT = "the ByteMorph project (ByteMorph-Bench)"
FILES = ("data/test-*.parquet", "test-*.parquet", "*.parquet")
TEXT_COLUMNS = ("edit_type", "edit_prompt", "edit_prompt_rewrite_instruction", "tgt_img_caption")
NEEDED = {"edit_type", "src_img", "tgt_img", "edit_prompt"}
CATEGORY_ALIASES = {"camera_move": "camera_motion", "human_object_interaction": "interaction"}
"""Other names for the same categories."""


@dataclass
class Motions(GatheredItems[BenchmarkStep]):
    """The rows that have both pictures, and the caption of each target by the id of its row."""

    captions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _RowReference:
    """A row of a file whose pictures are not read yet."""

    id: str
    split: str
    file: Path
    row: int
    prompt: str
    caption: str


class ByteMorph:
    """ByteMorph-Bench in its own parquet files, in a folder or its subfolder `data`."""

    name, kind, title = "bytemorph", "image", "ByteMorph-Bench"
    splits, paper_rows = paper_figures.BYTEMORPH_SPLITS, paper_figures.BYTEMORPH
    has_judge = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None) -> Motions:
        """Read the files. Raises SwirlError if there are none, or a file cannot be read or lacks a column."""
        files = [folder] if folder.is_file() else next((f for f in (sorted(folder.glob(p)) for p in FILES) if f), [])
        if not files:
            raise SwirlError(f"{folder} has no data/test-*.parquet; get the files from {PROJECT}.")
        gathered = Motions([], {})
        rows = [row for file in files for row in read_row_references(file)]
        gathered.split_sizes = dict(Counter(row.split for row in rows))
        usable = [row for row in rows if row.prompt]
        if len(usable) < len(rows):
            without = len(rows) - len(usable)
            gathered.notes.append(f"{without} of {len(rows)} rows are left out because they have no instruction.")
        for row, cells in read_row_pictures(sample_items(usable, limit, seed), progress):
            source, target = (Picture(encoded=picture_bytes(cells[name])) for name in ("src_img", "tgt_img"))
            if why := picture_problem(source, target):
                gathered.notes.append(f"{row.id} is left out: {why}")
                continue
            gathered.captions[row.id] = row.caption
            states = State(picture=source), State(picture=target)
            gathered.items.append(BenchmarkStep(row.id, row.split, states[0], row.prompt, states[1], row.id))
        return gathered

    def judge_calls(self, gathered: Motions, infers: bool) -> list[JudgeCalls]:
        """The calls that a judge will get: one per row."""
        return [JudgeCalls(len(gathered.items), len(judge_instructions.MOTION) + 120, 3)]

    def measure(self, gathered: Motions, context: MeasurementContext) -> Iterator[MetricColumn]:
        """CLIP similarities and directions, PSNR, and the judge's score from 0 to 100."""
        steps, split_sizes = gathered.items, gathered.split_sizes
        drawn = imagine_states(
            context, [step.state for step in steps], [step.action for step in steps], "drawing the edits"
        )
        clip = available_clip()
        if clip is None:
            context.notes.append(CLIP_MISSING)
        else:
            yield from clip_columns(clip, steps, drawn, split_sizes)
            yield from clip_direction_columns(clip, steps, drawn, gathered, context)
        yield from pixel_columns(steps, drawn, split_sizes)
        questions = [
            Question(
                s.id, judge_instructions.MOTION, s.action, (s.state.picture, s.next_state.picture, drawing.picture)
            )
            for s, drawing in zip(steps, drawn, strict=True)
        ]
        yield from judge_columns(
            "judge/score", *splits_and_groups(steps), questions, split_sizes, context, low=0, high=100, key="Score"
        )


def clip_direction_columns(
    clip: Clip, steps: Sequence[BenchmarkStep], drawn: Sequence[State], gathered: Motions, context: MeasurementContext
) -> Iterator[MetricColumn]:
    """`clip_direction`: cosine of (target − source) and (drawn − source); `clip_text`: cosine of drawn and caption.

    A drawing that equals its source has no direction and counts 0.
    """
    splits, groups = splits_and_groups(steps)
    sources, targets, drawings = (
        clip.embed_pictures(state_pictures(states))
        for states in ([s.state for s in steps], [s.next_state for s in steps], drawn)
    )
    directions = cosines(targets - sources, drawings - sources)
    yield from mean_columns("forward/clip_direction", splits, groups, directions, gathered.split_sizes)
    captions = [gathered.captions[step.id] for step in steps]
    words = clip.embed_texts([caption or " " for caption in captions])
    if words is None:
        context.notes.append("CLIP text similarity is left out because the folder of CLIP weights has no tokenizer.")
        return
    for name, vectors in (("forward/clip_text", drawings), ("copy/clip_text", sources)):
        values = [
            cosine if caption else None for cosine, caption in zip(cosines(vectors, words), captions, strict=True)
        ]
        yield from mean_columns(name, splits, groups, values, gathered.split_sizes)


def open_parquet(file: Path) -> ParquetFile:
    """Open a parquet file of the benchmark. Raises SwirlError if it cannot be read or lacks a column."""
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        parquet = ParquetFile(file)
    except (OSError, pyarrow.ArrowException) as error:
        raise SwirlError(f"{file} cannot be read as parquet ({str(error).splitlines()[0]}); copy it again.") from error
    if missing := sorted(NEEDED - set(parquet.schema_arrow.names)):
        raise SwirlError(
            f"{file} has no column {missing[0]}, so it is not a file of ByteMorph-Bench; get the files from {PROJECT}."
        )
    return parquet


def read_row_references(file: Path) -> Iterator[_RowReference]:
    """The rows of a file without their pictures; the prompt is the rewritten instruction, or else the original one."""
    parquet = open_parquet(file)
    columns = [name for name in TEXT_COLUMNS if name in parquet.schema_arrow.names]
    for row, record in enumerate(parquet.read(columns=columns).to_pylist()):
        prompt = cell_text(record, "edit_prompt_rewrite_instruction") or cell_text(record, "edit_prompt")
        split, caption = normalize_category(cell_text(record, "edit_type")), cell_text(record, "tgt_img_caption")
        yield _RowReference(f"{file.name}[{row}]", split, file, row, prompt, caption)


def cell_text(record: dict[str, Any], name: str) -> str:
    """The text in a column without surrounding white space; empty if there is none."""
    value = record.get(name)
    return str(value).strip() if value is not None else ""


def normalize_category(edit_type: str) -> str:
    """The category's name in a uniform spelling: `Camera Zoom` and `camera-zoom` are `camera_zoom`."""
    name = re.sub(r"[^a-z]+", "_", edit_type.lower()).strip("_")
    return CATEGORY_ALIASES.get(name, name) or "unnamed"


def read_row_pictures(
    rows: Sequence[_RowReference], progress: ProgressCallback | None = None
) -> Iterator[tuple[_RowReference, dict[str, Any]]]:
    """Each row with the cells of its pictures, read in small batches so that a large file is never in memory whole."""
    by_file: dict[Path, dict[int, _RowReference]] = {}
    for row in rows:
        by_file.setdefault(row.file, {})[row.row] = row
    for file, wanted in iterate_with_progress(list(by_file.items()), progress, "reading the pictures"):
        start = 0
        for batch in open_parquet(file).iter_batches(batch_size=16, columns=["src_img", "tgt_img"]):
            for offset in range(batch.num_rows):
                if row := wanted.get(start + offset):
                    yield row, batch.slice(offset, 1).to_pylist()[0]
            start += batch.num_rows


def picture_bytes(value: Any) -> bytes:
    """The encoded picture in a cell, which holds bytes or the object `{"bytes", "path"}` that `datasets` writes."""
    encoded = value.get("bytes") if isinstance(value, dict) else value
    return encoded if isinstance(encoded, bytes) else b""
