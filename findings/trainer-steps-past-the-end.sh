#!/usr/bin/env bash
# transformers 5.23.0, Trainer: resuming from the checkpoint of the last step takes one optimiser step more.
#
# A training of 6 steps (max_steps=6, in the middle of its first epoch) is saved at step 6 and resumed from there with
# train(resume_from_checkpoint=...). One would expect it to see that it is done and change nothing. It runs one more
# batch: state.global_step is 7 of 6, and with a constant learning rate the weight moves from 0.6 to 0.7. A job that is
# killed after its last save and restarted ends with other weights than one that was not. Where the last step ends an
# epoch, nothing is added. What helps: read global_step from trainer_state.json and do not call train() when it has
# reached max_steps.
#
# Output seen: "finished at 6, weight 0.6; resumed to 7, weight 0.7". Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 numpy
cat > "$folder/resume.py" <<'PYTHON'
import sys
import torch
from transformers import Trainer, TrainingArguments

class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x, labels=None):
        return {"loss": (self.weight * x - labels).pow(2).mean()}

def trainer(folder):
    rows = [{"x": torch.tensor([1.0]), "labels": torch.tensor([2.0])} for _ in range(20)]
    arguments = TrainingArguments(
        folder, max_steps=6, save_steps=3, per_device_train_batch_size=1, learning_rate=0.1,
        lr_scheduler_type="constant", report_to=[], use_cpu=True, disable_tqdm=True, logging_strategy="no",
    )
    return Trainer(Line(), arguments, train_dataset=rows)

once, again = trainer(sys.argv[1]), trainer(sys.argv[1])
once.train()
again.train(resume_from_checkpoint=f"{sys.argv[1]}/checkpoint-6")
print(f"finished at {once.state.global_step}, weight {once.model.weight.item():.1f}; "
      f"resumed to {again.state.global_step}, weight {again.model.weight.item():.1f}")
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/resume.py" "$folder/run" 2>/dev/null | tail -1)
echo "$seen"
[ "$seen" = "finished at 6, weight 0.6; resumed to 7, weight 0.7" ]
