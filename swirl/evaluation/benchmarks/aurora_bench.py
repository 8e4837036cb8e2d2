"""AURORA-Bench (Krojer et al. 2024): five tasks of editing, DiscEdit, and instructions inferred from two pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.clip import CLIP_MISSING, available_clip, cosines
from swirl.evaluation.benchmarks.figures import MetricColumn, bleu_columns, mean_columns
from swirl.evaluation.benchmarks.image_scores import clip_columns, pixel_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import (
    BenchmarkStep,
    GatheredItems,
    iterate_with_progress,
    picture_problem,
    sample_items,
)
from swirl.evaluation.benchmarks.text_scores import bertscore_with_note, cider
from swirl.evaluation.disc_edit import SAMPLES, draw_samples, pixel_distance
from swirl.evaluation.judge import JudgeCalls, Question, parse_numbers
from swirl.evaluation.text_metrics import rouge_l
from swirl.progress import ProgressCallback
from swirl.sources.formats.aurora_bench import (
    TEST_FILE,
    Edit,
    EditChoice,
    is_aurora,
    load_rows,
    read_edit_choices,
    read_edits,
)
from swirl.states import State

PROJECT = "the AURORA project (McGill-NLP/AURORA)"


@dataclass
class Edits(GatheredItems[BenchmarkStep]):
    """The edits with a target, and DiscEdit's choices with how many there are in all."""

    choices: list[tuple[str, EditChoice]] = field(default_factory=list)
    choice_split_sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Placed:
    """A choice as an item of its split."""

    id: str
    split: str
    choice: EditChoice


class AuroraBench:
    """The benchmark's folder: `test.json`, `disc_edit_data/` and the pictures that they name."""

    name, kind, title = "aurora-bench", "image", "AURORA-Bench"
    splits, paper_rows = paper_figures.AURORA_SPLITS, paper_figures.AURORA
    has_judge = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None) -> Edits:
        """Read the folder. Raises SwirlError where it is not the benchmark's."""
        if not is_aurora(folder):
            raise SwirlError(
                f"{folder} is no folder of AURORA-Bench: it needs {TEST_FILE}, a list of objects with task, input and "
                f"instruction; get it from {PROJECT}."
            )
        edits, skipped = read_edits(folder)
        of = Counter(
            record["task"]
            for record in load_rows(folder, TEST_FILE)
            if isinstance(record, dict) and record.get("task") in self.splits and record.get("output")
        )
        usable = [as_step(edit) for edit in edits if edit.task in self.splits and edit.output is not None]
        notes = missing_picture_notes(of, Counter(step.split for step in usable), "edits")
        notes += [str(item) for item in skipped if not item.why.startswith("cannot be")]
        gathered = Edits([], dict(of), notes)
        for step in iterate_with_progress(sample_items(usable, limit, seed), progress, "reading the edits"):
            why = picture_problem(step.state.picture, step.next_state.picture)
            gathered.items += [step] if why is None else []
            gathered.notes += [] if why is None else [f"{step.id} is left out: {why}"]
        self._add_choices(gathered, folder, limit, seed, progress)
        return gathered

    def _add_choices(
        self, gathered: Edits, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None
    ) -> None:
        try:
            choices, skipped = read_edit_choices(folder)
        except SwirlError as problem:
            gathered.notes.append(f"DiscEdit is left out: {problem}")
            return
        found = Counter(choice.task for choice in choices)
        gathered.choice_split_sizes = dict(found + Counter(item.where.split("/")[1] for item in skipped))
        gathered.notes += missing_picture_notes(gathered.choice_split_sizes, found, "choices of DiscEdit")
        placed_all = sample_items([_Placed(choice.id, choice.task, choice) for choice in choices], limit, seed)
        for placed in iterate_with_progress(placed_all, progress, "reading DiscEdit"):
            why = picture_problem(placed.choice.input)
            gathered.choices += [(placed.split, placed.choice)] if why is None else []
            gathered.notes += [] if why is None else [f"DiscEdit's {placed.id} is left out: {why}"]

    def judge_calls(self, gathered: Edits, infers: bool) -> list[JudgeCalls]:
        """What a judge will be asked: each edit, and where the model infers actions each of those."""
        loads = [JudgeCalls(len(gathered.items), len(judge_instructions.EDIT) + 60, 2)]
        return [*loads, JudgeCalls(len(gathered.items), len(judge_instructions.ACTION) + 120, 2)] if infers else loads

    def measure(self, gathered: Edits, with_: MeasurementContext) -> Iterator[MetricColumn]:
        """Every figure: of the drawn pictures, of DiscEdit, of the inferred instructions, and the judge's of both."""
        steps, of = gathered.items, gathered.split_sizes
        clip = available_clip()
        if clip is None:
            with_.notes.append(CLIP_MISSING)
        if steps:
            made = imagine_states(
                with_, [step.state for step in steps], [step.action for step in steps], "drawing the edits"
            )
            if clip is not None:
                yield from clip_columns(clip, steps, made, of)
            yield from pixel_columns(steps, made, of)
            yield from judged_edits(steps, made, of, with_)
        yield from disc_edit_columns(gathered, with_)
        if steps:
            yield from inverse_columns(steps, of, with_)


def as_step(edit: Edit) -> BenchmarkStep:
    """An edit with its target as a transition."""
    assert edit.output is not None
    return BenchmarkStep(
        edit.id, edit.task, State(picture=edit.input), edit.instruction, State(picture=edit.output), edit.id
    )


def missing_picture_notes(of: dict[str, int], found: Counter[str], what: str) -> list[str]:
    """A sentence for each task of which something cannot be scored."""
    return [
        f"{of[task] - found[task]} of {of[task]} {what} of {task} are left out, for pictures that they name are not in "
        f"the folder; {PROJECT} says where they come from."
        for task in of
        if found[task] < of[task]
    ]


def judged_edits(
    steps: Sequence[BenchmarkStep], made: Sequence[State], of: dict[str, int], with_: MeasurementContext
) -> Iterator[MetricColumn]:
    """The judge's success and overedit, 0 to 10, and the lower of the two; only of edits that it scored."""
    if with_.judge is None:
        return
    questions = [
        Question(step.id, judge_instructions.EDIT, step.action, (step.state.picture, drawing.picture))
        for step, drawing in zip(steps, made, strict=True)
    ]
    scores = with_.judge.ask(questions, partial(parse_numbers, key="score", count=2, low=0, high=10), with_.progress)
    splits, groups = [step.split for step in steps], [step.group for step in steps]
    told = {"success": lambda pair: pair[0], "overedit": lambda pair: pair[1], "min": min}
    for name, take in told.items():
        yield from mean_columns(f"judge/{name}", splits, groups, [pair and take(pair) for pair in scores], of)


def disc_edit_columns(gathered: Edits, with_: MeasurementContext) -> Iterator[MetricColumn]:
    """DiscEdit: the share of samples in which the picture changes less when asked for what it shows already, in %.

    Four samples of each choice. The benchmark takes the distance in its own model's latents; ours are the root mean
    squared difference of pixels and, with CLIP at hand, 1 − cosine of the embeddings. A tie counts as wrong.
    """
    if not gathered.choices:
        return
    clip = available_clip()
    hits: dict[str, list[float]] = {"disc_edit/pixels": []} | ({"disc_edit/clip": []} if clip else {})
    for number, (_, choice) in enumerate(gathered.choices, start=1):
        samples = list(draw_samples(with_.model, [choice], SAMPLES, with_.seed))
        near = [pixel_distance(shown, pos) < pixel_distance(shown, neg) for shown, pos, neg in samples]
        hits["disc_edit/pixels"].append(sum(near) / SAMPLES)
        if clip is not None:
            vectors = [
                clip.embed_pictures([state.picture for state in states]) for states in zip(*samples, strict=True)
            ]
            pairs = zip(cosines(vectors[0], vectors[1]), cosines(vectors[0], vectors[2]), strict=True)
            hits["disc_edit/clip"].append(sum(pos > neg for pos, neg in pairs) / SAMPLES)
        with_.report_progress(number / len(gathered.choices), "drawing for DiscEdit")
    splits, groups = [split for split, _ in gathered.choices], [choice.id for _, choice in gathered.choices]
    for metric, values in hits.items():
        yield from mean_columns(metric, splits, groups, values, gathered.choice_split_sizes, 100)


def inverse_columns(
    steps: Sequence[BenchmarkStep], of: dict[str, int], with_: MeasurementContext
) -> Iterator[MetricColumn]:
    """The instruction inferred from input and target against the benchmark's own."""
    if not with_.model.is_trainable:
        with_.notes.append(f"The inverse side is left out, for {with_.model.name} infers no actions.")
        return
    pairs = [(step.state, step.next_state) for step in steps]
    inferred = [found.action for found in with_.model.infer(pairs, alternatives=1, progress=with_.progress)]
    true, splits, groups = [s.action for s in steps], [s.split for s in steps], [s.group for s in steps]
    for order in (1, 2, 3, 4):
        yield from bleu_columns(f"inverse/bleu_{order}", splits, groups, inferred, true, of, order)
    both = list(zip(inferred, true, strict=True))
    yield from mean_columns(
        "inverse/rouge_l", splits, groups, [rouge_l(ours, theirs) for ours, theirs in both], of, 100
    )
    for name, values, scale in (
        ("cider", cider(inferred, true, with_.notes), 1),
        ("bertscore", bertscore_with_note(inferred, true, with_.notes), 100),
    ):
        if values is not None:
            yield from mean_columns(f"inverse/{name}", splits, groups, values, of, scale)
    if with_.judge is not None:
        questions = [
            Question(
                step.id,
                judge_instructions.ACTION,
                step.action,
                (step.state.picture, step.next_state.picture),
                answer=ours,
            )
            for step, ours in zip(steps, inferred, strict=True)
        ]
        scores = with_.judge.ask(questions, partial(parse_numbers, key="score", count=1, low=1, high=5), with_.progress)
        yield from mean_columns("judge/inverse", splits, groups, [score and score[0] for score in scores], of)
