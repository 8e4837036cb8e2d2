"""The paper's own figures (arXiv 2602.06130), shown next to ours; they are of the paper's models and its judge."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.evaluation.benchmarks.figures import MEAN


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of a table in the paper: our metric that it corresponds to, and its value for each split."""

    name: str
    metric: str
    values: dict[str, float]


def _row(name: str, metric: str, splits: tuple[str, ...], *values: float) -> PaperRow:
    return PaperRow(name, metric, dict(zip((*splits, MEAN), values, strict=True)))


AURORA_SPLITS = {
    "magicbrush": "MagicBrush",
    "ag": "Action Genome",
    "something": "Something",
    "whatsup": "WhatsUp",
    "kubric": "Kubric",
}
_AURORA = tuple(AURORA_SPLITS)
AURORA = (
    _row("warm-up only", "judge/min", _AURORA, 5.46, 2.76, 3.00, 3.60, 7.00, 4.36),
    _row("best of 8 by IDM score", "judge/min", _AURORA, 6.18, 3.28, 3.74, 4.48, 6.28, 4.77),
    _row("SWIRL, one phase", "judge/min", _AURORA, 6.48, 3.58, 3.44, 4.08, 6.59, 4.83),
    _row("SWIRL, iterative", "judge/min", _AURORA, 6.62, 3.52, 3.96, 4.32, 6.96, 5.06),
)

BYTEMORPH_SPLITS = {
    "camera_zoom": "Camera zoom",
    "camera_motion": "Camera motion",
    "object_motion": "Object motion",
    "human_motion": "Human motion",
    "interaction": "Interaction",
}
BYTEMORPH = (
    PaperRow("warm-up only", "judge/score", {MEAN: 43.38}),
    PaperRow("SWIRL, best variant", "judge/score", {MEAN: 55.72}),
)

TURNS = 6
TURN_SPLITS = {str(turn): f"Turn {turn}" for turn in range(1, TURNS + 1)}
_TURNS = tuple(TURN_SPLITS)
WORLDPREDICTION = (
    _row("warm-up only", "judge/score", _TURNS, 3.09, 2.09, 1.40, 1.17, 1.07, 0.97, 1.63),
    _row("SWIRL, one phase", "judge/score", _TURNS, 3.24, 2.42, 1.85, 1.59, 1.25, 1.08, 1.89),
    PaperRow("SWIRL, iterative", "judge/score", dict(zip(_TURNS, (3.23, 2.08, 1.53, 1.32, 1.15, 1.11), strict=True))),
)

TOOL_SPLITS = {"ID-High": "ID-High", "ID-Low": "ID-Low", "ID-Med": "ID-Med", "OOD": "OOD", "OOD-Fail": "OOD-Fail"}
_TOOLS = tuple(TOOL_SPLITS)
STABLETOOLBENCH = (
    _row("warm-up only", "forward/bleu", _TOOLS, 16.03, 12.87, 17.51, 14.86, 2.99, 12.85),
    _row("SWIRL, best variant", "forward/bleu", _TOOLS, 16.47, 16.90, 21.20, 15.57, 2.92, 14.61),
)

SCIENCEWORLD = (
    PaperRow("warm-up only", "forward/bertscore", {MEAN: 96.06}),
    PaperRow("SWIRL, best variant", "forward/bertscore", {MEAN: 96.06}),
    PaperRow("warm-up only", "forward/rouge_l", {MEAN: 89.73}),
    PaperRow("SWIRL, best variant", "forward/rouge_l", {MEAN: 89.92}),
)
MIND2WEB = (
    PaperRow("warm-up only", "forward/bertscore", {MEAN: 92.37}),
    PaperRow("SWIRL, best variant", "forward/bertscore", {MEAN: 92.44}),
    PaperRow("warm-up only", "forward/rouge_l", {MEAN: 48.97}),
    PaperRow("SWIRL, best variant", "forward/rouge_l", {MEAN: 49.10}),
)
