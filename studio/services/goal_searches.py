"""Searches for a plan that pages have begun: kept in memory, advanced a batch at a time, carried out for real.

The page asks for every batch, so that a search ends when its page does, and other questions to the models get their
turn between two batches.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.services.checkpoint_answers import infers_actions
from studio.services.collection_cache import sequences
from studio.services.inference import Models
from studio.view_models.plan_words import first_parting, goal_unit, progress_words
from swirl.errors import SwirlError
from swirl.planning.goals import Goal, WordsGoal, state_goal
from swirl.planning.proposals import model_proposer
from swirl.planning.real_games import CarriedOut, carry_out, open_real_games, take_action
from swirl.planning.replanning import UntriedActions
from swirl.planning.search import Plan, Search
from swirl.planning.search_settings import SearchSettings
from swirl.planning.search_tree import Node
from swirl.sources.collections.catalog import get_collection
from swirl.states import State
from swirl.worlds.registry import WORLDS, missing_requirements

if TYPE_CHECKING:
    from swirl.models import WorldModel

MAX_SEARCHES = 16  # the searches that are kept; a tree has some hundred states
WIDTH = 4  # states explored between two looks of the page
BUDGETS = (100, 250, 1000)
"""How many states a search may imagine; the visitor chooses."""
DEMO_BUDGET = BUDGETS[0]
"""The same in a demonstration, whose machine is shared."""


@dataclass(frozen=True)
class Origin:
    """A recorded state: its collection, its sequence (from 1) and its step (from 0)."""

    data: str
    sequence: int
    step: int


@dataclass(frozen=True)
class Start:
    """The state that a search starts from, and how a visitor came there from a recorded one, if so.

    `actions` were taken in imagination from the state at `origin` on. Without an origin, `data` is the collection whose
    simulator is tried.
    """

    state: State
    data: str
    origin: Origin | None = None
    actions: tuple[str, ...] = ()


@dataclass(frozen=True)
class StripStep:
    """A step towards the goal: of the plan, or one that was really taken before the plan was made again.

    `before` is the state in which the plan took the action, and `imagined` the next one. `real_before` and `real` are
    the true ones and `same` says whether the next one came as imagined, all None before the plan was carried out. In
    `search`, the plans are numbered from 1.
    """

    action: str
    before: State
    imagined: State
    read_back: float
    log_prob: float
    search: int
    real_before: State | None = None
    real: State | None = None
    same: bool | None = None


@dataclass
class GoalSearch:
    """One search, the checkpoint that it asks, and what came of its plan for real, once that was tried.

    `same` says of each imagined state, the start included, whether the true one is the same. `walked` are the steps
    that were really taken towards the same goal before this search began.
    """

    checkpoint: str
    start: Start
    search: Search
    is_finished: bool = False
    done: CarriedOut | None = None
    same: tuple[bool, ...] = ()
    walked: tuple[StripStep, ...] = ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def unit(self) -> str:
        """What the distance to the goal is counted in."""
        return goal_unit(self.search.goal.state)

    @property
    def number(self) -> int:
        """How often it was planned towards this goal, this search included."""
        return self.walked[-1].search + 1 if self.walked else 1

    def use(self, model: WorldModel) -> None:
        """Ask this model from now on: the checkpoint may have been unloaded and loaded again since the last batch."""
        goal = self.search.goal
        self.search.model = model
        self.search.proposer = untried_actions(model, self.search.settings, self.walked)
        if goal.state is not None:
            self.search.goal = goal_for_model(goal.state, model)

    def steps(self) -> list[StripStep]:
        """The steps that were taken before, and those of the plan so far."""
        plan, done = self.search.plan(), self.done
        return [
            *self.walked,
            *(
                StripStep(
                    action,
                    plan.states[place],
                    plan.states[place + 1],
                    plan.read_back[place],
                    plan.log_prob[place],
                    self.number,
                    *((done.states[place], done.states[place + 1], self.same[place + 1]) if done else ()),
                )
                for place, action in enumerate(plan.actions)
            ),
        ]

    def whole_plan(self) -> Plan:
        """The plan after the steps that were really taken before it, whose states are the true ones."""
        plan, steps = self.search.plan(), self.steps()
        return replace(
            plan,
            actions=tuple(step.action for step in steps),
            states=(*self._past(), *plan.states),
            read_back=tuple(step.read_back for step in steps),
            log_prob=tuple(step.log_prob for step in steps),
        )

    def true_states(self) -> tuple[State, ...]:
        """The true states beside those of `whole_plan`; none before the plan was carried out."""
        return (*self._past(), *self.done.states) if self.done is not None else ()

    def _past(self) -> list[State]:
        """The true states before the one in which this search began."""
        return [step.real_before for step in self.walked if step.real_before is not None]

    def parting(self) -> int | None:
        """After how many steps of the plan the true state was another than imagined, or all steps if none was.

        None where there is nothing to plan again: the plan was not carried out, or it has reached the goal.
        """
        if self.done is None or 0 in self.search.goal.differences(self.done.states):
            return None
        parted = first_parting(self.same)
        return len(self.same) - 1 if parted is None else parted

    def news(self, nodes: Sequence[Node]) -> dict[str, Any]:
        """What the page draws: new or moved nodes as [number, parent, differences], and the best path."""
        best = self.search.tree.path(self.search.best)
        words = progress_words(
            self.search.imagined, best[-1].differences, len(best) - 1, self.unit, is_finished=self.is_finished
        )
        return {
            "nodes": [[node.number, node.parent, node.differences] for node in nodes],
            "path": [[node.number, node.action] for node in best],
            "words": words,
            "finished": self.is_finished,
        }


class GoalSearches:
    """The searches of one home, by the names under which their pages know them."""

    def __init__(self, home: Path, models: Models) -> None:
        self.home = home
        self.models = models
        self._guard = threading.Lock()
        self._searches: OrderedDict[str, GoalSearch] = OrderedDict()

    @property
    def is_demo(self) -> bool:
        """Whether the visitors share somebody else's machine."""
        return self.models.only_offered

    @property
    def largest_budget(self) -> int:
        """How many states a search may imagine here at most."""
        return DEMO_BUDGET if self.is_demo else max(BUDGETS)

    def begin(self, checkpoint: str, start: Start, goal: State | Sequence[str], budget: int) -> tuple[str, GoalSearch]:
        """Begin a search for a state, or for any state in which phrases appear; its name and the search.

        Raises SwirlError for a model that infers no actions, and for a goal of another kind than the start.
        """
        if not infers_actions(self.models, checkpoint):
            raise SwirlError(
                f"{checkpoint} only predicts next states; it infers no actions, which a search needs. Choose another "
                "model."
            )
        if start.state.picture is not None and not (isinstance(goal, State) and goal.picture is not None):
            raise SwirlError("The state is a picture, so the goal must be one, too; choose a later state or drop one.")
        if start.state.picture is None and isinstance(goal, State) and goal.picture is not None:
            raise SwirlError("The state is a text, so the goal must be one, too; edit the state or name its words.")
        with self.models.use(checkpoint) as model:
            wanted: Goal = goal_for_model(goal, model) if isinstance(goal, State) else WordsGoal(tuple(goal))
            return self._begin(model, checkpoint, start, wanted, min(budget, self.largest_budget))

    def replan(self, name: str) -> tuple[str, GoalSearch]:
        """Begin a search for the same goal where imagination and truth parted; its name and the search.

        Actions that were taken in a state are not proposed there again, since what comes of them is known. Raises
        SwirlError where there is nothing to plan again.
        """
        found = self.find(name)
        with found.lock, self.models.use(found.checkpoint) as model:
            found.use(model)
            parting = found.parting()
            if parting is None or found.done is None:
                raise SwirlError("Do this plan for real first; it is made again where the truth is not as imagined.")
            taken = found.steps()[len(found.walked) :][:parting]
            actions = (*found.start.actions, *(step.action for step in taken))
            start = replace(found.start, state=found.done.states[parting], actions=actions)
            budget, walked = found.search.settings.budget, (*found.walked, *taken)
            return self._begin(model, found.checkpoint, start, found.search.goal, budget, walked)

    def _begin(
        self,
        model: WorldModel,
        checkpoint: str,
        start: Start,
        goal: Goal,
        budget: int,
        walked: tuple[StripStep, ...] = (),
    ) -> tuple[str, GoalSearch]:
        settings = replace(SearchSettings(), budget=budget, width=WIDTH)
        search = Search.begin(model, start.state, goal, settings, untried_actions(model, settings, walked))
        found = GoalSearch(checkpoint, start, search, is_finished=search.is_finished, walked=walked)
        name = secrets.token_hex(8)
        with self._guard:
            self._searches[name] = found
            while len(self._searches) > MAX_SEARCHES:
                self._searches.popitem(last=False)
        return name, found

    def find(self, name: str) -> GoalSearch:
        """The search of that name. Raises SwirlError if it is not kept any more."""
        with self._guard:
            found = self._searches.get(name)
            if found is None:
                raise SwirlError("The studio does not remember this search any more; search again.")
            self._searches.move_to_end(name)
            return found

    def advance(self, name: str) -> tuple[GoalSearch, list[Node]]:
        """Explore the next batch of states; the search and its new or moved nodes."""
        found = self.find(name)
        with found.lock, self.models.use(found.checkpoint) as model:
            if found.done is not None:
                return found, []  # what was carried out stays the plan
            found.use(model)
            nodes = found.search.advance()
            found.is_finished = found.search.is_finished
        return found, nodes

    def carry_out(self, name: str) -> GoalSearch:
        """Do for real what the plan so far says, once.

        Raises SwirlError where that cannot be done, with what `why_not_real` says.
        """
        found = self.find(name)
        reason = self.why_not_real(found.start.data)
        if reason:
            raise SwirlError(reason)
        with found.lock:
            if found.done is None:
                plan = found.search.plan()
                done = self._play(found.start, plan)
                with self.models.use(found.checkpoint) as model:
                    found.use(model)
                    looks_same = found.search.goal.looks_same
                    found.same = tuple(map(looks_same, plan.states, done.states))
                found.done = done
        return found

    def _play(self, start: Start, plan: Plan) -> CarriedOut:
        with open_real_games(self.home, start.data) as games:
            if start.origin is None:
                return carry_out(games.game_in(start.state), plan.actions)
            chain = sequences(self.home, start.data)
            game = games.game_at(chain[start.origin.sequence - 1], start.origin.step)
            for action in start.actions:
                take_action(game, action)  # an unknown one changes nothing; the page shows that the states had parted
            return carry_out(game, plan.actions)

    def distances(self, found: GoalSearch, states: Sequence[State]) -> list[int]:
        """How far each of these states is from the goal, in its units."""
        with self.models.use(found.checkpoint) as model:
            found.use(model)
            return found.search.goal.differences(states)

    def why_not_real(self, data: str) -> str:
        """Why the plans of a collection cannot be carried out here; empty if they can."""
        try:
            world = get_collection(self.home, data).world
        except SwirlError:
            return f"The collection {data} is not here any more, so that this plan cannot be done for real."
        if world not in WORLDS or WORLDS[world].log_source:
            return "These data were not recorded from a simulator, so that this plan cannot be done for real."
        entry = WORLDS[world]
        if self.is_demo and (entry.needs_java or entry.needs_browser):
            return f"{entry.title} does not run in a demonstration; install SWIRL Studio to do this plan for real."
        needs = missing_requirements(entry)
        return f"{entry.title} is not ready on this machine. {needs}" if needs else ""


def untried_actions(model: WorldModel, settings: SearchSettings, walked: Sequence[StripStep]) -> UntriedActions:
    """What the model proposes, without the actions that were really taken in the same state before."""
    taken = [(step.real_before, step.action) for step in walked if step.real_before is not None]
    return UntriedActions(model_proposer(model, settings), taken)


def goal_for_model(goal: State, model: WorldModel) -> Goal:
    """The goal to reach exactly this state; pictures are compared as the model sees them."""
    return state_goal(goal, model.codec if goal.picture is not None else None)
