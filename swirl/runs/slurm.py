"""Runs on a cluster with Slurm: a home of its own for each run, its batch file, and its submission.

Jobs run on other machines than the one that submits them, and a home's history cannot be shared between machines
(`swirl.runs.distributed` says why). So each run gets a home of its own, in the folder `slurm` of the home from which it
is submitted, and only the job's first machine writes there. When the job ends, it leaves the run there as one file.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from swirl.errors import SwirlError
from swirl.history.runs import slug
from swirl.models.checkpoints import resolve_loadable
from swirl.runs import jobs
from swirl.runs.slurm_batch_file import SlurmJob, batch_file
from swirl.settings import DIRECTIONS, Settings

BATCH_FILE = "job.sh"


@dataclass(frozen=True)
class SubmittedRun:
    """A run that a job will train: its home, its id there, the batch file, and the number of the submitted job."""

    home: Path
    run_id: str
    file: Path
    job: str | None


def submit(home: Path, job: SlurmJob, *, preset: str | None, settings: Settings, name: str | None) -> SubmittedRun:
    """Create a run in a home of its own, write its batch file, and submit it where there is `sbatch`.

    Raises UsageError if its batches cannot be divided by its processes, SwirlError if sbatch refuses the job, whose
    files then remain.
    """
    for direction in DIRECTIONS:
        settings.for_phase(direction).require_even_batch(job.processes)
    checkpoint = resolve_loadable(home, settings.model)
    if isinstance(checkpoint, Path) and checkpoint.is_relative_to(home):
        settings = settings.replace({"model": str(checkpoint)})  # the job's home has no other runs
    own = make_home(home, settings.data)
    run_id = jobs.create_stopped_run(own, preset=preset, settings=settings, name=name or own.name)
    file = own / BATCH_FILE
    file.write_text(batch_file(job, own, run_id), encoding="utf-8")
    return SubmittedRun(own, run_id, file, run_sbatch(file))


def make_home(home: Path, data: str) -> Path:
    """A new home in `home/slurm/` for one run, which shares the collections of `home`."""
    number = 1
    while True:
        own = home / "slurm" / f"{slug(data)}-{number:02d}"
        try:
            own.mkdir(parents=True)
        except FileExistsError:
            number += 1
            continue
        (home / "collections").mkdir(exist_ok=True)
        (own / "collections").symlink_to(Path("..", "..", "collections"), target_is_directory=True)
        return own


def run_sbatch(file: Path) -> str | None:
    """Submit a batch file; the job's number, or None if there is no sbatch. Raises SwirlError if it is refused."""
    program = shutil.which("sbatch")
    if program is None:
        return None
    done = subprocess.run([program, "--parsable", str(file)], capture_output=True, text=True)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SwirlError(f"sbatch refused {file}: {reason}; edit it and submit it with `sbatch {file}`.")
    return done.stdout.strip().partition(";")[0]
