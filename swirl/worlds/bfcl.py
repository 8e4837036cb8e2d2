"""The stateful tools of the Berkeley Function Calling Leaderboard (Patil et al. 2025, Apache-2.0) as a world.

An episode takes one record's tool in its initial state and plays the record's true calls mixed with random sensible
ones. The tools are files, a vehicle, trading, travel, tickets, messages and posts. A state shows what the calls can
change; an action is a call in words. Recordings with seed 1000 or above play records that smaller seeds never play.
"""

from __future__ import annotations

import ast
import copy
import inspect
import json
import random
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.states import State
from swirl.worlds.base import Episode, UnknownActionError, is_held_out_seed, make_episode
from swirl.worlds.bfcl_calls import CALLS, Call
from swirl.worlds.bfcl_view import format_tool_state, name_ids, number_ids

MODULES = {
    "GorillaFileSystem": "gorilla_file_system",
    "VehicleControlAPI": "vehicle_control",
    "TradingBot": "trading_bot",
    "TravelAPI": "travel_booking",
    "TicketAPI": "ticket_api",
    "MessageAPI": "message_api",
    "TwitterAPI": "posting_api",
}
TOOL_PACKAGE = "bfcl_eval.eval_checker.multi_turn_eval.func_source_code"
RECORDS = "BFCL_v4_multi_turn_base.json"
HELD_OUT_EVERY = 4
"""Every fourth record is reserved for held-out seeds."""

TRUE_CALL_SHARE = 0.4  # how often the record's next call is played, if one is left
NO_OP_SHARE = 0.08  # how often a call that changes nothing visible is played anyway
TRIES = 20
RANDOM_ID_KEYS = frozenset({"booking_id", "insurance_id", "card_id"})
"""The keys of answers whose values the tools choose at random."""
OMITTED_ARGUMENTS = frozenset({"access_token"})
"""The arguments left out of an action's words, as they never change."""


class Bfcl:
    """The world `bfcl`, which needs the package bfcl-eval. Raises SwirlError if the package has another layout."""

    name = "bfcl"

    def __init__(self) -> None:
        try:
            folder = Path(str(import_module("bfcl_eval").__file__)).parent / "data"
            records, answers = load_jsonl(folder / RECORDS), load_jsonl(folder / "possible_answer" / RECORDS)
            self.classes = {
                name: getattr(import_module(f"{TOOL_PACKAGE}.{file}"), name) for name, file in MODULES.items()
            }
        except (ImportError, AttributeError, OSError, ValueError) as error:
            raise SwirlError(
                f"This version of bfcl-eval cannot be played ({error}); pip install --no-deps bfcl-eval==2026.3.23."
            ) from error
        calls = {answer["id"]: [call for turn in answer["ground_truth"] for call in turn] for answer in answers}
        self.tools: dict[tuple[str, bool], list[tuple[dict[str, Any], list[str]]]] = defaultdict(list)
        for number, record in enumerate(records):
            for name in MODULES.keys() & set(record["involved_classes"]):
                scenario = record["initial_config"].get(name, {})
                self.tools[name, number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1].append(
                    (scenario, calls.get(record["id"], []))
                )

    def episode(self, seed: int, length: int) -> Episode:
        """Play exactly `length` calls of the tool number `seed` mod 7, the same for the same seed."""
        rng = random.Random(f"bfcl-{seed}")
        play, waiting = self._begin(rng, seed)
        true_calls = [call for source in waiting if (call := parse_call(source, play.tool)) is not None]
        states, actions = [State(play.state_text())], []
        for _ in range(length):
            call = true_calls.pop(0) if true_calls and rng.random() < TRUE_CALL_SHARE else None
            if call is None or not (play.would_change(call) or rng.random() < NO_OP_SHARE):
                call = play.sample_call(rng)
            actions.append(number_ids(format_call(call), play.random_ids))
            play.execute(call)
            states.append(State(play.state_text()))
        return make_episode(states, actions)

    def start(self, seed: int) -> ToolGame:
        """The game at the start of an episode."""
        return ToolGame(self._begin(random.Random(f"bfcl-{seed}"), seed)[0])

    def _begin(self, rng: random.Random, seed: int) -> tuple[ToolSession, list[str]]:
        """The tool of an episode in its initial state, and the record's true calls."""
        name = list(MODULES)[seed % len(MODULES)]
        scenario, waiting = rng.choice(self.tools[name, is_held_out_seed(seed)])
        return ToolSession(self.classes[name](), scenario), waiting


class ToolGame:
    """One tool while it is being used."""

    def __init__(self, play: ToolSession) -> None:
        self.play = play

    @property
    def state(self) -> State:
        """What calls can change, as text."""
        return State(self.play.state_text())

    def actions(self) -> list[str]:
        """Some sensible calls: for each that exists, one draw of its arguments."""
        calls = CALLS[type(self.play.tool).__name__](self.play.tool, random.Random(self.play.state_text()))
        return [number_ids(format_call(call), self.play.random_ids) for call in calls]

    def act(self, action: str) -> None:
        """Make a call; one that the tool refuses changes nothing. Raises UnknownActionError for other words."""
        words = name_ids(action, self.play.random_ids)
        call = parse_call(words, self.play.tool)
        if call is None:
            raise UnknownActionError(f"{action!r} is not a call of this tool")
        name, arguments = call
        if "access_token" in inspect.signature(getattr(self.play.tool, name)).parameters:
            arguments = {"access_token": self.play.tool.access_token, **arguments}
        self.play.execute((name, arguments))

    def copy(self) -> ToolGame:
        """The same game, which goes on by itself."""
        return ToolGame(copy.deepcopy(self.play))


class ToolSession:
    """One tool being played, with the random ids it has chosen so far."""

    def __init__(self, tool: Any, scenario: dict[str, Any]) -> None:
        self.tool = tool
        self.tool._load_scenario(copy.deepcopy(scenario))
        cards, bookings = getattr(tool, "credit_card_list", {}), getattr(tool, "booking_record", {})
        self.random_ids = [str(key) for key in (*cards, *bookings)]

    def state_text(self) -> str:
        """The tool's current state as text."""
        return format_tool_state(self.tool, self.random_ids)

    def execute(self, call: Call) -> None:
        """Play a call; if the tool refuses it, by its answer or by raising, nothing changes."""
        before, (name, arguments) = copy.deepcopy(self.tool), call
        try:
            answer = getattr(self.tool, name)(**arguments)
        except Exception:  # the tools raise arbitrary exceptions
            self.tool, answer = before, None
        if isinstance(answer, dict):
            new = [str(answer[key]) for key in sorted(RANDOM_ID_KEYS & answer.keys())]
            self.random_ids += [identity for identity in new if identity not in self.random_ids]

    def would_change(self, call: Call) -> bool:
        """Whether a call would change the visible state."""
        trial = copy.copy(self)
        trial.tool, trial.random_ids = copy.deepcopy(self.tool), list(self.random_ids)
        trial.execute(call)
        return trial.state_text() != self.state_text()

    def sample_call(self, rng: random.Random) -> Call:
        """A random call, which mostly changes the visible state."""
        for _ in range(TRIES):
            call = rng.choice(CALLS[type(self.tool).__name__](self.tool, rng))
            if self.would_change(call) or rng.random() < NO_OP_SHARE:
                break
        return call


def load_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects in a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parse_call(source: str, tool: Any) -> Call | None:
    """Parse a true call of this tool from its source `name(key='value')`; None for other tools and nested calls.

    Nothing is evaluated; the arguments must be literals.
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


def format_call(call: Call) -> str:
    """Format a call as `name(key='value')`."""
    name, arguments = call
    return (
        f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items() if key not in OMITTED_ARGUMENTS)})"
    )
