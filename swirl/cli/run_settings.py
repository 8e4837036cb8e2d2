"""The settings of a run, from a preset or config file and the command line."""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError
from swirl.presets import get_preset
from swirl.settings import Settings, parse_assignment


def build_settings(args: argparse.Namespace) -> Settings:
    """Preset or config file, then --data and --labels, then --set; checked, with data, labels and model in place."""
    settings = get_preset(args.preset).settings if args.preset else Settings.from_dict(read_config(args.config))
    named = {"data": args.data, "labels": args.labels}
    settings = settings.replace({key: value for key, value in named.items() if value is not None})
    settings = settings.replace(dict(parse_assignment(text) for text in args.set))
    if settings.labels is not None:
        labels = Path(settings.labels).expanduser().resolve()
        if not labels.is_file():
            raise SwirlError(f"The labels file {labels} does not exist.")
        # Absolute, so that the run can be resumed from another folder.
        settings = settings.replace({"labels": str(labels)})
    from swirl.models import resolve_checkpoint
    from swirl.sources.collections.catalog import get_collection

    get_collection(args.home, settings.data)
    found = resolve_checkpoint(args.home, settings.model)
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
