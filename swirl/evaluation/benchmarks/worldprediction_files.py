"""WorldPrediction's JSON: which segments a procedure goes through, and the actions that lead there.

A record's `states.segment_uid` names the segment in whose middle it starts. `candidates[ground_truth]`, counted from 0,
are its true actions, keys of `action_segments`; those may come from other videos, so the states that follow are the
`original_segments` after the start, or without such a list the true actions' own segments. Turn t takes the t-th action
and is held against the t-th segment after the start: never against the start's own.
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
    """A stretch of a video, from `begin` to `end` in seconds; without a video only a frame's file can show it."""

    uid: str
    video: str | None
    begin: float
    end: float


@dataclass(frozen=True)
class Procedure:
    """One record: where it starts, and for up to six turns the action and the segment that follows."""

    id: str
    split: str
    start: Segment
    turns: tuple[tuple[str, Segment], ...]


def read_procedures(file: Path, notes: list[str]) -> Iterator[Procedure]:
    """The procedures of a file, by dataset; what cannot be used is noted. Raises SwirlError for another layout."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); copy it again.") from error
    sets = document if isinstance(document, dict) else {}
    records = [(name, uid, r) for name, those in sets.items() if isinstance(those, dict) for uid, r in those.items()]
    if not any(isinstance(record, dict) and "candidates" in record for _, _, record in records):
        raise SwirlError(
            f'{file} is no file of WorldPrediction: it needs {{DATASET: {{uid: {{"states", "candidates", …}}}}}}; get '
            f"it from {PROJECT}."
        )
    for name, uid, record in records:
        try:
            yield parse_procedure(name, uid, record)
        except UnusableError as problem:
            notes.append(f"{file.name}: {uid} {problem}; it is left out.")


def parse_procedure(dataset: str, uid: str, record: Any) -> Procedure:
    """One record, or Unusable says what is wrong with it."""
    if not isinstance(record, dict) or not isinstance(record.get("states"), dict):
        raise UnusableError('has no "states" with a "segment_uid"')
    segments, originals = dict_entries(record.get("action_segments")), record.get("original_segments")
    known = {uid: as_segment(uid, found) for uid, found in segments.items()}
    others = [entry for entry in originals if isinstance(entry, dict)] if isinstance(originals, list) else []
    following = [as_segment(validate_text(o.get("segment_uid"), '"segment_uid"'), o, known) for o in others]
    known |= {segment.uid: segment for segment in following}
    start_uid = validate_text(record["states"].get("segment_uid"), '"segment_uid"')
    start = known.get(start_uid) or as_segment(start_uid, record["states"])
    true = true_action_ids(record)
    if unknown := [uid for uid in true if uid not in segments]:
        raise UnusableError(f"has the action {unknown[0]!r}, which its action_segments do not have")
    actions = [validate_text(segments[uid].get("action_label"), "an action_label") for uid in true]
    after = segments_after(start, following or [known[uid] for uid in true])
    if not after:
        raise UnusableError("has no segment after its start")
    return Procedure(f"{dataset}/{uid}", dataset, start, tuple(zip(actions, after, strict=False))[:TURNS])


def true_action_ids(record: Mapping[str, Any]) -> list[str]:
    """The uids of the true actions: the candidate at the place `ground_truth`, counted from 0."""
    candidates, place = record.get("candidates"), record.get("ground_truth")
    if not isinstance(candidates, list) or isinstance(place, bool) or not isinstance(place, int):
        raise UnusableError('has no "candidates" with a whole number as "ground_truth"')
    if not 0 <= place < len(candidates):
        raise UnusableError(f"has the ground_truth {place}, and {len(candidates)} candidates, which are counted from 0")
    chosen = candidates[place] if isinstance(candidates[place], list) else [candidates[place]]
    return [validate_text(uid, "an action's uid") for uid in chosen]


def segments_after(start: Segment, segments: list[Segment]) -> list[Segment]:
    """The segments after the start, which is passed over wherever it stands among them, under any name."""
    own = [
        place
        for place, segment in enumerate(segments)
        if segment.uid == start.uid
        or (start.video is not None and (segment.video, segment.begin) == (start.video, start.begin))
    ]
    return segments[own[-1] + 1 :] if own else segments


def as_segment(uid: str, record: Mapping[str, Any], known: Mapping[str, Segment] | None = None) -> Segment:
    """A segment from its object; one that names no video is looked up by its uid."""
    video = record.get("video")
    if not isinstance(video, str) or not video.strip():
        return (known or {}).get(uid) or Segment(uid, None, 0.0, 0.0)
    times = [record.get(name) for name in ("segment_start_time", "segment_end_time")]
    if not all(isinstance(time, int | float) and math.isfinite(time) and time >= 0 for time in times):
        raise UnusableError(f"has no times of the segment {uid!r}")
    return Segment(uid, video, float(times[0]), float(times[1]))


def dict_entries(value: Any) -> dict[str, dict[str, Any]]:
    """The objects of an object; empty for anything else."""
    return {key: found for key, found in value.items() if isinstance(found, dict)} if isinstance(value, dict) else {}
