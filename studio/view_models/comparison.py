"""Two checkpoints on the same transitions: what each made of them, where they disagree, and which did better."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.view_models.likeness import Likeness
from studio.view_models.numbers import counted
from studio.view_models.verdicts import Verdict
from swirl.sources.split import part
from swirl.states import State, StateSequence, Transition

SIDES = ("a", "b")


@dataclass(frozen=True)
class Told:
    """What one checkpoint said of a transition; `action_right` is None where the true action is not known.

    `imagined` is the key of the next state it imagined: a text itself. A picture comes along as `frame`, with how like
    the truth it is.
    """

    action: str
    log_prob: float
    imagined: str
    action_right: bool | None
    state_right: bool
    frame: State | None = None
    likeness: Likeness | None = None


def sample(sequences: Sequence[StateSequence], limit: int, seed: int = 0) -> list[Transition]:
    """Up to `limit` transitions of the test part, always the same, from as many sequences as there are.

    A collection too small to have a test part is used whole.
    """
    chosen = [s for s in sequences if part(s.id) == "test"] or list(sequences)
    rng = random.Random(seed)
    piles = [list(s.transitions()) for s in chosen]
    for pile in piles:
        rng.shuffle(pile)
    rng.shuffle(piles)
    found: list[Transition] = []
    while len(found) < limit and any(piles):
        for pile in piles:
            if pile and len(found) < limit:
                found.append(pile.pop())
    return found


def disagreement(a: Told, b: Told) -> int:
    """How much two answers part: 4 where one next state is right and the other wrong, then actions, then wordings."""
    score = 4 * (a.state_right != b.state_right)
    score += 2 * (a.action_right != b.action_right if a.action_right is not None else a.action != b.action)
    return score + (a.imagined != b.imagined)


def order(told: Mapping[str, Sequence[Told]], by_disagreement: bool) -> list[int]:
    """The transitions' indices as they come, or the most disputed first."""
    indices = list(range(len(told["a"])))
    if by_disagreement:
        indices.sort(key=lambda i: -disagreement(told["a"][i], told["b"][i]))
    return indices


def tallies(names: Mapping[str, str], told: Mapping[str, Sequence[Told]]) -> list[Verdict]:
    """Who was right how often on the shown transitions, in words; a difference of few is no verdict."""
    verdicts = [tally("next states", names, {side: [t.state_right for t in told[side]] for side in SIDES})]
    if all(t.action_right is not None for t in told["a"]):
        verdicts.append(tally("actions", names, {side: [bool(t.action_right) for t in told[side]] for side in SIDES}))
    else:
        same = sum(a.action == b.action for a, b in zip(told["a"], told["b"], strict=True))
        why = "These data have no true actions, so neither can be called right."
        verdicts.append(Verdict("neutral", f"They name the same action in {same} of {len(told['a'])}", why))
    return verdicts


def tally(what: str, names: Mapping[str, str], right: Mapping[str, Sequence[bool]]) -> Verdict:
    """One line of the tally: counts, and on how many only one of the two was right."""
    total = len(right["a"])
    counts = {side: sum(right[side]) for side in SIDES}
    only = {
        side: sum(mine and not theirs for mine, theirs in zip(right[side], right[other], strict=True))
        for side, other in (("a", "b"), ("b", "a"))
    }
    figures = f"{counts['a']} and {counts['b']} of {total} {what} right; only A {only['a']}, only B {only['b']}"
    if counts["a"] == counts["b"]:
        return Verdict("neutral", f"Equal on {what}", figures)
    better = max(SIDES, key=lambda side: counts[side])
    claim = f"{better.upper()} is right on {counted(abs(counts['a'] - counts['b']), what[:-1], what)} more"
    if not decided(only["a"], only["b"]):
        return Verdict("neutral", claim, f"{figures}: too few to tell them apart; evaluate both to know")
    return Verdict("good", claim, f"{figures}: {names[better]} is better here")


def decided(only_a: int, only_b: int) -> bool:
    """Whether the sign test at 5 % tells the two apart, given how often only the one, and only the other, was right."""
    trials, most = only_a + only_b, max(only_a, only_b)
    chances, ways = 0, 1
    for k in range(trials + 1):
        chances += ways if k >= most else 0
        ways = ways * (trials - k) // (k + 1)
    return trials > 0 and 2 * chances <= 0.05 * 2**trials
