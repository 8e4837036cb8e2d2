"""A step benchmark as tables: for the command line, and as a Markdown page of the newest of each workload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swirl.history import StepBenchmark

MEBIBYTE = 2**20
TRAINER_NAMES = {"swirl": "SWIRL Studio", "trl": "stock trl", "plain": "plain two-model trainer"}
Table = tuple[list[str], list[list[str]]]
"""Headings and rows."""

PAGE = """# Performance of a training step

Written by `swirl benchmark … --markdown`: the newest measurement of each workload in the history. The trainers take
turns, step by step, each in a process of its own that is idle meanwhile; all have the same model, LoRA rank,
prompts, numbers of rollouts and numbers of tokens. Figures are medians of the steps after the first.

- *SWIRL Studio*: one base model with two adapters.
- *stock trl*: its `GRPOTrainer` with LoRA as its documentation shows, and a second, frozen copy of the model whose
  log-probability is the reward. In forward phases it is given an action, which ours has to infer.
- *plain two-model trainer*: policy, partner and reference policy are separate models, as in the authors' code. Every
  rollout has its own pass over the prompt, sampling is `generate`, and the head is computed over the whole vocabulary
  at every position.

*Memory* is the peak of the process, and in brackets what is above the same process with all libraries but no model.
*Of peak* is the part's arithmetic (matrix products and attention as they were executed, counted by PyTorch in one more
step) divided by its time, as a share of the speed of a large matrix product in the same number format, measured in
the same call.
"""


def summary_table(result: dict[str, Any]) -> Table:
    """One row a trainer: its step, its memory, and how ours compares."""
    rows = []
    for name, trainer in result["trainers"].items():
        ratio = result["ratios"].get(name)
        rows.append(
            [
                TRAINER_NAMES[name],
                f"{trainer['step_seconds']:.3f}",
                "–" if ratio is None else f"{ratio['times_faster']:.2f} ×",
                memory_cell(trainer),
                "–" if ratio is None else f"{memory_ratio(ratio):.2f} ×",
                f"{trainer['share_of_peak']:.0%}",
            ]
        )
    return ["trainer", "seconds a step", "ours is faster", "memory, MiB", "ours takes", "of peak"], rows


def memory_ratio(ratio: dict[str, float]) -> float:
    """Our share of the other's peak memory: on the GPU if there is one."""
    return ratio.get("share_of_gpu_memory", ratio["share_of_memory"])


def memory_cell(trainer: dict[str, Any]) -> str:
    """The peak memory in MiB: on the GPU if there is one, else of the process, and what is above the idle process."""
    if "peak_gpu_memory_bytes" in trainer:
        return f"{trainer['peak_gpu_memory_bytes'] / MEBIBYTE:.0f} (GPU)"
    peak, above = trainer["peak_memory_bytes"], trainer["memory_above_idle_bytes"]
    return f"{peak / MEBIBYTE:.0f} ({above / MEBIBYTE:.0f})"


def parts_table(result: dict[str, Any]) -> Table:
    """One row for each part of each trainer's step."""
    rows = []
    for name, trainer in result["trainers"].items():
        for part, figures in trainer["parts"].items():
            rows.append(
                [
                    TRAINER_NAMES[name],
                    part,
                    f"{figures['seconds']:.3f}",
                    f"{figures['tokens_per_second']:.0f}" if figures["tokens"] else "–",
                    f"{figures['share_of_peak']:.0%}" if figures["operations"] else "–",
                ]
            )
    return ["trainer", "part", "seconds", "tokens/s", "of peak"], rows


def history_table(benchmarks: Sequence[StepBenchmark]) -> Table:
    """One row a benchmark, newest first, with its change since the last one of the same workload and machine."""
    rows, previous = [], {}
    for benchmark in benchmarks:
        key, ours = (benchmark.title, benchmark.machine), benchmark.figures["trainers"]["swirl"]
        before = previous.get(key)
        change = "–" if before is None else f"{before['step_seconds'] / ours['step_seconds']:.2f} ×"
        others = [f"{name} {ratio['times_faster']:.2f} ×" for name, ratio in benchmark.figures["ratios"].items()]
        rows.append(
            [
                str(benchmark.id),
                benchmark.created[:10],
                benchmark.version,
                benchmark.title,
                f"{ours['step_seconds']:.3f}",
                change,
                memory_cell(ours),
                ", ".join(others) or "–",
            ]
        )
        previous[key] = ours
    headings = [
        "no.",
        "date",
        "version",
        "workload",
        "seconds a step",
        "faster than before",
        "memory, MiB",
        "than others",
    ]
    return headings, rows[::-1]


def markdown_page(benchmarks: Sequence[StepBenchmark]) -> str:
    """The newest benchmark of each workload, in the order in which the workloads were first measured."""
    newest = {benchmark.title: benchmark for benchmark in benchmarks}
    return "\n".join([PAGE, *(markdown_section(benchmark) for benchmark in newest.values())])


def markdown_section(benchmark: StepBenchmark) -> str:
    """One benchmark as a section."""
    figures = benchmark.figures
    rate = figures["matrix_product_operations_per_second"] / 1e9
    lines = [
        f"## {benchmark.title}",
        "",
        f"{benchmark.created[:10]}, version {benchmark.version}, {benchmark.machine}.",
        f"Medians of {figures['steps']} steps; matrix products reach {rate:.0f} GFLOP/s.",
        "",
        *markdown_table(*summary_table(figures)),
        "",
        *markdown_table(*parts_table(figures)),
        "",
    ]
    return "\n".join(lines)


def markdown_table(headings: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]
