"""Actions to imitate: the inverse model's first guess, or where it is unsure the likeliest guess under both models."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from small_runs import SMALL_RUN

from swirl.history import History
from swirl.methods import METHODS
from swirl.models import load_world_model
from swirl.models.results import Alternative, Inference, LogProb
from swirl.models.world_model import WorldModel
from swirl.progress import ProgressCallback
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.states import State
from swirl.training import pseudo_labels
from swirl.training.pseudo_labels import infer_actions_to_imitate, pseudo_labels_per_phase

GUESSES = {
    "sure": {"open": 0.97, "close": 0.03},
    "unsure": {"take": 0.6, "drop": 0.3, "wait": 0.1},
    "right": {"go": 0.7, "stay": 0.22, "hum": 0.08},
    "plain": {"push": 0.8, "pull": 0.2},
}
"""Q(z | x, y) by next state."""
EXPLAINS = {"take": 0.1, "drop": 0.5, "wait": 0.9, "go": 0.3, "stay": 0.6, "push": 0.9}
"""P(y | x, z) by action."""


class TwoModels:
    """An inverse and a forward model whose probabilities are those above; they note what they are asked."""

    def __init__(self) -> None:
        self.drawn: list[str] = []
        self.scored: list[str] = []
        self.seeds: list[int] = []

    def infer(
        self,
        pairs: Sequence[tuple[State, State]],
        *,
        alternatives: int,
        greedy: Sequence[str] | None = None,
        seed: int = 0,
        progress: ProgressCallback | None = None,
    ) -> list[Inference]:
        found = []
        for _, y in pairs:
            ranked = [Alternative(z, math.log(p)) for z, p in GUESSES[y.text].items()][:alternatives]
            found.append(Inference(ranked[0].action, ranked[0].log_prob, tuple(ranked)))
            self.drawn += [y.text] if alternatives > 1 else []
        self.seeds += [seed] if alternatives > 1 else []
        assert greedy in (None, [inference.action for inference in found])
        return found

    def forward_log_prob(
        self, states: Sequence[State], actions: Sequence[str], next_states: Sequence[State]
    ) -> list[LogProb]:
        assert len(states) == len(next_states)
        self.scored += actions
        return [LogProb(math.log(EXPLAINS[action]), 3) for action in actions]


def infer(candidates: int) -> tuple[list[str], TwoModels, list[float]]:
    models, shares = TwoModels(), []
    pairs = [(State("before"), State(after)) for after in GUESSES]
    actions = infer_actions_to_imitate(
        cast(WorldModel, models), pairs, candidates, 0, lambda share, message="": shares.append(share)
    )
    return actions, models, shares


def test_one_candidate_is_the_first_guess_of_the_inverse_model() -> None:
    actions, models, _ = infer(1)
    assert actions == ["open", "take", "go", "push"] and not models.drawn and not models.scored


def test_of_several_the_likeliest_under_both_is_taken_where_the_inverse_model_is_unsure() -> None:
    actions, _, shares = infer(4)
    # 0.6 × 0.1 < 0.1 × 0.9 < 0.3 × 0.5; 0.7 × 0.3 > 0.22 × 0.6; the sure one stays although it explains nothing
    assert actions == ["open", "drop", "go", "push"]
    assert shares == [0.4, 1.0]
    assert infer(2)[0] == ["open", "drop", "go", "push"]


def test_long_lists_are_taken_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = infer(4)
    monkeypatch.setattr(pseudo_labels, "TRANSITIONS_AT_ONCE", 2)
    parts = infer(4)
    assert parts[0] == whole[0] and parts[1].drawn == whole[1].drawn == ["unsure", "right"]
    assert parts[2] == pytest.approx([0.2, 0.5, 0.7, 1.0])
    assert parts[1].seeds == [0, 2], "the second part has random numbers of its own"


def test_what_cannot_be_chosen_is_not_computed() -> None:
    _, models, _ = infer(4)
    # 0.8 × 0.9 is more than the other 0.2 could have, so that nothing is drawn there; 0.08 < 0.7 × 0.3
    assert models.drawn == ["unsure", "right"]
    assert models.scored == ["take", "go", "push", "drop", "wait", "stay"]


def noting(infer: Callable[..., list[Inference]], drawn: list[str]) -> Callable[..., list[Inference]]:
    """`infer`, which notes the actions beside which it draws others."""

    def noted(*args: Any, greedy: Sequence[str] | None = None, **options: Any) -> list[Inference]:
        drawn.extend(greedy or ())
        return infer(*args, greedy=greedy, **options)

    return noted


def test_the_choice_is_that_of_comparing_all_candidates(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", "float32", lora_rank=4)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in world.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3, generator=generator)
    pairs = [(State(f"room {i} is {'dark' if i % 2 else 'lit'}"), State(f"room {i} is lit")) for i in range(8)]
    drawn: list[str] = []
    monkeypatch.setattr(world, "infer", noting(world.infer, drawn))
    chosen = infer_actions_to_imitate(world, pairs, 4, 3, lambda *_: None)
    monkeypatch.undo()
    compared = world.infer(pairs, alternatives=4, by_both_models=True, seed=3)
    assert len(drawn) == len(pairs), "all are drawn for, with the same random numbers"
    assert chosen == [found.action for found in compared]
    assert chosen != [found.action for found in world.infer(pairs, alternatives=1)]


def test_no_more_are_labelled_than_a_phase_sees() -> None:
    settings = Settings().replace({"forward.steps_per_phase": 10, "inverse.steps_per_phase": 30, "batch_size": 4})
    counts = {m: pseudo_labels_per_phase(settings.replace({"method": m})) for m in ("sft", "hybrid", "hard-em")}
    assert counts == {"sft": 40, "hybrid": 40, "hard-em": 120}
    assert pseudo_labels_per_phase(settings.replace({"method": "sft", "label_passes": 3.0})) == 14


@pytest.mark.slow
def test_hard_em_trains_both_models_without_rewards(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", "float32", lora_rank=4)
    world.save(tmp_path / "start", with_base=True)
    changes: dict[str, Any] = SMALL_RUN | METHODS["hard-em"].changes
    settings = Settings().replace({**changes, "model": str(tmp_path / "start"), "warm_up_epochs": 0})
    run = jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    jobs.train_in_foreground(tmp_path, run)
    history = History(tmp_path)
    assert history.run(run).status == "finished", history.run(run).error
    assert [(p.direction, p.steps) for p in history.phases(run)] == [("warm-up", 0), ("forward", 4), ("inverse", 4)]
    assert "reward" not in {metric.name for metric in history.metrics(run)}
    timed = history.metrics(run, ["labelling_time"])
    assert [metric.phase for metric in timed] == [1, 2] and all(metric.value > 0 for metric in timed)
    files = {
        name: [
            (folder / name / "adapter_model.safetensors").read_bytes()
            for folder in sorted((tmp_path / "runs" / run / "checkpoints").iterdir())
        ]
        for name in ("fwm", "idm")
    }
    assert [len(set(versions)) for versions in files.values()] == [2, 2]
