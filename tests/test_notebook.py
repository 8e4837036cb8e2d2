"""The notebook in docs, and the library functions that it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import swirl
from swirl.errors import SwirlError, UsageError

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "five-lines.ipynb"
MAX_OUTPUT = 2000  # characters per cell


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


def code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_the_file_is_a_notebook_that_was_run_and_says_little(notebook: dict[str, Any]) -> None:
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len(set(ids)) and all(len(name) <= 64 for name in ids)
    for cell in notebook["cells"]:
        keys = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == keys | ({"outputs", "execution_count"} if cell["cell_type"] == "code" else set())
    cells = code(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert all(set(output) == {"output_type", "name", "text"} for output in cell["outputs"])
        assert 0 < sum(len(line) for output in cell["outputs"] for line in output["text"]) < MAX_OUTPUT


def test_the_first_cell_does_it_all_in_five_lines(notebook: dict[str, Any]) -> None:
    lines = [line.strip() for line in code(notebook)[0]["source"] if line.strip()]
    assert lines[0] == "import swirl" and len(lines) == 6


@pytest.mark.slow
def test_its_cells_run_and_print_what_they_printed(
    notebook: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWIRL_HOME", str(tmp_path))
    scope: dict[str, Any] = {}
    for cell in code(notebook):
        exec("".join(cell["source"]), scope)
        printed = capsys.readouterr().out.splitlines()
        kept = [line for output in cell["outputs"] if output["name"] == "stdout" for line in output["text"]]
        assert len(printed) == len(kept)
    assert [found.action for found in scope["found"]] == ["take the book", "flip the switch", "drop the book"]
    assert len(scope["futures"]) == 3
    run = scope["run"]
    assert run.status == "finished" and [item.phase for item in run.checkpoints] == ["warm-up", "forward", "inverse"]
    assert run.best in {item.name for item in run.checkpoints}


def test_importing_the_library_does_not_import_torch() -> None:
    script = "import sys, swirl; print(len(swirl.load_collection('household')), swirl.train, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split()[0] == "400" and done.stdout.split()[-1] == "False"


def test_mistakes_are_reported_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(SwirlError, match="nowhere"):
        swirl.load_collection("nowhere", home=tmp_path)
    with pytest.raises(UsageError, match="iteration"):
        swirl.train("tiny-household", home=tmp_path, iterations=-1)
    with pytest.raises(UsageError, match="tiny-house"):
        swirl.train("tiny-house", home=tmp_path)
    with pytest.raises(AttributeError, match="learn"):
        swirl.learn  # noqa: B018
    assert not (tmp_path / "runs").exists()
