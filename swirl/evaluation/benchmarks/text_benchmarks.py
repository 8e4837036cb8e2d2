"""The text benchmarks: StableToolBench by BLEU, ScienceWorld and Mind2Web by BERTScore and ROUGE-L."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import paper_figures
from swirl.evaluation.benchmarks.figures import MetricColumn, bleu_columns, mean_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, predict_texts
from swirl.evaluation.benchmarks.splits import BenchmarkStep, GatheredItems, sample_items, splits_and_groups
from swirl.evaluation.benchmarks.text_files import read_call_steps, read_jsonl_steps
from swirl.evaluation.benchmarks.text_scores import bertscore_with_note
from swirl.evaluation.judge import JudgeCalls
from swirl.evaluation.text_metrics import exact_match, rouge_l
from swirl.progress import ProgressCallback


class TextBench:
    """The base class of the text benchmarks, which have no judge."""

    kind = "text"
    has_judge = False
    name = title = project = ""
    splits: ClassVar[dict[str, str]] = {}
    paper_rows: ClassVar[tuple[paper_figures.PaperRow, ...]] = ()

    def gather(
        self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None
    ) -> GatheredItems[BenchmarkStep]:
        """Read the steps. Raises SwirlError if there are none."""
        gathered = GatheredItems[BenchmarkStep]([], {})
        steps = self.read(folder, gathered.notes, progress)
        if not steps:
            why = f" ({gathered.notes[0].rstrip('.')})" if gathered.notes else ""
            raise SwirlError(f"{folder} has no step of {self.title}{why}; get its files from {self.project}.")
        gathered.split_sizes = dict(Counter(step.split for step in steps))
        gathered.items = sample_items(steps, limit, seed)
        return gathered

    def read(self, folder: Path, notes: list[str], progress: ProgressCallback | None) -> list[BenchmarkStep]:
        """The steps of JSONL files of `{"state", "action", "next_state"}`."""
        return read_jsonl_steps(folder, notes, progress)

    def judge_calls(self, gathered: GatheredItems[BenchmarkStep], infers: bool) -> list[JudgeCalls]:
        """No calls, since there is no judge."""
        return []

    def measure(self, gathered: GatheredItems[BenchmarkStep], context: MeasurementContext) -> Iterator[MetricColumn]:
        """BERTScore, ROUGE-L and exact match, in %, of the predicted next states and of a copy of the states."""
        steps, predicted = predict_texts(context, gathered.items)
        if not steps:
            return
        for side, candidates in (("forward", predicted), ("copy", copy_predictions(steps))):
            yield from text_columns(side, steps, candidates, gathered.split_sizes)
            scores = bertscore_with_note(candidates, [step.next_state.text for step in steps], context.notes)
            if scores is not None:
                yield from mean_columns(
                    f"{side}/bertscore", *splits_and_groups(steps), scores, gathered.split_sizes, 100
                )


class ScienceWorld(TextBench):
    """ScienceWorld (Wang et al. 2022), as steps in JSONL."""

    name, title, project = "scienceworld", "ScienceWorld", "the ScienceWorld project (allenai/ScienceWorld)"
    paper_rows = paper_figures.SCIENCEWORLD


class Mind2Web(TextBench):
    """Mind2Web (Deng et al. 2023), as steps in JSONL."""

    name, title, project = "mind2web", "Mind2Web", "the Mind2Web project (OSU-NLP-Group/Mind2Web)"
    paper_rows = paper_figures.MIND2WEB


class StableToolBench(TextBench):
    """StableToolBench (Guo et al. 2024): answer trees in folders named after the splits, or steps in JSONL."""

    name, title = "stabletoolbench", "StableToolBench"
    project = "the StableToolBench project (THUNLP-MT/StableToolBench)"
    splits, paper_rows = paper_figures.TOOL_SPLITS, paper_figures.STABLETOOLBENCH

    def read(self, folder: Path, notes: list[str], progress: ProgressCallback | None) -> list[BenchmarkStep]:
        """The steps of JSONL files if there are any, else the calls of the answer trees."""
        if folder.suffix == ".jsonl" or any(folder.glob("*.jsonl")):
            return read_jsonl_steps(folder, notes, progress)
        return read_call_steps(folder, tuple(self.splits), notes, progress)

    def measure(self, gathered: GatheredItems[BenchmarkStep], context: MeasurementContext) -> Iterator[MetricColumn]:
        """Corpus BLEU, ROUGE-L and exact match of the predicted responses and of a copy of the last observation."""
        steps, predicted = predict_texts(context, gathered.items)
        if not steps:
            return
        references = [step.next_state.text for step in steps]
        for side, candidates in (("forward", predicted), ("copy", copy_predictions(steps))):
            yield from bleu_columns(
                f"{side}/bleu", *splits_and_groups(steps), candidates, references, gathered.split_sizes
            )
            yield from text_columns(side, steps, candidates, gathered.split_sizes)


def copy_predictions(steps: Sequence[BenchmarkStep]) -> list[str]:
    """The predictions of the copy baseline: the last observation, which is the state unless the step says otherwise."""
    return [step.state.text if step.last_observation is None else step.last_observation for step in steps]


def text_columns(
    side: str, steps: Sequence[BenchmarkStep], candidates: Sequence[str], split_sizes: dict[str, int]
) -> Iterator[MetricColumn]:
    """ROUGE-L and exact match against the observed next states, in %."""
    pairs = [(ours, step.next_state.text) for ours, step in zip(candidates, steps, strict=True)]
    for name, measure in (("rouge_l", rouge_l), ("exact_match", exact_match)):
        scores = [measure(*pair) for pair in pairs]
        yield from mean_columns(f"{side}/{name}", *splits_and_groups(steps), scores, split_sizes, 100)
