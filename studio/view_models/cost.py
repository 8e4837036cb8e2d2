"""The estimated cost of a run before it starts: steps, rollouts, and minutes measured from past runs here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from studio.view_models.formatting import format_duration, format_step_time, pluralize
from swirl.errors import SwirlError
from swirl.history import History, Run
from swirl.settings import DIRECTIONS, Direction, Settings
from swirl.training.schedule import plan_phases

PAST_RUNS = 30


@dataclass(frozen=True)
class Pace:
    """How long a step took in a past run: `seconds` per step and `rollouts` per step, by direction.

    In a run without rewards, the transitions of a step stand in for its rollouts.
    """

    run: str
    model: str
    data: str
    by_rewards: bool
    rollouts: dict[str, int]
    seconds: dict[str, float]


@dataclass(frozen=True)
class Cost:
    """A run's size, and its estimated seconds if a past run, `measured_by`, timed the same model and data.

    A run without rewards has no rollouts.
    """

    steps: int
    rollouts: int
    transitions: int
    seconds: float | None
    measured_by: str | None


def past_paces(history: History) -> list[Pace]:
    """The paces of the newest PAST_RUNS runs, newest first; runs without a measured step are left out."""
    paces = (measure_pace(run, history) for run in history.runs(limit=PAST_RUNS))
    return [pace for pace in paces if pace]


def measure_pace(run: Run, history: History) -> Pace | None:
    """A run's median seconds per step in each direction; None if no step was timed or its settings cannot be read."""
    try:
        settings = Settings.from_dict(run.settings)
    except SwirlError:
        return None
    phases = history.phases(run.id)
    direction_of = {phase.index: phase.direction for phase in phases}
    times: dict[str, list[float]] = {}
    # In a long run the means of binned steps are as good, and take a hundredth of the time to read.
    _, curves = history.curves(run.id, ["step_time"], max(1, sum(phase.steps for phase in phases) // 500))
    for step_bin in curves.get("step_time", ()):
        times.setdefault(direction_of.get(step_bin.phase, ""), []).append(step_bin.mean)
    seconds = {direction: median(times[direction]) for direction in DIRECTIONS if times.get(direction)}
    if not seconds:
        return None
    by_rewards = settings.training_method.trains_by_rewards
    return Pace(run.id, settings.model, settings.data, by_rewards, rollouts_per_step(settings), seconds)


def rollouts_per_step(settings: Settings) -> dict[str, int]:
    """Rollouts in one step of each direction: prompts × group size G; without rewards, the transitions of a step."""
    per_phase = {direction: settings.for_phase(direction) for direction in DIRECTIONS}
    by_rewards = settings.training_method.rewards_in
    return {way: phase.batch_size * (phase.group_size if by_rewards(way) else 1) for way, phase in per_phase.items()}


def estimate_cost(settings: Settings, paces: Sequence[Pace]) -> Cost:
    """Estimate the size of a run, and its seconds from the newest past run of the same model on the same data.

    If that run's steps had another size, its time per rollout is used: the cost of a step is, to a good
    approximation, proportional to its rollouts.
    """
    phases = plan_phases(settings, warm_up_steps=0)
    steps = {way: sum(phase.steps for phase in phases if phase.kind == way) for way in DIRECTIONS}
    rollouts = rollouts_per_step(settings)
    pace = nearest_pace(settings, paces)
    seconds = None
    if pace:
        seconds = sum(
            steps[direction] * rollouts[direction] * seconds_per_rollout(pace, direction) for direction in DIRECTIONS
        )
    return Cost(
        steps=sum(steps.values()),
        rollouts=sum(
            steps[direction] * rollouts[direction]
            for direction in DIRECTIONS
            if settings.training_method.rewards_in(direction)
        ),
        transitions=sum(steps[direction] * settings.for_phase(direction).batch_size for direction in DIRECTIONS),
        seconds=seconds,
        measured_by=pace.run if pace else None,
    )


def nearest_pace(settings: Settings, paces: Iterable[Pace]) -> Pace | None:
    """The newest past run of the same model on the same data, preferring one with the same step size."""
    wanted = (settings.model, settings.data, settings.training_method.trains_by_rewards)
    matching = [pace for pace in paces if (pace.model, pace.data, pace.by_rewards) == wanted]
    rollouts = rollouts_per_step(settings)
    same_size = (pace for pace in matching if all(pace.rollouts[way] == rollouts[way] for way in pace.seconds))
    return next(same_size, matching[0] if matching else None)


def seconds_per_rollout(pace: Pace, direction: Direction) -> float:
    """Seconds per rollout; a direction that was never timed is assumed to cost as much as the other."""
    measured = direction if direction in pace.seconds else next(iter(pace.seconds))
    return pace.seconds[measured] / pace.rollouts[measured]


def describe_cost(settings: Settings, cost: Cost) -> tuple[str, str]:
    """The cost as a claim and its reason: `About 4 min`, and the steps and rollouts it covers."""
    if not cost.steps:
        return "No training steps", "With 0 iterations or 0 steps per phase, only the warm-up runs."
    both = settings.training_method.has_inverse_phases
    work = pluralize(cost.rollouts, "rollout") if cost.rollouts else pluralize(cost.transitions, "transition")
    size = (
        f"{pluralize(settings.iterations, 'iteration')}, each a forward {'and an inverse ' if both else ''}phase: "
        f"{pluralize(cost.steps, 'step')}, {work}"
    )
    if cost.seconds is None:
        return (
            size,
            "No run of this model on these data has been timed here yet; the first steps will show how long it takes.",
        )
    step = format_step_time(cost.seconds / cost.steps)
    return (
        f"About {format_duration(cost.seconds)}",
        f"{size}. Estimated from {cost.measured_by} at {step}; scoring takes extra time.",
    )
