"""Training an image codec: its quality, the files that it writes, and the settings that are rejected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from swirl import pictures
from swirl.cli import main
from swirl.codecs import vq
from swirl.codecs.vq_training import CodecShape, new_codec, train_codec
from swirl.errors import SwirlError, UsageError
from swirl.evaluation.codec_metrics import mean_reconstruction_quality
from swirl.recipes.image_codec import train_on_collection
from swirl.states import State
from swirl.worlds.blocks import Blocks
from swirl.worlds.blocks_rules import draw
from swirl.worlds.registry import record

pytestmark = pytest.mark.slow

SMALL = CodecShape(codes=96, channels=32)


@pytest.fixture(scope="module")
def frames() -> list[pictures.Pixels]:
    return [draw(board) for seed in range(12) for board in Blocks().play(seed, 8)[0]]


@pytest.fixture(scope="module")
def trained(frames: list[pictures.Pixels]) -> vq.VQImageTokenizer:
    return train_codec(frames, SMALL, steps=(180, 180))


def test_training_makes_a_codec_that_draws_the_world(
    trained: vq.VQImageTokenizer, frames: list[pictures.Pixels]
) -> None:
    unseen = [State(picture=pictures.from_pixels(draw(board))) for board in Blocks().play(99, 8)[0]]
    torch.manual_seed(0)
    assert (
        mean_reconstruction_quality(trained, unseen)["psnr"]
        > mean_reconstruction_quality(new_codec(SMALL), unseen)["psnr"] + 4
    )
    assert len({code for row in trained.encode(frames) for code in row}) > 12


def test_a_cell_has_its_code_whatever_stands_beside_it(trained: vq.VQImageTokenizer) -> None:
    boards = Blocks().play(5, 8)[0]
    codes = trained.encode([draw(board) for board in boards])
    for before, after, x, y in zip(boards, boards[1:], codes, codes[1:], strict=False):
        same = [
            a == b and p == q for a, b, p, q in zip(before.things, after.things, before.pads, after.pads, strict=True)
        ]
        assert all(x[cell] == y[cell] for cell in range(16) if same[cell])


def test_saved_it_is_the_same(trained: vq.VQImageTokenizer, frames: list[pictures.Pixels], tmp_path: Path) -> None:
    trained.save(tmp_path / "codec")
    again = vq.load_image_tokenizer(tmp_path / "codec", "cpu")
    assert again.encode(frames[:5]) == trained.encode(frames[:5])
    assert np.array_equal(again.decode(again.encode(frames[:1])), trained.decode(trained.encode(frames[:1])))


def test_tiles_are_put_together_as_they_were_cut() -> None:
    images = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8)
    assert torch.equal(vq.join_tiles(vq.split_into_tiles(images, 4), 2), images)
    assert torch.equal(vq.split_into_tiles(images, 4)[1], images[0, :, :4, 4:])


@pytest.mark.parametrize(
    ("shape", "said"),
    [(CodecShape(size=60), "tile=16"), (CodecShape(tile=8), "multiple of 16"), (CodecShape(channels=20), "of 8")],
)
def test_shapes_that_do_not_fit_are_refused(shape: CodecShape, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        new_codec(shape)


def test_the_command_writes_a_codec_and_says_how_good_it_is(tmp_path: Path, capsys) -> None:
    record("blocks", tmp_path / "rec", sequences=20, length=4, seed=3)
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "import", str(tmp_path / "rec"), "--name", "board"]) == 0
    capsys.readouterr()
    out = tmp_path / "codec"
    options = ["--codes", "32", "--channels", "16", "--steps", "20", "--json"]
    assert main([*home, "codec", "--data", "board", "--out", str(out), *options]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["tokens"], said["codes"]) == (16, 32) and 0 < said["psnr"] < 60 and said["held_out"]
    assert vq.load_image_tokenizer(out, "cpu").quality["psnr"] == said["psnr"]
    with pytest.raises(SwirlError, match="is not empty; name a new folder"):
        train_on_collection(tmp_path / "home", "board", SMALL, out)
    with pytest.raises(SwirlError, match="contains texts; choose a collection of pictures"):
        train_on_collection(tmp_path / "home", "household", SMALL, tmp_path / "other")


def test_what_is_measured_on_training_frames_says_so(tmp_path: Path, capsys) -> None:
    record("blocks", tmp_path / "rec", sequences=2, length=4, seed=3)
    home = ["--home", str(tmp_path / "home")]
    assert main([*home, "import", str(tmp_path / "rec"), "--name", "board"]) == 0
    options = ["--data", "board", "--out", str(tmp_path / "codec"), "--codes", "8", "--channels", "8", "--steps"]
    assert main([*home, "codec", *options, "3"]) == 2
    assert "take 4 or more" in capsys.readouterr().err
    assert main([*home, "codec", *options, "4"]) == 0
    assert "reconstructs 10 training frames, as no sequence is held out, of board" in capsys.readouterr().out


def test_a_broken_codec_is_named(tmp_path: Path) -> None:
    (tmp_path / "codec").mkdir()
    with pytest.raises(SwirlError, match="cannot be loaded"):
        vq.load_image_tokenizer(tmp_path / "codec", "cpu")
