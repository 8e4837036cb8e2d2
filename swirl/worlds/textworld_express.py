"""TextWorldExpress (Jansen & Côté 2023, Apache-2.0) as a world: four of its games, played half by their gold paths.

Doors are left out because a door shows in two rooms at once; `textworld_express_view` says how the state is made
complete. Recordings with seed 1000 or above take the games' seeds from the simulator's test fold, which has other
objects.
"""

from __future__ import annotations

import random
from typing import Any

from swirl.states import State
from swirl.worlds.base import Episode, UnknownActionError, is_held_out_seed, make_episode
from swirl.worlds.textworld_express_view import GameMemory

GAMES = {
    "twc": "numLocations=2,numItemsToPutAway=3,includeDoors=0,limitInventorySize=0",
    "cookingworld": "numLocations=2,numIngredients=2,numDistractorItems=2,includeDoors=0,limitInventorySize=0",
    "sorting": "",
    "mapreader": "numLocations=5,maxDistanceApart=3,maxDistractorItemsPerLocation=2,includeDoors=0",
}
ACTING = frozenset({"open", "close", "take", "put", "move", "cook", "slice", "dice", "chop"})
"""Verbs that change the world whenever they are valid; in 40 000 measured steps, each always did."""

GOLD_ONLY = frozenset({"prepare", "eat"})
"""Acting verbs that end a game; they are played only where the gold path has them."""

FOLLOW_GOLD = 0.5
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}


class TextWorldExpress:
    """The world `textworld-express`; `env` is a running `TextWorldExpressEnv`."""

    name = "textworld-express"

    def __init__(self, env: Any) -> None:
        self.env = env

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions of the game number `seed` mod 4, mixing its gold path with random actions.

        The episode ends early if the game is won. Only acting verbs are played, so nearly every step changes the state.
        """
        rng = random.Random(seed)
        view, observed = self._begin(rng, seed)
        gold = [action for action in self.env.getGoldActionSequence() if verb(action) in ACTING | GOLD_ONLY]
        states, actions = [State(view.text())], []
        while len(actions) < length and not observed["tasksuccess"]:
            action = choose_action(rng, sorted(observed["validActions"]), gold)
            if action is None:
                break
            observed = self.step(view, action)
            states.append(State(view.text()))
            actions.append(action)
        return make_episode(states, actions)

    def start(self, seed: int) -> TextWorldExpressGame:
        """The game at the start of an episode; it ends the game before it."""
        view, observed = self._begin(random.Random(seed), seed)
        return TextWorldExpressGame(self, view, observed)

    def _begin(self, rng: random.Random, seed: int) -> tuple[GameMemory, dict[str, Any]]:
        """A new game that was scouted, what is known of it, and what the simulator says."""
        start = self._reset_arguments(rng, list(GAMES)[seed % len(GAMES)], is_held_out_seed(seed))
        view = GameMemory()
        self._scout(view, start)
        _, observed = self.env.reset(**start, generateGoldPath=True)
        view.update(observed["look"], observed["inventory"])
        return view, observed

    def step(self, view: GameMemory, action: str) -> dict[str, Any]:
        """Play an action of the simulator and remember what it shows."""
        observed = self.env.step(action)[3]
        view.update(observed["look"], observed["inventory"])
        return observed

    def _reset_arguments(self, rng: random.Random, game: str, unseen: bool) -> dict[str, Any]:
        """The arguments of `reset` for a random game; about 3 % of mapreader's seeds crash it and are skipped."""
        from py4j.protocol import Py4JJavaError

        seeds = self.env.getValidSeedsTest() if unseen else self.env.getValidSeedsTrain()
        start = {"gameFold": "test" if unseen else "train", "gameName": game, "gameParams": GAMES[game]}
        while True:
            start["seed"] = rng.choice(seeds)
            try:
                self.env.reset(**start)
            except Py4JJavaError:
                continue
            return start

    def _scout(self, view: GameMemory, start: dict[str, Any]) -> None:
        """Walk through a copy of the game and open everything once, so that the view knows every room and container."""
        _, observed = self.env.reset(**start)
        view.update(observed["look"], observed["inventory"])
        self._scout_room(view, observed)
        # The copy is discarded; in the game to be played, everything that was opened is still closed.
        for room in view.rooms.values():
            for thing in room.things.values():
                thing.closed = thing.closed or thing.openable

    def _scout_room(self, view: GameMemory, observed: dict[str, Any]) -> None:
        for action in sorted(observed["validActions"]):
            if verb(action) == "open":
                self.step(view, action)
        for way, room in list(view.rooms[view.current_room].exits):
            if room not in view.rooms:
                self._scout_room(view, self.step(view, f"move {way}"))
                self.step(view, f"move {OPPOSITE[way]}")


class TextWorldExpressGame:
    """One game while it is being played, until the world starts the next one."""

    def __init__(self, world: TextWorldExpress, view: GameMemory, observed: dict[str, Any]) -> None:
        self.world, self.view, self.observed = world, view, observed

    @property
    def state(self) -> State:
        """All rooms and containers as text."""
        return State(self.view.text())

    def actions(self) -> list[str]:
        """The simulator's valid actions that change something."""
        return [action for action in sorted(self.observed["validActions"]) if verb(action) in ACTING | GOLD_ONLY]

    def act(self, action: str) -> None:
        """Play an action; one that is not valid here changes nothing. Raises UnknownActionError for other verbs."""
        words = " ".join(action.split())
        if words in self.observed["validActions"]:
            self.observed = self.world.step(self.view, words)
        elif verb(words) not in ACTING | GOLD_ONLY:
            raise UnknownActionError(f"{action!r} is not an action of TextWorldExpress")


def verb(action: str) -> str:
    """The first word of an action."""
    return action.split(" ", 1)[0]


def choose_action(rng: random.Random, valid: list[str], gold: list[str]) -> str | None:
    """The next gold action, removed from the list, or a random acting one: a verb is chosen first, then its object."""
    if gold and gold[0] in valid and rng.random() < FOLLOW_GOLD:
        return gold.pop(0)
    acting = [action for action in valid if verb(action) in ACTING]
    if not acting:
        return None
    kind = rng.choice(sorted({verb(action) for action in acting}))
    return rng.choice([action for action in acting if verb(action) == kind])
