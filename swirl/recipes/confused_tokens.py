"""Finds the tokens that a pretrained base cannot copy, such as two names between which it does not yet distinguish.

Copying is learned token by token, each suddenly. Two names with the same roles start alike, and a base may end its
steps with their embeddings still the same: then it writes one for the other wherever either stands. Adapters train no
embeddings, so phases of the loop rarely mend that, and the scores of a model on this base measure it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch

from swirl.models.world_model import WorldModel
from swirl.states import LabelledTransition

FEWEST_PLACES = 30
"""Tokens that stand in fewer places are not judged: their shares are too uncertain."""


@torch.no_grad()
def unexpected_losses(world: WorldModel, rows: Sequence[LabelledTransition]) -> dict[int, float]:
    """How much more often each token of a state stays in its place than the base expects, by token id.

    For each place i of a state x whose next state y has as many tokens, the base gives the probability of x_i after the
    tokens of y before i, with an empty action slot. The value of a token is the share of its places at which y_i = x_i
    less the mean of these probabilities: about 0 for a calibrated base, since a token that often changes is rightly
    expected to, and 0.5 for each of two tokens that it cannot tell apart. The actions are not used, nor the adapters.
    """
    world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
    stays: dict[int, list[float]] = defaultdict(list)
    expected: dict[int, list[float]] = defaultdict(list)
    with world.activate_adapter(None) as model:
        for row in rows:
            state, next_state = world.state_completion(row.state), world.state_completion(row.next_state)
            if len(state) != len(next_state):
                continue
            prompt = world.layout.forward_prompt(row.state, "")
            ids = torch.tensor([[*prompt, *next_state]], device=model.device)
            probabilities = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].float().softmax(-1)
            for token, after, probability in zip(state, next_state, probabilities, strict=True):
                stays[token].append(float(token == after))
                expected[token].append(float(probability[token]))
    return {
        token: (sum(kept) - sum(expected[token])) / len(kept)
        for token, kept in stays.items()
        if len(kept) >= FEWEST_PLACES
    }
