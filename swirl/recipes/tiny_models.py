"""Builds the shipped tiny models from scratch: `python -m swirl.recipes.tiny_models tiny-household --out DIR`.

1. Train a byte-level BPE tokenizer on the world's words (and the shipped text samples, so that it covers any text). For
   images, also train an image codec on frames of the world; its codes follow the words in the vocabulary.
2. Pretrain the base on states alone: predict the next state with an empty action slot (copying), and what is new in the
   next state (comparing); for images first on frames of random codes. No action is used.
3. Warm up on labelled transitions. The inverse task comes first, on all weights, in rounds, each with its own
   learning-rate cycle: what it learns stays in the base, and `idm` starts without effect. Then comes the forward task:
   for texts on the adapter `fwm` alone, for images together with the inverse task on all weights.

The forward warm-up is short on purpose: the loop gains most from a strong inverse model and a forward model that makes
real but not hopeless mistakes (docs/lab-notes.md). This start was chosen on separate episodes, which neither training
nor the shipped collection contains; every stage is scored on them.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed

from swirl import paths, pictures
from swirl.codecs import vq
from swirl.codecs.state_codecs import Codec, ImageCodec
from swirl.codecs.vq_training import CodecShape, train_codec
from swirl.evaluation.report import held_out_scores
from swirl.models.loading import load_base, load_codec, with_new_adapters
from swirl.models.tiny_language_model import build_model, build_tokenizer
from swirl.models.world_model import WorldModel
from swirl.sources import read_sequences
from swirl.states import LabelledTransition, State, Transition
from swirl.training.supervised import PromptCompletion, StepLossCallback, train_on_pairs
from swirl.training.warm_up import build_supervised_pairs
from swirl.worlds.base import World
from swirl.worlds.blocks import Blocks
from swirl.worlds.household import Household

# Episode seeds far from those of any recording (`swirl.worlds.base.episode_seed`).
UNLABELLED_SEED, LABELLED_SEED, HELD_OUT_SEED = 10**15, 2 * 10**15, 3 * 10**15
ACTIONS_PER_EPISODE = 8
LORA_RANK = 16
BATCH = 64
OTHER_TEXT_COLLECTIONS = ("scienceworld", "textworld-express")
"""Samples whose words the text tokenizer covers, named so that samples added later do not change the rebuilt model."""

log = logging.getLogger("swirl")


@dataclass(frozen=True)
class MixedRounds:
    """Rounds of `steps`, repeated until the forward exact match on the recipe's episodes reaches `target_exact_match`.

    There are at most `max_rounds`. When a forward image model begins to get whole frames right differs by a factor of
    two between seeds or machines, so a fixed number of steps would not give the same model.
    """

    steps: int
    target_exact_match: float
    max_rounds: int


@dataclass(frozen=True)
class Recipe:
    """The settings in which the shipped models differ. `codec` is None for text models."""

    world: Callable[[], World]
    codec: CodecShape | None
    vocabulary: int
    layers: int
    unlabelled: int
    """State pairs for the pretraining."""
    pretraining_steps: int
    inverse_rounds: tuple[tuple[int, int], ...]
    """Labels and optimiser steps of each inverse warm-up round; the forward warm-up uses the labels of the last one."""
    mixed: MixedRounds | None
    """Rounds that train both tasks together on all weights, after the inverse rounds."""
    forward_steps: int
    """Final steps of the forward task on the adapter `fwm` alone."""
    max_action_tokens: int
    max_state_tokens: int
    random_board_steps: int = 0
    """Pretraining steps on frames of random codes, before those on the world's frames."""


RECIPES = {
    "tiny-household": Recipe(
        world=Household,
        codec=None,
        vocabulary=2048,
        layers=3,
        unlabelled=60_000,
        pretraining_steps=1100,
        inverse_rounds=((3000, 300), (3000, 300), (8000, 400)),
        mixed=None,
        forward_steps=130,
        max_action_tokens=12,
        max_state_tokens=48,
    ),
    "tiny-blocks": Recipe(
        world=Blocks,
        codec=CodecShape(size=64, tile=16, codes=128, channels=48),
        vocabulary=512,
        layers=3,
        unlabelled=20_000,
        pretraining_steps=500,
        inverse_rounds=((3000, 300), (8000, 400)),
        mixed=MixedRounds(steps=150, target_exact_match=0.43, max_rounds=20),
        forward_steps=0,
        max_action_tokens=12,
        max_state_tokens=16,
        random_board_steps=400,
    ),
}


def record_episodes(world: World, first_seed: int, transitions: int) -> list[LabelledTransition]:
    """The first `transitions` labelled transitions of episodes with consecutive seeds."""
    rows, seed = [], first_seed
    while len(rows) < transitions:
        episode = world.episode(seed, ACTIONS_PER_EPISODE)
        pairs = zip(pairwise(episode.states), episode.actions, strict=True)
        rows += [LabelledTransition(x, z, y) for (x, y), z in pairs]
        seed += 1
    return rows[:transitions]


def difference_ids(world: WorldModel, state: State, next_state: State) -> list[int]:
    """The difference between two states as ids.

    For texts these are the sentences of the next state that the state lacks; for images each code that changed,
    followed by its new value.
    """
    if world.kind == "image":
        pairs = zip(world.codec.encode_state(state), world.codec.encode_state(next_state), strict=True)
        return [*(code for before, after in pairs if before != after for code in (before, after)), world.layout.end_id]
    before = set(state.text.split(". "))
    return world.completion(". ".join(fact for fact in next_state.text.split(". ") if fact not in before))


def pretraining_pairs(world: WorldModel, rows: Sequence[LabelledTransition]) -> list[PromptCompletion]:
    """Pairs for copying and comparing, from states alone; the actions are not used."""
    world.codec.prepare([state for row in rows for state in (row.state, row.next_state)])
    pairs = []
    for row in rows:
        pairs.append((world.layout.forward_prompt(row.state, ""), world.state_completion(row.next_state)))
        inverse_prompt = world.layout.inverse_prompt(row.state, row.next_state)
        pairs.append((inverse_prompt, difference_ids(world, row.state, row.next_state)))
    return pairs


def random_board_pairs(world: WorldModel, count: int, seed: int) -> list[PromptCompletion]:
    """Pairs for copying and comparing on frames of random codes, of which one or two change.

    Most cells of a real board look alike, so a model loses little if it does not look back. Here every code must be
    copied from its own position, so the circuit for copying forms quickly.
    """
    rng, pairs = random.Random(seed), []
    first, end = world.codec.offset, world.layout.end_id
    for _ in range(count):
        before = [first + rng.randrange(world.codec.codebook_size) for _ in range(world.codec.length)]
        after = list(before)
        for place in rng.sample(range(len(after)), rng.randint(1, 2)):
            after[place] = first + rng.randrange(world.codec.codebook_size)
        changed = [code for pair in zip(before, after, strict=True) if pair[0] != pair[1] for code in pair]
        pairs.append((world.layout.forward_prompt(before, ""), after))
        pairs.append((world.layout.inverse_prompt(before, after), [*changed, end]))
    return pairs


def tokenizer_texts(rows: list[LabelledTransition]) -> Iterable[str]:
    """Texts to train the tokenizer on: those of the world and, for text worlds, of the shipped samples of others."""
    for row in rows[:4000]:
        if row.state.picture is None:
            yield row.state.text
    for row in rows:
        yield row.action
    if rows[0].state.picture is not None:
        return
    for name in OTHER_TEXT_COLLECTIONS:
        for sequence in read_sequences(paths.assets() / "collections" / name / "sequences.jsonl").sequences:
            yield from (state.text for state in sequence.states)


def train_stage(
    world: WorldModel, pairs: list[PromptCompletion], stage: str, *, steps: int, learning_rate: float, seed: int
) -> None:
    """Train all parameters that require a gradient, and log the loss of every 50th step."""

    def log_loss(step: int, loss: float) -> None:
        if step % 50 == 0:
            log.info("%s %d: %.4f nats per token", stage, step, loss)

    pad_id, callbacks = world.tokenizer.pad_token_id, [StepLossCallback(log_loss)]
    options = {"steps": steps, "batch_size": BATCH, "learning_rate": learning_rate, "seed": seed}
    train_on_pairs(world.model, pairs, pad_id, **options, callbacks=callbacks)


def unfreeze_base(world: WorldModel) -> None:
    """Make the base model trainable and freeze the adapters."""
    for name, parameter in world.model.named_parameters():
        parameter.requires_grad_("lora_" not in name)


def unfreeze_adapter(world: WorldModel, adapter: str) -> None:
    """Make one adapter trainable and freeze everything else."""
    world.model.requires_grad_(False)
    world.model.set_adapter(adapter)


def score_stage(world: WorldModel, recipe: Recipe, stage: str, transitions: int = 240) -> dict[str, float]:
    """Held-out scores after one stage, on episodes that neither training nor the shipped collection contains."""
    rows = record_episodes(recipe.world(), HELD_OUT_SEED, transitions)
    scores = held_out_scores(
        world, [Transition("held-out", 0, r.state, r.next_state) for r in rows], [r.action for r in rows]
    )
    log.info("%s: %s", stage, ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    return scores


def new_base(
    recipe: Recipe, rows: list[LabelledTransition], codec_folder: Path | None, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Codec | None]:
    """A new language model with its tokenizer and, for images, a trained codec whose codes follow the words."""
    tokenizer = build_tokenizer(tokenizer_texts(rows), recipe.vocabulary)
    if recipe.codec is None:
        return build_model(tokenizer, layers=recipe.layers), tokenizer, None
    if codec_folder is not None:
        images = vq.load_image_tokenizer(codec_folder, "cpu")
    else:
        frames = [pictures.pixels(row.state.picture) for row in rows[:2500]]
        images = train_codec(frames, recipe.codec, seed=seed, progress=lambda _, text: log.info(text))
    base = build_model(tokenizer, layers=recipe.layers, codes=recipe.codec.codes)
    return base, tokenizer, ImageCodec(tokenizer, images, len(tokenizer))


def train_both(world: WorldModel, recipe: Recipe, mixed: MixedRounds, pairs: list[PromptCompletion], seed: int) -> None:
    """Train both tasks on all weights in rounds, until the forward exact match reaches its target."""
    for number in range(1, mixed.max_rounds + 1):
        stage = f"mixed round {number}"
        train_stage(world, pairs, stage, steps=mixed.steps, learning_rate=1e-3, seed=seed + 1 + number)
        if score_stage(world, recipe, f"after {stage}")["forward/exact_match"] >= mixed.target_exact_match:
            return
    log.warning(
        "after %d rounds the forward exact match is still below %.2f", mixed.max_rounds, mixed.target_exact_match
    )


def build_checkpoint(recipe: Recipe, out: Path, options: argparse.Namespace) -> None:
    """Run all stages and write the checkpoint to the folder `out`."""
    set_seed(options.seed)
    unlabelled = record_episodes(recipe.world(), UNLABELLED_SEED, recipe.unlabelled)
    if options.base is None:
        base, tokenizer, codec = new_base(recipe, unlabelled, options.codec, options.seed)
    else:
        base, tokenizer = load_base(str(options.base), torch.device("cpu"), "float32")
        codec = load_codec(str(options.base), base, tokenizer) if recipe.codec else None
    world = with_new_adapters(base, tokenizer, out.name, "base", LORA_RANK, share_weights=False, codec=codec)
    world.max_action_tokens, world.max_state_tokens = recipe.max_action_tokens, recipe.max_state_tokens
    if options.base is None:
        state_only = pretraining_pairs(world, unlabelled)
        unfreeze_base(world)
        if recipe.random_board_steps:
            boards, steps = random_board_pairs(world, 20_000, options.seed), recipe.random_board_steps
            train_stage(world, boards, "random boards", steps=steps, learning_rate=2e-3, seed=options.seed + 1)
        steps = recipe.pretraining_steps
        train_stage(world, state_only, "pretraining", steps=steps, learning_rate=2e-3, seed=options.seed)
        if options.keep_pretrained:
            world.save(options.keep_pretrained, with_base=True)
    unfreeze_base(world)
    labelled: list[LabelledTransition] = []
    inverse: list[PromptCompletion] = []
    for number, (labels, steps) in enumerate(recipe.inverse_rounds, start=1):
        labelled = record_episodes(recipe.world(), LABELLED_SEED, labels)
        stage = f"inverse round {number}"
        world.codec.prepare([state for row in labelled for state in (row.state, row.next_state)])
        inverse = build_supervised_pairs(world, "inverse", labelled)
        train_stage(world, inverse, stage, steps=steps, learning_rate=1e-3, seed=options.seed + 1)
        score_stage(world, recipe, f"after {stage}")
    forward = build_supervised_pairs(world, "forward", labelled)
    if recipe.mixed:
        train_both(world, recipe, recipe.mixed, inverse + forward, options.seed)
    if recipe.forward_steps:
        unfreeze_adapter(world, "fwm")
        train_stage(world, forward, "forward", steps=recipe.forward_steps, learning_rate=2e-3, seed=options.seed + 1)
        score_stage(world, recipe, "after the forward warm-up")
    world.save(out, with_base=True)


def main(arguments: list[str] | None = None) -> int:
    """The command line; its defaults rebuild the shipped models."""
    parser = argparse.ArgumentParser(prog="python -m swirl.recipes.tiny_models", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=sorted(RECIPES), help="shipped model to build")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--base", type=Path, help="use this pretrained base instead of pretraining one")
    parser.add_argument("--codec", type=Path, help="use this trained image codec instead of training one")
    parser.add_argument("--keep-pretrained", type=Path, help="save the pretrained base to this folder, for --base")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    names = ("unlabelled", "pretraining_steps", "forward_steps", "layers")
    for name in names:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"override the recipe's {name}")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    changed = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    build_checkpoint(replace(RECIPES[options.model], **changed), options.out, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
