"""How many labels are enough for a warm-up: what was measured, what is known, and where it is written."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import format_count, format_percent


@dataclass(frozen=True)
class WarmUpResult:
    """What a shipped model got right after a warm-up on so many labels in words that were new to it.

    `actions` and `next_states` are shares of held-out transitions, exact match.
    """

    labels: int
    actions: float
    next_states: float


@dataclass(frozen=True)
class LabelFinding:
    """What so many labels brought, and where that is written."""

    labels: str
    outcome: str
    source: str


WARM_UP_RESULTS = {
    "text": (
        WarmUpResult(0, 0.0, 0.275),
        WarmUpResult(100, 0.235, 0.625),
        WarmUpResult(200, 0.61, 0.79),
        WarmUpResult(400, 0.89, 0.91),
    ),
    "image": (WarmUpResult(0, 0.0, 0.0), WarmUpResult(200, 0.445, 0.0)),
}
"""The experiment of docs/lab-notes.md, "Labels by hand": 200 held-out transitions, one seed."""
MODELS = {"text": "tiny-household", "image": "tiny-blocks"}
NOTES = "docs/lab-notes.md, Labels by hand"
PAPER = "arXiv 2602.06130"
OTHERS = {
    "text": (
        LabelFinding("8 000", "the shipped model's own warm-up, from a base without words: 92 %", "docs/lab-notes.md"),
        LabelFinding("half of all", "the paper's text worlds: half of each one's episodes", PAPER),
    ),
    "image": (LabelFinding("over 400 000", "the paper's 7 B model: Pico-Banana-400K and AURORA", PAPER),),
}


def target_label_count(kind: str) -> int:
    """The labels to aim at: the most that were measured."""
    return WARM_UP_RESULTS[kind][-1].labels


def label_findings(kind: str) -> list[LabelFinding]:
    """What is known for states of a kind, from few labels to many."""
    measured = [
        LabelFinding(
            format_count(row.labels),
            f"{MODELS[kind]}, in words new to it: {describe_accuracy(row)}",
            NOTES,
        )
        for row in WARM_UP_RESULTS[kind]
    ]
    return [*measured, *OTHERS[kind]]


def describe_label_progress(labels: int, kind: str) -> str:
    """What so many labels are good for, in a sentence."""
    reached = next((row for row in reversed(WARM_UP_RESULTS[kind]) if 0 < row.labels <= labels), None)
    following = next((row for row in WARM_UP_RESULTS[kind] if row.labels > labels), None)
    said = []
    if reached is None:
        said.append("Too few for new words yet.")
    else:
        said.append(f"With {reached.labels}, {MODELS[kind]} got {describe_accuracy(reached)} in words new to it.")
    if following is not None:
        who = "it" if reached else MODELS[kind]
        said.append(f"With {following.labels} {who} got {describe_accuracy(following)}.")
    return " ".join(said)


def describe_accuracy(row: WarmUpResult) -> str:
    """The shares of a measurement in words."""
    return (
        f"{format_percent(row.actions)} of the actions and {format_percent(row.next_states)} of the next states right"
    )
