"""Up to four checkpoints on the same transitions: what each made of them, where they part, and which did better."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from studio.view_models.formatting import pluralize
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.training_verdicts import Verdict
from swirl.sources.collections.split import split_of
from swirl.states import State, StateSequence, Transition

SIDES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class CheckpointAnswer:
    """What one checkpoint said of a transition; `action_right` is None where the true action is not known.

    `imagined` is the key of the next state it imagined: a text itself. A picture comes along as `frame`, with how like
    the truth it is. A model that only shows next states (`preview`) names no action: then `action` and `log_prob` are
    None. `given` is the action that the next state was imagined from.
    """

    action: str | None
    log_prob: float | None
    imagined: str
    action_right: bool | None
    state_right: bool
    frame: State | None = None
    likeness: FrameSimilarity | None = None
    given_action: str = ""
    is_baseline: bool = False
    """Whether nobody imagined it: the state was copied, which names no action either."""

    @property
    def is_preview(self) -> bool:
        """Whether it comes from a model that only shows next states, or from copying the state."""
        return self.action is None


def sample_transitions(sequences: Sequence[StateSequence], limit: int, seed: int = 0) -> list[Transition]:
    """Up to `limit` transitions of the test part, always the same, from as many sequences as there are.

    A collection too small to have a test part is used whole.
    """
    chosen = [s for s in sequences if split_of(s.id) == "test"] or list(sequences)
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


def disagreement_score(answers: Sequence[CheckpointAnswer]) -> int:
    """How much the answers to one transition part, summed over all pairs of them.

    4 where one next state is right and the other wrong, 2 for actions of which that is so (or, without true ones, that
    are not the same), 1 for another next state.
    """
    return sum(_parted(one, other) for one, other in combinations(answers, 2))


def _parted(a: CheckpointAnswer, b: CheckpointAnswer) -> int:
    score = 4 * (a.state_right != b.state_right) + (a.imagined != b.imagined)
    if a.is_preview or b.is_preview:
        return score
    return score + 2 * (a.action_right != b.action_right if a.action_right is not None else a.action != b.action)


def transition_order(told: Mapping[str, Sequence[CheckpointAnswer]], by_disagreement: bool) -> list[int]:
    """The transitions' indices as they come, or the most disputed first."""
    rows = list(zip(*told.values(), strict=True))
    indices = list(range(len(rows)))
    if by_disagreement:
        indices.sort(key=lambda i: -disagreement_score(rows[i]))
    return indices


def describe_disagreement(answers: Mapping[str, CheckpointAnswer]) -> str:
    """Where the answers to one transition part, in words: `only B has the next state right`."""
    right = [side.upper() for side, told in answers.items() if told.state_right]
    if 0 < len(right) < len(answers):
        return f"only {join_sides(right)} {'has' if len(right) == 1 else 'have'} the next state right"
    spoken = [told for told in answers.values() if not told.is_preview]
    known = [told.action_right for told in spoken if told.action_right is not None]
    if known and len(set(known)) > 1:
        named = [side.upper() for side, told in answers.items() if told.action_right]
        return f"only {join_sides(named)} {'names' if len(named) == 1 else 'name'} the true action"
    if len({told.imagined for told in answers.values()}) > 1:
        return "they differ, and none is right" if not right else "they differ in marks or spaces"
    agreed = "they agree" if right else "they agree, and are wrong"
    return "other actions, one next state" if len({told.action for told in spoken}) > 1 else agreed


def join_sides(sides: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, [", ".join(sides[:-1]), sides[-1]]))


def tally_verdicts(names: Mapping[str, str], told: Mapping[str, Sequence[CheckpointAnswer]]) -> list[Verdict]:
    """Who was right how often on the shown transitions, in words; a difference of few is no verdict."""
    verdicts = [
        tally_verdict("next states", names, {side: [t.state_right for t in answers] for side, answers in told.items()})
    ]
    spoken = {side: answers for side, answers in told.items() if not any(t.is_preview for t in answers)}
    if len(spoken) < 2:
        return verdicts
    if all(t.action_right is not None for answers in spoken.values() for t in answers):
        right = {side: [bool(t.action_right) for t in answers] for side, answers in spoken.items()}
        verdicts.append(tally_verdict("actions", names, right))
    else:
        rows = list(zip(*spoken.values(), strict=True))
        same = sum(len({t.action for t in row}) == 1 for row in rows)
        why = "These data have no true actions, so none can be called right."
        verdicts.append(Verdict("neutral", f"They name the same action in {same} of {len(rows)}", why))
    return verdicts


def tally_verdict(what: str, names: Mapping[str, str], right: Mapping[str, Sequence[bool]]) -> Verdict:
    """One line of the tally: counts, and, of the best and the next best, on how many only one was right."""
    counts = {side: sum(row) for side, row in right.items()}
    total = len(next(iter(right.values())))
    best, second = sorted(counts, key=lambda side: -counts[side])[:2]
    figures = ", ".join(f"{side.upper()} {count}" for side, count in counts.items()) + f" of {total} {what} right"
    if counts[best] == counts[second]:
        equal = [side.upper() for side in counts if counts[side] == counts[best]]
        together = "" if len(counts) == 2 else f": {join_sides(equal)}"
        return Verdict("neutral", f"Equal on {what}{together}", figures)
    only = [
        sum(x and not y for x, y in zip(right[i], right[j], strict=True)) for i, j in ((best, second), (second, best))
    ]
    figures += f"; only {best.upper()} {only[0]}, only {second.upper()} {only[1]}"
    ahead = "" if len(counts) == 2 else f" than {second.upper()}, the next best"
    claim = f"{best.upper()} is right on {pluralize(counts[best] - counts[second], what[:-1], what)} more{ahead}"
    if not is_significant(*only):
        return Verdict("neutral", claim, f"{figures}: too few to tell them apart; evaluate them to know")
    return Verdict("good", claim, f"{figures}: {names[best]} is better here")


def is_significant(only_a: int, only_b: int) -> bool:
    """Whether the sign test at 5 % tells the two apart, given how often only the one, and only the other, was right."""
    trials, most = only_a + only_b, max(only_a, only_b)
    chances, ways = 0, 1
    for k in range(trials + 1):
        chances += ways if k >= most else 0
        ways = ways * (trials - k) // (k + 1)
    return trials > 0 and 2 * chances <= 0.05 * 2**trials
