"""The full report on a real collection folder, and the held-out scores."""

import json

import pytest
import toy

from swirl.errors import SwirlError
from swirl.evaluation import bert_score, evaluate, held_out_scores
from swirl.evaluation.report import align_true_actions, draw_transitions
from swirl.sources.collections.catalog import import_collection
from swirl.sources.collections.split import split_of
from swirl.states import State

NEED_TRUE_ACTIONS = {
    "forward/exact_match", "forward/token_accuracy", "forward/rouge_l", "forward/bleu", "inverse/exact_match",
    "forward/changed_facts",  # each toy state is one fact, so none is kept when it changes
    "inverse/rouge_l", "inverse/log_prob", "health/distinct_true", "health/effective_number_true",
    "health/mean_length_true", "leakage/overlap_true", "forward/chrf", "inverse/nmi", "inverse/v_measure",
    "inverse/ari", "inverse/probe", "inverse/probe_across", "inverse/probe_commonest", "health/perplexity_ratio",
}  # fmt: skip
ALWAYS = {
    "forward/log_prob", "copy/exact_match", "copy/token_accuracy", "copy/rouge_l", "copy/bleu", "cycle/exact_match",
    "cycle/action_exact_match", "cycle/log_prob", "controllability/log_prob_gain", "health/distinct",
    "health/effective_number", "health/mean_length", "leakage/stitch", "leakage/state_ablation", "leakage/overlap",
    "copy/chrf", "health/zero_variance", "leakage/foreign_context",
}  # fmt: skip
ALWAYS |= {f"{group}/exact_match@{steps}" for group in ("horizon", "copy") for steps in range(1, 7)}


if bert_score.model_folder() is not None:
    NEED_TRUE_ACTIONS |= {"forward/bertscore"}
    ALWAYS |= {"copy/bertscore"}


@pytest.fixture
def imported(tmp_path):
    """imported(sequences, known): a home with the toy world as the collection `toy`."""

    def make(sequences=80, known=True):
        states, actions = toy.collection(sequences)
        source = tmp_path / "source"
        source.mkdir()
        with open(source / "sequences.jsonl", "w", encoding="utf-8") as file:
            for sequence in states:
                file.write(json.dumps({"id": sequence.id, "states": [s.text for s in sequence.states]}) + "\n")
        if known:
            with open(source / "actions.jsonl", "w", encoding="utf-8") as file:
                for name, taken in actions.items():
                    file.write(json.dumps({"id": name, "actions": taken}) + "\n")
        home = tmp_path / "home"
        home.mkdir()
        import_collection(home, source / "sequences.jsonl", "toy")
        return home

    return make


def test_every_metric_with_an_interval_on_the_test_part(imported):
    home = imported()
    shares = []
    report = evaluate(toy.Knowing(), home, "toy", progress=lambda share, text: shares.append(share))
    held = [f"toy-{i}" for i in range(80) if split_of(f"toy-{i}") == "test"]
    assert (report.transitions, report.sequences, report.part) == (8 * len(held), len(held), "test")
    assert set(report.metrics) == NEED_TRUE_ACTIONS | ALWAYS
    assert all(value.low <= value.value <= value.high for value in report.metrics.values())
    right = [name for name in report.metrics if "exact_match" in name and not name.startswith("copy")]
    assert {report.metrics[name].value for name in right} == {1.0}
    assert report.metrics["forward/bleu"].value == pytest.approx(100.0)
    assert "do not leak" in report.remarks[0] and "adapters off" in report.remarks[1]
    assert any("non-standard" in remark for remark in report.remarks) == ("forward/bertscore" in report.metrics)
    assert shares and all(0.0 <= share <= 1.0 for share in shares)
    places, values = report.cases["places"], report.cases["values"]
    assert places == [[name, step] for name in held for step in range(8)]
    assert all(len(column) == len(places) for column in values.values())
    assert values["forward/exact_match"] == [1.0] * len(places) and values["horizon/exact_match@6"][2:4] == [1.0, None]


@pytest.mark.parametrize("known", [True, False])
def test_a_remark_names_words_that_are_taken_for_others(imported, known):
    class Confusing(toy.Knowing):
        """The forward model writes `coin` where `apple` stays."""

        def prediction(self, x, action):
            return super().prediction(x, action).replace("apple", "coin")

    home = imported(known=known)
    assert not any("takes words for others" in remark for remark in evaluate(toy.Knowing(), home, "toy").remarks)
    remark = evaluate(Confusing(), home, "toy").remarks[-1]
    assert remark.startswith("The forward model takes words for others: it writes “coin” in ")
    assert remark.endswith(" places where “apple” stays.")


def test_without_true_actions_the_metrics_that_need_them_are_left_out(imported):
    report = evaluate(toy.Knowing(), imported(known=False), "toy")
    assert set(report.metrics) == ALWAYS
    assert not any("perplexity" in remark for remark in report.remarks)


def test_a_limit_takes_whole_sequences_until_it_is_reached(imported):
    home = imported()
    report = evaluate(toy.Knowing(), home, "toy", part="train", limit=20)
    assert (report.transitions, report.sequences) == (20, 3)
    assert report.metrics["horizon/exact_match@3"].value == 1.0


def test_a_collection_without_a_test_part_is_used_whole(imported):
    assert split_of("toy-0") != "test"
    report = evaluate(toy.Knowing(), imported(sequences=1), "toy")
    assert (report.part, report.transitions) == ("all", 8)


def test_the_same_seed_gives_the_same_report(imported):
    home = imported()
    assert evaluate(toy.Copying(), home, "toy", seed=5) == evaluate(toy.Copying(), home, "toy", seed=5)


def test_an_unknown_collection_is_refused_by_name(tmp_path):
    with pytest.raises(SwirlError, match="narnia"):
        evaluate(toy.Knowing(), tmp_path, "narnia")


def test_true_actions_are_used_only_when_all_are_known():
    states, actions = toy.collection(2)
    transitions = draw_transitions(states, None, 0)
    assert align_true_actions(transitions, actions) == [*actions["toy-0"], *actions["toy-1"]]
    assert align_true_actions(transitions, {"toy-0": actions["toy-0"]}) is None
    assert align_true_actions(transitions, {**actions, "toy-1": actions["toy-1"][:-1]}) is None


def test_the_held_out_scores(rows):
    known, unknown = rows(toy.Knowing()), rows(toy.Copying(), known=False)
    scores = held_out_scores(toy.Knowing(), known.transitions, known.true_actions)
    assert scores["forward/exact_match"] == scores["inverse/exact_match"] == scores["cycle/exact_match"] == 1.0
    assert scores["copy/exact_match"] == 0.0 and -0.2 < scores["forward/log_prob"] < 0.0
    unlabelled = held_out_scores(toy.Copying(), unknown.transitions, None)
    assert set(unlabelled) == {"cycle/exact_match", "copy/exact_match", "forward/log_prob"}
    assert unlabelled["cycle/exact_match"] == 0.0


def test_a_prediction_that_never_ends_is_cut_near_the_longest_observed_state(rows):
    class Rambling(toy.Knowing):
        """Predicts up to its limit, one word per token."""

        def imagine_batch(self, states, actions, temperature=0.0):
            self.limits = {*getattr(self, "limits", ()), self.max_state_tokens}
            return [State("more " * self.max_state_tokens) for _ in states]

    model = Rambling()
    assert held_out_scores(model, rows(toy.Knowing()).transitions, None)["cycle/exact_match"] == 0.0
    assert model.limits == {9 + 9 // 4 + 8}  # eight words and an end mark in each toy state
    assert model.max_state_tokens == 1024
