"""The studio for programs: five named endpoints, described in docs/api.md. All else that the pages ask is private.

A state is a text, or a picture as a `data:image/…;base64,…` address; no endpoint reads or names a file by its path,
for whoever reaches the studio may call them.
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

from studio.services.collection_cache import sequences
from studio.services.history_store import history
from studio.services.inference import choose_checkpoint, shared_models
from studio.view_models.start_form import check_references
from swirl import pictures
from swirl.errors import SwirlError, UsageError
from swirl.models.checkpoints import asset_names
from swirl.presets import get_preset as named_preset
from swirl.runs import jobs
from swirl.sources.collections.catalog import get_collection, list_collections
from swirl.states import Picture, State

MAX_TRANSITIONS = 1000  # transitions inferred by one call
MAX_SAMPLES = 64  # next states imagined by one call
LONGEST_STATE = 32_000  # characters of a text
MAX_PICTURE_BYTES = 16 * 2**20  # bytes of a picture
MAX_LISTED_RUNS = 50  # runs


def render(home: Path) -> None:
    """Declare the endpoints over `home`; to be called within the app's blocks."""
    endpoints = Endpoints(home)
    for function in (endpoints.load, endpoints.infer, endpoints.imagine, endpoints.start, endpoints.status):
        gr.api(_with_gradio_errors(function), api_name=function.__name__, api_visibility="public", concurrency_limit=4)


def _with_gradio_errors(function: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """`function`, whose SwirlErrors reach the caller as the sentence they hold."""

    @functools.wraps(function)
    def call(*values: Any) -> dict[str, Any]:
        try:
            return function(*values)
        except SwirlError as error:
            raise gr.Error(str(error), print_exception=False) from error

    call.__signature__ = inspect.signature(function, eval_str=True)  # gradio reads the types, and no strings
    return call


class Endpoints:
    """What the endpoints do; their signatures and docstrings are what the API page shows."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def load(self, checkpoint: str = "") -> dict[str, Any]:
        """Load a checkpoint and list what there is.

        Without a name it loads none and lists only. Returns `checkpoint`, its `kind` ("text" or "image"), the names of
        all `checkpoints`, and the `collections`, each with its name, kind, sequences and transitions.
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
        """The latent action between `state` and `next_state`, or of transitions of the collection `data`.

        Of a collection the `count` transitions from number `first` on are read. Returns `checkpoint` and `transitions`,
        each with `action`, `log_prob` in nats, and `alternatives`; those of a collection with `sequence` and `step`.
        """
        if data:
            kind = get_collection(self.home, data).kind
            start, size = (
                validate_integer(first, "first", 0, 2**31),
                validate_integer(count, "count", 1, MAX_TRANSITIONS),
            )
            every = (t for sequence in sequences(self.home, data) for t in sequence.transitions())
            rows = [t for index, t in enumerate(every) if start <= index < start + size]
            pairs = [(t.state, t.next_state) for t in rows]
            places = [{"sequence": t.sequence_id, "step": t.step} for t in rows]
        else:
            pairs, places = [(read_state(state, "state"), read_state(next_state, "next_state"))], [{}]
            kind = states_kind(*pairs[0])
        name = checkpoint_or_default(self.home, checkpoint, kind)
        found = shared_models(self.home).infer(name, pairs) if pairs else []
        return {
            "checkpoint": name,
            "transitions": [
                {
                    **place,
                    "action": one.action,
                    "log_prob": one.log_prob,
                    "alternatives": [{"action": a.action, "log_prob": a.log_prob} for a in one.alternatives],
                }
                for place, one in zip(places, found, strict=True)
            ],
        }

    def imagine(
        self, state: str, action: str, checkpoint: str = "", n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> dict[str, Any]:
        """Next states after `action`, best first by `score`, the IDM's log-probability of that action in nats.

        Returns `checkpoint` and `predictions`, each with `state`, `score` and `log_prob`.
        """
        seen = read_state(state, "state")
        if not action.strip():
            raise UsageError("The action is empty; say in words what is done.")
        if not 0 <= temperature <= 10:
            raise UsageError(f"temperature takes a number from 0 to 10, not {temperature}.")
        samples, seed = validate_integer(n, "n", 1, MAX_SAMPLES), validate_integer(seed, "seed", 0, 2**31 - 1)
        name = checkpoint_or_default(self.home, checkpoint, states_kind(seen))
        with shared_models(self.home).use(name) as model:
            found = model.imagine(seen, action.strip(), n=samples, temperature=temperature, seed=seed)
        return {
            "checkpoint": name,
            "predictions": [
                {"state": write_state(one.state), "score": one.score, "log_prob": one.log_prob} for one in found
            ],
        }

    def start(self, preset: str, settings: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
        """Start a training run from a preset, with some `settings` changed; it goes on whatever the caller does.

        Settings go by the names of `swirl train --set`; labels must lie in the studio's home. Returns `run`, its id.
        """
        changed = named_preset(preset).settings.replace(settings or {})
        if changed.labels is not None:
            self.require_home_labels(changed.labels)
        if errors := check_references(self.home, changed):
            raise SwirlError(next(iter(errors.values())))
        return {"run": jobs.start(self.home, preset=preset, settings=changed, name=name.strip()[:80] or None)}

    def require_home_labels(self, path: str) -> None:
        """SwirlError unless the file is one of the home's labels: no other file is read for a caller."""
        folder = (self.home / "labels").resolve()
        if not Path(path).resolve().is_relative_to(folder) or not Path(path).is_file():
            raise SwirlError(f"The home keeps no labels {Path(path).name}; make them on the Label page first.")

    def status(self, run: str = "") -> dict[str, Any]:
        """How a run stands, or without an id how the newest ones stand.

        Returns `runs`, newest first, each with `run`, `name`, `status`, `phase`, `step`, `phase_steps`,
        `seconds_left`, `error`, and `checkpoints` with their `name`, `iteration`, `phase`, `scores` and `best`.
        """
        past = history(self.home)
        found = [past.run(run)] if run else past.runs(limit=MAX_LISTED_RUNS)
        return {
            "runs": [
                {
                    "run": item.id,
                    "name": item.name,
                    "status": item.status,
                    "phase": item.phase,
                    "step": item.step,
                    "phase_steps": item.phase_steps,
                    "seconds_left": item.seconds_left,
                    "error": item.error,
                    "checkpoints": [
                        {"name": c.name, "iteration": c.iteration, "phase": c.phase, "scores": c.scores, "best": c.best}
                        for c in past.checkpoints(item.id)
                    ],
                }
                for item in found
            ]
        }


def require_known_checkpoint(home: Path, checkpoint: str) -> str:
    """A shipped checkpoint, or one of this home's runs. Raises SwirlError for any other: a path, a name on the Hub."""
    shipped = asset_names()
    if checkpoint not in shipped and history(home).find_run(checkpoint.partition("@")[0]) is None:
        raise SwirlError(f"There is no checkpoint {checkpoint!r} here; name {', '.join(shipped)}, a run, or RUN@INDEX.")
    return checkpoint


def checkpoint_or_default(home: Path, checkpoint: str, kind: str) -> str:
    """`checkpoint`, else the first there is for states of that kind. Raises SwirlError when there is none."""
    return require_known_checkpoint(home, checkpoint) if checkpoint else choose_checkpoint(home, "", kind)


def states_kind(*states: State) -> str:
    """Whether the states are texts or pictures. Raises UsageError for one of each."""
    kinds = {"text" if state.picture is None else "image" for state in states}
    if len(kinds) > 1:
        raise UsageError("state and next_state are a text and a picture; both must be of one kind.")
    return kinds.pop()


def validate_integer(value: int, name: str, low: int, high: int) -> int:
    """A whole number within its range. Raises UsageError for any other."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"{name} takes a whole number from {low} to {high}, not {value!r}.")
    return value


def read_state(said: str, name: str) -> State:
    """A state as it is sent: a text, or a picture's `data:` address. Raises UsageError for what is neither."""
    if not isinstance(said, str) or not said.strip():
        raise UsageError(f"{name} is empty; send a text, or a picture as a data: address.")
    if not said.startswith("data:image/"):
        if len(said) > LONGEST_STATE:
            raise UsageError(f"{name} has {len(said)} characters; a model reads at most {LONGEST_STATE}.")
        return State(said)
    try:
        data = base64.b64decode(said.partition("base64,")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{name} is no picture in base64 ({error}); encode its file.") from error
    if not data or len(data) > MAX_PICTURE_BYTES:
        raise UsageError(f"{name} holds {len(data)} bytes; send a picture of 1 to {MAX_PICTURE_BYTES} bytes.")
    picture = Picture(encoded=data)
    pictures.size(picture)  # what is no picture is said before a model is loaded
    return State(picture=picture)


def write_state(state: State) -> str:
    """A state as it is sent: its text, or its picture's `data:` address."""
    return state.text if state.picture is None else pictures.data_uri(state.picture)
