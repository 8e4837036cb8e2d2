"""The ways in which a run can train, and the named methods of a comparison: those of the paper and our extensions.

`TRAINING_METHODS` are the values of the setting `method`. `METHODS` are the rows of a comparison: each says which
settings to change in any preset, so that two runs from one preset differ in the method alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingMethod:
    """A value of the setting `method`: what its forward and inverse phases train on."""

    name: str
    title: str
    sentence: str
    """What it does, for somebody who has to choose."""
    role: str = ""
    """Baseline, upper bound or extension; empty for the method itself and for the hybrid."""
    trains_on_pseudo_labels: bool = False
    """Whether phases imitate the actions that the inverse model infers, or the observed next states under them."""
    trains_on_labels: bool = False
    """Whether the phases after the warm-up imitate the run's labels."""
    has_inverse_phases: bool = False
    inverse_by_rewards: bool = False
    """Whether inverse phases learn from rewards although forward phases imitate."""
    starts_anew: bool = False
    """Whether each forward phase trains a new forward adapter from the base model."""
    label_candidates: int = 1
    """Guesses that are compared for an action to imitate, unless the setting of that name says otherwise."""

    @property
    def trains_by_rewards(self) -> bool:
        """Whether any phase learns from the other model's rewards (GRPO) rather than by imitation."""
        return any(self.rewards_in(direction) for direction in ("forward", "inverse"))

    def rewards_in(self, direction: str) -> bool:
        """Whether the phases of one direction learn from the other model's rewards."""
        if self.inverse_by_rewards:
            return direction == "inverse"
        return not (self.trains_on_pseudo_labels or self.trains_on_labels)

    def infers_actions_in(self, direction: str) -> bool:
        """Whether the phases of one direction imitate actions that are inferred before them."""
        return self.trains_on_pseudo_labels and not self.rewards_in(direction)

    @property
    def needs_inverse_model(self) -> bool:
        """Whether its result depends on how well the inverse model infers actions."""
        return self.trains_by_rewards or self.trains_on_pseudo_labels


LABEL_CANDIDATES = 8
"""Guesses for an action to imitate in the methods that compare several."""

JUDGED_BY_BOTH: dict[str, object] = {
    "label_candidates": LABEL_CANDIDATES,
    "inverse.reward": "sum",
    "inverse.reward_clamp": None,
    "inverse.reference_reward": 1.0,
}
"""Settings of a hybrid whose inferred actions both models judge: those that are imitated, and those that are rewarded.

The forward model alone is a worse judge of actions than the inverse model where outcomes are noisy (docs/lab-notes.md).
"""

TRAINING_METHODS = {
    method.name: method
    for method in (
        TrainingMethod(
            "swirl",
            "SWIRL",
            "forward and inverse phases in turn, in which each model learns from the other's rewards (GRPO).",
            has_inverse_phases=True,
        ),
        TrainingMethod(
            "hybrid",
            "Hybrid",
            "the forward model imitates the observed next states under the inferred actions, the inverse model learns "
            "from the forward model's rewards (GRPO).",
            trains_on_pseudo_labels=True,
            has_inverse_phases=True,
            inverse_by_rewards=True,
        ),
        TrainingMethod(
            "sft",
            "SFT, continued",
            "the forward model imitates the observed next states under the actions that the inverse model infers.",
            role="baseline",
            trains_on_pseudo_labels=True,
        ),
        TrainingMethod(
            "hard-em",
            "Hard EM",
            "both models imitate, in turn, the actions that they together find likeliest among several guesses of the "
            "inverse model.",
            role="extension",
            trains_on_pseudo_labels=True,
            has_inverse_phases=True,
            label_candidates=LABEL_CANDIDATES,
        ),
        TrainingMethod(
            "sft-merged",
            "SFT, merged with labels",
            "as sft, on the pseudo-labels and the labels, shuffled together.",
            role="baseline",
            trains_on_pseudo_labels=True,
            trains_on_labels=True,
        ),
        TrainingMethod(
            "bootstrap",
            "Bootstrap",
            "a new forward adapter on the base model, trained on the pseudo-labels and the labels.",
            role="baseline",
            trains_on_pseudo_labels=True,
            trains_on_labels=True,
            starts_anew=True,
        ),
        TrainingMethod(
            "supervised",
            "Supervised",
            "both models imitate the labels, whose actions are true.",
            role="upper bound",
            trains_on_labels=True,
            has_inverse_phases=True,
        ),
    )
}
"""Every value of the setting `method`, by name.

`bootstrap` is our reading of the paper's baseline "bootstrap", which it does not define further: supervised fine-tuning
of a model on pseudo-labels and labels, rather than going on from the warmed-up one. Its inverse model is not trained,
so that each iteration starts anew with the same pseudo-labels: one iteration is enough.
"""

EXTENSIONS_OFF: dict[str, object] = {
    "method": "swirl",
    "reward": "mean",
    "reward_clamp": -10.0,
    "anchor": 0.0,
    "reference_reward": 0.0,
    "observed_in_group": False,
    "observed_reward": 0.0,
    "drift_penalty": 0.0,
    "overlap_penalty": 0.0,
    "action_cap": None,
    "min_reward_spread": 0.0,
    "label_candidates": None,
    "label_passes": 1.0,
    "prior_reference": False,
    "inverse_first": False,
    "share_weights": False,
}
"""The settings that make a method of a preset, at the values of the paper's loop."""


@dataclass(frozen=True)
class Method:
    """A method of a comparison, as changes to the settings of any preset.

    `own_changes` are what makes the method, `changes` set every other setting of EXTENSIONS_OFF, too, so that the
    preset's own rewards and extensions have no influence. Iterations, steps and learning rates stay those of the preset
    where a method does not say otherwise.
    """

    name: str
    title: str
    """A short name for tables and plots."""
    sentence: str
    own_changes: Mapping[str, object]
    needs_labels: bool = False
    needs_warm_up: bool = False
    """Whether it also needs `warm_up_epochs` of 1 or more, as it starts from untrained adapters."""
    mutual: bool = False
    """Whether it trains by mutual reinforcement learning: each model on the other's rewards."""
    best_of: int = 1
    """Predictions sampled at test time, of which the inverse model's score takes the best; 1 is the greedy one."""

    @property
    def changes(self) -> dict[str, object]:
        """The method as changes to a preset."""
        return {**EXTENSIONS_OFF, **self.own_changes}

    @property
    def is_trained(self) -> bool:
        """Whether it has phases of training after the warm-up."""
        return self.changes.get("iterations") != 0

    @property
    def models_teach_each_other(self) -> bool:
        """Whether what one model learns depends on what the other finds likely: by rewards, or by shared labels."""
        own = TRAINING_METHODS[str(self.changes["method"])].label_candidates
        return self.mutual or (self.changes["label_candidates"] or own) != 1


def _method(name: str, title: str, sentence: str, /, **changes: object) -> Method:
    """A method that trains by mutual reinforcement learning."""
    return Method(name, title, sentence, changes, mutual=True)


def _supervised(name: str, *, title: str | None = None, **changes: object) -> Method:
    """A method of supervised phases, or with `iterations` 0 none."""
    known = TRAINING_METHODS[name]
    sentence = known.sentence[0].upper() + known.sentence[1:]
    changes = {"method": name, **changes}
    return Method(name, title or known.title, sentence, changes, needs_labels=known.trains_on_labels)


METHODS = {
    method.name: method
    for method in (
        Method(
            "warm-up",
            "Warm-up only",
            "The model that all other methods start from.",
            {"iterations": 0},
        ),
        _supervised("sft"),
        _supervised("sft-merged", title="SFT, merged"),
        Method(
            "sft-reranked",
            "SFT, reranked",
            "As SFT, but under the action that both models together find likeliest among the inverse model's guesses.",
            {"method": "sft", "label_candidates": LABEL_CANDIDATES},
        ),
        _supervised("hard-em"),
        _supervised("bootstrap", iterations=1),
        _method(
            "phase-one",
            "SWIRL, one phase",
            "Forward phases only; the inverse model stays as it was.",
            **{"inverse.steps_per_phase": 0},
        ),
        _method("paper", "SWIRL", "The paper's loop: forward and inverse phases in turn."),
        Method(
            "shared",
            "SWIRL, shared weights",
            "The paper's loop with one adapter for both models, which is new and needs a warm-up on labels.",
            {"share_weights": True},
            needs_labels=True,
            needs_warm_up=True,
            mutual=True,
        ),
        _supervised("supervised"),
        Method(
            "hybrid",
            "Hybrid",
            "Each iteration first trains the inverse model on the forward model's rewards, then the forward model "
            "imitates the observed next states under the actions that are inferred now.",
            {
                "method": "hybrid",
                "inverse_first": True,
                "inverse.steps_per_phase": 50,
                "inverse.learning_rate": 4e-4,
            },
            mutual=True,
        ),
        Method(
            "forward-first",
            "Hybrid, forward first",
            "Each iteration first has the forward model imitate the observed next states under the inferred actions; "
            "then the inverse model learns from the rewards of the forward model, which is the better critic by then.",
            {"method": "hybrid", "inverse.learning_rate": 4e-4},
            mutual=True,
        ),
        _method(
            "anchor",
            "Anchor",
            "The loop with 4 times the negative log-likelihood of the observed next state added to the forward loss.",
            anchor=4.0,
        ),
        _method(
            "observed-in-group",
            "Observed in group",
            "The loop with the observed next state in the place of one rollout of each forward group.",
            observed_in_group=True,
        ),
        _method(
            "observed-reward",
            "Observed reward",
            "The loop with half of the forward reward for the likeness to the observed next state.",
            observed_reward=0.5,
        ),
        _method(
            "joint-reward",
            "Joint reward",
            "The loop with rewards by both models: log Q(z | x, y') + log P(y' | x, z) forward, and the same sum for "
            "the inferred action in inverse phases, each trainee's own part as it was at the phase's start.",
            reward="sum",
            reward_clamp=None,
            reference_reward=1.0,
        ),
        _method(
            "drift-penalty",
            "Drift penalty",
            "The loop with a forward penalty of 2 for losing all that the step left as it was.",
            drift_penalty=2.0,
        ),
        _method(
            "anchor-drift",
            "Anchor + drift",
            "The loop with the anchor at 4 and the drift penalty at 2.",
            anchor=4.0,
            drift_penalty=2.0,
        ),
        _method(
            "anchor-observed",
            "Anchor + observed",
            "The loop with the anchor at 4 and half of the forward reward for likeness to the observed next state.",
            anchor=4.0,
            observed_reward=0.5,
        ),
        Method(
            "best-of-n",
            "Best of 8",
            "The warmed-up model, of whose 8 predictions the inverse model's score takes the best at test time.",
            {"iterations": 0},
            best_of=8,
        ),
    )
}
"""The methods of a comparison by name, in the order of tables."""
