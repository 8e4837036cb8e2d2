"""What goes wrong and what happens by itself in the noisy regime of Household."""

from __future__ import annotations

import random
from dataclasses import replace

from swirl.worlds.household_rules import LAMP_ROOMS, ROOMS, House, Thing, act, go, with_thing
from swirl.worlds.household_wordings import WORDINGS


def slip(house: House, action: str, rng: random.Random) -> House:
    """What an effective action does when it slips: you walk elsewhere, or a thing falls to the floor or rolls away.

    Doors, lids and switches just do not work.
    """
    match WORDINGS.standard(action).split():
        case ["go", *_]:
            return go(house, rng.choice(ROOMS))
        case ["take" | "put", "the", name, *_]:
            thing = house.box if name == "box" else house.things[name]
            return with_thing(house, name, replace(thing, placement="lying"))
        case ["drop", "the", "box"]:
            return replace(act(house, action), box_open=not house.box_open)
        case ["drop", "the", name]:
            rooms = neighbours(house, house.player_room) or [house.player_room]
            return with_thing(house, name, Thing(rng.choice(rooms), "lying"))
        case _:
            return house


def neighbours(house: House, room: str) -> list[str]:
    """The rooms that a room is open to."""
    connected = [other for other in ROOMS if other != room and "hall" in (room, other)]
    return [other for other in connected if house.door_open or "cellar" not in (room, other)]


def distractions(house: House) -> dict[str, list[House]]:
    """The states after each kind of change that no action causes."""
    lids = [replace(house, box_open=not house.box_open), replace(house, chest_open=not house.chest_open)]
    return {
        "a lamp flickers": [replace(house, lit=house.lit | {room: not house.lit[room]}) for room in LAMP_ROOMS],
        "the door bangs": [replace(house, door_open=not house.door_open)],
        "a lid moves": lids,
        "a thing rolls to another room": [
            with_thing(house, name, Thing(room, "lying"))
            for name, thing in house.things.items()
            if thing.placement == "lying"
            for room in neighbours(house, thing.room)
        ],
    }
