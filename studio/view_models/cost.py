"""What a run will cost before it starts: steps, rollouts, and minutes from what past runs took on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from studio.view_models.formatting import format_duration, format_step_time, pluralize
from swirl.errors import SwirlError
from swirl.history import History, Run
from swirl.settings import DIRECTIONS, Direction, Settings

PAST_RUNS = 30


@dataclass(frozen=True)
class Pace:
    """How long a step took in one past run: seconds by direction, for so many rollouts a step of that model."""

    run: str
    model: str
    data: str
    rollouts: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Cost:
    """A run's size, and its seconds where a past run allows to tell; `measured_by` is that run."""

    steps: int
    rollouts: int
    transitions: int
    seconds: float | None
    measured_by: str | None


def past_paces(history: History) -> list[Pace]:
    """The paces of this home's newest runs, newest first; runs without a measured step are left out."""
    paces = (measure_pace(run, history) for run in history.runs(limit=PAST_RUNS))
    return [known for known in paces if known]


def measure_pace(run: Run, history: History) -> Pace | None:
    """A run's median seconds a step in each direction; None where no step was measured or its settings don't read."""
    try:
        settings = Settings.from_dict(run.settings)
    except SwirlError:
        return None
    phases = history.phases(run.id)
    direction_of = {phase.index: phase.direction for phase in phases}
    times: dict[str, list[float]] = {}
    # Of a long run the means of some steps each do as well, at a hundredth of the time.
    _, found = history.curves(run.id, ["step_time"], max(1, sum(phase.steps for phase in phases) // 500))
    for one in found.get("step_time", ()):
        times.setdefault(direction_of.get(one.phase, ""), []).append(one.mean)
    seconds = {direction: median(times[direction]) for direction in DIRECTIONS if times.get(direction)}
    return Pace(run.id, settings.model, settings.data, rollouts_per_step(settings), seconds) if seconds else None


def rollouts_per_step(settings: Settings) -> dict[str, int]:
    """Rollouts in one step of each direction: prompts × G."""
    per_phase = {direction: settings.for_phase(direction) for direction in DIRECTIONS}
    return {direction: phase.batch_size * phase.group_size for direction, phase in per_phase.items()}


def estimate_cost(settings: Settings, paces: Sequence[Pace]) -> Cost:
    """The size of a run with `settings`; its seconds by the newest past run of the same model on the same data.

    A run of the same model lends its time a rollout when its steps had another size: the cost of a step is, to a
    good approximation, proportional to its rollouts.
    """
    steps = {direction: settings.iterations * settings.for_phase(direction).steps_per_phase for direction in DIRECTIONS}
    rollouts = rollouts_per_step(settings)
    known = nearest_pace(settings, paces)
    seconds = None
    if known:
        seconds = sum(
            steps[direction] * rollouts[direction] * seconds_per_rollout(known, direction) for direction in DIRECTIONS
        )
    return Cost(
        steps=sum(steps.values()),
        rollouts=sum(steps[direction] * rollouts[direction] for direction in DIRECTIONS),
        transitions=sum(steps[direction] * settings.for_phase(direction).batch_size for direction in DIRECTIONS),
        seconds=seconds,
        measured_by=known.run if known else None,
    )


def nearest_pace(settings: Settings, paces: Iterable[Pace]) -> Pace | None:
    """The newest past run of the same model on the same data, the same step size first."""
    fitting = [known for known in paces if (known.model, known.data) == (settings.model, settings.data)]
    rollouts = rollouts_per_step(settings)
    same = (known for known in fitting if all(known.rollouts[way] == rollouts[way] for way in known.seconds))
    return next(same, fitting[0] if fitting else None)


def seconds_per_rollout(known: Pace, direction: Direction) -> float:
    """Seconds per rollout; a direction that was never measured is taken to cost what the other does."""
    measured = direction if direction in known.seconds else next(iter(known.seconds))
    return known.seconds[measured] / known.rollouts[measured]


def describe_cost(settings: Settings, cost: Cost) -> tuple[str, str]:
    """The cost as a claim and its reason: `About 4 min` and what it consists of."""
    if not cost.steps:
        return "No training steps", "With 0 iterations or 0 steps a phase only the warm-up runs."
    size = (
        f"{pluralize(settings.iterations, 'iteration')} of a forward and an inverse phase: "
        f"{pluralize(cost.steps, 'step')}, {pluralize(cost.rollouts, 'rollout')}"
    )
    if cost.seconds is None:
        return (
            size,
            "No run of this model on these data was timed here yet; the first steps will tell how long it takes.",
        )
    step = format_step_time(cost.seconds / cost.steps)
    return (
        f"About {format_duration(cost.seconds)}",
        f"{size}. Reckoned from {cost.measured_by}: {step}; scoring comes on top.",
    )
