"""What a run's training costs: its steps and the labels that it infers, even if an earlier version noted no labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import cast

from swirl.experiments.cost import training_seconds
from swirl.history import History, Metric, Phase, Run
from swirl.settings import Settings


class StoredRun:
    """The history of one run: half a minute of warm-up, two minutes of forward and one of inverse training."""

    def __init__(self, method: str, metrics: Sequence[tuple[int, int, str, float]]) -> None:
        self.settings = Settings().replace({"method": method}).to_dict()
        self.stored = [Metric(i, *row) for i, row in enumerate(metrics)]

    def metrics(self, run: str, names: Sequence[str]) -> list[Metric]:
        return [metric for metric in self.stored if metric.name in names]

    def phases(self, run: str) -> list[Phase]:
        times = ["12:00:00", "12:00:30", "12:02:30", "12:03:30"]
        stamps = [f"2026-11-01T{time}.000+00:00" for time in times]
        kinds = ("warm-up", "forward", "inverse")
        return [Phase(run, i, 1, kind, 2, stamps[i], stamps[i + 1]) for i, kind in enumerate(kinds)]

    def seconds(self) -> float:
        run = cast(Run, dataclasses.make_dataclass("R", ["id", "settings"])("r", self.settings))
        return training_seconds(cast(History, self), run)


MEASURED = [
    (0, 0, "scoring_time", 25.0),
    *((phase, step, "step_time", 5.0) for phase in (1, 2) for step in (1, 2)),
    *((phase, 2, "scoring_time", 8.0) for phase in (1, 2)),
    (1, 0, "probe_time", 2.0),
]


def test_labels_count_beside_steps_and_scoring_does_not() -> None:
    assert StoredRun("sft", [*MEASURED, (1, 0, "labelling_time", 30.0)]).seconds() == 50.0


def test_of_earlier_versions_it_is_what_is_left_of_phases_that_imitate() -> None:
    assert StoredRun("sft", MEASURED).seconds() == 20.0 + (120 - 20) + (60 - 18)
    assert StoredRun("hybrid", MEASURED).seconds() == 20.0 + (120 - 20)
    assert StoredRun("swirl", MEASURED).seconds() == 20.0
