"""One comparison: checkpoints on the same transitions, their answers so far, and the page's parts made from them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.components.compare.comparison_choices import checkpoint_title
from studio.components.compare.comparison_report import Report, Section, report_page
from studio.components.compare.comparison_table import compare_table
from studio.components.compare.vote_panel import win_rates
from studio.components.shared.decay_charts import decay_charts
from studio.components.shared.health_report import health_report
from studio.components.shared.html import escape
from studio.components.shared.metrics_table import metrics_table
from studio.components.shared.verdict_list import verdict_list
from studio.services.checkpoint_answers import cached_answers, sample_with_true_actions
from studio.services.copy_baseline import BASELINE_TITLE, COPY_BASELINE, copy_answers
from studio.services.health_checks import checked_transitions, load_last_check
from studio.services.history_store import history
from studio.services.inference import Models
from studio.services.measured_metrics import known_figures
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.comparison import CheckpointAnswer, describe_sample, tally_verdicts, transition_order
from studio.view_models.formatting import pluralize
from studio.view_models.metric_rows import metric_rows
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import get_collection
from swirl.states import Transition

DECAY_PLACEHOLDER = '<p class="note">Evaluate them to see how accuracy decays over 1 to 6 steps.</p>'
DECAY_NOTE = "T steps on the model\u2019s own predictions; bands are 95\N{NO-BREAK SPACE}% intervals"
BASELINE_INFERS_NOTHING = '<p class="note infers-nothing">Copying the state infers no actions.</p>'


@dataclass(frozen=True)
class CheckpointComparison:
    """Checkpoints by side ("a", "b", …) on the same transitions.

    `truths` and `answers` have one entry per transition; an answer is None until the checkpoint was asked. A side may
    also be COPY_BASELINE.
    """

    home: Path
    models: Models
    names: dict[str, str]
    data: str
    transitions: list[Transition]
    truths: list[str | None]
    answers: dict[str, list[CheckpointAnswer | None]]

    @property
    def is_complete(self) -> bool:
        """Whether every side has answered every transition."""
        return all(answer is not None for answers in self.answers.values() for answer in answers)

    def knows_true_action(self, transition: Transition) -> bool:
        """Whether the next states of one of the transitions were imagined from the true action."""
        return self.truths[self.transitions.index(transition)] is not None

    @property
    def short_names(self) -> dict[str, str]:
        """The names for people, by side."""
        return {side: checkpoint_title(name) for side, name in self.names.items()}

    @property
    def checkpoints(self) -> dict[str, str]:
        """The sides that are checkpoints, without the baseline."""
        return {side: name for side, name in self.names.items() if name != COPY_BASELINE}

    def parts(self, disputed: bool) -> dict[str, str]:
        """The page's parts as HTML; `disputed` puts the transitions with the most disagreement first."""
        ordered = transition_order(self.answers, disputed) if self.is_complete else range(len(self.transitions))
        known = known_figures(self.home, list(self.checkpoints.values()), self.data)
        rows = metric_rows(known.figures, known.differences)
        measured = {side: self.short_names[side] for side in self.checkpoints}
        waiting = '<p class="note">Asking them.</p>'
        return {
            "rows": compare_table(self.short_names, self.transitions, self.truths, self.answers, ordered),
            "tally": verdict_list(tally_verdicts(self.short_names, self.answers)) if self.is_complete else waiting,
            "how": self.description,
            "metrics": metrics_table(rows, measured),
            "decay": decay_charts(rows, measured) or DECAY_PLACEHOLDER,
            "source": escape(known.source),
            "rates": self.rates(),
        } | {f"health-{side}": self.health(side) for side in self.names}

    def is_preview(self, side: str) -> bool:
        """Whether a side is known to show next states only, as an image editor does."""
        return any(answer is not None and answer.is_preview for answer in self.answers[side])

    @property
    def description(self) -> str:
        """What was compared, in a sentence."""
        known = sum(truth is not None for truth in self.truths)
        if known == len(self.truths):
            by = "the true action"
        elif known:
            by = f"the true action where it is known ({known} of {len(self.truths)}), else from each one's own"
        else:
            by = "each one's own inferred action"
        return f"{describe_sample(self.transitions)}; next states imagined from {by}"

    def rates(self) -> str:
        """The win rates of the blind votes as HTML."""
        return win_rates(history(self.home).preferences(self.data, list(self.names.values())), self.names)

    def health(self, side: str) -> str:
        """The last check of a side's actions as HTML; empty where there was none."""
        if self.names[side] == COPY_BASELINE:
            return BASELINE_INFERS_NOTHING
        if self.is_preview(side):
            return f'<p class="note infers-nothing">It infers no actions: {PREVIEW_NOTE}.</p>'
        check = load_last_check(self.home, self.models, self.names[side], self.data)
        return health_report(check, checked_transitions(self.home, self.data, check)) if check else ""

    def report(self, now: datetime) -> str:
        """The comparison as one HTML file. Raises SwirlError before every side has answered."""
        if not self.is_complete:
            raise SwirlError("Compare them first; the report shows each checkpoint's answers.")
        parts, collection = self.parts(disputed=True), get_collection(self.home, self.data)
        checks = "".join(
            f"<section><h3>{side.upper()} {escape(self.short_names[side])}</h3>{parts[f'health-{side}']}</section>"
            for side in self.checkpoints
            if parts[f"health-{side}"]
        )
        sections = [
            Section("On these transitions", parts["tally"]),
            Section("Measured", parts["metrics"], parts["source"]),
            Section("Several steps ahead", parts["decay"], DECAY_NOTE) if parts["decay"] != DECAY_PLACEHOLDER else None,
            Section("Blind votes", parts["rates"]),
            Section("Are the actions any good?", f'<div class="looks">{checks}</div>') if checks else None,
            Section(
                "The same inputs, side by side", parts["rows"], f"{self.description}; most disagreement comes first"
            ),
        ]
        facts = [f"on the collection {collection.title or collection.name}", self.description]
        title = f"Comparison of {pluralize(len(self.checkpoints), 'checkpoint')}"
        if len(self.checkpoints) < len(self.names):
            title += f" with {BASELINE_TITLE}"
        return report_page(Report(title, self.short_names, facts, [s for s in sections if s]), now)


def load_comparison(home: Path, models: Models, names: dict[str, str], data: str, count: int) -> CheckpointComparison:
    """The comparison so far on `count` transitions. Raises SwirlError if there is no such collection or it is empty."""
    transitions, truths = sample_with_true_actions(home, data, count)
    judge = baseline_judge(names)
    answers = {
        side: copy_answers(models, transitions, judge)
        if name == COPY_BASELINE
        else cached_answers(models, name, transitions)
        for side, name in names.items()
    }
    return CheckpointComparison(home, models, names, data, transitions, truths, answers)


def baseline_judge(names: dict[str, str]) -> str:
    """The checkpoint in whose cells copied pictures are measured: the first side that is one."""
    return next((name for name in names.values() if name != COPY_BASELINE), "")
