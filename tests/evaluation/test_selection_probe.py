"""The probe of a run: the same transitions of the selection part each time, and the right measure for each phase."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import toy

from swirl.evaluation.selection_probe import SelectionProbe
from swirl.evaluation.selection_scores import SelectionScorer
from swirl.sources.collections.split import split_of


def test_it_draws_the_same_transitions_of_the_selection_part(tmp_path: Path) -> None:
    first, second = (SelectionScorer(tmp_path, "household", 3).make_probe(48) for _ in range(2))
    assert first is not None and second is not None
    assert len(first.transitions) == 48 and first.transitions == second.transitions
    assert {split_of(t.sequence_id) for t in first.transitions} == {"selection"}
    assert len({t.sequence_id for t in first.transitions}) > 15, "they come from anywhere in it"
    assert first.true_actions is not None and len(first.true_actions) == 48
    everything = SelectionScorer(tmp_path, "household", 3).make_probe(1_000_000)
    assert everything is not None and len(everything.transitions) > 200


@pytest.mark.parametrize("known", [True, False])
def test_its_measures_are_those_of_the_phases_trainee(rows, known: bool) -> None:
    found = rows(toy.Knowing(), known=known)
    probe = SelectionProbe(found.transitions, found.true_actions, 20)
    right = probe.measure(toy.Knowing(), "forward")
    assert right.exact_match == (1.0,) * 20
    copying = probe.measure(toy.Copying(), "forward")
    changed = [t.state.text != t.next_state.text for t in probe.transitions]
    assert copying.exact_match == tuple(float(not change) for change in changed) and any(changed)
    assert all(new < old for old, new, change in zip(right.log_prob, copying.log_prob, changed, strict=True) if change)
    inverse = probe.measure(toy.Copying(), "inverse")
    if known:
        same = [toy.Copying().action(t.state.text, t.next_state.text) for t in probe.transitions]
        assert inverse.exact_match == tuple(float(a == b) for a, b in zip(same, probe.true_actions, strict=True))
    else:
        assert inverse.exact_match == copying.exact_match, "judged by the next state that the action leads to"
    assert probe.measure(toy.Knowing(), "inverse").exact_match == (1.0,) * 20


def test_few_sequences_rarely_show_a_change_that_is_none(rows) -> None:
    """Of samples without a change, 5 % may seem to have one; a bootstrap of 4 sequences saw one in a quarter."""
    found = rows(toy.Knowing())
    few = {sequence: None for sequence in (t.sequence_id for t in found.transitions)}
    generator = random.Random(0)
    for count in (2, 4, 7):
        kept = [t for t in found.transitions if t.sequence_id in list(few)[:count]]
        probe = SelectionProbe(kept, None, len(kept))
        misses = 0
        for _ in range(400):
            shift = {sequence: generator.gauss(0, 1) for sequence in few}
            after = [shift[t.sequence_id] + generator.gauss(0, 1) for t in probe.transitions]
            change = probe.change([0.0] * len(after), after)
            misses += change.low > 0 or change.high < 0
        assert 0.01 < misses / 400 < 0.1
    alone = [t for t in found.transitions if t.sequence_id == next(iter(few))]
    change = SelectionProbe(alone, None, len(alone)).change([0.0] * len(alone), [1.0] * len(alone))
    assert (change.value, change.low, change.high) == (1.0, -math.inf, math.inf)


def test_a_change_is_paired_and_its_interval_drawn_by_sequence(rows) -> None:
    found = rows(toy.Knowing())
    probe = SelectionProbe(found.transitions, found.true_actions, 40)
    before = [float(index) for index in range(40)]
    change = probe.change(before, [value - 0.5 for value in before])
    assert (change.value, change.low, change.high) == pytest.approx((-0.5, -0.5, -0.5)), "a large spread cancels out"
    one = probe.transitions[0].sequence_id
    after = [1.0 if transition.sequence_id == one else 0.0 for transition in probe.transitions]
    share = sum(after) / 40
    change = probe.change([0.0] * 40, after)
    assert change.value == pytest.approx(share) and change.low == 0.0 and change.high > share
