"""DiscEdit's score on samples whose answer is known."""

import pytest
import toy_pictures as toy

from swirl.evaluation.disc_edit import Score, disc_edit, draw_samples, pixel_distance
from swirl.models.results import Prediction
from swirl.sources.formats.aurora_bench import EditChoice

SHOWN = toy.draw((0, 0, 3, 0, 0, 0))
REDDER = toy.draw((1, 0, 3, 0, 0, 0))
WHITER = toy.draw((3, 3, 3, 3, 3, 3))


def test_the_distance_of_pixels_by_hand():
    assert pixel_distance(SHOWN, SHOWN) == 0.0
    assert pixel_distance(SHOWN, REDDER) == pytest.approx(255 / 18**0.5)  # one channel of three, one cell of six
    small = toy.draw((1, 0, 3, 0, 0, 0), side=1)
    assert pixel_distance(small, REDDER) == 0.0  # at the edited picture's size
    assert pixel_distance(SHOWN, WHITER) > pixel_distance(SHOWN, REDDER)


def test_the_share_of_samples_in_which_less_was_changed():
    right, wrong, tie = (SHOWN, SHOWN, REDDER), (SHOWN, WHITER, REDDER), (SHOWN, REDDER, REDDER)
    assert disc_edit([right, right], pixel_distance) == Score(1.0, 0.0, 2)
    score = disc_edit([right, wrong, tie, tie], pixel_distance)
    assert (score.mean, score.samples) == (0.25, 4)
    assert score.error == pytest.approx((0.25 * 0.75 / 4) ** 0.5)
    # Another distance turns the verdict round.
    assert disc_edit([right], lambda shown, edited: -pixel_distance(shown, edited)).mean == 0.0
    with pytest.raises(ValueError, match="none"):
        disc_edit([], pixel_distance)


def test_both_instructions_of_a_sample_are_drawn_with_one_seed():
    class Painter(toy.Knowing):
        def __init__(self):
            super().__init__()
            self.seeds = []

        def imagine(self, state, action, *, n=4, temperature=1.0, seed=0):
            assert n == 1
            self.seeds.append(seed)
            return [Prediction(self.imagine_batch([state], [action])[0], 0.0, 0.0)]

    model = Painter()
    choices = [EditChoice("cells", "cells/0", SHOWN.picture, pos="paint 2 white", neg="paint 2 red")]
    samples = list(draw_samples(model, choices, n=3, seed=5))
    assert model.seeds == [5, 5, 6, 6, 7, 7]
    assert disc_edit(samples, pixel_distance) == Score(1.0, 0.0, 3)
