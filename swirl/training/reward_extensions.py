"""Extensions of the reward, each off by default: what a rollout earns beside the partner's log-probability.

Forward phases: likeness to the observed next state, and a penalty for losing what the step left as it was. Inverse
phases: a cap on the length of actions, and a penalty for words that an action can only know from the next state. Both:
groups whose rewards hardly differ can be left out, as dividing by their spread would make noise of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from statistics import fmean, stdev

from swirl.models.world_model import WorldModel
from swirl.settings import Direction, Settings
from swirl.states import State, Transition
from swirl.text_units import Writing, plain_words, split_units, writing_of

EPSILON = 1e-4
"""Added to the spread of a group before dividing by it, as trl does."""


def extend_rewards(
    rewards: Sequence[float],
    world: WorldModel,
    direction: Direction,
    transitions: Sequence[Transition],
    completions: Sequence[Sequence[int]],
    settings: Settings,
) -> tuple[list[float], dict[str, float]]:
    """The rewards of rollouts with the phase's extensions, and figures to log.

    All arguments have one entry for each rollout; the G rollouts of a group follow each other. Rewards are in nats
    unless `observed_reward` is used, which makes them relative to their group.
    """
    size = settings.group_size
    extended, figures = list(rewards), {}
    if direction == "forward":
        if settings.observed_reward:
            likeness = [observed_likeness(world, t, ids) for t, ids in zip(transitions, completions, strict=True)]
            figures["observed_likeness"] = fmean(likeness)
            weight = settings.observed_reward
            critic, seen = standardise(extended, size), standardise(likeness, size)
            extended = [(1 - weight) * a + weight * b for a, b in zip(critic, seen, strict=True)]
        if settings.drift_penalty:
            drift = [lost_share(world, t, ids) for t, ids in zip(transitions, completions, strict=True)]
            figures["drift"] = fmean(drift)
            extended = [value - settings.drift_penalty * lost for value, lost in zip(extended, drift, strict=True)]
    else:
        actions = [world.codec.decode_action(ids) for ids in completions]
        if settings.overlap_penalty:
            overlap = [leaked_share(t, action) for t, action in zip(transitions, actions, strict=True)]
            figures["overlap"] = fmean(overlap)
            extended = [value - settings.overlap_penalty * part for value, part in zip(extended, overlap, strict=True)]
        if settings.action_cap is not None:
            lengths = [len(world.codec.encode(action)) for action in actions]
            figures["over_cap"] = fmean(length > settings.action_cap for length in lengths)
            extended = cap_lengths(extended, lengths, settings.action_cap, size)
    if settings.min_reward_spread:
        extended, skipped = level_easy_groups(extended, settings.min_reward_spread, size)
        figures["groups_skipped"] = skipped
    return extended, figures


def standardise(values: Sequence[float], size: int) -> list[float]:
    """Values relative to their group of `size`: minus its mean, divided by its standard deviation."""
    found: list[float] = []
    for start in range(0, len(values), size):
        group = values[start : start + size]
        mean, spread = fmean(group), stdev(group)
        found += [(value - mean) / (spread + EPSILON) for value in group]
    return found


def observed_likeness(world: WorldModel, transition: Transition, ids: Sequence[int]) -> float:
    """How like a prediction is to the observed next state, 0 to 1: F1 of the units of a text, share of equal codes."""
    observed, predicted = parts_of(world, transition.next_state), predicted_parts(world, transition, ids)
    both = sum((observed & predicted).values())
    total = sum(observed.values()) + sum(predicted.values())
    return 2 * both / total if total else 1.0


def lost_share(world: WorldModel, transition: Transition, ids: Sequence[int]) -> float:
    """The share of what the observed step left as it was that a prediction lost, 0 to 1."""
    kept = parts_of(world, transition.state) & parts_of(world, transition.next_state)
    total = sum(kept.values())
    return 1 - sum((kept & predicted_parts(world, transition, ids)).values()) / total if total else 0.0


def parts_of(world: WorldModel, state: State) -> Counter[Hashable]:
    """What a state consists of: the units of a text with their number, the codes of a picture with their places."""
    if state.picture is None:
        return text_parts(state.text, writing_of(state.text))
    return Counter(enumerate(world.state_completion(state)))


def predicted_parts(world: WorldModel, transition: Transition, ids: Sequence[int]) -> Counter[Hashable]:
    """What a prediction consists of, its text written as the observed next state is."""
    if transition.next_state.picture is not None:
        return Counter(enumerate(ids))
    return text_parts(world.codec.decode_state(ids).text, writing_of(transition.next_state.text))


def text_parts(text: str, writing: Writing) -> Counter[Hashable]:
    """The units of a text with their number; words without the white space before them."""
    return Counter(unit.strip() if writing == "words" else unit for unit in split_units(text, writing))


def leaked_share(transition: Transition, action: str) -> float:
    """The share of an action's words that stand in the next state and not in the state, 0 to 1; 0 for pictures."""
    if transition.next_state.picture is not None:
        return 0.0
    words = plain_words(action)
    new = set(plain_words(transition.next_state.text)) - set(plain_words(transition.state.text))
    return sum(word in new for word in words) / len(words) if words else 0.0


def cap_lengths(rewards: Sequence[float], lengths: Sequence[int], cap: int, size: int) -> list[float]:
    """The rewards, where rollouts longer than `cap` tokens get the lowest of their group."""
    found: list[float] = []
    for start in range(0, len(rewards), size):
        group = rewards[start : start + size]
        lowest = min(group)
        over = lengths[start : start + size]
        found += [lowest if length > cap else value for value, length in zip(group, over, strict=True)]
    return found


def level_easy_groups(rewards: Sequence[float], least: float, size: int) -> tuple[list[float], float]:
    """The rewards, where groups with a standard deviation below `least` get one value; and the share of such groups.

    Their advantages are then 0, so that they change nothing.
    """
    found: list[float] = []
    skipped = 0
    for start in range(0, len(rewards), size):
        group = list(rewards[start : start + size])
        if stdev(group) < least:
            skipped += 1
            group = [fmean(group)] * len(group)
        found += group
    return found, skipped / max(1, len(rewards) // size)
