"""A closer look on Explore: several steps ahead from a state, and all actions of a collection on a map."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from studio.components.explore.action_map import MapPoint, action_map, confusion_table
from studio.components.explore.rollout_strip import rollout_strip
from studio.components.shared.decay_charts import decay_charts
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.metrics_table import metrics_table
from studio.components.shared.model_for_states import requested_checkpoint
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text, get_texts
from studio.services.checkpoint_answers import infers_actions, sample_with_true_actions
from studio.services.collection_cache import sequences
from studio.services.inference import choose_checkpoint, shared_models
from studio.services.measured_metrics import known_figures
from studio.view_models.formatting import pluralize
from studio.view_models.metric_rows import metric_rows
from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

MAX_MAP_TRANSITIONS = 200
"""Transitions on the map, of the test part: asked in some seconds, and every point can still be met."""

STEPS = 6
"""The most steps ahead."""

MAX_TRACKED_ROLLOUTS = 64
"""Walks ahead whose progress is remembered."""


def render(home: Path) -> None:
    """Draw the panels over `home`, below the walker; `scripts/explore_analysis.js` asks, these functions answer."""
    page = AnalysisPanels(home)
    functions = (page.ahead, page.going, page.ask, page.map, page.measured)
    scripted_block(load_template("explore_analysis"), "explore_analysis", functions, styles=("measurements",))


@dataclass(frozen=True)
class MapTransitions:
    """The transitions of the map, where each stands in the collection (both from 1), and their true actions."""

    transitions: list[Transition]
    places: list[tuple[int, int]]
    truths: list[str] | None


class AnalysisPanels:
    """The answers of the panels. Requests carry `data`; of a walk ahead also `sequence` and `step`, from 1."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared_models(home)
        self._going: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def resolve_request(self, request: Request) -> tuple[str, str]:
        """The collection and the checkpoint. Raises SwirlError for one that infers no actions."""
        data = get_text(request, "data")
        kind = get_collection(self.home, data).kind
        name = choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)
        if not infers_actions(self.models, name):
            raise SwirlError(f"{name} only shows next states; it infers no actions that could be looked at.")
        return data, name

    def ahead(self, request: Request) -> Answer:
        """`steps` steps ahead from a state, under the inferred actions or those in `actions`; `ticket` names it.

        More steps than the sequence has left are cut, unless the actions are given.
        """
        data, name = self.resolve_request(request)
        chain = sequences(self.home, data)
        sequence = chain[get_integer(request, "sequence", 1, len(chain)) - 1]
        start = get_integer(request, "step", 1, max(1, len(sequence.states) - 1)) - 1
        steps, best = get_integer(request, "steps", 1, STEPS), get_integer(request, "best_of", 1, 16)
        given = [" ".join(action.split()) for action in get_texts(request, "actions")] if "actions" in request else None
        if given is not None and (len(given) != steps or not all(given)):
            raise SwirlError(f"Write an action for each of the {pluralize(steps, 'step')}, or let them be inferred.")
        if given is None:
            steps = min(steps, len(sequence.states) - 1 - start)
        key = ("ahead", name, data, sequence, start, steps, tuple(given or ()), best)
        found = self.models.recall(key)
        if found is None:
            tell = self.progress_callback(get_text(request, "ticket"))
            with self.models.use(name) as model:
                from swirl.evaluation.unrolling import unroll

                found = unroll(model, sequence, start, steps, actions=given, best_of=best, progress=tell)
            self.models.remember(key, found)
        return {"parts": {"ahead": rollout_strip(found)}, "actions": list(found.actions), "steps": steps}

    def progress_callback(self, ticket: str) -> ProgressCallback:
        """What keeps a walk's progress for `going`."""

        def tell(share: float, words: str) -> None:
            with self._guard:
                self._going[ticket] = words
                while len(self._going) > MAX_TRACKED_ROLLOUTS:
                    self._going.popitem(last=False)

        return tell

    def going(self, request: Request) -> Answer:
        """How far a walk ahead is, in words; empty before its first step."""
        with self._guard:
            return {"words": self._going.get(get_text(request, "ticket"), "")}

    def map_transitions(self, data: str) -> MapTransitions:
        """The transitions of the map: of the test part, from as many sequences as there are."""
        transitions, truths = sample_with_true_actions(self.home, data, MAX_MAP_TRANSITIONS)
        index = {sequence.id: n for n, sequence in enumerate(sequences(self.home, data), start=1)}
        places = [(index[t.sequence_id], t.step + 1) for t in transitions]
        known = [truth for truth in truths if truth is not None]
        return MapTransitions(transitions, places, known if len(known) == len(transitions) else None)

    def ask(self, request: Request) -> Answer:
        """Infer the actions of the map's transitions from `first` on, `size` of them."""
        data, name = self.resolve_request(request)
        transitions = self.map_transitions(data).transitions
        first, size = (
            get_integer(request, "first", 0, MAX_MAP_TRANSITIONS),
            get_integer(request, "size", 1, MAX_MAP_TRANSITIONS),
        )
        some = transitions[first : first + size]
        self.models.infer(name, [(t.state, t.next_state) for t in some], alternatives=False)
        return {"done": min(first + size, len(transitions)), "of": len(transitions)}

    def map(self, request: Request) -> Answer:
        """The map of the inferred actions, coloured by `colour` ("cluster" or "truth"), and the confusion."""
        from swirl.evaluation.action_map import action_map as laid_out
        from swirl.evaluation.action_map import confusion

        data, name = self.resolve_request(request)
        on_map = self.map_transitions(data)
        pairs = [(t.state, t.next_state) for t in on_map.transitions]
        actions = [found.action for found in self.models.infer(name, pairs, alternatives=False)]
        key = ("map", name, data, tuple(actions))
        plan = self.models.recall(key)
        if plan is None:
            plan = laid_out(actions)
            self.models.remember(key, plan)
        truths = on_map.truths
        table = confusion(plan.clusters, plan.names, truths) if truths else None
        categories, called = list(plan.clusters), list(plan.names)
        coloured = get_text(request, "colour") == "truth" and truths is not None and table is not None
        if coloured:
            called, categories = list(table.columns), list(table.column_of_action)
        points = [
            MapPoint(place, sequence, step, action, truth)
            for place, (sequence, step), action, truth in zip(
                plan.points, on_map.places, actions, truths or [None] * len(actions), strict=True
            )
        ]
        by = "kind of the true action" if coloured else "cluster of the inferred action"
        said = "These data have no true actions to hold the clusters against."
        held = confusion_table(table) if table else f'<p class="note">{said}</p>'
        basis = f"{pluralize(len(points), 'transition')} of the test part, read by {name}"
        return {
            "parts": {"map": action_map(points, categories, called, by), "confusion": held, "basis": escape(basis)},
            "truths": truths is not None,
        }

    def measured(self, request: Request) -> Answer:
        """What was measured of the checkpoint on the collection before; empty where nothing was."""
        data, name = self.resolve_request(request)
        known = known_figures(self.home, [name], data)
        rows = metric_rows(known.figures)
        if not rows:
            return {"parts": {"measured": "", "measured-source": ""}}
        names = {"a": name}
        parts = decay_charts(rows, names) + metrics_table(rows, names)
        return {"parts": {"measured": parts, "measured-source": escape(f"{name}: {known.source}")}}
