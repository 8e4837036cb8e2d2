"""Before a run and at its start, it is said which states a model's tokenizer cannot give back."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizers import Tokenizer, normalizers

from studio.components.train.start_form import check_form
from studio.view_models.start_form import field_values
from swirl.cli.output import Output
from swirl.cli.run_settings import warn_if_states_change
from swirl.codecs.exact_text import FastTextTokenizer, TextLoss
from swirl.history import History
from swirl.settings import Settings
from swirl.sources.collections.importing import import_collection
from swirl.states import State, Transition
from swirl.training.run_context import RunContext
from swirl.training.run_start import warn_if_states_change as warn_at_start
from swirl.training.text_check import check_states, describe_loss

STATES = ["The lamp is on.", "the lamp is off.", "the door is open.", "  the <|end|> of it\n"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    source = tmp_path / "rooms.jsonl"
    source.write_text("".join(json.dumps({"id": f"s{i}", "states": STATES}) + "\n" for i in range(12)))
    import_collection(tmp_path / "home", source, "rooms")
    return tmp_path / "home"


@pytest.fixture
def lower_case(tiny_base: Path, tmp_path: Path) -> Path:
    """A model whose tokenizer drops capital letters."""
    folder = tmp_path / "lower-case"
    shutil.copytree(tiny_base, folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Prepend(" ")])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_a_tokenizer_that_keeps_everything_is_passed_over(home: Path, tiny_base: Path) -> None:
    assert check_states(home, Settings(model=str(tiny_base), data="rooms")) is None
    assert check_states(home, Settings(model="tiny-household", data="rooms")) is None


def test_pictures_and_models_that_are_not_here_are_passed_over(home: Path) -> None:
    assert check_states(home, Settings(model="tiny-blocks", data="blocks")) is None
    assert check_states(home, Settings(model="Qwen/Qwen2.5-0.5B-Instruct", data="rooms")) is None


def test_the_share_of_changed_states_is_found(home: Path, lower_case: Path) -> None:
    found = check_states(home, Settings(model=str(lower_case), data="rooms"))
    assert found == TextLoss(0.25, "The lamp is ", "the lamp is ")
    sentence = describe_loss("that model", found)
    assert "cannot give 25% of the states back: 'The lamp is ' comes back as 'the lamp is '" in sentence


def test_a_background_run_and_the_start_form_say_so(home: Path, lower_case: Path, capsys: Any) -> None:
    settings = Settings(model=str(lower_case), data="rooms")
    warn_if_states_change(home, settings, Output(as_json=False))
    assert "warning: The tokenizer of" in capsys.readouterr().err
    shown = check_form(home, {"values": field_values(settings)})["parts"]["before"]
    assert "Some states come back changed" in shown
    kept = check_form(home, {"values": field_values(Settings(data="rooms"))})["parts"]["before"]
    assert "Some states come back changed" not in kept


def test_a_run_says_so_at_its_start(home: Path, lower_case: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(model=str(lower_case), data="rooms")
    history = History(home)
    run_id = history.create_run(preset=None, settings=settings.to_dict())
    tokenizer = FastTextTokenizer(Tokenizer.from_file(str(lower_case / "tokenizer.json")))
    world: Any = SimpleNamespace(kind="text", codec=SimpleNamespace(text_tokenizer=tokenizer))
    rows = [Transition("s", 0, State("the lamp is on."), State("The lamp is off."))]
    scorer: Any = None
    with caplog.at_level(logging.WARNING, "swirl"):
        warn_at_start(RunContext(home, run_id, history, settings, world, rows, scorer, None, scorer, scorer, True))
    assert "cannot give 50% of the states back" in caplog.text
    assert "cannot give 50% of the states back" in (history.run(run_id).warning or "")
