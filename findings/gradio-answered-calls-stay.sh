#!/usr/bin/env bash
# gradio 6.31.0: every call of the HTTP API leaves a queue and a set behind, also when its answer was fetched to the end.
#
# POST /gradio_api/call/NAME makes an asyncio.Queue in `pending_messages_per_session` and a set in
# `pending_event_ids_session`, under a session of its own unless the caller names one. The stream of the GET that follows
# takes the id out of the set when the answer is complete, and ends; both containers stay. They are removed only when the
# connection breaks before the answer. The first holds at most 2000 sessions; the second has no bound, so that a server
# that is asked once a second has 86 400 empty sets more after a day.
#
# Seen on Python 3.11, Linux:
#   20 calls, each answered: 20 queues, 20 sets, of them 20 empty
#
# It fails (exit code 1) if that has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gradio==6.31.0

cat >"$folder/calls.py" <<'PYTHON'
import os
import sys

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import httpx

CALLS = 20


def greet(name: str) -> str:
    return f"Hello {name}"


with gr.Blocks() as demo:
    gr.api(greet)
_, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
with httpx.Client() as program:
    for _ in range(CALLS):
        event = program.post(f"{url}gradio_api/call/greet", json={"data": ["you"]}).json()["event_id"]
        assert "Hello you" in program.get(f"{url}gradio_api/call/greet/{event}").text
queues, sets = demo._queue.pending_messages_per_session, demo._queue.pending_event_ids_session
empty = sum(not ids for ids in sets.values())
print(f"{CALLS} calls, each answered: {len(queues)} queues, {len(sets)} sets, of them {empty} empty")
demo.close()
sys.exit(not len(queues) == len(sets) == empty == CALLS)
PYTHON

"$folder/venv/bin/python" "$folder/calls.py"
