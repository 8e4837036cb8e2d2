"""An experiment's result in words, from its figures: who is ahead, by how much, and what is not told apart."""

from __future__ import annotations

from collections.abc import Sequence

from studio.view_models.experiment_grid import UPPER_BOUND, MethodRow, Panel
from studio.view_models.experiment_metrics import (
    ExperimentMetric,
    format_difference,
    format_interval,
    is_off_zero,
)
from studio.view_models.training_verdicts import Verdict
from swirl.experiments.advice import join_titles
from swirl.experiments.baselines import baseline_title
from swirl.methods import Method

MOST_NAMED = 3


def describe_experiment(panels: Sequence[Panel]) -> str:
    """The whole in a sentence: `Anchor is ahead on 5 of 8 problems, …`; empty with fewer than two.

    A method that is best where none is clearly above the warm-up leads nothing.
    """
    best = [row for panel in panels if (row := best_row(panel)) is not None]
    if len(best) < 2:
        return ""
    so_far = "" if all(panel.is_complete for panel in panels) else "So far "
    cases = "problems and sizes" if any(panel.key.size for panel in panels) else "problems"
    leaders = [row for row in best if not is_level_with_start(row)]
    if not leaders:
        sentence = f"{so_far}no method is clearly above the warm-up on any of the {len(best)} {cases}."
        return sentence[0].upper() + sentence[1:]
    counts = {row.method.name: sum(other.method.name == row.method.name for other in leaders) for row in leaders}
    first = max(leaders, key=lambda row: counts[row.method.name])
    mine = [row for row in leaders if row.method.name == first.method.name]
    compared = [found for row in mine if (found := row.figures.over_baseline) is not None]
    sentence = f"{so_far}{join_titles([first.method.title])} is ahead on {len(mine)} of {len(best)} {cases}"
    baseline = panels[0].baseline
    if baseline is None or first.method.name == baseline.name or not compared:
        return f"{sentence}."
    above = sum(found.low > 0 for found in compared)
    of = "them" if len(compared) == len(mine) else f"{len(compared)} with both"
    title = join_titles([baseline_title(baseline)])
    return f"{sentence}, and above {title} beyond chance on {above or 'none'} of {of}."


def describe_panel(panel: Panel, metric: ExperimentMetric) -> Verdict | None:
    """One problem in words: the best method, then what it gains and who loses; None without figures."""
    best = best_row(panel)
    if best is None or best.figures.value is None:
        return None
    equals = [row for row in panel.rows if row is not best and competes(row) and is_level(row)]
    clearly = "is best" if not equals else "is ahead"
    so_far = "" if panel.is_complete else "so far "
    value = format_interval(best.figures.value, metric)
    title = join_titles([best.method.title])
    claim = f"{panel.key.title}: {so_far}{title} {clearly}, {value}"
    if is_level_with_start(best):
        claim = f"{panel.key.title}: {so_far}no method is clearly above the warm-up; {title} has {value}"
    parts = [
        gain(best, metric),
        over_baseline(best, panel.baseline, metric),
        level_with(equals, panel.baseline),
        losers(panel, metric),
    ]
    gained = best.figures.over_start is not None and best.figures.over_start.low > 0
    tone = "good" if gained else "inverse" if best.figures.over_start is not None else "neutral"
    reason = "; ".join(part for part in parts if part)
    return Verdict(tone, claim, reason[:1].upper() + reason[1:] + "." if reason else "No other method has finished.")


def best_row(panel: Panel) -> MethodRow | None:
    """The row with the highest mean, without the warm-up and the upper bound; None before one has figures."""
    return next((row for row in panel.rows if row.is_best), None)


def competes(row: MethodRow) -> bool:
    """Whether a row can be the best: it trains or draws, without true actions, and has figures."""
    return is_competitor(row.method) and row.figures.value is not None


def is_competitor(method: Method) -> bool:
    """Whether a method can be the best: it trains or draws, without true actions."""
    return (method.is_trained or method.best_of > 1) and method.name != UPPER_BOUND


def is_level(row: MethodRow) -> bool:
    """Whether a row is not told apart from the best one."""
    return row.figures.below_best is not None and not is_off_zero(row.figures.below_best)


def is_level_with_start(row: MethodRow) -> bool:
    """Whether a row is known not to be clearly above the warm-up."""
    return row.figures.over_start is not None and row.figures.over_start.low <= 0


def gain(best: MethodRow, metric: ExperimentMetric) -> str:
    """What the best method gains over the warm-up."""
    found = best.figures.over_start
    if found is None:
        return ""
    if is_off_zero(found):
        return f"{format_difference(found, metric)} over the warm-up"
    return f"not told apart from the warm-up ({format_difference(found, metric)})"


def over_baseline(best: MethodRow, baseline: Method | None, metric: ExperimentMetric) -> str:
    """What the best method gains over the baseline; empty if the two are not told apart."""
    found = best.figures.over_baseline
    if baseline is None or found is None or not is_off_zero(found):
        return ""
    return f"{format_difference(found, metric)} over {join_titles([baseline_title(baseline)])}"


def level_with(equals: Sequence[MethodRow], baseline: Method | None) -> str:
    """The methods that are not told apart from the best, the baseline first."""
    names = [row.method.title for row in sorted(equals, key=lambda row: row.method != baseline)]
    return f"not told apart from {join_names(names)}" if names else ""


def losers(panel: Panel, metric: ExperimentMetric) -> str:
    """The methods that end below the warm-up, and how far; the worst first."""
    found = [
        (row.method.title, row.figures.over_start)
        for row in panel.rows
        if competes(row) and row.figures.over_start is not None and row.figures.over_start.high < 0
    ]
    found.sort(key=lambda pair: pair[1].value)
    if not found:
        return ""
    amounts = [format_difference(e, metric).lstrip("\N{MINUS SIGN}") for _, e in found]
    if len(found) == 1:
        return f"{found[0][0]} loses {amounts[0]}"
    span = amounts[0] if amounts[0] == amounts[-1] else f"{amounts[-1]} to {amounts[0]}"
    return f"{join_names([title for title, _ in found])} lose {span}"


def join_names(names: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B, C and 4 more`; a name with a comma in it stands in quotation marks."""
    shown = names if len(names) <= MOST_NAMED + 1 else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    return join_titles(shown)
