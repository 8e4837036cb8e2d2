#!/usr/bin/env bash
# PyAV 18.1.0 (FFmpeg 8): a TIFF of 16-bit grey whose pixels lie in tiles decodes to a black picture, without an error.
#
# Tiles are how microscopes and geographic tools save large pictures. The same picture in strips decodes well, and
# tifffile, which wrote both, reads both. Whoever takes FFmpeg as the reader of all pictures gets black frames.
#
# Output seen:
#   strips largest 3999, tiles largest 0, tifffile largest 3999
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy tifffile
cat > "$folder/tiles.py" <<'PYTHON'
import sys

import av
import numpy as np
import tifffile

depth = np.linspace(1, 3999, 64 * 64).astype(np.uint16).reshape(64, 64)
strips, tiles = f"{sys.argv[1]}/strips.tiff", f"{sys.argv[1]}/tiles.tiff"
tifffile.imwrite(strips, depth)
tifffile.imwrite(tiles, depth, tile=(16, 16))


def largest(path):
    with av.open(path) as container:
        return int(next(container.decode(video=0)).to_ndarray().max())


print(f"strips largest {largest(strips)}, tiles largest {largest(tiles)}, tifffile largest {tifffile.imread(tiles).max()}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/tiles.py" "$folder")
echo "$seen"
[ "$seen" = "strips largest 3999, tiles largest 0, tifffile largest 3999" ]
