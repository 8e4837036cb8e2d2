"""How the processes of a run share its work: what the launcher asked for, and what accelerate really gives.

accelerate may give something else without a word: on a machine without a GPU, a configuration for FSDP becomes DDP, or
each process believes to be alone, and all of them would write the same run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, str_to_bool
from transformers import TrainingArguments

from swirl.errors import SwirlError, first_line

RANK_TIMEOUT_SECONDS = 24 * 3600
"""How long ranks wait for one another, such as while rank 0 scores a checkpoint. A rank that dies ends all at once."""


UNFIT_KINDS = ("FSDP1",)
"""With these no rank can do a pass alone; but ranks sample in different numbers of passes, and rank 0 scores alone."""


class ParallelismError(SwirlError):
    """The processes of a run do not share its work as the launcher asked; every rank finds that out by itself."""


@dataclass(frozen=True)
class Parallelism:
    """The kind, such as "DDP", "FSDP2" or "DeepSpeed ZeRO 3", and the number of processes on all machines."""

    kind: str
    processes: int

    def __str__(self) -> str:
        if self.kind == "DDP" and self.processes == 1:
            return "one process"
        return f"{self.kind}, {self.processes} process{'es' * (self.processes > 1)}"


def asked_parallelism(environment: Mapping[str, str] = os.environ) -> Parallelism:
    """What the launcher asked for, from the variables that `accelerate launch` sets; without them, one process.

    Raises ParallelismError for kinds that training does not know.
    """

    def is_on(name: str) -> bool:
        return bool(str_to_bool(environment.get(name) or "false"))

    processes = int(environment.get("WORLD_SIZE", "1"))
    for variable, name in (("MEGATRON_LM", "Megatron-LM"), ("PARALLELISM_CONFIG", "a parallelism_config")):
        if is_on(f"ACCELERATE_USE_{variable}"):
            raise ParallelismError(
                f"The launcher asks for {name}, which is not supported; use DDP, FSDP or DeepSpeed, as with "
                "`swirl train --parallel`."
            )
    if is_on("ACCELERATE_USE_DEEPSPEED"):
        return Parallelism(f"DeepSpeed ZeRO {_asked_stage(environment)}", processes)
    if is_on("ACCELERATE_USE_FSDP"):
        return Parallelism(f"FSDP{environment.get('FSDP_VERSION', '1')}", processes)
    return Parallelism("DDP", processes)


def _asked_stage(environment: Mapping[str, str]) -> int:
    """DeepSpeed's ZeRO stage: that of its own configuration file if there is one, which goes before the variable."""
    file = environment.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "none")
    if file == "none":
        return int(environment.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "2"))
    try:
        return int(json.loads(Path(file).read_text(encoding="utf-8"))["zero_optimization"]["stage"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParallelismError(
            f"DeepSpeed's file {file} names no zero_optimization.stage ({error!r}); add it."
        ) from error


def real_parallelism(accelerator: Accelerator) -> Parallelism:
    """What an accelerator really does."""
    kind = str(accelerator.distributed_type.value)
    if accelerator.distributed_type == DistributedType.NO or kind.startswith("MULTI_"):
        kind = "DDP"
    elif accelerator.distributed_type == DistributedType.FSDP:
        kind = f"FSDP{accelerator.state.fsdp_plugin.fsdp_version}"
    elif accelerator.distributed_type == DistributedType.DEEPSPEED:
        config = accelerator.state.deepspeed_plugin.deepspeed_config
        kind = f"DeepSpeed ZeRO {config['zero_optimization']['stage']}"
    return Parallelism(kind, accelerator.num_processes)


def require_asked_parallelism(accelerator: Accelerator) -> Parallelism:
    """What the accelerator really does. Raises ParallelismError if the launcher asked for something else."""
    asked, real = asked_parallelism(), real_parallelism(accelerator)
    if real == asked:
        if real.kind in UNFIT_KINDS:
            raise ParallelismError(
                f"{real.kind} divides the weights in a way that this program cannot gather to sample and to score; use "
                "DDP, FSDP2 or DeepSpeed, as with `swirl train --parallel`."
            )
        return real
    device = accelerator.device.type
    if real.processes == 1 < asked.processes:
        raise ParallelismError(
            f"The launcher started {asked.processes} processes for {asked.kind}, but accelerate lets each train alone "
            f"on {device}, and all would write one run; start one process, or use a GPU for each process."
        )
    raise ParallelismError(
        f"The launcher asked for {asked}, but accelerate gives {real} on {device}; check the configuration file, and "
        "that there is a GPU for each process."
    )


def early_accelerator(device: torch.device) -> Accelerator:
    """Join the processes of a run on this kind of device as each phase's trainer will, before the first has to train.

    Raises ParallelismError if a package is missing that the launcher's configuration needs.
    """
    try:
        # As trainers do it: whoever comes first sets how long ranks wait for one another.
        TrainingArguments(
            output_dir=os.devnull, use_cpu=device.type == "cpu", ddp_timeout=RANK_TIMEOUT_SECONDS, report_to=[]
        )
        return Accelerator()
    except ImportError as error:
        raise ParallelismError(f"The processes cannot work together: {first_line(error)}.") from error
