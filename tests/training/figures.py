"""What a trainer logs, kept for a test to look at."""

from __future__ import annotations

from transformers import TrainerCallback


class Figures(TrainerCallback):
    """Keeps what the trainer logs."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_log(self, args, state, control, logs=None, **_) -> None:
        if "loss" in logs:
            self.rows.append(dict(logs))
