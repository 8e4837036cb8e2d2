"""The picture metrics: by hand on single frames, and on models that know, copy or leak."""

import math
from dataclasses import replace
from statistics import fmean

import pytest
import toy_pictures as toy

from swirl import pictures
from swirl.evaluation import codec_metrics, controllability, cycle, forward, horizon, leakage
from swirl.evaluation import copy_baseline as copying
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.image_metrics import MAX_PSNR
from swirl.evaluation.report import align_true_actions, evaluate, held_out_scores
from swirl.sources.collections.catalog import import_collection
from swirl.states import Picture, State, Transition

ALL_BLACK = (0, 0, 0, 0, 0, 0)
ONE_WHITE = (0, 0, 3, 0, 0, 0)
NEED_TRUE_ACTIONS = {
    "forward/exact_match", "forward/token_accuracy", "forward/psnr", "forward/ssim", "inverse/exact_match",
    "forward/changed_facts", "forward/kept_facts",
    "inverse/rouge_l", "inverse/log_prob", "health/distinct_true", "health/effective_number_true",
    "health/mean_length_true", "inverse/nmi", "inverse/v_measure", "inverse/ari", "inverse/probe",
    "inverse/probe_across", "inverse/probe_commonest", "health/perplexity_ratio",
}  # fmt: skip
ALWAYS = {
    "forward/log_prob", "copy/exact_match", "copy/token_accuracy", "copy/psnr", "copy/ssim", "cycle/exact_match",
    "cycle/psnr", "cycle/action_exact_match", "cycle/log_prob", "controllability/log_prob_gain",
    "controllability/delta_psnr", "health/distinct", "health/effective_number", "health/mean_length", "leakage/stitch",
    "leakage/state_ablation", "leakage/foreign_context", "health/zero_variance",
    "codec/psnr", "codec/ssim", "codec/codes_used",
}  # fmt: skip
ALWAYS |= {
    f"{group}/{name}@{steps}"
    for group in ("horizon", "copy")
    for name in ("exact_match", "psnr")
    for steps in range(1, 7)
}


@pytest.fixture
def rows():
    """rows(model, sequences): a model's rows on toy sequences, with their true actions."""

    def make(model, sequences=12):
        states, actions = toy.collection(sequences)
        transitions = [transition for sequence in states for transition in sequence.transitions()]
        return EvaluatedRows(transitions, align_true_actions(transitions, actions), ModelAnswers(model))

    return make


@pytest.fixture
def imported(tmp_path):
    """imported(sequences, known): a home with the toy world as the collection `cells`."""

    def make(sequences=80, known=True):
        toy.record(tmp_path / "source", sequences, known)
        (tmp_path / "home").mkdir()
        import_collection(tmp_path / "home", tmp_path / "source", "cells")
        return tmp_path / "home"

    return make


def one(model, x, y):
    """Rows of a single transition between two boards."""
    return EvaluatedRows([Transition("a", 0, toy.draw(x), toy.draw(y))], None, ModelAnswers(model))


def test_copying_a_frame_with_one_cell_of_six_changed_by_hand():
    measured = copying.score_predictions(one(toy.Knowing(), ALL_BLACK, ONE_WHITE))
    assert measured["exact_match"] == [0.0]
    assert measured["token_accuracy"] == [pytest.approx(5 / 6)]
    assert measured["psnr"] == [pytest.approx(10 * math.log10(6))]  # one sixth of the values is off by 255
    assert 0.0 < measured["ssim"][0] < 1.0
    still = copying.score_predictions(one(toy.Knowing(), ALL_BLACK, ALL_BLACK))
    assert still == {"exact_match": [1.0], "token_accuracy": [1.0], "psnr": [MAX_PSNR], "ssim": [1.0]}


def test_tokens_are_compared_with_tokens_and_pixels_with_the_observed_frame():
    asked = replace(one(toy.Knowing(off=5), ALL_BLACK, (0, 0, 3, 0, 0, 0)), true_actions=["paint 2 white"])
    compared = forward.compare_states(forward.predicted_keys(asked), asked.next_keys, asked.measures)
    assert compared["exact_match"] == compared["token_accuracy"] == [1.0]
    # Five of six cells are drawn with 5 instead of 0; white cannot be brighter.
    assert compared["psnr"] == [pytest.approx(10 * math.log10(255**2 / (25 * 5 / 6)))]


def test_frames_of_another_size_are_compared_at_the_codecs_size():
    small = Transition("a", 0, toy.draw(ALL_BLACK, side=1), toy.draw(ONE_WHITE, side=2))
    assert cycle.score_predictions(EvaluatedRows([small], None, ModelAnswers(toy.Knowing())), "psnr") == [MAX_PSNR]


def test_the_knowing_the_copying_and_the_leaking_are_distinguished(rows):
    knowing, copies, leaking = rows(toy.Knowing()), rows(toy.Copying()), rows(toy.Leaking())
    assert set(cycle.score_predictions(knowing, "psnr")) == set(cycle.score_predictions(leaking, "psnr")) == {MAX_PSNR}
    assert cycle.score_predictions(copies, "psnr") == copying.score_predictions(copies)["psnr"]
    assert fmean(controllability.delta_psnr(knowing)) > 10.0
    assert controllability.delta_psnr(copies) == [0.0] * 96
    assert fmean(leakage.state_ablation(knowing)) > 2.0
    assert leakage.state_ablation(leaking) == [0.0] * 96


def test_delta_psnr_by_hand():
    # The foreign action of each transition is the other's: black becomes red instead of white, and vice versa.
    transitions = [
        Transition("a", 0, toy.draw(ALL_BLACK), toy.draw(ONE_WHITE)),
        Transition("b", 0, toy.draw(ALL_BLACK), toy.draw((0, 0, 1, 0, 0, 0))),
    ]
    gain = controllability.delta_psnr(EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing())))
    wrong = 10 * math.log10(6 * 3 / 2)  # two of three channels of one cell of six
    assert gain == [pytest.approx(MAX_PSNR - wrong)] * 2


def test_the_horizons_psnr_falls_with_the_steps(rows):
    class Slipping(toy.Knowing):
        """Right except for the last cell, which is never painted."""

        def prediction(self, x, action):
            return x if action.startswith("paint 5") else toy.paint(x, action)

    measured = horizon.score_rollouts(rows(Slipping()))
    first, second, third = (fmean(v for v in measured[f"psnr@{steps}"] if v is not None) for steps in (1, 2, 3))
    assert MAX_PSNR > first > second > third
    assert horizon.score_rollouts(rows(toy.Knowing(), 1))["psnr@3"] == [MAX_PSNR] * 6 + [None] * 2


def test_equal_frames_are_one_question_wherever_they_are_stored(tmp_path):
    model = toy.Knowing()
    x, y = toy.draw(ALL_BLACK), toy.draw(ONE_WHITE)
    file = tmp_path / "copy.png"
    file.write_bytes(pictures.read_picture_bytes(x.picture))
    again = State(picture=Picture(file=file))
    asked = EvaluatedRows([Transition("a", 0, x, y), Transition("b", 0, again, y)], None, ModelAnswers(model))
    assert asked.inferred_actions == ["paint 2 white"] * 2
    assert cycle.state_exact_match(asked) == [1.0, 1.0]
    assert model.asked == 2  # one inference, one prediction


def test_every_metric_of_pictures_with_an_interval(imported):
    home = imported()
    report = evaluate(toy.Knowing(), home, "cells")
    assert set(report.metrics) == NEED_TRUE_ACTIONS | ALWAYS
    assert all(value.low <= value.value <= value.high for value in report.metrics.values())
    right = [name for name in report.metrics if "exact_match" in name and not name.startswith("copy")]
    assert {report.metrics[name].value for name in right} == {1.0}
    assert report.metrics["forward/psnr"].value == MAX_PSNR > report.metrics["copy/psnr"].value > 0.0
    assert report.metrics["copy/token_accuracy"].value == pytest.approx(5 / 6)
    assert report.metrics["codec/codes_used"].value == 4


def test_without_true_actions_the_metrics_that_need_them_are_left_out(imported):
    assert set(evaluate(toy.Copying(), imported(known=False), "cells", part="train", limit=40).metrics) == ALWAYS


def test_the_held_out_scores_of_pictures(rows):
    known = rows(toy.Knowing())
    scores = held_out_scores(toy.Knowing(), known.transitions, known.true_actions)
    assert scores["forward/exact_match"] == scores["inverse/exact_match"] == scores["cycle/exact_match"] == 1.0
    assert scores["forward/psnr"] == scores["cycle/psnr"] == MAX_PSNR > scores["copy/psnr"]
    unlabelled = held_out_scores(toy.Copying(), known.transitions, None)
    assert set(unlabelled) == {
        "cycle/exact_match", "cycle/psnr", "copy/exact_match", "copy/psnr", "forward/log_prob",
    }  # fmt: skip
    assert unlabelled["cycle/psnr"] == unlabelled["copy/psnr"] == scores["copy/psnr"]


def test_what_the_codec_alone_loses_by_hand():
    frames = [toy.draw(ALL_BLACK), toy.draw((3,) * 6)]
    lost = codec_metrics.score_reconstructions(toy.Knowing(off=5).codec, frames, seed=0)
    assert lost["psnr"] == pytest.approx([10 * math.log10(255**2 / 25), MAX_PSNR])
    c1 = (0.01 * 255) ** 2
    assert lost["ssim"] == pytest.approx([c1 / (25 + c1), 1.0])


def test_a_limited_number_of_frames_is_reconstructed(rows, monkeypatch):
    monkeypatch.setattr(codec_metrics, "MAX_FRAMES", 10)
    asked = rows(toy.Knowing())
    values = codec_metrics.score_reconstructions(asked.frames.codec, asked.next_states, seed=0)["psnr"]
    assert len(values) == 96 and [value for value in values if value is not None] == [MAX_PSNR] * 10
