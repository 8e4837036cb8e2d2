"""A home with something on every page, made in an instant: nothing here was trained."""

from __future__ import annotations

import json
import math
from pathlib import Path

from swirl.history import History
from swirl.paths import assets
from swirl.settings import Settings
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.training.schedule import plan_phases

LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikantenwitwe" * 3


def furnish(home: Path) -> str:
    """A collection of long words, a finished run and one that failed with a long name; the finished run's id."""
    long_words(home)
    history = History(home)
    settings = Settings(steps_per_phase=40)
    run = finished_run(home, history, settings)
    other = settings.replace({"anchor": 1.0, "seed": 7, "forward.beta": 0.2})
    failed = history.create_run(preset=None, settings=other.to_dict(), name=f"a name without end {LONG_WORD}"[:80])
    history.set_note(failed, f"What was tried: {LONG_WORD}")
    history.update_run(failed, status="failed", error=f"The folder {home / LONG_WORD} cannot be written: no space.")
    return run


def long_words(home: Path) -> None:
    """A collection whose states no line can break."""
    file = home.parent / "long-words.jsonl"
    states = [f"{LONG_WORD} {word}. you are in {LONG_WORD}." for word in ("hall", "attic", "cellar")]
    file.write_text(json.dumps({"id": LONG_WORD, "states": states}) + "\n", encoding="utf-8")
    import_collection(home, file, "long-words")


def finished_run(home: Path, history: History, settings: Settings) -> str:
    """A run with all its phases, curves, rollouts, and the shipped model in place of its checkpoints."""
    run = history.create_run(preset="tiny-household-paper", settings=settings.to_dict(), name="a finished run")
    for phase in plan_phases(settings, warm_up_steps=0):
        history.start_phase(run, phase.index, phase.iteration, phase.kind, phase.steps)
        for step in range(1, phase.steps + 1):
            rise = 1 - math.exp(-(step + 40 * phase.index) / 60)
            values = {"reward": rise - 1.4, "bound": 4 * rise - 6, "kl": 0.02 * step / 40, "entropy": 0.6 - 0.3 * rise}
            history.log_metrics(run, phase.index, step, values | {"loss": 0.1 * rise, "step_time": 1.2})
        history.finish_phase(run, phase.index)
        scores = {"forward/exact_match": 0.5 + 0.05 * phase.index, "inverse/exact_match": 0.8 + 0.03 * phase.index}
        history.add_checkpoint(
            run,
            index=phase.index,
            iteration=phase.iteration,
            phase=phase.kind,
            path=str(assets() / settings.model),
            scores=scores | {"copy/exact_match": 0.07},
        )
    history.mark_best(run, phase.index)
    transition = next(next(iter(load_sequences(home, settings.data))).transitions())
    row = {"state": transition.state.text, "next_state": transition.next_state.text, "action": ""}
    samples = {"samples": ["take the book", LONG_WORD], "rewards": [-0.1, -7.2], "advantages": [1.0, -1.0]}
    history.log_rollouts(run, phase.index, phase.steps, [row | samples])
    progress = {"phase": phase.kind, "phase_index": phase.index, "step": phase.steps, "phase_steps": phase.steps}
    history.heartbeat(run, **progress, seconds_left=0.0, memory_bytes=700_000_000)
    history.update_run(run, status="finished")
    return run
