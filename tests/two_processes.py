"""Runs a script of a test in two processes that train together, on the CPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

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


def train_in_two_processes(folder: Path, script: str, *arguments: str, kind: str = "ddp") -> dict[str, torch.Tensor]:
    """The adapters' weights, by adapter and name, in the checkpoint that a script leaves in `folder` / "checkpoint".

    The script gets the new folder and the arguments.
    """
    folder.mkdir()
    file = folder / "ranks.py"
    file.write_text(script)
    run_in_two_processes(file, str(folder), *arguments, kind=kind)
    adapters = {name: folder / "checkpoint" / name / "adapter_model.safetensors" for name in ("fwm", "idm")}
    return {f"{name} {key}": value for name, saved in adapters.items() for key, value in load_file(saved).items()}
