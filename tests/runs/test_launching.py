"""The shipped configuration files, and what `--parallel` starts."""

from __future__ import annotations

import os
import sys

import pytest
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

from swirl import processes
from swirl.errors import SwirlError, UsageError
from swirl.paths import assets
from swirl.runs import launching
from swirl.training.parallelism import asked_parallelism


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("ddp", "DDP, 2 processes"),
        ("fsdp2", "FSDP2, 2 processes"),
        ("zero2", "DeepSpeed ZeRO 2, 2 processes"),
        ("zero3", "DeepSpeed ZeRO 3, 2 processes"),
    ],
)
def test_accelerate_reads_each_file_as_what_it_is_called(kind: str, said: str) -> None:
    command = ["--config_file", str(assets() / "parallel" / f"{kind}.yaml"), "--num_processes", "2"]
    command += ["--main_process_port", "0", "--module", "swirl", "train"]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(command))
    if args.use_deepspeed:
        args.deepspeed_fields_from_accelerate_config = ""
        _, environment = prepare_deepspeed_cmd_env(args)
    else:
        environment = prepare_multi_gpu_env(args)
    assert environment["ACCELERATE_MIXED_PRECISION"] == "no"
    assert str(asked_parallelism({**environment, "WORLD_SIZE": "2"})) == said


def test_every_kind_has_a_file() -> None:
    assert sorted(f"{kind}.yaml" for kind in launching.PARALLEL_KINDS) == sorted(
        file.name for file in (assets() / "parallel").iterdir()
    )


def test_without_deepspeed_zero_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    monkeypatch.setattr(launching.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SwirlError, match="pip install deepspeed"):
        launching.configuration_file("zero2")


def test_one_process_for_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching.devices, "visible_gpu_devices", lambda: ("cuda:0", "cuda:1", "cuda:2"))
    assert launching.count_processes(None) == 3
    assert launching.count_processes(2) == 2
    monkeypatch.setattr(launching.devices, "visible_gpu_devices", lambda: ())
    with pytest.raises(UsageError, match="--processes N"):
        launching.count_processes(None)


def test_what_a_launched_process_starts_is_not_launched() -> None:
    assert launching.LAUNCHED.startswith(processes.RANK_PREFIXES)
    assert launching.LAUNCHED not in os.environ
