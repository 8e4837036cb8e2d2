"""The experiments that come with the program."""

from __future__ import annotations

from dataclasses import replace

from swirl.errors import UsageError
from swirl.experiments.grid import WARM_UP, OwnMethod, Plan, Problem
from swirl.methods import JUDGED_BY_BOTH, LABEL_CANDIDATES

HOUSEHOLD_METHODS = {
    "sft": {"forward.learning_rate": 1e-3},
    "sft-merged": {"forward.learning_rate": 1e-3},
    "bootstrap": {"forward.learning_rate": 2e-3},
    "supervised": {"forward.learning_rate": 1e-3},
    "hybrid": {"forward.learning_rate": 1e-3},
    "forward-first": {"forward.learning_rate": 1e-3},
    "phase-one": {"forward.learning_rate": 4e-4},
    "paper": {"forward.learning_rate": 4e-4},
    "shared": {"forward.learning_rate": 4e-4},
    "observed-in-group": {"forward.learning_rate": 4e-4},
    "observed-reward": {"forward.learning_rate": 4e-4},
    "drift-penalty": {"forward.learning_rate": 4e-4},
    "anchor": {"forward.learning_rate": 2.5e-3},
    "anchor-drift": {"forward.learning_rate": 2.5e-3},
}
"""Each method's own learning rate on Household, chosen on the selection part (docs/lab-notes.md)."""

REGIMES = ("clean", "ambiguous", "noisy", "weak-critic")

BASELINES = ("sft", "sft-merged", "bootstrap", "supervised")
LOOPS = ("phase-one", "paper", "observed-reward", "drift-penalty", "anchor", "anchor-drift", "hybrid", "forward-first")

SFT_FIVE = OwnMethod("sft-equal-compute", "SFT, five times the steps", "sft", steps_times=5)
"""Imitation of as many forward steps as the default has. It takes about as long as JUDGED_TWICE, hence its name, which
is of the time when that was the default."""

SFT_TWICE = OwnMethod("sft-twice", "SFT, twice the steps", "sft", steps_times=2)
"""Imitation of as many transitions as the forward and inverse phases of the hybrid see together."""

FORWARD_FIRST_TWICE = OwnMethod(
    "forward-first-twice", "Hybrid, forward first, twice the steps", "forward-first", steps_times=2
)
"""As many steps of imitation as SFT_TWICE, with short inverse phases between and after them."""

RERANKED_TWICE = OwnMethod("sft-reranked-twice", "SFT, reranked, twice the steps", "sft-reranked", steps_times=2)
"""SFT_TWICE on the actions that both models agree on; the inverse model stays as it is."""

HYBRID_RERANKED_TWICE = OwnMethod(
    "hybrid-reranked-twice",
    "Hybrid, forward first, reranked, twice the steps",
    "forward-first",
    settings={"label_candidates": LABEL_CANDIDATES},
    steps_times=2,
    sentence="Each iteration first has the forward model imitate the observed next states under the actions that both "
    "models together find likeliest; then the inverse model learns from the rewards of the forward model.",
)
"""FORWARD_FIRST_TWICE whose forward model imitates under the actions that both models agree on."""

BOTH_JUDGE = (
    "Each iteration first has the forward model imitate the observed next states under the actions that both models "
    "together find likeliest; then the inverse model learns from rewards of both models for its actions."
)
"""What the methods do that are made of JUDGED_BY_BOTH."""

JUDGED_TWICE = OwnMethod(
    "hybrid-judged-twice",
    "Hybrid, forward first, judged by both, twice the steps",
    "forward-first",
    settings=JUDGED_BY_BOTH,
    steps_times=2,
    sentence=BOTH_JUDGE,
)
"""HYBRID_RERANKED_TWICE whose inverse phases are rewarded by both models, too."""

FEWER_LABELS = {"label_passes": 2.5}
"""Five times the steps on twice the labels: each label is imitated two and a half times."""

RERANKED_FIVE = OwnMethod(
    "sft-reranked-five",
    "SFT, reranked, five times the steps",
    "sft-reranked",
    settings=FEWER_LABELS,
    steps_times=5,
    sentence="As SFT, but under the action that both models together find likeliest among the inverse model's guesses, "
    "each of which is imitated two and a half times.",
)
"""SFT_FIVE on as many labels as RERANKED_TWICE has, since comparing guesses takes most of its time."""

JUDGED_FIVE = OwnMethod(
    "hybrid-judged-five",
    "Hybrid, judged by both, five times the steps",
    "forward-first",
    settings={**JUDGED_BY_BOTH, **FEWER_LABELS, "inverse.steps_per_phase": 5},
    steps_times=5,
    sentence=f"{BOTH_JUDGE} Each inferred action is imitated two and a half times, and inverse phases are short.",
)
"""The shipped default: the forward phases of RERANKED_FIVE and, within a step, the inverse phases of JUDGED_TWICE."""

JUDGED_FIVE_FRESH = OwnMethod(
    "hybrid-judged-five-fresh",
    "Hybrid, judged by both, five times the steps, no label twice",
    "forward-first",
    settings={**JUDGED_BY_BOTH, "inverse.steps_per_phase": 5},
    steps_times=5,
    sentence=f"{BOTH_JUDGE} Each inferred action is imitated once in a phase, and inverse phases are short.",
)
"""JUDGED_FIVE on two and a half times as many labels, as many as SFT_FIVE has: where outcomes are random, to imitate
one again and again teaches the outcome rather than its odds."""

HARD_EM_TWICE = OwnMethod(
    "hard-em-twice",
    "Hard EM, twice the steps",
    "hard-em",
    settings={"inverse.steps_per_phase": 50, "inverse.learning_rate": 4e-4},
    steps_times=2,
)
"""The forward phases of SFT_TWICE on the actions that both models agree on; between them the inverse model learns these
actions, from as many transitions. Its settings come from pilots on the selection part (docs/lab-notes.md)."""

HYBRID_LONG = OwnMethod("hybrid-equal-compute", "Hybrid, equal compute", "hybrid", steps_times=3)
"""The hybrid for about as long as the loop takes."""


SMOLLM2_STEPS = {"cores": 1, "forward.steps_per_phase": 40, "inverse.steps_per_phase": 16}
"""Of a phase of the pretrained model: 160 transitions, about as many as the unlabelled half has for training."""

SMOLLM2_METHODS = {
    "sft": {"forward.learning_rate": 2e-4},
    "forward-first": {"forward.learning_rate": 2e-4, "inverse.learning_rate": 5e-5},
}


def household(regime: str, sequences: int = 1500) -> Problem:
    """Household in one of its regimes."""
    return Problem(
        f"household-{regime}",
        "tiny-household-anchor",
        world="household",
        regime=regime,
        sequences=sequences,
        method_settings={
            **HOUSEHOLD_METHODS,
            SFT_FIVE.name: HOUSEHOLD_METHODS["sft"],
            SFT_TWICE.name: HOUSEHOLD_METHODS["sft"],
            HYBRID_LONG.name: HOUSEHOLD_METHODS["hybrid"],
            FORWARD_FIRST_TWICE.name: HOUSEHOLD_METHODS["forward-first"],
            RERANKED_TWICE.name: HOUSEHOLD_METHODS["sft"],
            HYBRID_RERANKED_TWICE.name: HOUSEHOLD_METHODS["forward-first"],
            JUDGED_TWICE.name: HOUSEHOLD_METHODS["forward-first"],
            RERANKED_FIVE.name: HOUSEHOLD_METHODS["sft"],
            JUDGED_FIVE.name: HOUSEHOLD_METHODS["forward-first"],
            JUDGED_FIVE_FRESH.name: HOUSEHOLD_METHODS["forward-first"],
            HARD_EM_TWICE.name: HOUSEHOLD_METHODS["sft"],
        },
    )


def blocks(regime: str, sequences: int = 1500) -> Problem:
    """Blocks in one of its regimes; one learning rate serves all methods there, as its schedule ends at zero."""
    return Problem(f"blocks-{regime}", "tiny-blocks-anchor", world="blocks", regime=regime, sequences=sequences)


HOUSEHOLD_ANEW = replace(household("clean"), name="household-anew", new_adapters=True, settings={"warm_up_epochs": 3})
"""Clean Household without the recipe's start, which has two adapters, one of them hardly warmed up: shared weights need
a new one, and so do separate weights that are compared with them. After three epochs both models are of use, and there
is room left."""

SHARED_WARM_UP = OwnMethod(
    "shared-warm-up",
    "Warm-up only, shared weights",
    "shared",
    settings={"iterations": 0},
    sentence="One new adapter for both models, warmed up on the labels.",
)
"""What the loop with shared weights starts from."""


EXPERIMENTS = {
    plan.name: plan
    for plan in (
        Plan(
            name="regimes",
            title="Methods in four regimes of two worlds",
            question="Where does mutual reinforcement learning help, where does imitation, and by how much?",
            problems=(*(household(regime) for regime in REGIMES), *(blocks(regime) for regime in REGIMES)),
            methods=(
                WARM_UP,
                "best-of-n",
                *BASELINES,
                SFT_TWICE.name,
                SFT_FIVE.name,
                *LOOPS,
                FORWARD_FIRST_TWICE.name,
                HYBRID_LONG.name,
                RERANKED_TWICE.name,
                HYBRID_RERANKED_TWICE.name,
                JUDGED_TWICE.name,
                RERANKED_FIVE.name,
                JUDGED_FIVE.name,
                JUDGED_FIVE_FRESH.name,
                HARD_EM_TWICE.name,
            ),
            own_methods=(
                SFT_TWICE,
                SFT_FIVE,
                FORWARD_FIRST_TWICE,
                HYBRID_LONG,
                RERANKED_TWICE,
                HYBRID_RERANKED_TWICE,
                JUDGED_TWICE,
                RERANKED_FIVE,
                JUDGED_FIVE,
                JUDGED_FIVE_FRESH,
                HARD_EM_TWICE,
            ),
            default_method=JUDGED_FIVE.name,
        ),
        Plan(
            name="variants",
            title="Variants of the loop",
            question="Does the observed state in the group help?",
            problems=(household("clean"), blocks("clean")),
            methods=(WARM_UP, "paper", "observed-in-group"),
        ),
        Plan(
            name="shared-weights",
            title="Shared against separate weights",
            question="Do separate weights beat shared ones? Both are warmed up on the same labels, from the same base.",
            problems=(HOUSEHOLD_ANEW,),
            methods=(WARM_UP, "paper", SHARED_WARM_UP.name, "shared"),
            own_methods=(SHARED_WARM_UP,),
        ),
        Plan(
            name="quick",
            title="A few methods on Household, in ten minutes",
            question="Does the loop beat its warm-up and imitation? One small world, few steps, two seeds.",
            problems=(household("clean", sequences=300),),
            methods=(WARM_UP, "best-of-n", "sft", "paper", "forward-first"),
            seeds=(0, 1),
            settings={"iterations": 1},
            test_at_end=160,
            default_method="forward-first",
        ),
        Plan(
            name="data-growth",
            title="More data: the loop against imitation",
            question="Does the loop gain on imitation as the unlabelled data grow, as in the paper?",
            problems=(household("clean", sequences=2500), blocks("clean", sequences=2500)),
            methods=(WARM_UP, "sft", "sft-merged", "paper", "forward-first"),
            sizes=(800, 1600, 3200, 6400),
            settings={"iterations": 1},
            default_method="forward-first",
        ),
        Plan(
            name="group-size",
            title="Group sizes",
            question="Does the number of rollouts per prompt matter, at equal prompts?",
            problems=(household("clean"),),
            methods=(WARM_UP, "group-2", "group-4", "group-8", "group-16"),
            own_methods=tuple(
                OwnMethod(
                    f"group-{size}",
                    f"SWIRL, G = {size}",
                    "paper",
                    settings={"group_size": size, "forward.learning_rate": 4e-4},
                    sentence=f"The paper's loop with {size} rollouts for each prompt.",
                )
                for size in (2, 4, 8, 16)
            ),
        ),
        Plan(
            name="longer-loop",
            title="Six iterations",
            question="Does the forward model peak and then fall? In the paper it peaks in the second iteration.",
            problems=(household("clean"),),
            methods=(WARM_UP, "sft-six", "paper-six"),
            own_methods=(
                OwnMethod("sft-six", "SFT, six iterations", "sft", settings={"iterations": 6}),
                OwnMethod("paper-six", "SWIRL, six iterations", "paper", settings={"iterations": 6, "group_size": 8}),
            ),
        ),
        Plan(
            name="pretrained",
            title="A pretrained language model on real environments",
            question="Does the loop help SmolLM2-135M on ScienceWorld and TextWorldExpress?",
            problems=tuple(
                Problem(
                    world,
                    "smollm2-135m",
                    world=world,
                    sequences=60,
                    shared_warm_up=True,
                    settings=SMOLLM2_STEPS,
                    method_settings=SMOLLM2_METHODS,
                )
                for world in ("scienceworld", "textworld-express")
            ),
            methods=(WARM_UP, "sft", "paper", "forward-first"),
            seeds=(0, 1),
            test_at_end=100,
            default_method="forward-first",
        ),
    )
}
"""By name."""


def get_experiment(name: str) -> Plan:
    """The experiment with this name. Raises UsageError that lists the names if there is none."""
    if name not in EXPERIMENTS:
        raise UsageError(
            f"There is no experiment {name!r}; the experiments are: {', '.join(EXPERIMENTS)}; or give a TOML file."
        )
    return EXPERIMENTS[name]
