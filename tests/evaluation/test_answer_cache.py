"""A stopped evaluation continues from its answer cache and gives exactly the same figures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import toy
import toy_pictures

from swirl.cli import main
from swirl.errors import SwirlError
from swirl.evaluation import answers as asking
from swirl.evaluation import evaluate
from swirl.evaluation.answer_cache import (
    MAX_AGE_SECONDS,
    Answer,
    AnswerCache,
    decode_answer,
    delete_old_files,
    digest,
    encode_answer,
    open_answer_cache,
)
from swirl.evaluation.progress import EvaluationStopped
from swirl.history import History
from swirl.models.results import Alternative, Inference, LogProb
from swirl.sources.collections.catalog import import_collection
from swirl.states import State

IDENTITY = {"model": "toy", "part": "test"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the toy world as the collection `toy`; batches have 16 questions."""
    monkeypatch.setattr(asking, "ROWS_AT_ONCE", 16)
    states, actions = toy.collection(60)
    source = tmp_path / "source"
    source.mkdir()
    for name, rows, known in (
        ("sequences", [(s.id, [state.text for state in s.states]) for s in states], "states"),
        ("actions", list(actions.items()), "actions"),
    ):
        lines = [json.dumps({"id": identity, known: values}) for identity, values in rows]
        (source / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    import_collection(home, source / "sequences.jsonl", "toy")
    return home


class Drifting(toy.Knowing):
    """Mostly right, with log-probabilities that depend on the size of the batch, as in real models."""

    def prediction(self, x, action):
        return toy.step(x, action).replace("lamp off", "lamp on") if action.startswith("go") else toy.step(x, action)

    def forward_log_prob(self, states, actions, next_states):
        scores = super().forward_log_prob(states, actions, next_states)
        return [LogProb(score.total + 1e-7 * len(states) + 1e-9 * i, score.tokens) for i, score in enumerate(scores)]


def stop_after(batches: int):
    """A `watch` that stops the evaluation after this many batches."""
    left = iter(range(batches))

    def watch() -> None:
        if next(left, None) is None:
            raise EvaluationStopped

    return watch


@pytest.mark.slow
@pytest.mark.parametrize("batches", [1, 4, 9, 15])
def test_a_stopped_evaluation_continues_to_exactly_the_same_figures(home: Path, batches: int) -> None:
    uninterrupted = Drifting()
    whole = evaluate(uninterrupted, home, "toy", part="train", limit=80)
    cache = AnswerCache(home, IDENTITY)
    with pytest.raises(EvaluationStopped):
        evaluate(Drifting(), home, "toy", part="train", limit=80, cache=cache, watch=stop_after(batches))
    cache.close()
    again, model = AnswerCache(home, IDENTITY), Drifting()
    assert again.answers_loaded > 8 * (batches - 1)
    assert evaluate(model, home, "toy", part="train", limit=80, cache=again) == whole
    assert model.asked < uninterrupted.asked
    again.remove()
    assert not list((home / "evaluating").iterdir())


def test_the_questions_of_a_truncated_line_are_asked_again(home: Path) -> None:
    whole = evaluate(Drifting(), home, "toy", limit=30)
    cache = AnswerCache(home, IDENTITY)
    evaluate(Drifting(), home, "toy", limit=30, cache=cache)
    cache.close()
    written = cache.file.read_bytes()
    cache.file.write_bytes(written[: len(written) * 2 // 3])
    again = AnswerCache(home, IDENTITY)
    assert again.file.read_bytes() == written[: again.file.stat().st_size]
    assert again.file.read_bytes().endswith(b"\n") and again.answers_loaded > 0
    assert evaluate(Drifting(), home, "toy", limit=30, cache=again) == whole
    again.close()
    assert again.file.read_bytes() == written


def test_other_settings_have_another_file_and_only_one_process_uses_each(home: Path) -> None:
    first, other = AnswerCache(home, IDENTITY), AnswerCache(home, IDENTITY | {"part": "selection"})
    assert first.file != other.file
    with pytest.raises(SwirlError, match="is already running; wait until it is done"):
        AnswerCache(home, IDENTITY)
    for cache in (first, other):
        cache.close()
    assert not list((home / "evaluating").iterdir()), "nothing was answered, so no file stays"


def test_a_changed_collection_or_checkpoint_is_another_evaluation(home: Path, tmp_path: Path) -> None:
    import shutil

    from swirl.paths import assets

    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(assets() / "tiny-household", checkpoint)
    files = []
    for change in (None, checkpoint / "fwm" / "adapter_config.json", home / "collections" / "toy" / "sequences.jsonl"):
        if change is not None:
            change.write_text(change.read_text(encoding="utf-8").rstrip() + "\n\n", encoding="utf-8")
        cache = open_answer_cache(home, str(checkpoint), "toy", {"seed": 0})
        files.append(cache.file.name)
        cache.close()
    assert len(set(files)) == 3


@pytest.mark.parametrize(
    "answer",
    [
        "take the ä",
        ("take the ä", "go"),
        State("you are in the hall."),
        LogProb(-0.1 - 2e-17, 3),
        toy_pictures.draw((0, 1, 2) * 2),
        Inference("take the ä", -0.1, (Alternative("take the ä", -0.1), Alternative("go", -2.0 - 2e-16))),
    ],
)
def test_every_answer_survives_encoding(answer: Answer) -> None:
    assert decode_answer(json.loads(json.dumps(encode_answer(answer)))) == answer


def test_old_answers_and_old_locks_without_answers_are_deleted(tmp_path: Path) -> None:
    old = time.time() - MAX_AGE_SECONDS - 60
    for name in ("old.jsonl", "old.lock", "alone.lock", "used.jsonl", "used.lock", "new.lock"):
        (tmp_path / name).touch()
        if not name.startswith("new") and name != "used.jsonl":
            os.utime(tmp_path / name, (old, old))
    delete_old_files(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["new.lock", "used.jsonl", "used.lock"]


def test_questions_of_different_kinds_or_words_have_different_digests() -> None:
    digests = {digest("states", ("a", "b")), digest("actions", ("a", "b")), digest("states", ("a b",))}
    assert len(digests) == 3


@pytest.mark.slow
def test_ctrl_c_keeps_the_answers_and_the_same_command_continues(tmp_path: Path, capsys) -> None:
    asked = ["evaluate", "tiny-household", "--data", "household", "--limit", "12", "--json"]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process = subprocess.Popen(command(stopped, asked), stderr=subprocess.PIPE, text=True)
    answered = stopped / "evaluating"
    wait_for(lambda: sum(file.stat().st_size for file in answered.glob("*.jsonl")) > 0, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1 and "run the same command to continue" in errors and "Traceback" not in errors
    assert History(stopped).evaluations() == [] and len(list(answered.glob("*.jsonl"))) == 1
    documents = []
    for home, continues in ((stopped, True), (whole, False)):
        assert main(["--home", str(home), *asked]) == 0
        out, errors = capsys.readouterr()
        assert ("Continuing from" in errors) == continues
        documents.append(json.loads(out))
    assert documents[0] == documents[1]
    assert not list(answered.iterdir()) and len(History(stopped).evaluations()) == 1


def command(home: Path, asked: list[str]) -> list[str]:
    return [sys.executable, "-m", "swirl", "--home", str(home), *asked]


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until `happened()` is true; it must be before the process ends."""
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
