"""Household: a small house described in plain English, fully observable and deterministic, with side effects to learn.

It has a hall with three rooms around it, a cellar door, a chest that cannot be moved, a box that can be carried, three
things to carry, and a lamp in every room but the hall. What you carry moves with you, the box moves with its content,
the switch works the lamp of the room you are in, and a shut door, box or chest stops you. Standard library only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from swirl.states import State
from swirl.worlds.base import Episode, choose_by_verb, make_episode

ROOMS = ("hall", "kitchen", "cellar", "attic")
THINGS = ("apple", "book", "coin", "cup", "key", "rope")
LAMP_ROOMS = ("kitchen", "cellar", "attic")
MAX_HELD = 2  # how many things can be held at once, including the box
NO_OP_SHARE = 0.05
# How often each verb is chosen where it is possible; carrying and storing are the hardest to learn.
VERB_WEIGHTS = {"go": 4, "take": 4, "drop": 2, "put": 4, "open": 2, "shut": 1, "flip": 1}


@dataclass(frozen=True)
class Thing:
    """A thing to carry: its room and its placement there: lying, held, boxed or chested."""

    room: str
    placement: str


@dataclass(frozen=True)
class House:
    """The complete state; `things` is in the order in which the text names them."""

    player_room: str
    things: dict[str, Thing]
    box: Thing
    box_open: bool
    chest_room: str
    chest_open: bool
    door_open: bool
    lit: dict[str, bool] = field(default_factory=dict)

    def text(self) -> str:
        """The complete state in short plain English."""
        facts = [f"you are in {self.player_room}."]
        facts += [f"{name} in {thing.room}, {thing.placement}." for name, thing in self.things.items()]
        facts.append(f"box in {self.box.room}, {self.box.placement}, {'open' if self.box_open else 'shut'}.")
        facts.append(f"chest in {self.chest_room}, {'open' if self.chest_open else 'shut'}.")
        facts.append(f"cellar door {'open' if self.door_open else 'shut'}.")
        facts += [f"{room} {'lit' if lit else 'dark'}." for room, lit in self.lit.items()]
        return " ".join(facts)

    def held_count(self) -> int:
        """The number of things held."""
        return sum(thing.placement == "held" for thing in (*self.things.values(), self.box))


def random_house(rng: random.Random) -> House:
    """A random but sensible house."""
    box = Thing(rng.choice(ROOMS), "lying")
    chest_room = rng.choice(ROOMS)
    things = {}
    for name in rng.sample(THINGS, 3):
        placement = rng.choices(("lying", "boxed", "chested"), (3, 1, 1))[0]
        room = {"boxed": box.room, "chested": chest_room}.get(placement, rng.choice(ROOMS))
        things[name] = Thing(room, placement)
    return House(
        player_room=rng.choice(ROOMS),
        things=things,
        box=box,
        box_open=rng.random() < 0.5,
        chest_room=chest_room,
        chest_open=rng.random() < 0.5,
        door_open=rng.random() < 0.7,
        lit={room: rng.random() < 0.5 for room in LAMP_ROOMS},
    )


def act(house: House, action: str) -> House:
    """The next state. An action that is impossible here leaves the house as it is.

    Raises ValueError for words that are not an action of this world.
    """
    verb, _, rest = action.partition(" ")
    noun = rest.removeprefix("the ")
    if action == "flip the switch":
        lit = {room: on != (room == house.player_room) for room, on in house.lit.items()}
        return replace(house, lit=lit)
    if verb == "go" and rest.removeprefix("to the ") in ROOMS:
        return go(house, rest.removeprefix("to the "))
    if verb in ("open", "shut") and noun in ("box", "chest", "door"):
        return open_or_shut(house, noun, verb == "open")
    if verb == "take" and (noun == "box" or noun in THINGS):
        return take(house, noun)
    if verb == "drop" and (noun == "box" or noun in THINGS):
        return drop(house, noun)
    if verb == "put":
        thing, _, place = noun.partition(" in the ")
        if thing in THINGS and place in ("box", "chest"):
            return put(house, thing, place)
    raise ValueError(f"{action!r} is not an action of Household")


def go(house: House, room: str) -> House:
    """Walk to a room; every room is connected to the hall only, the cellar through its door."""
    if room == house.player_room or "hall" not in (room, house.player_room):
        return house
    if "cellar" in (room, house.player_room) and not house.door_open:
        return house
    box = replace(house.box, room=room) if house.box.placement == "held" else house.box
    things = {
        name: replace(thing, room=room)
        if thing.placement == "held" or (thing.placement == "boxed" and house.box.placement == "held")
        else thing
        for name, thing in house.things.items()
    }
    return replace(house, player_room=room, things=things, box=box)


def open_or_shut(house: House, noun: str, opened: bool) -> House:
    """Open or shut the box or chest in this room, or the cellar door from either side."""
    if noun == "box" and house.box.room == house.player_room:
        return replace(house, box_open=opened)
    if noun == "chest" and house.chest_room == house.player_room:
        return replace(house, chest_open=opened)
    if noun == "door" and house.player_room in ("hall", "cellar"):
        return replace(house, door_open=opened)
    return house


def take(house: House, name: str) -> House:
    """Pick up a thing within reach, if a hand is free."""
    thing = house.box if name == "box" else house.things.get(name)
    if thing is None or thing.room != house.player_room or thing.placement == "held" or house.held_count() >= MAX_HELD:
        return house
    if (thing.placement == "boxed" and not house.box_open) or (thing.placement == "chested" and not house.chest_open):
        return house
    return with_thing(house, name, replace(thing, placement="held"))


def drop(house: House, name: str) -> House:
    """Put down a held thing."""
    thing = house.box if name == "box" else house.things.get(name)
    if thing is None or thing.placement != "held":
        return house
    return with_thing(house, name, replace(thing, placement="lying"))


def put(house: House, name: str, place: str) -> House:
    """Put a held thing into the open box or chest of this room."""
    thing = house.things.get(name)
    room, opened = (house.box.room, house.box_open) if place == "box" else (house.chest_room, house.chest_open)
    if thing is None or thing.placement != "held" or room != house.player_room or not opened:
        return house
    return with_thing(house, name, replace(thing, placement="boxed" if place == "box" else "chested"))


def with_thing(house: House, name: str, thing: Thing) -> House:
    """The house with one thing, or the box, changed."""
    return replace(house, box=thing) if name == "box" else replace(house, things={**house.things, name: thing})


def actions(house: House) -> list[str]:
    """Every action that can be worded here, possible or not."""
    carried = [*house.things, "box"]
    return [
        *(f"go to the {room}" for room in ROOMS),
        *(f"take the {name}" for name in carried),
        *(f"drop the {name}" for name in carried),
        *(f"put the {name} in the {place}" for name in house.things for place in ("box", "chest")),
        *(f"{verb} the {noun}" for verb in ("open", "shut") for noun in ("box", "chest", "door")),
        "flip the switch",
    ]


class Household:
    """The world `household`; an episode is a random walk that mostly changes something."""

    name = "household"

    def episode(self, seed: int, length: int) -> Episode:
        """Play an episode of `length` actions, the same for the same seed."""
        rng = random.Random(f"household-{seed}")
        house = random_house(rng)
        states, played = [State(house.text())], []
        for _ in range(length):
            played.append(self.choose_action(house, rng))
            house = act(house, played[-1])
            states.append(State(house.text()))
        return make_episode(states, played)

    def choose_action(self, house: House, rng: random.Random) -> str:
        """Choose a verb first, then its object, so that verbs with few objects are not rare."""
        possible = actions(house)
        effective = [action for action in possible if act(house, action) != house]
        pool = effective if rng.random() >= NO_OP_SHARE else [a for a in possible if a not in effective]
        return choose_by_verb(pool, VERB_WEIGHTS, rng)
