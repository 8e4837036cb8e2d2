"""Comparison of up to four checkpoints on the same transitions: their answers, disagreements and verdicts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from studio.view_models.formatting import pluralize
from studio.view_models.frame_similarity import FrameSimilarity
from studio.view_models.training_verdicts import Verdict
from swirl.sources.collections.split import split_of
from swirl.states import State, StateSequence, Transition

SIDES = ("a", "b", "c", "d")


@dataclass(frozen=True)
class CheckpointAnswer:
    """One checkpoint's answer to a transition; `action_right` is None where the true action is unknown.

    `imagined` is the key of the imagined next state; for a text, the text itself. A picture is also given as `frame`,
    with its similarity to the true one in `likeness`. A preview model infers no actions, so its `action` and
    `log_prob` are None. `given_action` is the action from which the next state was imagined.
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
    """Draw up to `limit` transitions of the test part, spread over as many sequences as possible.

    The same `seed` gives the same sample. A collection too small to have a test part is used whole.
    """
    chosen = [s for s in sequences if split_of(s.id) == "test"] or list(sequences)
    rng = random.Random(seed)
    piles = [list(s.transitions()) for s in chosen]
    for pile in piles:
        rng.shuffle(pile)
    rng.shuffle(piles)
    sample: list[Transition] = []
    while len(sample) < limit and any(piles):
        for pile in piles:
            if pile and len(sample) < limit:
                sample.append(pile.pop())
    return sample


def describe_sample(transitions: Sequence[Transition]) -> str:
    """`12 transitions of the test part`, or that they are from all parts, of what `sample_transitions` drew."""
    count = pluralize(len(transitions), "transition")
    if all(split_of(transition.sequence_id) == "test" for transition in transitions):
        return f"{count} of the test part"
    return f"{count}, those of training among them (too few sequences to set some aside)"


def disagreement_score(answers: Sequence[CheckpointAnswer]) -> int:
    """How far the answers to one transition disagree, summed over all pairs.

    A pair scores 4 if only one of its next states is right, 2 if only one of its actions is right (or, without true
    actions, if the actions differ), and 1 if the next states differ.
    """
    return sum(_pair_score(one, other) for one, other in combinations(answers, 2))


def is_same_next_state(a: CheckpointAnswer, b: CheckpointAnswer) -> bool:
    """Whether two answers imagined the same: two pictures may both be right, and differ in what no code tells."""
    return a.imagined == b.imagined or (a.state_right and b.state_right)


def _pair_score(a: CheckpointAnswer, b: CheckpointAnswer) -> int:
    score = 4 * (a.state_right != b.state_right) + (not is_same_next_state(a, b))
    if a.is_preview or b.is_preview:
        return score
    return score + 2 * (a.action_right != b.action_right if a.action_right is not None else a.action != b.action)


def transition_order(answers: Mapping[str, Sequence[CheckpointAnswer]], by_disagreement: bool) -> list[int]:
    """The indices of the transitions, in order or with the most disputed first."""
    rows = list(zip(*answers.values(), strict=True))
    indices = list(range(len(rows)))
    if by_disagreement:
        indices.sort(key=lambda i: -disagreement_score(rows[i]))
    return indices


def describe_disagreement(answers: Mapping[str, CheckpointAnswer]) -> str:
    """Where the answers to one transition disagree, in words: `only B has the next state right`."""
    right = [side.upper() for side, answer in answers.items() if answer.state_right]
    if 0 < len(right) < len(answers):
        return f"only {join_sides(right)} {'has' if len(right) == 1 else 'have'} the next state right"
    inferring = [answer for answer in answers.values() if not answer.is_preview]
    judged = [answer.action_right for answer in inferring if answer.action_right is not None]
    if judged and len(set(judged)) > 1:
        named = [side.upper() for side, answer in answers.items() if answer.action_right]
        return f"only {join_sides(named)} {'infers' if len(named) == 1 else 'infer'} the true action"
    if not right and len({answer.imagined for answer in answers.values()}) > 1:
        return "all different, none right"
    agreed = "they agree" if right else "they agree, and are wrong"
    return "different actions, same next state" if len({answer.action for answer in inferring}) > 1 else agreed


def join_sides(sides: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join(filter(None, [", ".join(sides[:-1]), sides[-1]]))


def tally_verdicts(names: Mapping[str, str], answers: Mapping[str, Sequence[CheckpointAnswer]]) -> list[Verdict]:
    """How often each checkpoint was right on the shown transitions; an insignificant difference gives no winner."""
    verdicts = [
        tally_verdict("next states", names, {side: [a.state_right for a in row] for side, row in answers.items()})
    ]
    inferring = {side: row for side, row in answers.items() if not any(a.is_preview for a in row)}
    if len(inferring) < 2:
        return verdicts
    transitions = list(zip(*inferring.values(), strict=True))
    judged = [row for row in transitions if all(a.action_right is not None for a in row)]
    if judged:
        right = {side: [bool(row[place].action_right) for row in judged] for place, side in enumerate(inferring)}
        verdict = tally_verdict("actions", names, right)
        if len(judged) < len(transitions):
            verdict = replace(verdict, reason=f"{verdict.reason}; the true action of the others is not known")
        verdicts.append(verdict)
    else:
        same = sum(len({a.action for a in row}) == 1 for row in transitions)
        why = "These data have no true actions to check them against."
        verdicts.append(Verdict("neutral", f"Same action on {same} of {len(transitions)} transitions", why))
    return verdicts


def tally_verdict(what: str, names: Mapping[str, str], right: Mapping[str, Sequence[bool]]) -> Verdict:
    """One line of the tally: all counts, and how often only the best or only the second best was right."""
    counts = {side: sum(row) for side, row in right.items()}
    total = len(next(iter(right.values())))
    best, second = sorted(counts, key=lambda side: -counts[side])[:2]
    figures = ", ".join(f"{side.upper()} {count}" for side, count in counts.items()) + f" of {total} {what} right"
    if counts[best] == counts[second]:
        equal = [side.upper() for side in counts if counts[side] == counts[best]]
        together = "" if len(counts) == 2 else f": {join_sides(equal)}"
        return Verdict("neutral", f"Equal on {what}{together}", figures)
    only_best, only_second = (
        sum(x and not y for x, y in zip(right[i], right[j], strict=True)) for i, j in ((best, second), (second, best))
    )
    figures += f"; only {best.upper()} {only_best}, only {second.upper()} {only_second}"
    rival = "" if len(counts) == 2 else f" than {second.upper()}, the next best"
    lead = counts[best] - counts[second]
    claim = f"{best.upper()} gets {lead} more {what[:-1] if lead == 1 else what} right{rival}"
    if not is_significant(only_best, only_second):
        return Verdict("neutral", claim, f"{figures}: too few to tell them apart; evaluate them to find out")
    return Verdict("good", claim, f"{figures}: {names[best]} is better here")


def is_significant(only_a: int, only_b: int) -> bool:
    """Whether a two-sided sign test at 5 % tells two checkpoints apart.

    `only_a` and `only_b` count the transitions that only the first, and only the second, got right.
    """
    trials, most = only_a + only_b, max(only_a, only_b)
    tail, binomial = 0, 1
    for k in range(trials + 1):
        tail += binomial if k >= most else 0
        binomial = binomial * (trials - k) // (k + 1)
    return trials > 0 and 2 * tail <= 0.05 * 2**trials
