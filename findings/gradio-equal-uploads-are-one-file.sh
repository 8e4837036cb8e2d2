#!/usr/bin/env bash
# gradio 6.31.0: two visitors who upload equal files of equal names have one file between them.
#
# POST /gradio_api/upload answers with a path made of the content's hash and the name. A second visitor with a session of
# its own, who sends the same bytes under the same name, gets the same path, not a copy. So an app that deletes an upload
# once it has read it, or moves it away, takes it from the other visitor, whose path was valid a moment ago. Under another
# name the same bytes are another file, in the same folder: removing the folder takes that one along.
#
# Seen on Python 3.11, Linux:
#   two visitors, same name: same path
#   another name: another file in the same folder
#   after the first visitor's file was deleted, the second visitor's is there: False
#
# It fails (exit code 1) if that has changed.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gradio==6.31.0

cat >"$folder/uploads.py" <<'PYTHON'
import os
import sys
import tempfile
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(dir=sys.argv[1])

import gradio as gr
import httpx

with gr.Blocks() as demo:
    gr.File()
_, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")


def upload(name: str) -> Path:
    with httpx.Client() as visitor:  # no cookies of anybody else
        answer = visitor.post(f"{url}gradio_api/upload", files={"files": (name, b"the same bytes")})
    return Path(answer.json()[0])


first, second, other = upload("labels.txt"), upload("labels.txt"), upload("others.txt")
is_same, is_beside = first == second, other != first and other.parent == first.parent
print("two visitors, same name:", "same path" if is_same else "two paths")
print("another name:", "another file in the same folder" if is_beside else "not another file in the same folder")
first.unlink()
print("after the first visitor's file was deleted, the second visitor's is there:", second.exists())
demo.close()
sys.exit(not (is_same and is_beside and not second.exists()))
PYTHON

"$folder/venv/bin/python" "$folder/uploads.py" "$folder"
