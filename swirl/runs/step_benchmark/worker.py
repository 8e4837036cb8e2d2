"""The process of one trainer in a benchmark: `python -m swirl.runs.step_benchmark.worker`.

The first line of standard input is a JSON document with the trainer's name, the workload and the folders; what follows
is described in `step_control`.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

MODULES = {
    "swirl": "swirl_steps",
    "trl": "stock_trl_steps",
    "plain": "plain_steps",
    "matrix products": "matrix_products",
}


def main() -> None:
    """Take steps until the benchmark ends; an error that a user can mend is sent as one sentence."""
    # Libraries print to standard output; only the benchmark's messages may reach it.
    sent = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())

    import torch

    from swirl.errors import SwirlError
    from swirl.runs.step_benchmark.step_control import StepControl
    from swirl.runs.step_benchmark.workload import ModelSource, Workload
    from swirl.training.step_parts import StepParts

    steps = import_module(f"{__package__}.{MODULES[order['trainer']]}")
    workload = Workload(**order["workload"])
    torch.set_num_threads(workload.threads)
    torch.manual_seed(0)
    control = StepControl(StepParts(), sys.stdin, sent)
    try:
        steps.take_steps(workload, ModelSource(**order["source"]), Path(order["home"]), Path(order["scratch"]), control)
    except SwirlError as error:
        control.send({"error": str(error)})
    except Exception as error:
        control.send({"error": f"{type(error).__name__}: {error}"})
        raise


if __name__ == "__main__":
    main()
