"""The recorded run that a demonstration shows: a real run of `tiny-household`, in a file of some 200 kB.

    swirl --home HOME train --preset tiny-household --set iterations=1
    swirl --home HOME runs export household-01 household-01.swirl.zip
    python -m swirl.sharing.sample_run household-01.swirl.zip

writes `assets/sample-run.zip`: the run file, but for its weights. Those are kept as what training added to the shipped
checkpoint, each tensor in eight bits with one scale, and each set of weights once; a checkpoint whose adapter did not
move needs none. `unpacked` makes a whole run file of it again. Of 200 held-out transitions the last checkpoint gets 134
right so, where the recorded one got 135.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file, save

from swirl.models.checkpoint_files import ADAPTERS, MANIFEST
from swirl.paths import assets
from swirl.runs.archive.file_format import RUN_JSON

SAMPLE_RUN_FILE = "sample-run.zip"
DIFFERENCES_FILE, WEIGHT_SETS_FILE = "differences.safetensors", "weights.json"
SCALE = "@scale"
INT8_MAX = 127  # what eight bits hold on either side of 0

Weights = dict[str, np.ndarray]


def pack(run_file: Path, target: Path) -> None:
    """Write a run file without its weights, and with what they differ by from those of the shipped checkpoint."""
    sets: dict[str, str | None] = {}
    kept: dict[str, Weights] = {}
    with (
        zipfile.ZipFile(run_file) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
    ):
        for name in source.namelist():
            data = source.read(name)
            if not name.endswith(".safetensors"):
                out.writestr(reproducible_zip_entry(name), data)
                continue
            difference = subtract_weights(load(data), load_file(starting_weights_file(source, name)))
            digest = hashlib.sha256(save(difference)).hexdigest()[:8]
            moved = any(np.any(tensor) for tensor in difference.values())
            sets[name] = digest if moved else None
            if moved:
                kept[digest] = difference
        flat = {
            f"{digest}/{key}": value for digest, part in kept.items() for key, value in quantize_weights(part).items()
        }
        out.writestr(reproducible_zip_entry(DIFFERENCES_FILE), save(flat))
        out.writestr(reproducible_zip_entry(WEIGHT_SETS_FILE), json.dumps(sets, indent=1))


@contextmanager
def unpack_sample_run() -> Iterator[Path]:
    """The shipped recorded run as a run file that `import_run` takes, for as long as the block lasts."""
    with (
        tempfile.TemporaryDirectory(prefix="swirl-sample-") as scratch,
        zipfile.ZipFile(assets() / SAMPLE_RUN_FILE) as packed,
    ):
        about = json.loads(packed.read(RUN_JSON))
        whole = Path(scratch) / f"{about['id']}.swirl.zip"
        differences = load(packed.read(DIFFERENCES_FILE))
        with zipfile.ZipFile(whole, "w") as out:
            for name in packed.namelist():
                if name not in (RUN_JSON, DIFFERENCES_FILE, WEIGHT_SETS_FILE):
                    out.writestr(name, packed.read(name))
            for name, digest in json.loads(packed.read(WEIGHT_SETS_FILE)).items():
                start = starting_weights_file(packed, name)
                data = (
                    start.read_bytes()
                    if digest is None
                    else save(add_quantized_difference(load_file(start), differences, digest))
                )
                out.writestr(name, data)
                about["members"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            out.writestr(RUN_JSON, json.dumps(about))
        yield whole


def starting_weights_file(archive: zipfile.ZipFile, name: str) -> Path:
    """The file of the weights that a member began as: the same adapter's in the shipped checkpoint it builds on."""
    checkpoint, adapter, file = name.rsplit("/", 2)
    base = json.loads(archive.read(f"{checkpoint}/{MANIFEST}"))["base"].removeprefix("asset:")
    assert adapter in ADAPTERS
    return assets() / base / adapter / file


def subtract_weights(weights: Weights, start: Weights) -> Weights:
    """What was added to `start`, float32, tensor by tensor."""
    return {name: weights[name].astype(np.float32) - start[name].astype(np.float32) for name in sorted(start)}


def quantize_weights(difference: Weights) -> Weights:
    """Each tensor as int8 and its scale, a float32 scalar: the greatest entry over STEPS."""
    found: Weights = {}
    for name, tensor in difference.items():
        scale = np.float32(np.abs(tensor).max() / INT8_MAX)
        found[name] = np.round(tensor / scale if scale else tensor).astype(np.int8)
        found[name + SCALE] = np.array([scale], np.float32)
    return found


def add_quantized_difference(start: Weights, differences: Weights, digest: str) -> Weights:
    """`start` with one set of differences added."""
    part = {name: (differences[f"{digest}/{name}"], differences[f"{digest}/{name}{SCALE}"]) for name in start}
    return {name: start[name] + part[name][0].astype(np.float32) * part[name][1][0] for name in start}


def reproducible_zip_entry(name: str) -> zipfile.ZipInfo:
    """A member's entry without the time of day, so that the same run gives the same file."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


if __name__ == "__main__":
    pack(Path(sys.argv[1]), assets() / SAMPLE_RUN_FILE)
