"""The command line: `swirl [--home DIR] COMMAND …`.

Exit codes: 0 done, 1 failed for the reason on standard error, 2 wrong usage. Nothing heavy is imported before the
command that needs it runs.
"""

from __future__ import annotations

import argparse
import warnings

from swirl.cli import (
    benchmark,
    codec,
    evaluate,
    export,
    imagine,
    import_data,
    infer,
    push_checkpoint,
    queue_runs,
    record,
    resume,
    runs,
    sample,
    stop,
    train,
    trial,
    unroll,
    worlds,
)
from swirl.cli.output import Output
from swirl.errors import SwirlError, UsageError
from swirl.paths import resolve_home
from swirl.version import __version__

COMMAND_MODULES = (
    worlds,
    record,
    import_data,
    trial,
    train,
    stop,
    resume,
    runs,
    queue_runs,
    sample,
    evaluate,
    unroll,
    infer,
    imagine,
    export,
    push_checkpoint,
    benchmark,
    codec,
)
"""One module a command, in the order of `swirl --help`."""


def build_parser() -> argparse.ArgumentParser:
    """The parser with every command; each sets `handler`, which takes the parsed arguments and an Output."""
    top = argparse.ArgumentParser(
        prog="swirl",
        description="Two text models teach each other how a world works: one predicts the next state, one infers "
        "the action. They learn from sequences of states alone.",
        epilog="`python launch.py` opens the same in the browser. `swirl COMMAND --help` says more on each command.",
    )
    top.add_argument("--version", action="version", version=f"swirl {__version__}")
    top.add_argument("--home", metavar="DIR", help="where runs and collections live (SWIRL_HOME, else runs/)")
    commands = top.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for module in COMMAND_MODULES:
        module.add_command(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; the reason of a failure is one line on standard error."""
    try:
        args = build_parser().parse_args(arguments)
    except SystemExit as end:  # argparse has printed the help (0) or what is wrong with the usage (2)
        return int(end.code or 0)
    # What the engines of this version will one day rename is for us to mind, not for the user.
    warnings.simplefilter("ignore", FutureWarning)
    with Output(as_json=getattr(args, "json", False)) as out:
        try:
            args.home = resolve_home(args.home)
            return args.handler(args, out) or 0
        except UsageError as error:
            out.print_error(str(error))
            return 2
        except SwirlError as error:
            out.print_error(str(error))
        except KeyboardInterrupt:
            out.print_error("Interrupted.")
        except BrokenPipeError:
            return 1  # the reader, `head` for one, has seen enough: nothing to complain about
        except OSError as error:
            out.print_error(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        return 1
