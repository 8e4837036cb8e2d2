"""Read WorldPrediction's JSON files: the segments that a procedure goes through and the actions that lead to them.

A record's `states.segment_uid` names the segment in whose middle it starts. `candidates[ground_truth]`, counted from 0,
holds its true actions as keys of `action_segments`. These may come from other videos, so the states that follow are the
`original_segments` after the start, or without such a list the true actions' own segments. Turn t takes the t-th action
and is compared with the t-th segment after the start, never with the start's own segment.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks.paper_figures import TURNS
from swirl.sources.validation import UnusableError, validate_text

PROJECT = "the WorldPrediction project (facebookresearch/WorldPrediction)"


@dataclass(frozen=True)
class Segment:
    """A segment of a video, from `begin` to `end` in seconds; without a video it needs a file with its frame."""

    uid: str
    video: str | None
    begin: float
    end: float


@dataclass(frozen=True)
class Procedure:
    """One record: the segment where it starts, and for up to six turns the action and the segment that follows."""

    id: str
    split: str
    start: Segment
    turns: tuple[tuple[str, Segment], ...]


def read_procedures(file: Path, notes: list[str]) -> Iterator[Procedure]:
    """The procedures of a file; records that cannot be used are noted. Raises SwirlError for a different layout."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); copy it again.") from error
    datasets = document if isinstance(document, dict) else {}
    records = [(name, uid, r) for name, rows in datasets.items() if isinstance(rows, dict) for uid, r in rows.items()]
    if not any(isinstance(record, dict) and "candidates" in record for _, _, record in records):
        raise SwirlError(
            f'{file} is not a file of WorldPrediction: it needs {{DATASET: {{uid: {{"states", "candidates", …}}}}}}; '
            f"get it from {PROJECT}."
        )
    for name, uid, record in records:
        try:
            yield parse_procedure(name, uid, record)
        except UnusableError as problem:
            notes.append(f"{file.name}: {uid} {problem}; it is left out.")


def parse_procedure(dataset: str, uid: str, record: Any) -> Procedure:
    """The procedure in one record. Raises UnusableError with what is wrong with it."""
    if not isinstance(record, dict) or not isinstance(record.get("states"), dict):
        raise UnusableError('has no "states" with a "segment_uid"')
    segments, originals = dict_entries(record.get("action_segments")), record.get("original_segments")
    known = {uid: parse_segment(uid, segment) for uid, segment in segments.items()}
    entries = [entry for entry in originals if isinstance(entry, dict)] if isinstance(originals, list) else []
    following = [parse_segment(validate_text(e.get("segment_uid"), '"segment_uid"'), e, known) for e in entries]
    known |= {segment.uid: segment for segment in following}
    start_uid = validate_text(record["states"].get("segment_uid"), '"segment_uid"')
    start = known.get(start_uid) or parse_segment(start_uid, record["states"])
    true = true_action_ids(record)
    if unknown := [uid for uid in true if uid not in segments]:
        raise UnusableError(f"has the action {unknown[0]!r}, which is not in its action_segments")
    actions = [validate_text(segments[uid].get("action_label"), "an action_label") for uid in true]
    after = segments_after(start, following or [known[uid] for uid in true])
    if not after:
        raise UnusableError("has no segment after its start")
    return Procedure(f"{dataset}/{uid}", dataset, start, tuple(zip(actions, after, strict=False))[:TURNS])


def true_action_ids(record: Mapping[str, Any]) -> list[str]:
    """The uids of the true actions: the candidate with the index `ground_truth`, counted from 0."""
    candidates, place = record.get("candidates"), record.get("ground_truth")
    if not isinstance(candidates, list) or isinstance(place, bool) or not isinstance(place, int):
        raise UnusableError('has no "candidates" with a whole number as "ground_truth"')
    if not 0 <= place < len(candidates):
        raise UnusableError(f"has the ground_truth {place}, counted from 0, but only {len(candidates)} candidates")
    chosen = candidates[place] if isinstance(candidates[place], list) else [candidates[place]]
    return [validate_text(uid, "an action's uid") for uid in chosen]


def segments_after(start: Segment, segments: list[Segment]) -> list[Segment]:
    """The segments after the start, which is itself left out wherever it appears among them, under any uid."""
    starts = [
        place
        for place, segment in enumerate(segments)
        if segment.uid == start.uid
        or (start.video is not None and (segment.video, segment.begin) == (start.video, start.begin))
    ]
    return segments[starts[-1] + 1 :] if starts else segments


def parse_segment(uid: str, record: Mapping[str, Any], known: Mapping[str, Segment] | None = None) -> Segment:
    """A segment from its object; one without a video is looked up by its uid in `known`."""
    video = record.get("video")
    if not isinstance(video, str) or not video.strip():
        return (known or {}).get(uid) or Segment(uid, None, 0.0, 0.0)
    times = [record.get(name) for name in ("segment_start_time", "segment_end_time")]
    if not all(isinstance(time, int | float) and math.isfinite(time) and time >= 0 for time in times):
        raise UnusableError(f"has no valid start and end time for the segment {uid!r}")
    return Segment(uid, video, float(times[0]), float(times[1]))


def dict_entries(value: Any) -> dict[str, dict[str, Any]]:
    """The entries of a JSON object that are objects themselves; empty for any other value."""
    return {key: entry for key, entry in value.items() if isinstance(entry, dict)} if isinstance(value, dict) else {}
