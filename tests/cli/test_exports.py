"""`swirl export --out` and `swirl infer --out`: files that other programs read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from swirl.cli import main
from swirl.sources.collections.catalog import load_sequences


def test_export_writes_a_file_that_import_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, file = tmp_path / "home", tmp_path / "out" / "moves.jsonl"
    assert main(["--home", str(home), "export", "blocks", "--out", str(file), "--actions", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    names = ["moves.jsonl", "frames.zip", "actions.jsonl"]
    assert document == {"files": [str(file.with_name(name)) for name in names], "sequences": 400, "states": 3600}
    assert main(["--home", str(home), "import", str(file)]) == 0
    assert "Imported moves: 400 sequences, 3200 transitions, 0 skipped." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["export", "household"], 2, "one of the arguments --out --space is required"),
        (["export", "household", "--out", "a.jsonl", "--space", "b"], 2, "not allowed with argument"),
        (["export", "household", "--out", "a.csv"], 2, "a.csv has an unknown format; give it the suffix .jsonl or"),
        (["export", "household", "--out", "a.jsonl", "--private"], 2, "they need --space DIR"),
        (["export", "tiny-household", "--space", "b", "--actions"], 2, "it needs --out FILE"),
        (["export", "no-such", "--out", "a.jsonl"], 1, "There is no collection 'no-such'"),
        (["infer", "tiny-household", "--data", "household", "--out", "a.txt"], 2, "a.txt has an unknown format"),
        (
            ["infer", "tiny-household", "--data", "household", "--out", "taken.parquet"],
            2,
            "taken.parquet already exist",
        ),
        (["infer", "no-such-model", "--data", "household", "--out", "a.parquet"], 1, "no-such-model"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    arguments: list[str], code: int, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("taken.parquet").touch()
    assert main(["--home", str(tmp_path / "home"), *arguments]) == code
    assert reason in capsys.readouterr().err.splitlines()[-1]
    assert [file.name for file in Path().iterdir()] == ["taken.parquet"]


@pytest.mark.slow
def test_infer_writes_a_row_for_each_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--home", str(tmp_path), "infer", "tiny-household", "--data", "household", "--limit", "9", "--json"]
    file = tmp_path / "actions.parquet"
    assert main([*asked, "--out", str(file)]) == 0
    document = {"checkpoint": "tiny-household", "data": "household", "file": str(file), "actions": 9}
    assert json.loads(capsys.readouterr().out) == document
    assert main(asked) == 0
    printed = [row["action"] for row in json.loads(capsys.readouterr().out)["transitions"]]
    rows = pq.read_table(file).to_pylist()
    assert [row["latent_action"] for row in rows] == [*printed[:8], None, printed[8]]
    assert {row["episode"] for row in rows} == {item.id for item in load_sequences(tmp_path, "household")[:2]}
    assert not list((tmp_path / "evaluating").iterdir())


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_inferred_and_the_same_command_continues(tmp_path: Path, capsys) -> None:
    asked = ["infer", "tiny-household", "--data", "household", "--limit", "160", "--out"]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    command = [sys.executable, "-m", "swirl", "--home", str(stopped), *asked, str(stopped / "a.jsonl")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    kept = stopped / "evaluating"
    while not sum(file.stat().st_size for file in kept.glob("*.jsonl")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "run the same command to continue" in errors and "Traceback" not in errors
    assert sorted(path.name for path in stopped.iterdir() if "a.jsonl" in path.name) == []
    for home, continues in ((stopped, True), (whole, False)):
        assert main(["--home", str(home), *asked, str(home / "a.jsonl")]) == 0
        assert ("Continuing from" in capsys.readouterr().err) == continues
    assert (stopped / "a.jsonl").read_text() == (whole / "a.jsonl").read_text() != ""
    assert not list(kept.iterdir())
