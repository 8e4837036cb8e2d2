"""Builds `assets/tiny-copier`, a base model for texts of any words: `python -m swirl.recipes.tiny_copier --out DIR`.

On random tokens, a language model learns to copy a state, to change it as an action says, and to name the difference
between two states. The tokens have no meaning, so any tokenizer of up to VOCABULARY entries can use these ids later:
the model learns where to look, not what it finds there. As in real texts, phrases recur within a state, so that the
previous token alone does not determine the next one.
"""

from __future__ import annotations

import argparse
import logging
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, set_seed

from swirl.models.prompts import ACTION_TAG, END_TAG, NEXT_TAG, PAD_TAG, STATE_TAG, TAGS
from swirl.models.tiny_language_model import build_llama
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs

VOCABULARY = 1024
LAYERS = 4
MAX_CHANGE_TOKENS = 4
"""The maximum number of ids that one change removes or adds."""

log = logging.getLogger("swirl")


@dataclass(frozen=True)
class Stage:
    """Training steps of `rows` pairs each, on states of `shortest` to `longest` tokens, more often short ones."""

    steps: int
    rows: int
    shortest: int
    longest: int
    learning_rate: float
    is_copy_only: bool = False
    """Whether to train only copying, on uniformly random ids."""


STAGES = (
    Stage(steps=1000, rows=16, shortest=12, longest=48, learning_rate=2e-3, is_copy_only=True),
    Stage(steps=1500, rows=24, shortest=6, longest=48, learning_rate=2e-3),
    Stage(steps=1000, rows=16, shortest=16, longest=200, learning_rate=2e-3),
    Stage(steps=1500, rows=16, shortest=16, longest=200, learning_rate=1.5e-3),
)
"""Copying comes first, because the model learns to look back fastest if nothing else helps; long states come last."""


def random_state(rng: random.Random, length: int) -> list[int]:
    """`length` token ids: a few phrases that recur, as in formulaic texts, between uniformly random ids."""
    phrases = [random_ids(rng, rng.randint(1, 4)) for _ in range(rng.randint(1, 6))]
    share = rng.uniform(0.1, 0.7)
    ids: list[int] = []
    while len(ids) < length:
        ids += rng.choice(phrases) if rng.random() < share else random_ids(rng, 1)
    return ids[:length]


def random_ids(rng: random.Random, count: int) -> list[int]:
    """Uniformly random ids other than those of the tags."""
    return [rng.randrange(len(TAGS), VOCABULARY) for _ in range(count)]


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """A random number from `low` to `high` whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(max(low, high))))


def random_transition(rng: random.Random, length: int) -> tuple[list[int], list[int], list[int]]:
    """A state, an action (one or two ids before each change, and the new ids), and the next state.

    One transition in ten changes nothing and has an empty action; one in five of the others changes in two places.
    """
    before = random_state(rng, length)
    changes = 0 if rng.random() < 0.1 else 2 if rng.random() < 0.2 else 1
    places = sorted(rng.sample(range(length + 1), min(changes, length + 1)))
    action, after, at = [], [], 0
    for place in places:
        place = max(place, at)
        after += before[at:place]
        new = random_ids(rng, rng.randint(0, MAX_CHANGE_TOKENS))
        action += [*before[max(0, place - rng.randint(1, 2)) : place], *new]
        after += new
        at = min(length, place + rng.randint(0 if new else 1, MAX_CHANGE_TOKENS))
    return before, action, [*after, *before[at:]]


def copying_pairs(count: int, shortest: int, longest: int, seed: int) -> list[PromptCompletion]:
    """Pairs of the forward task without an action, on uniformly random ids of which one changes."""
    rng = random.Random(seed)
    state, following, action, end = (TAGS.index(tag) for tag in (STATE_TAG, NEXT_TAG, ACTION_TAG, END_TAG))
    pairs: list[PromptCompletion] = []
    for _ in range(count):
        before = random_ids(rng, rng.randint(shortest, longest))
        after = list(before)
        after[rng.randrange(len(after))] = random_ids(rng, 1)[0]
        pairs.append(([action, state, *before, following], [*after, end]))
    return pairs


def random_pairs(count: int, shortest: int, longest: int, seed: int) -> list[PromptCompletion]:
    """Pairs of both tasks, with the tags and random ids; one forward prompt in five has an empty action.

    The empty action is that of the pretraining on states alone.
    """
    rng = random.Random(seed)
    state, following, action, end = (TAGS.index(tag) for tag in (STATE_TAG, NEXT_TAG, ACTION_TAG, END_TAG))
    pairs: list[PromptCompletion] = []
    while len(pairs) < count:
        before, action_ids, after = random_transition(rng, round(log_uniform(rng, shortest, longest)))
        given = action_ids if rng.random() < 0.8 else []
        pairs.append(([action, *given, state, *before, following], [*after, end]))
        pairs.append(([state, *before, following, *after, action], [*action_ids, end]))
    return pairs[:count]


@torch.no_grad()
def completion_token_accuracy(model: torch.nn.Module, pairs: Sequence[PromptCompletion]) -> float:
    """The share of completion tokens that are the likeliest ones given all previous tokens."""
    correct, total = 0, 0
    for prompt, completion in pairs:
        ids = torch.tensor([[*prompt, *completion]])
        likeliest = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].argmax(dim=-1)
        correct += int((likeliest == ids[0, len(prompt) :]).sum())
        total += len(completion)
    return correct / total


def build_copier(out: Path, seed: int, stages: Sequence[Stage] = STAGES) -> LlamaForCausalLM:
    """Train all stages and write the model to the folder `out` in half precision."""

    def log_loss(step: int, loss: float) -> None:
        if step % 50 == 0:
            log.info("step %d: %.3f nats per token", step, loss)

    set_seed(seed)
    model = build_llama(VOCABULARY, TAGS.index(PAD_TAG), TAGS.index(END_TAG), layers=LAYERS)
    for number, stage in enumerate(stages):
        make = copying_pairs if stage.is_copy_only else random_pairs
        pairs = make(stage.steps * stage.rows, stage.shortest, stage.longest, seed + number)
        options = {"steps": stage.steps, "batch_size": stage.rows, "learning_rate": stage.learning_rate}
        train_on_pairs(
            model, pairs, TAGS.index(PAD_TAG), **options, seed=seed + number, callbacks=[StepLossCallback(log_loss)]
        )
        model.eval()
        test_pairs = make(100, stage.shortest, stage.longest, seed - 1)
        shares = completion_token_accuracy(model, test_pairs[::2]), completion_token_accuracy(model, test_pairs[1::2])
        log.info("stage %d: %.3f of the next-state tokens and %.3f of the action tokens are right", number + 1, *shares)
    model.half().save_pretrained(str(out))
    (out / "model.safetensors").chmod(0o644)
    return model


def main(arguments: list[str] | None = None) -> int:
    """The command line; its defaults rebuild the shipped model."""
    parser = argparse.ArgumentParser(prog="python -m swirl.recipes.tiny_copier", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    build_copier(options.out, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
