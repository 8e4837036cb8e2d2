"""The one thread in which models compute."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from studio.services.compute_thread import compute, keep_in_one_thread
from studio.services.inference import Models
from swirl.errors import SwirlError
from swirl.states import State

ticket: ContextVar[str] = ContextVar("ticket", default="")


def test_all_callers_compute_in_one_thread_with_their_own_context() -> None:
    def call(name: str) -> tuple[threading.Thread, str]:
        ticket.set(name)
        return compute(lambda: (threading.current_thread(), compute(ticket.get)))

    with ThreadPoolExecutor(4) as callers:
        found = list(callers.map(call, "abcdefgh"))
    assert len({thread for thread, _ in found}) == 1
    assert found[0][0] is not threading.current_thread()
    assert [name for _, name in found] == list("abcdefgh")


def test_errors_reach_the_caller_and_the_thread_goes_on() -> None:
    def fail() -> None:
        raise SwirlError("no")

    with pytest.raises(SwirlError, match="no"):
        compute(fail)
    assert compute(len, "abc") == 3


def test_a_model_keeps_what_is_no_arithmetic() -> None:
    model = keep_in_one_thread(SimpleNamespace(sample=threading.current_thread, name=threading.current_thread))
    assert model.sample() is not threading.current_thread()
    assert model.name() is threading.current_thread()


def test_a_loaded_model_computes_in_that_thread(tmp_path: Path, tiny_base: Path) -> None:
    models, seen = Models(tmp_path), set()
    with models.use(str(tiny_base)) as model:
        for layer in model.model.modules():
            layer.register_forward_pre_hook(lambda *_: seen.add(threading.current_thread().name))
        model.imagine(State("The lamp is off."), "press", n=2)
        model.infer([(State("The lamp is off."), State("The lamp is on."))])
        model.infer_with_guesses([(State("The lamp is off."), State("The lamp is on."))], ["press"])
        model.suggest_actions(State("The lamp is off."), n=2)
    assert seen == {"models"}


def test_the_codec_of_pictures_computes_there_too(tmp_path: Path, tiny_pictures: Path) -> None:
    models, seen = Models(tmp_path), set()
    with models.use(str(tiny_pictures)) as model:
        tokenizer = model.codec.image_tokenizer
        layers = [part for part in vars(tokenizer).values() if isinstance(part, torch.nn.Module)]
        for layer in (inner for part in layers for inner in part.modules()):
            layer.register_forward_pre_hook(lambda *_: seen.add(threading.current_thread().name))
        drawn = model.codec.decode_state([*range(model.codec.completion_length)])
        model.codec.prepare([drawn])
        model.codec.reconstruct(drawn)
    assert seen == {"models"}
