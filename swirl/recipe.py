"""How the shipped tiny model is made, from nothing: `python -m swirl.recipe --out assets/tiny-household`.

1. A byte-level BPE tokenizer on Household texts and the shipped samples, so that any text runs through it.
2. State-only pretraining of the base: the next state with the action slot left empty (copying), and which facts of the
   next state are new (comparing). No action is seen.
3. Warm-up on labelled transitions. The inverse task first, on all weights, in rounds, each with its own rise and fall
   of the learning rate: what it learns stays in the base, and `idm` starts as the base itself. Then the forward task,
   on the adapter `fwm` alone.

The forward warm-up is short on purpose: the loop teaches most from a reader of actions that is good and a forward model
that makes real but not hopeless mistakes (docs/lab-notes.md). That start was chosen on episodes of its own, which
neither training nor the shipped collection holds; every stage is scored on them.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback, set_seed

from swirl import paths
from swirl.evaluation.report import held_out_scores
from swirl.models.loading import with_new_adapters
from swirl.models.tiny import build_model, build_tokenizer
from swirl.models.world_model import WorldModel
from swirl.sources import read_sequences
from swirl.sources.frames import FRAMES
from swirl.states import LabelledTransition, State, Transition
from swirl.supervised import Pair, supervised_trainer
from swirl.warmup import pairs_for
from swirl.worlds.household import Household

# Episode seeds far from those of any recording (`base.episode_seed`).
UNLABELLED, LABELLED, HELD_OUT = 10**15, 2 * 10**15, 3 * 10**15
ACTIONS_AN_EPISODE = 8
# Labels and optimiser steps of each round of the inverse warm-up; the forward one uses the last round's labels.
INVERSE_ROUNDS = ((3000, 300), (3000, 300), (8000, 400))
LORA_RANK = 16

log = logging.getLogger("swirl")


def episodes(first: int, transitions: int) -> list[LabelledTransition]:
    """Household transitions of consecutive episode seeds."""
    world, rows, seed = Household(), [], first
    while len(rows) < transitions:
        episode = world.episode(seed, ACTIONS_AN_EPISODE)
        pairs = zip(pairwise(episode.states), episode.actions, strict=True)
        rows += [LabelledTransition(x, z, y) for (x, y), z in pairs]
        seed += 1
    return rows[:transitions]


def new_facts(state: State, next_state: State) -> str:
    """The sentences of the next state that the state does not have; what a comparison finds."""
    before = set(state.text.split(". "))
    return ". ".join(fact for fact in next_state.text.split(". ") if fact not in before)


def pretraining_pairs(world: WorldModel, rows: Iterable[LabelledTransition]) -> list[Pair]:
    """Copying and comparing, from states alone; the rows' actions are not looked at."""
    pairs = []
    for row in rows:
        pairs.append((world.layout.forward(row.state, ""), world.state_completion(row.next_state)))
        difference = new_facts(row.state, row.next_state)
        pairs.append((world.layout.inverse(row.state, row.next_state), world.completion(difference)))
    return pairs


def tokenizer_texts(rows: list[LabelledTransition]) -> Iterable[str]:
    """Household's words, and those of the shipped samples of other worlds of texts."""
    for row in rows[:4000]:
        yield row.state.text
    for row in rows:
        yield row.action
    for folder in sorted((paths.assets() / "collections").iterdir()):
        if folder.name != "household" and not (folder / FRAMES).exists():
            for sequence in read_sequences(folder / "sequences.jsonl").sequences:
                yield from (state.text for state in sequence.states)


class Told(TrainerCallback):
    """Writes the loss of every 50th step."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def on_log(self, args, state, control, logs=None, **_) -> None:  # type: ignore[no-untyped-def]
        """Tell the step and its loss in nats a token."""
        if state.global_step % 50 == 0 and "loss" in (logs or {}):
            log.info("%s %d: %.4f nats a token", self.stage, state.global_step, float(logs["loss"]))


def fit(world: WorldModel, pairs: list[Pair], stage: str, *, steps: int, learning_rate: float, seed: int) -> None:
    """Train whatever requires a gradient; nothing is written to disk."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = supervised_trainer(
            world.model,
            pairs,
            world.tokenizer.pad_token_id,
            Path(folder),
            steps=steps,
            batch_size=64,
            learning_rate=learning_rate,
            rise=max(1, steps // 20),
            seed=seed,
            callbacks=[Told(stage)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()


def train_base(world: WorldModel) -> None:
    """Let the base model learn and the adapters rest."""
    for name, parameter in world.model.named_parameters():
        parameter.requires_grad_("lora_" not in name)


def train_adapter(world: WorldModel, adapter: str) -> None:
    """Let one adapter learn and all else rest."""
    world.model.requires_grad_(False)
    world.model.set_adapter(adapter)


def report(world: WorldModel, stage: str, transitions: int = 240) -> None:
    """Held-out scores of one stage."""
    rows = episodes(HELD_OUT, transitions)
    scores = held_out_scores(
        world, [Transition("held-out", 0, r.state, r.next_state) for r in rows], [r.action for r in rows]
    )
    log.info("%s: %s", stage, ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))


def build(out: Path, options: argparse.Namespace) -> None:
    """Run all stages and write the checkpoint folder `out`."""
    set_seed(options.seed)
    unlabelled = episodes(UNLABELLED, options.unlabelled)
    if options.base is None:
        tokenizer = build_tokenizer(tokenizer_texts(unlabelled), options.vocabulary)
        base = build_model(tokenizer, layers=options.layers)
    else:
        tokenizer = AutoTokenizer.from_pretrained(options.base)
        base = AutoModelForCausalLM.from_pretrained(options.base)
    world = with_new_adapters(base, tokenizer, out.name, "base", LORA_RANK, share_weights=False)
    world.max_action_tokens, world.max_state_tokens = 12, 48
    state_only = pretraining_pairs(world, unlabelled)
    if options.base is None:
        train_base(world)
        fit(world, state_only, "pretraining", steps=options.pretraining_steps, learning_rate=2e-3, seed=options.seed)
        if options.keep_pretrained:
            world.save(options.keep_pretrained, with_base=True)
    train_base(world)
    for number, (labels, steps) in enumerate(INVERSE_ROUNDS, start=1):
        labelled = episodes(LABELLED, labels)
        stage = f"inverse round {number}"
        inverse = pairs_for(world, "inverse", labelled)
        fit(world, inverse, stage, steps=steps, learning_rate=1e-3, seed=options.seed + 1)
        report(world, f"after {stage}")
    forward = pairs_for(world, "forward", labelled)
    train_adapter(world, "fwm")
    fit(world, forward, "forward", steps=options.forward_steps, learning_rate=2e-3, seed=options.seed + 1)
    report(world, "after the forward warm-up")
    world.save(out, with_base=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; the defaults rebuild what ships."""
    parser = argparse.ArgumentParser(prog="python -m swirl.recipe", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--base", help="take this pretrained base instead of pretraining one")
    parser.add_argument("--keep-pretrained", type=Path, help="keep the pretrained base in this folder, for --base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--vocabulary", type=int, default=2048)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--unlabelled", type=int, default=60_000, help="state pairs for pretraining")
    parser.add_argument("--pretraining-steps", type=int, default=1100)
    parser.add_argument("--forward-steps", type=int, default=150)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    build(options.out, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
