"""Analysis panels on Explore: a rollout several steps ahead, and a map of a collection's inferred actions."""

from __future__ import annotations

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
from studio.services.progress_words import ProgressWords
from studio.view_models.comparison import describe_sample
from studio.view_models.formatting import pluralize
from studio.view_models.metric_rows import metric_rows
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

MAX_MAP_TRANSITIONS = 200  # of the test part: inferred within seconds, and few enough to pick single points
MAX_STEPS = 6  # steps of a rollout


def render(home: Path) -> None:
    """Draw the panels over `home`, below the walker; `scripts/explore_analysis.js` asks, these functions answer."""
    page = AnalysisPanels(home)
    functions = (page.ahead, page.going, page.ask, page.map, page.measured)
    scripted_block(load_template("explore_analysis"), "explore_analysis", functions, styles=("measurements",))


@dataclass(frozen=True)
class MapTransitions:
    """The transitions of the map, the sequence and step of each (both from 1), and their true actions where known."""

    transitions: list[Transition]
    places: list[tuple[int, int]]
    true_actions: list[str | None]

    @property
    def truths(self) -> list[str] | None:
        """The true actions; None unless that of every transition is known."""
        known = [action for action in self.true_actions if action is not None]
        return known if len(known) == len(self.transitions) else None

    @property
    def why_no_truths(self) -> str:
        """Why clusters cannot be compared with true actions."""
        known = sum(action is not None for action in self.true_actions)
        if not known:
            return "This collection has no true actions to compare the clusters with."
        return (
            f"The true actions of {known} of these {len(self.transitions)} transitions are known; to compare the "
            "clusters with them, those of all are needed."
        )


class AnalysisPanels:
    """The answers to the panels' requests, which carry `data`, and for a rollout also `sequence` and `step`, from 1."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared_models(home)
        self._progress = ProgressWords()

    def resolve_request(self, request: Request) -> tuple[str, str]:
        """The collection and the checkpoint. Raises SwirlError for one that infers no actions."""
        data = get_text(request, "data")
        kind = get_collection(self.home, data).kind
        name = choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)
        if not infers_actions(self.models, name):
            raise SwirlError(f"{name} only predicts next states; it infers no actions. Choose another model.")
        return data, name

    def ahead(self, request: Request) -> Answer:
        """A rollout of `steps` steps from a state, under the inferred actions or those in `actions`.

        Without given actions it ends with the sequence. `ticket` is the browser's name for it, by which `going` reports
        its progress.
        """
        data, name = self.resolve_request(request)
        chain = sequences(self.home, data)
        sequence = chain[get_integer(request, "sequence", 1, len(chain)) - 1]
        start = get_integer(request, "step", 1, max(1, len(sequence.states) - 1)) - 1
        steps, best = get_integer(request, "steps", 1, MAX_STEPS), get_integer(request, "best_of", 1, 16)
        given = [" ".join(action.split()) for action in get_texts(request, "actions")] if "actions" in request else None
        if given is not None and (len(given) != steps or not all(given)):
            raise SwirlError(f"Write an action for each of the {pluralize(steps, 'step')}, or have them inferred.")
        if given is None:
            steps = min(steps, len(sequence.states) - 1 - start)
        key = ("ahead", name, data, sequence, start, steps, tuple(given or ()), best)
        rollout = self.models.recall(key)
        if rollout is None:
            report = self._progress.callback(get_text(request, "ticket"))
            with self.models.use(name) as model:
                from swirl.evaluation.unrolling import unroll

                rollout = unroll(model, sequence, start, steps, actions=given, best_of=best, progress=report)
            self.models.remember(key, rollout)
        return {"parts": {"ahead": rollout_strip(rollout)}, "actions": list(rollout.actions), "steps": steps}

    def going(self, request: Request) -> Answer:
        """The progress of a rollout in words; empty before its first step."""
        return {"words": self._progress.words(get_text(request, "ticket"))}

    def map_transitions(self, data: str) -> MapTransitions:
        """The transitions of the map: from the test part, spread over as many sequences as possible."""
        transitions, truths = sample_with_true_actions(self.home, data, MAX_MAP_TRANSITIONS)
        index = {sequence.id: n for n, sequence in enumerate(sequences(self.home, data), start=1)}
        places = [(index[t.sequence_id], t.step + 1) for t in transitions]
        return MapTransitions(transitions, places, truths)

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
        """The map of the inferred actions, coloured by `colour` ("cluster" or "truth"), and the confusion table."""
        from swirl.evaluation import action_map as layout

        data, name = self.resolve_request(request)
        on_map = self.map_transitions(data)
        pairs = [(t.state, t.next_state) for t in on_map.transitions]
        actions = [inference.action for inference in self.models.infer(name, pairs, alternatives=False)]
        key = ("map", name, data, tuple(actions))
        plan = self.models.recall(key)
        if plan is None:
            plan = layout.action_map(actions)
            self.models.remember(key, plan)
        truths = on_map.truths
        confusion = layout.confusion(plan.clusters, plan.names, truths) if truths else None
        categories, names, meaning = list(plan.clusters), list(plan.names), "cluster of the inferred action"
        if get_text(request, "colour") == "truth" and confusion is not None:
            names, categories = list(confusion.columns), list(confusion.column_of_action)
            meaning = "kind of the true action"
        points = [
            MapPoint(place, sequence, step, action, truth)
            for place, (sequence, step), action, truth in zip(
                plan.points, on_map.places, actions, truths or [None] * len(actions), strict=True
            )
        ]
        no_truths = f'<p class="note">{escape(on_map.why_no_truths)}</p>'
        basis = f"{describe_sample(on_map.transitions)}; actions inferred by {name}"
        return {
            "parts": {
                "map": action_map(points, categories, names, meaning),
                "confusion": confusion_table(confusion) if confusion else no_truths,
                "basis": escape(basis),
            },
            "truths": truths is not None,
        }

    def measured(self, request: Request) -> Answer:
        """The stored metrics of the checkpoint on the collection; empty if it was never evaluated on it."""
        data, name = self.resolve_request(request)
        known = known_figures(self.home, [name], data)
        rows = metric_rows(known.figures)
        if not rows:
            return {"parts": {"measured": "", "measured-source": ""}}
        names = {"a": name}
        parts = decay_charts(rows, names) + metrics_table(rows, names)
        return {"parts": {"measured": parts, "measured-source": escape(f"{name}: {known.source}")}}
