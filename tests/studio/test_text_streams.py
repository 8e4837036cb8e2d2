"""A page sees what a model is writing for its request, and nothing of other requests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from studio.components.shared.page_requests import request_handlers
from studio.services.text_streams import answering, growing_texts, streamed
from swirl.models import load_world_model
from swirl.states import State


def test_texts_grow_and_end_with_the_answer() -> None:
    model, seen = SimpleNamespace(on_texts=None), []

    def imagine(request):
        with streamed(model):
            for texts in (["you"], ["you are", "", "you are"], ["you are in", "you"]):
                model.on_texts(texts)
                seen.append(growing({"stream": "a"})["texts"])
        assert growing({"stream": "b"}) == {"texts": []}
        return {"done": True}

    asked, growing = request_handlers(imagine)
    assert asked({"stream": "a"}) == {"done": True}
    assert seen == [["you"], ["you are"], ["you are in", "you"]]
    assert growing_texts("a") == [] and model.on_texts is None


def test_a_request_without_a_name_is_not_followed() -> None:
    model = SimpleNamespace(on_texts=None)
    with answering(""), streamed(model):
        assert model.on_texts is None


def test_a_model_tells_what_it_writes(tiny_base: Path, tmp_path: Path) -> None:
    world, seen = load_world_model(tmp_path, str(tiny_base), "cpu", "float32"), []
    state = State("you are in hall. hall lit.")
    quiet = world.imagine(state, "go to the attic", n=2, seed=4)
    world.on_texts = seen.append
    assert world.imagine(state, "go to the attic", n=2, seed=4) == quiet, "listening changes nothing"
    assert len(seen) > 2 and {text for prediction in quiet for text in (prediction.state.text,)} <= {
        text for texts in seen for text in texts
    }
    world.on_texts = None
