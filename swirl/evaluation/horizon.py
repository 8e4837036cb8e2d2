"""How errors add up: several steps ahead on the model's own predictions.

The paper's turns on the WorldPrediction benchmark, without a judge.
"""

from __future__ import annotations

from swirl.evaluation.rows import Rows

STEPS = (1, 2, 3)
TOLD = ("exact_match", "psnr")
"""The measures that are told of each step, where the states have them."""


def measured(rows: Rows) -> dict[str, list[float | None]]:
    """exact_match@T for T = 1, 2, 3: the state predicted T steps ahead is the observed one; for pictures also psnr@T.

    From each real state the FWM goes T steps, each from its own last prediction, under the actions that the IDM
    inferred from the real sequence. None for a transition with fewer than T − 1 transitions right after it.
    """
    place = {(t.sequence_id, t.step): i for i, t in enumerate(rows.transitions)}
    reached = dict(enumerate(rows.states))
    found: dict[str, list[float | None]] = {}
    for ahead in STEPS:
        # `reached` maps a starting transition to where the model is after ahead - 1 steps.
        via = {i: place.get((rows.transitions[i].sequence_id, rows.transitions[i].step + ahead - 1)) for i in reached}
        going = {i: j for i, j in via.items() if j is not None}
        imagined = rows.answers.next_states([reached[i] for i in going], [rows.inferred[j] for j in going.values()])
        reached = dict(zip(going, imagined, strict=True))
        keys = dict(zip(going, rows.keys(imagined), strict=True))
        for name in (name for name in TOLD if name in rows.measures):
            told = {i: rows.measures[name](keys[i], rows.next_keys[j]) for i, j in going.items()}
            found[f"{name}@{ahead}"] = [told.get(i) for i in range(len(rows.transitions))]
    return found
