"""Whether a health check has found that the two models of a start share a private code, which advice must know."""

from __future__ import annotations

from pathlib import Path

from swirl.evaluation.health_findings import health_check_from_json
from swirl.evaluation.private_code import private_code_verdict
from swirl.history import History


def private_code_of(home: Path, model: str) -> str | None:
    """The verdict, as a sentence, of the newest health check that found a private code in a model; None if none did.

    `model` is a name as in the setting `model`; a run's id alone means its best checkpoint. Only the newest check of
    each collection counts.
    """
    history = History(home)
    best = next((checkpoint.name for checkpoint in history.checkpoints(model) if checkpoint.best), model)
    for stored in history.health_checks(checkpoint=best):
        check = health_check_from_json(stored.found)
        if check.partner is None:
            continue
        verdict = private_code_verdict(check.figures.get("private_share"), check.mastered, check.partner)
        if verdict.is_private:
            return verdict.sentence
    return None
