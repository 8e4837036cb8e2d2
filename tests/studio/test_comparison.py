"""Tests of comparing checkpoints: the sample, the verdicts, and the metrics side by side."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

from studio.components.compare.comparison_table import compare_table
from studio.components.shared.metrics_table import metrics_table
from studio.services.checkpoint_answers import resolve_run_id
from studio.services.measured_metrics import known_figures
from studio.services.model_choices import PREVIEW_NOTE
from studio.view_models.comparison import (
    CheckpointAnswer,
    describe_disagreement,
    describe_sample,
    disagreement_score,
    is_significant,
    sample_transitions,
    tally_verdicts,
    transition_order,
)
from studio.view_models.metric_rows import (
    MetricValue,
    better_side,
    format_with_interval,
    metric_rows,
    parse_metric_values,
)
from studio.view_models.start_verdict import known_scores
from swirl.history import History
from swirl.sources.collections.catalog import delete_collection
from swirl.sources.collections.importing import import_collection
from swirl.sources.collections.split import split_of
from swirl.states import State, StateSequence

NAMES = {"a": "x@0", "b": "x@1"}


def sequences(count: int) -> list[StateSequence]:
    return [StateSequence(f"s{i}", tuple(State(f"{i} {k}") for k in range(5))) for i in range(count)]


def answer(action: bool | None, state: bool, text: str = "y") -> CheckpointAnswer:
    return CheckpointAnswer("go" if action else "stay", -0.1, text, action, state)


def test_the_sample_is_from_the_test_part_and_always_the_same() -> None:
    found = sample_transitions(sequences(60), 6)
    assert found == sample_transitions(sequences(60), 6)
    assert len(found) == 6 and {split_of(t.sequence_id) for t in found} == {"test"}
    assert len({t.sequence_id for t in found}) > 1


def test_a_small_collection_is_used_whole() -> None:
    train_only = [s for s in sequences(30) if split_of(s.id) == "train"][:2]
    found = sample_transitions(train_only, 50)
    assert len(found) == 8
    assert describe_sample(found).startswith("8 transitions, those of training among them")
    assert describe_sample(sample_transitions(sequences(60), 6)) == "6 transitions of the test part"


def test_the_most_disputed_come_first() -> None:
    answers = {
        "a": [answer(True, True), answer(True, True), answer(True, True)],
        "b": [answer(True, True), answer(False, True), answer(True, False)],
    }
    assert transition_order(answers, True) == [2, 1, 0]
    assert transition_order(answers, False) == [0, 1, 2]
    assert disagreement_score([answer(None, True), answer(None, True)]) == 0
    third = {**answers, "c": [answer(True, True), answer(False, True, "z"), answer(True, True)]}
    assert transition_order(third, True) == [2, 1, 0]


def test_disagreements_are_described_in_words() -> None:
    right, wrong, other = answer(True, True), answer(False, False, "z"), answer(False, False, "q")
    assert describe_disagreement({"a": right, "b": wrong}) == "only A has the next state right"
    assert describe_disagreement({"a": right, "b": wrong, "c": right}) == "only A and C have the next state right"
    assert describe_disagreement({"a": right, "b": answer(False, True)}) == "only A infers the true action"
    assert describe_disagreement({"a": wrong, "b": other}) == "all different, none right"
    assert describe_disagreement({"a": right, "b": right}) == "they agree"
    preview = CheckpointAnswer(None, None, "y", None, True, given_action="go")
    assert describe_disagreement({"a": right, "b": preview}) == "they agree"


def test_a_few_transitions_do_not_decide() -> None:
    few = {"a": [answer(True, True)] * 3, "b": [answer(True, False)] * 3}
    found = tally_verdicts(NAMES, few)[0]
    assert found.tone == "neutral" and "too few" in found.reason
    many = {"a": [answer(True, True)] * 12, "b": [answer(True, False)] * 12}
    assert tally_verdicts(NAMES, many)[0].tone == "good"
    assert tally_verdicts(NAMES, many)[1].claim == "Equal on actions"
    three = {**many, "c": [answer(True, True)] * 11 + [answer(True, False)]}
    best = tally_verdicts({**NAMES, "c": "x@2"}, three)[0]
    assert best.claim == "A gets 1 more next state right than C, the next best" and best.tone == "neutral"
    assert "A 12, B 0, C 11 of 12" in best.reason
    assert not is_significant(5, 0) and is_significant(6, 0) and not is_significant(0, 0)


def test_without_true_actions_only_agreement_is_counted() -> None:
    found = tally_verdicts(NAMES, {"a": [answer(None, True)], "b": [answer(None, True)]})
    assert found[1].claim == "Same action on 1 of 1 transitions"


def test_two_right_pictures_are_the_same_however_their_pixels_differ() -> None:
    answers = {"a": answer(True, True, "one"), "b": answer(True, True, "other")}
    assert disagreement_score(list(answers.values())) == 0 and describe_disagreement(answers) == "they agree"


def test_actions_are_tallied_where_the_true_ones_are_known() -> None:
    known, unknown = answer(True, True), replace(answer(True, True), action_right=None)
    verdicts = tally_verdicts(NAMES, {"a": [known, unknown], "b": [answer(False, True), unknown]})
    assert verdicts[1].reason.startswith("A 1, B 0 of 1 actions right")
    assert verdicts[1].reason.endswith("the true action of the others is not known")
    nothing = tally_verdicts(NAMES, {"a": [unknown], "b": [unknown]})
    assert nothing[1].reason == "These data have no true actions to check them against."


def test_only_disjoint_intervals_give_a_winner() -> None:
    low, high, wide = MetricValue(0.5, 0.4, 0.6), MetricValue(0.8, 0.7, 0.9), MetricValue(0.7, 0.55, 0.85)
    name = "forward/exact_match"
    assert better_side(name, {name: low}, {name: high}) == "b"
    assert better_side(name, {name: low}, {name: wide}) == ""
    assert better_side(name, {name: MetricValue(0.1)}, {name: MetricValue(0.9)}) == ""
    assert better_side("leakage/overlap", {"leakage/overlap": low}, {"leakage/overlap": high}) == "a"
    assert better_side("copy/exact_match", {"copy/exact_match": low}, {"copy/exact_match": high}) == ""


def test_figures_are_read_from_evaluations_and_scores() -> None:
    stored = parse_metric_values(
        {"forward/exact_match": {"value": 0.73, "low": 0.7, "high": 0.76}, "x/y": {"value": None}, "z/w": 1}
    )
    assert stored == {"forward/exact_match": MetricValue(0.73, 0.7, 0.76), "z/w": MetricValue(1)}
    text = format_with_interval("forward/exact_match", stored["forward/exact_match"]).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "73 % (70 to 76 %)"
    assert format_with_interval("forward/log_prob", MetricValue(-0.214)) == "−0.21"
    assert format_with_interval("forward/log_prob", None) == "–"


def test_metrics_come_from_the_same_source(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={"data": "household"})
    for index, (iteration, phase) in enumerate(((0, "warm-up"), (1, "forward"))):
        scores = {"forward/exact_match": 0.5 + 0.1 * index}
        history.add_checkpoint(run, index=index, iteration=iteration, phase=phase, path="p", scores=scores)
    names = [f"{run}@0", f"{run}@1-forward"]
    known = known_figures(tmp_path, names, "household")
    assert [found["forward/exact_match"].value for found in known.figures] == [0.5, 0.6]
    assert known.source.startswith("selection part") and known.differences == [{}]
    places = [[f"s{i}", 0] for i in range(20)]
    for share, name in enumerate(names):
        metrics = {"forward/exact_match": {"value": float(share), "low": 0.3, "high": 0.5}}
        cases = {"places": places, "values": {"forward/exact_match": [float(share)] * 20}}
        history.add_evaluation(checkpoint=name, data="household", metrics=metrics, cases=cases)
    known = known_figures(tmp_path, names, "household")
    assert known.source.startswith("test part")
    assert known.differences == [{"forward/exact_match": MetricValue(1.0, 1.0, 1.0)}]
    for name in names:
        history.add_evaluation(
            checkpoint=name, data="household", metrics={"forward/exact_match": {"value": 0.9}}, part="train"
        )
    assert known_figures(tmp_path, names, "household") == known  # figures of the test part stay
    for name, part in zip(names, ("train", "selection"), strict=True):
        metrics = {"forward/exact_match": {"value": 0.9}}
        history.add_evaluation(checkpoint=name, data="untested", metrics=metrics, part=part)
    assert known_figures(tmp_path, names, "untested").source.startswith("measured on different parts")
    history.add_evaluation(checkpoint=names[1], data="untested", metrics=metrics, part="train")
    assert known_figures(tmp_path, names, "untested").source == "training part, with 95\u00a0% intervals"
    assert known_figures(tmp_path, names, "other").figures == [{}, {}]
    assert resolve_run_id(tmp_path, run) == f"{run}@1-forward"
    history.mark_best(run, 0)
    assert resolve_run_id(tmp_path, run) == f"{run}@0"


def test_figures_of_a_replaced_collection_are_not_shown(tmp_path: Path) -> None:
    history, source = History(tmp_path), tmp_path / "mine.jsonl"

    def import_with(word: str) -> None:
        source.write_text(json.dumps({"id": "a", "states": [word, "lit", "dark"]}) + "\n")
        import_collection(tmp_path, source, "mine")
        time.sleep(0.002)  # times are stored to the millisecond

    import_with("dark")
    run = history.create_run(preset=None, settings={"data": "mine"})
    history.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path="p", scores={"forward/exact_match": 0.5})
    history.add_evaluation(checkpoint="tiny", data="mine", metrics={"forward/exact_match": {"value": 0.9}})

    def shown() -> list[bool]:
        return [bool(known_figures(tmp_path, [name], "mine").figures[0]) for name in ("tiny", f"{run}@0")]

    import_with("dark")
    assert shown() == [True, True] and known_scores(history, f"{run}@0", "mine")[0]
    import_with("bright")
    assert shown() == [False, False] and known_scores(history, f"{run}@0", "mine") == ({}, "")
    history.add_evaluation(checkpoint="tiny", data="mine", metrics={"forward/exact_match": {"value": 0.9}})
    delete_collection(tmp_path, "mine")
    time.sleep(0.002)
    import_with("grey")
    assert shown() == [False, False]


def test_right_and_wrong_are_shown_in_words_and_texts_are_escaped() -> None:
    transition = sample_transitions([StateSequence("s", (State("you in <hall>."), State("you in kitchen.")))], 1)[0]
    answers = {
        "a": [CheckpointAnswer("go <b>", -0.1, "you in kitchen.", True, True)],
        "b": [CheckpointAnswer("stay", -0.1, "you in cellar.", False, False)],
    }
    html = compare_table(NAMES, [transition], ["go <b>"], answers, [0])
    assert "✓ right" in html and "✕ wrong" in html and "✕ 1 word off" in html
    assert "<b>you" not in html and "&lt;hall&gt;" in html and "go &lt;b&gt;" in html
    rows = metric_rows([{"forward/exact_match": MetricValue(0.5)}, {}])
    assert "Next state right" in metrics_table(rows, NAMES)


def test_a_paired_difference_says_who_is_better() -> None:
    name, leak = "forward/exact_match", "leakage/overlap"
    both = {name: MetricValue(0.5, 0.4, 0.6), leak: MetricValue(0.1, 0.0, 0.2)}
    gaps = {name: MetricValue(0.03, 0.01, 0.05), leak: MetricValue(0.05, 0.01, 0.09)}
    exact, overlap = metric_rows([both, both], [gaps])
    difference = exact.cells[1].difference.replace("\N{NO-BREAK SPACE}", " ")
    assert difference == "+3 points (+1 to +5)" and exact.cells[1].winner == "this" and exact.cells[0].difference == ""
    assert overlap.cells[1].winner == "first"
    assert metric_rows([both, both], [{name: MetricValue(0.03, -0.01, 0.05)}])[0].cells[1].winner == ""
    html = metrics_table([exact, overlap], NAMES)
    assert "✓ better" in html and "✕ worse" in html and "paired over the same transitions" in html


def test_a_preview_model_is_marked() -> None:
    transition = sample_transitions([StateSequence("s", (State("you in hall."), State("you in kitchen.")))], 1)[0]
    preview = CheckpointAnswer(None, None, "you in kitchen.", None, True, given_action="go <there>")
    answers = {"a": [answer(None, False, "no")], "b": [preview]}
    html = compare_table(NAMES, [transition], [None], answers, [0])
    assert html.count(PREVIEW_NOTE) == 1 and "go &lt;there&gt;" in html
    assert len(tally_verdicts(NAMES, answers)) == 1
