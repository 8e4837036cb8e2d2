"""Random calls for each tool of the Berkeley Function Calling Leaderboard that make sense in its current state."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Call = tuple[str, dict[str, Any]]
"""A method's name and its arguments."""

NAMES = ("notes.txt", "plan.txt", "data.csv", "draft.md", "todo.txt", "log.txt")
FOLDERS = ("backup", "archive", "old", "drafts", "photos", "shared")
LINES = ("hello", "all done", "see page two", "call me back", "meeting at nine", "buy milk")
PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn")
TITLES = ("printer broken", "new laptop", "slow network", "lost badge", "room too cold", "password reset")
DOORS = ("driver", "passenger", "rear_left", "rear_right")
AIRPORTS = ("SFO", "LAX", "JFK", "ORD", "BOS", "LHR", "CDG", "HND")


def file_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Changing folder, and creating, moving, copying, writing and removing files."""
    here = tool._current_dir
    is_folder = {name: hasattr(item, "contents") for name, item in here.contents.items()}
    plain_files = [name for name, folder in is_folder.items() if not folder]
    folders = [name for name, folder in is_folder.items() if folder]
    new, made = rng.choice(NAMES), rng.choice(FOLDERS)
    found: list[Call] = [
        ("touch", {"file_name": new}),
        ("mkdir", {"dir_name": made}),
        ("echo", {"content": rng.choice(LINES), "file_name": rng.choice([*plain_files, new])}),
    ]
    found += [("cd", {"folder": rng.choice(folders)})] if folders else []
    found += [("cd", {"folder": ".."})] if here.parent is not None else []
    if plain_files:
        name, target = rng.choice(plain_files), rng.choice([*folders, new])
        found += [(verb, {"source": name, "destination": target}) for verb in ("mv", "cp")]
        found.append(("rm", {"file_name": name}))
    return found


def vehicle_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Doors, engine, brakes, climate, lights, fuel and navigation."""
    doors = rng.sample(DOORS, rng.choice((1, 1, 2, 4)))
    return [
        ("lockDoors", {"unlock": rng.random() < 0.5, "door": doors}),
        ("startEngine", {"ignitionMode": rng.choice(("START", "STOP"))}),
        ("pressBrakePedal", {"pedalPosition": rng.choice((0.5, 1.0))}),
        ("releaseBrakePedal", {}),
        ("activateParkingBrake", {"mode": rng.choice(("engage", "release"))}),
        ("setHeadlights", {"mode": rng.choice(("on", "off"))}),
        ("adjustClimateControl", {"temperature": rng.randrange(18, 28), "mode": rng.choice(("auto", "cool", "heat"))}),
        ("fillFuelTank", {"fuelAmount": rng.choice((2, 5, 10))}),
        ("set_navigation", {"destination": f"{rng.randrange(1, 90)} {rng.choice(('Oak', 'Hill', 'Lake'))} Street"}),
    ]


def trading_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Orders, the watch list and the account."""
    symbol = rng.choice(sorted(tool.stocks))
    order = {"order_type": rng.choice(("Buy", "Sell")), "symbol": symbol, "price": rng.randrange(10, 200)}
    found: list[Call] = [
        ("add_to_watchlist", {"stock": symbol}),
        ("place_order", {**order, "amount": rng.randrange(1, 20)}),
        ("fund_account", {"amount": 100 * rng.randrange(1, 20)}),
        ("withdraw_funds", {"amount": 100 * rng.randrange(1, 5)}),
        ("trading_login", {"username": "me", "password": "secret"}),
    ]
    found += [("remove_stock_from_watchlist", {"symbol": rng.choice(tool.watch_list)})] if tool.watch_list else []
    orders = [number for number in tool.orders if isinstance(number, int)]
    return found + ([("cancel_order", {"order_id": rng.choice(orders)})] if orders else [])


def travel_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Booking and cancelling flights, and the budget."""
    token = {"access_token": tool.access_token}
    limit = 1000 * rng.randrange(1, 10)
    found: list[Call] = [("set_budget_limit", {**token, "budget_limit": limit})]
    if tool.credit_card_list:
        start, end = rng.sample(AIRPORTS, 2)
        way = {"travel_from": start, "travel_to": end, "travel_date": f"2026-{rng.randrange(1, 13):02}-15"}
        card = {"card_id": rng.choice(list(tool.credit_card_list))}
        found.append(("book_flight", {**token, **card, **way, "travel_class": rng.choice(("economy", "business"))}))
    bookings = list(tool.booking_record)
    return found + ([("cancel_booking", {**token, "booking_id": rng.choice(bookings)})] if bookings else [])


def ticket_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Creating, editing, resolving and closing tickets."""
    found: list[Call] = [
        ("create_ticket", {"title": rng.choice(TITLES), "priority": rng.randrange(1, 6)}),
        ("ticket_login", {"username": rng.choice(PEOPLE), "password": "secret"}),
        ("logout", {}),
    ]
    numbers = [ticket["id"] for ticket in tool.ticket_queue if "id" in ticket]  # a few records' tickets have none
    if numbers:
        number = {"ticket_id": rng.choice(numbers)}
        found += [
            ("close_ticket", number),
            ("resolve_ticket", {**number, "resolution": rng.choice(LINES)}),
            ("edit_ticket", {**number, "updates": {"priority": rng.randrange(1, 6)}}),
        ]
    return found


def message_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Sending and deleting messages, and adding contacts."""
    people = list(tool.user_map.values())
    found: list[Call] = [
        ("message_login", {"user_id": rng.choice(people)}),
        ("send_message", {"receiver_id": rng.choice(people), "message": rng.choice(LINES)}),
        ("add_contact", {"user_name": rng.choice(PEOPLE)}),
    ]
    receivers = [next(iter(message)) for message in tool.inbox]
    return found + ([("delete_message", {"receiver_id": rng.choice(receivers)})] if receivers else [])


def post_calls(tool: Any, rng: random.Random) -> list[Call]:
    """Posts, reposts, comments, and following users."""
    person = rng.choice(PEOPLE).lower()
    found: list[Call] = [
        ("authenticate_twitter", {"username": tool.username, "password": tool.password}),
        ("post_tweet", {"content": rng.choice(LINES)}),
        ("follow_user", {"username_to_follow": person}),
    ]
    if tool.following_list:
        found.append(("unfollow_user", {"username_to_unfollow": rng.choice(tool.following_list)}))
    if tool.tweets:
        number = {"tweet_id": rng.choice(list(tool.tweets))}
        found += [("retweet", number), ("comment", {**number, "comment_content": rng.choice(LINES)})]
    return found


CALLS: dict[str, Callable[[Any, random.Random], list[Call]]] = {
    "GorillaFileSystem": file_calls,
    "VehicleControlAPI": vehicle_calls,
    "TradingBot": trading_calls,
    "TravelAPI": travel_calls,
    "TicketAPI": ticket_calls,
    "MessageAPI": message_calls,
    "TwitterAPI": post_calls,
}
