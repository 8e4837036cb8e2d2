"""The Play page: act in a state, see the next states that the forward model imagines, and follow the path."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from studio.components.play.current_state import current_state
from studio.components.play.futures import Future, distinct_futures, future_cards, futures_title
from studio.components.play.path_tree import path_tree
from studio.components.play.reach_goal import ReachGoal
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.illustrations import branching_path, empty_page
from studio.components.shared.model_for_states import KIND_PLURALS, fit_note, requested_checkpoint
from studio.components.shared.out_of_distribution_note import out_of_distribution_note
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text
from studio.services.collection_cache import default_collection, sequences
from studio.services.frame_similarity import measure_reconstruction
from studio.services.frame_store import FrameStore, is_picture_key
from studio.services.inference import AskModel, ask_model, ask_model_at_low_priority, choose_checkpoint, shared_models
from studio.services.loaded_models import ModelNotLoaded
from studio.services.model_choices import inspect_model
from studio.services.trajectory_export import export_trajectory
from studio.view_models.formatting import format_count
from studio.view_models.page import Page
from studio.view_models.play_path import parse_path
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import Collection, list_collections

PAGE = Page(path="/play", title="Play", question="What if?")
LONGEST_ACTION = 300  # characters; an action is a phrase
LONGEST_STATE = 8000  # characters; about the context length of the larger models
SUGGESTIONS = 6
NO_FUTURES = "Type or pick an action, and the forward model imagines the next state."


def render(home: Path) -> None:
    """Draw the page over `home`; the path itself lives in the browser, `assets/scripts/play.js` keeps it."""
    page, goals = PlayPage(home), ReachGoal(home)
    own = (page.begin, page.draw, page.suggest, page.imagine, page.prepare, page.models, page.save)
    scripted_block(load_template("play"), "play", (*own, *goals.functions()), styles=("measurements", "reach_goal"))


class PlayPage:
    """The answers to the page's requests; the server stores only the frames of paths.

    A state is sent as its text, or as the key of a stored frame.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.frame_store = FrameStore(home)

    def begin(self, request: Request) -> Answer:
        """The state to start from: the text `own`, or the state at `data`, `sequence` and `step` (both from 1).

        The `origin` of a recorded state says where it is. The `options` of collections come with an error, too, so that
        whoever asked for one that is not there can choose another.
        """
        collections = list_collections(self.home)
        options = "".join(f'<option value="{escape(c.name)}">{escape(c.title or c.name)}</option>' for c in collections)
        try:
            return {"options": options, **self.first_state(request, collections)}
        except SwirlError as error:
            return {"options": options, "error": str(error)}

    def first_state(self, request: Request, collections: Sequence[Collection]) -> Answer:
        """What `begin` answers, but for the options. Raises SwirlError if there is no such state."""
        if "own" in request:
            return {"state": usable_state(get_text(request, "own"))}
        data = get_text(request, "data") or default_collection(collections) or ""
        if not data:
            button = '<a class="button button-primary" href="./">Import sequences</a>'
            return {"parts": {"futures": empty_page(branching_path(), "There is no state to start from yet.", button)}}
        chain = sequences(self.home, data)
        if not chain:
            raise SwirlError(f"The collection {data} has no sequences. Start from another one, or from your own text.")
        sequence = get_integer(request, "sequence", 1, len(chain))
        states = chain[sequence - 1].states
        step = get_integer(request, "step", 1, len(states))
        origin = {"data": data, "sequence": sequence, "step": step}
        return {"state": self.frame_store.store(states[step - 1]), "data": data, "origin": origin}

    def draw(self, request: Request) -> Answer:
        """The current state, the futures and the path as HTML, from the path that the browser keeps.

        With `keep`, the futures on the page stay as they are.
        """
        path = parse_path(request.get("path"))
        here, before = path.nodes[path.current_index].state, path.parent_state(path.current_index)
        load = self.frame_store.load_state
        parts = {
            "stage": current_state(None if before is None else load(before), load(here), path.current_index + 1),
            "where": f"state {path.current_index + 1}",
            "path": path_tree(path, load),
            "start-error": "",
            "action-error": "",
        }
        if request.get("keep") is not True:
            parts |= self.futures(
                request, here, parse_futures(request.get("futures")), parse_futures(request.get("rivals"))
            )
        return {"parts": parts, "kind": kept_state_kind(here)}

    def futures(self, request: Request, here: str, own: list[Future], rivals: list[Future]) -> dict[str, str]:
        """The futures of the state `here` and, below them, those of a second model (`rivals`)."""
        if not own:
            return {"title": "Imagined futures", "futures": empty_page(branching_path(), NO_FUTURES, "")}
        action, ranked = get_text(request, "action"), request.get("best") is not False
        cards = future_cards(here, action, own, self.frame_store.load_state, ranked=ranked)
        if rivals:
            by = get_text(request, "rival")
            cards += future_cards(here, action, rivals, self.frame_store.load_state, ranked=ranked, by=by)
        return {"title": futures_title(own), "futures": cards}

    def suggest(self, request: Request) -> Answer:
        """Actions that the model suggests in the state."""
        state = usable_state(get_text(request, "state"))
        name = self.checkpoint_for_state(request, state)
        models, here = shared_models(self.home), self.frame_store.load_state(state)
        key = ("suggested", name, state)
        actions = models.recall(key)
        if actions is None:
            actions = ask_model_at_low_priority(models, name, lambda model: model.suggest_actions(here, n=SUGGESTIONS))
            models.remember(key, actions)
        chips = "".join(
            f'<button type="button" class="chip" data-suggestion="{escape(action)}"><kbd>{index}</kbd>'
            f"{escape(action)}</button>"
            for index, action in enumerate(actions, start=1)
        )
        parts = {
            "suggestions": chips or '<p class="note">The model suggests no action here; type one.</p>',
            "depth": out_of_distribution_note(here, measure_reconstruction(models, name, here)),
            "fit": fit_note(self.home, request, kept_state_kind(state)),
        }
        return {"parts": parts}

    def checkpoint_for_state(self, request: Request, state: str) -> str:
        """The checkpoint to ask about a state. Raises SwirlError if there is none for its kind."""
        kind = kept_state_kind(state)
        return choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)

    def imagine(self, request: Request) -> Answer:
        """`n` sampled next states of `state` under `action` with `seed`, equal ones merged.

        The best comes first, or, with `best` false, the first sample. `rival` names a second model, which gets the same
        state, action and seed.
        """
        state = usable_state(get_text(request, "state"))
        action = usable_action(get_text(request, "action"))
        rival, ranked = get_text(request, "rival").strip(), request.get("best") is not False
        own = self.sample_futures(self.checkpoint_for_state(request, state), state, action, request, ranked)
        rivals = self.sample_futures(self.require_rival(rival, state), state, action, request, ranked) if rival else []
        cleaned = {**request, "action": action, "rival": rival}
        return {
            "action": action,
            "futures": [vars(future) for future in own],
            "rivals": [vars(future) for future in rivals],
            "parts": self.futures(cleaned, state, own, rivals) | {"action-error": ""},
        }

    def prepare(self, request: Request) -> Answer:
        """Sample in advance what `imagine` will probably be asked for, so that the answer is immediate.

        Models that have been unloaded in the meantime stay so.
        """
        state, action = usable_state(get_text(request, "state")), usable_action(get_text(request, "action"))
        name, ask = self.checkpoint_for_state(request, state), partial(ask_model_at_low_priority, load=False)
        with suppress(ModelNotLoaded):
            self.sample_futures(name, state, action, request, ranked=True, ask=ask)
        return {}

    def sample_futures(
        self, name: str, state: str, action: str, request: Request, ranked: bool, ask: AskModel = ask_model
    ) -> list[Future]:
        """The distinct futures that a model samples; the same request with the same seed is answered from memory."""
        samples, seed = get_integer(request, "n", 1, 16), get_integer(request, "seed", 0, 2**31 - 1)
        models, key = shared_models(self.home), ("imagined", name, state, action, samples, seed)
        predictions = models.recall(key)
        if predictions is None:
            here = self.frame_store.load_state(state)
            options = {"n": samples, "seed": seed, "with_log_probs": False}  # the page shows only the ranking
            predictions = ask(models, name, lambda model: model.imagine(here, action, **options))
            models.remember(key, predictions)
        for prediction in predictions:
            self.frame_store.store(prediction.state)
        return distinct_futures(predictions, ranked=ranked)

    def require_rival(self, name: str, state: str) -> str:
        """The name of the second model. Raises SwirlError if there is none of that name or it is of another kind."""
        models, kind = shared_models(self.home), kept_state_kind(state)
        kinds = {item.name: item.kind for item in models.available()}
        model_kind = kinds[name] if name in kinds else inspect_model(self.home, models, name).kind
        if model_kind != kind:
            raise SwirlError(
                f"{name} is a model of {KIND_PLURALS[model_kind]}, but this state is a "
                f"{KIND_PLURALS[kind].removesuffix('s')}. Choose another second model."
            )
        return name

    def models(self, request: Request) -> Answer:
        """The names of the models for a kind of state, as options of a datalist."""
        available = shared_models(self.home).available(get_text(request, "kind"))
        return {"options": "".join(f'<option value="{escape(item.name)}"></option>' for item in available)}

    def save(self, request: Request) -> Answer:
        """The trajectory from the start to the current state as a file in a `data:` address."""
        path = parse_path(request.get("path"))
        indices = path.indices_to_current()
        states = [self.frame_store.load_state(path.nodes[index].state) for index in indices]
        actions = [path.nodes[index].action for index in indices[1:]]
        name = "".join(c for c in get_text(request, "name") if c.isalnum() or c == "-")[:40] or "path"
        file, address = export_trajectory(get_text(request, "form"), name, states, actions)
        return {"name": file, "address": address}


def kept_state_kind(state: str) -> str:
    """The kind of a state that the browser keeps: "image" or "text"."""
    return "image" if is_picture_key(state) else "text"


def usable_action(action: str) -> str:
    """The action with its spaces normalised. Raises SwirlError if it is empty or longer than LONGEST_ACTION."""
    action = " ".join(action.split())
    if not action:
        raise SwirlError("Choose an action first: type one, or press 1 to 6 to pick a suggestion.")
    if len(action) > LONGEST_ACTION:
        raise SwirlError(
            f"This action has {format_count(len(action))} characters; keep it to a phrase of at most {LONGEST_ACTION}."
        )
    return action


def usable_state(state: str) -> str:
    """The state as it is. Raises SwirlError if it is empty or longer than LONGEST_STATE."""
    if not state.strip():
        raise SwirlError("Write or paste a state first.")
    if len(state) > LONGEST_STATE:
        raise SwirlError(
            f"This state has {format_count(len(state))} characters; shorten it to {format_count(LONGEST_STATE)}, which "
            "is what a model can read."
        )
    return state


def parse_futures(value: Any) -> list[Future]:
    """The futures that the browser keeps, without malformed entries."""
    items = value if isinstance(value, list) else []
    return [
        Future(item["state"], item["score"], item["times"])
        for item in items
        if isinstance(item, dict)
        and isinstance(item.get("state"), str)
        and isinstance(item.get("score"), int | float | None)
        and isinstance(item.get("times"), int)
    ]
