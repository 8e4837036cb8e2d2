"""The rules of Household: a small house described in plain English, fully observable, with side effects to learn.

It has a hall with three rooms around it, a cellar door, a chest that cannot be moved, a box that can be carried, three
things to carry, and a lamp in every room but the hall. What you carry moves with you, the box moves with its content,
the switch works the lamp of the room you are in, and a shut door, box or chest stops you. Standard library only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from swirl.worlds.base import UnknownActionError
from swirl.worlds.household_wordings import WORDINGS

ROOMS = ("hall", "kitchen", "cellar", "attic")
THINGS = ("apple", "book", "coin", "cup", "key", "rope")
LAMP_ROOMS = ("kitchen", "cellar", "attic")
MAX_HELD = 2  # how many things can be held at once, including the box


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


def read_house(text: str) -> House:
    """The house that `House.text` describes. Raises ValueError for any other text."""
    values: dict[str, Any] = {"things": {}, "lit": {}}
    for sentence in text.removesuffix(".").replace(",", "").split(". "):
        match sentence.split():
            case ["you", "are", "in", room]:
                values["player_room"] = room
            case ["box", "in", room, placement, opened]:
                values |= {"box": Thing(room, placement), "box_open": opened == "open"}
            case ["chest", "in", room, opened]:
                values |= {"chest_room": room, "chest_open": opened == "open"}
            case ["cellar", "door", opened]:
                values["door_open"] = opened == "open"
            case [name, "in", room, placement]:
                values["things"][name] = Thing(room, placement)
            case [room, light]:
                values["lit"][room] = light == "lit"
    if {"player_room", "box", "chest_room", "door_open"} <= values.keys() and (house := House(**values)).text() == text:
        return house
    raise ValueError(f"{text!r} is not a state of Household")


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
    """The next state. An action, in any wording, that is impossible here leaves the house as it is.

    Raises ValueError for words that are not an action of this world.
    """
    standard = WORDINGS.standard(action)
    verb, _, rest = standard.partition(" ")
    noun = rest.removeprefix("the ")
    if standard in ("flip the switch", "turn on the lamp", "turn off the lamp"):
        here = house.player_room
        on = {"flip": not house.lit.get(here), "turn": rest.startswith("on ")}[verb]
        return replace(house, lit=house.lit | {here: on}) if here in house.lit else house
    if standard == "leave the room":
        return go(house, "hall")
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
    raise UnknownActionError(f"{action!r} is not an action of Household")


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
