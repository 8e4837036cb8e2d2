"""The choosers of the Compare page: what it opens with, what else can be chosen, and what to do where nothing can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.components.shared.html import escape
from studio.components.shared.illustrations import empty_page, step_between, two_answers
from studio.services.checkpoint_answers import resolve_run_id
from studio.services.collection_cache import default_collection
from studio.services.copy_baseline import BASELINE_TITLE, COPY_BASELINE
from studio.services.history_store import history
from studio.services.inference import AvailableCheckpoint, Models, no_model_message
from studio.services.model_choices import Offer, inspect_model
from studio.view_models.comparison import SIDES
from swirl.errors import SwirlError
from swirl.models.checkpoints import loadable_checkpoints, short_name
from swirl.sources.collections.catalog import list_collections

KINDS = ("text", "image")
INVITATION = "Press Compare: both answer the same inputs, and each row shows which one is right."
TRAIN_BUTTON = '<a class="button button-primary" href="train?new=1">Start a run</a>'
IMPORT_BUTTON = '<a class="button button-primary" href="./">Import sequences</a>'
NO_SECOND_NOTE = (
    '<p class="note">There is no second checkpoint yet, so this one is compared with copying the state, '
    'the baseline that it has to beat. <a href="train?new=1">Train</a> to get a second one.</p>'
)


@dataclass(frozen=True)
class Selection:
    """The checkpoints by side, '' where none is chosen, and the collection with the kind of its states.

    `replaced` is the side that named the same checkpoint as a side before it, and got another one or none; else ''.
    """

    names: dict[str, str]
    data: str
    kind: str
    replaced: str = ""


def initial_selection(home: Path, models: Models, asked: Mapping[str, str], data: str) -> Selection:
    """Two checkpoints worth comparing and the collection; `asked` are the checkpoints named in the address, by side.

    Where only one is named, or one twice, the other end of its run is put beside it, or copying the state.
    """
    collections = list_collections(home)
    named = {side: resolve_run_id(home, asked[side]) for side in SIDES if asked.get(side)}
    checkpoints = [name for name in named.values() if name != COPY_BASELINE] or [newest_comparable_run(home)]
    data = data or training_collection(home, checkpoints[-1], default_collection(collections) or "")
    kind = next((c.kind for c in collections if c.name == data), "text")
    pair = first_pair(home, models, kind)
    if not named:
        return Selection(dict.fromkeys(SIDES, "") | dict(zip(SIDES, pair, strict=False)), data, kind)
    first_sides = {name: side for side, name in reversed(named.items())}
    names = {side: name for name, side in first_sides.items()}
    for side in ("a", "b"):
        if side not in names:
            candidates = [*counterparts(home, next(iter(first_sides))), COPY_BASELINE, *pair]
            names[side] = next((name for name in candidates if name not in names.values()), "")
    return Selection({side: names.get(side, "") for side in SIDES}, data, kind, repeated_side(named))


def repeated_side(names: Mapping[str, str]) -> str:
    """The first side with a checkpoint that a side before it has already, or ''."""
    sides = list(names)
    return next((side for n, side in enumerate(sides) if names[side] in [names[s] for s in sides[:n]]), "")


def counterparts(home: Path, checkpoint: str) -> list[str]:
    """The checkpoints of the same run that are worth comparing with one: its start, its best and its last."""
    run_id = checkpoint.partition("@")[0]
    names = [item.name for item in loadable_checkpoints(history(home), run_id)]
    return [names[0], resolve_run_id(home, run_id), names[-1]] if names else []


def first_pair(home: Path, models: Models, kind: str) -> tuple[str, str]:
    """The start and the best (else the last) checkpoint of the newest run on states of a kind.

    Without such a run, the first checkpoint there is and the newest one from a run (else the last); a single one is
    paired with copying the state. ('', '') where there is none.
    """
    available = models.available(kind)
    names = [item.name for item in available]
    for run in history(home).runs():
        offered = [name for name in counterparts(home, run.id) if name in names]
        if offered and (other := next((name for name in offered if name != offered[0]), "")):
            return offered[0], other
    if len(names) < 2:
        return (names[0], COPY_BASELINE) if names else ("", "")
    return names[0], next((item.name for item in available[1:] if item.is_from_run), names[-1])


def selection_note(models: Models, selection: Selection) -> str:
    """A note for the choosers as HTML: no model, no second checkpoint, or why a checkpoint was replaced; or ''."""
    names = selection.names
    if not names["a"]:
        return f'<p class="notice">{escape(no_model_message(selection.kind))}</p>'
    if selection.replaced in ("a", "b"):
        title = checkpoint_title(names[selection.replaced])
        side = selection.replaced.upper()
        return f'<p class="notice">A and B were the same checkpoint; {side} is {escape(title)} now.</p>'
    if selection.replaced:
        return f'<p class="notice">{selection.replaced.upper()} repeated another checkpoint and is empty now.</p>'
    if COPY_BASELINE in names.values() and len(models.available(selection.kind)) < 2:
        return NO_SECOND_NOTE
    return ""


def empty_comparison(has_checkpoint: bool, has_collection: bool) -> str:
    """What to do first if nothing can be compared, in place of the page; '' if something can."""
    if not has_collection:
        return empty_page(step_between(), "There are no sequences to compare checkpoints on yet.", IMPORT_BUTTON)
    if not has_checkpoint:
        sentence = "There is no checkpoint to compare yet; a run keeps one after each of its phases."
        return empty_page(two_answers(), sentence, TRAIN_BUTTON)
    return ""


def invitation() -> str:
    """The hint below the choosers before the first comparison."""
    return empty_page(two_answers(), INVITATION, "")


def checkpoint_title(name: str) -> str:
    """A checkpoint's name for people: the last part of a folder, words for the baseline."""
    return BASELINE_TITLE if name == COPY_BASELINE else short_name(name)


def checkpoint_options(models: Models, offers: list[Offer]) -> dict[str, str]:
    """The checkpoints of each kind as HTML options, then those named beside the list, and the baseline at the end."""
    listed = {kind: models.available(kind) for kind in KINDS}
    options_by_kind = {}
    for kind, items in listed.items():
        names = [item.name for item in items]
        more = [offer for offer in offers if offer.kind == kind and offer.name not in names]
        options = [_option(item.name, _label(item)) for item in items] + [_option(o.name, o.words) for o in more]
        if options:
            options.append(_option(COPY_BASELINE, f"{BASELINE_TITLE} (baseline)"))
        options_by_kind[kind] = "".join(options)
    return options_by_kind


def _label(item: AvailableCheckpoint) -> str:
    return f"{item.name} ({item.note})" if item.note == "best" else item.name


def _option(name: str, words: str) -> str:
    return f'<option value="{escape(name)}">{escape(words)}</option>'


def model_offers(home: Path, models: Models, names: list[str]) -> list[Offer]:
    """The named models that the list does not have; one that is gone stays, and asking it says what is wrong."""
    listed = {item.name for item in models.available()} | {"", COPY_BASELINE}
    found = []
    for name in dict.fromkeys(names):
        if name in listed:
            continue
        try:
            found.append(inspect_model(home, models, name))
        except SwirlError:
            found += [Offer(name, kind, False) for kind in KINDS]
    return found


def newest_comparable_run(home: Path) -> str:
    """The newest run with more than one checkpoint that can be loaded here, or ''."""
    past = history(home)
    return next((run.id for run in past.runs() if len(loadable_checkpoints(past, run.id)) > 1), "")


def training_collection(home: Path, checkpoint: str, otherwise: str) -> str:
    """The collection that a checkpoint's run was trained on; `otherwise` for a checkpoint of no run."""
    run = history(home).find_run(checkpoint.partition("@")[0])
    return str(run.settings.get("data")) if run else otherwise
