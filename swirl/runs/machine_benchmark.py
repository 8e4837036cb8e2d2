"""Benchmarks this machine: throughput of sampling and scoring, the time of a real training step, and memory."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.errors import SwirlError
from swirl.history import History
from swirl.presets import get_preset
from swirl.processes import peak_process_memory
from swirl.progress import ProgressCallback
from swirl.runs import jobs
from swirl.states import State
from swirl.training.time_metrics import STEP_TIME

if TYPE_CHECKING:
    from swirl.models.world_model import WorldModel

PRESETS = {"text": "tiny-household", "image": "tiny-blocks"}
"""The preset of the training steps by the kind of states; its collection is the one that is sampled and scored."""
ROWS = 64  # transitions per measured batch
REPEATS = 3  # the median of this many runs is reported
TRAINING_STEPS = 4  # per phase, of two; the first step of each includes one-off costs


def benchmark(home: Path, name: str, device: str = "auto", progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Measure this machine with the checkpoint `name` on a shipped sample, in seconds, bytes and items per second.

    The training steps are a real run, in a temporary home. Raises SwirlError if the model cannot be loaded or the run
    fails.
    """
    from swirl.models import load_world_model, resolve_checkpoint
    from swirl.models.thread_count import threads_for_inference
    from swirl.planning.search_speed import compare_search_speed
    from swirl.sources.collections.catalog import load_sequences

    report = progress or (lambda fraction, message: None)
    report(0.0, "loading the model")
    started = time.perf_counter()
    model = load_world_model(home, name, device=device)
    figures = {
        **model.describe(),
        "cores": os.cpu_count(),
        "load_seconds": round(time.perf_counter() - started, 2),
    }
    preset = PRESETS[model.kind]
    collection = get_preset(preset).settings.data
    transitions = [item for sequence in load_sequences(home, collection) for item in sequence.transitions()][:ROWS]
    pairs = [(item.state, item.next_state) for item in transitions]
    with threads_for_inference(model):
        figures |= measure_inference(model, pairs, report)
        report(0.55, "searching for a plan, in batches and row by row")
        figures |= compare_search_speed(model, pairs[0][0], pairs[-1][1])
    model.unload()
    report(0.6, "training a few steps")
    figures |= measure_training(str(resolve_checkpoint(home, name)), preset, device)
    figures |= peak_memory(figures["device"])
    report(1.0, "done")
    return figures


def measure_inference(
    model: WorldModel, pairs: list[tuple[State, State]], report: ProgressCallback
) -> dict[str, float]:
    """The rates of inferring actions, sampling next states and scoring them, per second."""
    report(0.2, "inferring actions")
    actions = [found.action for found in model.infer(pairs, alternatives=1)]
    states, next_states = [x for x, _ in pairs], [y for _, y in pairs]
    inferring = median_seconds(lambda: model.infer(pairs, alternatives=1))
    report(0.3, "sampling next states")
    imagined = model.imagine_batch(states, actions)
    sampled = sum(len(model.state_completion(state)) for state in imagined)
    sampling = median_seconds(lambda: model.imagine_batch(states, actions))
    report(0.5, "scoring next states")
    scored = sum(score.tokens for score in model.forward_log_prob(states, actions, next_states))
    scoring = median_seconds(lambda: model.forward_log_prob(states, actions, next_states))
    return {
        "inferred_actions_per_second": round(len(pairs) / inferring, 1),
        "imagined_states_per_second": round(len(pairs) / sampling, 1),
        "sampled_tokens_per_second": round(sampled / sampling, 1),
        "scored_tokens_per_second": round(scored / scoring, 1),
    }


def median_seconds(work: Callable[[], object]) -> float:
    """The median time of REPEATS calls, in seconds; the caller has already called it once as a warm-up."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def measure_training(model: str, preset: str, device: str) -> dict[str, float]:
    """Seconds per training step and rollouts per second, from one short iteration of the training loop."""
    changes = {"model": model, "device": device, "iterations": 1, "steps_per_phase": TRAINING_STEPS, "held_out": 1}
    settings = get_preset(preset).settings.replace(changes)
    with tempfile.TemporaryDirectory(prefix="swirl-benchmark-") as folder:
        home = Path(folder)
        run_id = jobs.create_foreground_run(home, preset=preset, settings=settings)
        jobs.train_in_foreground(home, run_id)
        history = History(home)
        run = history.run(run_id)
        if run.status != "finished":
            raise SwirlError(f"The training steps could not be measured: {run.error or 'the run was ' + run.status}.")
        times = [row.value for row in history.metrics(run_id, [STEP_TIME]) if row.value is not None]
    step = statistics.median(times)
    return {
        "training_step_seconds": round(step, 3),
        "rollouts_per_second": round(settings.batch_size * settings.group_size / step, 1),
    }


def peak_memory(device: str) -> dict[str, int]:
    """The peak memory of this process and on its GPU, in bytes."""
    figures = {"peak_memory_bytes": peak_process_memory()}
    if device.startswith("cuda"):
        import torch

        figures["peak_gpu_memory_bytes"] = torch.cuda.max_memory_allocated()
    return figures
