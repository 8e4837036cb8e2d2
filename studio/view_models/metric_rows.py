"""The metrics of checkpoints side by side, like with like: evaluations with evaluations, scores with scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
class Cell:
    """One checkpoint's figure as text; `apart` is its difference from the first one's, `better` who is better of both.

    `better` is "this", "first" or "", where nobody is beyond doubt. `paired` says that the difference was taken over
    the same transitions, one by one.
    """

    text: str
    apart: str = ""
    better: str = ""
    paired: bool = False


@dataclass(frozen=True)
class MetricRow:
    """One metric of all checkpoints."""

    name: str
    words: str
    help: str
    cells: tuple[Cell, ...]


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


def metric_rows(
    found: Sequence[Mapping[str, Figure]], differences: Sequence[Mapping[str, Figure]] = ()
) -> list[MetricRow]:
    """The metrics that any has, the best known first; `differences` of all but the first from the first."""
    known = set().union(*found)
    order = [name for name in WORDS if name in known]
    order += sorted(known - set(order))
    apart = [{}, *differences] if differences else [{} for _ in found]
    return [
        MetricRow(
            name,
            *WORDS.get(name, (name, "")),
            tuple(_cell(name, found[0], mine, gap) for mine, gap in zip(found, apart, strict=True)),
        )
        for name in order
    ]


def _cell(name: str, first: Mapping[str, Figure], mine: Mapping[str, Figure], gap: Mapping[str, Figure]) -> Cell:
    text = shown(name, mine.get(name))
    if name in gap and not name.startswith("copy/"):
        return Cell(text, shown_difference(name, gap[name]), _sure(name, gap[name]), paired=True)
    better_of = better(name, first, mine) if mine is not first else ""
    return Cell(text, "", {"a": "first", "b": "this"}.get(better_of, ""))


def _sure(name: str, gap: Figure) -> str:
    """Who is better beyond doubt: the interval of the paired difference leaves 0 out."""
    if name.startswith(NO_CONTEST) or gap.low is None or gap.high is None or gap.low <= 0 <= gap.high:
        return ""
    return "this" if (gap.low > 0) != (name in LOW_IS_GOOD) else "first"


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


def shown_difference(name: str, gap: Figure) -> str:
    """`+3 points (+1 to +5)`, `−0.21 (−0.30 to −0.12)`, `+1.2 dB (…)`."""
    what = name.rpartition("/")[2]
    share = any(word in what for word in SHARES)
    scale, digits = (100, 0) if share else (1, 1 if what == "psnr" else 2)
    unit = f"{THIN}points" if share else f"{THIN}dB" if what == "psnr" else ""
    value, low, high = (signed(scale * (end or 0.0), digits, plus=True) for end in (gap.value, gap.low, gap.high))
    return f"{value}{unit} ({low} to {high})"


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
