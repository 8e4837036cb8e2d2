"""Fixtures for the studio's tests: a home with one small collection, and a world model that follows one rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from studio.services import inference
from swirl import models
from swirl.models import Alternative, Inference, LogProb, Prediction
from swirl.sources.collections.catalog import import_collection
from swirl.states import State

WALK = [f"you are in {room}. cup in hall, lying." for room in ("hall", "attic", "hall")]


class TableModel:
    """A world model with one rule: `go to ROOM` leads to ROOM, the first word after `in ` in a state."""

    device = "cpu"
    max_state_tokens = 64

    def __init__(self, name: str) -> None:
        self.name = name
        self.unloaded = False
        self.inferred: list[tuple[State, State]] = []

    def completion(self, text: str) -> list[int]:
        return [0] * len(text.split())

    def infer(
        self, transitions: Sequence[tuple[State, State]], *, alternatives: int = 4, seed: int = 0
    ) -> list[Inference]:
        self.inferred += transitions
        rooms = [y.text.split(".")[0].split()[-1] for _, y in transitions]
        options = [(Alternative(f"go to {room}", -0.1), Alternative("wait", -2.5)) for room in rooms]
        return [Inference(best.action, best.log_prob, (best, *rest)[:alternatives]) for best, *rest in options]

    def imagine_batch(self, states: Sequence[State], actions: Sequence[str], temperature: float = 0.0) -> list[State]:
        return [self._moved(state, action) for state, action in zip(states, actions, strict=True)]

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        rows = zip(states, actions, next_states, strict=True)
        return [LogProb(-0.5 if self._moved(x, z) == y else -9.0, 10) for x, z, y in rows]

    def log_prob_without_state(self, actions: Sequence[str], next_states: Sequence[State]) -> list[LogProb]:
        return [LogProb(-9.0, 10)] * len(actions)

    def imagine(self, state: State, action: str, *, n: int, seed: int, with_log_probs: bool = True) -> list[Prediction]:
        wrong = Prediction(state, -3.0, -4.0)
        return [Prediction(self._moved(state, action), -0.2, -0.4)] * (n - 1) + [wrong] * min(1, n - 1)

    def suggest_actions(self, state: State, n: int) -> list[str]:
        return ["go to attic", "go to <hall>"][:n]

    def unload(self) -> None:
        self.unloaded = True

    @staticmethod
    def _moved(state: State, action: str) -> State:
        room = action.rsplit(" ", 1)[-1]
        return State(f"you are in {room}.{state.text.split('.', 1)[1]}")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one collection of its own, `walks`: three sequences of two steps, with true actions."""
    folder = tmp_path / "walks"
    folder.mkdir()
    lines = [{"id": f"w{i}", "states": [*WALK[i:], *WALK[:i]]} for i in range(3)]
    (folder / "sequences.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    actions = [{"id": f"w{i}", "actions": ["go to attic", "go to hall"]} for i in range(3)]
    (folder / "actions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in actions))
    import_collection(tmp_path / "home", folder, "walks")
    return tmp_path / "home"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TableModel]]:
    """Make three checkpoints, `first`, `second` and `third`, load as table models; lists the models loaded so far."""
    seen: list[TableModel] = []

    def load(home: Path, name: str) -> TableModel:
        seen.append(TableModel(name))
        return seen[-1]

    monkeypatch.setattr(models, "load_world_model", load, raising=False)
    monkeypatch.setattr(inference, "ready_models", lambda: ["first", "second", "third"])
    yield seen
