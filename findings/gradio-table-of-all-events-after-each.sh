#!/usr/bin/env bash
# gradio 6.31.0: after every event it makes a pandas table of all events so far, up to 10 000, also without monitoring.
#
# The queue records time, function, status and session of its events and, once one is done, builds a DataFrame of all that
# are recorded to compute success rates and percentiles for the page /monitoring. `launch(enable_monitoring=False)` hides
# that page but not the work, and the analytics switch (GRADIO_ANALYTICS_ENABLED) is about something else. So an event
# costs more the longer a server lives. GRADIO_ANALYTICS_MAX_EVENTS bounds the rows and GRADIO_ANALYTICS_CACHE_FREQUENCY
# says after how many events a table is made.
#
# Seen on Python 3.11, Linux:
#   monitoring and analytics off: 40 calls make 40 tables, the last of 40 rows
#   with GRADIO_ANALYTICS_CACHE_FREQUENCY=1000000: 40 calls make 0 tables
#
# It fails (exit code 1) if that has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gradio==6.31.0

cat >"$folder/events.py" <<'PYTHON'
import os
import sys
import time

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
import httpx
import pandas

CALLS = 40
rows = []


class Counted(pandas.DataFrame):
    def __init__(self, records=None, *args, **options):
        if isinstance(records, list) and records and "process_time" in records[0]:
            rows.append(len(records))
        super().__init__(records, *args, **options)


pandas.DataFrame = Counted


def greet(name: str) -> str:
    return f"Hello {name}"


with gr.Blocks() as demo:
    gr.api(greet)
_, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", enable_monitoring=False)
with httpx.Client() as program:
    for _ in range(CALLS):
        event = program.post(f"{url}gradio_api/call/greet", json={"data": ["you"]}).json()["event_id"]
        assert "Hello you" in program.get(f"{url}gradio_api/call/greet/{event}").text
time.sleep(1)  # a table is made after the answer
last = f", the last of {rows[-1]} rows" if rows else ""
print(f"{CALLS} calls make {len(rows)} tables{last}")
demo.close()
sys.exit((len(rows), rows[-1] if rows else 0) != (int(sys.argv[1]),) * 2)
PYTHON

"$folder/venv/bin/python" "$folder/events.py" 40
GRADIO_ANALYTICS_CACHE_FREQUENCY=1000000 "$folder/venv/bin/python" "$folder/events.py" 0
