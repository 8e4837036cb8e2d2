"""`swirl phases`: how the actions of a run changed over its phases."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import add_device, add_json, add_seed, positive_integer
from swirl.cli.output import Output, format_table
from swirl.cli.partners import as_json
from swirl.cli.stoppable_work import checkpoint_opener, stoppable_answers
from swirl.errors import SwirlError

DEFAULT_LIMIT = 40

COLUMNS = {
    "length": "WORDS",
    "entropy": "ENTROPY",
    "effective": "EFFECTIVE",
    "cycle": "CYCLE",
    "undone_after_done": "UNDONE",
    "two_steps": "TWO STEPS",
}
"""The figures in the printed table, with their headings."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    following = commands.add_parser(
        "phases",
        help="show how the length and entropy of a run's actions changed over its phases",
        description="Asks every checkpoint of a run about the same transitions: how many words an inferred action has, "
        "the entropy of the inverse model (nats an action), the effective number of actions, the share of transitions "
        "that both models predict in turn, the share of those that the opposite action undoes, and the share that two "
        "actions in a row predict. Ctrl-C stops the work and keeps the answers so far: the same command continues.",
    )
    following.add_argument("run", metavar="RUN", help="id of the run")
    following.add_argument("--data", metavar="NAME", help="collection (default: that of the run)")
    following.add_argument(
        "--part", choices=("test", "selection", "train"), default="test", help="part of the sequences (default: test)"
    )
    following.add_argument(
        "--limit",
        metavar="N",
        type=positive_integer,
        default=DEFAULT_LIMIT,
        help=f"ask about at most N transitions (default: {DEFAULT_LIMIT})",
    )
    add_device(following)
    add_seed(following, "the same seed draws the same transitions")
    add_json(following)
    following.set_defaults(handler=follow)


def follow(args: argparse.Namespace, out: Output) -> int:
    """Ask every checkpoint of the run and print one row for each."""
    from swirl.history import History

    history = History(args.home)
    run = history.run(args.run)
    args.data = args.data or str(run.settings["data"])
    checkpoints = [checkpoint.name for checkpoint in history.checkpoints(args.run)]
    if not checkpoints:
        raise SwirlError(f"The run {args.run} has no checkpoint yet; wait until its first phase is done.")
    from swirl.evaluation.action_course import follow_actions
    from swirl.evaluation.report import draw_part

    transitions, _, part = draw_part(args.home, args.data, args.part, args.limit, args.seed)
    settings = {"phases": True} | {name: getattr(args, name) for name in ("part", "limit", "seed", "device")}
    with stoppable_answers(args, checkpoints, settings, out) as options:
        found = follow_actions(checkpoint_opener(args), checkpoints, transitions, **options)
    out.print_document(
        {
            "run": args.run,
            "data": args.data,
            "part": part,
            "transitions": len(transitions),
            "checkpoints": [{"checkpoint": one.checkpoint, "figures": as_json(one.figures)} for one in found],
        }
    )
    out.print_line(f"{args.run} on {len(transitions)} transitions of {args.data} ({part})")
    rows = [
        [one.checkpoint, *(f"{one.figures[name].value:.2f}" if name in one.figures else "–" for name in COLUMNS)]
        for one in found
    ]
    out.print_line(format_table(["CHECKPOINT", *COLUMNS.values()], rows))
    return 0
