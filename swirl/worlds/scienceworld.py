"""ScienceWorld (Wang et al. 2022, Apache-2.0) as a world: its tasks' gold paths mixed with random valid actions.

A state is the agent's room and what it carries, not the whole house, so what an action reveals (a room entered, a
cupboard opened) must be learned from other sequences; `scienceworld_view` says what else is left out. Only tasks
whose gold path and outcome are the same on every run are played. Recordings with seed 1000 or above play
HELD_OUT_TASKS, which smaller seeds never play.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import chain
from typing import Any

from swirl.states import State
from swirl.worlds.base import Episode, is_held_out_seed, make_episode
from swirl.worlds.scienceworld_view import Item, Scene, read_scene

TASKS = (
    "boil",
    "freeze",
    "chemistry-mix-paint-secondary-color",
    "find-non-living-thing",
    "inclined-plane-determine-angle",
    "measure-melting-point-unknown-substance",
)
HELD_OUT_TASKS = ("melt", "chemistry-mix-paint-tertiary-color", "inclined-plane-friction-named-surfaces")

FOLLOW_GOLD = 0.6
GOLD_VERBS = frozenset(
    {"open", "close", "go", "pick", "move", "activate", "deactivate", "pour", "mix", "wait", "wait1"}
)
"""The verbs of gold paths that are played; the others (look, examine, focus, use thermometer …) change nothing."""

FIXED_THINGS = frozenset(
    {"ground", "picture", "painting", "drawing", "finger painting", "drain", "drawer", "mattress", "white pillow"}
    | {"water", "salt water", "orange juice", "sodium chloride", "soapy water"}
)
"""Things without a switch or door that cannot be carried, and drawers, whose content is never shown."""

VESSELS = frozenset({"cup", "pot", "jar", "jug", "bowl"})
"""The last words of the names of containers that can be carried."""

CIRCUIT_DEVICES = frozenset({"bulb", "motor", "buzzer", "generator", "panel"})
"""The last words of the names of devices that only a circuit turns on; `activate` has no effect on them."""


class ScienceWorld:
    """The world `scienceworld`; `env` is a running `ScienceWorldEnv`."""

    name = "scienceworld"

    def __init__(self, env: Any) -> None:
        self.env = env

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions of a random variation of the task number `seed` mod their number.

        Actions that look or measure are left out, and an action that changed nothing is not repeated in the same room,
        so nearly every step changes the state.
        """
        rng = random.Random(seed)
        tasks = HELD_OUT_TASKS if is_held_out_seed(seed) else TASKS
        task = tasks[seed % len(tasks)]
        self.env.load(task, rng.randrange(self.env.get_max_variations(task)), "", generateGoldPath=True)
        gold = [action for action in self.env.get_gold_action_sequence() if action.split()[0] in GOLD_VERBS]
        self.env.server.reset()
        self.env.server.step("wait1")  # fountains fill and drains close in the first step, whatever the action
        scene = self._scene()
        states, actions, no_ops = [State(scene.text())], [], set()
        while len(actions) < length:
            action = choose_action(rng, scene, gold, no_ops)
            if action is None:
                break
            self.env.server.step(action)
            after = self._scene()
            if after == scene:
                no_ops.add((scene.room, action))
            scene = after
            states.append(State(scene.text()))
            actions.append(action)
        return make_episode(states, actions)

    def _scene(self) -> Scene:
        return read_scene(self.env.look(), self.env.inventory())


def choose_action(rng: random.Random, scene: Scene, gold: list[str], no_ops: set[tuple[str, str]]) -> str | None:
    """Choose the next gold action, removed from the list, or a random action; None if none is left.

    Only actions that can change something are chosen; `no_ops` are the rooms and actions that changed nothing before.
    """
    while gold and (is_needless(scene, gold[0]) or (scene.room, gold[0]) in no_ops):
        gold.pop(0)
    if gold and rng.random() < FOLLOW_GOLD:
        return gold.pop(0)
    valid = [action for action in possible_actions(scene, leave=not gold) if (scene.room, action) not in no_ops]
    if not valid:
        return gold.pop(0) if gold else None
    kind = rng.choice(sorted({action.split()[0] for action in valid}))
    return rng.choice([action for action in valid if action.split()[0] == kind])


def is_needless(scene: Scene, action: str) -> bool:
    """Whether the scene already is in the state that a gold action would bring about."""
    verb, _, rest = action.partition(" ")
    if rest.startswith("door to "):
        return scene.doors.get(rest.removeprefix("door to ")) == {"open": "open", "close": "closed"}.get(verb)
    statuses = {item.name: item.status for item in chain.from_iterable(thing.walk() for thing in scene.things)}
    done = {"open": "open", "activate": "on", "deactivate": "off"}.get(verb)
    if done is not None:
        hidden = verb == "open" and rest.startswith(("drawer", "glass jar"))
        return hidden or done in statuses.get(rest, ())
    if verb == "pick":
        return rest.removeprefix("up ") in {item.name for item in scene.carried}
    source, _, target = rest.partition(" to " if verb == "move" else " into " if " into " in rest else " in ")
    return source == target


def possible_actions(scene: Scene, *, leave: bool) -> list[str]:
    """The actions that are possible according to the scene, sorted; those that leave the room only if `leave`.

    Names that two visible things share are left out because the simulator would ask which one is meant.
    """
    seen = [item for thing in (*scene.things, *scene.carried) for item in thing.walk()]
    counts = Counter(item.name for item in seen)
    single = {item.name: item for item in seen if counts[item.name] == 1}
    carried = [item.name for item in scene.carried if item.name in single]
    actions = []
    for room, door in scene.doors.items():
        if leave:
            actions.append(f"go to {room}" if door == "open" else f"open door to {room}")
    for name, item in single.items():
        if name not in FIXED_THINGS:
            actions += [f"close {name}"] * ("open" in item.status) + [f"open {name}"] * ("closed" in item.status)
        if last_word(name) not in CIRCUIT_DEVICES:
            actions += [f"activate {name}"] * ("off" in item.status) + [f"deactivate {name}"] * ("on" in item.status)
        if is_portable(item) and name not in carried:
            actions.append(f"pick up {name}")
    places = [thing.name for thing in scene.things if thing.name in single and is_open_container(thing)]
    actions += [f"move {name} to {place}" for name in carried for place in places]
    return sorted(actions)


def is_portable(item: Item) -> bool:
    """Whether a thing can probably be carried: not furniture, a device, a liquid or powder, or a book with a title."""
    if item.status or item.name in FIXED_THINGS or item.name.endswith(" paint") or item.name.startswith("book ("):
        return False
    return item.contents is None or last_word(item.name) in VESSELS


def is_open_container(item: Item) -> bool:
    """Whether something can be put into or onto a thing: it is open and larger than a vessel."""
    return item.contents is not None and "closed" not in item.status and last_word(item.name) not in VESSELS


def last_word(name: str) -> str:
    """The last word of a name."""
    return name.rpartition(" ")[2]
