"""Play: what if? A state, an action of yours, the next states the forward model imagines, and the path so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.components.play.current_state import stage
from studio.components.play.futures import Future, distinct, future_cards, title
from studio.components.play.path_tree import path_tree
from studio.components.shared.empty_pages import branching_path, empty
from studio.components.shared.html import escape, scripted, template
from studio.components.shared.model_for_states import READS, fit_note, wanted
from studio.components.shared.out_of_domain_note import depth_note
from studio.components.shared.page_requests import Answer, Request, number, text
from studio.services.collections import first_shown, sequences
from studio.services.frame_likeness import depth
from studio.services.inference import Asking, at_once, chosen, patiently, shared
from studio.services.model_choices import offer
from studio.services.stored_states import Kept, is_picture
from studio.services.trajectory_export import exported
from studio.view_models.numbers import count
from studio.view_models.page import Page
from studio.view_models.play_path import read_path
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import list_collections

PAGE = Page(path="/play", title="Play", question="What if?")
LONGEST_ACTION = 300  # characters; an action is a phrase
LONGEST_STATE = 8000  # characters; about what the larger models read
SUGGESTIONS = 6
NO_FUTURES = "Say what to do, and the forward model imagines what comes of it."


def render(home: Path) -> None:
    """Draw the page over `home`; the path itself lives in the browser, `assets/scripts/play.js` keeps it."""
    page = Player(home)
    functions = (page.begin, page.draw, page.suggest, page.imagine, page.prepare, page.models, page.save)
    scripted(template("play"), "play", functions)


class Player:
    """The answers of the Play page; none of them keeps anything but the frames of paths.

    A state travels as its text, or as the key of a kept frame.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kept = Kept(home)

    def begin(self, request: Request) -> Answer:
        """The state to start from: `own` text, or that of `data`, `sequence` and `step` (from 1), else the first."""
        found = list_collections(self.home)
        options = "".join(f'<option value="{escape(c.name)}">{escape(c.title or c.name)}</option>' for c in found)
        own = text(request, "own").strip()
        if "own" in request:
            return {"state": usable_state(own), "options": options}
        data = text(request, "data") or first_shown(found) or ""
        if not data:
            button = '<a class="button button-primary" href="./">Import sequences</a>'
            return {"parts": {"futures": empty(branching_path(), "There is no state to start from yet.", button)}}
        chain = sequences(self.home, data)
        if not chain:
            raise SwirlError(f"The collection {data} holds no sequence; start from another, or from your own text.")
        states = chain[number(request, "sequence", 1, len(chain)) - 1].states
        state = states[number(request, "step", 1, len(states)) - 1]
        return {"state": self.kept.keep(state), "options": options, "data": data}

    def draw(self, request: Request) -> Answer:
        """The stage, the futures and the path as HTML, from what the browser kept; `keep` leaves the futures alone."""
        path = read_path(request.get("path"))
        here, before = path.nodes[path.at].state, path.before(path.at)
        look = self.kept.state
        parts = {
            "stage": stage(None if before is None else look(before), look(here), path.at + 1),
            "where": f"state {path.at + 1}",
            "path": path_tree(path, look),
            "start-error": "",
            "action-error": "",
        }
        if request.get("keep") is not True:
            parts |= self.futures(request, here, kept(request.get("futures")), kept(request.get("rivals")))
        return {"parts": parts, "kind": kind_of(here)}

    def futures(self, request: Request, here: str, own: list[Future], rivals: list[Future]) -> dict[str, str]:
        """The futures of `here` and, below them, those of a second model."""
        if not own:
            return {"title": "Imagined futures", "futures": empty(branching_path(), NO_FUTURES, "")}
        action, ranked = text(request, "action"), request.get("best") is not False
        shown = future_cards(here, action, own, self.kept.state, ranked=ranked)
        if rivals:
            by = text(request, "rival")
            shown += future_cards(here, action, rivals, self.kept.state, ranked=ranked, by=by)
        return {"title": title(own), "futures": shown}

    def suggest(self, request: Request) -> Answer:
        """Actions that seem possible in the state."""
        state = usable_state(text(request, "state"))
        name = self.asked(request, state)
        models, seen = shared(self.home), self.kept.state(state)
        key = ("suggested", name, state)
        actions = models.recall(key)
        if actions is None:
            actions = patiently(models, name, lambda model: model.suggest_actions(seen, n=SUGGESTIONS))
            models.remember(key, actions)
        chips = "".join(
            f'<button type="button" class="chip" data-suggestion="{escape(action)}"><kbd>{index}</kbd>'
            f"{escape(action)}</button>"
            for index, action in enumerate(actions, start=1)
        )
        parts = {
            "suggestions": chips or '<p class="note">The model has no suggestion for this state.</p>',
            "depth": depth_note(seen, depth(models, name, seen)),
            "fit": fit_note(self.home, request, kind_of(state)),
        }
        return {"parts": parts}

    def asked(self, request: Request, state: str) -> str:
        """The checkpoint to ask about a state. Raises SwirlError when none reads its kind."""
        kind = kind_of(state)
        return chosen(self.home, wanted(request, kind), kind)

    def imagine(self, request: Request) -> Answer:
        """Next states of `state` under `action`, `n` samples with `seed`, equal ones as one.

        The best comes first, or with `best` false the one drawn first. `rival` names a second model, which gets the
        same state, action and seed.
        """
        state = usable_state(text(request, "state"))
        action = usable_action(text(request, "action"))
        rival, ranked = text(request, "rival").strip(), request.get("best") is not False
        own = self.drawn(self.asked(request, state), state, action, request, ranked)
        rivals = self.drawn(self.rival(rival, state), state, action, request, ranked) if rival else []
        told = {**request, "action": action, "rival": rival}
        return {
            "action": action,
            "futures": [vars(future) for future in own],
            "rivals": [vars(future) for future in rivals],
            "parts": self.futures(told, state, own, rivals) | {"action-error": ""},
        }

    def prepare(self, request: Request) -> Answer:
        """Imagine ahead what `imagine` will probably be asked, so that the answer is at hand when it is."""
        state, action = usable_state(text(request, "state")), usable_action(text(request, "action"))
        self.drawn(self.asked(request, state), state, action, request, ranked=True, ask=patiently)
        return {}

    def drawn(
        self, name: str, state: str, action: str, request: Request, ranked: bool, ask: Asking = at_once
    ) -> list[Future]:
        """The distinct futures that a model draws; what was drawn before with the same seed is remembered."""
        samples, seed = number(request, "n", 1, 16), number(request, "seed", 0, 2**31 - 1)
        models, key = shared(self.home), ("imagined", name, state, action, samples, seed)
        predictions = models.recall(key)
        if predictions is None:
            seen = self.kept.state(state)
            predictions = ask(models, name, lambda model: model.imagine(seen, action, n=samples, seed=seed))
            models.remember(key, predictions)
        for prediction in predictions:
            self.kept.keep(prediction.state)
        return distinct(predictions, ranked=ranked)

    def rival(self, name: str, state: str) -> str:
        """The second model. Raises SwirlError when there is none of that name, or it does not read such states."""
        models, kind = shared(self.home), kind_of(state)
        known = {item.name: item.kind for item in models.available()}
        its = known[name] if name in known else offer(self.home, models, name).kind
        if its != kind:
            raise SwirlError(f"{name} reads {READS[its]}, and this state is none; choose another model beside.")
        return name

    def models(self, request: Request) -> Answer:
        """The names of the models that read such states, as options of a field."""
        found = shared(self.home).available(text(request, "kind"))
        return {"options": "".join(f'<option value="{escape(item.name)}"></option>' for item in found)}

    def save(self, request: Request) -> Answer:
        """The trajectory from the start to where the player stands as a file in a `data:` address."""
        path = read_path(request.get("path"))
        line = path.line()
        states = [self.kept.state(path.nodes[index].state) for index in line]
        actions = [path.nodes[index].action for index in line[1:]]
        name = "".join(c for c in text(request, "name") if c.isalnum() or c == "-")[:40] or "path"
        file, address = exported(text(request, "form"), name, states, actions)
        return {"name": file, "address": address}


def kind_of(state: str) -> str:
    """Whether what the browser kept stands for a picture or is a text."""
    return "image" if is_picture(state) else "text"


def usable_action(action: str) -> str:
    """The action without the space around it; SwirlError when it is empty or no phrase any more."""
    action = " ".join(action.split())
    if not action:
        raise SwirlError("Say what to do first: type an action, or press 1 to 6 to pick one.")
    if len(action) > LONGEST_ACTION:
        raise SwirlError(
            f"An action is a short phrase; this one has {count(len(action))} characters, keep it to {LONGEST_ACTION}."
        )
    return action


def usable_state(state: str) -> str:
    """The state; SwirlError when it is empty or longer than a model reads."""
    if not state.strip():
        raise SwirlError("Write or paste a state first.")
    if len(state) > LONGEST_STATE:
        raise SwirlError(
            f"This state has {count(len(state))} characters; a model reads {count(LONGEST_STATE)}, so shorten it."
        )
    return state


def kept(value: Any) -> list[Future]:
    """The futures that the browser kept, leaving out what is none."""
    items = value if isinstance(value, list) else []
    return [
        Future(item["state"], item["score"], item["times"])
        for item in items
        if isinstance(item, dict)
        and isinstance(item.get("state"), str)
        and isinstance(item.get("score"), int | float | None)
        and isinstance(item.get("times"), int)
    ]
