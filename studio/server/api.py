"""The studio's API for programs: five named endpoints, described in docs/api.md. All other endpoints are private.

A state is a text, or a picture as a `data:image/…;base64,…` address. Anyone who can reach the studio may call these
endpoints, so none of them reads or names a file by its path.
"""

from __future__ import annotations

import base64
import binascii
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import get_blocks_context

from studio.services.collection_cache import sequences
from studio.services.history_store import history
from studio.services.inference import choose_checkpoint, shared_models
from studio.view_models.start_form import check_references
from swirl import pictures
from swirl.errors import SwirlError, UsageError
from swirl.models.checkpoints import ready_models
from swirl.presets import get_preset as named_preset
from swirl.runs import jobs
from swirl.sources.collections.catalog import get_collection, list_collections
from swirl.states import Picture, State

MAX_TRANSITIONS = 1000  # inferred by one call
MAX_SAMPLES = 64  # next states imagined by one call
MAX_TEXT_LENGTH = 32_000  # characters
MAX_PICTURE_BYTES = 16 * 2**20
MAX_LISTED_RUNS = 50


def render(home: Path) -> None:
    """Declare the endpoints over `home`; call it within the app's blocks."""
    endpoints = Endpoints(home)
    for function in (endpoints.load, endpoints.infer, endpoints.imagine, endpoints.start, endpoints.status):
        gr.api(_with_gradio_errors(function), api_name=function.__name__, api_visibility="public", concurrency_limit=4)
    for declared in get_blocks_context().fns.values():
        for parameter in declared.inputs:
            parameter.async_move_resource_to_block_cache = refuse_file


async def refuse_file(_: object) -> None:
    """Take the place of what fetches a file, also from another host, that a caller names in the form of an upload."""
    raise gr.Error("The endpoints take no files; send a picture as a data: address.", print_exception=False)


def _with_gradio_errors(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap `function` so that the message of a SwirlError reaches the caller."""

    @functools.wraps(function)
    def call(*values: Any) -> dict[str, Any]:
        try:
            return function(*values)
        except SwirlError as error:
            raise gr.Error(str(error), print_exception=False) from error

    call.__signature__ = inspect.signature(function, eval_str=True)  # Gradio needs types, not their names
    return call


class Endpoints:
    """The endpoints; the API page shows their signatures and docstrings."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def load(self, checkpoint: str = "") -> dict[str, Any]:
        """Load a checkpoint and list the available checkpoints and collections.

        Without a name, nothing is loaded. Returns `checkpoint`, its `kind` ("text" or "image"), the names of all
        `checkpoints`, and the `collections`, each with its name, kind, sequences and transitions.
        """
        models = shared_models(self.home)
        kind = None
        if checkpoint:
            with models.use(require_known_checkpoint(self.home, checkpoint)) as model:
                kind = model.kind
        return {
            "checkpoint": checkpoint or None,
            "kind": kind,
            "checkpoints": [item.name for item in models.available()],
            "collections": [
                {"name": c.name, "kind": c.kind, "sequences": c.sequences, "transitions": c.transitions}
                for c in list_collections(self.home)
            ],
        }

    def infer(
        self,
        state: str = "",
        next_state: str = "",
        data: str = "",
        checkpoint: str = "",
        first: int = 0,
        count: int = 8,
    ) -> dict[str, Any]:
        """Infer the latent action between `state` and `next_state`, or of transitions of the collection `data`.

        From a collection, `count` transitions are used, starting with number `first` (from 0). Returns `checkpoint` and
        `transitions`, each with `action`, `log_prob` in nats and `alternatives`, and from a collection also with
        `sequence` and `step`.
        """
        if data:
            kind = get_collection(self.home, data).kind
            start, size = (
                validate_integer(first, "first", 0, 2**31),
                validate_integer(count, "count", 1, MAX_TRANSITIONS),
            )
            transitions = (t for sequence in sequences(self.home, data) for t in sequence.transitions())
            selected = [t for index, t in enumerate(transitions) if start <= index < start + size]
            pairs = [(t.state, t.next_state) for t in selected]
            places = [{"sequence": t.sequence_id, "step": t.step} for t in selected]
        else:
            pairs, places = [(read_state(state, "state"), read_state(next_state, "next_state"))], [{}]
            kind = states_kind(*pairs[0])
        name = checkpoint_or_default(self.home, checkpoint, kind)
        inferences = shared_models(self.home).infer(name, pairs) if pairs else []
        return {
            "checkpoint": name,
            "transitions": [
                {
                    **place,
                    "action": inference.action,
                    "log_prob": inference.log_prob,
                    "alternatives": [{"action": a.action, "log_prob": a.log_prob} for a in inference.alternatives],
                }
                for place, inference in zip(places, inferences, strict=True)
            ],
        }

    def imagine(
        self, state: str, action: str, checkpoint: str = "", n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> dict[str, Any]:
        """Imagine `n` next states after `action`, best first.

        Returns `checkpoint` and `predictions`, each with `state`, `score` (the inverse model's log-probability of
        `action`, in nats) and `log_prob` (the forward model's log-probability of the state, in nats).
        """
        start = read_state(state, "state")
        if not action.strip():
            raise UsageError("action is empty; describe it in words.")
        if not 0 <= temperature <= 10:
            raise UsageError(f"temperature takes a number from 0 to 10, not {temperature}.")
        samples, seed = validate_integer(n, "n", 1, MAX_SAMPLES), validate_integer(seed, "seed", 0, 2**31 - 1)
        name = checkpoint_or_default(self.home, checkpoint, states_kind(start))
        with shared_models(self.home).use(name) as model:
            predictions = model.imagine(start, action.strip(), n=samples, temperature=temperature, seed=seed)
        return {
            "checkpoint": name,
            "predictions": [
                {"state": write_state(p.state), "score": p.score, "log_prob": p.log_prob} for p in predictions
            ],
        }

    def start(self, preset: str, settings: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
        """Start a training run from a preset, with some `settings` changed; it does not depend on the caller.

        Settings have the names of `swirl train --set`; a labels file must be in the studio's home. Returns `run`, the
        run's id.
        """
        changed = named_preset(preset).settings.replace(settings or {})
        if changed.labels is not None:
            self.require_home_labels(changed.labels)
        if errors := check_references(self.home, changed):
            raise SwirlError(next(iter(errors.values())))
        return {"run": jobs.start(self.home, preset=preset, settings=changed, name=name.strip()[:80] or None)}

    def require_home_labels(self, path: str) -> None:
        """Raise SwirlError unless the file is one of the home's labels files; callers may name no other file."""
        folder = (self.home / "labels").resolve()
        if not Path(path).resolve().is_relative_to(folder) or not Path(path).is_file():
            raise SwirlError(f"The home has no labels file {Path(path).name}; make one on the Label page first.")

    def status(self, run: str = "") -> dict[str, Any]:
        """The status of a run, or of the newest runs.

        Returns `runs`, newest first, each with `run`, `name`, `status`, `phase`, `step`, `phase_steps`, `activity`
        (what it does between its steps), `share_done` (0 to 1) and `seconds_left` of the whole run, `error`, and
        `checkpoints` with their `name`, `iteration`, `phase`, `scores` and `best`.
        """
        past = history(self.home)
        runs = [past.run(run)] if run else past.runs(limit=MAX_LISTED_RUNS)
        return {
            "runs": [
                {
                    "run": item.id,
                    "name": item.name,
                    "status": item.status,
                    "phase": item.phase,
                    "step": item.step,
                    "phase_steps": item.phase_steps,
                    "activity": item.activity,
                    "share_done": item.share_done,
                    "seconds_left": item.seconds_left,
                    "error": item.error,
                    "checkpoints": [
                        {"name": c.name, "iteration": c.iteration, "phase": c.phase, "scores": c.scores, "best": c.best}
                        for c in past.checkpoints(item.id)
                    ],
                }
                for item in runs
            ]
        }


def require_known_checkpoint(home: Path, checkpoint: str) -> str:
    """`checkpoint`, if it is shipped or from a run of this home. Raises SwirlError for a path or a name on the Hub."""
    shipped = ready_models()
    if checkpoint not in shipped and history(home).find_run(checkpoint.partition("@")[0]) is None:
        known = ", ".join(shipped)
        raise SwirlError(f"There is no checkpoint {checkpoint!r} here; name {known}, a run, or RUN@ITERATION.")
    return checkpoint


def checkpoint_or_default(home: Path, checkpoint: str, kind: str) -> str:
    """`checkpoint`, or if empty the first available one for states of `kind`. Raises SwirlError if there is none."""
    return require_known_checkpoint(home, checkpoint) if checkpoint else choose_checkpoint(home, "", kind)


def states_kind(*states: State) -> str:
    """The kind of the states, "text" or "image". Raises UsageError if they are mixed."""
    kinds = {"text" if state.picture is None else "image" for state in states}
    if len(kinds) > 1:
        raise UsageError("state and next_state are a text and a picture; send two texts or two pictures.")
    return kinds.pop()


def validate_integer(value: int, name: str, low: int, high: int) -> int:
    """`value`, if it is a whole number from `low` to `high`. Raises UsageError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} takes a whole number from {low} to {high}, not {value!r}.")
    return value


def read_state(value: str, name: str) -> State:
    """Parse a state: a text, or a picture's `data:` address.

    Raises UsageError, naming the parameter `name`, if it is neither or too large, SwirlError if it cannot be decoded.
    """
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{name} is empty; send a text, or a picture as a data: address.")
    if not value.startswith("data:image/"):
        if len(value) > MAX_TEXT_LENGTH:
            raise UsageError(f"{name} has {len(value)} characters; send at most {MAX_TEXT_LENGTH}.")
        return State(value)
    try:
        data = base64.b64decode(value.partition("base64,")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{name} is not valid base64 ({error}); encode the bytes of a picture file.") from error
    if not data or len(data) > MAX_PICTURE_BYTES:
        raise UsageError(f"{name} has {len(data)} bytes; send a picture of 1 to {MAX_PICTURE_BYTES} bytes.")
    picture = Picture(encoded=data)
    pictures.size(picture)  # fail now if it is not a picture, before a model is loaded
    return State(picture=picture)


def write_state(state: State) -> str:
    """A state as it is sent back: its text, or its picture's `data:` address."""
    return state.text if state.picture is None else pictures.data_uri(state.picture)
