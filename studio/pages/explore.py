"""Explore: what happened? The sequences, the action inferred for each step, what the forward model makes of it."""

from __future__ import annotations

from pathlib import Path

from studio.components.explore.collection_list import shelf
from studio.components.explore.prediction import imagined
from studio.components.shared.empty_pages import empty, step_between
from studio.components.shared.filmstrip import chip, filmstrip, window
from studio.components.shared.health_verdicts import health
from studio.components.shared.html import escape, scripted, template
from studio.components.shared.inferred_action import bars, happened, truth
from studio.components.shared.model_for_states import fit_note, wanted
from studio.components.shared.out_of_domain_note import depth_note
from studio.components.shared.page_requests import Answer, Request, number, text, texts
from studio.services.collections import covers, first_shown, sequences
from studio.services.frame_likeness import depth
from studio.services.health_checks import TRANSITIONS, check, checked, places
from studio.services.inference import chosen, missing, shared
from studio.services.transition_predictions import compare
from studio.services.uploads import Imports, report
from studio.view_models.numbers import counted
from studio.view_models.page import Page
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import delete_collection, get_collection, list_collections
from swirl.sources.formats.image_options import PictureOptions, parse_every
from swirl.states import StateSequence

PAGE = Page(path="/", title="Explore", question="What happened?")

CHECK = (
    '<p class="note">Do they mean something, do they differ, do they give the next state away?</p>'
    f'<p><button type="button" class="button-link" data-check>Check up to {TRANSITIONS} transitions</button></p>'
)
AGAIN = '<p><button type="button" class="button-link small" data-check>Check again</button></p>'


def render(home: Path) -> None:
    """Draw the page over `home`; `assets/scripts/explore.js` walks, these functions answer."""
    page = Explorer(home)
    walk = (page.collections, page.show, page.infer, page.imagine, page.truth)
    functions = (*walk, page.check, page.receive, page.importing, page.remove)
    scripted(template("explore"), "explore", functions, styles=("explore",))


class Explorer:
    """The answers of the Explore page. Requests carry `data`, `sequence` and `step`, both counted from 1."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.imports = Imports(home)

    def collections(self, request: Request) -> Answer:
        """The list of collections, and which one to open."""
        found = list_collections(self.home)
        names = [item.name for item in found]
        asked = text(request, "data")
        gone = bool(asked) and asked not in names
        problem = f"There is no collection {asked!r} any more; showing another." if gone else ""
        data = asked if asked in names else first_shown(found)
        return {"parts": {"collections": shelf(found, covers(self.home, found))}, "data": data, "problem": problem}

    def place(self, request: Request) -> tuple[str, int, int, int, StateSequence]:
        """The collection, how many sequences it has, and the sequence and step asked for, pulled into range."""
        data = text(request, "data")
        found = sequences(self.home, data)
        if not found:
            raise SwirlError(f"The collection {data} holds no sequence; import its file again.")
        index = number(request, "sequence", 1, len(found))
        sequence = found[index - 1]
        return data, len(found), index, number(request, "step", 1, max(1, len(sequence.states) - 1)), sequence

    def show(self, request: Request) -> Answer:
        """A sequence and one of its steps, with whatever was inferred and imagined before."""
        data, count, index, step, sequence = self.place(request)
        states = sequence.states
        state, next_state = states[step - 1], states[min(step, len(states) - 1)]
        collection = get_collection(self.home, data)
        models = shared(self.home)
        name = models.choose(wanted(request, collection.kind), collection.kind)
        shown = window(len(states), step)
        known = {i - 1: models.known(name, states[i - 1], states[i]) for i in shown[:-1]}
        parts = {
            "of": f"of {count}",
            "count": f"{counted(len(states), 'state')}, {counted(len(states) - 1, 'step')}",
            "film": filmstrip(states, shown),
            "between": f"What happened between {step} and {step + 1}",
            "happened": happened(state, next_state),
            "truth": 'The true action is hidden. <button type="button" class="button-link" data-truth>Show it</button>'
            if collection.has_actions
            else "These data have no true actions.",
        }
        parts["fit"] = fit_note(self.home, request, collection.kind)
        look = checked(self.home, models, name, data)
        parts["health"] = health(look, places(self.home, data, look)) + AGAIN if look else CHECK
        parts |= {f"chip-{i}": chip(found) for i, found in known.items() if found}
        here = models.known(name, state, next_state, alternatives=True)
        if here:
            parts["inferred"] = bars(here)
        if name is None:
            parts |= {"inferred": "", "imagined": untaught(collection.kind, data)}
        near = sorted(known, key=lambda i: abs(i - (step - 1)))
        return {
            "parts": parts,
            "at": {"data": data, "sequence": index, "step": step},
            "sequences": count,
            "steps": len(states) - 1,
            "missing": [i for i in near if (here if i == step - 1 else known[i]) is None],
            "model": name,
            "loaded": name in models.loaded(),
            "kind": collection.kind,
        }

    def asked(self, request: Request, data: str) -> str:
        """The checkpoint to ask about a collection. Raises SwirlError when none reads its kind."""
        kind = get_collection(self.home, data).kind
        return chosen(self.home, wanted(request, kind), kind)

    def infer(self, request: Request) -> Answer:
        """The inferred actions of the steps in `steps` (0-based) of a sequence; alternatives for the present step."""
        data, _, _, step, sequence = self.place(request)
        name = self.asked(request, data)
        pairs = list(zip(sequence.states, sequence.states[1:], strict=False))
        steps = [i for i in request.get("steps", []) if isinstance(i, int) and 0 <= i < len(pairs)]
        models = shared(self.home)
        parts = {}
        if step - 1 in steps:
            parts["inferred"] = bars(models.infer(name, [pairs[step - 1]])[0])
        found = models.infer(name, [pairs[i] for i in steps], alternatives=False)
        parts |= {f"chip-{i}": chip(inference) for i, inference in zip(steps, found, strict=True)}
        return {"parts": parts}

    def imagine(self, request: Request) -> Answer:
        """What the forward model imagines for the step, from the inferred action and from another of the sequence."""
        data, _, _, step, sequence = self.place(request)
        name = self.asked(request, data)
        pairs = list(zip(sequence.states, sequence.states[1:], strict=False))
        models = shared(self.home)
        action = models.infer(name, [pairs[step - 1]])[0].action
        elsewhere = (models.known(name, *pairs[(step + i) % len(pairs)]) for i in range(len(pairs) - 1))
        other = next((found.action for found in elsewhere if found and found.action != action), None)
        comparison = compare(models, name, *pairs[step - 1], action, other)
        state = pairs[step - 1][0]
        known = depth(models, name, state)
        lost = known is not None and bool(known.sentence)
        parts = {"imagined": depth_note(state, known) + imagined(comparison, *pairs[step - 1], lost=lost)}
        return {"parts": parts, "shuffled": other is not None}

    def truth(self, request: Request) -> Answer:
        """The true action of the step, on request."""
        data, _, _, step, sequence = self.place(request)
        actions = load_true_actions(self.home, data).get(sequence.id, [])
        if step > len(actions):
            return {"parts": {"truth": "The true action of this step was not recorded."}}
        models, kind = shared(self.home), get_collection(self.home, data).kind
        name = models.choose(wanted(request, kind), kind)
        found = models.known(name, sequence.states[step - 1], sequence.states[step])
        return {"parts": {"truth": truth(actions[step - 1], found)}}

    def check(self, request: Request) -> Answer:
        """Judge the actions inferred for some transitions of the whole collection."""
        data = text(request, "data")
        name = self.asked(request, data)
        look = check(self.home, shared(self.home), name, data)
        return {"parts": {"health": health(look, places(self.home, data, look)) + AGAIN}}

    def receive(self, request: Request) -> Answer:
        """Import files that the browser has uploaded, `names` telling where each lay; the report in words.

        `ticket` is the browser's name for this import, by which `importing` tells how far it is; `every`,
        `keep_duplicates` and `keep_cuts` say how videos are read.
        """
        paths, names = (texts(request, key) for key in ("paths", "names"))
        every = text(request, "every").strip()
        kept = {key: request.get(key) is True for key in ("keep_duplicates", "keep_cuts")}
        options = PictureOptions(**(parse_every(every) if every else {}), **kept)
        done = self.imports.take(paths, names, text(request, "name").strip(), text(request, "ticket"), options)
        return {"parts": {"import": report(done)}, "data": done.name}

    def importing(self, request: Request) -> Answer:
        """How far an import is, in words; empty when it has not begun or is done."""
        return {"parts": {"progress": self.imports.progress(text(request, "ticket"))}}

    def remove(self, request: Request) -> Answer:
        """Delete one of your own collections."""
        delete_collection(self.home, text(request, "data"))
        return self.collections({})


def untaught(kind: str, data: str) -> str:
    """In place of what is imagined where no model reads such states."""
    button = f'<a class="button button-primary" href="train?new=1&amp;data={escape(data)}">Train one on these</a>'
    return empty(step_between(), missing(kind), button)
