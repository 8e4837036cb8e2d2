"""Compare frames as the model sees them: token by token and pixel by pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Protocol

from swirl import pictures
from swirl.evaluation.image_metrics import psnr, ssim
from swirl.evaluation.perceptual_metrics import perceptual_measures
from swirl.evaluation.protocols import EvaluatedModel
from swirl.pictures import Pixels
from swirl.states import State

Measure = Callable[[str, str], float]
"""Compares a predicted state with the observed one, both given by their keys."""

MAX_CACHED_FRAMES = 512
"""Decoded frames that are cached; at 512 pixels a side they take 400 MB."""


class PictureCodec(Protocol):
    """What evaluation needs of an image codec; `swirl.codecs.state_codecs.ImageCodec` has it.

    `size` is the width and height of its frames in pixels.
    """

    size: tuple[int, int]

    def encode_state(self, state: State) -> list[int]: ...

    def reconstruct(self, state: State) -> State: ...


class PictureModel(EvaluatedModel, Protocol):
    """A world model of pictures."""

    codec: PictureCodec


class Frames:
    """Frames by their keys, as tokens and as pixels at the codec's size; `state_of` maps a key to its state."""

    def __init__(self, codec: PictureCodec, state_of: Callable[[str], State]) -> None:
        self.codec, self.state_of = codec, state_of
        self._pixels = lru_cache(maxsize=MAX_CACHED_FRAMES)(self._decode)
        self._tokens: dict[str, list[int]] = {}

    @cached_property
    def measures(self) -> Mapping[str, Measure]:
        """exact_match, token_accuracy, psnr and ssim, and if their weights are available lpips and clip_similarity.

        - exact_match: 1 if all of a frame's tokens are those of the observed frame. A codec that encodes different
          frames as the same tokens makes them equal, so read it beside `codec/psnr` and `copy/exact_match`.
        - token_accuracy: the share of token positions at which both have the same code, 0 to 1.
        - psnr (dB) and ssim against the observed frame itself, at the codec's size: see `image_metrics`.
        """
        by_pixels = {"psnr": psnr, "ssim": ssim, **perceptual_measures()}
        return {
            "exact_match": self.exact_match,
            "token_accuracy": self.token_accuracy,
            **{name: self._pixel_measure(compare) for name, compare in by_pixels.items()},
        }

    def exact_match(self, ours: str, theirs: str) -> float:
        """1 if both have the same tokens, else 0."""
        return float(self.tokens(ours) == self.tokens(theirs))

    def token_accuracy(self, ours: str, theirs: str) -> float:
        """The share of positions with the same token."""
        pairs = list(zip(self.tokens(ours), self.tokens(theirs), strict=True))
        return sum(a == b for a, b in pairs) / len(pairs)

    def tokens(self, key: str) -> list[int]:
        """A frame's token ids."""
        if key not in self._tokens:
            self._tokens[key] = list(self.codec.encode_state(self.state_of(key)))
        return self._tokens[key]

    def _pixel_measure(self, compare: Callable[[Pixels, Pixels], float]) -> Measure:
        return lambda ours, theirs: compare(self._pixels(ours), self._pixels(theirs))

    def _decode(self, key: str) -> Pixels:
        return state_pixels(self.state_of(key), self.codec.size)


def state_pixels(state: State, size: tuple[int, int]) -> Pixels:
    """A picture's pixels, scaled to `size` (width, height). Raises SwirlError if the file is not an image."""
    assert state.picture is not None
    return pictures.pixels(state.picture, size)
