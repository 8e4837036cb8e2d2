"""The probe while a run trains: no influence on training, its records, stopping in it, and ending a harmful run."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from swirl.evaluation.selection_scores import SelectionScorer
from swirl.history import History
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.training import loop, phase_probe, run_progress
from swirl.training.held_out import Change, ProbeValues
from swirl.training.loop import train
from swirl.training.phase_probe import preserved_random_state

SMALL = {
    **{"iterations": 1, "steps_per_phase": 6, "batch_size": 4, "group_size": 2, "max_action_tokens": 4},
    **{"max_state_tokens": 48, "held_out": 4, "save_every": 2, "learning_rate": 0.01, "probe_size": 6},
}
PROBES = ["probe_exact_match", "probe_log_prob", "probe_time"]


def start(home: Path, model: Path, **changes: object) -> str:
    return jobs.create_foreground_run(
        home, preset=None, settings=Settings().replace({**SMALL, "model": str(model), **changes})
    )


def digest(home: Path, run_id: str) -> dict[str, str]:
    """A hash of each weight file of each checkpoint."""
    folder = home / "runs" / run_id / "checkpoints"
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*.safetensors"))
    }


class Probe:
    """A probe whose values fall with every measurement; `during` is called in each, with the number before it."""

    def __init__(self, during: Callable[[int], None]) -> None:
        self.transitions, self.during, self.measured = (None,) * 4, during, 0

    def measure(self, model, direction, progress) -> ProbeValues:
        progress(0.5, "half")
        self.during(self.measured)
        model.check_interrupt()
        self.measured += 1
        return ProbeValues((1.0, 0.0, 1.0, 0.0), (-1.0 - self.measured,) * 4)

    def change(self, before, after) -> Change:
        difference = float(np.mean(after) - np.mean(before))
        return Change(difference, difference - 0.1, difference + 0.1)


class Scorer:
    """A scorer without transitions of its own, with one probe for all phases."""

    transitions = ()

    def __init__(self, during: Callable[[int], None] = lambda number: None) -> None:
        self.probe = Probe(during)

    def __call__(self, model, progress) -> dict[str, float]:
        return {"cycle/exact_match": 0.5}

    def make_probe(self, size: int) -> Probe:
        return self.probe


def test_random_numbers_go_on_as_if_nothing_had_been_drawn() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(1))

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = draw()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    with preserved_random_state():
        draw()
    assert draw() == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "image"])
def test_a_probe_changes_no_weight(
    kind: str, tiny_base: Path, tiny_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, data = (tiny_base, "household") if kind == "text" else (tiny_pictures, "blocks")
    plain = start(tmp_path / "plain", model, data=data)
    train(tmp_path / "plain", plain, SelectionScorer)
    drawn = SelectionScorer.make_probe

    def drawing(self, size):
        """A probe that also draws random numbers, which must not be missing from training."""
        probe = drawn(self, size)
        measure = probe.measure

        def draw_and_measure(*arguments):
            torch.rand(3), np.random.rand(3), random.random()
            return measure(*arguments)

        probe.measure = draw_and_measure
        return probe

    monkeypatch.setattr(SelectionScorer, "make_probe", drawing)
    probed = start(tmp_path / "probed", model, data=data, probe_every=2)
    train(tmp_path / "probed", probed, SelectionScorer)
    assert digest(tmp_path / "probed", probed) == digest(tmp_path / "plain", plain)
    assert len(digest(tmp_path / "plain", plain)) == 6
    history = History(tmp_path / "probed")
    places = [(phase, step) for phase in (1, 2) for step in (0, 2, 4, 6)]
    for name in PROBES:
        assert sorted((m.phase, m.step) for m in history.metrics(probed, [name])) == places
    log_probs = {(m.phase, m.step): m.value for m in history.metrics(probed, ["probe_log_prob"])}
    assert log_probs[1, 0] != log_probs[1, 6], "the probe did not see the trained model"
    rewards = {m.step: m.value for m in history.metrics(probed, ["reward"])}
    assert rewards == {m.step: m.value for m in History(tmp_path / "plain").metrics(plain, ["reward"])}
    run = history.run(probed)
    assert run.probe_outcome in ("together", "parted", "falling", "unclear")
    assert run.probe_verdict.startswith("After 2 of 6 steps ")
    assert History(tmp_path / "plain").run(plain).probe_verdict is None


@pytest.mark.slow
def test_a_stop_in_a_probe_continues_with_that_probe(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_progress, "SECONDS_BETWEEN_CHECKS", 0.0)
    whole = start(tmp_path / "whole", tiny_base)
    train(tmp_path / "whole", whole, lambda *_: Scorer())
    home = tmp_path / "broken"
    run = start(home, tiny_base, probe_every=2)
    history, seen = History(home), []

    def stop(number: int) -> None:
        seen.append(history.run(run))
        if number in (0, 1):
            history.add_request(run, "stop")

    scorer = Scorer(stop)
    assert train(home, run, lambda *_: scorer) == "stopped"
    assert not history.metrics(run, PROBES) and not history.metrics(run, ["reward"]), "it stopped before the first step"
    history.clear_requests(run, "stop")
    scorer.probe.during = lambda number: stop(number) if number else None
    assert train(home, run, lambda *_: scorer) == "stopped"
    assert [(m.phase, m.step) for m in history.metrics(run, ["probe_log_prob"])] == [(1, 0)]
    assert [(row.step, row.activity) for row in seen] == [
        (0, "probing on held-out data, 2 of 4 transitions"),
        (2, "probing on held-out data, 2 of 4 transitions"),
    ]
    history.clear_requests(run, "stop")
    scorer.probe.during = lambda number: None
    assert train(home, run, lambda *_: scorer) == "finished"
    places = [(phase, step) for phase in (1, 2) for step in (0, 2, 4, 6)]
    assert [(m.phase, m.step) for m in history.metrics(run, ["probe_log_prob"])] == places
    assert digest(home, run) == digest(tmp_path / "whole", whole)


@pytest.fixture
def rising_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewards that rise beyond chance, whatever the model does."""
    original = phase_probe.RewardChange.between
    monkeypatch.setattr(
        phase_probe.RewardChange, "between", lambda rewards, steps: original([-2.0, -2.1, -1.0, -1.1], 2)
    )


@pytest.mark.slow
def test_a_harmful_run_ends_itself_and_says_why(tiny_base: Path, tmp_path: Path, rising_reward: None) -> None:
    run = start(tmp_path, tiny_base, probe_every=1, iterations=2, stop_when_harmful=True)
    history = History(tmp_path)
    assert train(tmp_path, run, lambda *_: Scorer()) == "finished"
    assert [(p.index, p.steps, p.finished is not None) for p in history.phases(run)] == [(0, 0, True), (1, 4, True)]
    assert {m.step for m in history.metrics(run, ["reward"])} == {1, 2, 3, 4}
    assert [c.index for c in history.checkpoints(run)] == [0, 1], "the checkpoint of the ended phase is kept"
    row = history.run(run)
    assert row.error is None
    assert row.ended_early.startswith("Stopped by itself after step 4 of 6 of the forward phase of iteration 1: ")
    assert f"The best checkpoint is {run}@0;" in row.ended_early
    assert row.seconds_left is not None and row.share_done > 0.5, "the planned phases count no longer"
    assert train(tmp_path, run, lambda *_: Scorer()) == "finished"
    assert len(history.phases(run)) == 2, "the run went on"
    lasting = start(tmp_path, tiny_base, probe_every=1)
    assert train(tmp_path, lasting, lambda *_: Scorer()) == "finished"
    assert [p.steps for p in history.phases(lasting)] == [0, 6, 6], "nobody asked for it"
    assert history.run(lasting).probe_outcome == "parted"


@pytest.mark.slow
def test_a_run_that_ended_itself_and_was_stopped_in_its_scoring_only_scores(
    tiny_base: Path, tmp_path: Path, rising_reward: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_progress, "SECONDS_BETWEEN_CHECKS", 0.0)
    run = start(tmp_path, tiny_base, probe_every=1, stop_when_harmful=True)
    history = History(tmp_path)

    class Stopping(Scorer):
        def __call__(self, model, progress) -> dict[str, float]:
            if history.run(run).ended_early:
                history.add_request(run, "stop")
            progress(0.5, "half")
            return super().__call__(model, progress)

    assert train(tmp_path, run, lambda *_: Stopping()) == "stopped"
    assert [c.index for c in history.checkpoints(run)] == [0]
    history.clear_requests(run, "stop")
    scorer = Scorer()
    assert train(tmp_path, run, lambda *_: scorer) == "finished"
    assert scorer.probe.measured == 0
    assert [(p.index, p.steps) for p in history.phases(run)] == [(0, 0), (1, 4)]
    assert [c.index for c in history.checkpoints(run)] == [0, 1]
    assert "The best checkpoint is" in history.run(run).ended_early


@pytest.mark.slow
def test_a_run_killed_after_its_last_save_ends_itself_when_it_is_resumed(
    tiny_base: Path, tmp_path: Path, rising_reward: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe that ended the phase is among those that were taken; the phase's own checkpoint is missing."""
    run = start(tmp_path, tiny_base, probe_every=1, stop_when_harmful=True)
    history, saved = History(tmp_path), loop.save_phase

    def die_in_the_forward_phase(context, phase) -> None:
        if phase.kind == "forward":
            raise InterruptedError
        saved(context, phase)

    monkeypatch.setattr(loop, "save_phase", die_in_the_forward_phase)
    with pytest.raises(InterruptedError):
        train(tmp_path, run, lambda *_: Scorer())
    assert (tmp_path / "runs" / run / "trainer" / "01-forward" / "checkpoint-4").is_dir()
    history.update_run(run, ended_early=None)
    monkeypatch.setattr(loop, "save_phase", saved)
    scorer = Scorer()
    assert train(tmp_path, run, lambda *_: scorer) == "finished"
    assert scorer.probe.measured == 0
    assert [(p.index, p.steps) for p in history.phases(run)] == [(0, 0), (1, 4)], "training went on"
    assert history.run(run).ended_early.startswith("Stopped by itself after step 4 of 6 ")


def test_a_probe_reads_the_rewards_before_its_step_in_their_order(tmp_path: Path) -> None:
    """A killed attempt may have logged those of later steps, and first."""
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    probe = phase_probe.PhaseProbe.__new__(phase_probe.PhaseProbe)
    probe.history, probe.run_id, probe.every, probe.imitates = history, run_id, 2, False
    probe.phase, probe.probe = SimpleNamespace(index=1), Probe(lambda number: None)
    values = ProbeValues((1.0,) * 4, (-1.0,) * 4)
    probe.taken = {0: values, 2: values, 4: values}
    for step, reward in ((4, -9.0), (3, -3.0), (2, -2.0), (1, -1.0)):
        history.log_metrics(run_id, 1, step, {"reward": reward})
    early, late = probe.reading(2), probe.reading(4)
    assert early is not None and (early.reward.first, early.reward.last) == (-1.0, -1.0)
    assert late is not None and (late.reward.first, late.reward.last) == (-1.0, -3.0)
    assert probe.reading(0) is None
