"""How `assets/tiny-copier` is made: a base for texts of any words, `python -m swirl.recipes.tiny_copier --out DIR`.

A language model learns on random tokens to copy a state, to change it where an action says so, and to say what differs
between two states. No token means anything, so any tokenizer of up to VOCABULARY entries can take the places of the ids
afterwards: what is learned is to look back, not what is found there. Phrases come back within a state, as they do in a
text, so that one token before does not tell which comes next.
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
"""Ids that one change takes away or brings, at the most."""

log = logging.getLogger("swirl")


@dataclass(frozen=True)
class Stage:
    """Steps of `rows` pairs each, of states of `shortest` to `longest` tokens, short ones more often."""

    steps: int
    rows: int
    shortest: int
    longest: int
    learning_rate: float
    is_copy_only: bool = False
    """Only copying, of ids drawn evenly."""


STAGES = (
    Stage(steps=1000, rows=16, shortest=12, longest=48, learning_rate=2e-3, is_copy_only=True),
    Stage(steps=1500, rows=24, shortest=6, longest=48, learning_rate=2e-3),
    Stage(steps=1000, rows=16, shortest=16, longest=200, learning_rate=2e-3),
    Stage(steps=1500, rows=16, shortest=16, longest=200, learning_rate=1.5e-3),
)
"""Looking back forms soonest where nothing else helps; all else then follows, and last the length."""


def random_state(rng: random.Random, length: int) -> list[int]:
    """`length` token ids: a few phrases that come again and again, as those of a form do, between ids drawn evenly."""
    phrases = [random_ids(rng, rng.randint(1, 4)) for _ in range(rng.randint(1, 6))]
    share = rng.uniform(0.1, 0.7)
    ids: list[int] = []
    while len(ids) < length:
        ids += rng.choice(phrases) if rng.random() < share else random_ids(rng, 1)
    return ids[:length]


def random_ids(rng: random.Random, count: int) -> list[int]:
    """Ids drawn evenly from those that are no tag."""
    return [rng.randrange(len(TAGS), VOCABULARY) for _ in range(count)]


def log_uniform(rng: random.Random, low: float, high: float) -> float:
    """A number from `low` to `high`, its logarithm uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(max(low, high))))


def random_transition(rng: random.Random, length: int) -> tuple[list[int], list[int], list[int]]:
    """A state, what is said of the change (an id or two before it, and what is new), and the next state.

    One transition in ten changes nothing, which an empty action says; one in five changes in two places.
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
    """The forward task without an action, on ids drawn evenly, of which one becomes another."""
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
    """Prompts and completions of both tasks, in the ids of the tags and of nothing else; one in five without a word of
    the action, as in a pretraining on states alone."""
    rng = random.Random(seed)
    state, following, action, end = (TAGS.index(tag) for tag in (STATE_TAG, NEXT_TAG, ACTION_TAG, END_TAG))
    pairs: list[PromptCompletion] = []
    while len(pairs) < count:
        before, said, after = random_transition(rng, round(log_uniform(rng, shortest, longest)))
        told = said if rng.random() < 0.8 else []
        pairs.append(([action, *told, state, *before, following], [*after, end]))
        pairs.append(([state, *before, following, *after, action], [*said, end]))
    return pairs[:count]


@torch.no_grad()
def completion_token_accuracy(model: torch.nn.Module, pairs: Sequence[PromptCompletion]) -> float:
    """The share of completion tokens that are the likeliest given all before them."""
    found, total = 0, 0
    for prompt, completion in pairs:
        ids = torch.tensor([[*prompt, *completion]])
        likeliest = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].argmax(dim=-1)
        found += int((likeliest == ids[0, len(prompt) :]).sum())
        total += len(completion)
    return found / total


def build_copier(out: Path, seed: int, stages: Sequence[Stage] = STAGES) -> LlamaForCausalLM:
    """Train the stages and write the model, in half precision, into the folder `out`."""

    def told(step: int, loss: float) -> None:
        if step % 50 == 0:
            log.info("step %d: %.3f nats a token", step, loss)

    set_seed(seed)
    model = build_llama(VOCABULARY, TAGS.index(PAD_TAG), TAGS.index(END_TAG), layers=LAYERS)
    for number, stage in enumerate(stages):
        make = copying_pairs if stage.is_copy_only else random_pairs
        pairs = make(stage.steps * stage.rows, stage.shortest, stage.longest, seed + number)
        how = {"steps": stage.steps, "batch_size": stage.rows, "learning_rate": stage.learning_rate}
        train_on_pairs(model, pairs, TAGS.index(PAD_TAG), **how, seed=seed + number, callbacks=[StepLossCallback(told)])
        model.eval()
        unseen = make(100, stage.shortest, stage.longest, seed - 1)
        shares = completion_token_accuracy(model, unseen[::2]), completion_token_accuracy(model, unseen[1::2])
        log.info("stage %d: %.3f of the next states' tokens, %.3f of the actions'", number + 1, *shares)
    model.half().save_pretrained(str(out))
    (out / "model.safetensors").chmod(0o644)
    return model


def main(arguments: list[str] | None = None) -> int:
    """The command line; the defaults rebuild what ships."""
    parser = argparse.ArgumentParser(prog="python -m swirl.recipes.tiny_copier", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    build_copier(options.out, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
