"""Finds, measures, starts and ends operating-system processes, and turns signals into stop requests.

The system reuses pids. So a process is identified by its pid together with its start, and no process is ever signalled
unless both match. The start must not depend on the clock: on Linux the start times that the system reports move with
it, and a clock that is set would make every living process look like another one.
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
from queue import SimpleQueue

import psutil

from swirl.errors import SwirlError

# Start times that earlier versions recorded depend on the clock by a little; no pid is reused this quickly.
START_TOLERANCE_SECONDS = 1.0
# A start on Linux is (FIRST_BOOT + the boot's number) * SECONDS_PER_BOOT + the seconds from the boot to the start: more
# than any time that an earlier version recorded, and as a REAL of the database exact to a hundredth of a second.
SECONDS_PER_BOOT = 1e9
FIRST_BOOT = 16
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A launcher forwards a terminal's Ctrl-C to its ranks, which already received it: this echo is not a second press.
ECHO_SECONDS = 1.0
# Variables that a launcher such as `accelerate launch` sets for its ranks. A process that a rank starts must not
# inherit them, or it would act as that rank and wait for the others.
RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
RANK_PREFIXES = ("TORCHELASTIC_", "ACCELERATE_", "GROUP_", "ROLE_")


def world_size() -> int:
    """The number of processes that train together; 1 without a launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def current_process() -> tuple[int, float]:
    """The pid of this process and its start, as `process_start` gives it."""
    return os.getpid(), process_start(os.getpid())


def process_start(pid: int) -> float:
    """A number that tells a process from all others that have had or will have its pid, however the clock is set.

    Raises psutil.NoSuchProcess if there is none.
    """
    status = Path(f"/proc/{pid}/stat")
    if not BOOT_ID.is_file():
        return psutil.Process(pid).create_time()  # other systems keep the time at which a process was started
    try:
        # The name in brackets may contain anything; the start is the 22nd field of the line, in ticks.
        ticks = int(status.read_bytes().rpartition(b")")[2].split()[19])
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    boot = FIRST_BOOT + int(BOOT_ID.read_text(encoding="ascii")[:4], 16)
    return boot * SECONDS_PER_BOOT + ticks / os.sysconf("SC_CLK_TCK")


def peak_process_memory() -> int:
    """The most memory in bytes that this process has had resident.

    Linux's `getrusage` cannot tell: a child inherits the peak of the process that started it.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def find_process(pid: int | None, started: float | None) -> psutil.Process | None:
    """The living process with this pid and start, or None. A zombie counts as dead."""
    if pid is None or started is None:
        return None
    try:
        process = psutil.Process(pid)
        # What an earlier version has recorded is a time since the epoch.
        actual = process_start(pid) if started >= FIRST_BOOT * SECONDS_PER_BOOT else process.create_time()
        if abs(actual - started) > START_TOLERANCE_SECONDS:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def terminate_process(pid: int | None, started: float | None, grace: float) -> None:
    """Send SIGTERM to the process, then after `grace` seconds SIGKILL to it and its children.

    Raises SwirlError if the process belongs to another user.
    """
    process = find_process(pid, started)
    if process is None:
        return
    try:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        psutil.wait_procs([process], timeout=grace)
        for member in family:
            # psutil compares the start time again before it signals.
            if member.is_running():
                member.kill()
        psutil.wait_procs(family, timeout=grace)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise SwirlError(f"Process {pid} belongs to another user; only that user can stop it.") from error


def spawn(arguments: list[str], log: Path) -> tuple[int, float]:
    """Start `python ARGUMENTS` in its own session, so that it outlives this process, and append its output to `log`.

    Returns its pid and start. Raises OSError if the log cannot be written or the process cannot start.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in RANK_VARIABLES and not name.startswith(RANK_PREFIXES)
    }
    # The worker must import this copy of the package, even if it was never installed.
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
    started = process_start(process.pid)
    # Reap it when it ends, so that a long-lived studio does not collect zombies.
    threading.Thread(target=process.wait, daemon=True).start()
    return process.pid, started


@contextmanager
def stop_on_signals(request_stop: Callable[[], None], *, ignore_afterwards: bool = False) -> Iterator[None]:
    """Inside the block, SIGTERM and the first Ctrl-C call `request_stop`; a second Ctrl-C raises KeyboardInterrupt.

    A separate thread makes the request: a signal handler may interrupt a database write half-way, and a second
    write from within it would deadlock. With `ignore_afterwards`, a process that is about to end ignores the signals
    that come after the block. Outside the main thread, signal handling stays unchanged.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A signal may interrupt the handler of another one, which of all queues and events only this one survives.
    signals: SimpleQueue[int] = SimpleQueue()
    done = threading.Event()
    first_signal_at = math.inf

    def on_signal(number: int, frame: object) -> None:
        nonlocal first_signal_at
        if number == signal.SIGINT and time.monotonic() - first_signal_at > ECHO_SECONDS:
            raise KeyboardInterrupt
        first_signal_at = min(first_signal_at, time.monotonic())
        signals.put(number)

    def wait_and_request() -> None:
        signals.get()
        if not done.is_set():
            request_stop()

    previous_handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    listener = threading.Thread(target=wait_and_request, daemon=True)
    listener.start()
    try:
        yield
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, ignore_signal if ignore_afterwards else handler)
        done.set()
        signals.put(0)
        listener.join()


def ignore_signal(number: int, frame: object) -> None:
    """A handler that does nothing; with SIG_IGN, Python would report an error for a signal that is already pending."""
