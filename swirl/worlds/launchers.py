"""Starts and shuts down each world. Simulators are imported only when their world starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from swirl.worlds import java_simulators, miniwob
from swirl.worlds.base import World


@contextmanager
def household(regime: str = "clean") -> Iterator[World]:
    from swirl.worlds.household import Household

    yield Household(regime)


@contextmanager
def blocks(regime: str = "clean") -> Iterator[World]:
    from swirl.worlds.blocks import Blocks

    yield Blocks(regime)


@contextmanager
def minigrid() -> Iterator[World]:
    from swirl.worlds.minigrid import MiniGrid

    yield MiniGrid()


@contextmanager
def textworld_express() -> Iterator[World]:
    from textworld_express import TextWorldExpressEnv

    from swirl.worlds.textworld_express import TextWorldExpress

    with java_simulators.JavaSimulator("TextWorldExpress", TextWorldExpressEnv) as env:
        yield TextWorldExpress(env)


@contextmanager
def scienceworld() -> Iterator[World]:
    from scienceworld import ScienceWorldEnv

    from swirl.worlds.scienceworld import ScienceWorld

    with java_simulators.JavaSimulator("ScienceWorld", ScienceWorldEnv) as env:
        yield ScienceWorld(env)


@contextmanager
def bfcl() -> Iterator[World]:
    from swirl.worlds.bfcl import Bfcl

    yield Bfcl()


@contextmanager
def web_pages() -> Iterator[World]:
    with miniwob.open_browser() as env:
        yield miniwob.MiniWob(env)


@contextmanager
def open_tool_log(name: str, source: Path) -> Iterator[World]:
    from swirl.worlds.tool_log_world import ToolWorld

    yield ToolWorld(name, source)


WORLD_OPENERS: dict[str, Callable[..., AbstractContextManager[World]]] = {
    "household": household,
    "textworld-express": textworld_express,
    "scienceworld": scienceworld,
    "blocks": blocks,
    "minigrid": minigrid,
    "bfcl": bfcl,
    "miniwob": web_pages,
}
"""The function that starts each played world; those of household and blocks take the regime."""
