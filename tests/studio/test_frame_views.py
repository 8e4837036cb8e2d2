"""Tests of how picture states are drawn: sizes, marks, sliders, thumbnails, and out-of-distribution warnings."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from picture_home import BOARD
from picture_model import frame

from studio.components.explore.comparison_slider import comparison_slider
from studio.components.play.current_state import current_state
from studio.components.shared.filmstrip import filmstrip
from studio.components.shared.picture_frame import annotated_picture, image_tag
from studio.components.train.rollout_table import rollout_table
from studio.components.train.stored_state import parse_stored_state
from studio.services.trajectory_export import encode_gif
from studio.view_models.formatting import format_decibels
from studio.view_models.frame_similarity import out_of_distribution_warning
from studio.view_models.frame_size import fit_size
from studio.view_models.picture_difference import difference_from_errors, picture_difference
from swirl import pictures
from swirl.history import Rollout
from swirl.states import State
from swirl.worlds.blocks_rules import act, random_board


def photo(shift: int = 0, width: int = 480, height: int = 270) -> State:
    """A smooth large picture with a dark square that `shift` moves right."""
    rows, columns = np.mgrid[0:height, 0:width]
    pixels = np.dstack([columns * 255 // width, rows * 255 // height, np.full(rows.shape, 90)]).astype(np.uint8)
    pixels[100:160, 60 + shift : 120 + shift] = 0
    return State(picture=pictures.from_pixels(pixels))


@pytest.mark.parametrize(
    ("size", "box", "shown"),
    [((64, 64), 160, (128, 128)), ((64, 64), 320, (320, 320)), ((96, 48), 100, (96, 48)), ((128, 128), 44, (128, 128))],
)
def test_drawn_frames_keep_a_whole_factor(size: tuple, box: int, shown: tuple) -> None:
    assert fit_size(size, box) == shown


def test_large_frames_fit_the_box_and_keep_their_shape() -> None:
    assert fit_size((480, 270), 160) == (160, 90)
    assert fit_size((480, 270), 90, 400) == (160, 90)


def test_an_image_has_an_escaped_description() -> None:
    html = image_tag(frame(BOARD), 'a "frame"', 160)
    assert 'class="picture drawn"' in html and 'width="128" height="128"' in html and "a &quot;frame&quot;" in html
    assert "drawn" not in image_tag(photo(), "", 160)


def test_a_move_on_a_board_marks_its_two_cells() -> None:
    after = act(BOARD, "move the red circle left")
    found = picture_difference(frame(BOARD), frame(after))
    assert found.cell_size == 16 and found.marked_cells == {(0, 0), (1, 0)}
    assert picture_difference(frame(BOARD), frame(BOARD)).marked_cells == frozenset()
    # Two cells side by side have six outer edges and none between them.
    assert found.outline().count("M") == 6 and "M16 0V16" not in found.outline()


def test_small_changes_get_small_cells() -> None:
    off = np.zeros((64, 64), np.uint8)
    off[9:14, 25:30] = 200
    assert difference_from_errors(off).cell_size == 8 and difference_from_errors(off).marked_cells == {(3, 1)}


def test_flicker_is_no_change_but_motion_is() -> None:
    noisy = np.random.default_rng(0).integers(0, 12, (270, 480), np.uint8)
    assert difference_from_errors(noisy).marked_cells == frozenset()
    moved = picture_difference(photo(), photo(40))
    assert moved.marked_cells and all(3 <= column <= 11 for column, _ in moved.marked_cells)


def test_frames_of_two_sizes_are_compared_at_the_smaller() -> None:
    assert picture_difference(photo(), photo(0, 96, 54)).size == (96, 54)


def test_marks_lie_over_the_frame_in_their_tone() -> None:
    marks = picture_difference(frame(BOARD), frame(act(BOARD, "remove the blue square")))
    html = annotated_picture(frame(BOARD), "The state", marks=marks, tone="wrong")
    assert 'class="outline wrong" viewBox="0 0 64 64"' in html and "mask-image:url(data:image/png" in html


def test_the_comparison_slider_is_a_range_input() -> None:
    html = comparison_slider(frame(BOARD), frame(BOARD), ("imagined", "the truth"), None)
    assert html.count("<img") == 2 and 'type="range"' in html
    assert 'aria-label="imagined, uncovering the truth"' in html


def test_a_strip_of_pictures_shows_frames_and_waits_for_actions() -> None:
    html = filmstrip([frame(BOARD), frame(act(BOARD, "remove the blue square"))])
    assert "filmstrip pictured" in html and html.count("<img") == 2 and 'data-part="chip-0"' in html
    assert "pictured" not in filmstrip([State("a."), State("b.")])


def test_the_current_state_marks_what_changed() -> None:
    html = current_state(frame(BOARD), frame(act(BOARD, "remove the blue square")), 2)
    assert 'width="320"' in html and "outline forward" in html and 'alt="State 2"' in html
    assert "outline" not in current_state(None, frame(BOARD), 1)


@pytest.mark.parametrize(
    ("psnr", "frame_size", "words"),
    [
        (35.0, (64, 64), ""),
        (20.0, (64, 64), ""),
        (13.96, (64, 64), "cannot even reconstruct this frame (14.0 dB). Its predictions mean nothing"),
        (35.0, (480, 270), "made for other pictures, of 64 × 64 pixels; this one has 480 × 270"),
    ],
)
def test_frames_a_model_was_not_made_for_are_warned_about(psnr: float, frame_size: tuple, words: str) -> None:
    warning = out_of_distribution_warning(psnr, frame_size, (64, 64)).replace("\N{NO-BREAK SPACE}", " ")
    assert words in warning if words else warning == ""


def test_a_codec_of_large_pictures_accepts_any_size() -> None:
    assert out_of_distribution_warning(24.0, (480, 270), (512, 512)) == ""


def test_decibels_stop_at_60() -> None:
    assert format_decibels(60.0).startswith("≥60") and format_decibels(21.04).startswith("21.0")


def test_a_stored_state_is_a_text_an_address_or_a_file_of_the_run(tmp_path: Path) -> None:
    data = pictures.read_picture_bytes(frame(BOARD).picture)
    inline = "data:image/png;base64," + base64.b64encode(data).decode()
    assert parse_stored_state(inline).picture.encoded == data
    assert parse_stored_state("data:image/png;base64,?!") == State("data:image/png;base64,?!")
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.png").write_bytes(data)
    (tmp_path / "secret.png").write_bytes(data)
    for place in ("frame:a.png", "media/a.png"):
        assert parse_stored_state(place, tmp_path).picture.file == (tmp_path / "media" / "a.png").resolve()
    for place in ("frame:../secret.png", "media/../../secret.png", "frame:/etc/hostname", "frame:b.png"):
        assert parse_stored_state(place, tmp_path).picture is None
    assert parse_stored_state("media/a.png") == State("media/a.png")


def rollout(forward: bool) -> Rollout:
    before, after = frame(BOARD), frame(act(BOARD, "move the red circle left"))
    shown = [pictures.state_preview(state) for state in (after, before)]
    samples = tuple(shown) if forward else ("move <it>", "wait")
    action = "move the red circle left" if forward else ""
    return Rollout(1, 1, 1, shown[1], shown[0], action, samples, (-0.1, -5.0), (1.0, -1.0))


def test_rewards_with_extensions_are_not_called_log_probabilities() -> None:
    for direction, partner in (("forward", "log Q(action | imagined)"), ("inverse", "log P(next | action)")):
        rows = [rollout(direction == "forward")]
        assert f">{partner}</abbr>" in rollout_table(rows, direction)
        extended = rollout_table(rows, direction, partner_alone=False)
        assert ">reward</abbr>" in extended and f">{partner}</abbr>" not in extended


def test_rollouts_of_pictures_are_thumbnails() -> None:
    html = rollout_table([rollout(True)], "forward")
    assert html.count("<img") == 4 and html.count("✓ as observed") == 1 and html.count("outline wrong") == 1
    html = rollout_table([rollout(False)], "inverse")
    assert (
        html.count("<img") == 2
        and "move &lt;it&gt;" in html
        and "base64" not in re.sub(r'src="[^"]*"|url\([^)]*\)', "", html)
    )


def test_a_path_becomes_an_animated_gif() -> None:
    import io
    import random

    from PIL import Image

    boards = [random_board(random.Random(seed)) for seed in range(3)]
    with Image.open(io.BytesIO(encode_gif([frame(board) for board in boards]))) as moving:
        assert moving.format == "GIF" and moving.n_frames == 3 and moving.size == (320, 320)
