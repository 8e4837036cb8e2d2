"""Writes the states of the Berkeley Function Calling Leaderboard's tools as short text: what their calls can change.

File times, access tokens, prices that no state shows and random numbers are left out because no model could predict
them. Ids that a tool chooses at random are written `#1`, `#2`, … in the order in which they appear.
"""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT_LENGTH = 48
"""The number of characters shown of the text of a file, message or post."""

SHOWN = {
    "GorillaFileSystem": {},
    "VehicleControlAPI": {
        "engine_state": "engine", "fuelLevel": "fuel", "doorStatus": "doors", "acMode": "climate",
        "acTemperature": "degrees", "fanSpeed": "fan", "headLightStatus": "headlights",
        "parkingBrakeStatus": "parking brake", "brakePedalStatus": "brake pedal", "cruiseStatus": "cruise control",
        "distanceToNextVehicle": "distance", "destination": "destination",
    },
    "TradingBot": {
        "authenticated": "logged in", "account_info": "account", "orders": "orders", "watch_list": "watching",
    },
    "TravelAPI": {"budget_limit": "budget", "credit_card_list": "cards", "booking_record": "bookings"},
    "TicketAPI": {"current_user": "user", "ticket_queue": "tickets"},
    "MessageAPI": {"current_user": "user", "user_map": "contacts", "inbox": "sent"},
    "TwitterAPI": {
        "authenticated": "logged in", "following_list": "following", "tweets": "posts", "comments": "comments",
        "retweets": "reposts",
    },
}  # fmt: skip
"""The attributes of each tool that are shown, with their names in the text."""

HIDDEN = frozenset(
    {
        "access_token", "account_id", "binding_card", "card_id", "card_number", "card_verification_number",
        "cardholder_name", "created_by", "description", "expiration_date", "expiry_date", "mentions", "tags",
        "timestamp", "transaction_id", "travel_cost", "username",
    }
)  # fmt: skip
"""The keys in these attributes that are not shown."""

UNLABELLED_KEYS = frozenset(
    {
        "card_type", "content", "order_type", "status", "symbol", "title", "travel_class", "travel_date",
        "travel_from", "travel_to",
    }
)  # fmt: skip
"""The keys that are left out because their values are clear without them."""

HIDDEN_OF = {"TravelAPI": HIDDEN | {"balance"}, "TradingBot": HIDDEN | {"id"}, "TwitterAPI": HIDDEN | {"id"}}
"""HIDDEN for single tools: travel balances fall by hidden prices; orders and posts are listed by id anyway."""


def format_tool_state(tool: Any, random_ids: list[str]) -> str:
    """A tool's state on one line; `random_ids` are its random ids so far, in order."""
    name = type(tool).__name__
    if name == "GorillaFileSystem":
        return f"In {folder_path(tool._current_dir)}. {format_directory(tool.root)}"
    hidden = HIDDEN_OF.get(name, HIDDEN)
    parts = [f"{word}: {format_value(getattr(tool, attribute), hidden)}" for attribute, word in SHOWN[name].items()]
    return number_ids("; ".join(parts) + ".", random_ids)


def number_ids(words: str, random_ids: list[str]) -> str:
    """Replace each random id in a text by `#` and its position in `random_ids`."""
    for place, identity in enumerate(random_ids, start=1):
        words = re.sub(rf"(?<!\w){re.escape(identity)}(?!\w)", f"#{place}", words)
    return words


def name_ids(words: str, random_ids: list[str]) -> str:
    """The inverse of `number_ids`: replace each `#` and position by the random id there, where there is one."""

    def named(found: re.Match[str]) -> str:
        place = int(found[1])
        return random_ids[place - 1] if 1 <= place <= len(random_ids) else found[0]

    return re.sub(r"#(\d+)", named, words)


def format_value(value: Any, hidden: frozenset[str], nested: bool = False) -> str:
    """A JSON value as compact text such as `a 1, b yes`; lists have commas, nested values brackets."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, dict):
        kept = [(key, inner) for key, inner in value.items() if key not in hidden]
        parts = [
            ("" if key in UNLABELLED_KEYS else f"{key} ") + format_value(inner, hidden, True) for key, inner in kept
        ]
    elif isinstance(value, list | tuple):
        parts = [format_value(inner, hidden, True) for inner in value]
    else:
        return "none" if value is None else clip_text(str(value))
    joined = ", ".join(parts)
    return f"({joined})" if nested else joined or "none"


def clip_text(words: str) -> str:
    """Put text on one line and cut it after MAX_TEXT_LENGTH characters."""
    words = " ".join(words.split())
    return words if len(words) <= MAX_TEXT_LENGTH else words[:MAX_TEXT_LENGTH].rstrip() + "…"


def folder_path(folder: Any) -> str:
    """The path of a folder from the root."""
    names = []
    while folder is not None:
        names.append(folder.name)
        folder = folder.parent
    return "/" + "/".join(reversed(names))


def format_directory(folder: Any) -> str:
    """A folder with its contents in brackets; files show the beginning of their text in quotes."""
    parts = [
        format_directory(item) if hasattr(item, "contents") else f'{item.name} "{clip_text(item.content)}"'
        for _, item in sorted(folder.contents.items())
    ]
    return f"{folder.name} ({', '.join(parts)})"
