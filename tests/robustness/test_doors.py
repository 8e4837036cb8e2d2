"""Each door of `doors.py` holds."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from door_scene import Answer, Door, Scene
from doors import DOORS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The servers that the doors share."""
    shared = Scene(tmp_path_factory.mktemp("doors"))
    yield shared
    shared.close()


@pytest.mark.parametrize("name", DOORS)
def test_a_door_holds(name: str, scene: Scene) -> None:
    # In a thread of its own, as Playwright refuses to start where another test has left a loop of asyncio.
    with ThreadPoolExecutor(1) as thread:
        door = thread.submit(DOORS[name], scene).result()
    assert door.attempts and door.opened == []


def test_an_open_door_is_reported() -> None:
    door = Door("a door")
    door.refused("a request", Answer(200))
    door.refused("a request without an answer", Answer(0))
    door.let_in("somebody", Answer(403))
    door.refused("another request", Answer(403))
    assert [attempt.held for attempt in door.attempts] == [False, False, False, True]
