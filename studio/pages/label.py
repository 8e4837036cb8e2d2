"""The Label page: label a few transitions by hand for the warm-up."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from studio.components.label.label_progress import label_guidance, label_progress
from studio.components.label.labelling_card import labelling_card, recent_labels, suggested_actions, used_actions
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.illustrations import empty_page, states_without_actions
from studio.components.shared.model_for_states import fit_note, requested_checkpoint
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text
from studio.services.collection_cache import default_collection, sequences
from studio.services.inference import choose_checkpoint, shared_models
from studio.view_models.page import Page
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection, list_collections
from swirl.sources.labels.hand_labelling import (
    LabellingProgress,
    load_labelling_progress,
    save_hand_label,
    training_transitions,
    undo_last_label,
    unlabelled_transitions,
)
from swirl.sources.labels.writing import pack_labels, write_labels
from swirl.states import StateSequence, Transition

PAGE = Page(path="/label", title="Label", question="What was done here?")
MAX_DOWNLOAD_BYTES = 64 * 2**20  # a larger labels file is only written into the home
MAX_ORDERS = 4  # collections whose order is kept in memory, with their sequences
FRAME_SIZE_RANGE = (96, 320)  # pixels of a frame; the window's width decides


def render(home: Path) -> None:
    """Draw the page for the collections of `home`; its script handles the keys and calls these functions."""
    page = LabelPage(home)
    functions = (page.begin, page.show, page.suggest, page.keep, page.skip, page.undo, page.save)
    scripted_block(load_template("label"), "label", functions, styles=("label",))


class LabelPage:
    """The server functions of the page. A request carries `data`, and names a transition by `sequence` and `step`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._orders: OrderedDict[str, tuple[Sequence[StateSequence], list[Transition]]] = OrderedDict()

    def order(self, data: str) -> list[Transition]:
        """The transitions to label, in order; computed again when the collection has changed."""
        current = sequences(self.home, data)
        cached = self._orders.get(data)
        if cached is None or cached[0] is not current:
            cached = self._orders[data] = (current, training_transitions(current))
            self._orders.move_to_end(data)
            while len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)
        return cached[1]

    def begin(self, request: Request) -> Answer:
        """The collections to choose from, and the selected one."""
        collections = list_collections(self.home)
        names = [item.name for item in collections]
        requested = get_text(request, "data")
        options = "".join(f'<option value="{escape(c.name)}">{escape(c.title or c.name)}</option>' for c in collections)
        if not requested or requested in names:
            return {"options": options, "data": requested or default_collection(collections), "problem": ""}
        problem = f"There is no collection {requested!r}, so another one is shown; choose one from the list."
        return {"options": options, "data": default_collection(collections), "problem": problem}

    def show(self, request: Request) -> Answer:
        """The next transition to label, and the progress so far."""
        data = get_text(request, "data")
        transitions = self.order(data)
        so_far = load_labelling_progress(self.home, data, transitions)
        collection = get_collection(self.home, data)
        parts = self.panels(data, so_far, len(transitions))
        answer: Answer = {
            "parts": parts,
            "at": {"data": data},
            "kind": collection.kind,
            "used": so_far.used_actions(),
            "count": len(so_far.labels),
        }
        transition = next(unlabelled_transitions(transitions, so_far), None)
        if transition is None:
            sentence = "Every transition of the training part is labelled or skipped."
            if not transitions:
                sentence = "This collection has no transition in its training part; import more sequences."
            button = '<a class="button" href="./">Back to Explore</a>'
            return answer | {"parts": parts | {"transition": empty_page(states_without_actions(), sentence, button)}}
        parts["transition"] = labelling_card(transition, get_integer(request, "room", *FRAME_SIZE_RANGE))
        parts["place"] = f"{escape(transition.sequence_id)}, step {transition.step + 1}"
        parts["fit"] = fit_note(self.home, request, collection.kind)
        name = shared_models(self.home).choose(requested_checkpoint(request, collection.kind), collection.kind)
        cached = shared_models(self.home).cached_inference(
            name, transition.state, transition.next_state, alternatives=True
        )
        if cached:
            parts["suggestions"] = suggested_actions(cached)
        answer["at"] = {"data": data, "sequence": transition.sequence_id, "step": transition.step}
        return answer | {
            "model": name,
            "known": cached is not None,
            "loaded": name in shared_models(self.home).loaded(),
        }

    def panels(self, data: str, so_far: LabellingProgress, transitions: int) -> dict[str, str]:
        """The parts of the page that show the progress and the labels so far."""
        collection = get_collection(self.home, data)
        labels = [label.action for label in so_far.labels]
        return {
            "progress": label_progress(so_far, transitions, collection.kind),
            "enough": label_guidance(len(labels), collection.kind),
            "used": used_actions(labels),
            "recent": recent_labels(so_far.hand_labels),
            "error": "",
        }

    def suggest(self, request: Request) -> Answer:
        """The actions that the chosen checkpoint infers for the next transition, or for the one `ahead` of it."""
        data = get_text(request, "data")
        transitions = self.order(data)
        ahead = get_integer(request, "ahead", 0, 1)
        upcoming = unlabelled_transitions(transitions, load_labelling_progress(self.home, data, transitions))
        following = [transition for _, transition in zip(range(ahead + 1), upcoming, strict=False)]
        if len(following) <= ahead:
            return {"parts": {}}
        kind = get_collection(self.home, data).kind
        name = choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)
        transition = following[ahead]
        inference = shared_models(self.home).infer(name, [(transition.state, transition.next_state)])[0]
        return {"parts": {"suggestions": suggested_actions(inference)}}

    def keep(self, request: Request) -> Answer:
        """Save `action` as the transition's label and show the next transition."""
        save_hand_label(
            self.home, get_text(request, "data"), self.requested_transition(request), get_text(request, "action")
        )
        return self.show(request)

    def skip(self, request: Request) -> Answer:
        """Skip the transition and show the next one."""
        save_hand_label(self.home, get_text(request, "data"), self.requested_transition(request), None)
        return self.show(request)

    def undo(self, request: Request) -> Answer:
        """Undo the newest label or skip, and show its transition again with its action."""
        data = get_text(request, "data")
        _, undone = undo_last_label(self.home, data, load_labelling_progress(self.home, data, self.order(data)))
        return self.show(request) | {"undone": undone.action or ""}

    def save(self, request: Request) -> Answer:
        """Write the labels into the home and, unless they are too large, return them as a file for the browser."""
        data = get_text(request, "data")
        labels = load_labelling_progress(self.home, data, self.order(data)).labels
        path = write_labels(self.home, data, labels)
        name, content = pack_labels(data, labels)
        answer: Answer = {"parts": {"saved": f'<p class="note">Saved to <code>{escape(str(path))}</code></p>'}}
        if len(content) > MAX_DOWNLOAD_BYTES:
            return answer
        kind = "application/zip" if name.endswith(".zip") else "application/jsonl"
        return answer | {"name": name, "address": f"data:{kind};base64,{base64.b64encode(content).decode()}"}

    def requested_transition(self, request: Request) -> Transition:
        """The transition that the page shows. Raises SwirlError when it is no longer in the training part."""
        place = (get_text(request, "sequence"), request.get("step"))
        transition = next((t for t in self.order(get_text(request, "data")) if (t.sequence_id, t.step) == place), None)
        if transition is None:
            raise SwirlError("This transition is no longer in the collection; reload the page.")
        return transition
