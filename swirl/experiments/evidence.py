"""The results of an experiment as a document: what its problems looked like, and how each method did on them.

The documents of the experiment `regimes` ship with the program, so that advice can point to figures on any machine.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.grid import Plan
from swirl.experiments.results import Row, SeedEstimate, estimate_row, paired_difference, start_row

EVIDENCE_FILES = ("experiments/regimes.json", "experiments/regimes-earlier.json")
"""The shipped documents, in the folder of assets: of the published runs, and of earlier ones that no longer exist."""


@dataclass(frozen=True)
class MethodResult:
    """A method on a problem: its mean of the headline with its interval, and the paired differences to others.

    `over` holds the differences to other methods of the same problem by name. `needs_labels` tells whether it trains on
    labels after the warm-up, `seconds` how long it trained, None if that is not known with the labels that it inferred.
    """

    method: str
    title: str
    value: Estimate
    over: dict[str, Estimate]
    seeds: int
    seconds: float | None
    needs_labels: bool


@dataclass(frozen=True)
class ProblemEvidence:
    """A problem, its model's probe before training as figures by name (`RewardProbe`), and the results on it."""

    problem: str
    description: str
    probe: dict[str, float | None]
    results: tuple[MethodResult, ...]


def collect_evidence(
    plan: Plan, rows: Sequence[Row], probes: Mapping[str, Mapping[str, float | None]]
) -> list[ProblemEvidence]:
    """The evidence of an experiment, for each problem that has finished runs."""
    found = []
    for problem in plan.problems:
        own = [row for row in rows if row.problem == problem.name]
        results = tuple(filter(None, (method_result(plan, own, row) for row in own)))
        if results:
            found.append(ProblemEvidence(problem.name, problem.describe(), dict(probes.get(problem.name, {})), results))
    return found


def method_result(plan: Plan, own: Sequence[Row], row: Row) -> MethodResult | None:
    """A row of a problem with its differences to all others of the same size."""
    method = plan.method(row.method)
    value = estimate_row(row, method)
    if value is None:
        return None
    start = start_row(own, row.problem)
    others = [r for r in own if r.method != row.method and (r.size == row.size or r is start)]
    over: dict[str, Estimate] = {}
    for other in others:
        difference: SeedEstimate | None = paired_difference(row, method, other, plan.method(other.method))
        if difference is not None:
            over[other.method] = difference.estimate
    return MethodResult(
        row.method, method.title, value.estimate, over, value.seeds, row.training_seconds(), method.needs_labels
    )


def write_evidence(evidence: Sequence[ProblemEvidence], path: Path) -> None:
    """Write the evidence as JSON with four decimals."""
    document = [dataclasses.asdict(problem) for problem in evidence]
    path.write_text(json.dumps(rounded(document), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """A JSON value with all numbers rounded to four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value


def shipped_evidence() -> list[ProblemEvidence]:
    """The evidence that comes with the program, the published runs first."""
    return [problem for name in EVIDENCE_FILES for problem in read_evidence(paths.assets() / name)]


def read_evidence(path: Path) -> list[ProblemEvidence]:
    """The evidence in a file; empty if there is no file."""
    if not path.is_file():
        return []
    return [
        ProblemEvidence(
            row["problem"],
            row["description"],
            row["probe"],
            tuple(
                MethodResult(
                    **{
                        **result,
                        "value": Estimate(**result["value"]),
                        "over": {name: Estimate(**value) for name, value in result["over"].items()},
                    }
                )
                for result in row["results"]
            ),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]
