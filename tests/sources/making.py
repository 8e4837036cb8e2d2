"""Creates small real pictures and videos for the tests."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from swirl.pictures import pixels as pixels_of
from swirl.sources.collections.catalog import load_sequences
from swirl.states import State


def scene(at: int, size: tuple[int, int] = (96, 64), colour: tuple[int, int, int] = (40, 60, 90)) -> np.ndarray:
    """A frame (height, width, 3): a white square, `at` pixels from the left, on two shades of a colour."""
    width, height = size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[:] = colour
    pixels[::2] += 20
    pixels[height // 4 : height // 2, at % width : at % width + width // 4] = 255
    return pixels


def picture(kind: str = "PNG", at: int = 0, size: tuple[int, int] = (96, 64), **more: Any) -> bytes:
    """The bytes of an image file that shows a scene."""
    buffer = io.BytesIO()
    Image.fromarray(scene(at, size)).save(buffer, format=kind, **more)
    return buffer.getvalue()


def write(path: Path, data: bytes) -> Path:
    """Write a file and create its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def frames(folder: Path, count: int, suffix: str = ".png", size: tuple[int, int] = (96, 64)) -> Path:
    """A folder of frames `1.png` to `COUNT.png`, each a different scene."""
    kind = {".jpg": "JPEG", ".jpeg": "JPEG"}.get(suffix, suffix[1:].upper())
    for number in range(1, count + 1):
        write(folder / f"{number}{suffix}", picture(kind, 4 * number, size))
    return folder


def video(path: Path, shown: Sequence[np.ndarray], rate: int = 10, codec: str = "libx264") -> Path:
    """A video file of these frames; the suffix chooses the container."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels in shown:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    """An MP4 file with nothing but half a second of silence."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def gif(path: Path, count: int, duration: int = 100) -> Path:
    """An animated GIF of `count` frames."""
    shown = [Image.fromarray(scene(8 * index)) for index in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    shown[0].save(path, format="GIF", save_all=True, append_images=shown[1:], duration=duration, loop=0)
    return path


def head_of_png(width: int, height: int) -> bytes:
    """A PNG file whose header states a size but that has no pixels; decoding it would need width × height × 3 bytes."""
    start = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def shapes(home: Path, name: str) -> dict[str, int]:
    """The number of frames of each sequence of a collection, in order."""
    return {sequence.id: len(sequence.states) for sequence in load_sequences(home, name)}


def shown(state: State) -> np.ndarray:
    """The pixels of a picture state."""
    assert state.picture is not None
    return pixels_of(state.picture)
