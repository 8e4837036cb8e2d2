"""Tests of serving frames (what an address leads to, and for whom) and of storing them for play paths."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from gradio.routes import App

from studio import app
from studio.services import frames
from studio.services.frame_store import FrameStore, is_picture_key
from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import Picture, State


def noise(seed: int, side: int = 200) -> Picture:
    """A picture too large to be sent inside the HTML."""
    return pictures.from_pixels(np.random.default_rng(seed).integers(0, 255, (side, side, 3), np.uint8))


def test_small_pictures_in_memory_are_sent_inline_and_others_get_an_address(tmp_path: Path) -> None:
    small = pictures.from_pixels(np.zeros((8, 8, 3), np.uint8))
    assert frames.address(small).startswith("data:image/png;base64,")
    file = tmp_path / "a.png"
    file.write_bytes(pictures.read_picture_bytes(small))
    there = frames.address(Picture(file=file))
    assert there.startswith("frame/") and frames.read_frame(there.removeprefix("frame/")) == file.read_bytes()
    assert frames.address(Picture(file=file)) == there


def test_only_frames_that_were_shown_can_be_requested(tmp_path: Path) -> None:
    hidden = noise(1)
    digest = pictures.state_key(State(picture=hidden)).partition(":")[2]
    assert frames.read_frame(digest) is None
    for other in ("", "../../etc/hostname", "/etc/hostname", "0" * 63, "G" * 64):
        assert frames.read_frame(other) is None


def test_imagined_pictures_make_room_for_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAMES_IN_MEMORY", 2)
    first, *others = [frames.address(noise(seed)).removeprefix("frame/") for seed in (10, 11, 12)]
    assert frames.read_frame(first) is None and all(frames.read_frame(digest) for digest in others)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> App:
    built = app.build(tmp_path_factory.mktemp("home"))
    built.theme_css = ""
    return App.create_app(built, app_kwargs={"routes": [frames.route()]})


def test_a_frame_is_sent_once_and_cached(served: App) -> None:
    picture = noise(2)
    served.auth = None
    answer = TestClient(served).get(f"/{frames.address(picture)}")
    assert answer.status_code == 200 and answer.content == pictures.read_picture_bytes(picture)
    assert answer.headers["content-type"] == "image/png" and "immutable" in answer.headers["cache-control"]
    assert TestClient(served).get("/frame/" + "0" * 64).status_code == 404
    assert TestClient(served).get("/frame/..%2F..%2Fetc%2Fhostname").status_code == 404


def test_frames_need_the_login_too(served: App) -> None:
    there = f"/{frames.address(noise(3))}"
    served.auth = {"swirl": "secret"}
    assert TestClient(served).get(there).status_code == 401
    served.tokens["abc"] = "swirl"
    name = f"access-token-unsecure-{served.cookie_id}"
    assert TestClient(served, cookies={name: "abc"}).get(there).status_code == 200
    assert TestClient(served, cookies={name: "other"}).get(there).status_code == 401
    served.auth = None


def test_a_frame_whose_file_is_gone_is_answered_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(pictures.read_picture_bytes(noise(4)))
    digest = frames.address(Picture(file=file)).removeprefix("frame/")
    file.unlink()
    request = SimpleNamespace(app=SimpleNamespace(auth=None), cookies={})
    answer = frames.send(digest, request)
    assert answer.status_code == 404 and b"cannot be read" in answer.body


def test_stored_frames_survive_and_texts_stay_texts(tmp_path: Path) -> None:
    picture = State(picture=noise(5))
    key = FrameStore(tmp_path).store(picture)
    assert (
        is_picture_key(key)
        and not is_picture_key("picture: a hall")
        and FrameStore(tmp_path).store(State("a hall")) == "a hall"
    )
    found = FrameStore(tmp_path).load_state(key)
    assert pictures.read_picture_bytes(found.picture) == pictures.read_picture_bytes(picture.picture)
    assert FrameStore(tmp_path).load_state("a hall") == State("a hall")
    with pytest.raises(SwirlError, match="no longer stored"):
        FrameStore(tmp_path).load_state("picture:" + "0" * 64)


def test_the_least_recently_used_frames_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, data = FrameStore(tmp_path), pictures.read_picture_bytes(noise(6))
    monkeypatch.setattr("studio.services.frame_store.MAX_BYTES", int(2.5 * len(data)))
    first, second = (kept.store(State(picture=noise(seed))) for seed in (6, 7))
    kept.load_state(first)  # used more recently than the second
    third = kept.store(State(picture=noise(8)))
    assert kept.load_state(first) and kept.load_state(third)
    with pytest.raises(SwirlError):
        kept.load_state(second)
