"""The run view's updates: they hold only what is new, and never show a dead process as running."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fake_checkpoints import write_manifest

from studio.components.train.run_updates import active_run, log_tail, perform_action, run_updates, selection_size
from studio.view_models.run_descriptions import progress_lines
from swirl.errors import SwirlError
from swirl.history import History
from swirl.processes import current_process
from swirl.settings import Settings
from swirl.sources.collections.catalog import import_collection
from swirl.sources.collections.split import split_of

METRICS = ("reward", "kl")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def run(history: History) -> str:
    """A run of this process, five steps into its first forward phase."""
    settings = Settings(iterations=1, steps_per_phase=10, anchor=1.0)
    run_id = history.create_run(preset=None, settings=settings.to_dict())
    pid, started = current_process()
    history.update_run(run_id, status="running", pid=pid, pid_started=started)
    history.start_phase(run_id, 0, 0, "warm-up", 0)
    history.finish_phase(run_id, 0)
    history.start_phase(run_id, 1, 1, "forward", 10)
    for step in range(1, 6):
        history.log_metrics(run_id, 1, step, {"reward": -1.0 / step, "kl": 0.1, "loss": 3.0, "step_time": 0.5})
    history.heartbeat(
        run_id, phase="forward", phase_index=1, step=5, phase_steps=10, seconds_left=130.0, memory_bytes=1_400_000_000
    )
    return run_id


def test_a_run_says_how_it_computes(history: History, run: str) -> None:
    history.update_run(run, precision="bfloat16", threads=2)
    now = datetime.now(UTC)
    assert progress_lines(history.run(run), 0.5, now)[1].endswith("bfloat16 base weights, float32 adapters · 2 threads")
    history.update_run(run, precision="float32", threads=1)
    assert progress_lines(history.run(run), None, now)[1].endswith("float32 weights · 1 thread")
    history.update_run(run, parallelism="DDP, 2 processes")
    assert progress_lines(history.run(run), None, now)[1].endswith("1 thread · DDP, 2 processes")
    history.update_run(run, rollout_engine="this program")
    assert progress_lines(history.run(run), None, now)[1].endswith("DDP, 2 processes")
    served = history.create_run(preset=None, settings=Settings(rollout_server="http://gpu2:8000").to_dict())
    history.update_run(served, rollout_engine="vLLM at http://gpu2:8000 (smol)")
    assert progress_lines(history.run(served), None, now)[1] == "rollouts by vLLM at http://gpu2:8000 (smol)"


def test_the_first_update_holds_everything(history: History, run: str) -> None:
    news = run_updates(history.home, {}, METRICS)
    assert news["run"] == run and news["status"] == "running"
    own = news["curves"][run]
    assert own["whole"] and own["width"] == 1
    assert own["points"]["reward"] == ([1] * 5, [1, 2, 3, 4, 5], [-1.0, -0.5, -0.333333, -0.25, -0.2])
    assert "loss" not in own["points"]
    assert [band["direction"] for band in news["data"]["bands"]] == ["warm-up", "forward", "inverse"]
    assert "our extension anchor 1." in news["parts"]["title"]
    assert "forward 5 of 10" in news["parts"]["bar"]
    words = news["parts"]["figures"].replace("\N{NO-BREAK SPACE}", " ")
    assert "2 min 10 s left" in words and "0.5 s per step · 1.4 GB" in words
    assert "log" not in news["parts"]


def test_the_bar_is_as_full_as_the_time_that_has_passed(history: History, run: str) -> None:
    beat = {"phase": "forward", "phase_index": 1, "step": 10, "phase_steps": 10, "memory_bytes": None}
    words = "scoring the checkpoint, 40 of 100 transitions"
    history.heartbeat(run, **beat, seconds_left=90.0, share_done=0.4, activity=words)
    parts = run_updates(history.home, {"run": run}, METRICS)["parts"]
    assert 'aria-valuenow="40"' in parts["bar"] and 'style="width:40.00%"' in parts["bar"]
    assert words in parts["bar"] and "1 min 30 s left" in parts["figures"].replace("\N{NO-BREAK SPACE}", " ")
    history.update_run(run, status="stopped")
    stopped = run_updates(history.home, {"run": run}, METRICS)["parts"]["bar"]
    assert words not in stopped and 'aria-valuenow="40"' in stopped


def test_the_bar_of_a_run_from_an_earlier_version_counts_steps(history: History, run: str) -> None:
    assert 'aria-valuenow="25"' in run_updates(history.home, {"run": run}, METRICS)["parts"]["bar"]


def test_later_updates_hold_only_what_is_new(history: History, run: str) -> None:
    first = run_updates(history.home, {"run": run}, METRICS)
    cursor = first["curves"][run]["after"]
    again = run_updates(history.home, {"run": run, "after": cursor, "seen": first["seen"]}, METRICS)
    assert again["curves"][run]["points"] == {} and again["parts"] == {} and again["data"] == {}
    history.log_metrics(run, 1, 5, {"reward": -0.1})  # a resumed run repeats its step
    later = run_updates(history.home, {"run": run, "after": cursor, "seen": first["seen"]}, METRICS)["curves"][run]
    assert later["points"] == {"reward": ([1], [5], [-0.1])}
    assert later["after"] > cursor and "whole" not in later


def test_a_dead_process_is_never_shown_as_running(history: History, run: str) -> None:
    history.update_run(run, pid_started=1.0)
    news = run_updates(history.home, {"run": run}, METRICS)
    assert news["status"] == "interrupted"
    assert 'data-do="resume"' in news["parts"]["actions"] and "stop" not in news["parts"]["actions"]
    assert "Resume continues from the last checkpoint" in news["parts"]["trouble"]


def test_stopping_is_a_request_that_shows_at_once(history: History, run: str) -> None:
    assert perform_action(history.home, run, "stop") == {"done": "stop"}
    assert history.pending_requests(run) == ["stop"]
    news = run_updates(history.home, {"run": run}, METRICS)
    assert news["status"] == "stopping" and 'data-do="force"' in news["parts"]["actions"]


def test_texts_are_escaped(history: History, run: str) -> None:
    history.update_run(run, name="<img src=x>", error="<b>", status="failed")
    row = {
        "state": "<i>a",
        "next_state": "<i>b",
        "action": "",
        "samples": ["<u>"],
        "rewards": [-1.0],
        "advantages": [0.0],
    }
    history.log_rollouts(run, 1, 5, [row])
    parts = run_updates(history.home, {"run": run}, METRICS)["parts"]
    assert all(tag not in "".join(parts.values()) for tag in ("<img", "<i>", "<u>", "<b>&lt;"))
    assert "&lt;img src=x&gt;" in parts["title"] and "&lt;" in parts["rollouts"]


def test_an_unknown_run_is_an_error_and_no_run_is_none(history: History) -> None:
    assert run_updates(history.home, {}, METRICS) == {"run": None}
    with pytest.raises(SwirlError, match="There is no run"):
        run_updates(history.home, {"run": "nothing-01"}, METRICS)


def test_a_running_run_comes_before_waiting_ones(history: History, run: str) -> None:
    history.create_run(preset=None, settings=Settings().to_dict())
    active = active_run(history.home)
    assert active is not None and active.id == run


def test_the_log_tail_starts_with_a_whole_line(tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    assert log_tail(file) == "There is no log yet."
    file.write_text("".join(f"line {i:05d}\n" for i in range(10_000)), encoding="utf-8")
    tail = log_tail(file)
    assert tail.startswith("line ") and tail.endswith("line 09999\n") and len(tail) < 50_000


def import_steps(home: Path, source: Path, steps: int) -> None:
    """Import `steps` transitions in one sequence of the selection part as the collection `walks`."""
    sequence = next(f"w{n}" for n in range(100) if split_of(f"w{n}") == "selection")
    source.write_text(json.dumps({"id": sequence, "states": [f"room {n}" for n in range(steps + 1)]}) + "\n")
    import_collection(home, source, "walks")


def test_the_selection_part_is_counted_anew_after_a_reimport(tmp_path: Path) -> None:
    home, source = tmp_path / "home", tmp_path / "walks.jsonl"
    import_steps(home, source, 4)
    assert selection_size(home, "walks") == 4
    import_steps(home, source, 48)
    assert selection_size(home, "walks") == 48
    assert selection_size(home, "nothing-here") is None


def test_a_run_of_figures_alone_offers_nothing_that_needs_weights(history: History) -> None:
    settings = Settings(iterations=0).to_dict()
    run_id = history.create_run(preset=None, settings=settings)
    place = f"runs/{run_id}/checkpoints/00-warm-up"
    history.add_checkpoint(run_id, index=0, iteration=0, phase="warm-up", path=place, scores={"forward/log_prob": -0.1})
    history.update_run(run_id, status="running")
    history.update_run(run_id, status="finished")
    parts = run_updates(history.home, {"run": run_id}, METRICS)["parts"]
    assert "New run like this" in parts["actions"] and "Compare" not in parts["actions"]
    assert "Share" not in parts["actions"] and "Only the figures of this run are here" in parts["trouble"]
    assert "No rollouts are stored for this run." in parts["rollouts"]
    assert "The warm-up alone: no phases follow it." in parts["title"]
    write_manifest(history.home / place)
    parts = run_updates(history.home, {"run": run_id}, METRICS)["parts"]
    assert f'href="compare?a={run_id}@0"' in parts["actions"] and "Share" in parts["actions"]
    assert not parts["trouble"]
    for index in (1, 2):
        place = f"runs/{run_id}/checkpoints/0{index}-forward"
        history.add_checkpoint(run_id, index=index, iteration=index, phase="forward", path=place, scores={})
    write_manifest(history.home / place)
    parts = run_updates(history.home, {"run": run_id}, METRICS)["parts"]
    assert f"compare?a={run_id}@0&amp;b={run_id}@2-forward" in parts["actions"]


def test_a_run_without_a_checkpoint_can_be_resumed_but_not_compared_or_shared(history: History) -> None:
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    history.move_to_queue_end(run_id)
    history.update_run(run_id, status="stopped")
    parts = run_updates(history.home, {"run": run_id}, METRICS)["parts"]
    assert 'data-do="resume"' in parts["actions"] and "New run like this" in parts["actions"]
    assert "Compare" not in parts["actions"] and "Share" not in parts["actions"]
