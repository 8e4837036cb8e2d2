"""A small text model for a trial, made on the spot from a world's states alone.

The shipped text model knows the words of Household. Here a tokenizer is made of the world's own words, and a fresh
model of the same shape learns to copy: first random words of which one changes, since copying forms soonest where
nothing else helps, then the world's own steps with the action slot left empty. No action is seen but by the tokenizer,
which takes the labelled ones for their words.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from transformers import PrinterCallback, TrainerCallback, set_seed

from swirl.models.loading import with_new_adapters
from swirl.models.tiny import build_model, build_tokenizer
from swirl.models.world_model import WorldModel
from swirl.recipe import LORA_RANK, train_base
from swirl.states import LabelledTransition, State, Transition
from swirl.supervised import Pair, supervised_trainer

VOCABULARY, LAYERS, BATCH = 1024, 3, 32
RANDOM_STEPS, OWN_STEPS = 170, 60
RANDOM_RATE, OWN_RATE = 2e-3, 1e-3
LENGTHS = (3, 10)
"""How many words a random state has, from and to."""

Progress = Callable[[float, str], None]


def make_base(
    folder: Path,
    transitions: Sequence[Transition],
    labels: Sequence[LabelledTransition],
    seed: int,
    progress: Progress,
    steps: tuple[int, int] = (RANDOM_STEPS, OWN_STEPS),
) -> None:
    """Write a checkpoint whose base has learned to copy this world's states, its adapters new, into `folder`.

    `steps` are those on random words and those on the world's own. Raises OSError when the folder cannot be written.
    """
    set_seed(seed)
    pairs = [(t.state.text, t.next_state.text) for t in (*transitions, *labels)]
    words = [text for pair in pairs for text in pair]
    tokenizer = build_tokenizer([*words, *(label.action for label in labels)], VOCABULARY)
    base = build_model(tokenizer, layers=LAYERS)
    world = with_new_adapters(base, tokenizer, folder.name, "base", LORA_RANK, share_weights=False)
    train_base(world)
    copying = random_states(words, steps[0] * BATCH, seed)
    teach(world, copying, steps[0], RANDOM_RATE, seed, lambda share: progress(0.6 * share, "learning to copy words"))
    teach(world, pairs, steps[1], OWN_RATE, seed, lambda share: progress(0.6 + 0.4 * share, "reading the states"))
    world.save(folder, with_base=True)


def random_states(texts: Sequence[str], count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs of states of random words from these texts, the second with one word changed."""
    rng = random.Random(seed)
    words = sorted({word for text in texts for word in text.split()})
    found = []
    for _ in range(count):
        before = [rng.choice(words) for _ in range(rng.randint(*LENGTHS))]
        after = list(before)
        after[rng.randrange(len(after))] = rng.choice(words)
        found.append((" ".join(before), " ".join(after)))
    return found


def teach(
    world: WorldModel, pairs: list[tuple[str, str]], steps: int, rate: float, seed: int, told: Callable[[float], None]
) -> None:
    """Train the base on the second state of each pair after the first; nothing is written to disk."""

    class Told(TrainerCallback):
        def on_step_end(self, args, state, control, **_) -> None:  # type: ignore[no-untyped-def]
            told(state.global_step / steps)

    rows: list[Pair] = [(world.layout.forward(State(a), ""), world.state_completion(State(b))) for a, b in pairs]
    with tempfile.TemporaryDirectory() as folder:
        trainer = supervised_trainer(
            world.model,
            rows,
            world.tokenizer.pad_token_id,
            Path(folder),
            steps=steps,
            batch_size=BATCH,
            learning_rate=rate,
            rise=max(1, steps // 20),
            seed=seed,
            callbacks=[Told()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
