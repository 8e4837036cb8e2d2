"""AURORA-Bench (Krojer et al. 2024): five tasks of editing, DiscEdit, and instructions inferred from two pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import judge_instructions, paper_figures
from swirl.evaluation.benchmarks.clip import MISSING, clip_at_hand, cosines
from swirl.evaluation.benchmarks.figures import Column, bleus, means
from swirl.evaluation.benchmarks.image_scores import by_clip, by_pixels
from swirl.evaluation.benchmarks.predictions import Means, imagined
from swirl.evaluation.benchmarks.splits import Gathered, Step, broken, counted, some
from swirl.evaluation.benchmarks.text_scores import bert_scores, cider
from swirl.evaluation.disc_edit import SAMPLES, drawn, pixel_distance
from swirl.evaluation.judge import Load, Question, numbers
from swirl.evaluation.protocols import Progress
from swirl.evaluation.text_metrics import rouge_l
from swirl.sources.formats.aurora_bench import TEST, Choice, Edit, is_aurora, listed, read_choices, read_edits
from swirl.states import State

PROJECT = "the AURORA project (McGill-NLP/AURORA)"


@dataclass
class Edits(Gathered[Step]):
    """The edits with a target, and DiscEdit's choices with how many there are in all."""

    choices: list[tuple[str, Choice]] = field(default_factory=list)
    of_choices: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Placed:
    """A choice as an item of its split."""

    id: str
    split: str
    choice: Choice


class AuroraBench:
    """The benchmark's folder: `test.json`, `disc_edit_data/` and the pictures that they name."""

    name, kind, title = "aurora-bench", "image", "AURORA-Bench"
    splits, paper = paper_figures.AURORA_SPLITS, paper_figures.AURORA
    judged = True

    def gather(self, folder: Path, limit: int | None, seed: int, progress: Progress | None = None) -> Edits:
        """Read the folder. Raises SwirlError where it is not the benchmark's."""
        if not is_aurora(folder):
            raise SwirlError(
                f"{folder} is no folder of AURORA-Bench: it needs {TEST}, a list of objects with task, input and "
                f"instruction; get it from {PROJECT}."
            )
        edits, skipped = read_edits(folder)
        of = Counter(
            record["task"]
            for record in listed(folder, TEST)
            if isinstance(record, dict) and record.get("task") in self.splits and record.get("output")
        )
        usable = [as_step(edit) for edit in edits if edit.task in self.splits and edit.output is not None]
        notes = lacking(of, Counter(step.split for step in usable), "edits")
        notes += [str(item) for item in skipped if not item.why.startswith("cannot be")]
        gathered = Edits([], dict(of), notes)
        for step in counted(some(usable, limit, seed), progress, "reading the edits"):
            why = broken(step.state.picture, step.next_state.picture)
            gathered.items += [step] if why is None else []
            gathered.notes += [] if why is None else [f"{step.id} is left out: {why}"]
        self._add_choices(gathered, folder, limit, seed, progress)
        return gathered

    def _add_choices(
        self, gathered: Edits, folder: Path, limit: int | None, seed: int, progress: Progress | None
    ) -> None:
        try:
            choices, skipped = read_choices(folder)
        except SwirlError as problem:
            gathered.notes.append(f"DiscEdit is left out: {problem}")
            return
        found = Counter(choice.task for choice in choices)
        gathered.of_choices = dict(found + Counter(item.where.split("/")[1] for item in skipped))
        gathered.notes += lacking(gathered.of_choices, found, "choices of DiscEdit")
        placed_all = some([_Placed(choice.id, choice.task, choice) for choice in choices], limit, seed)
        for placed in counted(placed_all, progress, "reading DiscEdit"):
            why = broken(placed.choice.input)
            gathered.choices += [(placed.split, placed.choice)] if why is None else []
            gathered.notes += [] if why is None else [f"DiscEdit's {placed.id} is left out: {why}"]

    def loads(self, gathered: Edits, infers: bool) -> list[Load]:
        """What a judge will be asked: each edit, and where the model infers actions each of those."""
        loads = [Load(len(gathered.items), len(judge_instructions.EDIT) + 60, 2)]
        return [*loads, Load(len(gathered.items), len(judge_instructions.ACTION) + 120, 2)] if infers else loads

    def measure(self, gathered: Edits, with_: Means) -> Iterator[Column]:
        """Every figure: of the drawn pictures, of DiscEdit, of the inferred instructions, and the judge's of both."""
        steps, of = gathered.items, gathered.of
        clip = clip_at_hand()
        if clip is None:
            with_.notes.append(MISSING)
        if steps:
            made = imagined(with_, [step.state for step in steps], [step.action for step in steps], "drawing the edits")
            if clip is not None:
                yield from by_clip(clip, steps, made, of)
            yield from by_pixels(steps, made, of)
            yield from judged_edits(steps, made, of, with_)
        yield from discerned(gathered, with_)
        if steps:
            yield from inverse(steps, of, with_)


def as_step(edit: Edit) -> Step:
    """An edit with its target as a transition."""
    assert edit.output is not None
    return Step(edit.id, edit.task, State(picture=edit.input), edit.instruction, State(picture=edit.output), edit.id)


def lacking(of: dict[str, int], found: Counter[str], what: str) -> list[str]:
    """A sentence for each task of which something cannot be scored."""
    return [
        f"{of[task] - found[task]} of {of[task]} {what} of {task} are left out, for pictures that they name are not in "
        f"the folder; {PROJECT} says where they come from."
        for task in of
        if found[task] < of[task]
    ]


def judged_edits(steps: Sequence[Step], made: Sequence[State], of: dict[str, int], with_: Means) -> Iterator[Column]:
    """The judge's success and overedit, 0 to 10, and the lower of the two; only of edits that it scored."""
    if with_.judge is None:
        return
    questions = [
        Question(step.id, judge_instructions.EDIT, step.action, (step.state.picture, drawing.picture))
        for step, drawing in zip(steps, made, strict=True)
    ]
    scores = with_.judge.ask(questions, partial(numbers, key="score", count=2, low=0, high=10), with_.progress)
    splits, groups = [step.split for step in steps], [step.group for step in steps]
    told = {"success": lambda pair: pair[0], "overedit": lambda pair: pair[1], "min": min}
    for name, take in told.items():
        yield from means(f"judge/{name}", splits, groups, [pair and take(pair) for pair in scores], of)


def discerned(gathered: Edits, with_: Means) -> Iterator[Column]:
    """DiscEdit: the share of samples in which the picture changes less when asked for what it shows already, in %.

    Four samples of each choice. The benchmark takes the distance in its own model's latents; ours are the root mean
    squared difference of pixels and, with CLIP at hand, 1 − cosine of the embeddings. A tie counts as wrong.
    """
    if not gathered.choices:
        return
    clip = clip_at_hand()
    hits: dict[str, list[float]] = {"disc_edit/pixels": []} | ({"disc_edit/clip": []} if clip else {})
    for number, (_, choice) in enumerate(gathered.choices, start=1):
        samples = list(drawn(with_.model, [choice], SAMPLES, with_.seed))
        near = [pixel_distance(shown, pos) < pixel_distance(shown, neg) for shown, pos, neg in samples]
        hits["disc_edit/pixels"].append(sum(near) / SAMPLES)
        if clip is not None:
            vectors = [clip.of_pictures([state.picture for state in states]) for states in zip(*samples, strict=True)]
            pairs = zip(cosines(vectors[0], vectors[1]), cosines(vectors[0], vectors[2]), strict=True)
            hits["disc_edit/clip"].append(sum(pos > neg for pos, neg in pairs) / SAMPLES)
        with_.tell(number / len(gathered.choices), "drawing for DiscEdit")
    splits, groups = [split for split, _ in gathered.choices], [choice.id for _, choice in gathered.choices]
    for metric, values in hits.items():
        yield from means(metric, splits, groups, values, gathered.of_choices, 100)


def inverse(steps: Sequence[Step], of: dict[str, int], with_: Means) -> Iterator[Column]:
    """The instruction inferred from input and target against the benchmark's own."""
    if not with_.model.trainable:
        with_.notes.append(f"The inverse side is left out, for {with_.model.name} infers no actions.")
        return
    pairs = [(step.state, step.next_state) for step in steps]
    inferred = [found.action for found in with_.model.infer(pairs, alternatives=1, progress=with_.progress)]
    true, splits, groups = [s.action for s in steps], [s.split for s in steps], [s.group for s in steps]
    for order in (1, 2, 3, 4):
        yield from bleus(f"inverse/bleu_{order}", splits, groups, inferred, true, of, order)
    both = list(zip(inferred, true, strict=True))
    yield from means("inverse/rouge_l", splits, groups, [rouge_l(ours, theirs) for ours, theirs in both], of, 100)
    for name, values, scale in (
        ("cider", cider(inferred, true, with_.notes), 1),
        ("bertscore", bert_scores(inferred, true, with_.notes), 100),
    ):
        if values is not None:
            yield from means(f"inverse/{name}", splits, groups, values, of, scale)
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
        scores = with_.judge.ask(questions, partial(numbers, key="score", count=1, low=1, high=5), with_.progress)
        yield from means("judge/inverse", splits, groups, [score and score[0] for score in scores], of)
