"""The metrics of two checkpoints side by side, like with like: evaluations with evaluations, scores with scores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.view_models.numbers import THIN, decibels, percent, signed

WORDS = {
    "forward/exact_match": ("Next state right", "The next state from the true action matches to the letter."),
    "forward/rouge_l": ("Next state, ROUGE-L", "Longest common word sequence of imagined and true next state, F1."),
    "forward/bleu": ("Next state, BLEU", "Word n-grams shared by the imagined and the true next states."),
    "forward/log_prob": ("log P(y | x, z)", "Log-probability of the true next state, nats a token."),
    "inverse/exact_match": ("Action right", "The inferred action is the true one, to the letter."),
    "inverse/rouge_l": ("Action, ROUGE-L", "Longest common word sequence of inferred and true action, F1."),
    "inverse/log_prob": ("log Q(z | x, y)", "Log-probability of the true action, nats a token."),
    "cycle/exact_match": ("Next state from the inferred action", "Infer the action, imagine with it, compare."),
    "cycle/action_exact_match": ("Action read back", "The action inferred from the imagined state is the one given."),
    "controllability/log_prob_gain": ("Gain over a shuffled action", "log P(y|x,z) − log P(y|x,z of another), nats."),
    "health/distinct": ("Distinct actions", "Share of inferred actions that differ from one another."),
    "health/effective_number": ("Effective number of actions", "exp(entropy) of the inferred actions."),
    "leakage/overlap": ("Next state's words in the action", "Share of y's new n-grams that stand in z; low is good."),
    "forward/psnr": ("Next frame, PSNR", "10 log10(255² / mean squared error) of imagined and true next frame, dB."),
    "copy/psnr": ("Baseline: copying the frame, PSNR", "The same of the frame before and the true next frame, dB."),
    "forward/ssim": ("Next frame, SSIM", "Structural similarity of imagined and true next frame, at most 1."),
    "copy/ssim": ("Baseline: copying the frame, SSIM", "The same of the frame before and the true next frame."),
    "forward/token_accuracy": ("Tokens of the next state right", "Share of its tokens that are the true ones."),
    "forward/lpips": ("Next frame, LPIPS", "Learned perceptual distance of imagined and true next frame; low is good."),
    "copy/lpips": ("Baseline: copying the frame, LPIPS", "The same of the frame before and the true next frame."),
    "forward/clip_similarity": ("Next frame, CLIP similarity", "Cosine of the two frames' CLIP embeddings."),
    "copy/clip_similarity": ("Baseline: copying the frame, CLIP similarity", "The same of the frame before."),
    "copy/token_accuracy": ("Baseline: copying, tokens right", "Share of tokens that do not change."),
    "copy/exact_match": ("Baseline: copying the state", "How often doing nothing is right."),
}
SHARES = ("exact_match", "rouge_l", "overlap", "distinct", "share", "accuracy")
LOW_IS_GOOD = ("leakage/overlap", "forward/lpips")
NO_CONTEST = ("copy/", "health/effective_number_true", "health/distinct_true")


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval, where one was computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class MetricRow:
    """One metric of both; `better` is a or b where the intervals part, else empty."""

    name: str
    words: str
    help: str
    a: str
    b: str
    better: str


def figures(metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """A stored evaluation or a checkpoint's scores as figures; metrics without a value are left out."""
    found = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            if isinstance(value.get("value"), int | float):
                found[name] = Figure(value["value"], value.get("low"), value.get("high"))
        elif isinstance(value, int | float):
            found[name] = Figure(value)
    return found


def metric_rows(a: Mapping[str, Figure], b: Mapping[str, Figure]) -> list[MetricRow]:
    """The metrics that either has, the best known first."""
    order = [name for name in WORDS if name in a or name in b]
    order += sorted((a.keys() | b.keys()) - set(order))
    return [
        MetricRow(
            name, *WORDS.get(name, (name, "")), shown(name, a.get(name)), shown(name, b.get(name)), better(name, a, b)
        )
        for name in order
    ]


def shown(name: str, figure: Figure | None) -> str:
    """`73 % (70 % to 76 %)`, `−0.21`; a dash where it was not measured."""
    if figure is None:
        return "–"
    what = name.rpartition("/")[2]
    say = percent if any(word in what for word in SHARES) else decibels if what == "psnr" else signed
    if figure.low is None or figure.high is None:
        return say(figure.value)
    low = re.sub(rf"{THIN}(%|dB)$", "", say(figure.low))
    return f"{say(figure.value)} ({low} to {say(figure.high)})"


def better(name: str, a: Mapping[str, Figure], b: Mapping[str, Figure]) -> str:
    """Whose figure is better beyond doubt: the intervals do not meet. Without intervals nobody's."""
    first, second = a.get(name), b.get(name)
    if first is None or second is None or name.startswith(NO_CONTEST):
        return ""
    if None in (first.low, first.high, second.low, second.high):
        return ""
    if first.low > second.high:
        return "b" if name in LOW_IS_GOOD else "a"
    if second.low > first.high:
        return "a" if name in LOW_IS_GOOD else "b"
    return ""
