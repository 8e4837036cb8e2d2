"""Whether the batches of phases that learn from rewards fit the processes, the rollouts and the transitions of a run.

Does not import torch, so that what the settings alone decide is checked when a run is created.
"""

from __future__ import annotations

from collections.abc import Sequence

from swirl.errors import UsageError
from swirl.settings import Settings
from swirl.training.schedule import PlannedPhase


def require_fitting_batches(
    settings: Settings, phases: Sequence[PlannedPhase], processes: int, transitions: int | None = None
) -> None:
    """Raise UsageError unless the batches of all `phases` that learn from rewards fit; see `require_fitting_batch`.

    `settings` are those of the whole run. Phases of 0 steps have no batches.
    """
    for kind in dict.fromkeys(phase.kind for phase in phases if phase.steps):
        if kind != "warm-up" and settings.training_method.rewards_in(kind):
            require_fitting_batch(settings.for_phase(kind), processes, transitions)


def require_fitting_batch(settings: Settings, processes: int, transitions: int | None) -> None:
    """Raise UsageError unless so many processes can share a batch, which fits its rollouts and the transitions.

    `settings` are those of a phase that learns from rewards. With `transitions=None` their number is not known yet.
    """
    settings.require_even_batch(processes)
    rollouts_per_step = settings.batch_size * settings.group_size
    if settings.accumulation > rollouts_per_step:
        raise UsageError(
            f"accumulation={settings.accumulation} is more than the {rollouts_per_step} rollouts of a step; set it to "
            f"{rollouts_per_step} or less."
        )
    if transitions is not None and settings.batch_size > transitions:
        raise UsageError(
            f"batch_size={settings.batch_size} is more than the {transitions} training transitions; "
            f"set it to {transitions} or less, or import more sequences."
        )
