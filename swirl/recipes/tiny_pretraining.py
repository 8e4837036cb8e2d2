"""Pretrains the base of a tiny model on states alone: copying and comparing. No action is used."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from swirl import paths, pictures
from swirl.codecs import vq
from swirl.codecs.state_codecs import Codec, ImageCodec
from swirl.codecs.vq_training import train_codec
from swirl.models.loading import load_base, load_codec, with_new_adapters
from swirl.models.tiny_language_model import build_model, build_tokenizer
from swirl.models.world_model import WorldModel
from swirl.recipes.confused_tokens import unexpected_losses
from swirl.recipes.tiny_recipes import HELD_OUT_SEED, LORA_RANK, UNLABELLED_SEED, Recipe, record_episodes
from swirl.recipes.tiny_stages import Stages, unfreeze_base
from swirl.sources import read_sequences
from swirl.states import LabelledTransition, State
from swirl.training.supervised import PromptCompletion

OTHER_TEXT_COLLECTIONS = ("scienceworld", "textworld-express")
"""Samples whose words the text tokenizer covers, named so that samples added later do not change the rebuilt model."""

RANDOM_BOARDS = 20_000
WORDED_ACTIONS = 4000
"""Labelled transitions of `Recipe.tokenizer_world` whose actions the tokenizer covers."""

COPIED_TRANSITIONS = 480
"""Of the episodes that the stages are scored on, in the world of the pretraining; copying is judged on them."""

MAX_UNEXPECTED_LOSS = 0.2
"""Of two names that a base took for each other, both had 0.5; the most that any token of a good base had was 0.11."""

log = logging.getLogger("swirl")


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


def tokenizer_texts(recipe: Recipe, rows: list[LabelledTransition]) -> Iterable[str]:
    """Texts to train the tokenizer on: those of the world and, for text worlds, of the shipped samples of others."""
    yield from world_texts(rows)
    if recipe.tokenizer_world is not None:
        for row in record_episodes(recipe.tokenizer_world(), UNLABELLED_SEED, WORDED_ACTIONS):
            yield row.action


def world_texts(rows: list[LabelledTransition]) -> Iterable[str]:
    """The states and actions of these rows and, for texts, the states of other worlds' samples."""
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


def new_base(
    recipe: Recipe, rows: list[LabelledTransition], codec_folder: Path | None, seed: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, Codec | None]:
    """A new language model with its tokenizer and, for images, a trained codec whose codes follow the words."""
    tokenizer = build_tokenizer(tokenizer_texts(recipe, rows), recipe.vocabulary)
    if recipe.codec is None:
        return build_model(tokenizer, layers=recipe.layers), tokenizer, None
    if codec_folder is not None:
        images = vq.load_image_tokenizer(codec_folder, "cpu")
    else:
        frames = [pictures.pixels(row.state.picture) for row in rows[:2500]]
        images = train_codec(frames, recipe.codec, seed=seed, progress=lambda _, text: log.info(text))
    base = build_model(tokenizer, layers=recipe.layers, codes=recipe.codec.codes)
    return base, tokenizer, ImageCodec(tokenizer, images, len(tokenizer))


def pretrain(recipe: Recipe, name: str, codec_folder: Path | None, seed: int, stages: Stages) -> WorldModel:
    """A new world model whose base has been pretrained on states alone."""
    unlabelled = record_episodes((recipe.pretraining_world or recipe.world)(), UNLABELLED_SEED, recipe.unlabelled)
    base, tokenizer, codec = new_base(recipe, unlabelled, codec_folder, seed)
    world = new_world(recipe, name, base, tokenizer, codec)
    state_only = pretraining_pairs(world, unlabelled)
    unfreeze_base(world)
    if recipe.random_board_steps:
        boards, steps = random_board_pairs(world, RANDOM_BOARDS, seed), recipe.random_board_steps
        stages.train(world, boards, "random boards", steps=steps, learning_rate=2e-3, seed=seed + 1)
    stages.train(world, state_only, "pretraining", steps=recipe.pretraining_steps, learning_rate=2e-3, seed=seed)
    pretrain_until_copied(world, recipe, state_only, seed, stages)
    return world


def pretrain_until_copied(
    world: WorldModel, recipe: Recipe, pairs: Sequence[PromptCompletion], seed: int, stages: Stages
) -> None:
    """Pretrain in further rounds, each with its own learning-rate cycle, until no token is taken for another.

    There are at most `Recipe.max_extra_rounds`. Before each, the embeddings of these tokens are moved apart.
    """
    steps = recipe.extra_pretraining_steps
    for number in range(1, recipe.max_extra_rounds + 1):
        confused = confused_tokens(world, recipe)
        if not confused:
            return
        move_apart(world, confused, seed + number)
        stage = f"more pretraining, round {number}"
        stages.total_steps += steps
        stages.train(world, list(pairs), stage, steps=steps, learning_rate=2e-3, seed=seed + 100 + number)


def confused_tokens(world: WorldModel, recipe: Recipe) -> list[int]:
    """The tokens that the base loses far more often than the world does, worst first."""
    rows = record_episodes((recipe.pretraining_world or recipe.world)(), HELD_OUT_SEED, COPIED_TRANSITIONS)
    losses = unexpected_losses(world, rows)
    return sorted((token for token in losses if losses[token] > MAX_UNEXPECTED_LOSS), key=lambda t: -losses[t])


def warn_of_confused_tokens(world: WorldModel, recipe: Recipe) -> None:
    """Log a warning that names the tokens which a pretrained base takes for others, if there are any."""
    if confused := confused_tokens(world, recipe):
        names = ", ".join(token_name(world, token) for token in confused)
        log.warning("the base takes these tokens for others, so no model built on it gets far: %s", names)


@torch.no_grad()
def move_apart(world: WorldModel, tokens: Sequence[int], seed: int) -> None:
    """Add to the embedding of each token a random vector of about its own length.

    Steps alone part two names slowly whose embeddings are the same, since the input of one then says nothing of which
    output is right (docs/lab-notes.md).
    """
    embeddings = world.model.get_input_embeddings().weight
    generator = torch.Generator().manual_seed(seed)
    for token in tokens:
        noise = torch.randn(embeddings.shape[1], generator=generator)
        embeddings[token] += (noise * embeddings[token].norm() / noise.norm()).to(embeddings)


def token_name(world: WorldModel, token: int) -> str:
    """A token as a word, or as the number of an image code."""
    words = len(world.tokenizer)
    return repr(world.tokenizer.decode([token])) if token < words else f"code {token - words}"


def load_pretrained(recipe: Recipe, name: str, folder: Path) -> WorldModel:
    """A world model with new adapters on a pretrained base."""
    base, tokenizer = load_base(str(folder), torch.device("cpu"), "float32")
    codec = load_codec(str(folder), base, tokenizer) if recipe.codec else None
    return new_world(recipe, name, base, tokenizer, codec)


def new_world(
    recipe: Recipe, name: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, codec: Codec | None
) -> WorldModel:
    """A base with new adapters and the recipe's limits."""
    world = with_new_adapters(base, tokenizer, name, "base", LORA_RANK, share_weights=False, codec=codec)
    world.max_action_tokens, world.max_state_tokens = recipe.max_action_tokens, recipe.max_state_tokens
    return world
