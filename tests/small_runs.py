"""The settings that tests of training share: runs of seconds, and single steps."""

SMALL_RUN = {
    "iterations": 1,
    "steps_per_phase": 4,
    "batch_size": 4,
    "group_size": 2,
    "learning_rate": 0.01,
    "max_action_tokens": 4,
    "max_state_tokens": 48,
    "held_out": 4,
    "save_every": 2,
}
"""A whole run of one iteration that saves in the middle of each phase."""

TWO_STEPS = {
    "steps_per_phase": 2,
    "batch_size": 3,
    "group_size": 4,
    "max_action_tokens": 6,
    "max_state_tokens": 12,
    "beta": 0.3,
    "temperature": 0.8,
    "learning_rate": 1e-2,
    "precision": "float32",
}
"""A phase of two steps in float32, to compare figures with direct computations."""
