"""Reads ScienceWorld's `look` and `inventory` into a scene and writes it as one short state.

The simulator names the things of a room in an order that changes from run to run; here they are sorted. The agent,
the air, empty inner lists, and what only a clock or a thermometer shows are left out, since no state predicts it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ROOM = re.compile(r"is called the (.+?)\.")
DOOR = re.compile(r"^A door to the (.+?) \(that is (open|closed)\)$")
ARTICLE = re.compile(r"^(?:an?|the|A) ")
STATUS = re.compile(r",? ?(?:which is (?:turned )?(\w+)|currently reading a temperature of -?\d+ degrees celsius)")
OPENING = re.compile(r"\.? The [^.]*? is (open|closed)\.?")
SLOPE = re.compile(r" ((?:approximately \d+% down|at the \w+ of) the plane)")
READING = re.compile(r"\.? ?The time reads \d+ ticks\.?")
WIRING = re.compile(r"\.? ?its (?:anode|cathode|terminal \d)\b.*$")
INSIDE = re.compile(
    r"^(.*?)(?: \(containing (.*)\)|\. ?(?:On|In) the [^:]*?(?: is|you see): ?(.*)|, with: ?(.*))$", re.DOTALL
)
COMMA = re.compile(r", (?!which is|currently|with:)")
OMITTED_ITEMS = frozenset({"agent", "air", "nothing", ""})


@dataclass(frozen=True)
class Item:
    """A thing: its name, status (open, closed, on, off …), and what is in or on it (None if it is not a container)."""

    name: str
    status: tuple[str, ...] = ()
    contents: tuple[Item, ...] | None = None

    def text(self) -> str:
        """The thing as text, such as `sink on (metal pot (water))`."""
        inside = f" ({', '.join(item.text() for item in self.contents)})" if self.contents else ""
        return " ".join((self.name, *self.status)) + inside

    def walk(self) -> Iterator[Item]:
        """Yield this thing and everything in it."""
        yield self
        for item in self.contents or ():
            yield from item.walk()


@dataclass(frozen=True)
class Scene:
    """What the agent sees: its room, what it carries, the things here, and the doors, each `open` or `closed`."""

    room: str
    carried: tuple[Item, ...]
    things: tuple[Item, ...]
    doors: dict[str, str]

    def text(self) -> str:
        """The state in short plain English."""
        carried = ", ".join(item.text() for item in self.carried) or "nothing"
        things = "; ".join(item.text() for item in self.things) or "nothing"
        doors = ", ".join(f"{room} {status}" for room, status in sorted(self.doors.items())) or "none"
        return f"You are in the {self.room}, carrying {carried}. Here: {things}. Doors: {doors}."


def read_item(text: str) -> Item:
    """Parse a thing from the simulator's text, e.g. `a sink, which is turned off. In the sink is: nothing.`"""
    text = READING.sub("", WIRING.sub("", text.strip().rstrip(". ")))
    inside = INSIDE.match(text)
    head, listed = text, None
    if inside:
        head, listed = inside[1], next(part for part in inside.groups()[1:] if part is not None)
    status = [word for form in (STATUS, OPENING, SLOPE) for word in form.findall(head) if word]
    for form in (STATUS, OPENING, SLOPE):
        head = form.sub("", head)
    name = ARTICLE.sub("", head.strip(". "))
    name = re.sub(r"\s+", " ", name.removeprefix("substance called "))
    return Item(name, tuple(status), None if listed is None else read_items(split_list(listed)))


def read_items(texts: list[str]) -> tuple[Item, ...]:
    """Parse things, without OMITTED_ITEMS, sorted."""
    return tuple(sorted((item for item in map(read_item, texts) if item.name not in OMITTED_ITEMS), key=Item.text))


def split_list(listed: str) -> list[str]:
    """Split a list in words at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(listed):
        depth += (letter == "(") - (letter == ")")
        if depth == 0 and COMMA.match(listed, i):
            parts.append(listed[start:i])
            start = i + 2
    return [*parts, listed[start:]]


def read_scene(look: str, inventory: str) -> Scene:
    """Parse the texts of `look()` and `inventory()`. Raises ValueError if the look names no room."""
    room = ROOM.search(look)
    if room is None:
        raise ValueError(f"no room in {look!r}")
    lines = [line.strip() for line in look.splitlines()[1:] if line.strip()]
    doors = {match[1]: match[2] for match in map(DOOR.match, lines) if match}
    things = [line for line in lines if not DOOR.match(line) and line != "You also see:"]
    carried = [line.strip() for line in inventory.splitlines()[1:]]
    return Scene(room[1], read_items(carried), read_items(things), doors)
