"""The batch file of a run on a cluster with Slurm: what it asks for, and what it does on the job's first machine."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swirl.errors import UsageError
from swirl.history.store import MACHINE_FILE
from swirl.paths import PACKAGE
from swirl.runs.archive.file_format import SUFFIX
from swirl.runs.launching import configuration_file

SECONDS_TO_SAVE = 300
"""How long before its time limit a job is told to save; a step and the save after it must take less."""


@dataclass(frozen=True)
class SlurmJob:
    """What a job asks for. `options` are any others of sbatch, by name; one without a value is a flag."""

    nodes: int = 1
    gpus_per_node: int = 1
    parallel: str = "ddp"
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    options: dict[str, str | None] = field(default_factory=dict)

    @property
    def processes(self) -> int:
        """All processes of the job: one for each GPU, or one a machine without GPUs."""
        return self.nodes * max(1, self.gpus_per_node)


def parse_sbatch_options(texts: Sequence[str]) -> dict[str, str | None]:
    """Options of sbatch from texts such as `constraint=a100` or `exclusive`. Raises UsageError if one is not such."""
    options: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.lstrip("-").partition("=")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not (value or not equals) or not value.isprintable():
            raise UsageError(f"--sbatch {text!r} is not an option of sbatch such as constraint=a100 or exclusive.")
        options[name] = value if equals else None
    return options


def directives(job: SlurmJob, home: Path, run_id: str) -> str:
    """The `#SBATCH` lines; those of `job.options` replace ours."""
    options: dict[str, str | None] = {
        "job-name": f"swirl-{run_id}",
        "nodes": str(job.nodes),
        "ntasks-per-node": "1",  # one launcher a machine, which starts a process for each GPU
        **({"gpus-per-node": str(job.gpus_per_node)} if job.gpus_per_node else {}),
        **{name: value for name in ("time", "partition", "account") if (value := getattr(job, name))},
        "requeue": None,
        "open-mode": "append",
        "signal": f"B:TERM@{SECONDS_TO_SAVE}",
        "output": str(home / "slurm-%j.txt"),
        **job.options,
    }
    lines = [f"--{name}" if value is None else f"--{name}={quote(value)}" for name, value in options.items()]
    return "\n".join(f"#SBATCH {line}" for line in lines)


def quote(value: str) -> str:
    """A value as sbatch reads it in a directive."""
    return f'"{value}"' if " " in value else value


def batch_file(job: SlurmJob, home: Path, run_id: str) -> str:
    """The text of the batch file that trains a run of this home, which all machines of the job must see."""
    return BATCH.format(
        directives=directives(job, home, run_id),
        home=shlex.quote(str(home)),
        run=run_id,
        python=shlex.quote(sys.executable),
        package=shlex.quote(str(PACKAGE.parent)),
        file=shlex.quote(str(configuration_file(job.parallel))),
        processes=job.processes,
        suffix=SUFFIX,
        machine_file=MACHINE_FILE,
        seconds=SECONDS_TO_SAVE,
    )


BATCH = """\
#!/bin/bash
{directives}

export SWIRL_HOME={home} RUN={run} PYTHON={python} LAUNCH_FILE={file}
export PYTHONPATH={package}${{PYTHONPATH:+:$PYTHONPATH}}
# The name of this start of the job, the same on all machines; see swirl/runs/distributed.py.
export SWIRL_LAUNCH="slurm-$SLURM_JOB_ID-${{SLURM_RESTART_COUNT:-0}}"
# Machine 0 is the first of the job and runs this file too: here rank 0 writes the history, and nobody else.
export MAIN_ADDRESS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export MAIN_PORT=$((20000 + SLURM_JOB_ID % 20000))

rm -f "$SWIRL_HOME"/.launch-*  # of an earlier start that was killed
uname -n > "$SWIRL_HOME/{machine_file}"
trap 'rm -f "$SWIRL_HOME/{machine_file}"' EXIT

# {seconds} seconds before the time is up (--signal): save after the current step, then continue in another job.
time_is_up=0
trap 'time_is_up=1; "$PYTHON" -m swirl stop "$RUN"' TERM

srun --kill-on-bad-exit=1 bash -c 'exec "$PYTHON" -m accelerate.commands.launch --config_file "$LAUNCH_FILE" \\
    --num_machines "$SLURM_NNODES" --machine_rank "$SLURM_NODEID" --num_processes {processes} \\
    --main_process_ip "$MAIN_ADDRESS" --main_process_port "$MAIN_PORT" \\
    --module swirl.runs.worker --home "$SWIRL_HOME" --again "$RUN"' &
training=$!
# `wait` also returns when a signal has been handled.
while kill -0 "$training" 2> /dev/null; do wait "$training"; done
wait "$training"
code=$?

if [ "$time_is_up" = 1 ] && "$PYTHON" -m swirl runs --status stopped | grep -q "$RUN"; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
fi
# Another machine, such as that of the studio, takes the run with: swirl runs import FILE
rm -f "$SWIRL_HOME/$RUN{suffix}"
"$PYTHON" -m swirl runs export "$RUN" "$SWIRL_HOME/$RUN{suffix}"
exit "$code"
"""
