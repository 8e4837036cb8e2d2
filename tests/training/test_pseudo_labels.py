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
from swirl.training import pseudo_labels, run_progress
from swirl.training.label_file import LabelFile
from swirl.training.pseudo_labels import infer_actions_to_imitate, label_source, pseudo_labels_per_phase
from swirl.training.run_monitor import RunMonitor
from swirl.training.run_progress import RunProgress

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


def test_a_file_of_labels_is_taken_up_to_its_first_line_that_is_not_whole(tmp_path: Path) -> None:
    file = tmp_path / "trainer" / "01-forward-labels.jsonl"
    first = LabelFile(file, "abc")
    first.add(["open", "take"])
    first.add(["go “up”"])
    whole = file.read_bytes()
    for damage in (b'{"source": "abc", "seconds": 1.0, "act', b"\0\0\0\n" + whole, whole[:-1]):
        file.write_bytes(whole + damage)
        second = LabelFile(file, "abc")
        assert second.actions == ["open", "take", "go “up”"] + (["open", "take"] if damage == whole[:-1] else [])
        kept = len(second.actions)
        second.add(["push"])
        third = LabelFile(file, "abc")
        assert third.actions == [*second.actions[:kept], "push"] and third.seconds == second.seconds > first.seconds
    other = LabelFile(file, "another model")
    assert other.actions == [] and other.seconds == 0.0
    other.add(["wait"])
    assert LabelFile(file, "another model").actions == ["wait"] and LabelFile(file, "abc").actions == []
    size = file.stat().st_size
    LabelFile(file, "another model", writes=False).add(["hum"])
    assert file.stat().st_size == size, "only the first rank writes"


def test_labels_have_another_source_if_the_models_or_the_transitions_change(tiny_base: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(tiny_base), "cpu", "float32", lora_rank=4)
    pairs = [(State("room 1 is dark"), State("room 1 is lit")), (State("room 2 is dark"), State("room 2 is lit"))]

    def sources() -> list[str]:
        return [label_source(world, pairs, candidates, 3) for candidates in (1, 4)]

    before = sources()
    assert sources() == before and len({*before, label_source(world, pairs, 1, 4)}) == 3
    assert label_source(world, pairs[::-1], 1, 3) not in before

    def change(adapter: str) -> None:
        with torch.no_grad():
            next(w for name, w in world.model.named_parameters() if f"lora_B.{adapter}." in name).add_(0.1)

    change("fwm")
    assert [new == old for new, old in zip(sources(), before, strict=True)] == [True, False]
    change("idm")
    assert [new == old for new, old in zip(sources(), before, strict=True)] == [False, False]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"method": "sft"}, {"method": "hard-em"}])
def test_a_stop_while_labels_are_inferred_keeps_them(
    changes: dict[str, Any], tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops after the second of four parts and in the steps after them; what was inferred is not inferred again."""
    monkeypatch.setattr(pseudo_labels, "TRANSITIONS_AT_ONCE", 4)
    monkeypatch.setattr(run_progress, "SECONDS_BETWEEN_CHECKS", 0.0)
    settings = Settings().replace({**SMALL_RUN, **changes, "model": str(tiny_base), "seed": 3})
    inferred: list[str] = []
    activities: list[str] = []

    def run(home: Path, stop_in: str = "", resumed: str | None = None) -> str:
        run_id = resumed or jobs.create_foreground_run(home, preset=None, settings=settings)
        history, add = History(home), LabelFile.add
        if resumed:
            jobs.resume(home, run_id, detach=False)

        def add_and_note(kept: LabelFile, actions: Sequence[str]) -> None:
            add(kept, actions)
            inferred.extend(f"{kept.file.name} {len(kept.actions)}" for _ in actions[:1])
            if stop_in == "labelling" and len(kept.actions) == 8:
                history.add_request(run_id, "stop")

        def note(progress: RunProgress, *arguments: Any, **named: Any) -> None:
            activities.append(str(arguments[3]) if len(arguments) > 3 else "")
            record(progress, *arguments, **named)

        record = RunProgress.record
        step_end = RunMonitor.on_step_end

        def stop_after_a_step(monitor: RunMonitor, *arguments: Any, **named: Any) -> None:
            if stop_in == "steps" and arguments[1].global_step == 3:
                history.add_request(run_id, "stop")
            step_end(monitor, *arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(LabelFile, "add", add_and_note)
            patch.setattr(RunProgress, "record", note)
            patch.setattr(RunMonitor, "on_step_end", stop_after_a_step)
            jobs.train_in_foreground(home, run_id)
        return run_id

    whole = run(tmp_path / "whole")
    parts = list(inferred)
    assert len(parts) == 4 * sum(phase.direction != "warm-up" for phase in History(tmp_path / "whole").phases(whole))
    inferred.clear()
    home = tmp_path / "broken"
    broken = run(home, "labelling")
    assert History(home).run(broken).status == "stopped" and inferred == parts[:2]
    activities.clear()
    run(home, "steps", broken)
    assert History(home).run(broken).status == "stopped" and inferred == parts[:4], "the first two were inferred again"
    assert next(a for a in activities if "inferring" in a).endswith("8 of 16 transitions")
    labelled = History(home).metrics(broken, ["labelling_time"])
    assert (home / "runs" / broken / "trainer" / "01-forward-labels.jsonl").is_file()
    run(home, "", broken)
    history = History(home)
    assert history.run(broken).status == "finished" and inferred == parts
    # The last attempt read all actions; what it took to infer them is that of the attempts before.
    assert history.metrics(broken, ["labelling_time"])[0].value > labelled[0].value / 2 > 0
    assert not (home / "runs" / broken / "trainer").exists()
    for name in ("fwm", "idm"):
        ends = [
            [
                file.read_bytes()
                for file in sorted((place / "runs" / run_id / "checkpoints").glob(f"*/{name}/*.safetensors"))
            ]
            for place, run_id in ((tmp_path / "whole", whole), (home, broken))
        ]
        assert ends[0] == ends[1] and ends[0]
