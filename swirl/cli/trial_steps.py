"""The steps of `swirl trial`: record, build a base model, train a few steps, infer and measure."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from swirl.cli.output import Output
from swirl.cli.training_progress import show_training_progress
from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.settings import Settings

TRIAL_PRESETS = {"text": "tiny-household", "image": "tiny-blocks"}
"""The preset that a trial starts from, by the kind of states."""

FEW_STEPS: dict[str, object] = {
    "iterations": 1,
    "forward.steps_per_phase": 5,
    "inverse.steps_per_phase": 3,
    "batch_size": 12,
    "forward.batch_size": 12,
    "group_size": 4,
    "warm_up_epochs": 15,
    "max_action_tokens": 48,
    "max_state_tokens": 256,
    "held_out": 16,
    "learning_rate_warmup": 1,
}
"""Changes to the preset: a few steps of each phase, and room for longer states."""

FEW_STEPS_OF_SMOLLM2: dict[str, object] = {
    "forward.steps_per_phase": 6,
    "inverse.steps_per_phase": 4,
    "max_action_tokens": 48,
    "held_out": 16,
}
"""Changes to the preset of SmolLM2."""

MEASURES = {"text": ("exact_match", "token_accuracy"), "image": ("exact_match", "psnr")}


class Trial:
    """One trial of a world in a home; `seconds` collects the duration of each step."""

    def __init__(self, home: Path, world: str, kind: str, out: Output) -> None:
        self.home, self.world, self.kind, self.out = home, world, kind, out
        self.name = f"trial-{world}"
        self.folder = home / "trials" / world
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Announce a step, and keep how long it takes in `seconds`."""
        self.out.print_note(f"{self.name}: {step}")
        started = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - started, 1)

    def record(self, transitions: int, seed: int, source: Path | None) -> dict[str, int]:
        """Record into the trial's folder and return the number of transitions in each part.

        The recording of an earlier trial is replaced only once the new one is complete. Raises SwirlError when the
        world is not ready or the home cannot be written.
        """
        from swirl.worlds.registry import WORLDS, open_world, write_metadata
        from swirl.worlds.trial_data import write_trial

        fresh = self.folder.with_name(f".{self.world}")
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(parents=True)
            with open_world(self.world, source) as world:
                counts = write_trial(world, WORLDS[self.world].kind, fresh, transitions, seed, self.out.show_progress)
            command = f"swirl trial {self.world} --transitions {transitions} --seed {seed}"
            write_metadata(self.world, WORLDS[self.world], fresh, command, title=f"Trial of {WORLDS[self.world].title}")
            shutil.rmtree(self.folder, ignore_errors=True)
            fresh.rename(self.folder)
        except OSError as error:
            raise SwirlError(
                f"{self.folder} cannot be written ({error.strerror}); free or unlock it, then try again."
            ) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return counts

    def settings(self, changes: dict[str, object]) -> Settings:
        """Return the preset's settings, reduced to a few steps of each phase, with the user's changes.

        A text world gets SmolLM2 if it is installed and no other model is asked for.
        """
        from swirl.models.gguf_files import INSTALL_SMOLLM2, SMOLLM2, is_smollm2_ready
        from swirl.presets import get_preset

        if self.kind == "text" and changes.get("model", SMOLLM2) == SMOLLM2 and is_smollm2_ready():
            self.out.print_note(f"{self.name}: SmolLM2-135M is installed and is taken as the model")
            settings = get_preset(SMOLLM2).settings.replace(FEW_STEPS_OF_SMOLLM2)
        else:
            if self.kind == "text" and "model" not in changes:
                self.out.print_note(
                    f"{self.name}: a small model is made from the states; "
                    f"to have a pretrained one taken instead, run: {INSTALL_SMOLLM2}"
                )
            settings = get_preset(TRIAL_PRESETS[self.kind]).settings.replace(FEW_STEPS)
        labels = str((self.folder / "labels.jsonl").resolve())
        return settings.replace({"data": self.name, "labels": labels, **changes})

    @property
    def needs_base(self) -> bool:
        """Whether a shipped model knows neither this world's words nor its pictures, so that one is made."""
        from swirl.worlds.registry import WORLDS

        return self.kind == "text" or WORLDS[self.world].tile_pixels > 0

    def make_base_model(self, settings: Settings) -> Settings:
        """Build a small model from the world's own states, and return the settings with it as the model.

        For pictures it gets a codec of its own, in which every cell of the world has one code.
        """
        from swirl.evaluation.codec_metrics import mean_reconstruction_quality
        from swirl.recipes.trial_base import make_base, make_codec
        from swirl.sources.collections.catalog import load_sequences
        from swirl.sources.collections.split import split_of
        from swirl.sources.labels.reading import read_labels
        from swirl.worlds.registry import WORLDS

        folder, progress = self.folder.with_name(f"{self.world}-base"), self.out.show_progress
        sequences = load_sequences(self.home, self.name)
        seen = [sequence for sequence in sequences if split_of(sequence.id) != "test"]
        transitions = [t for sequence in seen for t in sequence.transitions()]
        labels, _ = read_labels(self.folder / "labels.jsonl")
        images = None
        if self.kind == "image":
            states = [state for t in (*transitions, *labels) for state in (t.state, t.next_state)]
            images = make_codec(states, WORLDS[self.world].tile_pixels, settings.seed, progress)
            held_out = [state for s in sequences if split_of(s.id) == "test" for state in s.states]
            images.quality = {"data": self.name, **mean_reconstruction_quality(images, held_out)}
            self.out.print_note(
                f"{self.name}: a codec of {images.codebook_size} codes draws the held-out frames "
                f"with {images.quality['psnr']} dB PSNR"
            )
        shutil.rmtree(folder, ignore_errors=True)
        make_base(folder, transitions, labels, settings.seed, progress, images=images)
        return settings.replace({"model": str(folder.resolve())})

    def train(self, settings: Settings) -> tuple[str, str, str]:
        """Train a run in this process; return its id, and its checkpoints after the warm-up and at the end.

        Raises SwirlError when the run does not finish.
        """
        from swirl.history import History
        from swirl.runs import jobs

        run = jobs.create_foreground_run(self.home, preset=None, settings=settings, name=self.name)
        with show_training_progress(self.home, run, self.out):
            jobs.train_in_foreground(self.home, run)
        history = History(self.home)
        ended, checkpoints = history.run(run), history.checkpoints(run)
        if ended.status != "finished":
            raise SwirlError(ended.error or f"Run {run} was {ended.status}; to continue it, run `swirl resume {run}`.")
        return run, checkpoints[0].name, checkpoints[-1].name

    def infer(self, checkpoint: str) -> list[str]:
        """Infer the actions of the whole collection, and write them to `WORLD-inferred.txt` beside its folder."""
        from swirl.models import load_world_model
        from swirl.models.thread_count import threads_for_inference
        from swirl.sources.collections.catalog import load_sequences

        transitions = [t for sequence in load_sequences(self.home, self.name) for t in sequence.transitions()]
        model = load_world_model(self.home, checkpoint)
        pairs = [(t.state, t.next_state) for t in transitions]
        with threads_for_inference(model):
            actions = [
                inference.action for inference in model.infer(pairs, alternatives=1, progress=self.out.show_progress)
            ]
        # Beside the folder, because an import of the folder reads every text in it.
        self.folder.with_name(f"{self.world}-inferred.txt").write_text("\n".join(map(repr, actions)) + "\n", "utf-8")
        return actions

    def measure(self, checkpoint: str, settings: Settings) -> dict[str, dict[str, float]]:
        """Evaluate a model on the held-out part, and keep its figures and their 95 % intervals in the history."""
        from swirl.history import History
        from swirl.models import load_world_model
        from swirl.models.thread_count import threads_for_inference

        model = load_world_model(self.home, checkpoint)
        model.max_action_tokens, model.max_state_tokens = settings.max_action_tokens, settings.max_state_tokens
        with threads_for_inference(model):
            metrics = evaluate_held_out(model, self.home, self.name, MEASURES[self.kind], self.out.show_progress)
        History(self.home).add_evaluation(checkpoint=checkpoint, data=self.name, metrics=metrics, part="test")
        return metrics


def evaluate_held_out(
    model: Any, home: Path, data: str, measures: tuple[str, ...], progress: ProgressCallback
) -> dict[str, dict[str, float]]:
    """Evaluate a model on the test part of a collection: greedy next states under the true actions, inferred actions.

    Returns `forward/…` and `copy/…` (the state itself as the prediction) for each of `measures`, and
    `inverse/exact_match`, each as `{"value", "low", "high"}` with a 95 % interval bootstrapped over sequences. Without
    true actions there are only the `copy/…` figures.
    """
    from swirl.evaluation import copy_baseline, forward
    from swirl.evaluation.answers import ModelAnswers
    from swirl.evaluation.bootstrap import bootstrap_mean
    from swirl.evaluation.evaluated_rows import EvaluatedRows
    from swirl.evaluation.protocols import limit_prediction_length
    from swirl.evaluation.report import align_true_actions
    from swirl.evaluation.text_metrics import same_words
    from swirl.evaluation.true_actions import load_true_actions
    from swirl.sources.collections.catalog import load_sequences
    from swirl.sources.collections.split import split_of

    transitions = [t for s in load_sequences(home, data) if split_of(s.id) == "test" for t in s.transitions()]
    truth = align_true_actions(transitions, load_true_actions(home, data))
    rows = EvaluatedRows(transitions, truth, ModelAnswers(model, progress=progress))
    with limit_prediction_length(model, rows.next_states):
        predicted = {"copy": copy_baseline.predicted_keys(rows), "forward": forward.predicted_keys(rows)}
        inferred = rows.inferred_actions
    chosen = {name: rows.measures[name] for name in measures}
    columns = {
        f"{group}/{name}": values
        for group, states in predicted.items()
        if states is not None
        for name, values in forward.compare_states(states, rows.next_keys, chosen).items()
    }
    if truth is not None:
        columns["inverse/exact_match"] = [same_words(a, z) for a, z in zip(inferred, truth, strict=True)]
    groups = [t.sequence_id for t in transitions]
    estimates = {name: bootstrap_mean(values, groups) for name, values in columns.items()}
    return {name: dataclasses.asdict(value) for name, value in estimates.items() if value is not None}
