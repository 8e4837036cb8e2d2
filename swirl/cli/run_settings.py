"""Build the settings of a run from a preset or a config file, and the options of `swirl train`."""

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
    """Take the preset or config file, then apply --data and --labels, then --set; check that all they name exists.

    Raises UsageError for a wrong setting or config file, SwirlError when the labels, the collection or the model is
    missing.
    """
    settings = get_preset(args.preset).settings if args.preset else Settings.from_dict(read_config(args.config))
    options = {"data": args.data, "labels": args.labels}
    settings = settings.replace({key: value for key, value in options.items() if value is not None})
    settings = settings.replace(dict(parse_assignment(text) for text in args.set))
    if settings.labels is not None:
        labels = Path(settings.labels).expanduser().resolve()
        if not labels.is_file():
            raise SwirlError(f"The labels file {labels} does not exist; check the path.")
        # Absolute, so that the run can be resumed from another folder.
        settings = settings.replace({"labels": str(labels)})
    from swirl.models.checkpoints import resolve_loadable
    from swirl.sources.collections.catalog import get_collection

    get_collection(args.home, settings.data)
    checkpoint = resolve_loadable(args.home, settings.model)
    if isinstance(checkpoint, Path) and Path(settings.model).expanduser().exists():
        settings = settings.replace({"model": str(checkpoint)})
    return settings


def warn_if_memory_short(home: Path, settings: Settings, out: Output) -> None:
    """Print a warning when a run may not fit into memory, with settings that would shrink it; the run still starts."""
    from swirl.training.memory_check import check_memory

    fit = check_memory(home, settings)
    if fit is None or (fit.fits and not fit.is_tight):
        return
    changes = " ".join(f"{name}={value}" for name, value in fit.suggested_changes.items())
    remedy = (
        f"; --set {changes} would reduce it to {fit.bytes_after_changes / 1e9:.1f} GB"
        if fit.bytes_after_changes is not None
        else ""
    )
    needed, available = fit.needed.total / 1e9, fit.available_bytes / 1e9
    out.print_note(
        f"warning: this run may need {needed:.1f} GB, but {available:.1f} GB are available on {fit.device}{remedy}."
    )


def warn_if_states_change(home: Path, settings: Settings, out: Output) -> None:
    """Print a warning when the model's tokenizer does not give every state of the data back; the run still starts."""
    from swirl.training.text_check import check_states, describe_loss

    loss = check_states(home, settings)
    if loss is not None:
        out.print_note(f"warning: {describe_loss(settings.model, loss)}")


def read_config(path: Path) -> dict[str, Any]:
    """Read settings from a JSON or TOML file as a flat dictionary; a table `forward` becomes keys `forward.NAME`.

    Raises UsageError that names the file, and the line that cannot be read.
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
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"The config file {path} has a number of too many digits, or brackets within brackets without end; correct "
            "it."
        ) from error
    if not isinstance(values, dict):
        raise UsageError(f"The config file {path} must hold settings by name, not a {type(values).__name__}.")
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat.update(
            {f"{key}.{name}": inner for name, inner in value.items()} if isinstance(value, dict) else {key: value}
        )
    return flat
