"""Blocks: reproducible episodes, the effect of each action, and pictures that show exactly the complete state."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from shipped import assert_sample_is_of

from swirl.pictures import pixels
from swirl.worlds.base import episode_seed
from swirl.worlds.blocks import Blocks
from swirl.worlds.blocks_rendering import CELL, COLOURS, PADS, SHAPES, cell_picture
from swirl.worlds.blocks_rules import SIDE, Board, Thing, act, actions, draw

RED, BLUE, GREEN = Thing("circle", "red"), Thing("square", "blue"), Thing("triangle", "green")
PLAYS = [Blocks().play(episode_seed(3, index), 20) for index in range(60)]


def board(rows, pads=()):
    """A board from rows of letters (R: red circle, B: blue square, G: green triangle) and its sky pads' cells."""
    things = {"R": RED, "B": BLUE, "G": GREEN, ".": None}
    cells = [things[letter] for letter in "".join(rows)]
    return Board(tuple("sky" if cell in pads else None for cell in range(SIDE**2)), tuple(cells))


ROW = board(["RBG.", "....", "....", "...."], pads=(1, 15))


def first_row(after):
    """The letters of the first row."""
    letters = {RED: "R", BLUE: "B", GREEN: "G", None: "."}
    return "".join(letters[thing] for thing in after.things[:SIDE])


def changed_cells(before, after):
    """The cells whose pixels differ."""
    differs = (draw(before) != draw(after)).any(axis=2).reshape(SIDE, CELL, SIDE, CELL).any(axis=(1, 3))
    return {int(cell) for cell in np.flatnonzero(differs)}


def test_the_same_seed_gives_the_same_episode_and_another_seed_another():
    world = Blocks()
    assert world.episode(7, 10) == world.episode(7, 10)
    assert world.episode(7, 10) != world.episode(8, 10)


def test_an_episode_shows_the_boards_that_were_played():
    episode, (boards, taken) = Blocks().episode(5, 8), Blocks().play(5, 8)
    assert episode.actions == taken
    for state, shown in zip(episode.states, boards, strict=True):
        assert pixels(state.picture).shape == (64, 64, 3)
        assert np.array_equal(pixels(state.picture), draw(shown))


def test_at_least_nine_in_ten_steps_change_the_frame_and_the_rest_are_labelled():
    episodes = [Blocks().episode(episode_seed(4, index), 10) for index in range(60)]
    no_ops = [no_op for episode in episodes for no_op in episode.no_ops]
    assert 0 < sum(no_ops) <= 0.1 * len(no_ops)
    for episode in episodes:
        for (before, after), no_op in zip(pairwise(episode.states), episode.no_ops, strict=True):
            assert np.array_equal(pixels(before.picture), pixels(after.picture)) == no_op


def test_a_push_also_moves_the_objects_in_front():
    assert first_row(act(ROW, "push the blue square right")) == "R.BG"
    assert first_row(act(ROW, "push the red circle right")) == ".RBG"


def test_blocked_objects_do_not_move():
    full = board(["RBG.", "....", "....", "...."]).with_things({3: Thing("cross", "purple")})
    assert act(full, "push the red circle right") == full
    assert act(full, "push the green triangle right") == full  # the object in front is at the edge
    for action in ("move the red circle right", "move the red circle up", "push the red circle down"):
        assert act(ROW, action) == ROW


def test_move_paint_remove_and_swap():
    assert act(ROW, "move the red circle down").things[4] == RED
    assert act(ROW, "paint the red circle yellow").things[0] == Thing("circle", "yellow")
    assert first_row(act(ROW, "remove the blue square")) == "R.G."
    assert first_row(act(ROW, "swap the red circle and the green triangle")) == "GBR."
    assert act(ROW, "swap the green triangle and the red circle") == act(
        ROW, "swap the red circle and the green triangle"
    )


def test_no_two_things_ever_look_alike():
    twins = ROW.with_things({8: Thing("circle", "yellow")})
    assert act(twins, "paint the red circle yellow") == twins
    for boards, _ in PLAYS:
        for shown in boards:
            things = [thing for thing in shown.things if thing]
            assert len(set(things)) == len(things) >= 2


def test_unknown_actions_raise_and_absent_things_do_nothing():
    with pytest.raises(ValueError, match="jump"):
        act(ROW, "jump")
    with pytest.raises(ValueError, match="pink circle"):
        act(ROW, "remove the pink circle")
    assert act(ROW, "remove the purple cross") == ROW


def test_every_change_has_one_explanation():
    """No two actions that change a board lead to the same next board, so the frames determine the action."""
    for boards, _ in PLAYS[:20]:
        nexts = [act(boards[0], action) for action in actions(boards[0])]
        changed = [after for after in nexts if after != boards[0]]
        assert len(set(changed)) == len(changed) > 10


def test_the_verbs_have_the_intended_shares():
    counts = Counter(action.split()[0] for _, taken in PLAYS for action in taken)
    shares = {verb: count / sum(counts.values()) for verb, count in counts.items()}
    assert 0.35 < shares["move"] < 0.6
    assert all(0.03 < shares[verb] < 0.25 for verb in ("push", "paint", "remove", "swap"))


def test_a_frame_changes_only_in_the_affected_cells():
    assert changed_cells(ROW, act(ROW, "move the red circle down")) == {0, 4}
    assert changed_cells(ROW, act(ROW, "push the red circle right")) == {0, 1, 2, 3}
    assert changed_cells(ROW, act(ROW, "swap the red circle and the green triangle")) == {0, 2}
    assert changed_cells(ROW, act(ROW, "paint the blue square red")) == {1}
    for boards, _ in PLAYS:
        for before, after in pairwise(boards):
            moved = {cell for cell in range(SIDE**2) if before.things[cell] != after.things[cell]}
            assert changed_cells(before, after) == moved


def test_there_are_exactly_75_different_cell_pictures():
    things = [(None, None), *((shape, colour) for shape in SHAPES for colour in COLOURS)]
    known = {cell_picture(pad, *thing).tobytes() for pad in (None, *PADS) for thing in things}
    assert len(known) == 75
    for boards, _ in PLAYS[:20]:
        frame = draw(boards[-1])
        cells = [frame[y : y + CELL, x : x + CELL].tobytes() for y in range(0, 64, CELL) for x in range(0, 64, CELL)]
        assert set(cells) <= known


def test_pads_never_move_and_their_rims_stay_visible():
    for pad in PADS:
        empty, rim = cell_picture(pad, None, None), PADS[pad][1]
        for shape in SHAPES:
            covered = cell_picture(pad, shape, "red")
            assert np.array_equal(covered[:3], empty[:3]) and (covered[1, 5] == rim).all()
            assert not np.array_equal(covered[7:9, 7:9], empty[7:9, 7:9])
    for boards, _ in PLAYS:
        assert len({shown.pads for shown in boards}) == 1


def test_the_shipped_sample_is_reproducible(tmp_path):
    assert_sample_is_of(Blocks(), "Apache-2.0", sequences=400, length=8, home=tmp_path)
