"""Runs a workload with one or more trainers by turns, and reduces their steps to medians and ratios; no torch."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from swirl import processes
from swirl.codecs import CODEC_FOLDER
from swirl.errors import UsageError
from swirl.models.checkpoint_files import MANIFEST, read_manifest
from swirl.models.checkpoints import base_source, checkpoint_kind, locate_checkpoint
from swirl.progress import ProgressCallback
from swirl.runs.step_benchmark.worker_process import WorkerProcess
from swirl.runs.step_benchmark.workload import (
    COUNT_STEP,
    LIQUID_SHAPES,
    TAKE_STEP,
    TEXT_STATE_TOKENS,
    ModelSource,
    TrainerName,
    Workload,
)
from swirl.sources.collections.catalog import get_collection

MIN_STEPS = 4
"""The first step has one-off costs and is left out; a median needs three others."""
MATRIX_PRODUCTS = "matrix products"
DATA = {"text": "household", "image": "blocks"}


def compare(
    home: Path,
    workload: Workload,
    against: Sequence[TrainerName] = (),
    *,
    steps: int = MIN_STEPS,
    progress: ProgressCallback | None = None,
) -> dict[str, Any]:
    """Measure `steps` steps of our trainer and of those in `against`, which take turns, each in its own process.

    Returns a JSON-serialisable dictionary: the workload, the speed of matrix products, per trainer what `summarise`
    returns, and per other trainer what `ratios` does. Raises SwirlError for whatever a user can mend.
    """
    if steps < MIN_STEPS:
        raise UsageError(f"--steps must be at least {MIN_STEPS}, not {steps}: the first step is not counted.")
    report = progress or (lambda fraction, message: None)
    trainers = ["swirl", *dict.fromkeys(against)]
    with tempfile.TemporaryDirectory(prefix="swirl-benchmark-") as folder, ExitStack() as stack:
        scratch = Path(folder)
        workload, source = prepare(home, workload, against, scratch)
        workers: list[WorkerProcess] = []
        stack.enter_context(ended_on_signals(workers))
        for name in (MATRIX_PRODUCTS, *trainers):
            report(0.0, f"starting {name}")
            workers.append(stack.enter_context(WorkerProcess(name, workload, source, home, scratch)))
            workers[-1].receive()
        rounds: list[dict[str, Any]] = []
        for number in range(steps):
            rounds.append({})
            for place, worker in enumerate(workers):
                done = (number * len(workers) + place) / (len(workers) * steps + len(trainers))
                report(done, f"step {number + 1} of {steps}: {worker.trainer}")
                worker.request(TAKE_STEP)
                rounds[-1][worker.trainer] = worker.receive()
        counted = {}
        for worker in workers[1:]:
            report(0.95, f"counting operations: {worker.trainer}")
            worker.request(COUNT_STEP)
            counted[worker.trainer] = worker.receive()["step"]
        peak = max(matrix_rate(found[MATRIX_PRODUCTS]["step"]) for found in rounds)
        summaries = {
            name: summarise([found[name] for found in rounds[1:]], counted[name], workload, peak) for name in trainers
        }
        report(1.0, "done")
    return {
        "title": workload.title,
        "workload": workload.to_dict(),
        "steps": steps - 1,
        "matrix_product_operations_per_second": peak,
        "trainers": summaries,
        "ratios": {name: ratios(summaries["swirl"], summaries[name]) for name in trainers[1:]},
    }


@contextmanager
def ended_on_signals(workers: Sequence[WorkerProcess]) -> Iterator[None]:
    """Inside the block, Ctrl-C and SIGTERM end the workers and then the block, with KeyboardInterrupt."""
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        for worker in workers:
            worker.process.kill()

    with processes.stop_on_signals(stop):
        try:
            yield
        except Exception as error:
            if stopped:
                raise KeyboardInterrupt from error
            raise


def prepare(
    home: Path, workload: Workload, against: Sequence[TrainerName], scratch: Path
) -> tuple[Workload, ModelSource]:
    """The workload with what its model implies, and the source of its model.

    Raises UsageError if the trainers cannot run it.
    """
    from swirl.models.loading import base_dtype
    from swirl.models.placement import pick_device

    device = pick_device(workload.device)
    workload = replace(workload, device=device.type)
    if workload.model in LIQUID_SHAPES:
        source, kind = ModelSource(str(scratch / "model")), "image"
    else:
        folder = locate_checkpoint(home, workload.model)
        source, kind = ModelSource(str(folder)), checkpoint_kind(folder)
        if isinstance(folder, Path) and (folder / MANIFEST).is_file():
            source = ModelSource(base_source(folder, read_manifest(folder)), str(folder))
    if kind == "image" and "trl" in against:
        raise UsageError(
            f"Stock trl takes prompts of words only, and {workload.model} draws images; compare it --against plain."
        )
    if workload.model in LIQUID_SHAPES:
        from swirl.runs.step_benchmark.liquid_shape import write_liquid_shape

        write_liquid_shape(scratch / "model", LIQUID_SHAPES[workload.model])
    else:
        workload = replace(workload, data=workload.data or DATA[kind])
        check_kind(home, workload, kind)
    tokens = frame_tokens(source.base, workload) if kind == "image" else workload.new_tokens or TEXT_STATE_TOKENS
    precision = str(base_dtype(source.base, device, workload.precision)).removeprefix("torch.")
    return replace(workload, new_tokens=tokens, precision=precision), source


def check_kind(home: Path, workload: Workload, kind: str) -> None:
    """Raise SwirlError if there is no such collection, UsageError if the model cannot read its states."""
    found = get_collection(home, workload.data).kind
    if found != kind:
        raise UsageError(
            f"The collection {workload.data!r} has {found} states, and {workload.model} is a model of {kind} states; "
            "name another one with --data."
        )


def frame_tokens(base: str, workload: Workload) -> int:
    """The image codes of a frame of this base model. Raises UsageError if the workload asks for another number."""
    from swirl.codecs.vq import load_image_tokenizer

    folder = Path(base) / CODEC_FOLDER
    if not folder.is_dir():
        raise UsageError(
            f"The step benchmark needs a text model, or an image model with a folder {CODEC_FOLDER!r}; "
            f"{workload.model} is neither, so choose another --model."
        )
    rows, columns = load_image_tokenizer(folder, "cpu").grid
    if workload.new_tokens not in (0, rows * columns):
        raise UsageError(
            f"A frame of {workload.model} always has {rows * columns} tokens; leave out "
            f"--new-tokens {workload.new_tokens}."
        )
    return rows * columns


def matrix_rate(step: dict[str, Any]) -> float:
    """Operations per second of a step of matrix products."""
    return step["update"]["operations"] / step["update"]["seconds"]


def summarise(
    steps: Sequence[dict[str, Any]], counted: dict[str, Any], workload: Workload, peak: float
) -> dict[str, Any]:
    """The medians of a trainer's steps, in seconds, bytes and operations per second; `counted` is one more step.

    A part's share of the peak is what it computes in a second, in matrix products and attention as they were executed,
    divided by what the machine's matrix products reach.
    """
    seconds = median(sum(part["seconds"] for part in step["step"].values()) for step in steps)
    parts = {}
    for name in steps[0]["step"]:
        took = median(step["step"][name]["seconds"] for step in steps)
        tokens = median(step["step"][name]["tokens"] for step in steps)
        operations = counted[name]["operations"]
        parts[name] = {
            "seconds": took,
            "tokens": tokens,
            "tokens_per_second": tokens / took if took else 0.0,
            "operations": operations,
            "share_of_peak": operations / took / peak if took else 0.0,
        }
    operations = sum(part["operations"] for part in parts.values())
    memory = {name: steps[-1][name] for name in steps[-1] if name.endswith("_bytes")}
    return {
        "step_seconds": seconds,
        "step_seconds_all": [sum(part["seconds"] for part in step["step"].values()) for step in steps],
        "rollouts_per_second": workload.prompts * workload.group_size / seconds,
        "operations": operations,
        "share_of_peak": operations / seconds / peak,
        **memory,
        "memory_above_idle_bytes": memory["peak_memory_bytes"] - memory["idle_memory_bytes"],
        "parts": parts,
    }


def ratios(ours: dict[str, Any], other: dict[str, Any]) -> dict[str, float]:
    """How many times faster ours is, and our share of the other's memory."""
    found = {
        "times_faster": other["step_seconds"] / ours["step_seconds"],
        "share_of_memory": ours["peak_memory_bytes"] / other["peak_memory_bytes"],
        "share_of_memory_above_idle": ours["memory_above_idle_bytes"] / other["memory_above_idle_bytes"],
    }
    if ours.get("peak_gpu_memory_bytes") and other.get("peak_gpu_memory_bytes"):
        found["share_of_gpu_memory"] = ours["peak_gpu_memory_bytes"] / other["peak_gpu_memory_bytes"]
    return found
