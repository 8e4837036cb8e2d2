"""The rules that say whether two models that train each other have agreed on a private code.

`partner_exchange` measures what they need. Nothing here imports a scoring package.
"""

from __future__ import annotations

from dataclasses import dataclass

from swirl.evaluation.bootstrap import Estimate

PRIVATE_SHARE = 0.05
"""The private share above which actions are a private code.

It is not 0, because a forward model may fail on unfamiliar words for the same action. Runs of tiny-household and
tiny-blocks have 0.00 against their own warm-up (on 123 and 78 transitions). A tiny-household that was warmed up on
labels with all verbs renamed has 0.15 (interval 0.10 to 0.20, on 110 transitions) against the one with the usual verbs;
not more, since its forward model often understands an action by its nouns and the state alone.
"""

MIN_MASTERED = 10
"""The fewest transitions that both pairs must predict.

With fewer, a single failed prediction (half a transition) would put the share above PRIVATE_SHARE.
"""


@dataclass(frozen=True)
class PrivateCodeVerdict:
    """Whether a model shares a private code with its own partner; `sentence` says it in words.

    `is_private` is None where it cannot be told: too few transitions, or an interval that includes the limit.
    """

    is_private: bool | None
    sentence: str


def private_code_verdict(
    share: Estimate | None, mastered: int, partner: str, truth_gap: Estimate | None = None
) -> PrivateCodeVerdict:
    """The verdict on an exchange with `partner`, a name to be put into the sentence.

    `share` is the private share, measured on `mastered` transitions, which both pairs predict (None if there are none).
    Private: the whole interval of the share is above PRIVATE_SHARE. Common: the share is at most PRIVATE_SHARE.
    `truth_gap`, where true actions are known, is log P(y | x, inferred) − log P(y | x, true) of the forward model, nats
    per token; if its whole interval is above 0, the sentence says so, but the verdict does not depend on it, because
    actions that leak the next state are understood better than the truth, too.
    """
    if share is None or mastered < MIN_MASTERED:
        counted = "only one transition" if mastered == 1 else f"only {mastered} transitions"
        private = None
        sentence = f"Cannot tell whether its actions mean the same to {partner}: both predict {counted}."
    elif share.value <= PRIVATE_SHARE:
        private = False
        sentence = f"Its actions mean the same to {partner}."
    elif share.low > PRIVATE_SHARE:
        private = True
        sentence = (
            f"{percent(share.value)} of the score depends on its own partner: the two models have a private code, "
            f"which {partner} does not share."
        )
    else:
        private = None
        sentence = (
            f"Perhaps a private code: {percent(share.value)} of the score depends on its own partner rather than on "
            f"{partner}, but the interval includes {percent(PRIVATE_SHARE)}."
        )
    if truth_gap is not None and truth_gap.low > 0:
        sentence += (
            f" Its forward model understands the inferred actions better than the true ones, by {truth_gap.value:.2f} "
            "nats per token."
        )
    return PrivateCodeVerdict(private, sentence)


def percent(share: float) -> str:
    """A share from 0 to 1 as a percentage that no line break divides."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
