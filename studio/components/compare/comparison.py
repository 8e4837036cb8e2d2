"""A comparison as it stands: the checkpoints, the transitions, what was told so far; and its parts as HTML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.components.compare.comparison_report import Report, Section, report_page
from studio.components.compare.comparison_table import compare_table
from studio.components.compare.vote_panel import rates
from studio.components.shared.decay_chart import decay
from studio.components.shared.health_verdicts import health
from studio.components.shared.html import escape
from studio.components.shared.metrics_table import metrics_table
from studio.components.shared.verdict_list import verdict_list
from studio.services.comparison_predictions import sampled, short, told
from studio.services.comparison_scores import known_figures
from studio.services.health_checks import checked, places
from studio.services.history_store import history
from studio.services.inference import Models
from studio.services.model_choices import PREVIEW
from studio.view_models.comparison import Told, order, tallies
from studio.view_models.metric_rows import metric_rows
from studio.view_models.numbers import counted
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

DECAY = '<p class="note">Evaluate them, and it is drawn how the likeness decays over 1 to 6 steps.</p>'
BANDS = "T steps on the model\u2019s own predictions; bands are 95\N{NO-BREAK SPACE}% intervals"


@dataclass(frozen=True)
class Compared:
    """Checkpoints by side (A, B, …) on the same transitions; `told` holds None where one was not asked yet."""

    home: Path
    models: Models
    names: dict[str, str]
    data: str
    transitions: list[Transition]
    truths: list[str | None]
    told: dict[str, list[Told | None]]

    @property
    def complete(self) -> bool:
        """Whether all were asked about everything."""
        return all(answer is not None for answers in self.told.values() for answer in answers)

    @property
    def by_truth(self) -> bool:
        """Whether the next states were imagined from the true actions."""
        return all(truth is not None for truth in self.truths)

    @property
    def short_names(self) -> dict[str, str]:
        """The names for people."""
        return {side: short(name) for side, name in self.names.items()}

    def parts(self, disputed: bool) -> dict[str, str]:
        """The table of what was told so far, who was right how often, the metrics, the votes and the health."""
        ordered = order(self.told, disputed) if self.complete else range(len(self.transitions))
        known = known_figures(self.home, list(self.names.values()), self.data)
        rows = metric_rows(known.figures, known.differences)
        waiting = '<p class="note">Asking them.</p>'
        return {
            "rows": compare_table(self.short_names, self.transitions, self.truths, self.told, ordered),
            "tally": verdict_list(tallies(self.short_names, self.told)) if self.complete else waiting,
            "how": self.how,
            "metrics": metrics_table(rows, self.short_names),
            "decay": decay(rows, self.short_names) or DECAY,
            "source": escape(known.source),
            "rates": self.rates(),
        } | {f"health-{side}": self.health(side) for side in self.names}

    def preview(self, side: str) -> bool:
        """Whether it is known that a side only shows next states."""
        return any(found is not None and found.preview for found in self.told[side])

    @property
    def how(self) -> str:
        """What was compared, in a sentence."""
        by = "the true action" if self.by_truth else "each one's own inferred action"
        return f"{counted(len(self.transitions), 'transition')} of the test part; next states imagined from {by}"

    def rates(self) -> str:
        """The win rates."""
        return rates(history(self.home).preferences(self.data, list(self.names.values())), self.short_names)

    def health(self, side: str) -> str:
        """The three verdicts on a checkpoint, as found before; empty where it was not looked at."""
        if self.preview(side):
            return f'<p class="note">It infers no actions: {PREVIEW}.</p>'
        look = checked(self.home, self.models, self.names[side], self.data)
        return health(look, places(self.home, self.data, look)) if look else ""

    def report(self, now: datetime) -> str:
        """The comparison as one HTML file. Raises SwirlError before all were asked."""
        if not self.complete:
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
            Section("Several steps ahead", parts["decay"], BANDS) if parts["decay"] != DECAY else None,
            Section("Blind votes", parts["rates"]),
            Section("Are the actions any good?", f'<div class="looks">{looked}</div>') if looked else None,
            Section("The same inputs, side by side", parts["rows"], f"{self.how}; the most disputed first"),
        ]
        facts = [f"on the collection {collection.title or collection.name}", self.how]
        title = f"Comparison of {counted(len(self.names), 'checkpoint')}"
        return report_page(Report(title, self.short_names, facts, [s for s in sections if s]), now)


def compared(home: Path, models: Models, names: dict[str, str], data: str, count: int) -> Compared:
    """The comparison as far as it has come. Raises SwirlError for no such collection, or an empty one."""
    transitions, truths = sampled(home, data, count)
    found = {side: told(models, name, transitions) for side, name in names.items()}
    return Compared(home, models, names, data, transitions, truths, found)
