"""The stateful tools of the Berkeley Function Calling Leaderboard (Patil et al. 2025, Apache-2.0) as a world.

An episode takes one record's tool in its initial state and plays the record's true calls, random sensible calls among
them: files, a vehicle, trading, travel, tickets, messages, posts. A state shows what the calls can change, and an
action is a call by name. Recordings of seed 1000 and above play records that smaller seeds never play.
"""

from __future__ import annotations

import ast
import copy
import json
import random
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.states import State
from swirl.worlds.base import Episode, episode_of, held_out
from swirl.worlds.bfcl_calls import CALLS, Call
from swirl.worlds.bfcl_view import numbered, text

MODULES = {
    "GorillaFileSystem": "gorilla_file_system",
    "VehicleControlAPI": "vehicle_control",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TicketAPI": "ticket_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
}
SOURCES = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
RECORDS = "BFCL_v4_multi_turn_base.json"
UNSEEN = 4
"""Every fourth record is for held-out seeds."""

TRUE_CALLS = 0.4  # how often the record's next call is played, where one is left
IN_VAIN = 0.08  # how often a call that changes nothing visible is played all the same
TRIES = 20
DRAWN = frozenset({"booking_id", "insurance_id", "card_id"})
"""Keys of answers whose values the tools draw at random."""
NEVER_SAID = frozenset({"access_token"})
"""Arguments that are left out of the action's words: they are the same all along."""


class Bfcl:
    """The world `bfcl`; needs the package bfcl-eval. Raises SwirlError if that has another layout."""

    name = "bfcl"

    def __init__(self) -> None:
        try:
            folder = Path(str(import_module("bfcl_eval").__file__)).parent / "data"
            records, answers = lines(folder / RECORDS), lines(folder / "possible_answer" / RECORDS)
            self.classes = {name: getattr(import_module(f"{SOURCES}.{file}"), name) for name, file in MODULES.items()}
        except (ImportError, AttributeError, OSError, ValueError) as error:
            raise SwirlError(
                f"This bfcl-eval cannot be played ({error}); pip install --no-deps bfcl-eval==2026.3.23."
            ) from error
        calls = {answer["id"]: [call for turn in answer["ground_truth"] for call in turn] for answer in answers}
        self.tools: dict[tuple[str, bool], list[tuple[dict[str, Any], list[str]]]] = defaultdict(list)
        for number, record in enumerate(records):
            for name in MODULES.keys() & set(record["involved_classes"]):
                scenario = record["initial_config"].get(name, {})
                self.tools[name, number % UNSEEN == UNSEEN - 1].append((scenario, calls.get(record["id"], [])))

    def episode(self, seed: int, length: int) -> Episode:
        """Exactly `length` calls of the tool number `seed` mod 7, the same for the same seed."""
        rng = random.Random(f"bfcl-{seed}")
        name = list(MODULES)[seed % len(MODULES)]
        scenario, waiting = rng.choice(self.tools[name, held_out(seed)])
        play = Play(self.classes[name](), scenario)
        true_calls = [call for source in waiting if (call := parsed(source, play.tool)) is not None]
        states, actions = [State(play.seen())], []
        for _ in range(length):
            call = true_calls.pop(0) if true_calls and rng.random() < TRUE_CALLS else None
            if call is None or not (play.changes(call) or rng.random() < IN_VAIN):
                call = play.sensible(rng)
            actions.append(numbered(in_words(call), play.drawn))
            play.call(call)
            states.append(State(play.seen()))
        return episode_of(states, actions)


class Play:
    """One tool in play, with the random ids it has drawn so far."""

    def __init__(self, tool: Any, scenario: dict[str, Any]) -> None:
        self.tool = tool
        self.tool._load_scenario(copy.deepcopy(scenario))
        cards, bookings = getattr(tool, "credit_card_list", {}), getattr(tool, "booking_record", {})
        self.drawn = [str(key) for key in (*cards, *bookings)]

    def seen(self) -> str:
        """What the tool's state looks like now."""
        return text(self.tool, self.drawn)

    def call(self, call: Call) -> None:
        """Play a call; one that the tool refuses, by an answer or by raising, changes nothing."""
        before, (name, arguments) = copy.deepcopy(self.tool), call
        try:
            answer = getattr(self.tool, name)(**arguments)
        except Exception:  # the tools raise whatever their own code runs into
            self.tool, answer = before, None
        if isinstance(answer, dict):
            new = [str(answer[key]) for key in sorted(DRAWN & answer.keys())]
            self.drawn += [identity for identity in new if identity not in self.drawn]

    def changes(self, call: Call) -> bool:
        """Whether a call would change what is seen."""
        trial = copy.copy(self)
        trial.tool, trial.drawn = copy.deepcopy(self.tool), list(self.drawn)
        trial.call(call)
        return trial.seen() != self.seen()

    def sensible(self, rng: random.Random) -> Call:
        """A random call that changes what is seen, mostly."""
        for _ in range(TRIES):
            call = rng.choice(CALLS[type(self.tool).__name__](self.tool, rng))
            if self.changes(call) or rng.random() < IN_VAIN:
                break
        return call


def lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parsed(source: str, tool: Any) -> Call | None:
    """A true call of this tool, from its source `name(key='value')`; None for another tool's or a nested one.

    Nothing is evaluated: the arguments must be literals.
    """
    try:
        tree = ast.parse(source.strip(), mode="eval").body
        if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.func.id.startswith("_"):
            return None
        method = getattr(type(tool), tree.func.id, None)
        if method is None:
            return None
        names = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        given = dict(zip(names, map(ast.literal_eval, tree.args), strict=False))
        given |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in tree.keywords}
    except (SyntaxError, ValueError):
        return None
    return tree.func.id, given


def in_words(call: Call) -> str:
    """A call as `name(key='value')`."""
    name, arguments = call
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items() if key not in NEVER_SAID)})"
