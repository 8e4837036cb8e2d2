"""Makes what an experiment's problems need: recordings, labels, and the models that training starts from.

Everything lies in the home and is made once: collections by name, the rest as `swirl.experiments.material` says. A
folder is installed when it is complete, so a stopped preparation goes on with the next thing that is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from swirl import paths
from swirl.codecs import CODEC_FOLDER
from swirl.errors import SwirlError, UsageError
from swirl.experiments.grid import Problem
from swirl.experiments.material import (
    made_for_problem,
    recording_name,
    recordings_folder,
    starts_folder,
    true_labels_folder,
)
from swirl.presets import get_preset
from swirl.progress import ProgressCallback
from swirl.sources.atomic_folder import draft_folder, install_folder

RECORDING_SEED = 77
"""Of the recordings of Household and Blocks: neither the shipped collections nor the recipes play these episodes."""

LABELS_SEED = 78
"""Of the labels for the methods that merge them with pseudo-labels."""

LABELS = 1000
"""Labelled transitions for those methods: an eighth of what the recipe's start was warmed up on."""

PUBLISHED_STARTS = "experiments/starts"
"""The starts that come with the program, in the folder of assets, named by model and regime, without codecs."""

PROBLEM_REGIMES = ("clean", "ambiguous", "noisy", "weak-critic")
"""The regimes of a problem: those of the worlds, and one in which the start is weak."""

RECIPES = {"household": "tiny-household", "blocks": "tiny-blocks"}
"""The recipe of each world that has regimes."""


def prepare_problem(home: Path, problem: Problem, progress: ProgressCallback) -> dict[str, Any]:
    """Make what is missing for a problem. Returns `data` and `model`, with `labels` and `true_labels` where known.

    `progress` may raise to stop: what is complete by then is kept. Raises SwirlError if a world is not ready or a named
    collection, labels file or model does not exist.
    """
    if problem.data is not None:
        return prepare_own_data(home, problem)
    if problem.regime is None:
        return prepare_trial(home, problem, progress)
    return prepare_regime(home, problem, progress)


def prepare_regime(home: Path, problem: Problem, progress: ProgressCallback) -> dict[str, Any]:
    """A recording of a world in one of its regimes, with the model that the recipe makes for the regime."""
    world, regime = str(problem.world), str(problem.regime)
    played = "clean" if regime == "weak-critic" else regime  # a weak critic plays in the clean world
    data = recording_name(problem, played)
    record_collection(home, world, played, data, problem, progress)
    labels = made_for_problem(home, problem, "labels")
    if not labels.is_dir():
        write_fresh_labels(labels, world, played, problem.length)
    if problem.model is not None:
        model = problem.model
    elif problem.new_adapters:
        model = str(paths.assets() / RECIPES[world] / "base")
    elif regime == "clean":
        model = RECIPES[world]
    else:
        model = str(prepare_start(home, RECIPES[world], regime, progress))
    return {
        "data": data,
        "model": model,
        "labels": str(labels / "labels.jsonl"),
        "true_labels": write_true_labels(home, data),
    }


def prepare_start(home: Path, model: str, regime: str, progress: ProgressCallback) -> Path:
    """The starting model of a regime: the published one, else what its recipe builds here in an hour or so.

    A recipe may build another model elsewhere, so only runs from the published one can be compared everywhere.
    """
    from swirl.recipes.tiny_models import build_start

    start = starts_folder(home) / f"{model}-{regime}"
    if not start.is_dir():
        published = paths.assets() / PUBLISHED_STARTS / start.name
        if published.is_dir():
            install_once(start, lambda draft: copy_start(published, model, draft))
        else:
            pretrained = starts_folder(home) / f"pretrained-{model}"
            build_start(model, regime, start, pretrained=pretrained, progress=progress)
    return start


def copy_start(published: Path, model: str, draft: Path) -> None:
    """Copy a published start; for images with the codec of the world's shipped model, which they share."""
    shutil.copytree(published, draft, dirs_exist_ok=True)
    codec = paths.assets() / model / "base" / CODEC_FOLDER
    if codec.is_dir():
        shutil.copytree(codec, draft / "base" / CODEC_FOLDER)


def prepare_own_data(home: Path, problem: Problem) -> dict[str, Any]:
    """A collection of the user's own; its model is that of the preset unless the problem names one."""
    from swirl.sources.collections.catalog import get_collection

    collection = get_collection(home, str(problem.data))
    labels = None
    if problem.labels is not None:
        labels = Path(problem.labels).expanduser().resolve()
        if not labels.is_file():
            raise SwirlError(f"The labels {labels} of the problem {problem.name!r} do not exist; check the path.")
    return {
        "data": collection.name,
        "model": problem.model or get_preset(problem.preset).settings.model,
        "labels": labels and str(labels),
        "true_labels": write_true_labels(home, collection.name) if collection.has_actions else None,
    }


def prepare_trial(home: Path, problem: Problem, progress: ProgressCallback) -> dict[str, Any]:
    """A world as `swirl trial` records it: half of its episodes with labels, half without, others to test on."""
    from swirl.sources.collections.catalog import import_collection
    from swirl.worlds.registry import WORLDS, open_world, write_metadata
    from swirl.worlds.trial_data import write_trial

    world = str(problem.world)
    transitions = problem.sequences * problem.length
    data = f"{world}-halves-{transitions}"
    folder = made_for_problem(home, problem, "recording")
    if not folder.is_dir():
        with open_world(world) as running, draft_folder(folder) as draft:
            kind = WORLDS[world].kind
            write_trial(running, kind, draft, transitions, RECORDING_SEED, progress)
            command = f"swirl trial {world} --transitions {transitions} --seed {RECORDING_SEED}"
            write_metadata(world, WORLDS[world], draft, command, title=f"{WORLDS[world].title}, half without labels")
            install_unless_there(draft, folder)
    if not is_collection(home, data):
        import_collection(home, folder, data, progress=progress)
    return {
        "data": data,
        "model": problem.model or get_preset(problem.preset).settings.model,
        "labels": str(folder / "labels.jsonl"),
        "true_labels": write_true_labels(home, data),
    }


def record_collection(
    home: Path, world: str, regime: str, name: str, problem: Problem, progress: ProgressCallback
) -> None:
    """Record and import a collection, unless the home has it."""
    from swirl.sources.collections.catalog import import_collection
    from swirl.worlds.registry import record

    if is_collection(home, name):
        return
    # In a folder of its own, for another experiment may record the same at this moment.
    with draft_folder(recordings_folder(home) / name) as draft:
        folder = draft / "recording"
        record(
            world,
            folder,
            seed=RECORDING_SEED,
            sequences=problem.sequences,
            length=problem.length,
            regime=regime,
            progress=progress,
        )
        if not is_collection(home, name):
            import_collection(home, folder, name, progress=progress)


def write_fresh_labels(folder: Path, world: str, regime: str, length: int) -> None:
    """Write LABELS labelled transitions of episodes that no recording holds."""
    from swirl.worlds.base import episode_seed
    from swirl.worlds.registry import WORLDS, open_world
    from swirl.worlds.trial_data import write_labelled_episodes

    with open_world(world, regime=regime) as running:
        episodes = [running.episode(episode_seed(LABELS_SEED, i), length) for i in range(max(1, LABELS // length))]
    install_once(folder, lambda draft: write_labelled_episodes(draft, WORLDS[world].kind, episodes))


def write_true_labels(home: Path, data: str) -> str | None:
    """Write the training part of a collection with its true actions as labels; the path, or None without actions.

    They are for the supervised method only, the upper bound: all other methods train without them.
    """
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collections.catalog import get_collection, load_sequences
    from swirl.sources.collections.split import split_of
    from swirl.worlds.base import make_episode
    from swirl.worlds.trial_data import write_labelled_episodes

    folder = true_labels_folder(home, data)
    if not folder.is_dir():
        actions = load_true_actions(home, data)
        episodes = [
            make_episode(list(sequence.states), actions[sequence.id])
            for sequence in load_sequences(home, data)
            if split_of(sequence.id) == "train" and len(actions.get(sequence.id, ())) == len(sequence.states) - 1
        ]
        if not episodes:
            return None
        kind = get_collection(home, data).kind
        install_once(folder, lambda draft: write_labelled_episodes(draft, kind, episodes))
    return str(folder / "labels.jsonl")


def install_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Fill a draft of the folder with `write`, then move it into its place. Raises SwirlError if that fails."""
    try:
        with draft_folder(folder) as draft:
            write(draft)
            install_unless_there(draft, folder)
    except OSError as error:
        raise SwirlError(
            f"{folder} cannot be written ({error.strerror}); check its permissions and its disk."
        ) from error


def install_unless_there(draft: Path, folder: Path) -> None:
    """Move a draft to its place, unless another process has done so meanwhile: its folder may be in use."""
    if not folder.is_dir():
        install_folder(draft, folder, register=lambda: None)


def is_collection(home: Path, name: str) -> bool:
    """Whether the home has a collection of this name."""
    from swirl.sources.collections.catalog import list_collections

    return any(collection.name == name for collection in list_collections(home))


def check_worlds(problems: Sequence[Problem]) -> None:
    """Raises UsageError or SwirlError before any work if a world is unknown, not ready, or has no such regime."""
    from swirl.worlds.registry import find_world, missing_requirements

    check_regimes(problems)
    for problem in problems:
        needs = missing_requirements(find_world(problem.world)) if problem.world is not None else None
        if needs:
            raise SwirlError(f"The problem {problem.name!r} cannot be recorded. {needs}")


def check_regimes(problems: Sequence[Problem]) -> None:
    """Raises UsageError if a world is unknown, or has no such regime."""
    from swirl.worlds.registry import find_world

    for problem in problems:
        if problem.world is None:
            continue
        find_world(problem.world)
        if problem.regime is not None and problem.world not in RECIPES:
            raise UsageError(f"{problem.world} has no regimes; omit regime from the problem {problem.name!r}.")
        if problem.regime is not None and problem.regime not in PROBLEM_REGIMES:
            raise UsageError(
                f"The problem {problem.name!r} has the unknown regime {problem.regime!r}; the regimes are: "
                f"{', '.join(PROBLEM_REGIMES)}."
            )
