"""The command line: `swirl [--home DIR] COMMAND …`.

Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage. torch and other heavy packages are
imported only by the command that needs them, so that `swirl --help` stays fast.
"""

from __future__ import annotations

import argparse
import sys
import warnings

from swirl.cli import (
    advise,
    benchmark,
    clone,
    codec,
    evaluate,
    experiment,
    export,
    imagine,
    import_data,
    infer,
    partners,
    phases,
    plan_actions,
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
    advise,
    train,
    stop,
    resume,
    runs,
    queue_runs,
    sample,
    evaluate,
    experiment,
    partners,
    phases,
    unroll,
    infer,
    clone,
    imagine,
    plan_actions,
    export,
    push_checkpoint,
    benchmark,
    codec,
)
"""One module a command, in the order of `swirl --help`."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each sets `handler`, which takes the parsed arguments and an Output."""
    top = argparse.ArgumentParser(
        prog="swirl",
        description="Train world models from sequences of states without action labels. A forward world model (FWM) "
        "predicts the next state after an action, an inverse dynamics model (IDM) infers the action between two "
        "states, and each is rewarded with the other's log-probability.",
        epilog="`swirl COMMAND --help` describes a command. `python launch.py` opens the studio in the browser.",
    )
    top.add_argument("--version", action="version", version=f"swirl {__version__}")
    top.add_argument("--home", metavar="DIR", help="folder of runs and collections (default: $SWIRL_HOME, else runs/)")
    commands = top.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for module in COMMAND_MODULES:
        module.add_command(commands)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. A failure prints its reason as one line on standard error."""
    try:
        args = build_parser().parse_args(arguments)
        args.arguments = sys.argv[1:] if arguments is None else arguments
    except SystemExit as end:  # argparse has already printed the help (0) or the usage error (2)
        return int(end.code or 0)
    # Deprecations in the libraries we call are for us to handle, not for the user.
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
            return 1  # the reader, such as `head`, closed the pipe: not worth an error message
        except OSError as error:
            out.print_error(": ".join(str(part) for part in (error.filename, error.strerror or error) if part))
        return 1
