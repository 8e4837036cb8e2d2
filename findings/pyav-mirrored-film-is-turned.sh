#!/usr/bin/env bash
# PyAV 18.1.0, VideoFrame.rotation: a film that is to be shown mirrored left to right reports a rotation of -180
# degrees, one mirrored top to bottom a rotation of 0.
#
# Phones store how a film is to be shown as a display matrix, and a front camera's may mirror. `rotation` is an angle
# computed from one half of the matrix, so whoever turns frames by it stands a mirrored film on its head, or leaves it
# as it is. The whole matrix is in frame.side_data (Type.DISPLAYMATRIX): nine 32-bit integers, of which a, b, c, d at 0,
# 1, 3, 4 move a point (x, y) to (a x + c y, b x + d y).
#
# Output seen (the second pair are the signs of a and d):
#   as it is: rotation 0, no matrix
#   mirrored left to right: rotation -180, matrix -1 1
#   mirrored top to bottom: rotation 0, matrix 1 -1
#   turned by half: rotation -180, matrix -1 -1
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy
cat > "$folder/turn.py" <<'PYTHON'
import sys

import av
import numpy as np
from av.sidedata.sidedata import Type

plain = f"{sys.argv[1]}/plain.mp4"
with av.open(plain, "w") as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for level in range(4):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * level, np.uint8))))
    container.mux(stream.encode(None))
with open(plain, "rb") as file:
    data = file.read()
place = data.index(b"tkhd") + 4 + 40  # in a track header of version 0, the matrix follows 40 bytes
for name, a, d in (
    ("as it is", 1, 1),
    ("mirrored left to right", -1, 1),
    ("mirrored top to bottom", 1, -1),
    ("turned by half", -1, -1),
):
    changed = bytearray(data)
    for offset, value in ((0, a), (16, d)):
        changed[place + offset : place + offset + 4] = (value * 65536).to_bytes(4, "big", signed=True)
    path = f"{sys.argv[1]}/changed.mp4"
    with open(path, "wb") as file:
        file.write(changed)
    with av.open(path) as container:
        frame = next(container.decode(video=0))
        side_data = frame.side_data.get(Type.DISPLAYMATRIX)
        matrix = None if side_data is None else np.frombuffer(bytes(side_data), np.int32)
        signs = "no matrix" if matrix is None else f"matrix {matrix[0] // 65536} {matrix[4] // 65536}"
        print(f"{name}: rotation {frame.rotation}, {signs}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/turn.py" "$folder")
echo "$seen"
[ "$seen" = "as it is: rotation 0, no matrix
mirrored left to right: rotation -180, matrix -1 1
mirrored top to bottom: rotation 0, matrix 1 -1
turned by half: rotation -180, matrix -1 -1" ]
