"""The metrics that the Experiments page can show, with their units, and their values and differences as text."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import NO_BREAK_SPACE, format_signed
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.results import HEADLINE


@dataclass(frozen=True)
class ExperimentMetric:
    """A metric: its stored name, its title, the colour of its direction, its unit and its decimals."""

    name: str
    title: str
    tone: str
    unit: str = ""
    digits: int = 2


METRICS = {
    metric.name: metric
    for metric in (
        ExperimentMetric(HEADLINE, "Forward exact match", "forward"),
        ExperimentMetric("inverse/exact_match", "Inverse exact match", "inverse"),
        ExperimentMetric("cycle/exact_match", "Cycle exact match", ""),
        ExperimentMetric("forward/token_accuracy", "Token accuracy", "forward"),
        ExperimentMetric("forward/psnr", "PSNR", "forward", "dB", 1),
        ExperimentMetric("forward/log_prob", "log P(y | x, z)", "forward", "nats per token"),
    )
}
"""By stored name, in the order of the page's list; the first is the one shown if none is asked for."""


def format_interval(found: Estimate, metric: ExperimentMetric) -> str:
    """`0.77 [0.74, 0.80]`, or `28.1 [27.9, 28.4] dB`."""
    value, low, high = (format_signed(number, metric.digits) for number in (found.value, found.low, found.high))
    return f"{value} [{low},{NO_BREAK_SPACE}{high}]{_unit(metric)}"


def format_value(value: float, metric: ExperimentMetric) -> str:
    """`0.77`, or `28.1 dB`."""
    return format_signed(value, metric.digits) + _unit(metric)


def format_difference(found: Estimate, metric: ExperimentMetric) -> str:
    """`+0.18`, with a true minus sign."""
    return format_signed(found.value, metric.digits, plus=True)


def format_difference_interval(found: Estimate, metric: ExperimentMetric) -> str:
    """`+0.18 [+0.13, +0.24]`: a difference with its interval."""
    value, low, high = (format_signed(n, metric.digits, plus=True) for n in (found.value, found.low, found.high))
    return f"{value} [{low},{NO_BREAK_SPACE}{high}]"


def is_off_zero(found: Estimate) -> bool:
    """Whether the interval of a difference leaves zero out."""
    return found.low > 0 or found.high < 0


def _unit(metric: ExperimentMetric) -> str:
    return NO_BREAK_SPACE + metric.unit if metric.unit else ""
