"""A run trains with the parallelism that its launcher asked for, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from accelerate.utils import DistributedType

from swirl.paths import assets
from swirl.training import parallelism
from swirl.training.parallelism import Parallelism, ParallelismError, asked_parallelism, real_parallelism

ROOT = Path(__file__).parents[2]
FSDP = {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "WORLD_SIZE": "8"}
DEEPSPEED = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": "3", "WORLD_SIZE": "8"}


def accelerator(kind: DistributedType, processes: int, **state: object) -> SimpleNamespace:
    """What a real accelerator says of itself on a machine with GPUs."""
    device = SimpleNamespace(type="cuda")
    return SimpleNamespace(
        distributed_type=kind, num_processes=processes, device=device, state=SimpleNamespace(**state)
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "one process"),
        ({"WORLD_SIZE": "1"}, "one process"),
        ({"WORLD_SIZE": "2"}, "DDP, 2 processes"),
        (FSDP, "FSDP2, 8 processes"),
        ({**FSDP, "FSDP_VERSION": "1", "WORLD_SIZE": "1"}, "FSDP1, 1 process"),
        (DEEPSPEED, "DeepSpeed ZeRO 3, 8 processes"),
    ],
)
def test_what_the_launcher_asks_for(environment: dict[str, str], said: str) -> None:
    assert str(asked_parallelism(environment)) == said


def test_deepspeeds_own_file_names_the_stage(tmp_path: Path) -> None:
    file = tmp_path / "ds.json"
    file.write_text(json.dumps({"zero_optimization": {"stage": 1}}))
    environment = {**DEEPSPEED, "ACCELERATE_DEEPSPEED_CONFIG_FILE": str(file)}
    assert asked_parallelism(environment) == Parallelism("DeepSpeed ZeRO 1", 8)
    file.write_text("{}")
    with pytest.raises(ParallelismError, match="zero_optimization"):
        asked_parallelism(environment)


@pytest.mark.parametrize("variable", ["ACCELERATE_USE_MEGATRON_LM", "ACCELERATE_USE_PARALLELISM_CONFIG"])
def test_unknown_kinds_are_refused(variable: str) -> None:
    with pytest.raises(ParallelismError, match="not supported"):
        asked_parallelism({variable: "true", "WORLD_SIZE": "2"})


def test_what_an_accelerator_does() -> None:
    assert str(real_parallelism(accelerator(DistributedType.NO, 1))) == "one process"
    assert str(real_parallelism(accelerator(DistributedType.MULTI_CPU, 1))) == "one process"
    assert str(real_parallelism(accelerator(DistributedType.MULTI_GPU, 4))) == "DDP, 4 processes"
    sharded = accelerator(DistributedType.FSDP, 8, fsdp_plugin=SimpleNamespace(fsdp_version=2))
    assert str(real_parallelism(sharded)) == "FSDP2, 8 processes"
    plugin = SimpleNamespace(deepspeed_config={"zero_optimization": {"stage": 3}})
    zero = accelerator(DistributedType.DEEPSPEED, 8, deepspeed_plugin=plugin)
    assert str(real_parallelism(zero)) == "DeepSpeed ZeRO 3, 8 processes"


@pytest.mark.parametrize(
    ("kind", "processes", "sentence"),
    [
        (DistributedType.NO, 1, "lets each train alone"),
        (DistributedType.MULTI_GPU, 8, "asked for FSDP2, 8 processes, but accelerate gives DDP, 8 processes"),
        (DistributedType.MULTI_GPU, 4, "gives DDP, 4 processes"),
    ],
)
def test_something_else_than_asked_is_refused(
    kind: DistributedType, processes: int, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in FSDP.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ParallelismError, match=sentence):
        parallelism.require_asked_parallelism(accelerator(kind, processes))


def test_divided_weights_that_no_rank_can_gather_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**FSDP, "FSDP_VERSION": "1"}.items():
        monkeypatch.setenv(name, value)
    plugin = SimpleNamespace(fsdp_version=1)
    with pytest.raises(ParallelismError, match="FSDP1 divides the weights"):
        parallelism.require_asked_parallelism(accelerator(DistributedType.FSDP, 8, fsdp_plugin=plugin))


ALONE = """
import os
from accelerate import Accelerator
from swirl.training.parallelism import ParallelismError, require_asked_parallelism
accelerator = Accelerator()
try:
    require_asked_parallelism(accelerator)
except ParallelismError as error:
    os.write(1, f"{accelerator.num_processes} {error}\\n".encode())  # in one piece
"""


@pytest.mark.slow
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="with a GPU, accelerate does what it is asked for")
def test_two_real_processes_that_believe_to_be_alone_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    command = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", "--num_processes", "2"]
    command += ["--config_file", str(assets() / "parallel" / "fsdp2.yaml"), str(script)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("1 The launcher started 2 processes for FSDP2") for line in lines), lines
