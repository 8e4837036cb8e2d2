"""Reads TextWorldExpress's room descriptions and writes a whole game as one short state.

The simulator describes one room at a time and hides the content of closed containers, so no model could predict what a
move or an `open` shows. A GameMemory remembers every room and container it was shown, which makes the state complete.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LEAD = re.compile(r"^(?:In (?:one|another) part of the room you see|There is also|You also see) ")
ROOM = re.compile(r"^You are in (?:the )?(.+)$")
EXIT = re.compile(r"^To the (\w+) you see (?:the )?(.+)$")
ARTICLE = re.compile(r"^(?:an?|some|the) ", re.IGNORECASE)
CONTAINER_PATTERNS = (
    (re.compile(r"^(.+?),? that (?:has nothing on it|is empty)$"), False),
    (re.compile(r"^(.+?) that is closed$"), True),
    (re.compile(r"^(.+?),? that (?:has|contains) (.+?)(?: on it)?$"), False),
)


@dataclass
class Thing:
    """A thing in a room; `contents` is None if it is not a container or its inside was never seen."""

    name: str
    closed: bool = False
    openable: bool = False
    contents: list[str] | None = None


@dataclass
class Room:
    """A room: its exits as (direction, room name), and its things by name in the order of the description."""

    name: str
    exits: list[tuple[str, str]] = field(default_factory=list)
    things: dict[str, Thing] = field(default_factory=dict)


def strip_article(name: str) -> str:
    """A name without its article."""
    return ARTICLE.sub("", name.strip())


def parse_names(text: str) -> list[str]:
    """The names in `a banana, and a cookbook`, sorted because the simulator's order has no meaning."""
    return sorted(strip_article(part) for part in re.split(r", (?:and )?", text))


def read_thing(sentence: str) -> Thing:
    """Parse a thing from its sentence without the lead, e.g. `an open fridge, that contains some milk`."""
    for pattern, closed in CONTAINER_PATTERNS:
        match = pattern.match(sentence)
        if match:
            name = strip_article(match[1])
            openable = name.startswith("open ")
            contents = None if closed else parse_names(match[2]) if pattern.groups == 2 else []
            return Thing(name.removeprefix("open "), closed, openable, contents)
    return Thing(strip_article(sentence))


def read_room(look: str) -> Room:
    """Parse the text of `look around`. Raises ValueError if it names no room."""
    room: Room | None = None
    for sentence in re.split(r"\.\s+", look.strip().rstrip(".") + ". "):
        sentence = sentence.strip()
        if match := ROOM.match(sentence):
            room = Room(match[1])
        elif room is not None and (match := EXIT.match(sentence)):
            room.exits.append((match[1].lower(), match[2]))
        elif room is not None and sentence:
            thing = read_thing(LEAD.sub("", sentence))
            room.things[thing.name] = thing
    if room is None:
        raise ValueError(f"no room in {look!r}")
    return room


def read_inventory(text: str) -> list[str]:
    """Parse the inventory into the names of the carried things, sorted."""
    lines = [line.strip() for line in text.splitlines()[1:] if line.strip()]
    return sorted(strip_article(line) for line in lines if line != "Your inventory is currently empty.")


class GameMemory:
    """All rooms of a game that were shown, where the player is, and what it carries."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.current_room = ""
        self.carried: list[str] = []

    def update(self, look: str, inventory: str) -> None:
        """Update the memory with the current texts; a closed container keeps the contents it was last seen with."""
        room = read_room(look)
        known = self.rooms.get(room.name)
        for name, thing in room.things.items():
            before = known.things.get(name) if known else None
            if before is not None:
                thing.openable = thing.openable or before.openable
                if thing.closed:
                    thing.contents = before.contents
        self.rooms[room.name] = room
        self.current_room = room.name
        self.carried = read_inventory(inventory)

    def text(self) -> str:
        """The state in short plain English, with rooms sorted by name so that a move changes only the player's room."""
        carried = ", ".join(self.carried) or "nothing"
        rooms = " ".join(describe_room(self.rooms[name]) for name in sorted(self.rooms))
        return f"You are in the {self.current_room}, carrying {carried}. {rooms}"


def describe_room(room: Room) -> str:
    """A room as text: `Kitchen (east: pantry): stove; fridge, closed: milk; counter: banana, cookbook.`"""
    exits = f" ({', '.join(f'{way}: {name}' for way, name in sorted(room.exits))})" if room.exits else ""
    things = []
    for thing in room.things.values():
        door = ", closed" if thing.closed else ", open" if thing.openable else ""
        inside = f": {', '.join(thing.contents)}" if thing.contents else ""
        things.append(thing.name + door + inside)
    return f"{room.name.capitalize()}{exits}: {'; '.join(things) or 'nothing'}."
