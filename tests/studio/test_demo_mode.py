"""Tests of the demonstration mode: the server refuses every function that is not known to only read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import app, serve
from studio.server import demo
from studio.server.demo import ALLOWED_FUNCTIONS, REFUSAL, name_of
from studio.services.history_store import history
from studio.services.inference import shared_models
from swirl.errors import SwirlError
from swirl.models.checkpoints import resolve_checkpoint
from swirl.paths import assets
from swirl.sharing.sample_run import SAMPLE_RUN_FILE


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a demonstration."""
    folder = tmp_path_factory.mktemp("demo") / "home"
    folder.mkdir()
    demo.import_recorded_run(folder)
    return folder


@pytest.fixture(scope="module")
def built(home: Path) -> Iterator[gr.Blocks]:
    yield app.build(home, read_only=True)
    shared_models(home).only_offered = False


def server_functions(built: gr.Blocks) -> list[tuple[Any, Callable[..., Any]]]:
    """Every function that a page's script can call, with its component."""
    return [(c, function) for c in built.blocks.values() for function in getattr(c, "server_fns", None) or []]


def contents(home: Path) -> dict[str, int]:
    """The files of a home, except its database, with their sizes."""
    return {
        str(file.relative_to(home)): file.stat().st_size
        for file in home.rglob("*")
        if file.is_file() and not file.name.startswith("studio.db")
    }


def test_functions_that_are_not_listed_are_refused_and_do_nothing(built: gr.Blocks, home: Path) -> None:
    before, runs = contents(home), history(home).runs()
    refused = set()
    for component, function in server_functions(built):
        if name_of(function) in ALLOWED_FUNCTIONS:
            continue
        answer = getattr(component, function.__name__)
        assert answer({"run": "household-01", "do": "stop", "data": "household"}) == {"error": REFUSAL}
        assert answer._is_server_fn
        refused.add(name_of(function))
    writing = {
        "start_form.start", "start_form.labels", "run_view.act", "runs.delete", "import_requests.receive",
        "explore.remove",
        "header.unload", "share_window.share",
    }  # fmt: skip
    assert writing <= refused
    assert contents(home) == before and history(home).runs() == runs


def test_the_list_only_names_existing_functions(built: gr.Blocks) -> None:
    there = {name_of(function) for _, function in server_functions(built)}
    there |= {name_of(event.fn) for event in built.fns.values() if event.fn is not None}
    assert ALLOWED_FUNCTIONS - there == set()


def test_reading_functions_still_answer(built: gr.Blocks) -> None:
    functions = {name_of(function): getattr(c, function.__name__) for c, function in server_functions(built)}
    assert "household" in functions["explore.collections"]({})["parts"]["collections"]
    assert functions["run_view.news"]({"run": "household-01"})["status"] == "finished"
    assert "household-01" in str(functions["runs.runs"]({}))


def test_endpoints_for_programs_are_refused_with_the_same_sentence(built: gr.Blocks) -> None:
    for event in built.fns.values():
        if event.fn is not None and name_of(event.fn) not in ALLOWED_FUNCTIONS:
            with pytest.raises(gr.Error, match="This is a demonstration"):
                event.fn("tiny-household", {}, "")


def test_a_visitor_cannot_use_a_model_that_is_not_listed(built: gr.Blocks, home: Path) -> None:
    for name in (str(assets() / "tiny-household"), "hub:me/world", "me/world"):
        with (
            pytest.raises(SwirlError, match="not one of the checkpoints available"),
            shared_models(home).use(name),
        ):
            pass


def test_the_middleware_only_lets_reads_and_checked_calls_pass() -> None:
    inner = FastAPI()

    @inner.post("/{path:path}")
    @inner.get("/{path:path}")
    def passed(path: str) -> str:
        return "passed"

    inner.add_middleware(demo.ReadOnlyMiddleware)
    client = TestClient(inner)
    for path in ("component_server", "queue/join", "call/infer"):
        assert client.post(f"/gradio_api/{path}").json() == "passed"
    assert client.get("/gradio_api/upload").json() == "passed"
    for path in ("/gradio_api/upload", "/gradio_api/component_server/../upload", "/gradio_api/stream/x", "/anything"):
        answer = client.post(path)
        assert answer.status_code == 403 and answer.json() == {"detail": REFUSAL}
    assert client.put("/gradio_api/queue/join").status_code in (403, 405)


def test_the_recorded_run_is_small_and_complete(home: Path) -> None:
    assert (assets() / SAMPLE_RUN_FILE).stat().st_size < 300_000
    (run,) = history(home).runs()
    assert run.status == "finished" and run.pid is None and run.settings["model"] == "tiny-household"
    checkpoints = history(home).checkpoints(run.id)
    assert [c.name for c in checkpoints] == ["household-01@0", "household-01@1-forward", "household-01@1"]
    first, last = checkpoints[0].scores["forward/exact_match"], checkpoints[-1].scores["forward/exact_match"]
    assert last > first
    assert len(history(home).metrics(run.id, ["reward"])) == 62 and history(home).rollouts(run.id)
    weights = [resolve_checkpoint(home, c.name) / "fwm" / "adapter_model.safetensors" for c in checkpoints]
    began = (assets() / "tiny-household" / "fwm" / "adapter_model.safetensors").read_bytes()
    same = [file.read_bytes() == began for file in weights]
    assert same == [True, False, False] and weights[1].read_bytes() == weights[2].read_bytes()


def test_a_space_is_a_demonstration_by_default_and_asks_for_no_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []

    def note(options: Any, home: Path) -> int:
        seen.append((options.demo, home))
        return 0

    monkeypatch.setattr(serve, "_serve", note)
    assert serve.serve(["--home", str(tmp_path)]) == 0
    monkeypatch.setenv("SPACE_ID", "me/space")
    assert serve.serve([]) == 0
    assert [flag for flag, _ in seen] == [False, True]
    assert seen[0][1] == tmp_path.resolve() and not seen[1][1].exists()
    assert serve.login("0.0.0.0", None, read_only=True) is None
    assert serve.login("0.0.0.0", "ann:secret", read_only=True) == ("ann", "secret")


def test_a_demonstration_of_ones_own_home_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert serve.serve(["--demo", "--home", str(tmp_path)]) == 2
    assert "leave --home out" in capsys.readouterr().err and os.listdir(tmp_path) == []
