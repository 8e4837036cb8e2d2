"""The figures of experiments, each computed once: a refresh of a large grid reads only the runs that have ended since.

Reading the results of one run takes milliseconds, and an interval one more; a grid of hundreds of runs adds up. So a
request does what fits into its time, and says how much is left for the next one.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from studio.services.history_store import history
from studio.view_models.experiment_metrics import METRICS
from studio.view_models.experiment_overall import Overall
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.grid import Plan
from swirl.experiments.overall import OverallDifference, RowPair, overall_difference
from swirl.experiments.results import (
    Row,
    SeedEstimate,
    SeedResult,
    arrange_rows,
    estimate_row,
    paired_difference,
    seed_result,
)
from swirl.history import Run
from swirl.methods import Method

MOST_ESTIMATES = 50_000
"""Estimates kept in memory; beyond this all are dropped and computed anew when they are asked for."""

KEPT = {*METRICS, "copy/exact_match"}
Stamp = tuple[str | None, int | None]
Figure = TypeVar("Figure", SeedEstimate, OverallDifference)


class FigureCache:
    """The results and estimates of one home's experiments."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.lock = threading.Lock()
        self.results: dict[str, tuple[Stamp, SeedResult | None]] = {}
        self.estimates: dict[tuple[Any, ...], SeedEstimate | OverallDifference | None] = {}
        self.places: dict[Any, Any] = {}
        self.overall: dict[tuple[str, str, bool], Overall | None] = {}
        """The last whole comparison over all problems of each experiment, by its name, metric and checkpoint."""


class FigureReader:
    """One request's access to a FigureCache, which it must hold the lock of; it computes until `seconds` are over.

    `unread` counts the runs, `pending` the estimates that are left for a later request.
    """

    def __init__(self, cache: FigureCache, seconds: float) -> None:
        self.cache = cache
        self.deadline = time.monotonic() + seconds
        self.unread = 0
        self.pending = 0

    def rows(self, plan: Plan, runs: Mapping[str, Run]) -> list[Row]:
        """The rows of the plan all of whose finished runs have been read; `runs` are the cells' runs, by key."""
        finished = {key: run for key, run in runs.items() if run.status == "finished"}
        newest = history(self.cache.home).newest_evaluations([run.id for run in finished.values()])
        found: dict[str, SeedResult] = {}
        unread: set[tuple[str, int, str]] = set()
        for cell in plan.cells():
            if cell.key not in finished:
                continue
            run = finished[cell.key]
            stamp = (run.finished, newest.get(run.id))
            if self.cache.results.get(run.id, (None,))[0] != stamp:
                if self.is_over():
                    self.unread += 1
                    unread.add((cell.problem, cell.size, cell.method))
                    continue
                result = seed_result(history(self.cache.home), cell, run)
                self.cache.results[run.id] = (stamp, result and self.compact(result))
            result = self.cache.results[run.id][1]
            if result is not None:
                found[cell.key] = result
        return [row for row in arrange_rows(plan, found) if (row.problem, row.size, row.method) not in unread]

    def value(self, row: Row, method: Method, metric: str, last: bool) -> SeedEstimate | None:
        """`estimate_row`, from the cache if it is there; None also if it is left for later."""
        key = (self.stamp(row), method.name, metric, last)
        return self.cached(key, lambda: estimate_row(row, method, metric, last=last))

    def difference(
        self, row: Row, method: Method, other: Row, other_method: Method, metric: str, last: bool
    ) -> Estimate | None:
        """The estimate of `paired_difference`, from the cache if it is there; None also if it is left for later."""
        if row is other:
            return None
        key = (self.stamp(row), method.name, self.stamp(other), other_method.name, metric, last)
        found = self.cached(key, lambda: paired_difference(row, method, other, other_method, metric, last=last))
        return found.estimate if found else None

    def overall(self, plan: Plan, pairs: Sequence[RowPair], metric: str, last: bool) -> OverallDifference | None:
        """`overall_difference`, from the cache if it is there; None also if it is left for later."""
        stamps = tuple((row.method, self.stamp(row), other.method, self.stamp(other)) for row, other in pairs)
        return self.cached((stamps, metric, last), lambda: overall_difference(plan, pairs, metric, last=last))

    def cached(self, key: tuple[Any, ...], compute: Callable[[], Figure | None]) -> Figure | None:
        """What the cache has under the key, computed now if there is time for it."""
        estimates = self.cache.estimates
        if key not in estimates:
            if self.is_over():
                self.pending += 1
                return None
            if len(estimates) >= MOST_ESTIMATES:
                estimates.clear()
            estimates[key] = compute()
        return cast("Figure | None", estimates[key])

    def stamp(self, row: Row) -> tuple[Any, ...]:
        """What a row's figures depend on: its runs and their newest evaluations."""
        return tuple((result.run, *self.cache.results[result.run][0]) for result in row.results)

    def is_over(self) -> bool:
        """Whether the request's time is over."""
        return time.monotonic() > self.deadline

    def compact(self, result: SeedResult) -> SeedResult:
        """The result with the metrics of the page alone, in a tenth of the memory; equal test parts are shared."""
        chosen = self.compact_cases(result.chosen)
        last = chosen if result.last == result.chosen else self.compact_cases(result.last)
        return dataclasses.replace(result, chosen=chosen, last=last)

    def compact_cases(self, cases: Mapping[str, Any]) -> dict[str, Any]:
        """The values per transition of one checkpoint; a metric that is undefined somewhere is left out."""
        places = tuple((str(sequence), int(step)) for sequence, step in cases["places"])
        values = {
            name: array("d", column)
            for name, column in cases["values"].items()
            if name.partition("_best_of_")[0] in KEPT and None not in column
        }
        return {"places": self.cache.places.setdefault(places, places), "values": values}
