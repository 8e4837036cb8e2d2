"""What a run's training costs: its steps and the labels that it infers, even if an earlier version noted no labels."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

from swirl.experiments.cost import training_seconds
from swirl.history import History, Metric, Phase, Resumption, Run

MEASURED = [
    (0, 0, "scoring_time", 25.0),
    *((phase, step, "step_time", 5.0) for phase in (1, 2) for step in (1, 2)),
    *((phase, 2, "scoring_time", 8.0) for phase in (1, 2)),
    (1, 0, "probe_time", 2.0),
]


class StoredRun:
    """The history of one run: half a minute of warm-up, two minutes of forward and one of inverse training."""

    def __init__(self, metrics: Sequence[tuple[int, int, str, float]], resumed: Sequence[str] = ()) -> None:
        self.stored = [Metric(i, *row) for i, row in enumerate(metrics)]
        self.resumed = [Resumption("r", None, None, stamp(time)) for time in resumed]

    def metrics(self, run: str, names: Sequence[str]) -> list[Metric]:
        return [metric for metric in self.stored if metric.name in names]

    def resumptions(self, run: str) -> list[Resumption]:
        return self.resumed

    def phases(self, run: str) -> list[Phase]:
        times = [stamp(time) for time in ("12:00:00", "12:00:30", "12:02:30", "12:03:30")]
        kinds = ("warm-up", "forward", "inverse")
        return [Phase(run, i, 1, kind, 2, times[i], times[i + 1]) for i, kind in enumerate(kinds)]

    def seconds(self, **settings: object) -> float | None:
        run = SimpleNamespace(id="r", settings=settings)
        return training_seconds(cast(History, self), cast(Run, run))


def stamp(time: str) -> str:
    return f"2026-11-01T{time}.000+00:00"


def test_labels_count_beside_steps_and_scoring_does_not() -> None:
    labels = [(1, 0, "labelling_time", 30.0), (2, 0, "labelling_time", 7.0)]
    assert StoredRun([*MEASURED, *labels]).seconds(method="hard-em") == 57.0


def test_of_earlier_versions_it_is_what_is_left_of_phases_that_imitate() -> None:
    run = StoredRun(MEASURED)
    assert run.seconds(method="hard-em") == 20.0 + (120 - 20) + (60 - 18)
    assert run.seconds(method="hybrid") == 20.0 + (120 - 20)
    assert run.seconds(method="swirl") == run.seconds() == 20.0
    resumed_by_this_version = StoredRun([*MEASURED, (2, 0, "labelling_time", 7.0)])
    assert resumed_by_this_version.seconds(method="hard-em") == 20.0 + (120 - 20) + 7


def test_where_nobody_knows_how_long_a_run_had_stopped_its_cost_is_unknown() -> None:
    assert StoredRun(MEASURED, resumed=["12:01:00"]).seconds(method="hybrid") is None
    assert StoredRun(MEASURED, resumed=["12:03:00"]).seconds(method="hybrid") == 120.0  # not in a phase with labels
    noted = StoredRun([*MEASURED, (1, 0, "labelling_time", 30.0)], resumed=["12:01:00"])
    assert noted.seconds(method="hybrid") == 50.0
    assert StoredRun(MEASURED).seconds(method="of another version") is None
