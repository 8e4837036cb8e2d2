"""`swirl experiment`: carry out a grid of runs, several at once, and write its tables and plots."""

from __future__ import annotations

import argparse
import dataclasses
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swirl.cli.arguments import add_figures_only, add_json
from swirl.cli.output import Output, format_table
from swirl.errors import SwirlError, UsageError

if TYPE_CHECKING:
    from swirl.experiments.grid import Plan

PUBLISHED = Path()
"""Stands for the published runs where --import names no folder."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    experiment = commands.add_parser(
        "experiment",
        help="compare methods: carry out a grid of runs, several at once, and write its tables and plots",
        description="Carries out an experiment: methods × problems × sizes × seeds, each a run of the history, as many "
        "at once as the machine has cores or GPUs for. Ctrl-C stops it and its runs; the same command continues. "
        "Without a name, lists the experiments.",
    )
    experiment.add_argument(
        "name", metavar="NAME", nargs="?", help="an experiment that comes with the program, or FILE.toml"
    )
    experiment.add_argument(
        "--quick", action="store_true", help="a small grid that ends in about ten minutes on two cores"
    )
    experiment.add_argument(
        "--only",
        metavar="PROBLEM",
        nargs="+",
        action="extend",
        default=[],
        help="carry out, show or export these problems alone",
    )
    experiment.add_argument(
        "--methods",
        metavar="METHOD",
        nargs="+",
        action="extend",
        default=[],
        help="carry out, show or export these methods alone, beside the warm-up",
    )
    experiment.add_argument(
        "--retrain",
        action="store_true",
        help="train cells again whose run has other settings than the plan has now; the runs stay in the history",
    )
    experiment.add_argument("--report", metavar="DIR", type=Path, help="write tables and plots there (default: none)")
    experiment.add_argument("--detach", action="store_true", help="carry it out in the background and return at once")
    experiment.add_argument("--stop", action="store_true", help="stop the experiment that runs in the background")
    experiment.add_argument("--show", action="store_true", help="print the figures so far, and start nothing")
    experiment.add_argument(
        "--export",
        metavar="DIR",
        type=Path,
        help="write each finished run to a file there, for the grid of another home",
    )
    add_figures_only(experiment)
    experiment.add_argument(
        "--import",
        dest="bring",
        metavar="DIR",
        type=Path,
        nargs="?",
        const=PUBLISHED,
        help="import the runs from such files and give them their places in the grid (default: from the published "
        "runs that come with the program)",
    )
    add_json(experiment)
    experiment.set_defaults(handler=handle_experiment)


def handle_experiment(args: argparse.Namespace, out: Output) -> int:
    """List, show, stop or carry out an experiment."""
    if args.name is None and not args.quick:
        return list_experiments(args, out)
    check_options(args)
    plan = find_plan(args)
    if args.stop:
        return stop_experiment(args, plan, out)
    if args.export is not None:
        return export_runs(args, plan.part(args.only, args.methods), out)
    if args.bring is not None:
        return import_runs(args, plan, out)
    if not args.show:
        code = detach(args, plan, out) if args.detach else carry_out(args, plan, out)
        if code or args.detach:
            return code
    return show_results(args, plan.part(args.only, args.methods), out)


def find_plan(args: argparse.Namespace) -> Plan:
    """The plan of a name or a TOML file. Raises UsageError if it lacks a problem of --only or a method."""
    from swirl.experiments.background import check_names, known_plan
    from swirl.experiments.plan_file import read_plan

    name = args.name or "quick"
    if args.quick and name != "quick":
        raise UsageError("--quick is an experiment of its own; omit the name.")
    plan = read_plan(Path(name)) if name.endswith(".toml") else known_plan(args.home, name)
    check_names(plan, args.only, args.methods)
    return plan


def check_options(args: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together, rather than ignoring one of them."""
    if args.retrain and (args.stop or args.show or args.export is not None or args.bring is not None):
        raise UsageError("--retrain carries the experiment out; omit it with --stop, --show, --export and --import.")
    if args.detach and args.report is not None and not args.show:
        name = args.name or "--quick"
        raise UsageError(
            "--detach returns before there is anything to report; write the report when the experiment has ended: "
            f"swirl experiment {name} --show --report {args.report}"
        )
    if (args.only or args.methods) and (args.stop or args.bring is not None):
        raise UsageError("--only and --methods have no meaning with --stop and --import; omit them.")


def part_options(args: argparse.Namespace) -> str:
    """The options that name a part of the grid, as they were given; empty for all of it."""
    options = [*(["--only", *args.only] if args.only else []), *(["--methods", *args.methods] if args.methods else [])]
    return " ".join(options)


def list_experiments(args: argparse.Namespace, out: Output) -> int:
    """Print the experiments of the program and those of the home, with how many of their runs are finished."""
    from swirl.experiments.catalog import EXPERIMENTS
    from swirl.experiments.grid import Plan
    from swirl.experiments.results import finished_runs
    from swirl.history import History

    history = History(args.home)
    plans = {plan.name: plan for plan in EXPERIMENTS.values()}
    plans |= {record.name: Plan.from_dict(record.plan) for record in history.experiments() if record.name not in plans}
    rows, documents = [], []
    for plan in plans.values():
        cells, done = list(plan.cells()), finished_runs(history, plan)
        finished = sum(cell.key in done for cell in cells)
        rows.append([plan.name, f"{finished} of {len(cells)}", plan.title])
        documents.append({"name": plan.name, "title": plan.title, "finished": finished, "runs": len(cells)})
    out.print_document(documents)
    out.print_line(format_table(["EXPERIMENT", "RUNS", "TITLE"], rows))
    return 0


def carry_out(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Carry out the experiment in this process."""
    from swirl.experiments.runner import ExperimentStopped, Runner
    from swirl.processes import stop_on_signals

    stop_requested = threading.Event()
    runner = Runner(
        args.home,
        plan,
        out.show_progress,
        stop_requested.is_set,
        tuple(args.only),
        tuple(args.methods),
        retrain=args.retrain,
    )
    try:
        with stop_on_signals(stop_requested.set):
            runner.run()
    except ExperimentStopped as stopped:
        raise SwirlError(
            f"Stopped; its runs save and stop too. To continue: swirl experiment {args.name or '--quick'}"
        ) from stopped
    for key, error in runner.failed.items():
        out.print_note(f"{key} did not finish: {error}")
    if runner.failed:
        raise SwirlError(
            f"{len(runner.failed)} of {len(runner.cells)} runs did not finish; the same command tries them again."
        )
    return 0


def detach(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Start the same command as a process of its own, which outlives the terminal."""
    from swirl.experiments.background import start_in_background

    source = args.name if args.name and args.name.endswith(".toml") else None
    pid, log = start_in_background(
        args.home, plan, source=source, only=args.only, methods=args.methods, retrain=args.retrain
    )
    out.print_document({"experiment": plan.name, "pid": pid, "log": str(log)})
    out.print_line(f"{plan.name} runs in the background (process {pid}); its log is {log}.")
    return 0


def stop_experiment(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Ask the process that carries the experiment out to stop."""
    from swirl.experiments.runner import request_stop

    request_stop(args.home, plan.name)
    out.print_document({"experiment": plan.name, "status": "stopping"})
    out.print_line(f"{plan.name} stops after the current step of its runs.")
    return 0


def export_runs(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Write each finished run of the grid to a file of its own."""
    from swirl.experiments.exchange import export_cells

    written, there = export_cells(args.home, plan, args.export, out.show_progress, figures_only=args.figures_only)
    out.print_document({"experiment": plan.name, "written": [str(file) for file in written], "there": there})
    out.print_line(
        f"{len(written)} finished runs of {plan.name} are written to {args.export}"
        + (f"; {there} were there already." if there else ".")
    )
    return 0


def import_runs(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Import the runs of files into the grid, and say of each other one why it is left out."""
    from swirl.experiments.exchange import import_cells, published_runs

    folder = published_runs(plan) if args.bring is PUBLISHED else args.bring
    if folder is None:
        raise UsageError(f"No runs of {plan.name} come with the program; name the folder: --import DIR.")
    placed, left_out = [], {}
    for file, placement in import_cells(args.home, plan, folder, out.show_progress):
        if placement.cell is not None:
            placed.append(file.name)
        else:
            left_out[file.name] = placement.reason
            out.print_note(f"{file.name} is left out: {placement.reason}.")
    out.print_document({"experiment": plan.name, "placed": placed, "left_out": left_out})
    out.print_line(f"{len(placed)} runs have taken their places in the grid of {plan.name}.")
    return 0


def show_results(args: argparse.Namespace, plan: Plan, out: Output) -> int:
    """Print the figures so far, and write the report if asked."""
    from swirl.experiments.report import difference_cell, format_deviation, format_estimate, write_report
    from swirl.experiments.results import collect_rows, estimate_row, start_row

    rows = collect_rows(args.home, plan)
    lines: list[list[str]] = []
    documents: list[dict[str, Any]] = []
    for row in rows:
        method = plan.method(row.method)
        value = estimate_row(row, method)
        difference = difference_cell(plan, row, start_row(rows, row.problem)).strip("*")
        lines.append(
            [
                row.problem,
                str(row.size or "–"),
                method.title,
                format_estimate(value),
                format_deviation(value),
                difference,
            ]
        )
        documents.append(
            {
                "problem": row.problem,
                "size": row.size,
                "method": row.method,
                "forward_exact_match": value and dataclasses.asdict(value.estimate),
                "deviation": value and value.deviation,
                "seeds": [result.seed for result in row.results],
                "runs": [result.run for result in row.results],
                "training_seconds": row.training_seconds(),
            }
        )
    if args.report is not None:
        try:
            page = write_report(args.home, plan, args.report, options=part_options(args))
        except OSError as error:
            raise SwirlError(f"{args.report} cannot be written ({error.strerror}); choose another --report.") from error
        out.print_note(f"Written: {page}")
    out.print_document({"experiment": plan.name, "rows": documents})
    heads = ["PROBLEM", "SIZE", "METHOD", "FORWARD EXACT MATCH", "± SEEDS", "OVER THE WARM-UP"]
    out.print_line(format_table(heads, lines) if lines else "No run is finished yet.")
    return 0
