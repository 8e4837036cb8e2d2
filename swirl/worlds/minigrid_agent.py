"""An agent for MiniGrid that mostly acts sensibly: it walks to things, picks them up and opens doors."""

from __future__ import annotations

import random
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigrid.minigrid_env import MiniGridEnv

TURN_LEFT, TURN_RIGHT, FORWARD, PICK_UP, PUT_DOWN, TOGGLE = range(6)
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""The change of column and row by one step forward, for each direction of the agent."""

THING_TARGET_SHARE = 0.75  # how often the next target is a thing or a door instead of a free cell
NO_OP_SHARE = 0.15  # how often an impossible action is tried, if there is one
KEEP_CARRYING_SHARE = 0.5  # how often the carried thing is kept on reaching a free cell

ACTION = re.compile(r"turn left|turn right|go forward|(?:pick up|put down|open|close|unlock) the \w+ \w+")
"""An action in words, as `list_choices` writes it."""

Cell = tuple[int, int]


@dataclass(frozen=True)
class Choice:
    """An action in words, its number in MiniGrid, and whether it would change anything here."""

    words: str
    action: int
    effective: bool


def list_choices(env: MiniGridEnv) -> list[Choice]:
    """The actions that can be tried here; those that name a thing mean the one in front of the agent."""
    ahead = env.grid.get(*env.front_pos)
    found = [
        Choice("turn left", TURN_LEFT, True),
        Choice("turn right", TURN_RIGHT, True),
        Choice("go forward", FORWARD, is_passable(ahead)),
    ]
    if ahead is not None and ahead.can_pickup():
        found.append(Choice(f"pick up the {thing_name(ahead)}", PICK_UP, env.carrying is None))
    if ahead is not None and ahead.type == "door":
        verb = "close" if ahead.is_open else "unlock" if ahead.is_locked and has_key(env, ahead) else "open"
        found.append(Choice(f"{verb} the {thing_name(ahead)}", TOGGLE, not ahead.is_locked or has_key(env, ahead)))
    if env.carrying is not None and ahead is None:
        found.append(Choice(f"put down the {thing_name(env.carrying)}", PUT_DOWN, True))
    return found


def is_action(words: str) -> bool:
    """Whether words are an action here or on some other cell."""
    return bool(ACTION.fullmatch(words))


def is_passable(thing: Any) -> bool:
    """Whether the agent can step onto a cell with this thing, or None if it is empty."""
    return thing is None or thing.can_overlap()


def thing_name(thing: Any) -> str:
    """The colour and type of a thing."""
    return f"{thing.color} {thing.type}"


def has_key(env: MiniGridEnv, door: Any) -> bool:
    """Whether the agent carries the door's key."""
    return env.carrying is not None and env.carrying.type == "key" and env.carrying.color == door.color


def is_useful(env: MiniGridEnv, thing: Any) -> bool:
    """Whether the agent can currently do something with a thing."""
    if thing.type == "door":
        return not thing.is_locked or has_key(env, thing)
    return thing.can_pickup() and env.carrying is None


class Walker:
    """Plays an environment: picks a target, walks there by a shortest path and acts there."""

    def __init__(self, env: MiniGridEnv, rng: random.Random) -> None:
        self.env = env
        self.rng = rng
        self.target: Cell | None = None
        # In random order: the first turn is preferred when both are equally short.
        self.turns = rng.sample(((TURN_LEFT, -1), (TURN_RIGHT, 1)), 2)

    def step(self) -> str:
        """Play one action and return it in words."""
        known = list_choices(self.env)
        ineffective = [choice for choice in known if not choice.effective]
        if ineffective and self.rng.random() < NO_OP_SHARE:
            chosen = self.rng.choice(ineffective)
        else:
            chosen = self._choose_effective([choice for choice in known if choice.effective])
        self.env.step(chosen.action)
        return chosen.words

    def _choose_effective(self, known: list[Choice]) -> Choice:
        """An action on the cell in front if it is the target, else the next step of the path."""
        if self.target is not None and self.target == tuple(self.env.front_pos):
            left, self.target = self.target, None
            actions_here = [choice for choice in known if choice.action in (PICK_UP, PUT_DOWN, TOGGLE)]
            if actions_here and (self.env.grid.get(*left) is not None or self.rng.random() >= KEEP_CARRYING_SHARE):
                return self.rng.choice(actions_here)
        first = self._first_action_towards(self.target)
        if first is None:
            self.target = self._new_target()
            first = self._first_action_towards(self.target)
        wanted = [choice for choice in known if choice.action == first]
        return wanted[0] if wanted else self.rng.choice([choice for choice in known if choice.action <= FORWARD])

    def _new_target(self) -> Cell | None:
        """A random cell that can be reached and faced, mostly one where something can be done."""
        grid = self.env.grid
        ahead = tuple(self.env.front_pos)
        places = [(x, y) for y in range(grid.height) for x in range(grid.width) if (x, y) != ahead]
        reachable = [place for place in places if self._first_action_towards(place) is not None]
        things = [place for place in reachable if grid.get(*place) and is_useful(self.env, grid.get(*place))]
        free = [place for place in reachable if is_passable(grid.get(*place))]
        pool = things if things and self.rng.random() < THING_TARGET_SHARE else free
        return self.rng.choice(pool) if pool else None

    def _first_action_towards(self, target: Cell | None) -> int | None:
        """The first action of a shortest path to face the target; None if there is no path or none is needed."""
        here = (*map(int, self.env.agent_pos), int(self.env.agent_dir))
        queue: deque[tuple[tuple[int, int, int], int | None]] = deque([(here, None)])
        seen = {here}
        while target is not None and queue:
            (x, y, way), first = queue.popleft()
            front = (x + STEPS[way][0], y + STEPS[way][1])
            if front == target:
                return first
            following = [((x, y, (way + turned) % 4), turn) for turn, turned in self.turns]
            if is_passable(self.env.grid.get(*front)):
                following.append(((*front, way), FORWARD))
            for place, action in following:
                if place not in seen:
                    seen.add(place)
                    queue.append((place, action if first is None else first))
        return None
