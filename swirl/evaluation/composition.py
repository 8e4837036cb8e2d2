"""Measure whether actions can be undone and composed, on two consecutive transitions x → y → w.

An action that means something has an opposite where the world has one, and two in a row lead where the sequence went:

- Undo: z = IDM(x, y) and its opposite z⁻ = IDM(y, x); does FWM(FWM(x, z), z⁻) lead back to x?
- Compose: z₁ = IDM(x, y) and z₂ = IDM(y, w); does FWM(FWM(x, z₁), z₂) lead to w?

Transitions that change nothing are left out, since they are undone and composed for free. A model that copies undoes
everything, because it never does anything: so the share that counts is the one among transitions whose prediction was
right, FWM(x, z) = y, of which copying has none. Where the world itself has no way back (something eaten or broken), no
model undoes the step, so only shares on the same transitions can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from swirl.evaluation import bootstrap
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.health_findings import Composition
from swirl.evaluation.text_metrics import same_words
from swirl.states import State, StateSequence, Transition


def states_after(transitions: Sequence[Transition], sequences: Sequence[StateSequence]) -> list[State | None]:
    """For each transition x → y the state w observed after y; None at the end of its sequence."""
    states = {sequence.id: sequence.states for sequence in sequences}
    return [next(iter(states[t.sequence_id][t.step + 2 :]), None) for t in transitions]


def states_after_next(transitions: Sequence[Transition]) -> list[State | None]:
    """The same for transitions of which the next one is among them; None where it is not."""
    following = {(t.sequence_id, t.step): t.next_state for t in transitions}
    return [following.get((t.sequence_id, t.step + 1)) for t in transitions]


def check_composition(rows: EvaluatedRows, after: Sequence[State | None]) -> list[Composition | None]:
    """Undo and compose each row's action; `after` is the state w of each row (`states_after`).

    None for a row that changes nothing. What needs w is None where w is, or where the second step changes nothing.
    """
    answers, exact = rows.answers, rows.measures["exact_match"]

    def equal(ours: Sequence[State], theirs: Sequence[State]) -> list[bool]:
        return [exact(a, b) == 1 for a, b in zip(rows.keys(ours), rows.keys(theirs), strict=True)]

    changed = [i for i, x in enumerate(rows.keys(rows.states)) if x != rows.next_keys[i]]
    x, y = [rows.states[i] for i in changed], [rows.next_states[i] for i in changed]
    opposites = answers.actions(y, x)
    imagined = answers.next_states(x, [rows.inferred_actions[i] for i in changed])
    returned = answers.next_states(imagined, opposites)
    found: dict[int, Composition] = {
        i: Composition(opposite, done, undone)
        for i, opposite, done, undone in zip(changed, opposites, equal(imagined, y), equal(returned, x), strict=True)
    }
    pairs = [(i, state, w) for i, state in zip(changed, imagined, strict=True) if (w := after[i]) is not None]
    pairs = [(i, state, w) for i, state, w in pairs if answers.key(w) != rows.next_keys[i]]
    x, y, w = [rows.states[i] for i, _, _ in pairs], [rows.next_states[i] for i, _, _ in pairs], [w for *_, w in pairs]
    second = answers.actions(y, w)
    reached = answers.next_states([state for _, state, _ in pairs], second)
    columns = {
        "second": second,
        "second_done": equal(answers.next_states(y, second), w),
        "two_steps": equal(reached, w),
        "reads_same": [
            bool(same_words(*both)) for both in zip(answers.actions(x, reached), answers.actions(x, w), strict=True)
        ],
        "returns": equal(w, x),
    }
    for place, (i, _, _) in enumerate(pairs):
        found[i] = replace(found[i], **{name: column[place] for name, column in columns.items()})
    return rows.one_per_transition(found)


def composition_figures(
    found: Sequence[Composition | None], groups: Sequence[str], seed: int = 0
) -> dict[str, Estimate]:
    """The shares with 95 % intervals over `groups` (the sequences), by name; one that is nowhere defined is left out.

    - `done`: FWM(x, z) = y. `undone`: FWM(FWM(x, z), z⁻) = x, for which copying has 1. `undone_after_done`: the same of
      the transitions that were done, where copying has none.
    - `two_steps`: FWM(FWM(x, z₁), z₂) = w. `two_steps_expected`: the product of the shares of FWM(x, z₁) = y and
      FWM(y, z₂) = w, as if failures were independent. `two_steps_gain`: the difference of both. `two_steps_copy`: the
      share that copying has, where w = x. `reads_same`: IDM(x, FWM(FWM(x, z₁), z₂)) has the words of IDM(x, w).
    """
    there = [(one, group) for one, group in zip(found, groups, strict=True) if one is not None]
    pairs = [(one, group) for one, group in there if one.two_steps is not None]
    columns = {
        "done": [(one.done, group) for one, group in there],
        "undone": [(one.undone, group) for one, group in there],
        "undone_after_done": [(one.undone, group) for one, group in there if one.done],
        "two_steps": [(one.two_steps, group) for one, group in pairs],
        "two_steps_copy": [(one.returns, group) for one, group in pairs],
        "reads_same": [(one.reads_same, group) for one, group in pairs],
    }
    figures = {
        name: bootstrap.bootstrap_mean([float(value) for value, _ in column], [group for _, group in column], seed)
        for name, column in columns.items()
        if column
    }
    if pairs:
        rows = np.array([(one.two_steps, one.done, one.second_done, 1.0) for one, _ in pairs], dtype=float)
        grouped = [group for _, group in pairs]
        statistics = {"two_steps_expected": expected_two_steps, "two_steps_gain": two_steps_gain}
        for name, statistic in statistics.items():
            figures[name] = bootstrap.bootstrap_statistic(rows, grouped, statistic, seed)
    return {name: value for name, value in figures.items() if value is not None}


def expected_two_steps(sums: np.ndarray) -> float:
    """The product of the shares of both single steps, from the sums (both steps, first, second, number)."""
    return float(sums[1] * sums[2] / sums[3] ** 2) if sums[3] else 0.0


def two_steps_gain(sums: np.ndarray) -> float:
    """The share of two steps that are right, minus the one expected from single steps."""
    return float(sums[0] / sums[3]) - expected_two_steps(sums) if sums[3] else 0.0
