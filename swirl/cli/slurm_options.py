"""`swirl train --on slurm`: the options of the job, and what is printed of it."""

from __future__ import annotations

import argparse

from swirl.cli.arguments import positive_integer
from swirl.cli.output import Output
from swirl.errors import UsageError
from swirl.settings import Settings

JOB_OPTIONS = ("nodes", "gpus_per_node", "time", "partition", "account", "sbatch")


def add_slurm(command: argparse.ArgumentParser) -> None:
    """Add `--on slurm` and the options of its job."""
    command.add_argument("--on", choices=("slurm",), help="train as a job of Slurm, on the machines of a cluster")
    job = command.add_argument_group("options of --on slurm")
    job.add_argument("--nodes", metavar="N", type=positive_integer, help="machines (default: 1)")
    job.add_argument("--gpus-per-node", metavar="N", type=int, help="GPUs of each machine (default: 1; 0: the CPU)")
    for name, text in (("time", "time limit, such as 12:00:00"), ("partition", "partition"), ("account", "account")):
        job.add_argument(f"--{name}", metavar=name.upper(), help=text)
    job.add_argument(
        "--sbatch", metavar="KEY=VALUE", nargs="+", action="extend", help="any other options of sbatch, without dashes"
    )


def submit_to_slurm(args: argparse.Namespace, settings: Settings, out: Output) -> bool:
    """Submit the run as a job if `--on slurm` asks for it; whether it did.

    Raises UsageError for options that do not fit, SwirlError if sbatch refuses the job.
    """
    given = [name for name in JOB_OPTIONS if getattr(args, name) is not None]
    if args.on is None:
        if given:
            raise UsageError(f"--{given[0].replace('_', '-')} needs --on slurm; add it.")
        return False
    if args.detach or args.processes is not None:
        raise UsageError("--on slurm cannot be combined with --detach or --processes; use --nodes and --gpus-per-node.")
    if args.gpus_per_node is not None and args.gpus_per_node < 0:
        raise UsageError(f"--gpus-per-node must be 0 or more, not {args.gpus_per_node}.")
    from swirl.runs.slurm import submit
    from swirl.runs.slurm_batch_file import SlurmJob, parse_sbatch_options

    job = SlurmJob(
        nodes=args.nodes or 1,
        gpus_per_node=1 if args.gpus_per_node is None else args.gpus_per_node,
        parallel=args.parallel or "ddp",
        time=args.time,
        partition=args.partition,
        account=args.account,
        options=parse_sbatch_options(args.sbatch or ()),
    )
    submitted = submit(args.home, job, preset=args.preset, settings=settings, name=args.name)
    out.print_document(
        {
            "run": submitted.run_id,
            "home": str(submitted.home),
            "file": str(submitted.file),
            "job": submitted.job,
            "processes": job.processes,
        }
    )
    out.print_line(submitted.run_id)
    if submitted.job is None:
        out.print_note(f"There is no sbatch here; on a machine that sees {submitted.home}, submit the job with:")
        out.print_note(f"sbatch {submitted.file}")
    else:
        out.print_note(f"Job {submitted.job} trains run {submitted.run_id} in its own home, {submitted.home}.")
    out.print_note("Do not open that home elsewhere while the job runs. When it has ended, take the run with:")
    out.print_note(f"swirl --home {args.home} runs import {submitted.home / submitted.run_id}.swirl.zip")
    return True
