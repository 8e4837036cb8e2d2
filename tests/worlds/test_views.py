"""Reading the simulators' texts into short states, without Java or a simulator."""

import pytest

from swirl.worlds.scienceworld import is_needless, possible_actions
from swirl.worlds.scienceworld_view import read_item, read_scene
from swirl.worlds.textworld_express_view import GameMemory, read_room

KITCHEN = (
    "You are in the kitchen. In one part of the room you see a stove. There is also a fridge that is closed. You also "
    "see a counter that has a banana, and a cookbook on it. In another part of the room you see an open drawer, that "
    "contains a knife. There is also a dining chair, that has nothing on it. \nTo the North you see the pantry. "
)
PANTRY = "You are in the pantry. In one part of the room you see some salt. \nTo the South you see the kitchen. "
EMPTY = "Inventory (maximum capacity is 2 items): \n  Your inventory is currently empty.\n"

LOOK = """This room is called the kitchen. In it, you see:
\tthe agent
\ta substance called air
\ta chair. On the chair is: nothing.
\ta counter. On the counter is: a bowl (containing a red apple, a banana), a drawer.
\ta sink, which is turned on. In the sink is: a metal pot (containing a substance called water).
\ta oven, which is turned off. The oven door is closed.
\ta thermometer, currently reading a temperature of 10 degrees celsius
\ta stopwatch, which is deactivated. The time reads 0 ticks.
You also see:
\tA door to the hallway (that is open)
\tA door to the bathroom (that is closed)
"""
INVENTORY = "In your inventory, you see:\n\tan orange\n"


def test_a_room_of_textworld_express():
    room = read_room(KITCHEN)
    assert (room.name, room.exits) == ("kitchen", [("north", "pantry")])
    assert {name: (thing.closed, thing.openable, thing.contents) for name, thing in room.things.items()} == {
        "stove": (False, False, None),
        "fridge": (True, False, None),
        "counter": (False, False, ["banana", "cookbook"]),
        "drawer": (False, True, ["knife"]),
        "dining chair": (False, False, []),
    }


def test_the_memory_keeps_other_rooms_and_closed_containers():
    view = GameMemory()
    view.update(PANTRY, EMPTY)
    view.update(KITCHEN.replace("a fridge that is closed", "an open fridge, that contains some milk"), EMPTY)
    view.update(KITCHEN, EMPTY.replace("Your inventory is currently empty.", "a hat\n  an apple"))
    assert view.text() == (
        "You are in the kitchen, carrying apple, hat. Kitchen (north: pantry): stove; fridge, closed: milk; counter: "
        "banana, cookbook; drawer, open: knife; dining chair. Pantry (south: kitchen): salt."
    )


def test_a_scene_of_scienceworld_is_sorted_without_clocks():
    scene = read_scene(LOOK, INVENTORY)
    assert scene.text() == (
        "You are in the kitchen, carrying orange. Here: chair; counter (bowl (banana, red apple), drawer); oven off "
        "closed; sink on (metal pot (water)); stopwatch deactivated; thermometer. Doors: bathroom closed, hallway open."
    )
    lines = LOOK.splitlines(keepends=True)
    shuffled = "".join([lines[0], *reversed(lines[1:9]), *lines[9:]])
    assert read_scene(shuffled.replace("10 degrees", "31 degrees"), INVENTORY) == scene


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("a cupboard. The cupboard door is open. In the cupboard is: a drawer, a tin cup (containing nothing).",
         "cupboard open (drawer, tin cup)"),
        ("an inclined plane B, with:  a wood block approximately 14% down the plane",
         "inclined plane B (wood block approximately 14% down the plane)"),
        ("a table. On the table is: a green light bulb, which is off, a orange wire.",
         "table (green light bulb off, orange wire)"),
        ("a red wireits terminal 1 is connected to: nothing. its terminal 2 is connected to: nothing.", "red wire"),
        ("a bed. On the bed is: a mattress. On the mattress is: a white pillow..", "bed (mattress (white pillow))"),
        ("a drawer. The drawer is closed", "drawer closed"),
    ],
)  # fmt: skip
def test_things_of_scienceworld(words, text):
    assert read_item(words).text() == text


def test_possible_actions_are_unambiguous():
    scene = read_scene(LOOK + "\tA door to the attic (that is closed)\n", INVENTORY)
    actions = possible_actions(scene, leave=True)
    hands = {
        "pick up banana",
        "pick up thermometer",
        "pick up metal pot",
        "move orange to sink",
        "move orange to chair",
    }
    others = {"open oven", "activate oven", "deactivate sink", "go to hallway", "open door to bathroom"}
    assert hands | others <= set(actions)
    assert not {"move orange to oven", "pick up orange", "pick up water", "pick up chair"} & set(actions)
    assert not any(action.startswith("go ") or "door to" in action for action in possible_actions(scene, leave=False))
    twice = read_scene(LOOK.replace("a red apple", "an orange"), INVENTORY)
    assert not any("orange" in action for action in possible_actions(twice, leave=True))


@pytest.mark.parametrize(
    ("action", "expected"),
    [("open door to hallway", True), ("open door to bathroom", False), ("activate sink", True),
     ("deactivate sink", False), ("pick up orange", True), ("pick up banana", False),
     ("pour metal pot into metal pot", True), ("move orange to sink", False)],
)  # fmt: skip
def test_gold_actions_that_would_change_nothing(action, expected):
    assert is_needless(read_scene(LOOK, INVENTORY), action) is expected
