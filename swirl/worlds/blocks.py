"""The world `blocks` in its regimes; its rules are in `swirl.worlds.blocks_rules`."""

from __future__ import annotations

import random

from swirl.pictures import from_pixels, pixels
from swirl.states import State
from swirl.worlds.base import Episode, RulesGame, choose_by_verb, make_episode
from swirl.worlds.blocks_noise import distractions, slip
from swirl.worlds.blocks_rules import Board, act, actions, draw, random_board, read_board
from swirl.worlds.blocks_wordings import WORDINGS, alternatives
from swirl.worlds.regimes import check_regime, choose_wording, noisy_next, stream_name

NO_OP_SHARE = 0.05
VERB_WEIGHTS = {"move": 45, "push": 20, "paint": 12, "remove": 8, "swap": 15}


class Blocks:
    """The world `blocks`; an episode is a random walk that mostly changes something.

    Raises UsageError for an unknown regime.
    """

    name = "blocks"

    def __init__(self, regime: str = "clean") -> None:
        check_regime(regime)
        self.regime = regime

    def episode(self, seed: int, length: int) -> Episode:
        """Play an episode of `length` actions as pictures, the same for the same seed and regime."""
        boards, played = self.play(seed, length)
        return make_episode([State(picture=from_pixels(draw(board))) for board in boards], played)

    def play(self, seed: int, length: int) -> tuple[list[Board], list[str]]:
        """The `length` + 1 boards of the same episode, and the actions between them."""
        rng, board = self.begin(seed)
        boards, played = [board], []
        for _ in range(length):
            played.append(self.choose_action(boards[-1], rng))
            boards.append(self.next_board(boards[-1], played[-1], rng))
        return boards, played

    def begin(self, seed: int) -> tuple[random.Random, Board]:
        """The random numbers of an episode after its first board was drawn, and that board."""
        rng = random.Random(stream_name(self.name, self.regime, seed))
        return rng, random_board(rng)

    def start(self, seed: int) -> RulesGame:
        """The game at the start of an episode."""
        return self.game_in(State(picture=from_pixels(draw(self.begin(seed)[1]))))

    def game_in(self, state: State) -> RulesGame:
        """The game in any state of the world. Raises ValueError for what is not one."""
        self.board_of(state)
        return RulesGame(state, self.next_state, self.list_actions)

    def list_actions(self, state: State) -> list[str]:
        """Every action on the objects of a board. Raises ValueError for what is not a state of this world."""
        return actions(self.board_of(state))

    def board_of(self, state: State) -> Board:
        """The board that a state shows. Raises ValueError for what is not a state of this world."""
        if state.picture is None:
            raise ValueError("A state of Blocks is a picture")
        return read_board(pixels(state.picture))

    def choose_action(self, board: Board, rng: random.Random) -> str:
        """Choose a verb first, then the rest; most actions change the board, some do not."""
        wanted = rng.random() >= NO_OP_SHARE
        pool = [action for action in actions(board) if (act(board, action) != board) == wanted]
        action = choose_by_verb(pool, VERB_WEIGHTS, rng)
        if self.regime != "ambiguous":
            return action
        return choose_wording(board, action, rng, act=act, wordings=WORDINGS, alternatives=alternatives)

    def next_board(self, board: Board, action: str, rng: random.Random) -> Board:
        """The next board, which is random in the noisy regime."""
        if self.regime != "noisy":
            return act(board, action)
        return noisy_next(board, action, rng, act=act, actions=actions, slip=slip, distractions=distractions)

    def next_state(self, state: State, action: str) -> State:
        """The most likely next state. Raises ValueError for what is not a state or an action of this world."""
        return State(picture=from_pixels(draw(act(self.board_of(state), action))))
