"""Metrics against the packages that define them, on random texts and frames."""

import random

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from swirl.evaluation import bootstrap, image_metrics, text_metrics

WORDS = ["the", "lamp", "in", "hall", "is", "on", "off", "apple", "take", "key,", "door.", "Open", "chest"]


def random_texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for _ in range(count)]


@pytest.mark.parametrize(("counts", "score", "reference"), [
    (text_metrics.bleu_counts, text_metrics.bleu, sacrebleu.corpus_bleu),
    (text_metrics.chrf_counts, text_metrics.chrf, sacrebleu.corpus_chrf),
])  # fmt: skip
def test_corpus_scores_of_any_draw_equal_sacrebleus(counts, score, reference):
    ours, theirs = random_texts(0, 40), random_texts(1, 40)
    rows = counts(ours, theirs)
    for seed in range(5):
        drawn = random.Random(seed).choices(range(40), k=40)
        expected = reference([ours[i] for i in drawn], [[theirs[i] for i in drawn]]).score
        assert score(rows[drawn].sum(axis=0)) == pytest.approx(expected)
    value = bootstrap.bootstrap_statistic(rows, [str(i // 4) for i in range(40)], score)
    assert value.low < value.value < value.high and value.value == pytest.approx(reference(ours, [theirs]).score)


def test_rouge_l_equals_rouge_scores():
    scorer = RougeScorer(["rougeL"])
    for ours, theirs in zip(random_texts(2, 40), random_texts(3, 40), strict=True):
        assert text_metrics.rouge_l(ours, theirs) == pytest.approx(scorer.score(theirs, ours)["rougeL"].fmeasure)
    same = random_texts(4, 1)[0]
    assert text_metrics.rouge_l(same, same) == scorer.score(same, same)["rougeL"].fmeasure == 1.0


def test_psnr_and_ssim_equal_scikit_images():
    rng = np.random.default_rng(0)
    for _ in range(5):
        a = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).astype(np.uint8)
        assert image_metrics.psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255))
        expected = structural_similarity(a, b, channel_axis=2, data_range=255)
        assert image_metrics.ssim(a, b) == pytest.approx(expected)
