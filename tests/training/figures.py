"""A trainer callback that keeps the logged metrics for a test."""

from __future__ import annotations

from transformers import TrainerCallback


class Figures(TrainerCallback):
    """Keeps each row of metrics that the trainer logs."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_log(self, args, state, control, logs=None, **_) -> None:
        if "loss" in logs:
            self.rows.append(dict(logs))
