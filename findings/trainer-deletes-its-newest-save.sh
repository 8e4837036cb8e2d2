#!/usr/bin/env bash
# transformers 5.23.0, Trainer with save_total_limit: the save that was just written is deleted, and older ones are kept.
#
# After each save, all but the newest `save_total_limit` are deleted (rotate_checkpoints). One would expect the newest to
# be those of the highest step, which their names tell, as resuming does (get_last_checkpoint). But their order is that
# of the folders' modification times. Where earlier saves have later times, because the machine's clock was ahead when
# they were written and has been corrected since, or because they were copied from another machine, the save of the
# present step is the "oldest": it is removed as soon as it is complete. No warning, no error; the training goes on, each
# later save goes the same way, and a job that is killed hours later resumes where it was before. What helps: a callback
# that sets the times of the folders to the order of their steps before each save, or deleting old saves oneself.
#
# Output seen: "steps 4, 6 and 8 were saved and 2 are to be kept; there are checkpoint-2 and checkpoint-4; resumes from
# checkpoint-4" (in one line). Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 numpy
cat > "$folder/rotate.py" <<'PYTHON'
import os
import sys
import time
from pathlib import Path

import torch
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, labels=None):
        return {"loss": (self.weight * x - labels).pow(2).mean()}


def trainer(steps):
    rows = [{"x": torch.tensor([1.0]), "labels": torch.tensor([2.0])} for _ in range(20)]
    arguments = TrainingArguments(
        sys.argv[1], max_steps=steps, save_steps=2, save_total_limit=2, per_device_train_batch_size=1, report_to=[],
        use_cpu=True, disable_tqdm=True, logging_strategy="no",
    )
    return Trainer(Line(), arguments, train_dataset=rows)


trainer(4).train()
# What a clock that was an hour ahead leaves, or a copy from such a machine.
for step in (2, 4):
    at = time.time() + 3600 + 10 * step
    os.utime(Path(sys.argv[1]) / f"checkpoint-{step}", (at, at))
trainer(8).train(resume_from_checkpoint=True)
left = sorted(path.name for path in Path(sys.argv[1]).glob("checkpoint-*"))
print(f"steps 4, 6 and 8 were saved and 2 are to be kept; there are {' and '.join(left)}; resumes from "
      f"{Path(get_last_checkpoint(sys.argv[1])).name}")
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/rotate.py" "$folder/run" 2>/dev/null | tail -1)
echo "$seen"
[ "$seen" = "steps 4, 6 and 8 were saved and 2 are to be kept; there are checkpoint-2 and checkpoint-4; resumes from checkpoint-4" ]
