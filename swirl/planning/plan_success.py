"""Did the plan work? Plans made in imagination, carried out in the simulator, beside what needs no model.

Goals are states that were observed one to six steps later in held-out episodes. A plan is made once, from the first
state, and carried out without a second look, or with one (`replanning`). It has succeeded if the goal is met, at the
end or on the way.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from swirl.errors import SwirlError
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.bootstrap import Estimate, bootstrap_mean
from swirl.planning.baselines import greedy_plan, random_actions, real_search, world_proposer
from swirl.planning.goals import CellCodec, Goal, state_goal
from swirl.planning.proposals import PlanningModel
from swirl.planning.real_games import RealGames, carry_out, is_branching, looks_same
from swirl.planning.replanning import pursue
from swirl.planning.search import Plan, Search
from swirl.planning.search_settings import SearchSettings
from swirl.progress import ProgressCallback
from swirl.states import StateSequence
from swirl.worlds.base import BranchingGame

DISTANCES = (1, 2, 3, 4, 6)
"""How many steps of the episode lie between a start and its goal."""

ORACLE_BUDGET = 20_000
"""States that the search in the simulator may try."""

PLANS = ("plan", "replan")
"""Plans that are made once, and plans that are made again where the truth is not as imagined."""

METHODS = (*PLANS, "greedy", "greedy_replan", "random", "oracle", "true_labels")
"""What is measured for each goal; the last two only in worlds that allow it."""


@dataclass(frozen=True)
class PlanTask:
    """A start and a goal of one episode, `distance` steps apart, each of which changed something."""

    sequence: StateSequence
    start: int
    distance: int

    @property
    def goal_step(self) -> int:
        """The index of the goal in the sequence."""
        return self.start + self.distance


@dataclass(frozen=True)
class Attempt:
    """What one method did for one task.

    `reached` says whether the goal was met in the simulator, `imagined` whether the plan reached it in imagination, and
    `expected` is the probability of that by the models: the product of P(y' | x, z) over the steps. `tried` counts the
    states that were imagined or tried. `imagined` and `expected` are None where nothing is imagined.
    """

    reached: bool
    actions: tuple[str, ...]
    imagined: bool | None = None
    expected: float | None = None
    tried: int = 0
    seconds: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether the goal counted as reached without a step: start and goal look the same to the model's codec."""
        return bool(self.imagined) and not self.actions


@dataclass(frozen=True)
class PlanReport:
    """Metrics by name (`plan/success@3`) with 95 % intervals over sequences, and the attempts behind them.

    `tasks` counts the goals by distance. `notes` say what was left out and why.
    """

    metrics: dict[str, Estimate]
    tasks: dict[int, int]
    attempts: dict[str, list[tuple[PlanTask, Attempt]]]
    notes: tuple[str, ...]


def draw_tasks(
    sequences: Sequence[StateSequence], per_distance: int, distances: Sequence[int] = DISTANCES, seed: int = 0
) -> list[PlanTask]:
    """At most `per_distance` tasks of each distance, spread over the sequences in random order.

    Left out are stretches in which a step changed nothing or a state came back, as their goal is closer than it seems.
    """
    drawn: list[PlanTask] = []
    for distance in distances:
        rng = random.Random(f"{seed}-{distance}")
        waiting = []
        for sequence in sequences:
            starts = [
                start for start in range(len(sequence.states) - distance) if never_repeats(sequence, start, distance)
            ]
            waiting.append([PlanTask(sequence, start, distance) for start in rng.sample(starts, len(starts))])
        rng.shuffle(waiting)
        # One of each sequence first, then a second one, and so on.
        rounds = max(map(len, waiting), default=0)
        in_turn = [tasks[place] for place in range(rounds) for tasks in waiting if place < len(tasks)]
        drawn += in_turn[:per_distance]
    return drawn


def never_repeats(sequence: StateSequence, start: int, distance: int) -> bool:
    """Whether all states of a stretch look different."""
    states = sequence.states[start : start + distance + 1]
    return not any(looks_same(a, b) for place, a in enumerate(states) for b in states[:place])


def measure_plans(
    model: PlanningModel,
    games: RealGames,
    tasks: Sequence[PlanTask],
    settings: SearchSettings,
    *,
    methods: Sequence[str] = METHODS,
    progress: ProgressCallback | None = None,
    watch: Callable[[], None] | None = None,
    cache: AnswerCache | None = None,
) -> PlanReport:
    """Let every method try every task, and see in the simulator what comes of it.

    `cache` keeps the attempts of a measurement that is stopped by an exception from `watch`. Raises SwirlError if no
    task is given, or the simulator does not come to a recorded state.
    """
    if not tasks:
        raise SwirlError(
            "No sequence of this part has a goal: states that change at every step and never come back; record longer "
            "sequences."
        )
    attempts: dict[str, list[tuple[PlanTask, Attempt]]] = {method: [] for method in methods}
    for place, task in enumerate(tasks):
        for method in methods:
            if watch is not None:
                watch()
            question = (method, task.sequence.id, str(task.start), str(task.distance))
            known = cache.get("plan", question) if cache is not None else None
            if known is None:
                attempt = ATTEMPTS[method](model, games, task, replace(settings, seed=settings.seed + place))
                if cache is not None:
                    cache.add([("plan", question, json.dumps(attempt and asdict(attempt)))])
            else:
                attempt = read_attempt(json.loads(cast(str, known)))
            if attempt is not None:
                attempts[method].append((task, attempt))
        if progress is not None:
            progress((place + 1) / len(tasks), f"{place + 1} of {len(tasks)} goals, {task.distance} steps away")
    return report_attempts(attempts, tasks, games)


def read_attempt(document: dict[str, Any] | None) -> Attempt | None:
    """The attempt that was kept as JSON."""
    return None if document is None else Attempt(**{**document, "actions": tuple(document["actions"])})


def task_goal(model: PlanningModel, task: PlanTask) -> Goal:
    """The goal of a task, compared as the model sees states."""
    state = task.sequence.states[task.goal_step]
    return state_goal(state, None if state.picture is None else cast(CellCodec, getattr(model, "codec", None)))


def try_plan(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt:
    """The search in imagination."""
    began = time.perf_counter()
    search = Search.begin(model, task.sequence.states[task.start], task_goal(model, task), settings)
    plan = search.run()
    return judge(plan, search.imagined, time.perf_counter() - began, games, task)


def try_greedy(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt:
    """One step at a time, in imagination."""
    began = time.perf_counter()
    search = Search.begin(model, task.sequence.states[task.start], task_goal(model, task), settings)
    plan = greedy_plan(search)
    return judge(plan, search.imagined, time.perf_counter() - began, games, task)


def try_replan(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt:
    """The search in imagination, made again from the real state where that is not as imagined."""
    return follow(model, games, task, settings, Search.run)


def try_greedy_replan(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt:
    """The most promising step each time, with as many looks and steps."""
    return follow(model, games, task, settings, greedy_plan)


def follow(
    model: PlanningModel,
    games: RealGames,
    task: PlanTask,
    settings: SearchSettings,
    make_plan: Callable[[Search], Plan],
) -> Attempt:
    """Play towards the goal of a task, and see whether it was met."""
    began = time.perf_counter()
    game = games.game_at(task.sequence, task.start)
    pursuit = pursue(model, game, task_goal(model, task), settings, make_plan=make_plan)
    seconds = time.perf_counter() - began
    wanted = task.sequence.states[task.goal_step]
    reached = any(looks_same(step.real, wanted) for step in pursuit.steps)
    actions = tuple(step.action for step in pursuit.steps)
    return Attempt(reached, actions, tried=pursuit.imagined, seconds=seconds)


def try_true_labels(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt | None:
    """The same search among the world's own actions instead of those that the models suggest."""
    proposer = world_proposer(games.game_at(task.sequence, task.start))
    if proposer is None:
        return None
    began = time.perf_counter()
    search = Search.begin(model, task.sequence.states[task.start], task_goal(model, task), settings, proposer)
    plan = search.run()
    return judge(plan, search.imagined, time.perf_counter() - began, games, task)


def try_random(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt | None:
    """As many random actions as lie between start and goal."""
    rng = random.Random(f"{settings.seed}-{task.sequence.id}-{task.start}-{task.distance}")
    actions = random_actions(games.game_at(task.sequence, task.start), task.distance, rng)
    if not actions:
        return None
    done = carry_out(games.game_at(task.sequence, task.start), actions)
    return Attempt(done.reaches(task.sequence.states[task.goal_step]), tuple(actions), tried=len(actions))


def try_oracle(model: PlanningModel, games: RealGames, task: PlanTask, settings: SearchSettings) -> Attempt | None:
    """The search in the simulator."""
    game = games.game_at(task.sequence, task.start)
    if not is_branching(game):
        return None
    began = time.perf_counter()
    goal = task_goal(model, task)
    actions, tried = real_search(cast(BranchingGame, game), goal, ORACLE_BUDGET, settings.max_steps)
    seconds = time.perf_counter() - began
    return Attempt(actions is not None, tuple(actions or ()), tried=tried, seconds=seconds)


ATTEMPTS: Mapping[str, Callable[[PlanningModel, RealGames, PlanTask, SearchSettings], Attempt | None]] = {
    "plan": try_plan,
    "replan": try_replan,
    "greedy": try_greedy,
    "greedy_replan": try_greedy_replan,
    "random": try_random,
    "oracle": try_oracle,
    "true_labels": try_true_labels,
}
"""How each method tries a task; None where the world does not allow it."""


def judge(plan: Plan, tried: int, seconds: float, games: RealGames, task: PlanTask) -> Attempt:
    """Carry a plan out and see whether it meets the goal."""
    done = carry_out(games.game_at(task.sequence, task.start), plan.actions)
    return Attempt(
        done.reaches(task.sequence.states[task.goal_step]),
        plan.actions,
        plan.is_reached,
        math.exp(sum(plan.log_prob)) if plan.is_reached else 0.0,
        tried,
        seconds,
    )


def report_attempts(
    attempts: dict[str, list[tuple[PlanTask, Attempt]]], tasks: Sequence[PlanTask], games: RealGames
) -> PlanReport:
    """The figures by distance.

    `plan/success@K` and, for the other methods, `plan/greedy@K` and so on: the share of goals that are met. For the
    plan also `plan/imagined@K`, the share that it reached in imagination, `plan/expected@K`, the mean probability that
    the models gave it, and `plan/honest@K`, the share that succeeds of those reached in imagination.
    """
    metrics: dict[str, Estimate] = {}
    for method, rows in attempts.items():
        for distance in sorted({task.distance for task in tasks}):
            metrics |= dict(method_metrics(method, distance, [row for row in rows if row[0].distance == distance]))
    counts = {distance: sum(task.distance == distance for task in tasks) for distance in {t.distance for t in tasks}}
    notes = [WHY_MISSING[method] for method, rows in attempts.items() if not rows and method in WHY_MISSING]
    if confused := sum(attempt.is_empty for _, attempt in attempts.get("plan", [])):
        notes.append(
            f"The model cannot tell {confused} of {len(tasks)} goals from their starts, and counts them as reached; "
            "train a codec that can (`swirl codec`)."
        )
    return PlanReport(metrics, dict(sorted(counts.items())), attempts, tuple(notes))


def method_metrics(
    method: str, distance: int, rows: Sequence[tuple[PlanTask, Attempt]]
) -> Iterator[tuple[str, Estimate]]:
    """The figures of one method at one distance."""
    groups = [task.sequence.id for task, _ in rows]
    columns: dict[str, list[float | None]] = {
        "success" if method == "plan" else method: [float(attempt.reached) for _, attempt in rows]
    }
    if method == "plan":
        columns["imagined"] = [float(bool(attempt.imagined)) for _, attempt in rows]
        columns["expected"] = [attempt.expected for _, attempt in rows]
        columns["honest"] = [float(attempt.reached) if attempt.imagined else None for _, attempt in rows]
    if method in PLANS:
        prefix = "" if method == "plan" else f"{method}_"
        columns[f"{prefix}seconds"] = [attempt.seconds for _, attempt in rows]
        columns[f"{prefix}states"] = [float(attempt.tried) for _, attempt in rows]
    for name, column in columns.items():
        found = bootstrap_mean(column, groups)
        if found is not None:
            yield f"plan/{name}@{distance}", found


WHY_MISSING = {
    "oracle": "No search in the simulator: this world plays one game at a time.",
    "true_labels": "No search among true actions: this world does not list its actions in every state.",
    "random": "No random actions: this world does not list its actions.",
}
