"""What visitors of the studio ask over a long day, without a browser: pages, their functions, frames, uploads, the API.

The questions come from a small repertoire, so that caches which are bounded fill soon; what grows afterwards is a leak.
"""

from __future__ import annotations

import json
import random
import re
import secrets
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any

from studio.services.copy_baseline import COPY_BASELINE

PATIENCE = 240.0
TEXTS, PICTURES = "household", "blocks"
FRAME = re.compile(r"frame/[0-9a-f]{64}")


class Day:
    """Counts the events of all visitors, and says when their day is over: after `seconds`, or after `events` of them
    once the studio has been read `FEWEST_READINGS` times.
    """

    FEWEST_READINGS = 24

    def __init__(self, port: int, events: int, seconds: float, run: str) -> None:
        self.port, self.run, self.events = port, run, events
        self.readings = 0
        self.deadline = time.monotonic() + seconds
        self.done = 0
        self.by_story: dict[str, int] = {}
        self._guard = threading.Lock()
        config = json.loads(self._fetch("/config"))
        components = {part["id"]: part["props"].get("server_fns") or () for part in config["components"]}
        self.functions = {
            page: {name: id_ for id_ in layout["components"] for name in components.get(id_, ())}
            for page, layout in config["page"].items()
        }

    def _fetch(self, path: str) -> bytes:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        return connection.getresponse().read()

    def count(self, story: str) -> None:
        """One event more."""
        with self._guard:
            self.done += 1
            self.by_story[story] = self.by_story.get(story, 0) + 1

    def is_over(self) -> bool:
        """Whether the visitors go home."""
        is_full = self.done >= self.events and self.readings >= self.FEWEST_READINGS
        return is_full or time.monotonic() > self.deadline


class Visit:
    """One page in one tab of a browser: a session and a connection of its own, closed at the end."""

    def __init__(self, day: Day, page: str, story: str) -> None:
        self.day, self.page, self.story = day, page, story
        self.session = secrets.token_hex(6)
        self.connection = HTTPConnection("127.0.0.1", day.port, timeout=PATIENCE)

    def __enter__(self) -> Visit:
        self.get(f"/{self.page}")
        self.ask("status", kind="", watched=[self.day.run])
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def _send(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        self.connection.request(method, path, body, {"Content-Type": kind} if body is not None else {})
        answer = self.connection.getresponse()
        content = answer.read()
        self.day.count(self.story)
        assert answer.status == 200, (method, path, answer.status, content[:300])
        return content

    def get(self, path: str) -> bytes:
        """A page or a file."""
        return self._send("GET", path)

    def ask(self, function: str, **request: Any) -> dict[str, Any]:
        """What a function of the page answers."""
        body = {
            "component_id": self.day.functions[self.page][function],
            "fn_name": function,
            "session_hash": self.session,
            "data": request,
        }
        answer = json.loads(self._send("POST", "/gradio_api/component_server", json.dumps(body).encode()))
        assert "error" not in answer, (self.page, function, answer)
        return answer

    def call(self, endpoint: str, *values: Any, wait: bool = True) -> Any:
        """What an endpoint for programs answers; None if the program goes away before the answer."""
        address = f"/gradio_api/call/{endpoint}"
        event = json.loads(self._send("POST", address, json.dumps({"data": values}).encode()))["event_id"]
        if not wait:
            return None
        *_, event_line, data_line = self.get(f"{address}/{event}").decode().split("\n\n")[-2].splitlines()
        assert event_line == "event: complete", (endpoint, event_line, data_line)  # heartbeats come before it
        return json.loads(data_line.removeprefix("data: "))[0]

    def upload(self, name: str, content: str) -> str:
        """Send a file; its path on the server."""
        mark = secrets.token_hex(8)
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = f"{head}{content}\r\n--{mark}--\r\n".encode()
        return json.loads(self._send("POST", "/gradio_api/upload", body, f"multipart/form-data; boundary={mark}"))[0]

    def frames(self, answer: dict[str, Any]) -> None:
        """Fetch a few of the pictures that an answer names."""
        for address in list(dict.fromkeys(FRAME.findall(json.dumps(answer))))[:4]:
            self.get(f"/{address}")


def explore(day: Day, draw: random.Random) -> None:
    """Walk through a collection, see what happened and what the model imagines, and save the collection."""
    data = draw.choice((TEXTS, TEXTS, PICTURES))
    with Visit(day, "", "explore") as visit:
        visit.frames(visit.ask("collections", data=data))
        for step in (1, 2, 3):
            at = {"data": data, "sequence": draw.randint(1, 3), "step": step}
            shown = visit.ask("show", **at)
            visit.frames(shown)
            visit.ask("infer", **at, steps=shown["missing"][:4])
            visit.ask("truth", **at)
            visit.ask("growing", stream=secrets.token_hex(4))
        visit.frames(visit.ask("imagine", **at))
        address = visit.ask("export", data=data, what="jsonl")["address"]
        if draw.random() < 0.3:  # most never fetch it
            visit.get(f"/{address}")


def bring(day: Day, draw: random.Random) -> None:
    """Drop a file, look into it, import it, walk through it and remove it; or leave it there."""
    name = f"brought-{draw.randint(1, 10**9)}"
    row = json.dumps({"id": name, "states": [f"{name} stands at {place}." for place in range(4)]})
    with Visit(day, "", "bring") as visit:
        path = visit.upload(f"{name}.jsonl", row + "\n")
        brought = {"paths": [path], "names": [], "name": name}
        visit.ask("look_into", **brought)
        ticket = secrets.token_hex(4)
        visit.ask("importing", ticket=ticket)
        assert visit.ask("receive", **brought, ticket=ticket)["data"] == name
        visit.ask("show", data=name, sequence=1, step=1)
        with Visit(day, "label", "bring") as labelling:
            labelling.ask("show", data=name, room=200)
        visit.ask("remove", data=name)


def play(day: Day, draw: random.Random) -> None:
    """Act, look at the futures, follow one, undo, and save the path."""
    data, form = draw.choice(((TEXTS, "jsonl"), (TEXTS, "frames"), (PICTURES, "gif")))
    with Visit(day, "play", "play") as visit:
        begun = visit.ask("begin", data=data, sequence=draw.randint(1, 2), step=1)
        path: dict[str, Any] = {"nodes": [{"parent": None, "action": "", "state": begun["state"]}], "at": 0}
        suggested = visit.ask("suggest", state=begun["state"], kind="")
        actions = re.findall(r'data-suggestion="([^"]+)"', json.dumps(suggested).replace('\\"', '"')) or ["wait"]
        for _ in range(2):
            here = path["nodes"][path["at"]]["state"]
            asked = {"state": here, "action": actions[0], "n": 2, "seed": draw.randint(0, 1)}
            visit.ask("prepare", **asked)
            found = visit.ask("imagine", **asked)
            path["nodes"].append(
                {"parent": path["at"], "action": found["action"], "state": found["futures"][0]["state"]}
            )
            path["at"] = len(path["nodes"]) - 1
            visit.frames(visit.ask("draw", path=path, futures=found["futures"], action=found["action"]))
        path["at"] -= 1  # undo
        visit.ask("draw", path=path, keep=True)
        visit.ask("save", path=path, form=form, name="day")


def compare(day: Day, draw: random.Random) -> None:
    """Two models answer the same transitions; a vote is given and taken back."""
    with Visit(day, "compare", "compare") as visit:
        visit.ask("choices")
        wanted = {"a": "tiny-household", "b": COPY_BASELINE, "data": TEXTS, "count": 12}
        visit.ask("show", **wanted)
        for side in ("a", "b"):
            for first in (0, 6):
                visit.ask("ask", **wanted, side=side, first=first, size=6)
        visit.ask("show", **wanted, disputed=draw.random() < 0.5)
        question = visit.ask("question", **wanted)
        if ticket := re.search(r'data-ticket=\\?"(\w+)', json.dumps(question)):
            revealed = json.dumps(visit.ask("vote", **wanted, ticket=ticket.group(1), choice="tie"))
            if vote := re.search(r'data-take-back=\\?"(\d+)', revealed):
                visit.ask("take_back", **wanted, vote=int(vote.group(1)))
        visit.ask("progress")
        visit.ask("report", **wanted)


def runs(day: Day, draw: random.Random) -> None:
    """Sort and filter the table, unfold a run, change its note and tags, and follow the rows that change."""
    with Visit(day, "runs", "runs") as visit:
        for sort in draw.sample(("started", "name", "disk", "status"), 2):
            table = visit.ask("runs", wanted={"sort": sort, "order": draw.choice(("up", "down")), "text": ""})
        visit.ask("details", run=day.run)
        for field, value in (("note", f"note {draw.randint(1, 9)}"), ("tag", "long"), ("untag", "long")):
            visit.ask("change", run=day.run, field=field, value=value)
        for _ in range(3):
            visit.ask("changes", stamps=table["stamps"], census=table["census"])


def export_run(day: Day, draw: random.Random) -> None:
    """Save a run as a file; it is fetched, because waiting files that grow with the run would hide other growth."""
    with Visit(day, "runs", "export a run") as visit:
        ticket = secrets.token_hex(4)
        address = visit.ask("export", run=day.run, ticket=ticket)["address"]
        visit.ask("moving", ticket=ticket)
        visit.get(f"/{address}")


def train(day: Day, draw: random.Random) -> None:
    """Look at the form and follow the run as the page does: at first the whole curve, then what is new."""
    with Visit(day, "train", "train") as visit:
        visit.ask("look")
        form = visit.ask("form", query={"new": "1"})
        visit.ask("check", preset=form["preset"], values=form["presets"][form["preset"]])
        label = {"state": "a", "action": f"b{draw.randint(1, 9)}", "next_state": "c"}
        # Under a name of its own, as the page sends it: several visitors send the same labels.
        path = visit.upload(f"{secrets.token_hex(6)}.jsonl", json.dumps(label) + "\n")
        visit.ask("labels", path=path, name="labels.jsonl")
        after, seen = 0, {}
        for _ in range(12):
            news = visit.ask("news", run=day.run, after=after, seen=seen, log=draw.random() < 0.3)
            after, seen = news["curves"][day.run]["after"], news["seen"]
        visit.ask("detail", runs=[day.run], **{"from": 0, "to": draw.randint(2, 60)})
        visit.ask("others", run=day.run)
        visit.ask("look")


def label(day: Day, draw: random.Random) -> None:
    """Label a transition, skip one, save, and undo both."""
    with LABELLING, Visit(day, "label", "label") as visit:
        visit.ask("begin", data=TEXTS)
        at = visit.ask("show", data=TEXTS, room=200)["at"]
        kept = visit.ask("keep", **at, action=f"push {draw.randint(1, 5)}")
        visit.ask("skip", **kept["at"])
        visit.ask("save", data=TEXTS)
        visit.ask("undo", data=TEXTS)
        visit.ask("undo", data=TEXTS)


LABELLING = threading.Lock()
"""Held while labelling, because an undo takes back the newest label of all visitors."""


def programs(day: Day, draw: random.Random) -> None:
    """What programs ask; some go away before the answer."""
    with Visit(day, "experiments", "programs") as visit:
        visit.ask("overview")
        visit.call("load", "")
        state = visit.call("infer", "", "", TEXTS, "tiny-household", draw.randint(0, 5), 2)["transitions"]
        assert len(state) == 2
        for _ in range(3):
            visit.call("status", day.run)
        visit.call("imagine", "The lamp is off.", "switch on the lamp", "tiny-household", 1, 1.0, draw.randint(0, 3))
        visit.call("status", "", wait=False)


Stories = tuple[tuple[Callable[[Day, random.Random], None], int], ...]
"""What visitors do, and how often of all times."""

STORIES: Stories = (
    (explore, 6), (bring, 4), (play, 5), (compare, 3), (runs, 5),
    (export_run, 1), (train, 8), (label, 3), (programs, 4),
)  # fmt: skip
LIGHT_STORIES: Stories = tuple(story for story in STORIES if story[0] in (bring, runs, export_run, train, label))
"""Those that ask no model, whose caches and memory take long to settle."""


def visitor(day: Day, seed: int, failures: list[str], stories: Stories = STORIES) -> None:
    """One visitor until the end of the day; the first begins with each story once, so that models are loaded early.

    Stories that do not end well become sentences of `failures`.
    """
    draw = random.Random(seed)
    kinds, weights = zip(*stories, strict=True)
    waiting = list(kinds) if seed == 0 else []
    while not day.is_over():
        story = waiting.pop() if waiting else draw.choices(kinds, weights)[0]
        try:
            story(day, draw)
        except (AssertionError, KeyError, ValueError, OSError, HTTPException) as error:
            failures.append(f"{story.__name__} failed: {type(error).__name__}: {str(error)[:500]}")
