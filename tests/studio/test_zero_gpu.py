"""Tests of ZeroGPU support: models run in a separate process, and only names, questions and answers cross over."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.services import zero_gpu
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.states import State

SPACES = """
import sys

tasks = []

def GPU(duration):
    def decorate(task):
        tasks.append((task.__name__, duration, "torch" in sys.modules))
        return task
    return decorate
"""
LOOK = "import spaces; from studio import app; print(spaces.tasks)"


@pytest.fixture
def remote_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Pickle every call and answer, as if crossing to another process; lists the attribute paths that were called."""
    asked: list[tuple[str, ...]] = []

    def across(*arguments: Any) -> Any:
        crossed = pickle.loads(pickle.dumps(arguments))
        asked.append(crossed[2])
        return pickle.loads(pickle.dumps(zero_gpu.run_on_gpu(*crossed)))

    monkeypatch.setattr(zero_gpu, "HAS_SPACES", True)
    monkeypatch.setattr(zero_gpu, "_run_on_gpu", across)
    return asked


def test_answers_come_from_the_other_process_and_are_cached_here(
    home: Path, loaded: list[Any], remote_calls: list[tuple[str, ...]]
) -> None:
    models = shared_models(home)
    pair = (State("you are in hall. cup in hall, lying."), State("you are in attic. cup in hall, lying."))
    assert models.infer("first", [pair], alternatives=False)[0].action == "go to attic"
    assert models.infer("first", [pair], alternatives=False)[0].action == "go to attic"
    with models.use("first") as model:
        assert str(model.device) == "cuda"
        assert model.suggest_actions(pair[0], n=2) == ["go to attic", "go to <hall>"]
        assert model.name == "first"
    assert remote_calls == [("infer",), ("suggest_actions",), ("name",)]
    models.unload()


def test_an_error_there_is_raised_here_with_its_sentence(
    home: Path, remote_calls: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise SwirlError("There is no checkpoint 'nobody'.")

    monkeypatch.setattr("swirl.models.load_world_model", refuse, raising=False)
    with shared_models(home).use("nobody") as model, pytest.raises(SwirlError, match="There is no checkpoint 'nobody'"):
        model.infer([])


def test_nothing_is_decorated_without_the_package() -> None:
    function: Callable[[], None] = lambda: None  # noqa: E731
    assert zero_gpu.HAS_SPACES is False and zero_gpu.decorated(function) is function


@pytest.mark.slow
def test_the_package_sees_its_function_at_the_start_and_before_torch(tmp_path: Path) -> None:
    (tmp_path / "spaces.py").write_text(SPACES)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {LOOK}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[('run_on_gpu', 60, False)]"
