"""`swirl evaluate --plan`: measure plans that a checkpoint makes, carried out in the simulator."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from swirl.cli.arguments import positive_integer
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output, format_table
from swirl.cli.plan_actions import add_search_arguments, search_settings
from swirl.cli.stoppable_work import stop_on_request
from swirl.errors import UsageError

if TYPE_CHECKING:
    from swirl.planning.plan_success import PlanReport

GOALS = 25
"""Default number of goals of each distance."""

TITLES = {
    "success": "plan",
    "replan": "replanned",
    "greedy": "greedy",
    "greedy_replan": "greedy, replanned",
    "random": "random",
    "true_labels": "true actions",
    "oracle": "simulator",
    "imagined": "imagined",
    "honest": "honest",
    "states": "states",
    "seconds": "seconds",
}
"""The columns of the table, by the names of the metrics."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of plans to `swirl evaluate`."""
    plans = command.add_argument_group("plans carried out in the simulator")
    plans.add_argument(
        "--plan",
        action="store_true",
        help="plan towards states that were observed 1 to 6 steps later, carry the plans out in the simulator that "
        "recorded --data, and count the goals that are met",
    )
    plans.add_argument("--goals", metavar="N", type=positive_integer, help=f"goals of each distance (default: {GOALS})")
    plans.add_argument(
        "--distances",
        metavar="T",
        type=positive_integer,
        nargs="+",
        help="how many steps after its start each goal was observed (default: 1 2 3 4 6)",
    )
    plans.add_argument("--no-baselines", action="store_true", help="leave out what the plans are measured against")
    add_search_arguments(command)


def reject_plan_options(args: argparse.Namespace) -> None:
    """Raise UsageError when an option of plans is given without --plan."""
    settings = search_settings(args)
    has_choices = settings != dataclasses.replace(settings, **default_choices())
    if args.goals or args.distances or args.no_baselines or has_choices:
        raise UsageError("--goals, --distances, --no-baselines and the options of the search belong to --plan.")


def default_choices() -> dict[str, Any]:
    """The search settings that options can change, at their defaults."""
    from swirl.planning.search_settings import SearchSettings

    names = ("order", "likeness", "budget", "max_steps", "width", "best_of", "trust", "has_critic")
    return {name: getattr(SearchSettings(), name) for name in names}


def evaluate_plans(args: argparse.Namespace, out: Output) -> int:
    """Plan and carry out, keep the figures in the history, and print them by distance."""
    from swirl.evaluation.answer_cache import open_answer_cache
    from swirl.evaluation.report import select_part
    from swirl.history import History
    from swirl.planning.plan_success import DISTANCES, METHODS, PLANS, draw_tasks, measure_plans
    from swirl.planning.real_games import open_real_games

    if args.limit is not None or args.best_of != 1:
        raise UsageError("--limit and --best-of do not apply to --plan; use --goals and --plan-best-of.")
    settings, goals = search_settings(args), args.goals or GOALS
    sequences, part = select_part(args.home, args.data, args.part)
    tasks = draw_tasks(sequences, goals, args.distances or DISTANCES, seed=args.seed)
    # Goals of all distances are numbered through, so the same goal may be searched for with another seed.
    drawn = {"goals": goals, "distances": args.distances}
    identity = {**dataclasses.asdict(settings), **drawn, "part": part, "device": args.device, "kind": "plan"}
    answers = open_answer_cache(args.home, args.checkpoint, args.data, identity)
    try:
        if answers.answers_loaded:
            out.print_note(f"Continuing from {answers.answers_loaded} attempts.")
        with (
            open_real_games(args.home, args.data) as games,
            loaded_model(args) as model,
            stop_on_request("attempts") as watch,
        ):
            methods = PLANS if args.no_baselines else METHODS
            options = {"methods": methods, "progress": out.show_progress, "watch": watch, "cache": answers}
            report = measure_plans(model, games, tasks, settings, **options)
        metrics = {name: dataclasses.asdict(value) for name, value in report.metrics.items()}
        # Kept beside the collection's other figures, which would otherwise be hidden by the newer ones.
        History(args.home).add_evaluation(checkpoint=args.checkpoint, data=f"{args.data}, plans", metrics=metrics)
        answers.remove()
    finally:
        answers.close()
    out.print_document(
        {
            "checkpoint": args.checkpoint,
            "data": args.data,
            "part": part,
            "goals": report.tasks,
            "search": dataclasses.asdict(settings),
            "metrics": metrics,
            "remarks": report.notes,
        }
    )
    print_report(args, part, report, out)
    return 0


def print_report(args: argparse.Namespace, part: str, report: PlanReport, out: Output) -> None:
    """Print one row for each distance: the share of goals met by each method, with the interval of the plans."""
    out.print_line(f"{args.checkpoint}: plans on {args.data} ({part}), share of goals met in the simulator")
    shown = [name for name in TITLES if any(key.startswith(f"plan/{name}@") for key in report.metrics)]
    rows = []
    for distance, goals in report.tasks.items():
        cells = [str(distance), str(goals)]
        for name in shown:
            found = report.metrics.get(f"plan/{name}@{distance}")
            text = "–" if found is None else f"{found.value:.2f}"
            if found is not None and name == "success":
                text += f" [{found.low:.2f}, {found.high:.2f}]"
            cells.append(text)
        rows.append(cells)
    out.print_line(format_table(["STEPS AWAY", "GOALS", *(TITLES[name].upper() for name in shown)], rows))
    for note in report.notes:
        out.print_note(note)
