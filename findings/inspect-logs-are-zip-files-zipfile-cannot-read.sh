#!/usr/bin/env bash
# inspect_ai 0.3.285: its `.eval` logs are zip files that Python's zipfile lists but cannot read before Python 3.14.
#
# The members are compressed with method 93, Zstandard. `zipfile.ZipFile(log).namelist()` works and looks healthy; the
# first read raises NotImplementedError. Older logs use deflate, so that code written against those breaks on new files
# without any change of suffix or layout. pyarrow's CompressedInputStream reads the members; their place follows from
# `header_offset` and the two lengths in the local header.
#
# Output seen:
#   method 93, listed yes, zipfile NotImplementedError, by pyarrow 2 messages
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q inspect_ai==0.3.285 pyarrow==26.0.1
cat > "$folder/write.py" <<'PYTHON'
import sys

from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalSample, EvalSpec, write_eval_log
from inspect_ai.model import ChatMessageAssistant, ChatMessageUser

messages = [ChatMessageUser(content="Look around."), ChatMessageAssistant(content="A lamp. " * 50)]
sample = EvalSample(id="a", epoch=1, input="Look around.", target="lamp", messages=messages)
spec = EvalSpec(
    created="2026-01-01T00:00:00+00:00", task="look", dataset=EvalDataset(), model="none/none", config=EvalConfig()
)
write_eval_log(EvalLog(eval=spec, samples=[sample]), sys.argv[1])
PYTHON
cat > "$folder/read.py" <<'PYTHON'
import json
import struct
import sys
import zipfile

import pyarrow

name = "samples/a_epoch_1.json"
with zipfile.ZipFile(sys.argv[1]) as log, open(sys.argv[1], "rb") as raw:
    info = log.getinfo(name)
    listed = "yes" if name in log.namelist() else "no"
    try:
        log.read(name)
        outcome = "reads it"
    except NotImplementedError as error:
        outcome = type(error).__name__
    raw.seek(info.header_offset + 26)
    lengths = struct.unpack("<2H", raw.read(4))
    raw.seek(sum(lengths), 1)
    packed = pyarrow.BufferReader(raw.read(info.compress_size))
    sample = json.loads(pyarrow.CompressedInputStream(packed, "zstd").read(info.file_size))
print(
    f"method {info.compress_type}, listed {listed}, zipfile {outcome}, by pyarrow {len(sample['messages'])} messages"
)
PYTHON
# Its own banner, if any, goes to the other stream.
"$folder/venv/bin/python" "$folder/write.py" "$folder/look.eval" >&2
if "$folder/venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 14))'; then
    echo "Python 3.14 and newer read such members; nothing to see here"
    exit 0
fi
seen=$("$folder/venv/bin/python" "$folder/read.py" "$folder/look.eval")
echo "$seen"
[ "$seen" = "method 93, listed yes, zipfile NotImplementedError, by pyarrow 2 messages" ]
