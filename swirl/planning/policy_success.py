"""Does a policy reach its goals? It acts in the simulator, one step at a time, and sees what really happens.

The goals are those of plans (`plan_success.draw_tasks`), and the same for every policy, so that two can be compared
goal by goal.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate, bootstrap_mean
from swirl.pictures import state_key
from swirl.planning.baselines import random_actions
from swirl.planning.plan_success import PlanTask
from swirl.planning.real_games import RealGames, RulesWorld, carry_out, looks_same
from swirl.progress import ProgressCallback
from swirl.states import State
from swirl.worlds.base import Game

GOALS_AT_ONCE = 32
"""Goals that are pursued side by side, where a world can be played several times at once."""


class ActingModel(Protocol):
    """What a policy needs of a model; `swirl.models.WorldModel` has it."""

    def sample_actions(
        self, transitions: Sequence[tuple[State, State]], n: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[str]]: ...


@dataclass(frozen=True)
class Outcome:
    """What a policy did for one goal, and whether it came there."""

    reached: bool
    actions: tuple[str, ...]


@dataclass
class Pursuit:
    """A game in which a policy is after a goal."""

    task: PlanTask
    game: Game
    actions: list[str] = field(default_factory=list)

    @property
    def goal(self) -> State:
        """The state that is wanted."""
        return self.task.sequence.states[self.task.goal_step]

    @property
    def reached(self) -> bool:
        """Whether the game is in that state."""
        return looks_same(self.game.state, self.goal)

    @property
    def goes_on(self) -> bool:
        """Whether another action may be taken."""
        return not self.reached and len(self.actions) < step_limit(self.task)

    def act(self, action: str) -> None:
        """Take an action; words that the world does not know change nothing."""
        carry_out(self.game, [action])
        self.actions.append(action)


def step_limit(task: PlanTask) -> int:
    """The most actions for a goal: twice the steps that the sequence took, and two more."""
    return 2 * task.distance + 2


class GreedyPolicy:
    """The likeliest action of a model for a state and a goal. An answer is given once: it would be the same again."""

    def __init__(self, model: ActingModel) -> None:
        self.model = model
        self._known: dict[tuple[str, str], str] = {}

    def choose(self, pairs: Sequence[tuple[State, State]]) -> list[str]:
        """An action for each state and its goal."""
        keys = [(state_key(state), state_key(goal)) for state, goal in pairs]
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in self._known}
        if new:
            answers = self.model.sample_actions(list(new.values()), 1, temperature=0.0)
            self._known |= {key: answer for key, [answer] in zip(new, answers, strict=True)}
        return [self._known[key] for key in keys]


def pursue_goals(
    policy: GreedyPolicy, games: RealGames, tasks: Sequence[PlanTask], watch: Callable[[], None] = lambda: None
) -> list[Outcome]:
    """Let a policy act until it reaches each goal or has used up its steps.

    `watch` is called before each pass of the model. Raises SwirlError if the simulator does not come to a recorded
    state.
    """
    pursuits = [Pursuit(task, games.game_at(task.sequence, task.start)) for task in tasks]
    while going_on := [pursuit for pursuit in pursuits if pursuit.goes_on]:
        watch()
        chosen = policy.choose([(pursuit.game.state, pursuit.goal) for pursuit in going_on])
        for pursuit, action in zip(going_on, chosen, strict=True):
            pursuit.act(action)
    return [Outcome(pursuit.reached, tuple(pursuit.actions)) for pursuit in pursuits]


def pursue_at_random(games: RealGames, task: PlanTask, seed: int = 0) -> Outcome:
    """Take random actions of those that the world lists, as many as a policy may; the goal counts if met on the way."""
    rng = random.Random(f"{seed}-{task_key(task)}")
    actions = random_actions(games.game_at(task.sequence, task.start), step_limit(task), rng)
    done = carry_out(games.game_at(task.sequence, task.start), actions)
    return Outcome(done.reaches(task.sequence.states[task.goal_step]), tuple(actions))


def task_key(task: PlanTask) -> str:
    """A name for a goal within its collection."""
    return f"{task.sequence.id} {task.start} {task.goal_step}"


class KeptOutcomes:
    """The outcomes of one policy in a file, so that a stopped measurement goes on where it was.

    `identity` says what was measured; outcomes of anything else are dropped.
    """

    def __init__(self, file: Path, identity: Mapping[str, Any]) -> None:
        self.file, self.identity = file, json.loads(json.dumps(dict(identity)))
        self.outcomes: dict[str, Outcome] = {}
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            if document["identity"] == self.identity:
                self.outcomes = {key: Outcome(reached, tuple(z)) for key, (reached, z) in document["outcomes"].items()}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or half a file: they are measured again

    def add(self, outcomes: Mapping[str, Outcome]) -> None:
        """Keep these outcomes, by the keys of their tasks. Raises SwirlError if the file cannot be written."""
        self.outcomes |= outcomes
        kept = {key: [outcome.reached, list(outcome.actions)] for key, outcome in self.outcomes.items()}
        text = json.dumps({"identity": self.identity, "outcomes": kept}, ensure_ascii=False)
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self.file.with_suffix(".new")
            draft.write_text(text + "\n", encoding="utf-8")
            draft.replace(self.file)
        except OSError as error:
            raise SwirlError(f"{self.file} cannot be written ({error.strerror}); make the folder writable.") from error


def measure_policy(
    model: ActingModel,
    games: RealGames,
    tasks: Sequence[PlanTask],
    kept: KeptOutcomes,
    progress: ProgressCallback | None = None,
    watch: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """The outcome of each task, in order; those that are kept are not measured again, new ones are kept."""
    policy = GreedyPolicy(model)
    waiting = [task for task in tasks if task_key(task) not in kept.outcomes]
    at_once = GOALS_AT_ONCE if isinstance(games.world, RulesWorld) else 1
    for start in range(0, len(waiting), at_once):
        part = waiting[start : start + at_once]
        kept.add(dict(zip(map(task_key, part), pursue_goals(policy, games, part, watch), strict=True)))
        if progress is not None:
            done = len(tasks) - len(waiting) + start + len(part)
            progress(done / len(tasks), f"{done} of {len(tasks)} goals")
    return [kept.outcomes[task_key(task)] for task in tasks]


def goal_shares(outcomes: Iterable[Sequence[Outcome]]) -> list[float]:
    """For each task the share of policies, which differ in nothing but their seed, that reached its goal."""
    return [sum(outcome.reached for outcome in row) / len(row) for row in zip(*outcomes, strict=True)]


def share_metrics(name: str, tasks: Sequence[PlanTask], shares: Sequence[float]) -> dict[str, Estimate]:
    """`policy/NAME` over all tasks and `policy/NAME@T` at each distance: the mean, with its interval over sequences."""
    columns: dict[str, list[int]] = {f"policy/{name}": list(range(len(tasks)))}
    for distance in sorted({task.distance for task in tasks}):
        columns[f"policy/{name}@{distance}"] = [place for place, t in enumerate(tasks) if t.distance == distance]
    found = {
        key: bootstrap_mean([shares[place] for place in places], [tasks[place].sequence.id for place in places])
        for key, places in columns.items()
    }
    return {key: value for key, value in found.items() if value is not None}
