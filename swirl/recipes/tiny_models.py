"""Builds the shipped tiny models from scratch: `python -m swirl.recipes.tiny_models tiny-household --out DIR`.

1. Train a byte-level BPE tokenizer on the world's words (and the shipped text samples, so that it covers any text). For
   images, also train an image codec on frames of the world; its codes follow the words in the vocabulary.
2. Pretrain the base on states alone: predict the next state with an empty action slot (copying), and what is new in the
   next state (comparing); for images first on frames of random codes. No action is used.
3. Warm up on labelled transitions. The inverse task comes first, on all weights, in rounds, each with its own
   learning-rate cycle: what it learns stays in the base, and `idm` starts without effect. Then comes the forward task:
   for texts on the adapter `fwm` alone, for images together with the inverse task on all weights.

With `--regime` it builds the start of another regime in the same stages (`swirl.recipes.tiny_recipes.regime_recipe`).

The forward warm-up is short on purpose: the loop gains most from a strong inverse model and a forward model that makes
real but not hopeless mistakes (docs/lab-notes.md). This start was chosen on separate episodes, which neither training
nor the shipped collection contains; every stage is scored on them.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import set_seed

from swirl import paths
from swirl.errors import SwirlError
from swirl.models.world_model import WorldModel
from swirl.progress import ProgressCallback
from swirl.recipes.tiny_pretraining import load_pretrained, pretrain, warn_of_confused_tokens
from swirl.recipes.tiny_recipes import (
    LABELLED_SEED,
    RECIPES,
    START_REGIMES,
    Recipe,
    TargetRounds,
    record_episodes,
    regime_recipe,
)
from swirl.recipes.tiny_stages import Stages, unfreeze_adapter, unfreeze_base
from swirl.sources.atomic_folder import draft_folder, install_folder
from swirl.training.supervised import PromptCompletion
from swirl.training.warm_up import build_supervised_pairs

START_FILE = "start.json"
"""What a start's folder says of its making: model, regime, seed, and the scores after each stage on own episodes."""

log = logging.getLogger("swirl")


def train_to_target(
    world: WorldModel,
    recipe: Recipe,
    rounds: TargetRounds,
    pairs: list[PromptCompletion],
    name: str,
    stages: Stages,
    *,
    learning_rate: float,
    seed: int,
) -> None:
    """Train in rounds, each with its own learning-rate cycle, until the forward exact match reaches its target."""
    for number in range(1, rounds.max_rounds + 1):
        stage = f"{name} round {number}"
        stages.train(world, pairs, stage, steps=rounds.steps, learning_rate=learning_rate, seed=seed + 1 + number)
        if stages.score(world, recipe, f"after {stage}")["forward/exact_match"] >= rounds.target_exact_match:
            return
    log.warning(
        "after %d rounds the forward exact match is still below %.2f", rounds.max_rounds, rounds.target_exact_match
    )


def warm_up(world: WorldModel, recipe: Recipe, seed: int, stages: Stages) -> None:
    """Train both tasks on labelled transitions: first the inverse one, then the forward one."""
    unfreeze_base(world)
    labelled = record_episodes(
        recipe.world(), LABELLED_SEED, max(recipe.forward_labels, *(labels for labels, _ in recipe.inverse_rounds))
    )
    world.codec.prepare([state for row in labelled for state in (row.state, row.next_state)])
    inverse: list[PromptCompletion] = []
    for number, (labels, steps) in enumerate(recipe.inverse_rounds, start=1):
        stage = f"inverse round {number}"
        inverse = build_supervised_pairs(world, "inverse", labelled[:labels])
        stages.train(world, inverse, stage, steps=steps, learning_rate=1e-3, seed=seed + 1)
        stages.score(world, recipe, f"after {stage}")
    forward = build_supervised_pairs(world, "forward", labelled[: recipe.forward_labels])
    if recipe.mixed:
        repeated = inverse * max(1, len(forward) // len(inverse))
        train_to_target(world, recipe, recipe.mixed, repeated + forward, "mixed", stages, learning_rate=1e-3, seed=seed)
    if recipe.forward_steps:
        unfreeze_adapter(world, "fwm")
        stages.train(world, forward, "forward", steps=recipe.forward_steps, learning_rate=2e-3, seed=seed + 1)
        scores = stages.score(world, recipe, "after the forward warm-up")
        rounds = recipe.forward_rounds
        if rounds and scores["forward/exact_match"] < rounds.target_exact_match:
            train_to_target(world, recipe, rounds, forward, "forward", stages, learning_rate=2e-3, seed=seed)


def build_checkpoint(
    recipe: Recipe,
    out: Path,
    *,
    seed: int = 0,
    base: Path | None = None,
    codec: Path | None = None,
    keep_pretrained: Path | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, dict[str, float]]:
    """Run all stages, write the checkpoint to the folder `out` atomically and return the scores after each stage.

    `base` is a pretrained base, so that none is pretrained; a new one is saved to `keep_pretrained`, if given. `codec`
    is a trained image codec, so that none is trained.
    """
    set_seed(seed)
    steps = sum(steps for _, steps in recipe.inverse_rounds) + recipe.forward_steps
    steps += sum(rounds.steps * rounds.max_rounds for rounds in (recipe.mixed, recipe.forward_rounds) if rounds)
    steps += 0 if base else recipe.random_board_steps + recipe.pretraining_steps
    stages = Stages(steps, progress)
    world = pretrain(recipe, out.name, codec, seed, stages) if base is None else None
    if world and keep_pretrained:
        world.save(keep_pretrained, with_base=True)
        base = keep_pretrained / "base"
    if base is not None:
        set_seed(seed)  # a base that was just saved and one of an earlier call give the same model
        world = load_pretrained(recipe, out.name, base)
    warn_of_confused_tokens(world, recipe)
    warm_up(world, recipe, seed, stages)
    world.save(out, with_base=True)
    return stages.scores


def build_start(
    model: str,
    regime: str,
    out: Path,
    *,
    pretrained: Path | None = None,
    progress: ProgressCallback | None = None,
    seed: int = 0,
    codec: Path | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Build the starting model of a regime (`START_REGIMES`) in the folder `out`, with its START_FILE; return that.

    `pretrained` is a checkpoint or base model, such as `--keep-pretrained` saves, whose base is used; where there is
    none yet, one is pretrained and saved there, for the starts of the other regimes and for another try. `codec` is
    the shipped one by default, `changes` override settings of the recipe. `out` appears only once it is complete.
    Raises UsageError for an unknown model or regime, SwirlError if `out` is not empty or cannot be written.
    """
    recipe = replace(regime_recipe(model, regime), **changes)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SwirlError(f"{out} is not empty; name a new folder.")
    if recipe.codec and codec is None:
        codec = paths.assets() / model / "base" / "codec"
    base = pretrained if pretrained is not None and pretrained.exists() else None
    if base is not None and (base / "base").is_dir():
        base /= "base"
    try:
        with draft_folder(out) as draft:
            made = {"seed": seed, "base": base, "codec": codec, "keep_pretrained": pretrained, "progress": progress}
            scores = build_checkpoint(recipe, draft, **made)
            start = {"model": model, "regime": regime, "seed": seed, "scores": scores}
            (draft / START_FILE).write_text(json.dumps(start, indent=1) + "\n", encoding="utf-8")
            install_folder(draft, out, register=lambda: None)
    except OSError as error:
        raise SwirlError(f"{out} cannot be written ({error.strerror or error}); fix that or name another.") from error
    return start


def main(arguments: list[str] | None = None) -> int:
    """The command line; its defaults rebuild the shipped models."""
    parser = argparse.ArgumentParser(prog="python -m swirl.recipes.tiny_models", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=sorted(RECIPES), help="shipped model to build")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--regime", choices=START_REGIMES, help="build the starting model of this regime instead")
    parser.add_argument("--base", type=Path, help="use this pretrained base instead of pretraining one")
    parser.add_argument("--codec", type=Path, help="use this trained image codec instead of training one")
    parser.add_argument(
        "--keep-pretrained",
        type=Path,
        help="save the pretrained base to this folder, for --base; with --regime, use it if it is there already",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    names = ("unlabelled", "pretraining_steps", "forward_steps", "layers")
    for name in names:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=f"override the recipe's {name}")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    changed = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if options.base and not options.base.exists():
        parser.error(f"{options.base} does not exist; name a pretrained base with --base")
    if options.regime:
        pretrained, made = options.base or options.keep_pretrained, {"seed": options.seed, "codec": options.codec}
        try:
            build_start(options.model, options.regime, options.out, pretrained=pretrained, **made, **changed)
        except SwirlError as error:
            parser.error(str(error))
        return 0
    build_checkpoint(
        replace(RECIPES[options.model], **changed),
        options.out,
        seed=options.seed,
        base=options.base,
        codec=options.codec,
        keep_pretrained=options.keep_pretrained,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
