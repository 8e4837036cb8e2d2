"""The methods beside SWIRL: what their phases train on, what they need, and that they resume like all runs."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import SMALL_RUN

from studio.view_models.start_form import check_references
from swirl.cli import main
from swirl.errors import UsageError
from swirl.history import History
from swirl.methods import EXTENSIONS_OFF, JUDGED_BY_BOTH, METHODS, TRAINING_METHODS
from swirl.models import load_world_model
from swirl.models.loading import reset_adapter
from swirl.models.world_model import WorldModel
from swirl.presets import PRESETS
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.sources.labels.writing import write_labels
from swirl.states import LabelledTransition
from swirl.training.requirements import missing_requirements
from swirl.training.schedule import plan_phases
from swirl.training.warm_up import build_supervised_phase_trainer
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household

SMALL = {**SMALL_RUN, "warm_up_epochs": 0, "precision": "float32", "max_action_tokens": 8}
"""Actions as long as those of the labels, and one token that ends them."""


def labelled(world: type, steps: int = 24) -> list[LabelledTransition]:
    episode = world().episode(5, steps)
    pairs = pairwise(episode.states)
    return [LabelledTransition(x, z, y) for (x, y), z in zip(pairs, episode.actions, strict=True)]


@pytest.fixture
def labels(tmp_path: Path) -> str:
    file = tmp_path / "labels.jsonl"
    rows = [
        {"state": row.state.text, "action": row.action, "next_state": row.next_state.text}
        for row in labelled(Household)
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return str(file)


@pytest.fixture
def start_model(tiny_base: Path, tmp_path: Path) -> Path:
    """A checkpoint with two trained adapters; what they say is noise."""
    world = load_world_model(tmp_path, str(tiny_base), "cpu", "float32", lora_rank=4)
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in world.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    world.save(tmp_path / "start", with_base=True)
    return tmp_path / "start"


def weights(world: WorldModel, adapter: str) -> dict[str, torch.Tensor]:
    return {n.replace(f".{adapter}.", "."): p.detach().clone() for n, p in world.model.named_parameters()
            if f".{adapter}." in n}  # fmt: skip


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and bool(a) and all(torch.equal(value, b[name]) for name, value in a.items())


def train(home: Path, model: Path, **changes: Any) -> str:
    settings = Settings().replace({**SMALL, "model": str(model), **changes})
    run_id = jobs.create_foreground_run(home, preset=None, settings=settings)
    jobs.train_in_foreground(home, run_id)
    run = History(home).run(run_id)
    assert run.status == "finished", run.error
    return run_id


def adapters(home: Path, run_id: str, adapter: str) -> list[str]:
    """A digest of an adapter in each checkpoint of a run, in order."""
    folder = home / "runs" / run_id / "checkpoints"
    return [
        hashlib.sha256((checkpoint / adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
        for checkpoint in sorted(folder.iterdir())
    ]


# --- the catalogue ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_method_does_not_depend_on_the_extensions_of_a_preset(name: str) -> None:
    method = METHODS[name]
    extended = {"anchor": 3.0, "drift_penalty": 1.0, "observed_in_group": True, "prior_reference": True}
    extended |= JUDGED_BY_BOTH
    plain = PRESETS["tiny-household-paper"].settings.replace(method.changes)
    assert PRESETS["tiny-household-paper"].settings.replace(extended).replace(method.changes) == plain
    assert EXTENSIONS_OFF.keys() <= method.changes.keys()
    assert method.needs_labels == (plain.training_method.trains_on_labels or method.needs_warm_up)
    assert method.mutual == (plain.training_method.trains_by_rewards and plain.iterations > 0)


def test_the_catalogue_holds_what_the_comparison_needs() -> None:
    base = PRESETS["tiny-household"].settings
    planned = {
        name: [phase.kind for phase in plan_phases(base.replace(method.changes), 0) if phase.steps]
        for name, method in METHODS.items()
    }
    assert planned["warm-up"] == planned["best-of-n"] == []
    assert planned["sft"] == planned["sft-reranked"] == planned["sft-merged"] == ["forward"] * 2
    assert planned["phase-one"] == ["forward"] * 2
    assert planned["bootstrap"] == ["forward"]
    assert planned["hybrid"] == ["inverse", "forward"] * 2
    for name in ("paper", "shared", "supervised", "hard-em"):
        assert planned[name] == ["forward", "inverse"] * 2
    both = base.replace(METHODS["anchor-observed"].changes)
    assert (both.anchor, both.observed_reward, both.drift_penalty) == (4.0, 0.5, 0.0)
    assert base.replace(METHODS["paper"].changes).anchor == 0.0
    assert [method.name for method in METHODS.values() if method.best_of > 1] == ["best-of-n"]


# --- what a method needs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sft-merged", "bootstrap", "supervised"])
def test_methods_on_labels_need_labels(method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings().replace({"method": method})
    with pytest.raises(UsageError, match=f"method={method} trains on labels: give a labels file"):
        jobs.create_foreground_run(tmp_path, preset=None, settings=settings)
    assert History(tmp_path).runs() == []
    assert check_references(tmp_path, settings).keys() == {"labels"}
    command = ["--home", str(tmp_path), "train", "--preset", "tiny-household", "--set", f"method={method}"]
    assert main(command) == 2
    assert f"method={method} trains on labels" in capsys.readouterr().err


def test_a_shared_adapter_on_two_needs_a_warm_up(start_model: Path, tiny_base: Path, tmp_path: Path) -> None:
    settings = Settings().replace({"model": str(start_model), "share_weights": True})
    assert "takes the place of the two of start" in missing_requirements(tmp_path, settings)["share_weights"]
    with_labels = settings.replace({"labels": "some.jsonl"})
    assert missing_requirements(tmp_path, with_labels) == {}
    assert missing_requirements(tmp_path, with_labels.replace({"warm_up_epochs": 0})).keys() == {"share_weights"}
    assert missing_requirements(tmp_path, settings.replace({"model": str(tiny_base)})) == {}
    bootstrap = with_labels.replace({"method": "bootstrap"})
    assert "cannot share one adapter" in missing_requirements(tmp_path, bootstrap)["share_weights"]


# --- what a method does -------------------------------------------------------------------------------------------


def test_the_hybrid_imitates_forward_and_reinforces_inverse(start_model: Path, tmp_path: Path) -> None:
    run_id = train(tmp_path, start_model, method="hybrid", inverse_first=True, probe_every=2, probe_size=4)
    history = History(tmp_path)
    kinds = [phase.direction for phase in history.phases(run_id)]
    assert kinds == ["warm-up", "inverse", "forward"]
    found = {(metric.phase, metric.name) for metric in history.metrics(run_id)}
    assert (1, "reward") in found and (2, "reward") not in found  # only the inverse phase has rewards
    assert {(1, "probe_log_prob"), (2, "probe_log_prob")} <= found
    start, inverse, forward = adapters(tmp_path, run_id, "fwm")
    assert start == inverse != forward
    start, inverse, forward = adapters(tmp_path, run_id, "idm")
    assert start != inverse == forward
    assert [c.name.partition("@")[2] for c in history.checkpoints(run_id)] == ["0", "1-inverse", "1"]


def test_a_reset_adapter_has_no_effect_and_goes_by_its_seed(start_model: Path, tmp_path: Path) -> None:
    world = load_world_model(tmp_path, str(start_model), "cpu", "float32")
    row = labelled(Household)[0]
    prompt = world.layout.forward_prompt(row.state, row.action)
    target = world.state_completion(row.next_state)

    def score(adapter: str | None) -> float:
        return world.log_prob(adapter, [prompt], [target], answer="state")[0].total

    trained, inverse = score("fwm"), weights(world, "idm")
    reset_adapter(world.model, "fwm", 3)
    assert score("fwm") == pytest.approx(score(None), abs=1e-5)
    assert abs(trained - score(None)) > 0.01
    assert same(weights(world, "idm"), inverse)
    first = weights(world, "fwm")
    reset_adapter(world.model, "fwm", 4)
    assert not same(weights(world, "fwm"), first)
    reset_adapter(world.model, "fwm", 3)
    assert same(weights(world, "fwm"), first)


@pytest.mark.parametrize("kind", ["text", "pictures"])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_a_supervised_phase_imitates_its_rows(
    direction: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    base = request.getfixturevalue("tiny_base" if kind == "text" else "tiny_pictures")
    world = load_world_model(tmp_path, str(base), "cpu", "float32", lora_rank=4)
    rows = labelled(Household if kind == "text" else Blocks)
    other = "idm" if direction == "forward" else "fwm"
    states, actions, ahead = ([getattr(row, name) for row in rows] for name in ("state", "action", "next_state"))

    def mean_log_prob() -> float:
        if direction == "forward":
            scores = world.forward_log_prob(states, actions, ahead)
        else:
            scores = world.inverse_log_prob(states, ahead, actions)
        return sum(score.total for score in scores) / sum(score.tokens for score in scores)

    before, untouched = mean_log_prob(), weights(world, other)
    settings = Settings().replace({**SMALL, "method": "supervised", "steps_per_phase": 25, "batch_size": 8})
    build_supervised_phase_trainer(world, direction, rows, settings, tmp_path / "phase", 1).train()
    assert mean_log_prob() > before + 0.1
    assert same(weights(world, other), untouched)


@pytest.mark.slow
def test_labels_without_a_warm_up(start_model: Path, labels: str, tmp_path: Path) -> None:
    run_id = train(tmp_path, start_model, labels=labels, iterations=0)
    assert [(p.direction, p.steps) for p in History(tmp_path).phases(run_id)] == [("warm-up", 0)]
    saved = load_world_model(tmp_path, f"{run_id}@0", "cpu", "float32")
    start = load_world_model(tmp_path, str(start_model), "cpu", "float32")
    assert all(same(weights(saved, name), weights(start, name)) for name in ("fwm", "idm"))


@pytest.mark.slow
def test_which_model_each_method_trains(start_model: Path, labels: str, tmp_path: Path) -> None:
    changed: dict[str, tuple[int, int]] = {}
    ends: dict[str, str] = {}
    for method in TRAINING_METHODS:
        run_id = train(tmp_path, start_model, labels=labels, method=method, iterations=2)
        changed[method] = tuple(len(set(adapters(tmp_path, run_id, name))) for name in ("fwm", "idm"))
        ends[method] = adapters(tmp_path, run_id, "fwm")[-1]
        supervised = not TRAINING_METHODS[method].trains_by_rewards
        names = {metric.name for metric in History(tmp_path).metrics(run_id)}
        assert "loss" in names and ("reward" in names) != supervised
    assert changed == {
        "swirl": (3, 3),
        "hybrid": (3, 3),
        "sft": (3, 1),
        "hard-em": (3, 3),
        "sft-merged": (3, 1),
        "bootstrap": (3, 1),
        "supervised": (3, 3),
    }
    assert len(set(ends.values())) == len(TRAINING_METHODS)


@pytest.mark.slow
def test_the_bootstrap_does_not_depend_on_the_trained_forward_model(
    start_model: Path, labels: str, tmp_path: Path
) -> None:
    """Two starts that differ in `fwm` alone end with the same forward model; SFT, continued, does not."""
    other = load_world_model(tmp_path, str(start_model), "cpu", "float32")
    with torch.no_grad():
        for name, parameter in other.model.named_parameters():
            if "lora_B.fwm" in name:
                parameter.mul_(2)
    other.save(tmp_path / "other", with_base=True)
    for method, equal in (("bootstrap", True), ("sft-merged", False)):
        runs = [train(tmp_path, model, labels=labels, method=method) for model in (start_model, tmp_path / "other")]
        ends = [adapters(tmp_path, run_id, "fwm") for run_id in runs]
        assert ends[0][0] != ends[1][0]
        assert (ends[0][1] == ends[1][1]) == equal


@pytest.mark.slow
def test_picture_labels_merge_with_pseudo_labels(tiny_pictures: Path, tmp_path: Path) -> None:
    rows = labelled(Blocks)
    file = write_labels(tmp_path, "blocks", rows * 100)  # about half of what is imitated
    run_id = train(tmp_path, tiny_pictures, data="blocks", labels=str(file), method="sft-merged", max_action_tokens=16)
    plain = train(tmp_path, tiny_pictures, data="blocks", method="sft", max_action_tokens=16)
    ends = [adapters(tmp_path, run, "fwm") for run in (run_id, plain)]
    assert ends[0][0] == ends[1][0] and len({ends[0][0], ends[0][1], ends[1][1]}) == 3


@pytest.mark.slow
def test_phase_one_leaves_the_inverse_model(start_model: Path, tmp_path: Path) -> None:
    run_id = train(tmp_path, start_model, **METHODS["phase-one"].changes)
    assert [(p.direction, p.steps) for p in History(tmp_path).phases(run_id)] == [
        ("warm-up", 0), ("forward", 4), ("inverse", 0)]  # fmt: skip
    assert len(set(adapters(tmp_path, run_id, "idm"))) == 1


@pytest.mark.slow
def test_the_share_of_groups_left_out_is_recorded(start_model: Path, tmp_path: Path) -> None:
    """With a bound that no group reaches all are left out, so that only the KL of 0 and nothing else is learnt."""
    run_id = train(tmp_path, start_model, min_reward_spread=1000.0)
    found = {(m.phase, m.step): m.value for m in History(tmp_path).metrics(run_id, ["groups_skipped"])}
    assert found == {(phase, step): 1.0 for phase in (1, 2) for step in (1, 2, 3, 4)}
    extended = train(
        tmp_path,
        start_model,
        observed_reward=0.5,
        drift_penalty=1.0,
        overlap_penalty=1.0,
        action_cap=1,
        reference_reward=1.0,
    )
    names = {m.name for m in History(tmp_path).metrics(extended)}
    assert {
        "observed_likeness",
        "drift",
        "overlap",
        "over_cap",
        "reference_total",
    } <= names and "groups_skipped" not in names


@pytest.mark.slow
def test_shared_weights_on_two_adapters_begin_anew(start_model: Path, labels: str, tmp_path: Path) -> None:
    changes = METHODS["shared"].changes | {"warm_up_epochs": 2, "warm_up_learning_rate": 0.01}
    run_id = train(tmp_path, start_model, labels=labels, **changes)
    world = load_world_model(tmp_path, f"{run_id}@1", "cpu", "float32", share_weights=True)
    assert world.shared and world.adapter("idm") == "fwm"
    assert len(set(adapters(tmp_path, run_id, "fwm"))) == 3
    assert adapters(tmp_path, run_id, "fwm") == adapters(tmp_path, run_id, "idm")


@pytest.mark.slow
@pytest.mark.parametrize(("method", "phase"), [("sft-merged", 1), ("hard-em", 2), ("bootstrap", 2), ("supervised", 2)])
def test_killed_and_resumed_ends_like_uninterrupted(
    method: str, phase: int, start_model: Path, labels: str, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    changes = {"method": method, "labels": labels, "iterations": 2, "steps_per_phase": 40, "seed": 3}
    first = train(whole, start_model, **changes)
    settings = Settings().replace({**SMALL, "model": str(start_model), **changes})
    second = jobs.start(broken, preset=None, settings=settings)
    history = History(broken)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        run = history.run(second)
        if run.phase_index == phase and (run.step or 0) >= 5:
            break
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    while jobs.is_alive(run):
        time.sleep(0.01)
    assert list((broken / "runs" / second / "trainer").glob("*/checkpoint-*")), "killed before its first save"
    assert jobs.reconcile(broken) == [second]
    jobs.resume(broken, second, detach=False)
    jobs.train_in_foreground(broken, second)
    assert history.run(second).status == "finished"
    for name in ("fwm", "idm"):
        assert adapters(broken, second, name) == adapters(whole, first, name)
