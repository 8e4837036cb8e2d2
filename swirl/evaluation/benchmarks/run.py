"""One benchmark from its files to its figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from swirl.errors import SwirlError, UsageError
from swirl.evaluation.benchmarks.aurora_bench import AuroraBench
from swirl.evaluation.benchmarks.bytemorph import ByteMorph
from swirl.evaluation.benchmarks.figures import Figure, figures
from swirl.evaluation.benchmarks.paper_figures import PaperRow
from swirl.evaluation.benchmarks.predictions import MeasurementContext
from swirl.evaluation.benchmarks.splits import GatheredItems
from swirl.evaluation.benchmarks.text_benchmarks import Mind2Web, ScienceWorld, StableToolBench
from swirl.evaluation.benchmarks.worldprediction import WorldPrediction
from swirl.evaluation.judge import JudgeCalls
from swirl.progress import ProgressCallback


class Benchmark(Protocol):
    """What a benchmark has to do: read its files, say what a judge would be asked, and measure.

    `kind` is what its states are, "text" or "image"; `splits` are the paper's columns with their headings.
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

    def measure(self, gathered: Any, with_: MeasurementContext) -> Any: ...


BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (AuroraBench(), ByteMorph(), WorldPrediction(), StableToolBench(), ScienceWorld(), Mind2Web())
}


@dataclass(frozen=True)
class BenchmarkResult:
    """A benchmark's figures by metric and split, `notes` on what is not in them, and the judge's account."""

    benchmark: Benchmark
    figures: dict[str, dict[str, Figure]]
    split_sizes: dict[str, int]
    notes: tuple[str, ...]
    judge: dict[str, Any] | None

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The figures as the history keeps them: METRIC@SPLIT to value, interval and numbers of items."""
        return {
            f"{metric}@{split}": asdict(found)
            for metric, splits in self.figures.items()
            for split, found in splits.items()
        }


def run_benchmark(benchmark: Benchmark, gathered: GatheredItems[Any], with_: MeasurementContext) -> BenchmarkResult:
    """Measure a model on what was gathered. Raises SwirlError where nothing at all could be scored."""
    if with_.model.kind != benchmark.kind:
        wanted = {"image": "pictures", "text": "texts"}[benchmark.kind]
        raise UsageError(f"{benchmark.title} needs a model of {wanted}, and {with_.model.name} is none.")
    if with_.best_of > 1 and not with_.model.is_trainable:
        raise UsageError(f"--best-of needs the inverse model's scores, and {with_.model.name} has none.")
    if not gathered.items and not getattr(gathered, "choices", None):
        why = f": {gathered.notes[0]}" if gathered.notes else "; check the folder."
        raise SwirlError(f"Nothing of {benchmark.title} can be scored{why}")
    found = figures(benchmark.measure(gathered, with_), with_.seed)
    if not found:
        raise SwirlError(f"Nothing of {benchmark.title} was scored: {' '.join([*gathered.notes, *with_.notes])}")
    judge = with_.judge
    notes = (*gathered.notes, *with_.notes, *(judge.complaints() if judge else ()))
    return BenchmarkResult(benchmark, found, gathered.split_sizes, notes, judge.account() if judge else None)
