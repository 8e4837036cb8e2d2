"""DiscEdit: the pixel distance by hand, and how its samples are drawn."""

import pytest
import toy_pictures as toy

from swirl.evaluation.disc_edit import draw_samples, pixel_distance
from swirl.models.results import Prediction
from swirl.sources.formats.aurora_bench import EditChoice

SOURCE = toy.draw((0, 0, 3, 0, 0, 0))
REDDER = toy.draw((1, 0, 3, 0, 0, 0))
WHITER = toy.draw((3, 3, 3, 3, 3, 3))


def test_the_pixel_distance_by_hand():
    assert pixel_distance(SOURCE, SOURCE) == 0.0
    assert pixel_distance(SOURCE, REDDER) == pytest.approx(255 / 18**0.5)  # one channel of three in one cell of six
    small = toy.draw((1, 0, 3, 0, 0, 0), side=1)
    assert pixel_distance(small, REDDER) == 0.0  # at the edited picture's size
    assert pixel_distance(SOURCE, WHITER) == pytest.approx(255 * (5 / 6) ** 0.5)  # five of six cells


def test_both_pictures_of_a_sample_are_drawn_with_the_same_seed():
    class Painter(toy.Knowing):
        def __init__(self):
            super().__init__()
            self.seeds = []

        def imagine(self, state, action, *, n=4, temperature=1.0, seed=0):
            assert n == 1
            self.seeds.append(seed)
            return [Prediction(self.imagine_batch([state], [action])[0], 0.0, 0.0)]

    model = Painter()
    choices = [EditChoice("cells", "cells/0", SOURCE.picture, pos="paint 2 white", neg="paint 2 red")]
    samples = list(draw_samples(model, choices, n=3, seed=5))
    assert model.seeds == [5, 5, 6, 6, 7, 7]
    boards = [tuple(map(model.codec.board, sample)) for sample in samples]
    assert boards == [((0, 0, 3, 0, 0, 0), (0, 0, 3, 0, 0, 0), (0, 0, 1, 0, 0, 0))] * 3
