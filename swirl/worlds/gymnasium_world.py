"""Gymnasium's environments (Towers et al. 2024, MIT), and those of other packages, as worlds of pictures or of texts.

A sequence is the beginning of one episode: it ends when the environment says `terminated` or `truncated`, so no
transition leads from one episode into the next. States are what the environment observes, if that is a picture, else
what it draws; environments that do neither become texts.
"""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from swirl.errors import SwirlError, UsageError
from swirl.states import State
from swirl.worlds.base import SEQUENCES_PER_SEED, Episode, make_episode
from swirl.worlds.given_actions import read_given_actions
from swirl.worlds.gymnasium_actions import Actions
from swirl.worlds.gymnasium_environments import PREFIX, environment_errors, open_environment, quiet_gymnasium
from swirl.worlds.gymnasium_names import is_of_gymnasium
from swirl.worlds.gymnasium_observations import (
    MAX_NUMBERS,
    count_numbers,
    describe_observation,
    is_picture_space,
    picture_state,
    to_pixels,
)

MAX_SEED = 2**31
"""Some environments take no larger seed."""

Observation = Literal["picture", "text"]


@dataclass(frozen=True)
class PlayOptions:
    """How a Gymnasium environment is played.

    observation: what becomes the states; None takes pictures where there are any.
    actions: a file with the actions of each sequence; None plays random ones.
    every: how many steps each action is repeated for; only the state after the last is recorded.
    arguments: arguments of the environment.
    """

    observation: Observation | None = None
    actions: Path | None = None
    every: int = 1
    arguments: dict[str, Any] = field(default_factory=dict)

    def command_line(self) -> str:
        """The options as they are written after `swirl record`, each with a space before it."""
        words = []
        if self.observation:
            words += ["--observation", self.observation]
        if self.actions:
            words += ["--actions", self.actions.name]
        if self.every != 1:
            words += ["--every", str(self.every)]
        if self.arguments:
            words += ["--set", *(f"{key}={json.dumps(value)}" for key, value in self.arguments.items())]
        return "".join(f" {shlex.quote(word)}" for word in words)


class GymnasiumWorld:
    """An open environment as a world. Raises UsageError if it has no such observation or `actions` do not fit it."""

    def __init__(self, env: Any, options: PlayOptions) -> None:
        self.env = env
        self.id: str = env.spec.id
        self.name = self.id.replace("/", "-")
        self.is_of_gymnasium = is_of_gymnasium(env)
        self.every = options.every
        self.observes_pictures = is_picture_space(env.observation_space)
        self.kind = self._choose_kind(options.observation)
        self.actions = Actions(env)
        self.given = read_given_actions(options.actions, self.actions.parse) if options.actions else None
        self.unplayed_actions = 0
        """How many given actions were not played, as the episode had ended."""

    def episode(self, seed: int, length: int) -> Episode:
        """Play at most `length` actions from a reset with the seed, until the environment ends the episode.

        Given actions are those of the seed's place in its recording. Raises SwirlError if the environment fails.
        """
        given = self.given[seed % SEQUENCES_PER_SEED] if self.given is not None else None
        planned = length if given is None else min(length, len(given))
        with environment_errors(self.id, "fails when it is reset"):
            observed, _ = self.env.reset(seed=seed % MAX_SEED)
            # Not the same seed: the actions would then be drawn from the very numbers that the first state is made of,
            # and MuJoCo's initial noise, times ten, would be the first actions.
            self.env.action_space.seed(MAX_SEED - 1 - seed % MAX_SEED)
        frames = _Frames(self)
        states, played, ended = [frames.state(observed)], [], False
        while len(played) < planned and not ended:
            action = self.actions.sample() if given is None else given[len(played)]
            words = self.actions.describe(action)
            observed, ended = self._play(action, words)
            states.append(frames.state(observed))
            played.append(words)
        self.unplayed_actions += planned - len(played) if given is not None else 0
        return make_episode(states, played)

    def _play(self, action: Any, words: str) -> tuple[Any, bool]:
        """Repeat an action and return the last observation, and whether the episode has ended."""
        with environment_errors(self.id, f"fails at the action {words!r}"):
            for _ in range(self.every):
                observed, _, terminated, truncated, _ = self.env.step(action)
                if terminated or truncated:
                    return observed, True
        return observed, False

    def _choose_kind(self, wanted: Observation | None) -> Literal["image", "text"]:
        """The kind of the states. Raises UsageError if the environment cannot give what is wanted."""
        space = self.env.observation_space
        has_pictures = self.observes_pictures or self.env.render_mode == "rgb_array"
        if wanted == "picture" or (wanted is None and has_pictures):
            if not has_pictures:
                raise UsageError(f"{PREFIX}{self.id} neither observes nor draws pictures; use --observation text.")
            return "image"
        if self.observes_pictures:
            raise UsageError(f"What {PREFIX}{self.id} observes is a picture; omit --observation text.")
        if count_numbers(space) > MAX_NUMBERS:
            raise UsageError(
                f"What {PREFIX}{self.id} observes is {count_numbers(space)} numbers, more than the {MAX_NUMBERS} "
                "that are written as text; use --observation picture if it draws, or choose another environment."
            )
        return "text"


class _Frames:
    """The states of one episode; its pictures must all have the same size."""

    def __init__(self, world: GymnasiumWorld) -> None:
        self.world = world
        self.shape: tuple[int, ...] | None = None

    def state(self, observed: Any) -> State:
        """The state after a step. Raises SwirlError if the environment draws no picture, or one of another size."""
        env, name = self.world.env, self.world.id
        if self.world.kind == "text":
            return describe_observation(env, observed)
        drawn = observed
        if not self.world.observes_pictures:
            with environment_errors(name, "cannot draw its state", "use --observation text, or choose another one"):
                drawn = env.render()
        pixels = to_pixels(drawn)
        if pixels is None:
            raise SwirlError(
                f"The environment {name} draws no picture of bytes in RGB or grey but {_describe_type(drawn)}; "
                "use --observation text, or correct its render()."
            )
        if self.shape not in (None, pixels.shape):
            height, width = self.shape[:2]
            raise SwirlError(
                f"The environment {name} changes the size of its picture within an episode, from {width} × {height} "
                f"to {pixels.shape[1]} × {pixels.shape[0]}; use --observation text, or correct its render()."
            )
        self.shape = pixels.shape
        return picture_state(pixels)


def _describe_type(value: Any) -> str:
    """What a value is that should have been a picture, for a message."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None:
        return f"{dtype} in the shape {shape}"
    return "nothing" if value is None else type(value).__name__


@contextlib.contextmanager
def open_gymnasium(name: str, options: PlayOptions) -> Iterator[GymnasiumWorld]:
    """The world of `ID` or `MODULE:ID`, closed on exit.

    Raises UsageError for an unknown id or options that do not fit it, SwirlError if the environment does not start.
    """
    with quiet_gymnasium():
        env = open_environment(name, options.observation != "text", options.arguments)
        try:
            yield GymnasiumWorld(env, options)
        finally:
            with contextlib.suppress(Exception):  # the recording is complete, or has failed with a better reason
                env.close()
