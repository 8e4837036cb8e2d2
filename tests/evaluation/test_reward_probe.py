"""The probe of a model's rewards before it trains."""

from __future__ import annotations

import pytest
import toy
import toy_pictures

from swirl.evaluation.reward_probe import GROUP_SIZE, preference, probe_rewards
from swirl.models.results import LogProb
from swirl.states import State


class Wavering(toy.Knowing):
    """Half of its predictions are right, the others lose a fact; its critic likes what `taste` says."""

    def __init__(self, taste: float) -> None:
        super().__init__()
        self.taste = taste

    def sample_next_states(self, states, actions, n, *, temperature=1.0, seed=0):
        right = [State(toy.step(x.text, z)) for x, z in zip(states, actions, strict=True)]
        wrong = [State(f"{y.text} , and more") for y in right]
        return [[y, w] * (n // 2) for y, w in zip(right, wrong, strict=True)]

    def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
        return [[found.action] * n for found in self.infer(transitions, alternatives=1)]

    def inverse_log_prob(self, states, next_states, actions):
        scores = [self.taste if y.text.endswith("more") else 0.0 for y in next_states]
        return [LogProb(score, 1) for score in scores]


@pytest.mark.parametrize(("taste", "critic"), [(-1.0, 1.0), (0.0, 0.5), (1.0, 0.0)])
def test_the_critic_is_as_good_as_it_prefers_what_was_observed(taste: float, critic: float) -> None:
    sequences, actions = toy.collection(4)
    transitions = [t for sequence in sequences for t in sequence.transitions()]
    known = [action for sequence in sequences for action in actions[sequence.id]]
    shares: list[float] = []
    found = probe_rewards(Wavering(taste), transitions, known, lambda share, text: shares.append(share))
    assert found.critic is not None and found.critic.value == critic
    assert found.right.value == 0.5 and found.spread.value == 2 / GROUP_SIZE and found.agreement.value == 1.0
    assert found.judge is None  # all sampled actions are the true ones: there is nothing to prefer
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_ties_count_half_and_a_group_of_one_kind_says_nothing() -> None:
    assert preference([True, False, False], [1.0, 1.0, 0.0]) == 0.75
    assert preference([True, True], [1.0, 0.0]) is None


def test_pictures_are_right_when_their_tokens_are() -> None:
    class Painting(toy_pictures.Knowing):
        def sample_next_states(self, states, actions, n, *, temperature=1.0, seed=0):
            return [[y] * n for y in self.imagine_batch(states, actions)]

        def sample_actions(self, transitions, n, *, temperature=1.0, seed=0):
            return [[found.action] * n for found in self.infer(transitions, alternatives=1)]

    sequences, _ = toy_pictures.collection(2)
    transitions = [t for sequence in sequences for t in sequence.transitions()]
    found = probe_rewards(Painting(), transitions)
    assert found.right.value == 1.0 and found.critic is None and found.judge is None
    assert found.kept is not None and found.kept.value == 1.0
