"""Starts the processes of a run with accelerate, by one of the shipped configuration files (`assets/parallel/`)."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from swirl import devices
from swirl.errors import SwirlError, UsageError
from swirl.paths import PACKAGE, assets

PARALLEL_KINDS = ("ddp", "fsdp2", "zero2", "zero3")
"""The kinds of `--parallel`, each a configuration file of the same name."""
LAUNCHED = "ACCELERATE_SWIRL_LAUNCHED"
"""Set for the processes that were started here; named so that what they start does not inherit it."""


def configuration_file(kind: str) -> Path:
    """The shipped configuration file of a kind of parallelism. Raises SwirlError if DeepSpeed is needed and missing."""
    if kind.startswith("zero") and importlib.util.find_spec("deepspeed") is None:
        raise SwirlError(f"--parallel {kind} needs DeepSpeed: pip install deepspeed, or choose ddp or fsdp2.")
    return assets() / "parallel" / f"{kind}.yaml"


def is_launched() -> bool:
    """Whether `launch` or another launcher started this process."""
    return LAUNCHED in os.environ or "LOCAL_RANK" in os.environ


def count_processes(wanted: int | None) -> int:
    """The number of processes to start: `wanted`, else one for each GPU. Raises UsageError if there is no GPU."""
    if wanted is not None:
        return wanted
    gpus = len(devices.visible_gpu_devices())
    if not gpus:
        raise UsageError("--parallel starts a process for each GPU, and there is none here; name --processes N.")
    return gpus


def launch(kind: str, processes: int, arguments: Sequence[str]) -> int:
    """Run `swirl ARGUMENTS` in so many processes on this machine, until all have ended.

    Returns 0, or 1 if one failed; rank 0 has said why. Raises SwirlError if a process was killed.
    """
    file = configuration_file(kind)
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    os.environ[LAUNCHED] = kind
    # The processes must import this copy of the package, even if it was never installed.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    # It reports at length, for its own developers, what the ranks say in a sentence.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    number = ["--num_processes", str(processes), "--num_machines", "1", "--main_process_port", "0"]
    command = ["--config_file", str(file), *number, "--module", "swirl", *arguments]
    try:
        launch_command(launch_command_parser().parse_args(command))
    except ChildFailedError as error:
        killed = {rank: -failure.exitcode for rank, failure in error.failures.items() if failure.exitcode < 0}
        # The launcher ends the others with SIGTERM, so that says nothing.
        if cause := [(rank, number) for rank, number in killed.items() if number != signal.SIGTERM]:
            rank, number = cause[0]
            raise SwirlError(
                f"Process {rank} of {processes} was killed by signal {number} ({signal.Signals(number).name}); "
                "`swirl runs` shows where the run ended, and `swirl resume` continues it."
            ) from error
        return 1
    except SignalException:
        return 1  # Ctrl-C or SIGTERM, which rank 0 has answered
    finally:
        sys.stderr.flush()
    return 0
