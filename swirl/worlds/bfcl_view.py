"""The tools of the Berkeley Function Calling Leaderboard in short readable text: what their calls can change.

File times, access tokens, prices that stand in no state and random numbers are left out: no model could foresee them.
Ids that a tool draws at random are written `#1`, `#2`, … in the order in which they appear.
"""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT_LENGTH = 48
"""Characters of a file's, message's or post's text that are shown."""

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
"""Keys within them that are not."""

UNLABELLED_KEYS = frozenset(
    {
        "card_type", "content", "order_type", "status", "symbol", "title", "travel_class", "travel_date",
        "travel_from", "travel_to",
    }
)  # fmt: skip
"""Keys whose values speak for themselves."""

HIDDEN_OF = {"TravelAPI": HIDDEN | {"balance"}, "TradingBot": HIDDEN | {"id"}, "TwitterAPI": HIDDEN | {"id"}}
"""The same for single tools: Travel's balances fall by hidden prices, orders and posts stand under their ids."""


def format_tool_state(tool: Any, drawn: list[str]) -> str:
    """A tool's state as one line; `drawn` are its random ids so far, in order."""
    name = type(tool).__name__
    if name == "GorillaFileSystem":
        return f"In {folder_path(tool._current_dir)}. {format_directory(tool.root)}"
    hidden = HIDDEN_OF.get(name, HIDDEN)
    parts = [f"{word}: {format_value(getattr(tool, attribute), hidden)}" for attribute, word in SHOWN[name].items()]
    return number_ids("; ".join(parts) + ".", drawn)


def number_ids(words: str, drawn: list[str]) -> str:
    """Words with every random id as `#` and its place among them."""
    for place, identity in enumerate(drawn, start=1):
        words = re.sub(rf"(?<!\w){re.escape(identity)}(?!\w)", f"#{place}", words)
    return words


def format_value(value: Any, hidden: frozenset[str], nested: bool = False) -> str:
    """A JSON value in few words: `a 1, b yes`, lists divided by commas, inner ones in brackets."""
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
    """Words on one line, cut after CLIP characters."""
    words = " ".join(words.split())
    return words if len(words) <= MAX_TEXT_LENGTH else words[:MAX_TEXT_LENGTH].rstrip() + "…"


def folder_path(folder: Any) -> str:
    """Where a folder is, from the root on."""
    names = []
    while folder is not None:
        names.append(folder.name)
        folder = folder.parent
    return "/" + "/".join(reversed(names))


def format_directory(folder: Any) -> str:
    """A folder with its contents in brackets; a file with the beginning of its text in quotes."""
    parts = [
        format_directory(item) if hasattr(item, "contents") else f'{item.name} "{clip_text(item.content)}"'
        for _, item in sorted(folder.contents.items())
    ]
    return f"{folder.name} ({', '.join(parts)})"
