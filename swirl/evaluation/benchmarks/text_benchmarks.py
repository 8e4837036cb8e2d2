"""The benchmarks of texts: StableToolBench by BLEU, ScienceWorld and Mind2Web by BERTScore and ROUGE-L."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import paper_figures
from swirl.evaluation.benchmarks.figures import MetricColumn, bleu_columns, mean_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, predict_texts
from swirl.evaluation.benchmarks.splits import BenchmarkStep, GatheredItems, sample_items
from swirl.evaluation.benchmarks.text_files import read_call_steps, read_jsonl_steps
from swirl.evaluation.benchmarks.text_scores import bertscore_with_note
from swirl.evaluation.judge import JudgeCalls
from swirl.evaluation.text_metrics import exact_match, rouge_l
from swirl.progress import ProgressCallback


class TextBench:
    """What the benchmarks of texts share; a benchmark without a judge has nothing to ask one."""

    kind = "text"
    has_judge = False
    name = title = project = ""
    splits: ClassVar[dict[str, str]] = {}
    paper_rows: ClassVar[tuple[paper_figures.PaperRow, ...]] = ()

    def gather(
        self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None
    ) -> GatheredItems[BenchmarkStep]:
        """Read the steps. Raises SwirlError where there are none."""
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
        """Nothing."""
        return []

    def measure(self, gathered: GatheredItems[BenchmarkStep], with_: MeasurementContext) -> Iterator[MetricColumn]:
        """BERTScore and ROUGE-L of the predicted next states and of a copy of the states, in %; exact match too."""
        steps, predicted = predict_texts(with_, gathered.items)
        if not steps:
            return
        for side, candidates in (("forward", predicted), ("copy", copy_predictions(steps))):
            yield from text_columns(side, steps, candidates, gathered.split_sizes)
            scores = bertscore_with_note(candidates, [step.next_state.text for step in steps], with_.notes)
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
    """StableToolBench (Guo et al. 2024): answer trees in folders that bear the splits' names, or steps in JSONL."""

    name, title = "stabletoolbench", "StableToolBench"
    project = "the StableToolBench project (THUNLP-MT/StableToolBench)"
    splits, paper_rows = paper_figures.TOOL_SPLITS, paper_figures.STABLETOOLBENCH

    def read(self, folder: Path, notes: list[str], progress: ProgressCallback | None) -> list[BenchmarkStep]:
        """The calls of the answer trees, or the steps of JSONL files where there are any."""
        lines = folder.suffix == ".jsonl" or any(folder.glob("*.jsonl"))
        if lines:
            return read_jsonl_steps(folder, notes, progress)
        return read_call_steps(folder, tuple(self.splits), notes, progress)

    def measure(self, gathered: GatheredItems[BenchmarkStep], with_: MeasurementContext) -> Iterator[MetricColumn]:
        """Corpus BLEU of the predicted responses and of a copy of what was seen last, ROUGE-L and exact match too."""
        steps, predicted = predict_texts(with_, gathered.items)
        if not steps:
            return
        references = [step.next_state.text for step in steps]
        for side, candidates in (("forward", predicted), ("copy", copy_predictions(steps))):
            yield from bleu_columns(
                f"{side}/bleu", *splits_and_groups(steps), candidates, references, gathered.split_sizes
            )
            yield from text_columns(side, steps, candidates, gathered.split_sizes)


def splits_and_groups(steps: Sequence[BenchmarkStep]) -> tuple[list[str], list[str]]:
    """The steps' splits and groups."""
    return [step.split for step in steps], [step.group for step in steps]


def copy_predictions(steps: Sequence[BenchmarkStep]) -> list[str]:
    """What a model that changes nothing predicts: what was seen last."""
    return [step.state.text if step.last_observation is None else step.last_observation for step in steps]


def text_columns(
    side: str, steps: Sequence[BenchmarkStep], candidates: Sequence[str], of: dict[str, int]
) -> Iterator[MetricColumn]:
    """ROUGE-L and exact match, in %."""
    pairs = [(ours, step.next_state.text) for ours, step in zip(candidates, steps, strict=True)]
    yield from mean_columns(f"{side}/rouge_l", *splits_and_groups(steps), [rouge_l(*pair) for pair in pairs], of, 100)
    yield from mean_columns(
        f"{side}/exact_match", *splits_and_groups(steps), [exact_match(*pair) for pair in pairs], of, 100
    )
