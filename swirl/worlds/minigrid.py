"""MiniGrid (Chevalier-Boisvert et al. 2023, MIT) as a world of pictures: small rooms with keys, doors and things.

The whole grid is drawn with 8 pixels per tile in the middle of 64 × 64 pixels, without the highlighted view cone, which
moves with the agent. What the agent carries, which MiniGrid does not draw, is shown in the upper left corner, which is
otherwise always a wall. So a frame shows the complete state. Recordings with seed 1000 or above use other, larger
layouts.
"""

from __future__ import annotations

import copy
import os
import random
from typing import TYPE_CHECKING, Any

import numpy as np

from swirl.pictures import Pixels, from_pixels
from swirl.states import State
from swirl.worlds.base import Episode, UnknownActionError, is_held_out_seed, make_episode
from swirl.worlds.minigrid_agent import Walker, is_action, list_choices

if TYPE_CHECKING:
    from minigrid.minigrid_env import MiniGridEnv

TILES_PER_SIDE, TILE_PIXELS = 8, 8
"""The side of a frame in tiles, and the side of a tile in pixels."""

Layout = tuple[str, dict[str, Any]]
"""An environment's class in `minigrid.envs`, and its arguments."""

LAYOUTS: tuple[Layout, ...] = (
    ("DoorKeyEnv", {"size": 5}),
    ("GoToObjectEnv", {"size": 6, "numObjs": 2}),
    ("KeyCorridorEnv", {"room_size": 3, "num_rows": 2}),
    ("PutNearEnv", {"size": 6, "numObjs": 2}),
    ("DoorKeyEnv", {"size": 6}),
    ("FetchEnv", {"size": 7, "numObjs": 3}),
    ("KeyCorridorEnv", {"room_size": 3, "num_rows": 1}),
    ("EmptyEnv", {"size": 6, "agent_start_pos": None}),
)
HELD_OUT_LAYOUTS: tuple[Layout, ...] = (
    ("DoorKeyEnv", {"size": 8}),
    ("PutNearEnv", {"size": 8, "numObjs": 3}),
    ("KeyCorridorEnv", {"room_size": 3, "num_rows": 3}),
    ("FetchEnv", {"size": 8, "numObjs": 3}),
    ("DoorKeyEnv", {"size": 7}),
)


class MiniGrid:
    """The world `minigrid`, which needs the package of that name."""

    name = "minigrid"

    def episode(self, seed: int, length: int) -> Episode:
        """Play `length` actions in the layout number `seed` mod the number of layouts, the same for the same seed."""
        env = make_environment(layout_of(seed), seed)
        walker = Walker(env, random.Random(f"minigrid-{seed}"))
        states, played = [visible_state(env)], []
        for _ in range(length):
            played.append(walker.step())
            states.append(visible_state(env))
        return make_episode(states, played)

    def start(self, seed: int) -> MiniGridGame:
        """The game at the start of an episode."""
        return MiniGridGame(make_environment(layout_of(seed), seed))


class MiniGridGame:
    """One environment while it is being played."""

    def __init__(self, env: MiniGridEnv) -> None:
        self.env = env

    @property
    def state(self) -> State:
        """The complete grid as a picture."""
        return visible_state(self.env)

    def actions(self) -> list[str]:
        """What can be tried here."""
        return [choice.words for choice in list_choices(self.env)]

    def act(self, action: str) -> None:
        """Play an action; one on a thing that is not in front of the agent changes nothing.

        Raises UnknownActionError for words that are none.
        """
        words = " ".join(action.split())
        chosen = next((choice for choice in list_choices(self.env) if choice.words == words), None)
        if chosen is not None:
            self.env.step(chosen.action)
        elif not is_action(words):
            raise UnknownActionError(f"{action!r} is not an action of MiniGrid")

    def copy(self) -> MiniGridGame:
        """The same game, which goes on by itself."""
        return MiniGridGame(copy.deepcopy(self.env))


def layout_of(seed: int) -> Layout:
    """The layout that an episode plays."""
    layouts = HELD_OUT_LAYOUTS if is_held_out_seed(seed) else LAYOUTS
    return layouts[seed % len(layouts)]


def make_environment(layout: Layout, seed: int) -> MiniGridEnv:
    """A new environment in its initial state."""
    # MiniGrid draws with pygame, which would print a greeting to standard output, where --json promises only JSON.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from minigrid import envs

    name, arguments = layout
    env = getattr(envs, name)(**arguments)
    env.reset(seed=seed)
    return env


def visible_state(env: MiniGridEnv) -> State:
    """The current state of the environment, as a picture."""
    return State(picture=from_pixels(draw(env)))


def draw(env: MiniGridEnv) -> Pixels:
    """The frame, (64, 64, 3) uint8: the grid surrounded by walls, with the carried thing in the upper left corner."""
    from minigrid.core.grid import Grid
    from minigrid.core.world_object import Wall

    frame = np.tile(
        Grid.render_tile(Wall(), tile_size=TILE_PIXELS).astype(np.uint8), (TILES_PER_SIDE, TILES_PER_SIDE, 1)
    )
    grid = env.get_frame(highlight=False, tile_size=TILE_PIXELS)
    height, width = grid.shape[:2]
    top, left = (TILES_PER_SIDE - env.height) // 2 * TILE_PIXELS, (TILES_PER_SIDE - env.width) // 2 * TILE_PIXELS
    frame[top : top + height, left : left + width] = grid
    if env.carrying is not None:
        frame[:TILE_PIXELS, :TILE_PIXELS] = Grid.render_tile(env.carrying, tile_size=TILE_PIXELS)
    return frame
