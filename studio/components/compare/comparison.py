"""A comparison as it stands: the checkpoints, the transitions, what was told so far; and its parts as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.components.compare.comparison_report import Report, Section, report_page
from studio.components.compare.comparison_table import compare_table
from studio.components.compare.vote_panel import win_rates
from studio.components.shared.decay_charts import decay_charts
from studio.components.shared.health_report import health_report
from studio.components.shared.html import escape
from studio.components.shared.metrics_table import metrics_table
from studio.components.shared.verdict_list import verdict_list
from studio.services.checkpoint_answers import cached_answers, sample_with_true_actions, short_name
from studio.services.health_checks import checked_transitions, load_last_check
from studio.services.history_store import history
from studio.services.inference import Models
from studio.services.measured_metrics import known_figures
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.comparison import CheckpointAnswer, tally_verdicts, transition_order
from studio.view_models.formatting import pluralize
from studio.view_models.metric_rows import metric_rows
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

DECAY_PLACEHOLDER = '<p class="note">Evaluate them, and it is drawn how the likeness decays over 1 to 6 steps.</p>'
DECAY_NOTE = "T steps on the model\u2019s own predictions; bands are 95\N{NO-BREAK SPACE}% intervals"


@dataclass(frozen=True)
class CheckpointComparison:
    """Checkpoints by side (A, B, …) on the same transitions; `told` holds None where one was not asked yet."""

    home: Path
    models: Models
    names: dict[str, str]
    data: str
    transitions: list[Transition]
    truths: list[str | None]
    answers: dict[str, list[CheckpointAnswer | None]]

    @property
    def is_complete(self) -> bool:
        """Whether all were asked about everything."""
        return all(answer is not None for answers in self.answers.values() for answer in answers)

    @property
    def has_true_actions(self) -> bool:
        """Whether the next states were imagined from the true actions."""
        return all(truth is not None for truth in self.truths)

    @property
    def short_names(self) -> dict[str, str]:
        """The names for people."""
        return {side: short_name(name) for side, name in self.names.items()}

    def parts(self, disputed: bool) -> dict[str, str]:
        """The table of what was told so far, who was right how often, the metrics, the votes and the health."""
        ordered = transition_order(self.answers, disputed) if self.is_complete else range(len(self.transitions))
        known = known_figures(self.home, list(self.names.values()), self.data)
        rows = metric_rows(known.figures, known.differences)
        waiting = '<p class="note">Asking them.</p>'
        return {
            "rows": compare_table(self.short_names, self.transitions, self.truths, self.answers, ordered),
            "tally": verdict_list(tally_verdicts(self.short_names, self.answers)) if self.is_complete else waiting,
            "how": self.description,
            "metrics": metrics_table(rows, self.short_names),
            "decay": decay_charts(rows, self.short_names) or DECAY_PLACEHOLDER,
            "source": escape(known.source),
            "rates": self.rates(),
        } | {f"health-{side}": self.health(side) for side in self.names}

    def is_preview(self, side: str) -> bool:
        """Whether it is known that a side only shows next states."""
        return any(found is not None and found.is_preview for found in self.answers[side])

    @property
    def description(self) -> str:
        """What was compared, in a sentence."""
        by = "the true action" if self.has_true_actions else "each one's own inferred action"
        return f"{pluralize(len(self.transitions), 'transition')} of the test part; next states imagined from {by}"

    def rates(self) -> str:
        """The win rates."""
        return win_rates(history(self.home).preferences(self.data, list(self.names.values())), self.short_names)

    def health(self, side: str) -> str:
        """The three verdicts on a checkpoint, as found before; empty where it was not looked at."""
        if self.is_preview(side):
            return f'<p class="note">It infers no actions: {PREVIEW_NOTE}.</p>'
        look = load_last_check(self.home, self.models, self.names[side], self.data)
        return health_report(look, checked_transitions(self.home, self.data, look)) if look else ""

    def report(self, now: datetime) -> str:
        """The comparison as one HTML file. Raises SwirlError before all were asked."""
        if not self.is_complete:
            raise SwirlError("Compare them first; the report shows what each said.")
        parts, collection = self.parts(disputed=True), get_collection(self.home, self.data)
        looked = "".join(
            f"<section><h3>{side.upper()} {escape(name)}</h3>{parts[f'health-{side}']}</section>"
            for side, name in self.short_names.items()
            if parts[f"health-{side}"]
        )
        sections = [
            Section("On these transitions", parts["tally"]),
            Section("Measured", parts["metrics"], parts["source"]),
            Section("Several steps ahead", parts["decay"], DECAY_NOTE) if parts["decay"] != DECAY_PLACEHOLDER else None,
            Section("Blind votes", parts["rates"]),
            Section("Are the actions any good?", f'<div class="looks">{looked}</div>') if looked else None,
            Section("The same inputs, side by side", parts["rows"], f"{self.description}; the most disputed first"),
        ]
        facts = [f"on the collection {collection.title or collection.name}", self.description]
        title = f"Comparison of {pluralize(len(self.names), 'checkpoint')}"
        return report_page(Report(title, self.short_names, facts, [s for s in sections if s]), now)


def load_comparison(home: Path, models: Models, names: dict[str, str], data: str, count: int) -> CheckpointComparison:
    """The comparison as far as it has come. Raises SwirlError for no such collection, or an empty one."""
    transitions, truths = sample_with_true_actions(home, data, count)
    found = {side: cached_answers(models, name, transitions) for side, name in names.items()}
    return CheckpointComparison(home, models, names, data, transitions, truths, found)
