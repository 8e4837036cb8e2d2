"""Operating-system processes: who is alive, how one is ended, and how signals become a stop request.

A pid alone says little, since the system hands it out again. Here a process is its pid together with the time it
started, and nothing is ever signalled unless both agree.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from swirl.errors import SwirlError

# A clock that is set moves the start times read from the system by a little; a pid does not come back this fast.
START_TOLERANCE_SECONDS = 1.0
# A launcher passes a terminal's Ctrl-C on to its ranks, which have heard it already: an echo is no second press.
ECHO_SECONDS = 1.0
# What a launcher such as `accelerate launch` sets for its ranks; a process started from one of them must not
# take itself for that rank and wait for the others.
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
RANK_PREFIXES = ("TORCHELASTIC_", "ACCELERATE_", "GROUP_", "ROLE_")


def current_process() -> tuple[int, float]:
    """This process's pid and start time (seconds since the epoch)."""
    process = psutil.Process()
    return process.pid, process.create_time()


def find(pid: int | None, started: float | None) -> psutil.Process | None:
    """The living process with this pid and start time, or None. A zombie is dead: it only waits to be reaped."""
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > START_TOLERANCE_SECONDS:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def terminate_process(pid: int | None, started: float | None, grace: float) -> None:
    """Ask the process to end (SIGTERM), and after `grace` seconds end it and its children (SIGKILL).

    Raises SwirlError when the process belongs to somebody else.
    """
    process = find(pid, started)
    if process is None:
        return
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs([process], timeout=grace)
        for member in family:
            # A second look at each: psutil compares the start time again before it signals.
            if member.is_running():
                member.kill()
        psutil.wait_procs(family, timeout=grace)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise SwirlError(f"Process {pid} belongs to another user and cannot be stopped from here.") from error


def spawn(arguments: list[str], log: Path) -> tuple[int, float]:
    """Start `python …` in a session of its own, so that it outlives this process; all it prints goes to `log`.

    Returns its pid and start time. Raises OSError when the log cannot be written or the process cannot start.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in RANK_VARIABLES and not name.startswith(RANK_PREFIXES)
    }
    # The worker must import this very package, also where it was never installed.
    package_parent = str(Path(__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    started = psutil.Process(process.pid).create_time()
    # Reap it when it ends, so that a long-lived studio collects no zombies.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid, started


@contextmanager
def stop_on_signals(request_stop: Callable[[], None]) -> Iterator[None]:
    """While inside, SIGTERM and the first Ctrl-C call `request_stop`; a second Ctrl-C raises KeyboardInterrupt.

    The request is made by a thread of its own: a signal handler may interrupt a database write half-way, and a
    second one from inside it would wait for the first for ever. Outside the main thread signals stay as they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked, done = threading.Event(), threading.Event()
    first = math.inf

    def on_signal(number: int, frame: object) -> None:
        nonlocal first
        if number == signal.SIGINT and time.monotonic() - first > ECHO_SECONDS:
            raise KeyboardInterrupt
        first = min(first, time.monotonic())
        asked.set()

    def wait_and_request() -> None:
        asked.wait()
        if not done.is_set():
            request_stop()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    listener = threading.Thread(target=wait_and_request, daemon=True)
    listener.start()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        done.set()
        asked.set()
        listener.join()
