"""Benchmarks of a training step: what was measured, with which version, on which machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from swirl.history.records import StepBenchmark
from swirl.history.store import Store, utc_timestamp


class StepBenchmarks(Store):
    """The table `step_benchmarks`."""

    def add_step_benchmark(self, *, title: str, version: str, machine: str, figures: Mapping[str, Any]) -> int:
        """Store a benchmark and return its id; `title` names the workload, `figures` is any JSON."""
        with self._writing() as db:
            return db.execute(
                "INSERT INTO step_benchmarks (title, version, machine, figures, created) VALUES (?, ?, ?, ?, ?)",
                [title, version, machine, json.dumps(dict(figures)), utc_timestamp()],
            ).lastrowid

    def step_benchmarks(self) -> list[StepBenchmark]:
        """All benchmarks, oldest first."""
        sql = "SELECT id, title, version, machine, figures, created FROM step_benchmarks ORDER BY id"
        with self._reading() as db:
            return [StepBenchmark(*row[:4], figures=json.loads(row[4]), created=row[5]) for row in db.execute(sql)]
