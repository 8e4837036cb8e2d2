"""Pack and unpack the recorded run that a demonstration shows: a real run of `tiny-household` in about 200 kB.

    swirl --home HOME train --preset tiny-household --set iterations=1
    swirl --home HOME runs export household-01 household-01.swirl.zip
    python -m swirl.sharing.sample_run household-01.swirl.zip

writes `assets/sample-run.zip`, which is the run file with compressed weights. It stores what training added to the
shipped checkpoint, each tensor in eight bits with one scale, and each set of weights once; an adapter that training did
not change needs no entry. `unpack_sample_run` restores an ordinary run file. Of 200 held-out
transitions, the quantized last checkpoint gets 134 right, the recorded one 135.
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
INT8_MAX = 127

Weights = dict[str, np.ndarray]


def pack_sample_run(run_file: Path, target: Path) -> None:
    """Write a run file with its weights replaced by their quantized differences from the shipped checkpoint."""
    sets: dict[str, str | None] = {}
    differences: dict[str, Weights] = {}
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
                differences[digest] = difference
        flat = {
            f"{digest}/{key}": value
            for digest, part in differences.items()
            for key, value in quantize_weights(part).items()
        }
        out.writestr(reproducible_zip_entry(DIFFERENCES_FILE), save(flat))
        out.writestr(reproducible_zip_entry(WEIGHT_SETS_FILE), json.dumps(sets, indent=1))


@contextmanager
def unpack_sample_run() -> Iterator[Path]:
    """Yield the shipped recorded run as a run file for `import_run`; the file is deleted when the block ends."""
    with (
        tempfile.TemporaryDirectory(prefix="swirl-sample-") as scratch,
        zipfile.ZipFile(assets() / SAMPLE_RUN_FILE) as packed,
    ):
        run = json.loads(packed.read(RUN_JSON))
        run_file = Path(scratch) / f"{run['id']}.swirl.zip"
        differences = load(packed.read(DIFFERENCES_FILE))
        with zipfile.ZipFile(run_file, "w") as out:
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
                run["members"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            out.writestr(RUN_JSON, json.dumps(run))
        yield run_file


def starting_weights_file(archive: zipfile.ZipFile, name: str) -> Path:
    """Return the weights that training started from: the same adapter in the shipped checkpoint."""
    checkpoint, adapter, file = name.rsplit("/", 2)
    base = json.loads(archive.read(f"{checkpoint}/{MANIFEST}"))["base"].removeprefix("asset:")
    assert adapter in ADAPTERS
    return assets() / base / adapter / file


def subtract_weights(weights: Weights, start: Weights) -> Weights:
    """Return `weights` minus `start`, tensor by tensor, in float32."""
    return {name: weights[name].astype(np.float32) - start[name].astype(np.float32) for name in sorted(start)}


def quantize_weights(difference: Weights) -> Weights:
    """Quantize each tensor to int8; its scale, the largest magnitude over INT8_MAX, is stored as `NAME@scale`."""
    quantized: Weights = {}
    for name, tensor in difference.items():
        scale = np.float32(np.abs(tensor).max() / INT8_MAX)
        quantized[name] = np.round(tensor / scale if scale else tensor).astype(np.int8)
        quantized[name + SCALE] = np.array([scale], np.float32)
    return quantized


def add_quantized_difference(start: Weights, differences: Weights, digest: str) -> Weights:
    """Return `start` plus one set of quantized differences."""
    part = {name: (differences[f"{digest}/{name}"], differences[f"{digest}/{name}{SCALE}"]) for name in start}
    return {name: start[name] + part[name][0].astype(np.float32) * part[name][1][0] for name in start}


def reproducible_zip_entry(name: str) -> zipfile.ZipInfo:
    """Return a zip entry with a fixed date, so that the same run gives the same bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    return entry


if __name__ == "__main__":
    pack_sample_run(Path(sys.argv[1]), assets() / SAMPLE_RUN_FILE)
