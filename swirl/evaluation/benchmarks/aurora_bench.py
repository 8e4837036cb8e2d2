"""AURORA-Bench (Krojer et al. 2024): five editing tasks, DiscEdit, and instructions inferred from two pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.figures import MetricColumn, bleu_columns, mean_columns
from swirl.evaluation.benchmarks.image_scores import clip_columns, pixel_columns
from swirl.evaluation.benchmarks.judge_scores import judge_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, imagine_states
from swirl.evaluation.benchmarks.splits import (
    BenchmarkStep,
    GatheredItems,
    iterate_with_progress,
    picture_problem,
    sample_items,
    splits_and_groups,
)
from swirl.evaluation.benchmarks.text_scores import bertscore_with_note, cider
from swirl.evaluation.clip import CLIP_MISSING, available_clip, cosines
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
    """The edits that have a target, and DiscEdit's choices with their split and the number of all of them per split."""

    choices: list[tuple[str, EditChoice]] = field(default_factory=list)
    choice_split_sizes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _ChoiceItem:
    """A choice as an item of its split, for `sample_items`."""

    id: str
    split: str
    choice: EditChoice


class AuroraBench:
    """AURORA-Bench in its own folder layout: `test.json`, `disc_edit_data/` and the pictures that they name."""

    name, kind, title = "aurora-bench", "image", "AURORA-Bench"
    splits, paper_rows = paper_figures.AURORA_SPLITS, paper_figures.AURORA
    has_judge = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None) -> Edits:
        """Read the folder. Raises SwirlError if it does not hold the benchmark."""
        if not is_aurora(folder):
            raise SwirlError(
                f"{folder} is not a folder of AURORA-Bench: it needs {TEST_FILE}, a list of objects with task, input "
                f"and instruction; get it from {PROJECT}."
            )
        edits, skipped = read_edits(folder)
        split_sizes = Counter(
            record["task"]
            for record in load_rows(folder, TEST_FILE)
            if isinstance(record, dict) and record.get("task") in self.splits and record.get("output")
        )
        usable = [edit_to_step(edit) for edit in edits if edit.task in self.splits and edit.output is not None]
        notes = missing_picture_notes(split_sizes, Counter(step.split for step in usable), "edits")
        notes += [str(item) for item in skipped if not item.why.startswith("cannot be")]
        gathered = Edits([], dict(split_sizes), notes)
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
        available = Counter(choice.task for choice in choices)
        gathered.choice_split_sizes = dict(available + Counter(item.where.split("/")[1] for item in skipped))
        gathered.notes += missing_picture_notes(gathered.choice_split_sizes, available, "choices of DiscEdit")
        items = sample_items([_ChoiceItem(choice.id, choice.task, choice) for choice in choices], limit, seed)
        for item in iterate_with_progress(items, progress, "reading DiscEdit"):
            why = picture_problem(item.choice.input)
            gathered.choices += [(item.split, item.choice)] if why is None else []
            gathered.notes += [] if why is None else [f"DiscEdit's {item.id} is left out: {why}"]

    def judge_calls(self, gathered: Edits, infers: bool) -> list[JudgeCalls]:
        """The calls that a judge will get: one per edit, and if the model infers actions one per inferred action."""
        edits = JudgeCalls(len(gathered.items), len(judge_instructions.EDIT) + 60, 2)
        return [edits, JudgeCalls(len(gathered.items), len(judge_instructions.ACTION) + 120, 2)] if infers else [edits]

    def measure(self, gathered: Edits, context: MeasurementContext) -> Iterator[MetricColumn]:
        """All columns: of the drawn pictures, DiscEdit, the inferred instructions, and the judge's scores of both."""
        steps, split_sizes = gathered.items, gathered.split_sizes
        clip = available_clip()
        if clip is None:
            context.notes.append(CLIP_MISSING)
        if steps:
            drawn = imagine_states(
                context, [step.state for step in steps], [step.action for step in steps], "drawing the edits"
            )
            if clip is not None:
                yield from clip_columns(clip, steps, drawn, split_sizes)
            yield from pixel_columns(steps, drawn, split_sizes)
            yield from judged_edit_columns(steps, drawn, split_sizes, context)
        yield from disc_edit_columns(gathered, context)
        if steps:
            yield from inverse_columns(steps, split_sizes, context)


def edit_to_step(edit: Edit) -> BenchmarkStep:
    """An edit that has a target as a transition."""
    assert edit.output is not None
    return BenchmarkStep(
        edit.id, edit.task, State(picture=edit.input), edit.instruction, State(picture=edit.output), edit.id
    )


def missing_picture_notes(split_sizes: dict[str, int], available: Counter[str], what: str) -> list[str]:
    """A sentence for each task in which something cannot be scored."""
    return [
        f"{size - available[task]} of {size} {what} of {task} are left out because pictures that they name are not in "
        f"the folder; {PROJECT} says where to get them."
        for task, size in split_sizes.items()
        if available[task] < size
    ]


def judged_edit_columns(
    steps: Sequence[BenchmarkStep], drawn: Sequence[State], split_sizes: dict[str, int], context: MeasurementContext
) -> Iterator[MetricColumn]:
    """The judge's success and overedit, 0 to 10, and the lower of the two; only for edits that it scored."""
    if context.judge is None:
        return
    questions = [
        Question(step.id, judge_instructions.EDIT, step.action, (step.state.picture, drawing.picture))
        for step, drawing in zip(steps, drawn, strict=True)
    ]
    parse = partial(parse_numbers, key="score", count=2, low=0, high=10)
    scores = context.judge.ask(questions, parse, context.progress)
    metrics = {"success": lambda pair: pair[0], "overedit": lambda pair: pair[1], "min": min}
    for name, metric in metrics.items():
        values = [pair and metric(pair) for pair in scores]
        yield from mean_columns(f"judge/{name}", *splits_and_groups(steps), values, split_sizes)


def disc_edit_columns(gathered: Edits, context: MeasurementContext) -> Iterator[MetricColumn]:
    """DiscEdit: the share of samples in which the picture changes less when asked for what it already shows, in %.

    There are four samples of each choice. The benchmark measures the change in the latents of its own model; ours are
    the root mean squared difference of pixels and, if CLIP is available, 1 − cosine of the embeddings. A tie counts as
    wrong.
    """
    if not gathered.choices:
        return
    clip = available_clip()
    hits: dict[str, list[float]] = {"disc_edit/pixels": []} | ({"disc_edit/clip": []} if clip else {})
    for number, (_, choice) in enumerate(gathered.choices, start=1):
        samples = list(draw_samples(context.model, [choice], SAMPLES, context.seed))
        right = [pixel_distance(source, pos) < pixel_distance(source, neg) for source, pos, neg in samples]
        hits["disc_edit/pixels"].append(sum(right) / SAMPLES)
        if clip is not None:
            vectors = [
                clip.embed_pictures([state.picture for state in states]) for states in zip(*samples, strict=True)
            ]
            pairs = zip(cosines(vectors[0], vectors[1]), cosines(vectors[0], vectors[2]), strict=True)
            hits["disc_edit/clip"].append(sum(pos > neg for pos, neg in pairs) / SAMPLES)
        context.report_progress(number / len(gathered.choices), "drawing for DiscEdit")
    splits, groups = [split for split, _ in gathered.choices], [choice.id for _, choice in gathered.choices]
    for metric, values in hits.items():
        yield from mean_columns(metric, splits, groups, values, gathered.choice_split_sizes, 100)


def inverse_columns(
    steps: Sequence[BenchmarkStep], split_sizes: dict[str, int], context: MeasurementContext
) -> Iterator[MetricColumn]:
    """Scores of the instructions inferred from input and target against the benchmark's own instructions."""
    if not context.model.is_trainable:
        context.notes.append(f"The inverse figures are left out because {context.model.name} infers no actions.")
        return
    pairs = [(step.state, step.next_state) for step in steps]
    inferred = [inference.action for inference in context.model.infer(pairs, alternatives=1, progress=context.progress)]
    true = [step.action for step in steps]
    splits, groups = splits_and_groups(steps)
    for order in (1, 2, 3, 4):
        yield from bleu_columns(f"inverse/bleu_{order}", splits, groups, inferred, true, split_sizes, order)
    for name, values, scale in (
        ("rouge_l", [rouge_l(ours, theirs) for ours, theirs in zip(inferred, true, strict=True)], 100),
        ("cider", cider(inferred, true, context.notes), 1),
        ("bertscore", bertscore_with_note(inferred, true, context.notes), 100),
    ):
        if values is not None:
            yield from mean_columns(f"inverse/{name}", splits, groups, values, split_sizes, scale)
    questions = [
        Question(
            step.id, judge_instructions.ACTION, step.action, (step.state.picture, step.next_state.picture), answer=ours
        )
        for step, ours in zip(steps, inferred, strict=True)
    ]
    yield from judge_columns("judge/inverse", splits, groups, questions, split_sizes, context, low=1, high=5)
