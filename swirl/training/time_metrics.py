"""The metrics that say how long the parts of a run took, in seconds."""

STEP_TIME = "step_time"
"""Of one optimiser step: a mean in which recent steps weigh most."""

LABELLING_TIME = "labelling_time"
"""Of inferring the actions that a phase imitates."""

PROBE_TIME = "probe_time"
"""Of one probe of the model on held-out transitions."""

SCORING_TIME = "scoring_time"
"""Of scoring the checkpoint of a phase."""
