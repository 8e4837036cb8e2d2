"""Two checkpoints side by side: the same transitions, fair verdicts, like figures with like."""

from __future__ import annotations

from pathlib import Path

from studio.comparing import canonical, known_figures
from studio.components.compare_table import compare_table, metrics_table
from studio.view_models.comparison import Told, decided, disagreement, order, sample, tallies
from studio.view_models.metric_rows import Figure, better, figures, metric_rows, shown
from swirl.history import History
from swirl.sources.split import part
from swirl.states import State, StateSequence

NAMES = {"a": "x@0", "b": "x@1"}


def sequences(count: int) -> list[StateSequence]:
    return [StateSequence(f"s{i}", tuple(State(f"{i} {k}") for k in range(5))) for i in range(count)]


def told(action: bool | None, state: bool, text: str = "y") -> Told:
    return Told("go" if action else "stay", -0.1, text, action, state)


def test_the_sample_is_of_the_test_part_and_always_the_same() -> None:
    found = sample(sequences(60), 6)
    assert found == sample(sequences(60), 6)
    assert len(found) == 6 and {part(t.sequence_id) for t in found} == {"test"}
    assert len({t.sequence_id for t in found}) > 1


def test_a_small_collection_is_used_whole() -> None:
    train_only = [s for s in sequences(30) if part(s.id) == "train"][:2]
    assert len(sample(train_only, 50)) == 8


def test_the_most_disputed_come_first() -> None:
    answers = {
        "a": [told(True, True), told(True, True), told(True, True)],
        "b": [told(True, True), told(False, True), told(True, False)],
    }
    assert order(answers, True) == [2, 1, 0]
    assert order(answers, False) == [0, 1, 2]
    assert disagreement(told(None, True), told(None, True)) == 0


def test_a_few_transitions_do_not_decide() -> None:
    few = {"a": [told(True, True)] * 3, "b": [told(True, False)] * 3}
    found = tallies(NAMES, few)[0]
    assert found.tone == "neutral" and "too few" in found.why
    many = {"a": [told(True, True)] * 12, "b": [told(True, False)] * 12}
    assert tallies(NAMES, many)[0].tone == "good"
    assert tallies(NAMES, many)[1].claim == "Equal on actions"
    assert not decided(5, 0) and decided(6, 0) and not decided(0, 0)


def test_without_true_actions_nobody_is_right_about_them() -> None:
    found = tallies(NAMES, {"a": [told(None, True)], "b": [told(None, True)]})
    assert found[1].claim == "They name the same action in 1 of 1"


def test_only_parted_intervals_are_a_verdict() -> None:
    low, high, wide = Figure(0.5, 0.4, 0.6), Figure(0.8, 0.7, 0.9), Figure(0.7, 0.55, 0.85)
    name = "forward/exact_match"
    assert better(name, {name: low}, {name: high}) == "b"
    assert better(name, {name: low}, {name: wide}) == ""
    assert better(name, {name: Figure(0.1)}, {name: Figure(0.9)}) == ""
    assert better("leakage/overlap", {"leakage/overlap": low}, {"leakage/overlap": high}) == "a"
    assert better("copy/exact_match", {"copy/exact_match": low}, {"copy/exact_match": high}) == ""


def test_figures_are_read_from_evaluations_and_scores() -> None:
    stored = figures(
        {"forward/exact_match": {"value": 0.73, "low": 0.7, "high": 0.76}, "x/y": {"value": None}, "z/w": 1}
    )
    assert stored == {"forward/exact_match": Figure(0.73, 0.7, 0.76), "z/w": Figure(1)}
    text = shown("forward/exact_match", stored["forward/exact_match"]).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "73 % (70 to 76 %)"
    assert shown("forward/log_prob", Figure(-0.214)) == "−0.21"
    assert shown("forward/log_prob", None) == "–"


def test_like_is_compared_with_like(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={"data": "household"})
    for index, (iteration, phase) in enumerate(((0, "warm-up"), (1, "forward"))):
        scores = {"forward/exact_match": 0.5 + 0.1 * index}
        history.add_checkpoint(run, index=index, iteration=iteration, phase=phase, path="p", scores=scores)
    names = [f"{run}@0", f"{run}@1-forward"]
    (a, b), source = known_figures(tmp_path, names, "household")
    assert (a["forward/exact_match"].value, b["forward/exact_match"].value) == (0.5, 0.6)
    assert source.startswith("selection part")
    for name in names:
        metrics = {"forward/exact_match": {"value": 0.4, "low": 0.3, "high": 0.5}}
        history.add_evaluation(checkpoint=name, data="household", metrics=metrics)
    assert known_figures(tmp_path, names, "household")[1].startswith("test part")
    assert known_figures(tmp_path, names, "other") == ([{}, {}], "")
    assert canonical(tmp_path, run) == f"{run}@1-forward"
    history.mark_best(run, 0)
    assert canonical(tmp_path, run) == f"{run}@0"


def test_right_and_wrong_are_told_in_words_and_texts_are_escaped() -> None:
    transition = sample([StateSequence("s", (State("you in <hall>."), State("you in kitchen.")))], 1)[0]
    answers = {
        "a": [Told("go <b>", -0.1, "you in kitchen.", True, True)],
        "b": [Told("stay", -0.1, "you in cellar.", False, False)],
    }
    html = compare_table(NAMES, [transition], ["go <b>"], answers, [0])
    assert "✓ right" in html and "✕ wrong" in html and "✕ 1 word off" in html
    assert "<b>you" not in html and "&lt;hall&gt;" in html and "go &lt;b&gt;" in html
    rows = metric_rows({"forward/exact_match": Figure(0.5)}, {})
    assert "Next state right" in metrics_table(rows, NAMES)
