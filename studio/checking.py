"""Whether a collection's inferred actions are any good: do they mean something, do they differ, do they give away."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from studio.inference import Models
from studio.library import sequences
from studio.view_models.numbers import counted, percent, signed
from studio.view_models.verdicts import Verdict
from swirl.errors import SwirlError
from swirl.evaluation.health import effective_number
from swirl.states import State

TRANSITIONS = 40  # enough to tell a collapsed model from a sound one, a few seconds on two cores
LEAKY = 0.2  # share of the next state's new word pairs found in the action, above which it copies rather than names
FEW = 3  # effective actions below which they hardly differ
MEANINGFUL = 1.0  # nats: below, the forward model hardly listens to the action


@dataclass(frozen=True)
class Health:
    """`shuffling_costs`: mean nats that log P(y | x, z) loses with another transition's action, None without another.

    `overlap`: mean share of the next state's new word pairs that the action repeats, 0 to 1; None of pictures.
    """

    transitions: int
    shuffling_costs: float | None
    distinct: int
    effective: float
    overlap: float | None


def check(home: Path, models: Models, name: str, data: str) -> Health:
    """Examine some transitions of a collection, always the same; SwirlError when it has none."""
    pairs = [(t.state, t.next_state) for sequence in sequences(home, data) for t in sequence.transitions()]
    if not pairs:
        raise SwirlError(f"The collection {data} has no transition to check.")
    pairs = random.Random(0).sample(pairs, min(TRANSITIONS, len(pairs)))
    actions = [found.action for found in models.infer(name, pairs, alternatives=False)]
    return Health(
        transitions=len(pairs),
        shuffling_costs=shuffling_costs(models, name, pairs, actions),
        distinct=len(set(actions)),
        effective=effective_number(actions),
        overlap=mean_overlap(pairs, actions),
    )


def shuffling_costs(
    models: Models, name: str, pairs: Sequence[tuple[State, State]], actions: Sequence[str]
) -> float | None:
    """How many nats the true next state loses, on average, under another action; None when there is no other."""
    others = [next((a for a in (*actions[i:], *actions[:i]) if a != own), None) for i, own in enumerate(actions)]
    rows = [(x, y, own, other) for (x, y), own, other in zip(pairs, actions, others, strict=True) if other is not None]
    if not rows:
        return None
    states, next_states, owns, swapped = zip(*rows, strict=True)
    with models.use(name) as model:
        scores = model.forward_log_prob([*states, *states], [*owns, *swapped], [*next_states, *next_states])
    totals = [score.total for score in scores]
    return (sum(totals[: len(rows)]) - sum(totals[len(rows) :])) / len(rows)


def mean_overlap(pairs: Sequence[tuple[State, State]], actions: Sequence[str]) -> float | None:
    """How much of what is new in the next states stands in the actions, as `leakage/overlap` measures it.

    None of pictures, whose words are not known.
    """
    if pairs[0][1].picture is not None:
        return None
    from swirl.evaluation.leakage import N  # they bring scoring packages that take seconds to import
    from swirl.evaluation.texts import n_grams

    shares = []
    for (state, next_state), action in zip(pairs, actions, strict=True):
        new = n_grams(next_state.text, N) - n_grams(state.text, N)
        if new:
            shares.append(len(new & n_grams(action, N)) / len(new))
    return fmean(shares) if shares else 0.0


def verdicts(health: Health) -> list[Verdict]:
    """The three judgements in words, with their figures."""
    cost = health.shuffling_costs
    if cost is None:
        meaning = Verdict("wrong", "Collapsed", "every transition gets the same action")
    elif cost >= MEANINGFUL:
        meaning = Verdict("good", "Meaningful", f"shuffling them costs {signed(cost)} nats")
    else:
        meaning = Verdict("wrong", "Hardly heard", f"shuffling them costs only {signed(cost)} nats")
    spread = f"{health.effective:.0f} effective actions, {health.distinct} distinct"
    diverse = health.effective >= min(FEW, 0.5 * health.transitions)
    differ = Verdict("good", "Not collapsed", spread) if diverse else Verdict("wrong", "Nearly collapsed", spread)
    examined = Verdict("neutral", counted(health.transitions, "transition"), "chosen at random")
    if health.overlap is None:
        return [meaning, differ, examined]
    copied = f"{percent(health.overlap)} of what is new in the next states stands in them"
    leak = Verdict("inverse", "Possible leak", copied) if health.overlap > LEAKY else Verdict("good", "No leak", copied)
    return [meaning, differ, leak, examined]
