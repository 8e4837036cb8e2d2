"""Run a benchmark: the list of benchmarks, and the way from gathered items to figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from swirl.errors import SwirlError, UsageError
from swirl.evaluation.benchmarks.aurora_bench import AuroraBench
from swirl.evaluation.benchmarks.bytemorph import ByteMorph
from swirl.evaluation.benchmarks.figures import Figure, compute_figures
from swirl.evaluation.benchmarks.paper_figures import PaperRow
from swirl.evaluation.benchmarks.predictions import MeasurementContext
from swirl.evaluation.benchmarks.splits import GatheredItems
from swirl.evaluation.benchmarks.text_benchmarks import Mind2Web, ScienceWorld, StableToolBench
from swirl.evaluation.benchmarks.worldprediction import WorldPrediction
from swirl.evaluation.judge import JudgeCalls
from swirl.progress import ProgressCallback


class Benchmark(Protocol):
    """The interface of a benchmark: read its files, count the calls to a judge, and measure a model.

    `kind` is the kind of its states, "text" or "image"; `splits` are the paper's columns with their headings.
    """

    name: str
    kind: str
    title: str
    has_judge: bool
    splits: dict[str, str]
    paper_rows: tuple[PaperRow, ...]

    def gather(
        self, folder: Path, limit: int | None, seed: int, progress: ProgressCallback | None = None
    ) -> GatheredItems[Any]: ...

    def judge_calls(self, gathered: Any, infers: bool) -> list[JudgeCalls]: ...

    def measure(self, gathered: Any, context: MeasurementContext) -> Any: ...


BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (AuroraBench(), ByteMorph(), WorldPrediction(), StableToolBench(), ScienceWorld(), Mind2Web())
}


@dataclass(frozen=True)
class BenchmarkResult:
    """A benchmark's figures by metric and split, `notes` on what they leave out, and the judge's account."""

    benchmark: Benchmark
    figures: dict[str, dict[str, Figure]]
    split_sizes: dict[str, int]
    notes: tuple[str, ...]
    judge: dict[str, Any] | None

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The figures as the history stores them: METRIC@SPLIT to value, interval and numbers of items."""
        return {
            f"{metric}@{split}": asdict(figure)
            for metric, splits in self.figures.items()
            for split, figure in splits.items()
        }


def run_benchmark(benchmark: Benchmark, gathered: GatheredItems[Any], context: MeasurementContext) -> BenchmarkResult:
    """Measure a model on the gathered items.

    Raises UsageError if the model is of another kind than the benchmark or cannot do best of N, and SwirlError if
    nothing can be scored.
    """
    model, judge = context.model, context.judge
    if model.kind != benchmark.kind:
        raise UsageError(
            f"{benchmark.title} needs a model for {benchmark.kind}s, and {model.name} is a model for {model.kind}s."
        )
    if context.best_of > 1 and not model.is_trainable:
        raise UsageError(f"--best-of needs the scores of an inverse model, and {model.name} has none; leave it out.")
    if not gathered.items and not getattr(gathered, "choices", None):
        why = f": {gathered.notes[0]}" if gathered.notes else "; check the folder."
        raise SwirlError(f"Nothing of {benchmark.title} can be scored{why}")
    figures = compute_figures(benchmark.measure(gathered, context), context.seed)
    if not figures:
        raise SwirlError(f"Nothing of {benchmark.title} was scored: {' '.join([*gathered.notes, *context.notes])}")
    notes = (*gathered.notes, *context.notes, *(judge.complaints() if judge else ()))
    return BenchmarkResult(benchmark, figures, gathered.split_sizes, notes, judge.account() if judge else None)
