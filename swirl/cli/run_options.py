"""What `swirl train` and `swirl resume` share: settings from the command line, progress, and the result."""

from __future__ import annotations

import argparse
import json
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError
from swirl.presets import get_preset
from swirl.settings import Settings, parse_assignment

FOLLOW_SECONDS = 1.0


def build_settings(given: argparse.Namespace) -> Settings:
    """Preset or config file, then --data and --labels, then --set; checked, with data, labels and model in place."""
    settings = get_preset(given.preset).settings if given.preset else Settings.from_dict(read_config(given.config))
    named = {"data": given.data, "labels": given.labels}
    settings = settings.replace({key: value for key, value in named.items() if value is not None})
    settings = settings.replace(dict(parse_assignment(text) for text in given.set))
    if settings.labels is not None:
        labels = Path(settings.labels).expanduser().resolve()
        if not labels.is_file():
            raise SwirlError(f"The labels file {labels} does not exist.")
        # Absolute, so that the run can be resumed from another folder.
        settings = settings.replace({"labels": str(labels)})
    from swirl.models import resolve_checkpoint
    from swirl.sources.collections.catalog import get_collection

    get_collection(given.home, settings.data)
    found = resolve_checkpoint(given.home, settings.model)
    if isinstance(found, Path) and Path(settings.model).expanduser().is_dir():
        settings = settings.replace({"model": str(found)})
    return settings


def warn_if_memory_short(home: Path, settings: Settings, out: Output) -> None:
    """Say on standard error when a run will hardly fit, and which settings bring it down; it may still start."""
    from swirl.training.memory_check import check_memory

    fit = check_memory(home, settings)
    if fit is None or (fit.fits and not fit.is_tight):
        return
    changes = " ".join(f"{name}={value}" for name, value in fit.suggested_changes.items())
    down = (
        f"; --set {changes} brings it down to {fit.bytes_after_changes / 1e9:.1f} GB"
        if fit.bytes_after_changes is not None
        else ""
    )
    needed, room = fit.needed.total / 1e9, fit.available_bytes / 1e9
    out.print_note(
        f"warning: this run may need {needed:.1f} GB, and there are {room:.1f} GB for it on {fit.device}{down}."
    )


def read_config(path: Path) -> dict[str, Any]:
    """The settings in a JSON or TOML file, flat; a table `forward` or `inverse` becomes `forward.NAME`.

    Raises UsageError that names the file, and the line where it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise UsageError(f"The config file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The config file {path} is not UTF-8 text (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise UsageError(f"The config file {path} is not JSON: line {error.lineno}: {error.msg}.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"The config file {path} is not TOML: {error}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"The config file {path} must hold settings by name, not a {type(values).__name__}.")
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(
            {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
        )
    return flat


def run_result(home: Path, run_id: str) -> dict[str, Any]:
    """The document of `train --json`: the run's status, its checkpoints with their scores, and the best one."""
    from swirl.history import History

    history = History(home)
    run, checkpoints = history.run(run_id), history.checkpoints(run_id)
    return {
        "run": run.id,
        "status": run.status,
        "checkpoints": [
            {"name": item.name, "iteration": item.iteration, "phase": item.phase, "scores": item.scores}
            for item in checkpoints
        ],
        "best": next((item.name for item in checkpoints if item.best), None),
        "error": run.error,
        "warning": run.warning,
    }


@contextmanager
def show_training_progress(home: Path, run_id: str, out: Output) -> Iterator[None]:
    """While inside, show on standard error how far the run is, as its heartbeats tell."""
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(home, run_id, out, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _watch(home: Path, run_id: str, out: Output, ended: threading.Event) -> None:
    from swirl.history import History

    history, shown, warned = History(home), None, None
    while not ended.wait(FOLLOW_SECONDS):
        run = history.run(run_id)
        seen = (run.status, run.phase, run.phase_index, run.step)
        if run.warning and run.warning != warned:
            out.print_note(f"warning: {run.warning}")
            warned = run.warning
        if seen == shown:
            continue
        shown = seen
        if run.phase is None or run.step is None:
            out.print_note(f"{run_id} {run.status}")
            continue
        left = "" if run.seconds_left is None else f", about {run.seconds_left:.0f} s left"
        fraction = run.step / run.phase_steps if run.phase_steps else 0.0
        out.show_progress(fraction, f"{run.status}: phase {run.phase_index} {run.phase}, step {run.step}{left}")
