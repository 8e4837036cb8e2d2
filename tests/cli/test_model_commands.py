"""The commands that need a model, tested with real training of a very small one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from swirl.cli import main
from swirl.history import History
from swirl.runs import jobs
from swirl.sources.collections.catalog import load_sequences

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = {
    "data": "household",
    "iterations": 1,
    "steps_per_phase": 2,
    "batch_size": 2,
    "group_size": 2,
    "held_out": 2,
    "save_every": 1,
    "max_action_tokens": 4,
    "max_state_tokens": 200,
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config file with an untrained language model of a few thousand weights."""
    from swirl.models.tiny_language_model import build_model, build_tokenizer

    folder = tmp_path_factory.mktemp("model")
    texts = [state.text for sequence in load_sequences(folder / "home", "household") for state in sequence.states]
    tokenizer = build_tokenizer(texts[:500], 400)
    build_model(tokenizer, width=16, layers=1, heads=2, inner=32).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    file = folder / "config.json"
    file.write_text(json.dumps({"model": str(folder / "base"), **SMALL}))
    return file


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "swirl", "--home", str(home), *arguments]


def swirl(home: Path, *arguments: str) -> Any:
    """Run a command that must succeed; returns its JSON document."""
    done = subprocess.run(command(home, *arguments, "--json"), cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def wait_for_training(home: Path, step: int = 1, seconds: float = 300) -> str:
    """Wait until the newest run has done `step` steps, and return its id."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        runs = History(home).runs()
        if runs and runs[0].status == "running" and (runs[0].step or 0) >= step:
            return runs[0].id
        time.sleep(0.05)
    pytest.fail(f"no run is training: {History(home).runs()}")


@pytest.fixture(scope="module")
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home with one finished run, and what `train --json` printed."""
    home = tmp_path_factory.mktemp("home")
    return home, swirl(home, "train", "--config", str(config), "--name", "small one")


def test_train_prints_its_checkpoints_and_the_best(trained: tuple[Path, dict[str, Any]]) -> None:
    home, document = trained
    run = document["run"]
    assert document["status"] == "finished"
    assert [(c["name"], c["iteration"], c["phase"]) for c in document["checkpoints"]] == [
        (f"{run}@0", 0, "warm-up"),
        (f"{run}@1-forward", 1, "forward"),
        (f"{run}@1", 1, "inverse"),
    ]
    assert all(0.0 <= c["scores"]["forward/exact_match"] <= 1.0 for c in document["checkpoints"])
    assert document["best"] in {c["name"] for c in document["checkpoints"]}
    (row,) = swirl(home, "runs")
    assert row | {"run": run, "name": "small one", "status": "finished", "pid": None, "step": 2} == row
    log = (jobs.run_folder(home, run) / "log.txt").read_text()
    assert "phase 1: iteration 1, forward, 2 steps" in log


def test_infer_has_one_row_for_each_transition(trained: tuple[Path, dict[str, Any]], capsys) -> None:
    home, document = trained
    name = document["run"] + "@1"
    asked = ["infer", name, "--data", "household", "--limit", "3", "--alternatives", "2", "--json"]
    assert main(["--home", str(home), *asked]) == 0
    rows = json.loads(capsys.readouterr().out)["transitions"]
    first = load_sequences(home, "household")[0].id
    assert [(row["sequence"], row["step"]) for row in rows] == [(first, 0), (first, 1), (first, 2)]
    for row in rows:
        assert row["log_prob"] <= 0.0 and 1 <= len(row["alternatives"]) <= 2
        assert row["alternatives"][0] == {"action": row["action"], "log_prob": row["log_prob"]}
    assert main(["--home", str(home), *asked, "--by-both-models"]) == 0
    together = json.loads(capsys.readouterr().out)["transitions"]
    for row, other in zip(rows, together, strict=True):
        assert sorted(map(str, row["alternatives"])) == sorted(map(str, other["alternatives"]))


def test_imagine_ranks_its_predictions(trained: tuple[Path, dict[str, Any]], tmp_path: Path, capsys) -> None:
    home, document = trained
    (tmp_path / "state.txt").write_text("You are in the kitchen.\n")
    asked = ["imagine", document["run"], "--state", f"@{tmp_path / 'state.txt'}", "--action", "go north", "-n", "3"]
    assert main(["--home", str(home), *asked, "--json"]) == 0
    predictions = json.loads(capsys.readouterr().out)["predictions"]
    scores = [prediction["score"] for prediction in predictions]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert all(isinstance(prediction["state"], str) for prediction in predictions)


def test_evaluate_prints_its_figures_and_keeps_them(trained: tuple[Path, dict[str, Any]], capsys) -> None:
    home, document = trained
    name = document["run"] + "@1"
    assert main(["--home", str(home), "evaluate", name, "--data", "household", "--limit", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["checkpoint"], report["data"], report["transitions"]) == (name, "household", 2)
    for metric in ("forward/exact_match", "copy/exact_match", "inverse/exact_match", "health/distinct"):
        assert set(report["metrics"][metric]) == {"value", "low", "high"}
    (kept,) = History(home).evaluations(checkpoint=name)
    assert kept.metrics == report["metrics"]


def test_partners_are_exchanged_between_checkpoints(trained: tuple[Path, dict[str, Any]], capsys) -> None:
    home, document = trained
    run = document["run"]
    asked = ["--home", str(home), "partners", f"{run}@1", "--with", f"{run}@0", "--data", "household", "--limit", "2"]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["checkpoint"], found["part"], found["transitions"]) == (f"{run}@1", "test", 2)
    (exchange,) = found["exchanges"]
    assert exchange["with"] == f"{run}@0" and exchange["private"] is None and "Cannot tell" in exchange["verdict"]
    figures = exchange["figures"]
    own, lost, interaction, skill = (
        figures[f"log_prob/{name}"]["value"] for name in ("own", "own_loss", "interaction", "inverse_skill")
    )
    assert own < 0 and lost == pytest.approx(interaction + skill)
    assert found["truth"]["log_prob/truth_gap"]["value"] == pytest.approx(
        own - found["truth"]["log_prob/truth"]["value"]
    )
    assert main(asked) == 0
    said = capsys.readouterr().out
    assert "log_prob/interaction" in said and "Under the true actions" in said and exchange["verdict"] in said
    assert not list((home / "evaluating").glob("*.jsonl"))
    again = ["partners", f"{run}@1", "--with", f"{run}@1", "--data", "household"]
    assert main(["--home", str(home), *again]) == 2
    assert "name each checkpoint once" in capsys.readouterr().err
    assert main(["--home", str(home), "partners", run, "--with", "nowhere@1", "--data", "household"]) == 1
    assert "nowhere" in capsys.readouterr().err


def test_a_run_is_followed_over_its_phases(trained: tuple[Path, dict[str, Any]], capsys) -> None:
    home, document = trained
    assert main(["--home", str(home), "phases", document["run"], "--limit", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["data"], found["transitions"]) == ("household", 2)
    assert [one["checkpoint"] for one in found["checkpoints"]] == [c["name"] for c in document["checkpoints"]]
    for one in found["checkpoints"]:
        assert one["figures"]["entropy"]["value"] > 0 and 0 <= one["figures"]["length"]["value"] <= 4
    assert main(["--home", str(home), "phases", "nobody"]) == 1
    assert "There is no run 'nobody'" in capsys.readouterr().err


def test_a_stopped_exchange_goes_on_where_it_was(trained: tuple[Path, dict[str, Any]], capsys, monkeypatch) -> None:
    from swirl.evaluation import partner_exchange

    home, document = trained
    run = document["run"]
    asked = ["--home", str(home), "partners", f"{run}@1", "--with", f"{run}@0", "--data", "household", "--limit", "3"]
    score, calls = partner_exchange.score_predictions, []

    def interrupt(rows, actions):
        calls.append(rows)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return score(rows, actions)

    monkeypatch.setattr(partner_exchange, "score_predictions", interrupt)
    assert main([*asked, "--json"]) == 1
    assert "Stopped. The answers so far are kept" in capsys.readouterr().err
    monkeypatch.setattr(partner_exchange, "score_predictions", score)
    assert main([*asked, "--json"]) == 0
    resumed = capsys.readouterr()
    assert "Continuing from" in resumed.err
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(resumed.out)


def test_pictures_are_imagined_from_a_file_into_files(tmp_path: Path, capsys) -> None:
    from swirl.pictures import from_pixels, pixels
    from swirl.states import Picture
    from swirl.worlds.blocks import Blocks
    from swirl.worlds.blocks_rules import draw

    board = draw(Blocks().play(4, 1)[0][0])
    (tmp_path / "board.png").write_bytes(from_pixels(board).encoded)
    asked = ["--home", str(tmp_path), "imagine", "tiny-blocks", "--action", "move the red circle up", "--json"]
    assert main([*asked, "--state", str(tmp_path / "board.png"), "-n", "2"]) == 0
    predictions = json.loads(capsys.readouterr().out)["predictions"]
    assert len(predictions) == 2
    assert all(pixels(Picture(file=Path(prediction["state"]))).shape == (64, 64, 3) for prediction in predictions)
    assert main([*asked, "--state", str(tmp_path / "none.png")]) == 1
    assert "There is no picture" in capsys.readouterr().err
    assert main([*asked, "--state", "a text"]) == 1
    assert "reads pictures" in capsys.readouterr().err


def test_a_missing_checkpoint_and_a_finished_run_are_named(trained: tuple[Path, dict[str, Any]], capsys) -> None:
    home, document = trained
    run = document["run"]
    assert main(["--home", str(home), "imagine", f"{run}@9", "--state", "s", "--action", "a"]) == 1
    assert f"{run}@1-forward" in capsys.readouterr().err
    assert main(["--home", str(home), "resume", run]) == 1
    assert f"Run {run} is finished" in capsys.readouterr().err


def test_a_run_is_killed_resumed_in_the_background_stopped_and_finished(config: Path, tmp_path: Path) -> None:
    many = ["--config", str(config), "--set", "steps_per_phase=400"]
    with subprocess.Popen(command(tmp_path, "train", *many), cwd=ROOT, stdout=subprocess.PIPE, text=True) as terminal:
        run = wait_for_training(tmp_path, step=2)
        assert terminal.stdout is not None and terminal.stdout.readline().strip() == run
        terminal.kill()
    (row,) = swirl(tmp_path, "runs")
    assert (row["status"], row["pid"]) == ("interrupted", None)

    resumed = swirl(tmp_path, "resume", run, "--detach")
    assert resumed["run"] == run and resumed["status"] in ("queued", "running")
    wait_for_training(tmp_path, step=3)
    assert swirl(tmp_path, "stop", run)["status"] == "stopping"
    deadline = time.monotonic() + 240
    while (status := History(tmp_path).run(run).status) == "stopping" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == "stopped"

    # Drop the remaining iterations so that the test ends soon; what matters is that the run continues.
    settings = {**History(tmp_path).run(run).settings, "iterations": 0}
    History(tmp_path).update_run(run, settings=settings)
    assert swirl(tmp_path, "resume", run)["status"] == "finished"


def test_ctrl_c_saves_and_exits_with_0(config: Path, tmp_path: Path) -> None:
    many = ["--config", str(config), "--set", "steps_per_phase=400", "--json"]
    with subprocess.Popen(command(tmp_path, "train", *many), cwd=ROOT, stdout=subprocess.PIPE, text=True) as terminal:
        run = wait_for_training(tmp_path)
        terminal.send_signal(signal.SIGINT)
        document = json.loads(terminal.communicate(timeout=240)[0])
        assert terminal.returncode == 0
    assert (document["run"], document["status"]) == (run, "stopped")
    saved = list((jobs.run_folder(tmp_path, run) / "trainer").rglob("trainer_state.json"))
    assert saved


def test_a_missing_model_leaves_no_run(tmp_path: Path, capsys) -> None:
    wrong = ["train", "--preset", "tiny-household", "--set", f"model={tmp_path / 'nothing'}"]
    assert main(["--home", str(tmp_path), *wrong]) == 1
    assert "nothing" in capsys.readouterr().err
    assert History(tmp_path).runs() == []


def train_in_two_processes(kind: str, config: Path, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swirl", "--home", str(home), "train", "--config", str(config), "--json"]
    return subprocess.run(
        [*command, "--parallel", kind, "--processes", "2"],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


@pytest.mark.slow
def test_two_processes_train_one_run(config: Path, tmp_path: Path) -> None:
    done = train_in_two_processes("ddp", config, tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["status"] == "finished"
    (run,) = History(tmp_path).runs()
    assert (run.id, run.parallelism) == (document["run"], "DDP, 2 processes")
    assert not list(tmp_path.glob(".launch-*"))


@pytest.mark.slow
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="with a GPU, accelerate does what it is asked for")
def test_two_processes_without_what_was_asked_for_train_nothing(config: Path, tmp_path: Path) -> None:
    done = train_in_two_processes("fsdp2", config, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (run,) = History(tmp_path).runs()
    assert run.status == "failed"
    assert "asked for FSDP2, 2 processes, but accelerate gives DDP, 2 processes on cpu" in (run.error or "")
    assert json.loads(done.stdout)["error"] == run.error
    assert (run.parallelism, run.phase) == (None, None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--processes", "2"], "--processes needs --parallel"),
        (["--parallel", "ddp", "--processes", "2", "--detach"], "--detach cannot be combined with --parallel"),
    ],
)
def test_options_of_several_processes_that_do_not_fit(options, sentence, config: Path, tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "train", "--config", str(config), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert History(tmp_path).runs() == []


@pytest.mark.slow
def test_benchmark_measures_this_machine(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("swirl.planning.search_speed.BUDGET", 12)  # states, of 96: row by row they take a minute
    sizes = ["--prompts", "1", "--group-size", "2", "--new-tokens", "8"]
    assert main(["--home", str(tmp_path), "benchmark", *sizes, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    for name in ("sampled_tokens_per_second", "scored_tokens_per_second", "training_step_seconds"):
        assert figures[name] > 0
    assert figures["peak_memory_bytes"] > 50e6
    assert list(figures["phases"]) == ["forward", "inverse"]
    for phase in figures["phases"].values():
        parts = phase["trainers"]["swirl"]["parts"]
        assert list(parts) == ["sampling", "partner", "reference", "update", "rest"]
        assert phase["trainers"]["swirl"]["step_seconds"] > 0
    history = History(tmp_path)
    assert history.runs() == []
    assert [kept.figures for kept in history.step_benchmarks()] == list(figures["phases"].values())

    page = tmp_path / "performance.md"
    assert main(["--home", str(tmp_path), "benchmark", "--list", "--markdown", str(page)]) == 0
    listed = capsys.readouterr().out
    assert listed.count("tiny-household, ") == 2
    assert page.read_text("utf-8").count("\n## tiny-household, ") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--group-size", "1"], 2, "--group-size must be at least 2"),
        (["--beta", "-1"], 2, "--beta must not be negative, and -1 is."),
        (["--steps", "2", "--against", "plain"], 2, "--steps must be at least 4, not 2"),
        (["--markdown", "/nowhere/page.md"], 2, "The folder of --markdown /nowhere/page.md does not exist"),
        (["--list", "--markdown", "page.md"], 1, "There is nothing to write to page.md yet"),
    ],
)
def test_benchmark_says_what_is_wrong(arguments, code, message, tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "benchmark", *arguments]) == code
    assert message in capsys.readouterr().err


def test_benchmark_lists_nothing_in_a_new_home(tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "benchmark", "--list"]) == 0
    assert "No benchmark has been kept in this home yet" in capsys.readouterr().err
