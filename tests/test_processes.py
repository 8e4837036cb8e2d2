"""Signals become stop requests."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_script(code: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, for it sends signals to itself."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_a_signal_may_interrupt_the_handler_of_another_one() -> None:
    done = run_script("""
        import os, signal, sys, threading
        from swirl.processes import stop_on_signals

        asked = threading.Event()
        signals = iter([signal.SIGTERM] * 60)

        def interrupt(frame, event, argument):
            number = next(signals, None)
            if number is not None:
                os.kill(os.getpid(), number)
            return interrupt

        with stop_on_signals(asked.set):
            sys.settrace(interrupt)
            os.kill(os.getpid(), signal.SIGTERM)
            sys.settrace(None)
            print(asked.wait(20))
    """)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_signals_after_the_block_are_ignored_if_the_process_is_about_to_end() -> None:
    script = """
        import os, signal
        from swirl.processes import stop_on_signals

        with stop_on_signals(lambda: None, ignore_afterwards={ignore}):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        print("here")
    """
    assert run_script(script.format(ignore=True)).stdout == "here\n"
    assert run_script(script.format(ignore=False)).returncode == -signal.SIGTERM
