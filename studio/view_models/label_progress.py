"""How many labels a warm-up needs: our measurements, known results, and their sources."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import format_count, format_percent


@dataclass(frozen=True)
class WarmUpResult:
    """Exact-match accuracy of a shipped model after a warm-up on `labels` labels whose wording was new to it.

    `actions` and `next_states` are shares of held-out transitions, from 0 to 1.
    """

    labels: int
    actions: float
    next_states: float


@dataclass(frozen=True)
class LabelFinding:
    """What a number of labels achieved, and the source."""

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
LAB_NOTES = "docs/lab-notes.md, Labels by hand"
PAPER = "arXiv 2602.06130"
OTHER_FINDINGS = {
    "text": (
        LabelFinding(
            "8 000",
            "the shipped model's own warm-up, from a base model without words: 92 % of actions right",
            "docs/lab-notes.md",
        ),
        LabelFinding("half of all", "the paper's text worlds: half of each world's episodes", PAPER),
    ),
    "image": (LabelFinding("over 400 000", "the paper's 7 B model: Pico-Banana-400K and AURORA", PAPER),),
}


def target_label_count(kind: str) -> int:
    """The number of labels to aim for: the largest that was measured."""
    return WARM_UP_RESULTS[kind][-1].labels


def label_findings(kind: str) -> list[LabelFinding]:
    """The known results for states of a kind ("text" or "image"), from few labels to many."""
    measured = [
        LabelFinding(
            format_count(row.labels),
            f"{MODELS[kind]}, labels in words new to it: {describe_accuracy(row)}",
            LAB_NOTES,
        )
        for row in WARM_UP_RESULTS[kind]
    ]
    return [*measured, *OTHER_FINDINGS[kind]]


def describe_label_progress(labels: int, kind: str) -> str:
    """What this many labels are good for: the results reached and the next ones, in words."""
    reached = next((row for row in reversed(WARM_UP_RESULTS[kind]) if 0 < row.labels <= labels), None)
    following = next((row for row in WARM_UP_RESULTS[kind] if row.labels > labels), None)
    sentences = []
    if reached is None:
        sentences.append("Still too few for words new to the model.")
    else:
        sentences.append(
            f"With {reached.labels} labels in words new to it, {MODELS[kind]} got {describe_accuracy(reached)}."
        )
    if following is not None:
        model = "it" if reached else MODELS[kind]
        sentences.append(f"With {following.labels} labels, {model} got {describe_accuracy(following)}.")
    return " ".join(sentences)


def describe_accuracy(row: WarmUpResult) -> str:
    """The accuracies of a measurement: `61 % of actions and 79 % of next states right`."""
    return f"{format_percent(row.actions)} of actions and {format_percent(row.next_states)} of next states right"
