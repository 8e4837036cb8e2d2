"""Which checkpoints and which collection a comparison begins with, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from studio.components.shared.html import escape
from studio.services.checkpoint_answers import resolve_run_id
from studio.services.collection_cache import default_collection
from studio.services.history_store import history
from studio.services.inference import AvailableCheckpoint, Models
from studio.services.model_choices import Offer, inspect_model
from studio.view_models.comparison import SIDES
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import list_collections

KINDS = ("text", "image")


def initial_selection(home: Path, models: Models, asked: Mapping[str, str], data: str) -> dict[str, str]:
    """What is chosen at first: `a` to `d` and `data`; `asked` are the checkpoints named in the address."""
    collections = list_collections(home)
    names = {side: resolve_run_id(home, name) for side, name in asked.items() if name}
    first = next(iter(reversed(names.values())), "") or newest_comparable_run(home)
    data = data or training_collection(home, first, default_collection(collections) or "")
    kind = next((c.kind for c in collections if c.name == data), "text")
    if not names:
        names = dict(zip(SIDES, first_pair(home, models, kind), strict=False))
    only = next(iter(names.values()), "")
    return {side: names.get(side, only if side in ("a", "b") else "") for side in SIDES} | {"data": data}


def checkpoint_options(models: Models, offers: list[Offer]) -> dict[str, str]:
    """The checkpoints of each kind as HTML options, those that were offered beside the list at the end."""
    listed = {kind: models.available(kind) for kind in KINDS}
    return {
        kind: "".join(_option(item.name, _words(item)) for item in items)
        + "".join(
            _option(more.name, more.words)
            for more in offers
            if more.kind == kind and more.name not in [item.name for item in items]
        )
        for kind, items in listed.items()
    }


def _words(item: AvailableCheckpoint) -> str:
    return f"{item.name} ({item.note})" if item.note == "best" else item.name


def _option(name: str, words: str) -> str:
    return f'<option value="{escape(name)}">{escape(words)}</option>'


def model_offers(home: Path, models: Models, names: list[str]) -> list[Offer]:
    """The named models that the list does not have, as far as there are such; asking them says what is wrong."""
    listed = {item.name for item in models.available()}
    found = []
    for name in dict.fromkeys(names):
        if not name or name in listed:
            continue
        try:
            found.append(inspect_model(home, models, name))
        except SwirlError:
            found += [Offer(name, kind, False) for kind in KINDS]  # gone: it stands there, and says so when asked
    return found


def newest_comparable_run(home: Path) -> str:
    """The newest run with more than one checkpoint, or ''."""
    runs = history(home).runs()
    return next((run.id for run in runs if len(history(home).checkpoints(run.id)) > 1), "")


def first_pair(home: Path, models: Models, kind: str) -> tuple[str, str]:
    """The start and the best checkpoint of the newest run on such states; else the first and last there are."""
    names = [item.name for item in models.available(kind)]
    for run in history(home).runs():
        checkpoints = history(home).checkpoints(run.id)
        best = resolve_run_id(home, run.id)
        if len(checkpoints) > 1 and checkpoints[0].name in names:
            return checkpoints[0].name, best if best != checkpoints[0].name else checkpoints[-1].name
    return (names[0], names[-1]) if names else ("", "")


def training_collection(home: Path, checkpoint: str, otherwise: str) -> str:
    """The collection that a checkpoint's run learned from."""
    run = history(home).find_run(checkpoint.partition("@")[0])
    return str(run.settings.get("data")) if run else otherwise
