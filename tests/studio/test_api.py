"""Tests of the API for programs: the examples of docs/api.md against a real server, and refused calls."""

from __future__ import annotations

import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from studio import app
from studio.server.api import Endpoints, read_state, write_state
from swirl import pictures
from swirl.errors import SwirlError
from swirl.history import History
from swirl.runs import jobs
from swirl.sources.collections.catalog import load_sequences

NAMES = ["load", "infer", "imagine", "start", "status"]
DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[gr.Blocks, str, Path]]:
    """A running studio, its address and its home; all runs are stopped at the end."""
    home = tmp_path_factory.mktemp("api") / "home"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    built = app.build(home)
    app.launch(built, host="127.0.0.1", port=port, login=None)
    try:
        yield built, f"http://127.0.0.1:{port}", home
    finally:
        built.close(verbose=False)
        for run in History(home).runs():
            if run.status in ("queued", "running", "stopping"):
                jobs.stop(home, run.id, force=True)


@pytest.fixture(scope="module")
def served(launched: tuple[gr.Blocks, str, Path]) -> tuple[str, Path]:
    """The address of the running studio and its home."""
    return launched[1:]


@pytest.fixture(scope="module")
def client(served: tuple[str, Path]) -> Client:
    return Client(served[0], verbose=False)


def test_the_five_endpoints_are_named_typed_and_described(served: tuple[str, Path]) -> None:
    with urllib.request.urlopen(f"{served[0]}/gradio_api/info") as answer:
        info = json.load(answer)
    assert sorted(info["named_endpoints"]) == sorted(f"/{name}" for name in NAMES)
    assert info["unnamed_endpoints"] == {}
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in NAMES:
        endpoint = info["named_endpoints"][f"/{name}"]
        assert endpoint["description"] and all(value["type"] for value in endpoint["parameters"])
        assert [value["type"]["type"] for value in endpoint["returns"]] == ["object"]
        said = re.search(rf"^`{name}\((.*?)\)`", text, re.M)
        assert said and re.findall(r"(\w+)(?:=[^,]+)?(?:, |$)", said.group(1)) == [
            value["parameter_name"] for value in endpoint["parameters"]
        ]


def test_only_the_newest_sessions_are_remembered(launched: tuple[gr.Blocks, str, Path]) -> None:
    built, address, _ = launched
    sessions = built.state_holder.session_data
    for number in range(app.MAX_SESSIONS + 8):
        body = {"data": [""], "session_hash": f"tab-{number}"}
        request = urllib.request.Request(f"{address}/gradio_api/run/status", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        urllib.request.urlopen(request).close()
    assert len(sessions) == app.MAX_SESSIONS and "tab-0" not in sessions
    assert f"tab-{app.MAX_SESSIONS + 7}" in sessions


def wait_until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until a condition holds; fails if it does not in that time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_answered_call_leaves_nothing_behind(launched: tuple[gr.Blocks, str, Path], client: Client) -> None:
    built, address, _ = launched
    queue = built._queue

    def call(fetch: bool) -> None:
        request = urllib.request.Request(
            f"{address}/gradio_api/call/status", b'{"data": [""]}', {"Content-Type": "application/json"}
        )
        event = json.load(urllib.request.urlopen(request))["event_id"]
        if fetch:
            with urllib.request.urlopen(f"{address}/gradio_api/call/status/{event}") as answer:
                assert answer.read().startswith(b"event: complete")

    def kept() -> tuple[set[str], set[str]]:
        return set(queue.pending_event_ids_session), set(queue.pending_messages_per_session)

    call(fetch=True)
    time.sleep(0.5)  # the server forgets a call after its client has read the answer
    before = kept()
    for _ in range(5):
        call(fetch=True)
    wait_until(lambda: kept() == before)
    call(fetch=False)
    (waiting,) = set(queue.pending_event_ids_session) - before[0]
    messages = queue.pending_messages_per_session[waiting]
    wait_until(lambda: any(message.msg == "process_completed" for message in messages._queue))
    del queue.pending_messages_per_session[waiting]  # as when 2000 others have come
    call(fetch=True)
    wait_until(lambda: kept()[0] == before[0])
    # The calls of this client share a session.
    assert client.predict("", api_name="/status") == client.predict("", api_name="/status")


@pytest.mark.slow
def test_the_examples_of_the_document_run(served: tuple[str, Path]) -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    assert len(examples) == 6
    scope: dict[str, Any] = {}
    for example in examples:
        exec(example.replace("http://127.0.0.1:7860", served[0]), scope)
    assert History(served[1]).run(scope["run"]).name == "from a program"


def test_a_picture_goes_out_as_it_came_in(client: Client, served: tuple[str, Path]) -> None:
    state, next_state = load_sequences(served[1], "blocks")[0].states[:2]
    sent = [write_state(one) for one in (state, next_state)]
    assert pictures.state_key(read_state(sent[0], "state")) == pictures.state_key(state)
    found = client.predict(*sent, api_name="/infer")
    assert found["checkpoint"] == "tiny-blocks" and found["transitions"][0]["action"]
    futures = client.predict(sent[0], found["transitions"][0]["action"], n=1, api_name="/imagine")["predictions"]
    assert futures[0]["state"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(
    ("endpoint", "values", "sentence"),
    [
        ("/load", ["/etc"], "no checkpoint '/etc'"),
        ("/load", ["owner/model"], "no checkpoint"),
        ("/infer", ["", ""], "state is empty"),
        ("/infer", ["a text.", "data:image/png;base64,AAAA"], "not a complete image"),
        ("/infer", ["", "", "nowhere"], "nowhere"),
        ("/imagine", ["a text.", " "], "action is empty"),
        ("/imagine", ["a text.", "go", "", 65], "from 1 to 64"),
        ("/imagine", ["a text.", "go", "", 1, -1.0], "temperature"),
        ("/start", ["no-preset"], "no-preset"),
        ("/start", ["tiny-household", {"iterations": -2}], "iterations"),
        ("/start", ["tiny-household", {"data": "nowhere"}], "nowhere"),
        ("/start", ["tiny-household", {"labels": "/etc/hostname"}], "has no labels file hostname"),
        ("/status", ["household-99"], "household-99"),
    ],
)
def test_a_mistake_is_answered_with_a_sentence(client: Client, endpoint: str, values: list[Any], sentence: str) -> None:
    with pytest.raises(AppError, match=re.escape(sentence)):
        client.predict(*values, api_name=endpoint)


def test_a_run_may_only_use_labels_of_the_home(tmp_path: Path) -> None:
    home, endpoints = tmp_path / "home", Endpoints(tmp_path / "home")
    (home / "labels").mkdir(parents=True)
    mine = home / "labels" / "mine.jsonl"
    mine.write_text('{"state": "a.", "action": "go", "next_state": "b."}\n', encoding="utf-8")
    endpoints.require_home_labels(str(mine))
    outside = tmp_path / "outside.jsonl"
    outside.write_text(mine.read_text(encoding="utf-8"), encoding="utf-8")
    (home / "labels" / "link.jsonl").symlink_to(outside)
    for path in (outside, home / "labels" / ".." / ".." / "outside.jsonl", home / "labels" / "link.jsonl"):
        with pytest.raises(SwirlError, match="has no labels file"):
            endpoints.require_home_labels(str(path))
