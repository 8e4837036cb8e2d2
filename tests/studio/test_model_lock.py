"""Tests of the lock on the models: low-priority questions give way to urgent ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import TableModel

from studio.services.inference import MAX_ATTEMPTS, Models, ask_model, ask_model_at_low_priority
from studio.services.loaded_models import ModelNotLoaded


@pytest.fixture
def models(home: Path, loaded: list, monkeypatch: pytest.MonkeyPatch) -> Models:
    monkeypatch.setattr(TableModel, "check_interrupt", staticmethod(lambda: None), raising=False)
    return Models(home)


class Slow:
    """A question of ten passes that counts how often it was begun; `passing` is set during each pass."""

    def __init__(self) -> None:
        self.begun, self.passing = 0, threading.Event()

    def __call__(self, model: TableModel) -> str:
        self.begun += 1
        for _ in range(10):
            self.passing.set()
            time.sleep(0.02)
            model.check_interrupt()
        return model.name


def started(what: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=what, daemon=True)
    thread.start()
    return thread


def test_a_low_priority_question_gives_way_and_is_answered_afterwards(models: Models) -> None:
    order: list[str] = []
    slow = Slow()
    patient = started(lambda: order.append(ask_model_at_low_priority(models, "first", slow)))
    assert slow.passing.wait(10)
    order.append(ask_model(models, "second", lambda model: model.name))
    patient.join(10)
    assert order == ["second", "first"] and slow.begun == 2
    assert models.lock.urgent_waiters == 0


def test_low_priority_questions_do_not_interrupt_each_other(models: Models) -> None:
    questions = [Slow(), Slow()]
    threads = [
        started(lambda question=question: ask_model_at_low_priority(models, "first", question))
        for question in questions
    ]
    for thread in threads:
        thread.join(10)
    assert [question.begun for question in questions] == [1, 1]


def test_a_low_priority_question_is_answered_in_the_end(models: Models) -> None:
    slow, over = Slow(), threading.Event()

    def impatient() -> None:
        while not over.is_set():
            slow.passing.wait(10)
            slow.passing.clear()
            ask_model(models, "first", lambda model: model.name)

    crowd = started(impatient)
    try:
        assert ask_model_at_low_priority(models, "first", slow) == "first"
    finally:
        over.set()
        slow.passing.set()
        crowd.join(10)
    assert 1 < slow.begun <= MAX_ATTEMPTS + 1


def test_unloading_ends_what_is_prepared_ahead(models: Models) -> None:
    slow, outcome = Slow(), []

    def ahead() -> None:
        try:
            ask_model_at_low_priority(models, "first", slow, load=False)
        except ModelNotLoaded as error:
            outcome.append(str(error))

    ask_model(models, "first", lambda model: model.name)
    preparing = started(ahead)
    assert slow.passing.wait(10)
    models.unload()
    preparing.join(10)
    assert outcome == ["first is not loaded."] and models.loaded() == []


def test_the_lock_is_reentrant_and_is_released_after_an_error(models: Models) -> None:
    with pytest.raises(ZeroDivisionError), models.lock, models.use("first"):
        _ = 1 / 0
    done = started(models.unload)
    done.join(10)
    assert not done.is_alive() and models.loaded() == []
