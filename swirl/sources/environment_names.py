"""What the actions, and the numbers of observations, of Gymnasium's own environments are called.

Gymnasium documents these names in the docstrings of its environments, but no program can ask for them; recordings and
datasets of these environments have numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """The names of an environment's discrete actions, of the numbers of a vector of actions, and of an observation."""

    actions: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()


CART_AND_POLE = ("position", "velocity", "angle", "angular velocity")
MOVES = {direction: f"move {direction}" for direction in ("up", "right", "down", "left")}
LAKE = Names((MOVES["left"], MOVES["down"], MOVES["right"], MOVES["up"]))
CLIFF = Names(tuple(MOVES.values()))
LANDER = Names(
    ("do nothing", "fire left engine", "fire main engine", "fire right engine"),
    ("main engine", "lateral engine"),
    ("x", "y", "x velocity", "y velocity", "angle", "angular velocity", "left leg contact", "right leg contact"),
)
WALKER = Names(controls=("hip 1", "knee 1", "hip 2", "knee 2"))

DOCUMENTED = {
    "CartPole": Names(("push left", "push right"), observations=CART_AND_POLE),
    "MountainCar": Names(
        ("accelerate left", "do not accelerate", "accelerate right"), observations=("position", "velocity")
    ),
    "MountainCarContinuous": Names(controls=("force",), observations=("position", "velocity")),
    "Pendulum": Names(controls=("torque",), observations=("cosine", "sine", "angular velocity")),
    "Acrobot": Names(
        ("apply torque -1", "apply no torque", "apply torque 1"),
        observations=(
            "first cosine",
            "first sine",
            "second cosine",
            "second sine",
            "first velocity",
            "second velocity",
        ),
    ),
    "LunarLander": LANDER,
    "LunarLanderContinuous": LANDER,
    "BipedalWalker": WALKER,
    "BipedalWalkerHardcore": WALKER,
    "CarRacing": Names(
        ("do nothing", "steer right", "steer left", "gas", "brake"), controls=("steering", "gas", "brake")
    ),
    "FrozenLake": LAKE,
    "FrozenLake8x8": LAKE,
    "CliffWalking": CLIFF,
    "CliffWalkingSlippery": CLIFF,
    "Taxi": Names(("move south", "move north", "move east", "move west", "pick up passenger", "drop off passenger")),
    "Blackjack": Names(("stick", "hit"), observations=("player's sum", "dealer's card", "usable aces")),
}
"""The documented names of Gymnasium's own environments, by the name without namespace and version."""
