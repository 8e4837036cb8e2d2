"""The benchmarks of texts: StableToolBench by BLEU, ScienceWorld and Mind2Web by BERTScore and ROUGE-L."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import paper_figures
from swirl.evaluation.benchmarks.figures import Column, bleus, means
from swirl.evaluation.benchmarks.predictions import Means, predicted_texts
from swirl.evaluation.benchmarks.splits import Gathered, Step, some
from swirl.evaluation.benchmarks.text_files import read_answers, read_lines
from swirl.evaluation.benchmarks.text_scores import bert_scores
from swirl.evaluation.judge import Load
from swirl.evaluation.protocols import Progress
from swirl.evaluation.text_metrics import exact_match, rouge_l


class TextBench:
    """What the benchmarks of texts share; a benchmark without a judge has nothing to ask one."""

    kind = "text"
    judged = False
    name = title = project = ""
    splits: ClassVar[dict[str, str]] = {}
    paper: ClassVar[tuple[paper_figures.Row, ...]] = ()

    def gather(self, folder: Path, limit: int | None, seed: int, progress: Progress | None = None) -> Gathered[Step]:
        """Read the steps. Raises SwirlError where there are none."""
        gathered = Gathered[Step]([], {})
        steps = self.read(folder, gathered.notes, progress)
        if not steps:
            why = f" ({gathered.notes[0].rstrip('.')})" if gathered.notes else ""
            raise SwirlError(f"{folder} has no step of {self.title}{why}; get its files from {self.project}.")
        gathered.of = dict(Counter(step.split for step in steps))
        gathered.items = some(steps, limit, seed)
        return gathered

    def read(self, folder: Path, notes: list[str], progress: Progress | None) -> list[Step]:
        """The steps of JSONL files of `{"state", "action", "next_state"}`."""
        return read_lines(folder, notes, progress)

    def loads(self, gathered: Gathered[Step], infers: bool) -> list[Load]:
        """Nothing."""
        return []

    def measure(self, gathered: Gathered[Step], with_: Means) -> Iterator[Column]:
        """BERTScore and ROUGE-L of the predicted next states and of a copy of the states, in %; exact match too."""
        steps, predicted = predicted_texts(with_, gathered.items)
        if not steps:
            return
        for side, candidates in (("forward", predicted), ("copy", copies(steps))):
            yield from compared(side, steps, candidates, gathered.of)
            scores = bert_scores(candidates, [step.next_state.text for step in steps], with_.notes)
            if scores is not None:
                yield from means(f"{side}/bertscore", *places(steps), scores, gathered.of, 100)


class ScienceWorld(TextBench):
    """ScienceWorld (Wang et al. 2022), as steps in JSONL."""

    name, title, project = "scienceworld", "ScienceWorld", "the ScienceWorld project (allenai/ScienceWorld)"
    paper = paper_figures.SCIENCEWORLD


class Mind2Web(TextBench):
    """Mind2Web (Deng et al. 2023), as steps in JSONL."""

    name, title, project = "mind2web", "Mind2Web", "the Mind2Web project (OSU-NLP-Group/Mind2Web)"
    paper = paper_figures.MIND2WEB


class StableToolBench(TextBench):
    """StableToolBench (Guo et al. 2024): answer trees in folders that bear the splits' names, or steps in JSONL."""

    name, title = "stabletoolbench", "StableToolBench"
    project = "the StableToolBench project (THUNLP-MT/StableToolBench)"
    splits, paper = paper_figures.TOOL_SPLITS, paper_figures.STABLETOOLBENCH

    def read(self, folder: Path, notes: list[str], progress: Progress | None) -> list[Step]:
        """The calls of the answer trees, or the steps of JSONL files where there are any."""
        lines = folder.suffix == ".jsonl" or any(folder.glob("*.jsonl"))
        if lines:
            return read_lines(folder, notes, progress)
        return read_answers(folder, tuple(self.splits), notes, progress)

    def measure(self, gathered: Gathered[Step], with_: Means) -> Iterator[Column]:
        """Corpus BLEU of the predicted responses and of a copy of what was seen last, ROUGE-L and exact match too."""
        steps, predicted = predicted_texts(with_, gathered.items)
        if not steps:
            return
        references = [step.next_state.text for step in steps]
        for side, candidates in (("forward", predicted), ("copy", copies(steps))):
            yield from bleus(f"{side}/bleu", *places(steps), candidates, references, gathered.of)
            yield from compared(side, steps, candidates, gathered.of)


def places(steps: Sequence[Step]) -> tuple[list[str], list[str]]:
    """The steps' splits and groups."""
    return [step.split for step in steps], [step.group for step in steps]


def copies(steps: Sequence[Step]) -> list[str]:
    """What a model that changes nothing predicts: what was seen last."""
    return [step.state.text if step.last is None else step.last for step in steps]


def compared(side: str, steps: Sequence[Step], candidates: Sequence[str], of: dict[str, int]) -> Iterator[Column]:
    """ROUGE-L and exact match, in %."""
    pairs = [(ours, step.next_state.text) for ours, step in zip(candidates, steps, strict=True)]
    yield from means(f"{side}/rouge_l", *places(steps), [rouge_l(*pair) for pair in pairs], of, 100)
    yield from means(f"{side}/exact_match", *places(steps), [exact_match(*pair) for pair in pairs], of, 100)
