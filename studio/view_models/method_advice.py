"""What a probe of a start shows beside the nearest problem of the experiment, and the advice as a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from studio.view_models.formatting import NO_BREAK_SPACE, format_percent, format_signed
from studio.view_models.training_verdicts import Verdict
from swirl.experiments.advice import FAR, Advice

Figures = Mapping[str, float | None]

WIDEST_DIFFERENCE = 0.1
"""The difference of kept facts that fills a bar from its middle to its end."""


@dataclass(frozen=True)
class ProbeBar:
    """One thing that the probe saw; `share` and `nearest` are places on the bar from 0 to 1, None if not known.

    A bar is filled from `origin`: 0.5 where a value can be on either side of the middle. `tone` names the model that it
    is about.
    """

    title: str
    meaning: str
    tone: str
    share: float | None
    words: str
    nearest: float | None
    nearest_words: str
    origin: float = 0.0


SHARES = (
    (
        "critic",
        "Prefers right to wrong",
        "Of a right and a wrong prediction of a step, how often the inverse model gives the right one the higher "
        "reward; 50 % is chance.",
        "inverse",
    ),
    (
        "spread",
        "Different outcomes",
        "How many of 8 predictions of a step differ; where all are the same, rewards have nothing to choose from.",
        "forward",
    ),
    (
        "agreement",
        "Same action again",
        "How many of the actions sampled for a step equal the likeliest one; where all do, inverse phases have nothing "
        "to choose from.",
        "inverse",
    ),
)
"""The figures that are shares: their names, titles, meanings and tones."""

KEPT_TITLE = "Keeps unchanged facts"
KEPT_MEANING = (
    "How much more of what a step left as it was is kept by the prediction that the inverse model prefers than by the "
    "average one; below zero, its rewards favour predictions that lose facts."
)


def probe_bars(yours: Figures, nearest: Figures) -> list[ProbeBar]:
    """The four things that a probe saw, each beside the nearest problem's value."""
    bars = [
        ProbeBar(
            title,
            meaning,
            tone,
            yours.get(name),
            share_words(yours.get(name)),
            nearest.get(name),
            share_words(nearest.get(name)),
        )
        for name, title, meaning, tone in SHARES
    ]
    mine, theirs = kept_difference(yours), kept_difference(nearest)
    kept = ProbeBar(
        KEPT_TITLE,
        KEPT_MEANING,
        "inverse",
        place_of_difference(mine),
        difference_words(mine),
        place_of_difference(theirs),
        difference_words(theirs),
        origin=0.5,
    )
    return [*bars, kept]


def kept_difference(figures: Figures) -> float | None:
    """How much more the preferred prediction keeps than the average one; None if there was nothing to keep."""
    preferred, average = figures.get("kept_preferred"), figures.get("kept")
    return None if preferred is None or average is None else preferred - average


def place_of_difference(difference: float | None) -> float | None:
    """The place of a difference on a bar with zero in its middle."""
    if difference is None:
        return None
    return 0.5 + max(-0.5, min(0.5, difference / (2 * WIDEST_DIFFERENCE)))


def share_words(share: float | None) -> str:
    """A share as a percentage, a dash where there was nothing to compare."""
    return "–" if share is None else format_percent(share)


def difference_words(difference: float | None) -> str:
    """A difference of shares in points: `+1.2 pt`."""
    return "–" if difference is None else f"{format_signed(100 * difference, 1, plus=True)}{NO_BREAK_SPACE}pt"


def advice_verdict(advice: Advice) -> Verdict:
    """The advice as a claim whose tone says how much it can be relied on."""
    best = next(result for result in advice.problem.results if result.method == advice.method)
    gain = best.over.get("warm-up")
    if advice.distance >= FAR:
        return Verdict("neutral", f"A first guess: {advice.title}", advice.sentence)
    if gain is not None and gain.low <= 0:
        return Verdict("inverse", f"At best {advice.title}: nothing clearly helped there", advice.sentence)
    return Verdict("good", f"Advised: {advice.title}", advice.sentence)
