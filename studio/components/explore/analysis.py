"""A closer look on Explore: several steps ahead from a state, and all actions of a collection on a map."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.components.explore.action_map import Point, action_map, confusion_table
from studio.components.explore.unrolled_states import ahead
from studio.components.shared.decay_chart import decay
from studio.components.shared.html import escape, scripted, template
from studio.components.shared.metrics_table import metrics_table
from studio.components.shared.model_for_states import wanted
from studio.components.shared.page_requests import Answer, Request, number, text, texts
from studio.services.collections import sequences
from studio.services.comparison_predictions import infers, sampled
from studio.services.comparison_scores import known_figures
from studio.services.inference import chosen, shared
from studio.view_models.metric_rows import metric_rows
from studio.view_models.numbers import counted
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

MAPPED = 200
"""Transitions on the map, of the test part: asked in some seconds, and every point can still be met."""

STEPS = 6
"""The most steps ahead."""

OPEN = 64
"""Walks ahead whose progress is remembered."""


def render(home: Path) -> None:
    """Draw the panels over `home`, below the walker; `scripts/explore_analysis.js` asks, these functions answer."""
    page = Analysis(home)
    functions = (page.ahead, page.going, page.ask, page.map, page.measured)
    scripted(template("explore_analysis"), "explore_analysis", functions, styles=("measurements",))


@dataclass(frozen=True)
class Mapped:
    """The transitions of the map, where each stands in the collection (both from 1), and their true actions."""

    transitions: list[Transition]
    places: list[tuple[int, int]]
    truths: list[str] | None


class Analysis:
    """The answers of the panels. Requests carry `data`; of a walk ahead also `sequence` and `step`, from 1."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared(home)
        self._going: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def asked(self, request: Request) -> tuple[str, str]:
        """The collection and the checkpoint. Raises SwirlError for one that infers no actions."""
        data = text(request, "data")
        kind = get_collection(self.home, data).kind
        name = chosen(self.home, wanted(request, kind), kind)
        if not infers(self.models, name):
            raise SwirlError(f"{name} only shows next states; it infers no actions that could be looked at.")
        return data, name

    def ahead(self, request: Request) -> Answer:
        """`steps` steps ahead from a state, under the inferred actions or those in `actions`; `ticket` names it.

        More steps than the sequence has left are cut, unless the actions are given.
        """
        data, name = self.asked(request)
        chain = sequences(self.home, data)
        sequence = chain[number(request, "sequence", 1, len(chain)) - 1]
        start = number(request, "step", 1, max(1, len(sequence.states) - 1)) - 1
        steps, best = number(request, "steps", 1, STEPS), number(request, "best_of", 1, 16)
        given = [" ".join(action.split()) for action in texts(request, "actions")] if "actions" in request else None
        if given is not None and (len(given) != steps or not all(given)):
            raise SwirlError(f"Write an action for each of the {counted(steps, 'step')}, or let them be inferred.")
        if given is None:
            steps = min(steps, len(sequence.states) - 1 - start)
        key = ("ahead", name, data, sequence, start, steps, tuple(given or ()), best)
        found = self.models.recall(key)
        if found is None:
            tell = self.teller(text(request, "ticket"))
            with self.models.use(name) as model:
                from swirl.evaluation.unrolling import unroll

                found = unroll(model, sequence, start, steps, actions=given, best_of=best, progress=tell)
            self.models.remember(key, found)
        return {"parts": {"ahead": ahead(found)}, "actions": list(found.actions), "steps": steps}

    def teller(self, ticket: str) -> Callable[[float, str], None]:
        """What keeps a walk's progress for `going`."""

        def tell(share: float, words: str) -> None:
            with self._guard:
                self._going[ticket] = words
                while len(self._going) > OPEN:
                    self._going.popitem(last=False)

        return tell

    def going(self, request: Request) -> Answer:
        """How far a walk ahead is, in words; empty before its first step."""
        with self._guard:
            return {"words": self._going.get(text(request, "ticket"), "")}

    def mapped(self, data: str) -> Mapped:
        """The transitions of the map: of the test part, from as many sequences as there are."""
        transitions, truths = sampled(self.home, data, MAPPED)
        index = {sequence.id: n for n, sequence in enumerate(sequences(self.home, data), start=1)}
        places = [(index[t.sequence_id], t.step + 1) for t in transitions]
        known = [truth for truth in truths if truth is not None]
        return Mapped(transitions, places, known if len(known) == len(transitions) else None)

    def ask(self, request: Request) -> Answer:
        """Infer the actions of the map's transitions from `first` on, `size` of them."""
        data, name = self.asked(request)
        transitions = self.mapped(data).transitions
        first, size = number(request, "first", 0, MAPPED), number(request, "size", 1, MAPPED)
        some = transitions[first : first + size]
        self.models.infer(name, [(t.state, t.next_state) for t in some], alternatives=False)
        return {"done": min(first + size, len(transitions)), "of": len(transitions)}

    def map(self, request: Request) -> Answer:
        """The map of the inferred actions, coloured by `colour` ("cluster" or "truth"), and the confusion."""
        from swirl.evaluation.action_map import action_map as laid_out
        from swirl.evaluation.action_map import confusion

        data, name = self.asked(request)
        on_map = self.mapped(data)
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
        coloured = text(request, "colour") == "truth" and truths is not None and table is not None
        if coloured:
            called, categories = list(table.columns), list(table.of)
        points = [
            Point(place, sequence, step, action, truth)
            for place, (sequence, step), action, truth in zip(
                plan.points, on_map.places, actions, truths or [None] * len(actions), strict=True
            )
        ]
        by = "kind of the true action" if coloured else "cluster of the inferred action"
        said = "These data have no true actions to hold the clusters against."
        held = confusion_table(table) if table else f'<p class="note">{said}</p>'
        basis = f"{counted(len(points), 'transition')} of the test part, read by {name}"
        return {
            "parts": {"map": action_map(points, categories, called, by), "confusion": held, "basis": escape(basis)},
            "truths": truths is not None,
        }

    def measured(self, request: Request) -> Answer:
        """What was measured of the checkpoint on the collection before; empty where nothing was."""
        data, name = self.asked(request)
        known = known_figures(self.home, [name], data)
        rows = metric_rows(known.figures)
        if not rows:
            return {"parts": {"measured": "", "measured-source": ""}}
        names = {"a": name}
        parts = decay(rows, names) + metrics_table(rows, names)
        return {"parts": {"measured": parts, "measured-source": escape(f"{name}: {known.source}")}}
