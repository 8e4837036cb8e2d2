"""A glance at the latent actions: do they mean something, have they collapsed, do they give the next state away?

A few dozen transitions are enough to tell a sound model from a broken one, in seconds. `evaluate` measures the same
things on a whole part of a collection.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from swirl.evaluation import action_health, bootstrap, cycle, leakage
from swirl.evaluation.answers import Answers
from swirl.evaluation.health_findings import Case, Glance
from swirl.evaluation.held_out_transitions import Rows
from swirl.evaluation.protocols import Answering, Progress, no_longer_than
from swirl.evaluation.text_metrics import exact_match
from swirl.states import StateSequence, Transition

LOOKED_AT = 40
"""Transitions: enough to tell a collapsed model from a sound one, a few seconds on two cores."""


def glance(
    model: Answering,
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None,
    progress: Progress | None = None,
) -> Glance:
    """Look at the actions that a model infers for these transitions, of which there must be one at least."""
    rows = Rows(list(transitions), true_actions, Answers(model, progress=progress))
    with no_longer_than(model, rows.next_states):
        cases = found(rows)
    groups = [t.sequence_id for t in transitions]
    columns: dict[str, list[float | None]] = {
        name: [getattr(case, name) for case in cases]
        for name in ("shuffling", "read_back", "stitch", "ablation", "overlap")
    }
    if true_actions is not None:
        columns["agreement"] = [exact_match(z, truth) for z, truth in zip(rows.inferred, true_actions, strict=True)]
    columns["length"] = list(action_health.lengths(rows.inferred))
    figures = {name: value for name, values in columns.items() if (value := bootstrap.of_mean(values, groups))}
    for name, count in (("distinct", lambda z: float(len(set(z)))), ("effective", action_health.effective_number)):
        figures[name] = bootstrap.by_jackknife(rows.inferred, groups, count)
    return Glance(cases, figures)


def found(rows: Rows) -> tuple[Case, ...]:
    """The cases of all rows."""
    others = strangers(rows.inferred)
    own = rows.answers.forward_log_prob(rows.states, rows.inferred, rows.next_states)
    told = [z if z is not None else own_z for z, own_z in zip(others, rows.inferred, strict=True)]
    swapped = rows.answers.forward_log_prob(rows.states, told, rows.next_states)
    stitched, alone = leakage.stitch(rows), leakage.state_ablation(rows)
    shared = leakage.overlap(rows, rows.inferred) if rows.kind == "text" else [None] * len(rows.transitions)
    again = cycle.action_exact_match(rows)
    return tuple(
        Case(
            t.sequence_id,
            t.step,
            rows.inferred[i],
            rows.true_actions[i] if rows.true_actions is not None else None,
            others[i],
            own[i].total - swapped[i].total if others[i] is not None else None,
            bool(again[i]),
            stitched[i],
            alone[i],
            shared[i],
        )
        for i, t in enumerate(rows.transitions)
    )


def strangers(actions: Sequence[str]) -> list[str | None]:
    """For each action the next one in the list, round its end, that is another; None when all are one."""
    return [next((a for a in (*actions[i:], *actions[:i]) if a != own), None) for i, own in enumerate(actions)]


def looked_at(sequences: Sequence[StateSequence], limit: int = LOOKED_AT, seed: int = 0) -> list[Transition]:
    """Some transitions of all sequences, always the same."""
    everyone = [transition for sequence in sequences for transition in sequence.transitions()]
    return random.Random(seed).sample(everyone, min(limit, len(everyone)))
