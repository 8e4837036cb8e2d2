"""The tables and the page of step benchmarks, and their provenance."""

from __future__ import annotations

import os
import subprocess

from swirl.history import StepBenchmark
from swirl.runs.step_benchmark.provenance import code_version, machine_name
from swirl.runs.step_benchmark.report import history_table, markdown_page, parts_table, summary_table
from swirl.version import __version__

MEBIBYTE = 2**20


def figures(seconds: float, others: dict[str, float]) -> dict[str, object]:
    def trainer(seconds: float) -> dict[str, object]:
        part = {"seconds": seconds, "tokens": 50, "tokens_per_second": 50 / seconds, "operations": 9}
        return {
            "step_seconds": seconds,
            "peak_memory_bytes": 700 * MEBIBYTE,
            "memory_above_idle_bytes": 200 * MEBIBYTE,
            "share_of_peak": 0.25,
            "parts": {"sampling": {**part, "share_of_peak": 0.25}},
        }

    ratio = {"share_of_memory": 0.5, "share_of_memory_above_idle": 0.25}
    return {
        "steps": 3,
        "matrix_product_operations_per_second": 1.04e11,
        "trainers": {"swirl": trainer(seconds), **{name: trainer(value) for name, value in others.items()}},
        "ratios": {name: {**ratio, "times_faster": value / seconds} for name, value in others.items()},
    }


def kept(number: int, title: str, seconds: float, machine: str = "one", **others: float) -> StepBenchmark:
    return StepBenchmark(number, title, f"0.{number}", machine, figures(seconds, others), f"2026-01-0{number}T00:00")


def test_summary_and_parts_have_a_row_for_each_trainer() -> None:
    result = figures(2.0, {"trl": 5.0})
    headings, rows = summary_table(result)
    assert rows == [
        ["SWIRL Studio", "2.000", "–", "700 (200)", "–", "25%"],
        ["stock trl", "5.000", "2.50 ×", "700 (200)", "0.50 ×", "25%"],
    ]
    assert len(headings) == len(rows[0])
    headings, rows = parts_table(result)
    assert rows[0] == ["SWIRL Studio", "sampling", "2.000", "25", "25%"]
    assert len(headings) == len(rows[0])


def test_history_compares_equal_workloads_on_equal_machines_newest_first() -> None:
    rows = history_table([kept(1, "a", 2.0), kept(2, "b", 3.0), kept(3, "a", 1.0, "two"), kept(4, "a", 0.5, trl=1.0)])[
        1
    ]
    assert [(row[0], row[5], row[7]) for row in rows] == [
        ("4", "4.00 ×", "trl 2.00 ×"),
        ("3", "–", "–"),
        ("2", "–", "–"),
        ("1", "–", "–"),
    ]


def test_page_has_the_newest_benchmark_of_each_workload() -> None:
    page = markdown_page([kept(1, "a", 2.0), kept(2, "b", 3.0, plain=6.0), kept(3, "a", 1.0)])
    assert page.count("\n## ") == 2
    assert page.index("\n## a\n") < page.index("\n## b\n")
    assert "2026-01-03, version 0.3, one." in page
    assert "| SWIRL Studio | 2.000 |" not in page
    assert "| plain two-model trainer | 6.000 | 2.00 × | 700 (200) | 0.50 × | 25% |" in page
    assert all(len(line) <= 125 for line in page.splitlines() if not line.startswith("|"))


def test_version_and_machine_say_what_measured() -> None:
    assert code_version().startswith(__version__)
    name = machine_name("cpu")
    assert f"{os.cpu_count()} cores" in name
    assert "torch 2." in name


def test_version_without_git(monkeypatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert code_version() == __version__
