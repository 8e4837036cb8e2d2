#!/usr/bin/env bash
# PyAV 18.1.0, VideoStream.frames: of an MP4 that was cut without encoding it again it counts frames that are not shown.
#
# Such a cut keeps the frames before it, back to the last key frame, and an edit list says from where to show. Decoding
# follows the edit list, `duration` too, but `frames` counts all that is stored. Whoever compares the two to detect a
# damaged file, or takes every n-th of so many frames, is wrong by the whole lead-in. What helps: count the packets
# with a size whose `is_discard` is false, which needs no decoding.
#
# Output seen:
#   frames 20, decoded 8, packets to show 8
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy
cat > "$folder/cut.py" <<'PYTHON'
import sys
from fractions import Fraction

import av
import numpy as np

whole, cut = f"{sys.argv[1]}/whole.mp4", f"{sys.argv[1]}/cut.mp4"
with av.open(whole, "w") as container:
    stream = container.add_stream("mpeg4", rate=10, options={"g": "20", "bf": "0"})
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for level in range(20):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * level, np.uint8))))
    container.mux(stream.encode(None))
with av.open(whole) as source, av.open(cut, "w") as target:
    track = source.streams.video[0]
    copy = target.add_stream_from_template(track)
    for packet in source.demux(track):
        if packet.dts is not None:
            lead_in = int(Fraction(12, 10) / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - lead_in, packet.dts - lead_in, copy
            target.mux(packet)
with av.open(cut) as container:
    frames = container.streams.video[0].frames
    decoded = sum(1 for _ in container.decode(video=0))
with av.open(cut) as container:
    shown = sum(packet.size > 0 and not packet.is_discard for packet in container.demux(video=0))
print(f"frames {frames}, decoded {decoded}, packets to show {shown}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/cut.py" "$folder")
echo "$seen"
[ "$seen" = "frames 20, decoded 8, packets to show 8" ]
