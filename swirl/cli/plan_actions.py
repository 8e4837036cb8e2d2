"""`swirl plan`: search for latent actions that lead from a state to a goal, in imagination."""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from swirl.cli.arguments import add_checkpoint, add_json, add_seed, positive_integer
from swirl.cli.imagine import read_state
from swirl.cli.imagined_states import save_imagined_state
from swirl.cli.model_loading import loaded_model
from swirl.cli.output import Output
from swirl.cli.stoppable_work import stop_on_request
from swirl.cli.unroll import find_sequence
from swirl.errors import UsageError
from swirl.states import State, StateSequence

if TYPE_CHECKING:
    from pathlib import Path

    from swirl.planning.goals import Goal
    from swirl.planning.real_games import CarriedOut
    from swirl.planning.replanning import Pursuit
    from swirl.planning.search import Plan, Search, SearchSettings

SECONDS_BETWEEN_KEEPS = 10.0
"""Between two writings of an unfinished search."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    planning = commands.add_parser(
        "plan",
        help="search for actions that lead from a state to a goal, in imagination",
        description="Searches for latent actions that lead from a state to a goal. The models alone are asked: the IDM "
        "and the FWM propose actions, the FWM imagines what follows, and the IDM judges whether to believe a step. "
        "Ctrl-C stops the search and keeps it; the same command continues, also with a larger --budget. Pictures are "
        "written to imagined/ in the home.",
    )
    add_checkpoint(planning)
    places = planning.add_argument_group("start and goal")
    places.add_argument(
        "--from", metavar="STATE", dest="start_state", help="start: a text, @FILE, or the path of a picture"
    )
    places.add_argument("--goal", metavar="STATE", help="goal: a text, @FILE, or the path of a picture")
    places.add_argument(
        "--words", metavar="WORDS", action="append", help="goal: any state with these words; may be given several times"
    )
    places.add_argument("--data", metavar="NAME", help="collection to take start or goal from")
    places.add_argument("--sequence", metavar="ID", help="id of the sequence in --data (default: the first)")
    places.add_argument(
        "--start", metavar="K", type=int, default=0, help="number of the state to start from in --data (default: 0)"
    )
    places.add_argument("--goal-step", metavar="K", type=int, help="number of the state in --data that is the goal")
    add_search_arguments(planning)
    planning.add_argument(
        "--for-real",
        action="store_true",
        help="carry the plan out in the simulator that --data was recorded from, and show both",
    )
    planning.add_argument(
        "--replan",
        action="store_true",
        help="with --for-real: look at the simulator's state after each step, and plan again from there where it is "
        "not what was imagined",
    )
    add_seed(planning, "the same seed gives the same plan")
    add_json(planning)
    planning.set_defaults(handler=make_plan)


def add_search_arguments(command: argparse.ArgumentParser) -> None:
    """Add how to search; `search_settings` reads it."""
    searching = command.add_argument_group("search")
    searching.add_argument(
        "--order",
        choices=("best-first", "beam"),
        default="best-first",
        help="explore the most promising states at any depth, or those of one depth at a time (default: best-first)",
    )
    searching.add_argument(
        "--likeness",
        choices=("parts", "exact", "reachability"),
        default="parts",
        help="what tells how far a state is from the goal: the words or cells that differ, nothing but whether it is "
        "the goal, or how sure the IDM is of one action that leads there (default: parts)",
    )
    numbers = (
        ("--budget", "next states to imagine", "budget"),
        ("--max-steps", "longest plan", "max_steps"),
        ("--width", "states explored at once; in a beam, of each depth", "width"),
        ("--plan-best-of", "next states drawn for each action, of which the IDM's favourite is taken", "best_of"),
    )
    defaults = default_settings()
    for flag, effect, name in numbers:
        default = getattr(defaults, name)
        searching.add_argument(
            flag,
            metavar="N",
            type=positive_integer,
            default=default,
            dest=f"search_{name}",
            help=f"{effect} (default: {default})",
        )
    searching.add_argument(
        "--trust",
        metavar="W",
        type=float,
        default=defaults.trust,
        help=f"steps that one nat of mistrust in a step costs (default: {defaults.trust:g})",
    )
    searching.add_argument("--no-critic", action="store_true", help="do not ask the IDM whether a step can be believed")


def default_settings() -> SearchSettings:
    """The settings of a search, without loading torch."""
    from swirl.planning.search_settings import SearchSettings

    return SearchSettings()


def search_settings(args: argparse.Namespace) -> SearchSettings:
    """The settings that the arguments ask for. Raises UsageError for a value out of range."""
    from swirl.planning.search_settings import SearchSettings

    return SearchSettings(
        order=args.order,
        likeness=args.likeness,
        budget=args.search_budget,
        max_steps=args.search_max_steps,
        width=args.search_width,
        best_of=args.search_best_of,
        trust=args.trust,
        has_critic=not args.no_critic,
        seed=args.seed,
    )


def make_plan(args: argparse.Namespace, out: Output) -> int:
    """Search for a plan and print it; with --for-real beside what happens in the simulator."""
    from swirl.evaluation.answer_cache import model_identity
    from swirl.planning.kept_searches import forget_search, keep_search, resume_search, search_file
    from swirl.planning.real_games import carry_out, open_real_games
    from swirl.planning.replanning import pursue
    from swirl.planning.search import Search

    settings = search_settings(args)
    sequence = read_sequence(args)
    start = read_start(args, sequence)
    read_goal(args, sequence, None)  # reports a missing or unreadable goal before a model is loaded
    if args.replan and not args.for_real:
        raise UsageError("--replan needs --for-real: only the simulator's states tell when to plan again.")
    with ExitStack() as stack:
        games = stack.enter_context(open_real_games(args.home, args.data)) if args.for_real else None
        model = stack.enter_context(loaded_model(args))
        search = Search.begin(model, start, read_goal(args, sequence, model), settings)
        file = search_file(args.home, model_identity(args.home, args.checkpoint), search)
        if resume_search(file, search):
            out.print_note(f"Continuing from {search.imagined} imagined states.")
        began = time.monotonic()
        watch = stack.enter_context(stop_on_request("imagined states"))
        run_search(search, file, out, watch)
        seconds = time.monotonic() - began
        plan = search.plan()
        done: CarriedOut | Pursuit | None = None
        if games is not None:
            game = games.game_at(sequence, args.start) if args.start_state is None else games.game_in(start)
            if args.replan:
                keep_search(file, search)
                done = pursue(model, game, search.goal, settings, first=plan, watch=watch)
            else:
                done = carry_out(game, plan.actions)
        forget_search(file)
    print_plan(args, search, plan, done, seconds, out)
    return 0


def run_search(search: Search, file: Path, out: Output, watch: Any) -> None:
    """Search to the end, and keep what was imagined every few seconds and when it is stopped."""
    from swirl.evaluation.progress import EvaluationStopped
    from swirl.planning.kept_searches import keep_search

    kept = time.monotonic()

    def watch_and_keep() -> None:
        nonlocal kept
        try:
            watch()
        except EvaluationStopped:
            keep_search(file, search)
            raise
        if time.monotonic() - kept > SECONDS_BETWEEN_KEEPS:
            keep_search(file, search)
            kept = time.monotonic()

    search.run(out.show_progress, watch_and_keep)


def read_sequence(args: argparse.Namespace) -> StateSequence | None:
    """The sequence that start or goal are taken from. Raises UsageError if it is needed and not named."""
    needs = [
        flag
        for flag, is_given in (("--goal-step", args.goal_step is not None), ("--for-real", args.for_real))
        if is_given
    ]
    if args.data is None:
        if needs or args.start_state is None:
            raise UsageError(f"{needs[0] if needs else 'A start'} needs --data NAME; or give the start with --from.")
        return None
    from swirl.sources.collections.catalog import load_sequences

    return find_sequence(load_sequences(args.home, args.data), args.sequence, args.data)


def read_start(args: argparse.Namespace, sequence: StateSequence | None) -> State:
    """The start state. Raises UsageError for a number that the sequence does not have."""
    if args.start_state is not None:
        return read_state(args.start_state, "--from")
    assert sequence is not None
    return state_of(sequence, args.start, "--start")


def state_of(sequence: StateSequence, step: int, flag: str) -> State:
    """State number `step` of a sequence. Raises UsageError if there is none."""
    if not 0 <= step < len(sequence.states):
        last = len(sequence.states) - 1
        raise UsageError(f"{flag}: the sequence {sequence.id} has the states 0 to {last}, and not {step}.")
    return sequence.states[step]


def read_goal(args: argparse.Namespace, sequence: StateSequence | None, model: Any) -> Goal:
    """The goal. Raises UsageError unless it is given in exactly one way."""
    from swirl.planning.goals import WordsGoal, state_goal

    given = [flag for flag in ("goal", "words", "goal_step") if getattr(args, flag) is not None]
    if len(given) != 1:
        raise UsageError("Give the goal in one way: --goal STATE, --words WORDS, or --goal-step K of --data.")
    if args.words is not None:
        if model is not None and model.kind == "image":
            raise UsageError("--words is for texts, and this model reads pictures; give --goal or --goal-step.")
        return WordsGoal(tuple(args.words))
    if args.goal is not None:
        state = read_state(args.goal, "--goal")
    else:
        assert sequence is not None
        state = state_of(sequence, args.goal_step, "--goal-step")
    if model is None:
        return state_goal(State(state.text))
    return state_goal(state, getattr(model, "codec", None) if model.kind == "image" else None)


def print_plan(
    args: argparse.Namespace, search: Search, plan: Plan, done: CarriedOut | Pursuit | None, seconds: float, out: Output
) -> None:
    """Print each step with its imagined state, and what really happened if it was carried out."""
    from swirl.planning.replanning import Pursuit

    steps = [
        {
            "step": place + 1,
            "action": action,
            "imagined": save_imagined_state(args.home, plan.states[place + 1]),
            "read_back": plan.read_back[place],
            "log_prob": plan.log_prob[place],
        }
        for place, action in enumerate(plan.actions)
    ]
    document = {
        "checkpoint": args.checkpoint,
        "reached": plan.is_reached,
        "differences": plan.differences,
        "imagined_states": search.imagined,
        "seconds": round(seconds, 3),
        "steps": steps,
    }
    if isinstance(done, Pursuit):
        document["real"] = describe_pursuit(args.home, search, done)
    elif done is not None:
        document["real"] = compare_with_truth(args.home, search, plan, done, steps)
    out.print_document(document)
    out.print_line(f"{describe_verdict(plan)} {count(search.imagined, 'state')} imagined in {seconds:.1f} s.")
    for row in steps:
        out.print_line(f"{row['step']}\t{row['action']}\t(read back {row['read_back']:.2f} nats)")
        out.print_line(f"\timagined: {row['imagined']}")
        if "real" in row and not row["same"]:
            out.print_line(f"\treally:   {row['real']}")
    if isinstance(done, Pursuit):
        print_pursuit(document["real"], out)
    elif done is not None:
        out.print_line(describe_reality(document["real"]))


def compare_with_truth(
    home: Path, search: Search, plan: Plan, done: CarriedOut, steps: list[dict[str, Any]]
) -> dict[str, Any]:
    """Add the true state to each step of a plan; returns what came of it in all."""
    for row, imagined, real in zip(steps, plan.states[1:], done.states[1:], strict=True):
        row["real"] = save_imagined_state(home, real)
        row["same"] = search.goal.looks_same(imagined, real)
    return {
        "reached": 0 in search.goal.differences(done.states),
        "parts_at": next((row["step"] for row in steps if not row["same"]), None),
        "unknown": [place + 1 for place in done.unknown],
    }


def describe_pursuit(home: Path, search: Search, done: Pursuit) -> dict[str, Any]:
    """What came of a plan that was made again on the way; its steps are those that were taken."""
    return {
        "reached": done.is_reached,
        "searches": done.searches,
        "imagined_states": search.imagined + done.imagined,
        "unknown": [number for number, step in enumerate(done.steps, start=1) if not step.is_known],
        "steps": [
            {
                "step": number,
                "search": step.search,
                "action": step.action,
                "imagined": save_imagined_state(home, step.imagined),
                "real": save_imagined_state(home, step.real),
                "same": search.goal.looks_same(step.imagined, step.real),
            }
            for number, step in enumerate(done.steps, start=1)
        ],
    }


def print_pursuit(real: dict[str, Any], out: Output) -> None:
    """Print the steps that were really taken, and where they were planned again."""
    out.print_line("In the simulator:")
    before = 1
    for row in real["steps"]:
        if row["search"] != before:
            out.print_line("\tplanned again from here")
        before = row["search"]
        out.print_line(f"{row['step']}\t{row['action']}")
        out.print_line(f"\treally:   {row['real']}")
        if not row["same"]:
            out.print_line(f"\timagined: {row['imagined']}")
    out.print_line(
        f"{describe_outcome(real)}, after {count(len(real['steps']), 'step')} and {count(real['searches'], 'plan')}; "
        f"{count(real['imagined_states'], 'state')} imagined in all.{describe_unknown(real)}"
    )


def describe_verdict(plan: Plan) -> str:
    """One sentence on what the plan reaches in imagination."""
    if plan.is_reached:
        return f"In imagination the goal is reached in {count(len(plan.actions), 'step')}."
    return (
        f"No plan was found: the closest state differs from the goal in {count(plan.differences, 'place')}; try a "
        "larger --budget."
    )


def count(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def describe_reality(real: dict[str, Any]) -> str:
    """One sentence on what came of the plan in the simulator."""
    parted = f" Imagination and truth part at step {real['parts_at']}." if real["parts_at"] else ""
    return f"{describe_outcome(real)}.{parted}{describe_unknown(real)}"


def describe_outcome(real: dict[str, Any]) -> str:
    """Whether the goal was reached in the simulator, as the beginning of a sentence."""
    return f"In the simulator the goal is {'reached' if real['reached'] else 'not reached'}"


def describe_unknown(real: dict[str, Any]) -> str:
    """A sentence on steps that are no actions of the world, if there are any."""
    numbers = ", ".join(map(str, real["unknown"]))
    if len(real["unknown"]) > 1:
        return f" Steps {numbers} are no actions of this world."
    return f" Step {numbers} is no action of this world." if numbers else ""
