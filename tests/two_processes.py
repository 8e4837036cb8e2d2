"""Runs a script of a test in two processes that train together, on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from swirl.paths import assets

ROOT = Path(__file__).parents[1]


def run_in_two_processes(script: Path, *arguments: str, kind: str = "ddp") -> None:
    """Launch the script as `swirl train --parallel KIND` does, and wait for both processes to succeed."""
    command = [sys.executable, "-m", "accelerate.commands.launch", "--num_processes", "2", "--main_process_port", "0"]
    command += ["--config_file", str(assets() / "parallel" / f"{kind}.yaml"), str(script), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
