"""The verdict on a run before it starts: is each model good enough to be the other's critic?"""

from __future__ import annotations

from studio.view_models.training_verdicts import Verdict
from swirl.history import History
from swirl.models.checkpoints import short_name
from swirl.settings import Settings
from swirl.training.critic_verdicts import critic_verdict
from swirl.training.requirements import is_warmed_up

CLAIMS = {
    "good": ("good", "A good start: strong critic, room to learn"),
    "modest": ("neutral", "A fair start: expect a small gain"),
    "weak": ("inverse", "A weak critic: training may lower the scores"),
    "hopeless": ("wrong", "The forward model is too weak: training would lower the scores"),
}


def start_verdict(history: History, settings: Settings) -> Verdict:
    """Which of the four starts this is, by the model's held-out scores; says so if they are not known yet."""
    method = settings.training_method
    if not method.trains_by_rewards:
        imitated = "pseudo-labels" if method.trains_on_pseudo_labels else ""
        if method.trains_on_labels:
            imitated = f"{imitated} and labels" if imitated else "labels"
        why = f"This {method.role} imitates {imitated}; it computes no rewards."
        return Verdict("neutral", "No critic is needed", why)
    scores, source = known_scores(history, settings.model, settings.data)
    if is_warmed_up(settings):
        why = "Both models are scored after the warm-up, and the run warns you if the critic is too weak."
        return Verdict("neutral", "The warm-up decides where you start", why)
    verdict = critic_verdict(scores)
    if verdict is None:
        model, data = short_name(settings.model), settings.data
        why = f"{model} was never scored on {data}; the run scores it before its first phase."
        return Verdict("neutral", "The start is not scored yet", why)
    tone, claim = CLAIMS[verdict.level]
    return Verdict(tone, claim, f"{verdict.sentence} Scores from {source}.")


def known_scores(history: History, model: str, data: str) -> tuple[dict[str, float], str]:
    """The held-out scores of `model` on `data` and where they were measured; ({}, "") if it was never scored.

    They come from the checkpoint itself or from a run that started from this model without a warm-up, whichever run
    is newer, else from the newest evaluation. Those of a collection that had the same name do not count.
    """
    run_id, since = model.partition("@")[0], history.contents_since(data)
    for run in history.runs():
        if run.settings.get("data") != data or run.created < since:
            continue
        checkpoints = history.checkpoints(run.id)
        if run.id == run_id:
            own = [c for c in checkpoints if c.name == model] or [c for c in checkpoints if c.best and model == run.id]
        else:
            warms_up = run.settings.get("labels") and run.settings.get("warm_up_epochs", 1)
            unwarmed = run.settings.get("model") == model and not warms_up
            own = [c for c in checkpoints if c.index == 0 and unwarmed]
        if own and own[0].scores:
            return own[0].scores, own[0].name
    evaluation = history.evaluation_to_show(model, data)
    if evaluation is not None:
        return {name: value["value"] for name, value in evaluation.metrics.items()}, "its last evaluation"
    return {}, ""
