"""What asking a judge will cost, told before it begins."""

from __future__ import annotations

from dataclasses import dataclass

from swirl.evaluation.judge.endpoint import Endpoint

CHARACTERS_PER_TOKEN = 4
"""Characters of English to a token, about."""
TOKENS_PER_PICTURE = 255
"""Tokens of a picture of up to 512 pixels a side, as GPT-4o counts them: 85, and 170 for a tile."""
TOKENS_PER_ANSWER = 60
"""Tokens of an answer, about."""


@dataclass(frozen=True, slots=True)
class JudgeCalls:
    """So many calls of one kind: `characters` of words and `pictures` in each."""

    calls: int
    characters: int
    pictures: int


def describe_cost(loads: list[JudgeCalls], endpoint: Endpoint) -> str:
    """A sentence with the calls, tokens and, where a price is given, the money that they need at the most."""
    calls = sum(load.calls for load in loads)
    asked = sum(
        load.calls * (load.characters // CHARACTERS_PER_TOKEN + load.pictures * TOKENS_PER_PICTURE) for load in loads
    )
    answered = calls * TOKENS_PER_ANSWER
    said = (
        f"The judge {endpoint.model} at {endpoint.url} will be asked up to {calls} times: about {asked} tokens in and "
        f"{answered} out; answers that are kept from before cost nothing."
    )
    if endpoint.price is None:
        return f"{said} The money is not known, for no price is given (--judge-price or SWIRL_JUDGE_PRICE)."
    money = (asked * endpoint.price[0] + answered * endpoint.price[1]) / 1e6
    return f"{said} That is about {money:.2f} at {endpoint.price[0]:g} and {endpoint.price[1]:g} a million tokens."
