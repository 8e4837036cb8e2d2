"""Writes an experiment's results as a page of Markdown tables with a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.baselines import baseline_of, baseline_title, reference_title
from swirl.experiments.evidence import collect_evidence, write_evidence
from swirl.experiments.exchange import published_runs
from swirl.experiments.grid import DEFAULT_SIZE, Plan, Problem
from swirl.experiments.overall import compare_overall, describe_ratio, overall_difference
from swirl.experiments.plot import draw_intervals
from swirl.experiments.probing import stored_probes
from swirl.experiments.results import (
    HEADLINE,
    Row,
    SeedEstimate,
    collect_rows,
    estimate_row,
    finished_runs,
    last_over_chosen,
    paired_difference,
    start_row,
    start_scores,
)
from swirl.history import History
from swirl.methods import Method
from swirl.runs.archive.file_format import SUFFIX

SHOWN = {
    "forward/changed_facts": "changed facts",
    "forward/kept_facts": "kept facts",
    "forward/token_accuracy": "token accuracy",
    "forward/psnr": "PSNR, dB",
    "forward/rouge_l": "ROUGE-L",
    "forward/bertscore": "BERTScore",
    "inverse/exact_match": "inverse",
    "inverse/equivalent": "inverse, same effect",
    "cycle/exact_match": "cycle",
    "forward/log_prob": "log P(y), nats a token",
}
"""The metrics of a table beside the headline, and the heads of their columns."""

INFERRED = ("inverse/equivalent", "inverse/exact_match")
"""What tells whether the inverse model has learnt: its actions' effect where a simulator knows it, else their words."""

INFERRED_HEAD = "inverse, last, over the warm-up"

OF_FREE_TEXT = ("forward/rouge_l", "forward/bertscore")
"""Those that say something where no simulator's grammar makes the states: they are left out for worlds with regimes."""

COPIED = {
    "copy/exact_match": "exact match",
    "copy/token_accuracy": "token accuracy",
    "copy/psnr": "PSNR in dB",
    "copy/rouge_l": "ROUGE-L",
    "copy/bertscore": "BERTScore",
}
"""The metrics of a prediction that copies the state."""


def write_report(home: Path, plan: Plan, folder: Path, *, options: str = "") -> Path:
    """Write `NAME.md`, `NAME.svg` and `NAME.json` into the folder; returns the page. Raises OSError on failure.

    `options` are those of `swirl experiment` that name the part of an experiment which the plan is.
    """
    rows = collect_rows(home, plan)
    folder.mkdir(parents=True, exist_ok=True)
    plot = folder / f"{plan.name}.svg"
    plot.write_text(draw_intervals(plan, rows), encoding="utf-8")
    write_evidence(collect_evidence(plan, rows, stored_probes(home, plan)), folder / f"{plan.name}.json")
    page = folder / f"{plan.name}.md"
    page.write_text(report_text(home, plan, rows, plot.name, options), encoding="utf-8")
    return page


def report_text(home: Path, plan: Plan, rows: Sequence[Row], plot: str, options: str = "") -> str:
    """The page's text."""
    cells = list(plan.cells())
    done = finished_runs(History(home), plan)
    finished = sum(cell.key in done for cell in cells)
    lines = [
        f"# {plan.title}",
        "",
        plan.question,
        "",
        f"{finished} of {len(cells)} runs are finished; seeds {', '.join(map(str, plan.seeds))}. Repeat it with:",
        "",
        "```",
        f"swirl experiment {plan.name} {options}".rstrip(),
        "```",
        "",
        *published_lines(plan),
        "Each figure is a mean over seeds on transitions of the test part, with its 95 % interval from drawing "
        "sequences and seeds. The checkpoint of a run is the one that is best on the selection part; *last* is its "
        "last one, with the difference to that where they are not the same. Differences are paired by transition and "
        "seed; those in bold have an interval off zero. *Changed facts* is the share of what the step changed that is "
        "predicted, *kept facts* that of what it left as it was. *Inverse, last, over the warm-up* is what the inverse "
        "model has gained by the last checkpoint, in actions of the same effect where the world can tell, else in "
        "their words. *Seconds* is the median time that a run trained on one core, beside the other runs of the "
        "experiment: all optimiser steps, and inferring the actions that they imitate, but no scoring.",
        "",
        f"![Forward exact match of each method, with 95 % intervals]({plot})",
        "",
    ]
    lines += overall_section(plan, rows)
    for problem in plan.problems:
        for size in plan.sizes:
            lines += problem_section(plan, rows, problem, size)
    return "\n".join(lines).rstrip() + "\n"


def published_lines(plan: Plan) -> list[str]:
    """How to see the runs that come with the program; empty if there are none."""
    folder = published_runs(plan)
    if folder is None:
        return []
    count = len(list(folder.glob(f"*{SUFFIX}")))
    return [
        f"The figures of {count} runs come with the program. This shows them without training anything, each as a run "
        f"of its own (*Show {count} published runs* on the Experiments page does the same):",
        "",
        "```",
        f"swirl experiment {plan.name} --import",
        f"swirl experiment {plan.name} --show --report DIR",
        "```",
        "",
    ]


def overall_section(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """The methods over all problems, the best first; empty where there is nothing to compare over two problems."""
    found = compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs))
    if found is None:
        return []
    title = reference_title(plan, found.reference)
    heads = ["method", f"over {title}", "problems", "above", "below", "seeds", "over the warm-up there", "time"]
    lines = [
        "## Over all problems",
        "",
        f"Forward exact match of each method minus that of {title}: the mean over the problems on which both have "
        "figures, all weighted equally. The interval comes from drawing sequences and seeds, so it is about these "
        "problems and says nothing about others. *Above* and *below* count the problems whose own interval is off "
        "zero, *seeds* are those of the problem with the fewest. *Time* is how long the method trained on these "
        f"problems, as a multiple of the time of {title}. Methods with figures on different problems cannot be "
        "compared with each other here.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + " --- |" * len(heads),
    ]
    for row in found.rows:
        name = plan.method(row.method).title + (" (default)" if row.method == plan.default_method else "")
        over, counted = row.over_reference, row.over_reference or row.over_start
        cells = [
            name,
            format_difference(over.estimate) if over else "–",
            f"{counted.problems} of {found.problems}" if counted else "–",
            *((over.above, over.below) if over else ("–", "–")),
            counted.seeds if counted else "–",
            format_difference(row.over_start.estimate) if row.over_start else "–",
            describe_ratio(row.relative_time) if row.relative_time else "–",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    if found.left_out:
        titles = "; ".join(plan.method(name).title for name in found.left_out)
        lines += ["", f"Left out, as fewer than two problems have figures of both: {titles}."]
    return [*lines, ""]


def describe_mixed_starts(plan: Plan, rows: Sequence[Row], problem: Problem) -> str:
    """A warning that the runs of a problem did not start from one model; empty if they did."""
    found = start_scores(plan, rows, problem.name)
    if found is None:
        return ""
    return (
        f"Not all of these runs started from the same model: their starts have a forward exact match of {found[0]:.3f} "
        f"to {found[1]:.3f} on the selection part. Runs may have been imported from another machine, whose recipe made "
        "another start. Differences between methods may be differences between starts."
    )


def problem_section(plan: Plan, rows: Sequence[Row], problem: Problem, size: int) -> list[str]:
    """The heading and table of one problem at one size; empty while none of its runs is finished."""
    chosen = [row for row in rows if row.problem == problem.name and row.size in (size, DEFAULT_SIZE)]
    if not chosen:
        return []
    start = start_row(rows, problem.name)
    baseline = baseline_of(plan, {row.method for row in rows})
    compared = next((row for row in chosen if row.method == baseline), None)
    left_out = OF_FREE_TEXT if problem.regime else ()
    names = [
        name
        for name in SHOWN
        if name not in left_out and any(estimate_row(row, plan.method(row.method), name) for row in chosen)
    ]
    heads = ["method", "forward exact match", "± seeds", "last", "over the warm-up"]
    heads += [f"over {baseline_title(plan.method(baseline))}"] if baseline else []
    inferred = next((name for name in INFERRED if name in names), None)
    heads += [*(SHOWN[name] for name in names), *([INFERRED_HEAD] if inferred else []), "seconds"]
    lines = [f"## {problem.describe()}" + (f", {size} transitions a phase" if size != DEFAULT_SIZE else ""), ""]
    test = len(chosen[0].results[0].chosen["places"])
    copied = [
        f"{title} {format_value(found)}"
        for name, title in COPIED.items()
        if name.replace("copy/", "forward/") not in left_out
        if (found := estimate_row(chosen[0], plan.method(chosen[0].method), name))
    ]
    if copied:
        lines += [f"{test} test transitions. Copying the state has {', '.join(copied)}.", ""]
    if mixed := describe_mixed_starts(plan, rows, problem):
        lines += [mixed, ""]
    lines += ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in chosen:
        method = plan.method(row.method)
        value = estimate_row(row, method)
        cells = [
            f"{method.title}" + (" (default)" if row.method == plan.default_method else ""),
            format_estimate(value),
            format_deviation(value),
            last_cell(row, method),
            difference_cell(plan, row, start),
            *([difference_cell(plan, row, compared)] if baseline else []),
            *(format_value(estimate_row(row, method, name)) for name in names),
            *([difference_cell(plan, row, start, inferred, last=True)] if inferred else []),
            format_seconds(row.training_seconds()),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", *iterations_section(plan, chosen)]


def iterations_section(plan: Plan, rows: Sequence[Row]) -> list[str]:
    """How the forward model fared from iteration to iteration; empty where no method has two of them."""
    curves = {row.method: mean_by_iteration(row) for row in rows}
    longest = max(map(len, curves.values()))
    if longest < 3:
        return []
    lines = [
        "Forward exact match on the selection part at the start and after each iteration, mean over seeds:",
        "",
        "| method | start | " + " | ".join(map(str, range(1, longest))) + " |",
        "|" + " --- |" * (longest + 1),
    ]
    for name, curve in curves.items():
        if len(curve) > 1:
            cells = [*(f"{value:.3f}" for value in curve), *["–"] * (longest - len(curve))]
            lines.append(f"| {plan.method(name).title} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def mean_by_iteration(row: Row) -> list[float]:
    """The mean over seeds of the selection part's scores; as many as the shortest run has."""
    return [sum(scores) / len(scores) for scores in zip(*(result.by_iteration for result in row.results), strict=False)]


def last_cell(row: Row, method: Method) -> str:
    """The figure of the last checkpoints; where these are not the chosen ones, with the difference and its interval."""
    value = format_value(estimate_row(row, method, last=True))
    found = last_over_chosen(row, method)
    return value if found is None else f"{value} ({format_difference(found.estimate)})"


def difference_cell(plan: Plan, row: Row, other: Row | None, metric: str = HEADLINE, *, last: bool = False) -> str:
    """The paired difference of a metric to another row with its interval, bold if that is off zero."""
    if other is None or other.method == row.method:
        return "–"
    found = paired_difference(row, plan.method(row.method), other, plan.method(other.method), metric, last=last)
    if found is None:
        return "–"
    return format_difference(found.estimate)


def format_seconds(seconds: float | None) -> str:
    """Whole seconds; a dash where they are not known."""
    return "–" if seconds is None else f"{seconds:.0f}"


def format_difference(e: Estimate) -> str:
    """A difference with its interval, bold if that is off zero."""
    text = f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"
    return f"**{text}**" if e.low > 0 or e.high < 0 else text


def format_estimate(found: SeedEstimate | None) -> str:
    """A value with its interval."""
    return f"{found.estimate.value:.3f} [{found.estimate.low:.3f}, {found.estimate.high:.3f}]" if found else "–"


def format_deviation(found: SeedEstimate | None) -> str:
    """The standard deviation over seeds and their number; a dash for one seed."""
    return f"{found.deviation:.3f} ({found.seeds})" if found and found.seeds > 1 else "–"


def format_value(found: SeedEstimate | None) -> str:
    """A value alone; pictures' decibels with one decimal are as exact as they need to be."""
    if found is None:
        return "–"
    return f"{found.estimate.value:.1f}" if abs(found.estimate.value) >= 10 else f"{found.estimate.value:.3f}"
