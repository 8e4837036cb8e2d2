"""Text measures against known values, and intervals with the coverage that they promise."""

import numpy as np
import pytest
import sacrebleu

from swirl.evaluation import bootstrap, text_metrics

GRID = ["####\n#@ #\n####", "####\n# @#\n####"]
"""A map in which only the place of `@` among spaces changes."""


def test_exact_match_sees_white_space():
    assert text_metrics.exact_match("you hall , lamp on", "you hall , lamp on") == 1.0
    assert text_metrics.exact_match(*GRID) == 0.0
    for other in (" x = 1", "x = 1\n", "x  = 1", "x = 1\r\n", "X = 1"):
        assert text_metrics.exact_match(other, "x = 1") == 0.0


def test_actions_are_the_same_if_their_words_are():
    assert text_metrics.same_words("press  the switch\n", "press the switch") == 1.0
    assert text_metrics.same_words("press the switch", "press a switch") == 0.0


def test_token_accuracy_counts_positions_of_the_longer_text():
    assert text_metrics.token_accuracy("a b c d", "a b x d") == 0.75
    assert text_metrics.token_accuracy("a b", "a b c d") == 0.5
    assert text_metrics.token_accuracy("", "") == 1.0


def test_token_accuracy_counts_a_word_with_the_white_space_before_it():
    assert text_metrics.token_accuracy("def f:\n    x", "def f:\n  x") == pytest.approx(2 / 3)
    assert text_metrics.token_accuracy("a b\n", "a b") == pytest.approx(2 / 3)
    assert 0 < text_metrics.token_accuracy(*GRID) < 1


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence():
    assert text_metrics.rouge_l("the cat sat", "the cat lay") == pytest.approx(2 / 3)
    assert text_metrics.rouge_l("take apple", "take the red apple") == pytest.approx(2 * 1.0 * 0.5 / 1.5)


def test_bleu_equals_sacrebleus():
    ours = ["the lamp in the hall is on", "you are in the cellar with an apple", "no"]
    theirs = ["the lamp in the hall is off", "you are in the cellar with an old apple", "yes"]
    counts = text_metrics.bleu_counts(ours, theirs)
    assert text_metrics.bleu(counts.sum(axis=0)) == pytest.approx(sacrebleu.corpus_bleu(ours, [theirs]).score)


def test_n_grams_drop_case_and_punctuation():
    assert text_metrics.n_grams("You carry: a lamp.", 2) == {("you", "carry"), ("carry", "a"), ("a", "lamp")}
    assert text_metrics.n_grams("one", 2) == set()


def test_the_interval_of_a_mean_covers_it_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        values = rng.normal(1.0, 2.0, size=80)
        interval = bootstrap.bootstrap_mean(list(values), [str(i) for i in range(80)], seed=trial)
        covered += interval.low <= 1.0 <= interval.high
    assert 180 <= covered <= 199


def test_transitions_of_one_sequence_are_not_counted_as_independent():
    values = [float(i // 20) for i in range(40)]  # two sequences, each all 0 or all 1
    together = bootstrap.bootstrap_mean(values, ["a"] * 20 + ["b"] * 20)
    apart = bootstrap.bootstrap_mean(values, [str(i) for i in range(40)])
    assert together.high - together.low == 1.0 and apart.high - apart.low < 0.4


def test_the_same_seed_gives_the_same_interval():
    values, groups = [0.0, 1.0, 1.0, 0.0, 1.0], list("abcde")
    assert bootstrap.bootstrap_mean(values, groups, seed=1) == bootstrap.bootstrap_mean(values, groups, seed=1)


def test_undefined_values_are_left_out_and_without_values_there_is_no_mean():
    assert bootstrap.bootstrap_mean([1.0, None, 0.0, None], list("abcd")).value == 0.5
    assert bootstrap.bootstrap_mean([None], ["a"]) is None


def test_the_jackknife_gives_the_textbook_error_of_a_mean():
    items = ["1", "2", "3", "6"]
    value = bootstrap.jackknife_statistic(items, list("abcd"), lambda chosen: sum(map(float, chosen)) / len(chosen))
    error = np.std([1, 2, 3, 6], ddof=1) / 2
    assert value.value == 3.0
    assert value.high - value.value == pytest.approx(bootstrap.NORMAL_QUANTILE * error)


def corpus_bleu(pairs):
    """Corpus BLEU of pairs of a candidate and its reference."""
    return text_metrics.bleu(text_metrics.bleu_counts(*zip(*pairs, strict=True)).sum(axis=0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Вы на кухне. Дверь закрыта.", "Вы на кухне. Дверь открыта."),
        ("你在厨房。桌上有苹果。", "你在厨房。你拿着苹果。"),
        ("台所にいます。", "台所にいました。"),
        GRID,
    ],
)
def test_texts_in_any_script_are_compared_by_what_they_consist_of(one, other):
    for measure in (text_metrics.rouge_l, text_metrics.token_accuracy):
        assert 0.4 < measure(one, other) < 1
        assert measure(one, one) == 1
    assert 20 < corpus_bleu([(one, other)]) < 100
    assert corpus_bleu([(one, one)]) == pytest.approx(100)
    assert text_metrics.chrf(text_metrics.chrf_counts([one], [other]).sum(axis=0)) < 100


def test_indentation_alone_makes_a_difference_to_every_measure():
    one, other = "if x:\n    go()\n    stop()\n", "if x:\n    go()\nstop()\n"
    assert text_metrics.rouge_l(one, other) < 1 and text_metrics.token_accuracy(one, other) < 1
    assert corpus_bleu([(one, other)]) < 100
    assert text_metrics.chrf(text_metrics.chrf_counts([one], [other]).sum(axis=0)) < 100


def test_orders_that_no_text_reaches_are_left_out_of_bleu():
    assert corpus_bleu([("door open", "door open")] * 5) == pytest.approx(100)
    assert 0 < corpus_bleu([("door open", "door shut"), ("lamp on", "lamp on")]) < 100
    assert corpus_bleu([("a b c d e", "a b c d e"), ("a", "a")]) == pytest.approx(100)


def test_benchmarks_get_sacrebleus_own_words():
    texts = ["a\n  b c d e"]
    assert text_metrics.bleu_counts(texts, texts, standard=True)[0][8] == 5
    assert text_metrics.bleu_counts(texts, texts)[0][8] == 7
