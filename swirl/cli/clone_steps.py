"""The steps of `swirl clone`: infer actions, train policies, let them act; what is done is kept, to continue from."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.cli.model_loading import loaded_checkpoint
from swirl.cli.output import Output
from swirl.cli.stoppable_work import stop_on_request
from swirl.errors import SwirlError, UsageError
from swirl.pictures import state_key
from swirl.progress import describe_seconds

if TYPE_CHECKING:
    from swirl.evaluation.bootstrap import Estimate
    from swirl.planning.cloned_policy import CloningSettings
    from swirl.planning.plan_success import PlanTask
    from swirl.planning.policy_success import Outcome
    from swirl.planning.real_games import RealGames
    from swirl.states import StateSequence

ACTIONS, ROWS, SETTINGS = "latent-actions.jsonl", "demonstrations.parquet", "clone.json"
"""Files in the folder: the inferred actions as `swirl infer --out` writes them, the rows to train on, the settings."""

Watch = Callable[[], None]


@dataclass(frozen=True)
class Cloned:
    """What came of it: figures by name, goals by distance, rows by policy, the files, and shares by policy and seed.

    `exact_match` is the share of inferred actions that are the true ones, of steps that changed something; None where
    the collection has no true actions.
    """

    metrics: dict[str, Estimate]
    goals: dict[int, int]
    goals_from: str
    rows: dict[str, int]
    exact_match: float | None
    folder: Path
    demonstrations: Path
    policies: list[Path]
    by_seed: dict[str, list[float]]


class PolicyProgress:
    """Shows how far the training and measuring of `total` policies is, and about how long it will take."""

    def __init__(self, out: Output, total: int) -> None:
        self.out, self.total, self.done, self.worked, self.began = out, total, 0, 0.0, time.monotonic()

    def show(self, share: float, words: str) -> None:
        """Show that `share` of the present policy's work is done."""
        passed = time.monotonic() - self.began
        left = passed / max(self.worked + share, 1e-3) * (self.total - self.done - share)
        self.out.show_progress((self.done + share) / self.total, f"{words}, about {describe_seconds(left)} left")

    def end_policy(self, *, was_kept: bool) -> None:
        """The present policy is done; one that an earlier attempt has left took no time."""
        self.done += 1
        self.worked += 0 if was_kept else 1


def clone_policies(args: argparse.Namespace, out: Output) -> Cloned:
    """Infer, train and measure, as the arguments of `swirl clone` say.

    Raises SwirlError if a collection has too few sequences or no simulator, and when Ctrl-C or SIGTERM stops the work;
    the same command then continues from there.
    """
    from swirl.planning.cloned_policy import CloningSettings
    from swirl.planning.real_games import open_real_games

    chosen = {"steps": args.steps, "learning_rate": args.learning_rate, "starts_from_idm": args.from_idm}
    settings = CloningSettings(**{name: value for name, value in chosen.items() if value is not None})
    with open_real_games(args.home, args.goals_from or args.data) as games:
        steps = CloneSteps(args, settings, games, out)
        with steps.lock_folder(), stop_on_request("actions, policies and outcomes") as watch:
            return steps.carry_out(watch)


class CloneSteps:
    """The work of one command. `pool` has the training sequences of each seed, the largest size first."""

    def __init__(self, args: argparse.Namespace, settings: CloningSettings, games: RealGames, out: Output) -> None:
        from swirl.planning.hindsight_rows import draw_sequences
        from swirl.planning.plan_success import draw_tasks
        from swirl.sources.collections.catalog import load_sequences

        self.args, self.settings, self.games, self.out = args, settings, games, out
        self.folder = (args.out.expanduser() if args.out else default_folder(args)).absolute()
        self.sequences = load_sequences(args.home, args.data)
        world = games.world.name
        self.pool = {
            seed: draw_sequences(self.sequences, max(args.sequences), seed, args.data, world) for seed in args.seeds
        }
        self.tasks: list[PlanTask] = draw_tasks(self._held_out(), args.goals)
        if not self.tasks:
            raise SwirlError(
                f"No held-out sequence of {self.goals_from} has a goal: states that change at every step; record "
                "longer sequences, and name them with --goals-from."
            )

    @property
    def goals_from(self) -> str:
        """The collection of the goals."""
        return self.args.goals_from or self.args.data

    def _held_out(self) -> list[StateSequence]:
        """The sequences of the goals; none is trained on."""
        from swirl.sources.collections.catalog import get_collection, load_sequences
        from swirl.sources.collections.split import split_of

        if self.goals_from == self.args.data:
            return [sequence for sequence in self.sequences if split_of(sequence.id) == "test"]
        worlds = [get_collection(self.args.home, name).world for name in (self.args.data, self.goals_from)]
        if worlds[0] != worlds[1]:
            raise UsageError(
                f"{self.args.data} and {self.goals_from} are not of the same world; take the goals from a recording of "
                f"{worlds[0] or 'the same world'}."
            )
        known = {sequence.id for sequence in self.sequences}
        return [sequence for sequence in load_sequences(self.args.home, self.goals_from) if sequence.id not in known]

    @contextmanager
    def lock_folder(self) -> Iterator[None]:
        """Claim the folder, and note there what its policies are.

        Raises SwirlError if another process works in it, it holds other policies, or it cannot be written.
        """
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(str(self.folder / ".lock"))
            lock.acquire(timeout=0)
        except Timeout as error:
            raise SwirlError(f"Another command already works in {self.folder}; wait, or name another --out.") from error
        except OSError as error:
            raise SwirlError(
                f"The folder {self.folder} cannot be written ({error.strerror}); name another one with --out."
            ) from error
        try:
            self._check_settings()
            yield
        finally:
            lock.release()

    def _check_settings(self) -> None:
        from swirl.evaluation.answer_cache import collection_identity, model_identity

        mine = {
            "checkpoint": model_identity(self.args.home, self.args.checkpoint),
            "base": self.args.base and model_identity(self.args.home, self.args.base),
            "data": collection_identity(self.args.home, self.args.data),
            **dataclasses.asdict(self.settings),
        }
        file = self.folder / SETTINGS
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            file.write_text(json.dumps(mine, indent=1) + "\n", encoding="utf-8")
            return
        except ValueError as error:
            raise SwirlError(f"{file} is damaged; delete {self.folder}, or name another folder with --out.") from error
        if other := [name for name in mine if found.get(name) != mine[name]]:
            raise SwirlError(
                f"The policies in {self.folder} were trained with another {' and another '.join(other)}; name another "
                "folder with --out."
            )

    def carry_out(self, watch: Watch) -> Cloned:
        """All steps."""
        from swirl.evaluation.true_actions import load_true_actions

        labels: dict[str, Mapping[str, Sequence[str]]] = {"inferred": self.inferred_actions(watch)}
        truth = load_true_actions(self.args.home, self.args.data)
        if all(sequence.id in truth for sequence in self._all_drawn()):
            labels["true"] = truth
        else:
            self.out.print_note(f"{self.args.data} has no true actions, so no policy is trained on them.")
        self.write_rows(labels["inferred"])
        outcomes = {"idm": [self.measure("idm", self.args.checkpoint, watch)]}
        if random_outcomes := self.measure_random():
            outcomes["random"] = [random_outcomes]
        trained, rows = self.train_and_measure(labels, watch)
        outcomes |= trained
        return Cloned(
            metrics=self.figures(outcomes),
            goals=dict(sorted(Counter(task.distance for task in self.tasks).items())),
            goals_from=self.goals_from,
            rows=rows,
            exact_match=self.exact_match(labels),
            folder=self.folder,
            demonstrations=self.folder / ROWS,
            policies=[self.folder / name for name in rows],
            by_seed={
                name: [sum(outcome.reached for outcome in run) / len(run) for run in runs]
                for name, runs in outcomes.items()
            },
        )

    def train_and_measure(
        self, labels: Mapping[str, Mapping[str, Sequence[str]]], watch: Watch
    ) -> tuple[dict[str, list[list[Outcome]]], dict[str, int]]:
        """A policy of each seed and size on each kind of labels: its outcomes, and its number of rows.

        The outcomes are by kind and size, `inferred_50`, a list for each seed; the rows by the policy's folder.
        """
        from swirl.planning.hindsight_rows import hindsight_rows

        outcomes: dict[str, list[list[Outcome]]] = {}
        counts: dict[str, int] = {}
        progress = PolicyProgress(self.out, len(labels) * len(self.args.seeds) * len(self.args.sequences))
        for seed in self.args.seeds:
            for size in self.args.sequences:
                for kind, actions in labels.items():
                    name = f"{kind}-{size}-seed-{seed}"
                    folder, was_kept = self.folder / name, (self.folder / name / "swirl.json").is_file()
                    rows = list(hindsight_rows(self.pool[seed][:size], actions))
                    counts[name] = len(rows)
                    if not was_kept:
                        self.train(folder, rows, seed, progress, watch)
                    found = self.measure(name, str(folder), watch, progress)
                    outcomes.setdefault(f"{kind}_{size}", []).append(found)
                    progress.end_policy(was_kept=was_kept)
        return outcomes, counts

    def figures(self, outcomes: Mapping[str, list[list[Outcome]]]) -> dict[str, Estimate]:
        """The share of goals reached by each policy, and the difference between inferred and true labels."""
        from swirl.planning.policy_success import goal_shares, share_metrics

        shares = {name: goal_shares(runs) for name, runs in outcomes.items()}
        for size in self.args.sequences:
            if f"true_{size}" in shares:
                pairs = zip(shares[f"inferred_{size}"], shares[f"true_{size}"], strict=True)
                shares[f"difference_{size}"] = [inferred - true for inferred, true in pairs]
        metrics: dict[str, Estimate] = {}
        for name, column in shares.items():
            metrics |= share_metrics(name, self.tasks, column)
        return metrics

    def _all_drawn(self) -> list[StateSequence]:
        """The sequences that any seed trains on, in the collection's order."""
        drawn = {sequence.id for pool in self.pool.values() for sequence in pool}
        return [sequence for sequence in self.sequences if sequence.id in drawn]

    def inferred_actions(self, watch: Watch) -> dict[str, list[str]]:
        """The inferred actions by sequence id, as an earlier command left them, or else inferred now."""
        from swirl.evaluation.answer_cache import open_answer_cache
        from swirl.exports.latent_actions import read_latent_actions, write_latent_actions
        from swirl.exports.resumable_inference import infer_in_batches

        file, drawn = self.folder / ACTIONS, self._all_drawn()
        if file.is_file():
            known = read_latent_actions(file)
            if all(len(known.get(sequence.id, ())) == len(sequence.states) - 1 for sequence in drawn):
                return known
            file.unlink()  # an earlier command needed fewer sequences
        transitions = [item for sequence in drawn for item in sequence.transitions()]
        options = {"alternatives": 1, "seed": 0}
        identity = {"task": "clone", "sequences": [sequence.id for sequence in drawn], "device": self.args.device}
        answers = open_answer_cache(self.args.home, self.args.checkpoint, self.args.data, {**identity, **options})
        try:
            if answers.answers_loaded:
                self.out.print_note(f"Continuing from {answers.answers_loaded} inferred actions.")
            with loaded_checkpoint(self.args.home, self.args.checkpoint, self.args.device) as model:
                inferred = infer_in_batches(
                    model, transitions, answers, **options, progress=self.out.show_progress, watch=watch
                )
                write_latent_actions(file, drawn, inferred)
            answers.remove()
        finally:
            answers.close()
        return read_latent_actions(file)

    def write_rows(self, actions: Mapping[str, Sequence[str]]) -> None:
        """Write the rows of all sequences that are trained on, with their inferred actions."""
        from swirl.exports.demonstrations import write_demonstrations
        from swirl.planning.hindsight_rows import hindsight_rows

        file, drawn = self.folder / ROWS, self._all_drawn()
        file.unlink(missing_ok=True)
        write_demonstrations(file, drawn, hindsight_rows(drawn, actions))

    def exact_match(self, labels: Mapping[str, Mapping[str, Sequence[str]]]) -> float | None:
        """The share of inferred actions that are the true ones, of steps that changed something."""
        from swirl.evaluation.text_metrics import same_words

        if "true" not in labels:
            return None
        same = [
            same_words(labels["inferred"][item.sequence_id][item.step], labels["true"][item.sequence_id][item.step])
            for sequence in self._all_drawn()
            for item in sequence.transitions()
            if state_key(item.state) != state_key(item.next_state)
        ]
        return sum(same) / len(same) if same else None

    def train(self, folder: Path, rows: Sequence[Any], seed: int, progress: PolicyProgress, watch: Watch) -> None:
        """Train one policy and write it as a checkpoint. Raises SwirlError if there is nothing to train on."""
        from swirl.planning.cloned_policy import train_policy

        if not rows:
            raise SwirlError(f"No step of these sequences of {self.args.data} changes anything; choose another one.")

        def report(step: int, loss: float) -> None:
            watch()
            words = f"{folder.name}: step {step} of {self.settings.steps}, loss {loss:.3f}"
            progress.show(0.8 * step / self.settings.steps, words)

        with loaded_checkpoint(self.args.home, self.args.base or self.args.checkpoint, self.args.device) as model:
            train_policy(model, rows, self.settings, seed, report)
            model.save(folder)
            model.unload()

    def measure(
        self, name: str, checkpoint: str, watch: Watch, progress: PolicyProgress | None = None
    ) -> list[Outcome]:
        """Let a policy, or the inverse model itself, pursue all goals, as far as it has not yet."""
        from swirl.evaluation.answer_cache import collection_identity
        from swirl.evaluation.report import watch_passes
        from swirl.planning.policy_success import KeptOutcomes, measure_policy, task_key

        def report(share: float, words: str) -> None:
            if progress is None:
                self.out.show_progress(share, f"inverse model itself: {words}")
            else:
                progress.show(0.8 + 0.2 * share, f"{name}: {words}")

        identity = {"goals": collection_identity(self.args.home, self.goals_from)}
        kept = KeptOutcomes(self.folder / "outcomes" / f"{name}.json", identity)
        if all(task_key(task) in kept.outcomes for task in self.tasks):
            return [kept.outcomes[task_key(task)] for task in self.tasks]
        with loaded_checkpoint(self.args.home, checkpoint, self.args.device) as model, watch_passes(model, watch):
            return measure_policy(model, self.games, self.tasks, kept, report, watch)

    def measure_random(self) -> list[Outcome]:
        """The same with random actions; empty if the world does not list its actions."""
        from swirl.planning.policy_success import pursue_at_random

        outcomes = [pursue_at_random(self.games, task) for task in self.tasks]
        return outcomes if any(outcome.actions for outcome in outcomes) else []


def default_folder(args: argparse.Namespace) -> Path:
    """The folder of these policies in the home: the names of the model and of the collection."""
    from swirl.models.checkpoints import short_name

    names = [short_name(args.checkpoint), args.data]
    return args.home / "policies" / "-".join(name.replace("/", "-").replace(":", "-") for name in names)
