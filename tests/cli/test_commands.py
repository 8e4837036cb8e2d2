"""The command line: exit codes, error messages on one line, and one JSON document."""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from swirl.cli import build_parser, main
from swirl.cli.imagine import read_state
from swirl.cli.output import Output, format_table
from swirl.cli.run_settings import build_settings, read_config
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.presets import PRESETS
from swirl.runs import jobs
from swirl.settings import Settings
from swirl.states import State

ROOT = Path(__file__).parents[2]


def swirl(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a separate process."""
    command = [sys.executable, "-m", "swirl", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, **options)


def test_help_is_quick_and_names_every_command() -> None:
    swirl("--help")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = swirl("--help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Processor time, so that other processes do not matter; the promise is one second of wall-clock time.
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert took < 0.5, f"{took:.2f} s"
    assert done.returncode == 0
    listed = re.findall(r"^    ([a-z]+)", done.stdout, re.M)
    sources, runs = "worlds record import trial advise", "train stop resume runs queue sample"
    models = "evaluate experiment partners phases unroll infer clone imagine plan export push benchmark codec"
    assert " ".join(listed) == f"{sources} {runs} {models}"


def test_every_command_has_a_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    commands = next(action.choices for action in build_parser()._actions if action.dest == "command")
    for name in commands:
        assert main([name, "--help"]) == 0
        assert f"swirl {name}" in capsys.readouterr().out


def test_train_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    main(["train", "--help"])
    text = capsys.readouterr().out
    for name in Settings().to_dict():
        assert f"  {name} " in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "required: COMMAND"),
        (["fly"], "invalid choice"),
        (["train"], "one of the arguments --preset --config is required"),
        (["train", "--preset", "no-such"], "There is no preset 'no-such'; the presets are: tiny-household"),
        (["train", "--preset", "tiny-household", "--set", "iterations"], "--set takes key=value"),
        (["train", "--preset", "tiny-household", "--set", "speed=3"], "Unknown setting 'speed'; the settings are:"),
        (["train", "--preset", "tiny-household", "--set", "beta=-1"], "a number from 0.0 to 100.0"),
        (["train", "--preset", "tiny-household", "--set", "inverse.seed=1"], "forward. and inverse. apply only to:"),
        (["train", "--config", "no-such.json"], "no-such.json cannot be read"),
        (["record", "household", "--out", "x", "--sequences", "0"], "not a whole number above 0"),
        (["record", "no-such-world", "--out", "out"], "There is no world 'no-such-world'; the worlds are: household"),
        (["imagine", "tiny-household", "--state", " ", "--action", "a"], "--state is empty"),
        (["imagine", "tiny-household", "--state", "s", "--action", "a", "--temperature", "-1"], "must be 0 or more"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], reason: str, tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert reason in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["stop", "household-99"], "There is no run 'household-99'"),
        (["resume", "household-99"], "There is no run 'household-99'"),
        (["train", "--preset", "tiny-household", "--data", "no-such"], "no-such"),
        (["train", "--preset", "tiny-household", "--labels", "no-such.jsonl"], "no-such.jsonl does not exist"),
        (["import", "no-such-file.jsonl", "--name", "x"], "no-such-file.jsonl"),
        (["infer", "no-such-model", "--data", "household"], "no-such-model"),
        (["evaluate", "no-such-model", "--data", "household"], "no-such-model"),
        (["evaluate", "tiny-household", "--data", "no-such"], "no-such"),
        (["imagine", "no-such-model", "--state", "s", "--action", "a"], "no-such-model"),
        (["imagine", "tiny-household", "--state", "@no-such.txt", "--action", "a"], "no-such.txt cannot be read"),
        (["export", "no-such-model", "--space", "out"], "no-such-model"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_failure_prints_one_line_and_exits_with_1(
    arguments: list[str], reason: str, as_json: bool, tmp_path: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--home", str(tmp_path / "home"), *arguments, *(["--json"] if as_json else [])]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert reason in err.splitlines()[-1]
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()
    assert History(tmp_path / "home").runs() == []


def test_the_home_comes_before_the_command_or_from_the_environment(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("SWIRL_HOME", str(tmp_path / "from-environment"))
    assert main(["runs"]) == 0
    assert main(["--home", str(tmp_path / "named"), "runs"]) == 0
    assert "No runs yet." in capsys.readouterr().out
    assert (tmp_path / "from-environment" / "studio.db").is_file()
    assert (tmp_path / "named" / "studio.db").is_file()


def test_a_home_that_cannot_be_created_is_one_sentence(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--home", str(tmp_path / "file" / "home"), "runs"]) == 1
    assert "choose another with --home" in capsys.readouterr().err


def test_runs_lists_what_the_history_holds(tmp_path: Path, capsys) -> None:
    history = History(tmp_path)
    first = history.create_run(preset="tiny-household", settings=Settings().to_dict(), name="my first")
    second = history.create_run(preset=None, settings=Settings().to_dict())
    history.update_run(first, status="running", pid=2**22 + 1, pid_started=0.0)
    history.update_run(second, status="finished")
    history.heartbeat(
        first, phase="forward", phase_index=1, step=7, phase_steps=60, seconds_left=None, memory_bytes=None
    )
    assert main(["--home", str(tmp_path), "runs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["run"] for row in rows] == [second, first]
    # Its process does not exist, so the run is marked as interrupted.
    assert (
        rows[1]
        | {
            "run": first,
            "name": "my first",
            "status": "interrupted",
            "pid": None,
            "phase": "forward",
            "step": 7,
            "preset": "tiny-household",
        }
        == rows[1]
    )


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    history = History(tmp_path)
    for _ in range(3):
        history.update_run(history.create_run(preset=None, settings={"data": "d"}), status="finished")
    command = f"{sys.executable} -m swirl --home {tmp_path} runs | true"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.stderr == ""


def parse_train(tmp_path: Path, *arguments: str) -> argparse.Namespace:
    namespace = build_parser().parse_args(["train", *arguments])
    namespace.home = tmp_path
    return namespace


def test_settings_come_from_preset_then_flags_then_set(tmp_path: Path) -> None:
    labels = tmp_path / "labels.jsonl"
    labels.write_text("{}\n")
    settings = build_settings(
        parse_train(
            tmp_path, "--preset", "tiny-household", "--labels", str(labels), "--set", "beta=0.2", "seed=5",
            "--set", "forward.group_size=4",
        )
    )  # fmt: skip
    expected = {"labels": str(labels), "beta": 0.2, "seed": 5, "forward.group_size": 4}
    assert settings == PRESETS["tiny-household"].settings.replace(expected)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.json", '{"beta": 0.2, "labels": null, "forward.beta": 0.5, "inverse": {"group_size": 4}}'),
        ("c.toml", "beta = 0.2\n[forward]\nbeta = 0.5\n[inverse]\ngroup_size = 4\n"),
    ],
)
def test_a_config_file_is_json_or_toml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    read = Settings.from_dict(read_config(tmp_path / name))
    assert read == Settings().replace({"beta": 0.2, "forward.beta": 0.5, "inverse.group_size": 4})


def test_the_settings_of_a_run_are_a_config_file(tmp_path: Path) -> None:
    settings = PRESETS["qwen2.5-3b-authors"].settings
    (tmp_path / "settings.json").write_text(json.dumps(settings.to_dict()))
    assert Settings.from_dict(read_config(tmp_path / "settings.json")) == settings


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("c.json", b'{\n"beta": }', r"c\.json is not JSON: line 2"),
        ("c.toml", b"beta = = 1", r"c\.toml is not TOML: .*line 1"),
        ("c.json", b"[1]", "must hold settings by name, not a list"),
        ("c.json", b"\xff{}", "not UTF-8 text"),
    ],
)
def test_a_bad_config_file_is_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_config(tmp_path / name)


def test_only_results_reach_standard_output(tmp_path: Path) -> None:
    code = (
        "import os\nfrom swirl.cli.output import Output\n"
        "with Output(as_json=True) as out:\n"
        "    print('a library prints')\n    os.system('echo a child process prints')\n"
        "    out.show_progress(0.5, 'half')\n    out.print_line('for people')\n"
        "    out.print_document({'is': 'ü', 'no': [float('nan')]})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=240)
    assert json.loads(done.stdout) == {"is": "ü", "no": [None]} and done.stdout.count("\n") == 1
    assert "a library prints" in done.stderr and "a child process prints" in done.stderr
    assert "50% half" in done.stderr


def test_an_error_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=False) as out:
        out.print_error("two\nlines  of reason")
    assert capsys.readouterr().err == "swirl: two lines of reason\n"


def test_table_aligns_columns() -> None:
    assert format_table(["A", "LONGER"], [["wide cell", "x"]]) == "A          LONGER\nwide cell  x"


def test_stop_of_a_queued_run_takes_it_out_of_the_queue(tmp_path: Path, capsys) -> None:
    history = History(tmp_path)
    run_id = history.create_run(preset=None, settings=Settings().to_dict())
    assert main(["--home", str(tmp_path), "stop", run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": run_id, "status": "stopped"}
    jobs.delete_run(tmp_path, run_id)
    assert history.runs() == []


def test_worlds_lists_names_and_needs(tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "worlds", "--json"]) == 0
    listed = {world["name"]: world for world in json.loads(capsys.readouterr().out)}
    assert listed["household"]["ready"] is True
    assert {"textworld-express", "scienceworld"} <= set(listed)
    assert all(world["ready"] or world["needs"] for world in listed.values())


def test_record_then_import(tmp_path: Path, capsys) -> None:
    home, out = ["--home", str(tmp_path / "home")], str(tmp_path / "recorded")
    made = ["--sequences", "3", "--length", "4", "--seed", "7", "--json"]
    assert main([*home, "record", "household", "--out", out, *made]) == 0
    json.loads(capsys.readouterr().out)
    assert main([*home, "import", out, "--name", "mine", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"name": "mine", "sequences": 3, "transitions": 12, "skipped": []}
    (tmp_path / "recorded" / "broken.jsonl").write_text('{"id": "a", "states": ["x", "y"]}\n{oh\n')
    assert main([*home, "import", str(tmp_path / "recorded" / "broken.jsonl"), "--name", "broken", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["sequences"], report["transitions"]) == (1, 1)
    assert report["skipped"][0]["where"] == "broken.jsonl:2" and report["skipped"][0]["why"]


def test_imagine_takes_the_text_of_a_file_to_the_byte(tmp_path: Path) -> None:
    (tmp_path / "state.txt").write_bytes(b"  if x:\r\n\ty \n")
    assert read_state(f"@{tmp_path / 'state.txt'}") == State("  if x:\r\n\ty \n")


def test_a_text_may_end_with_the_name_of_a_picture(tmp_path: Path) -> None:
    text = "Saved figure to plot.png"
    (tmp_path / "state.txt").write_text(text)
    assert read_state(f"@{tmp_path / 'state.txt'}") == read_state(text) == State(text)
    assert read_state(f"{'x ' * 5000}y.png").picture is None
    with pytest.raises(SwirlError, match=r"There is no picture plot\.png; check the path"):
        read_state("plot.png")
    with pytest.raises(UsageError, match="--goal is empty"):
        read_state(" ", "--goal")
