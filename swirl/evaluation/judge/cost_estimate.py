"""Estimate what a judge will cost, to show before it is asked."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.evaluation.judge.endpoint import Endpoint

CHARACTERS_PER_TOKEN = 4
"""Characters of English per token, approximately."""
TOKENS_PER_PICTURE = 255
"""Tokens of a picture of up to 512 pixels a side as GPT-4o counts them: 85, plus 170 for one tile."""
TOKENS_PER_ANSWER = 60
"""Tokens of an answer, approximately."""


@dataclass(frozen=True, slots=True)
class JudgeCalls:
    """A number of calls of one kind, each with this many `characters` of text and this many `pictures`."""

    calls: int
    characters: int
    pictures: int


def describe_cost(kinds: list[JudgeCalls], endpoint: Endpoint) -> str:
    """The upper limits of the calls, the tokens and, if a price is given, the cost, in sentences."""
    calls = sum(kind.calls for kind in kinds)
    tokens_in = sum(
        kind.calls * (kind.characters // CHARACTERS_PER_TOKEN + kind.pictures * TOKENS_PER_PICTURE) for kind in kinds
    )
    tokens_out = calls * TOKENS_PER_ANSWER
    estimate = (
        f"The judge {endpoint.model} at {endpoint.url} will be asked up to {calls} times: about {tokens_in} tokens in "
        f"and {tokens_out} out; answers already in the history cost nothing."
    )
    if endpoint.price is None:
        return f"{estimate} The cost is unknown because no price is given (--judge-price or SWIRL_JUDGE_PRICE)."
    cost = (tokens_in * endpoint.price[0] + tokens_out * endpoint.price[1]) / 1e6
    return (
        f"{estimate} That costs about {cost:.2f} at {endpoint.price[0]:g} and {endpoint.price[1]:g} per million tokens."
    )
