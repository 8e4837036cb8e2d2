"""The Explore page: sequences, the action inferred for each step, and what the forward model imagines from it."""

from __future__ import annotations

from pathlib import Path

from studio.components.explore.collection_list import collection_list
from studio.components.explore.imagined_states import imagined_states
from studio.components.explore.import_preview import format_options, local_path_form
from studio.components.explore.import_requests import ImportRequests
from studio.components.shared.actions_over_phases import actions_over_phases
from studio.components.shared.filmstrip import action_chip, filmstrip, visible_window
from studio.components.shared.health_report import health_report
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.illustrations import empty_page, step_between
from studio.components.shared.inferred_actions import action_bars, transition_changes, true_action_note
from studio.components.shared.model_for_states import fit_note, requested_checkpoint
from studio.components.shared.out_of_distribution_note import out_of_distribution_note, text_note
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text
from studio.services import text_streams
from studio.services.collection_cache import cover_frames, default_collection, sequences
from studio.services.collection_export import cached_actions, offer_actions, offer_states
from studio.services.frame_similarity import measure_reconstruction
from studio.services.health_checks import (
    MAX_CHECKED_TRANSITIONS,
    check_actions,
    checked_transitions,
    follow_run,
    load_followed_run,
    load_last_check,
    usable_checkpoints,
)
from studio.services.inference import choose_checkpoint, no_model_message, shared_models
from studio.services.local_access import are_local_paths_allowed
from studio.services.progress_words import ProgressWords
from studio.services.transition_predictions import compare_predictions
from studio.view_models.formatting import format_count, pluralize
from studio.view_models.page import Page
from swirl.errors import SwirlError
from swirl.evaluation.health_findings import HealthCheck
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import delete_collection, get_collection, list_collections
from swirl.states import StateSequence

PAGE = Page(path="/", title="Explore", question="What happened?")

CHECK_PROMPT = (
    '<p class="note">Are they meaningful, have they collapsed, do they leak the next state, can they be undone, are '
    "they a private code?</p>"
    f'<p><button type="button" class="button-link" data-check>Check up to {MAX_CHECKED_TRANSITIONS} '
    "transitions</button></p>"
)
CHECK_AGAIN_BUTTON = '<p><button type="button" class="button-link small" data-check>Check again</button></p>'
FOLLOW_BUTTON = (
    '<p><button type="button" class="button-link small" data-phases>How its actions changed over the phases'
    "</button></p>"
)


def render(home: Path) -> None:
    """Draw the page over `home`; `assets/scripts/explore.js` walks, these functions answer."""
    page, imports = ExplorePage(home), ImportRequests(home)
    walk = (page.collections, page.show, page.infer, page.imagine, page.truth)
    functions = (
        *walk,
        page.check,
        page.phases,
        page.checking,
        imports.look_into,
        imports.receive,
        imports.importing,
        imports.stop_import,
        page.remove,
        page.export,
    )
    place = local_path_form() if are_local_paths_allowed() else ""
    html = load_template("explore").replace("{{ local }}", place).replace("{{ formats }}", format_options())
    scripted_block(html, "explore", functions, styles=("explore",))


class ExplorePage:
    """The answers to the page's requests, which carry `data`, `sequence` and `step`, the latter two from 1."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.progress = ProgressWords()

    def collections(self, request: Request) -> Answer:
        """The list of collections, and which one to open."""
        collections = list_collections(self.home)
        names = [item.name for item in collections]
        asked = get_text(request, "data")
        missing = bool(asked) and asked not in names
        problem = f"There is no collection {asked!r}; showing another one." if missing else ""
        data = asked if asked in names else default_collection(collections)
        return {
            "parts": {"collections": collection_list(collections, cover_frames(self.home, collections))},
            "data": data,
            "problem": problem,
        }

    def read_position(self, request: Request) -> tuple[str, int, int, int, StateSequence]:
        """The collection, its number of sequences, and the requested sequence and step, clamped to their ranges.

        Both count from 1; the last value is the sequence itself. Raises SwirlError for an empty collection.
        """
        data = get_text(request, "data")
        collection = sequences(self.home, data)
        if not collection:
            raise SwirlError(f"The collection {data} has no sequences; import its file again.")
        index = get_integer(request, "sequence", 1, len(collection))
        sequence = collection[index - 1]
        return data, len(collection), index, get_integer(request, "step", 1, max(1, len(sequence.states) - 1)), sequence

    def show(self, request: Request) -> Answer:
        """A sequence and one of its steps, with the actions inferred so far."""
        data, count, index, step, sequence = self.read_position(request)
        states = sequence.states
        state, next_state = states[step - 1], states[min(step, len(states) - 1)]
        collection = get_collection(self.home, data)
        models = shared_models(self.home)
        name = models.choose(requested_checkpoint(request, collection.kind), collection.kind)
        window = visible_window(len(states), step)
        cached = {i - 1: models.cached_inference(name, states[i - 1], states[i]) for i in window[:-1]}
        parts = {
            "of": f"of {count}",
            "count": f"{pluralize(len(states), 'state')}, {pluralize(len(states) - 1, 'step')}",
            "film": filmstrip(states, window),
            "between": f"What happened between {step} and {step + 1}",
            "happened": transition_changes(state, next_state),
            "truth": 'The true action is hidden. <button type="button" class="button-link" data-truth>Show it</button>'
            if collection.has_actions
            else "This collection has no true actions.",
        }
        parts["fit"] = fit_note(self.home, request, collection.kind)
        check = load_last_check(self.home, models, name, data)
        parts["health"] = self.check_report(name, data, check) if check else CHECK_PROMPT
        parts |= {f"chip-{i}": action_chip(inference) for i, inference in cached.items() if inference}
        here = models.cached_inference(name, state, next_state, alternatives=True)
        if here:
            parts["inferred"] = action_bars(here)
        if name is None:
            parts |= {"inferred": "", "imagined": no_model_panel(collection.kind, data)}
        nearest_first = sorted(cached, key=lambda i: abs(i - (step - 1)))
        return {
            "parts": parts,
            "at": {"data": data, "sequence": index, "step": step},
            "sequences": count,
            "steps": len(states) - 1,
            "missing": [i for i in nearest_first if (here if i == step - 1 else cached[i]) is None],
            "model": name,
            "loaded": name in models.loaded(),
            "kind": collection.kind,
        }

    def checkpoint_for_collection(self, request: Request, data: str) -> str:
        """The checkpoint to ask about a collection. Raises SwirlError if there is none for its kind."""
        kind = get_collection(self.home, data).kind
        return choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)

    def infer(self, request: Request) -> Answer:
        """The inferred actions of the steps in `steps` (from 0), with alternatives for the current step."""
        data, _, _, step, sequence = self.read_position(request)
        name = self.checkpoint_for_collection(request, data)
        pairs = list(zip(sequence.states, sequence.states[1:], strict=False))
        steps = [i for i in request.get("steps", []) if isinstance(i, int) and 0 <= i < len(pairs)]
        models = shared_models(self.home)
        parts = {}
        if step - 1 in steps:
            parts["inferred"] = action_bars(models.infer(name, [pairs[step - 1]])[0])
        with text_streams.answering(""):  # what is written now is about other steps
            inferences = models.infer(name, [pairs[i] for i in steps], alternatives=False)
        parts |= {f"chip-{i}": action_chip(inference) for i, inference in zip(steps, inferences, strict=True)}
        return {"parts": parts}

    def imagine(self, request: Request) -> Answer:
        """What the forward model imagines for the step, from its inferred action and from that of another step."""
        data, _, _, step, sequence = self.read_position(request)
        name = self.checkpoint_for_collection(request, data)
        pairs = list(zip(sequence.states, sequence.states[1:], strict=False))
        models = shared_models(self.home)
        action = models.infer(name, [pairs[step - 1]])[0].action
        others = (models.cached_inference(name, *pairs[(step + i) % len(pairs)]) for i in range(len(pairs) - 1))
        other = next((inference.action for inference in others if inference and inference.action != action), None)
        comparison = compare_predictions(models, name, *pairs[step - 1], action, other)
        state = pairs[step - 1][0]
        reconstruction = measure_reconstruction(models, name, state)
        lost = reconstruction is not None and bool(reconstruction.warning)
        known = comparison.inferred.log_prob_per_token
        note = text_note(known) if state.picture is None else out_of_distribution_note(state, reconstruction)
        parts = {"imagined": note + imagined_states(comparison, *pairs[step - 1], lost=lost)}
        return {"parts": parts, "shuffled": other is not None}

    def truth(self, request: Request) -> Answer:
        """The true action of the step, on request."""
        data, _, _, step, sequence = self.read_position(request)
        actions = load_true_actions(self.home, data).get(sequence.id, [])
        if step > len(actions):
            return {"parts": {"truth": "The true action of this step was not recorded."}}
        models, kind = shared_models(self.home), get_collection(self.home, data).kind
        name = models.choose(requested_checkpoint(request, kind), kind)
        inference = models.cached_inference(name, sequence.states[step - 1], sequence.states[step])
        return {"parts": {"truth": true_action_note(actions[step - 1], inference)}}

    def check(self, request: Request) -> Answer:
        """Check the actions inferred for a sample of the collection's transitions; `checking` reports by `ticket`."""
        data = get_text(request, "data")
        name = self.checkpoint_for_collection(request, data)
        report = self.progress.callback(get_text(request, "ticket"))
        check = check_actions(self.home, shared_models(self.home), name, data, report)
        return {"parts": {"health": self.check_report(name, data, check)}}

    def phases(self, request: Request) -> Answer:
        """How the actions of the checkpoint's run changed over its phases; `checking` reports by `ticket`."""
        data = get_text(request, "data")
        name = self.checkpoint_for_collection(request, data)
        report = self.progress.callback(get_text(request, "ticket"))
        found = follow_run(self.home, shared_models(self.home), name, data, report)
        return {"parts": {"phases": actions_over_phases(found, name)}}

    def checking(self, request: Request) -> Answer:
        """The progress of `check` or `phases` in words; empty before the first."""
        return {"words": self.progress.words(get_text(request, "ticket"))}

    def check_report(self, name: str, data: str, check: HealthCheck) -> str:
        """The verdicts of a check on a collection, a button that repeats it, and its run's actions over the phases."""
        models = shared_models(self.home)
        report = health_report(check, checked_transitions(self.home, data, check), name) + CHECK_AGAIN_BUTTON
        if len(usable_checkpoints(self.home, models, name)) < 2:
            return report
        found = load_followed_run(models, name, data)
        return f'{report}<div data-part="phases">{actions_over_phases(found, name) if found else FOLLOW_BUTTON}</div>'

    def remove(self, request: Request) -> Answer:
        """Delete one of your own collections."""
        delete_collection(self.home, get_text(request, "data"))
        return self.collections({})

    def export(self, request: Request) -> Answer:
        """The address of a file to download: the collection as `what`, "jsonl" or "parquet", or its "actions".

        Actions that are not all inferred yet may take hours, so then the answer says how to infer them.
        """
        data, what = get_text(request, "data"), get_text(request, "what")
        if what != "actions":
            return {"address": offer_states(self.home, data, what)}
        name = self.checkpoint_for_collection(request, data)
        inferred = cached_actions(self.home, shared_models(self.home), name, data)
        found = [inference for inference in inferred if inference is not None]
        if len(found) < len(inferred):
            return {"parts": {"saved": infer_the_rest(name, data, len(found), len(inferred))}}
        return {"address": offer_actions(self.home, data, found)}


def infer_the_rest(checkpoint: str, data: str, found: int, count: int) -> str:
    """How many actions of a collection are inferred, and the command that infers and writes them all."""
    options = ("swirl infer", checkpoint, f"--data {data}", f"--out {data}-actions.parquet")
    command = " ".join(f"<span>{escape(option)}</span>" for option in options)
    return (
        f'<p class="note">{format_count(found)} of {format_count(count)} actions are inferred here so far. This infers '
        f'and writes them all:</p><p class="note command"><code>{command}</code></p>'
    )


def no_model_panel(kind: str, data: str) -> str:
    """In place of the imagined states if there is no model for the collection's kind."""
    button = f'<a class="button button-primary" href="train?new=1&amp;data={escape(data)}">Train one on these</a>'
    return empty_page(step_between(), no_model_message(kind), button)
