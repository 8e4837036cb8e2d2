"""The verdict on transitions or labels that are too long for a run, and the limits that would take most of them."""

from __future__ import annotations

from studio.view_models.advised_settings import TOKEN_LIMITS
from studio.view_models.formatting import format_percent
from studio.view_models.training_verdicts import Verdict
from swirl.history import History
from swirl.settings import Settings
from swirl.training.lengths import LeftOut


def length_verdict(left_out: LeftOut) -> Verdict:
    """What the check before the start found; a warning if much is left out, and an error if everything is."""
    reason = f"Of {left_out.total} sampled {left_out.what}s, {left_out.lengths}."
    if left_out.is_everything:
        return Verdict("wrong", f"No {left_out.what} is short enough to train on", reason)
    share = format_percent(left_out.too_long / left_out.total)
    tone = "inverse" if left_out.suggested_limits else "neutral"
    return Verdict(tone, f"{share} of the {left_out.what}s are too long and are left out", reason)


def earlier_run_verdict(history: History, settings: Settings) -> tuple[Verdict, dict[str, int]] | None:
    """What the newest run with this model and data found too long, and the limits it advised; None if they are set.

    It stands in for a check before the start where the model's tokenizer can be read only with the model.
    """
    for run in history.runs():
        if (run.settings.get("model"), run.settings.get("data")) != (settings.model, settings.data):
            continue
        # A run that ran out of memory may advise a lower limit.
        limits = {
            name: value
            for name, value in run.advised_changes.items()
            if name in TOKEN_LIMITS and value > max(getattr(settings, name), run.settings.get(name, 0))
        }
        if not limits:
            return None
        claim = "Much is too long to train on" if run.left_out else "No transition is short enough to train on"
        return Verdict(
            "inverse" if run.left_out else "wrong", claim, f"{run.id} found: {run.left_out or run.error}"
        ), limits
    return None
