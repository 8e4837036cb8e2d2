"""What a run needs before it can begin: labels, a warm-up, two models, a fit rollout server. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from swirl.errors import UsageError
from swirl.methods import TRAINING_METHODS
from swirl.models.checkpoint_files import MANIFEST, read_manifest
from swirl.models.checkpoints import checkpoint_kind, resolve_checkpoint, short_name
from swirl.settings import Settings


def missing_requirements(home: Path, settings: Settings) -> dict[str, str]:
    """What a run lacks for its method and rollout server, as one sentence by the setting to change; empty if nothing.

    Raises SwirlError if the model cannot be found.
    """
    method = settings.training_method
    missing: dict[str, str] = {}
    if method.trains_on_labels and settings.labels is None:
        others = " or ".join(name for name, known in TRAINING_METHODS.items() if not known.trains_on_labels)
        missing["labels"] = f"method={method.name} trains on labels: give a labels file, or choose method {others}."
    if method.starts_anew and settings.share_weights:
        missing["share_weights"] = (
            f"method={method.name} trains a new forward model beside the inverse model, so they cannot share one "
            "adapter; set share_weights=false."
        )
    elif settings.share_weights and has_two_adapters(home, settings.model) and not is_warmed_up(settings):
        missing["share_weights"] = (
            f"With share_weights=true a new adapter takes the place of the two of {short_name(settings.model)}, so it "
            "needs a warm-up: give labels and set warm_up_epochs to 1 or more, or set share_weights=false."
        )
    if settings.rollout_server is not None and (why := rollout_server_obstacle(home, settings)):
        missing["rollout_server"] = why
    return missing


def rollout_server_obstacle(home: Path, settings: Settings) -> str | None:
    """Why a run's rollouts cannot be sampled by the server that it names, as far as that can be told without asking it.

    Raises SwirlError if the model cannot be found.
    """
    address = urlsplit(settings.rollout_server or "")
    if address.scheme not in ("http", "https") or not address.hostname or address.query or address.fragment:
        return (
            f"rollout_server={settings.rollout_server} is no address of a server; give one such as "
            "http://127.0.0.1:8000, or none."
        )
    if address.username or address.password:
        return "rollout_server must not contain a password, since settings are shared with runs; give HOST:PORT alone."
    if checkpoint_kind(resolve_checkpoint(home, settings.model)) == "image":
        return (
            f"rollout_server samples texts only, and {short_name(settings.model)} draws pictures from image codes "
            "alone; set rollout_server=none."
        )
    if settings.precision == "4bit":
        return "rollout_server needs unquantised weights to send; choose another precision than 4bit."
    return None


def require_for_method(home: Path, settings: Settings) -> None:
    """Raise UsageError if the method of a run lacks something; see `missing_requirements`."""
    for sentence in missing_requirements(home, settings).values():
        raise UsageError(sentence)


def is_warmed_up(settings: Settings) -> bool:
    """Whether a run with these settings begins with steps on labels."""
    return settings.labels is not None and settings.warm_up_epochs > 0


def has_two_adapters(home: Path, model: str) -> bool:
    """Whether a model is a checkpoint with an adapter for each of the two models."""
    source = resolve_checkpoint(home, model)
    if not isinstance(source, Path) or not (source / MANIFEST).is_file():
        return False
    return not read_manifest(source).get("shared")
