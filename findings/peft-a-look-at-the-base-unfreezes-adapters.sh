#!/usr/bin/env bash
# peft 0.21.2, PeftModel.disable_adapter(): after the context, adapters that were frozen are trainable.
#
# The context manager is offered for inference on the base model, for instance to score with the reference policy. A model that
# was loaded for inference (is_trainable=False), or whose adapter was frozen while the base is trained, comes out of it with
# gradients on for the active adapter: enabling it again means setting it, and setting it makes it trainable. An optimiser that
# is made afterwards from the parameters that require a gradient trains the adapter too; nothing is said. What helps: note
# which parameters require a gradient before, and set that again after.
#
# Output seen:
#   loaded for inference: 0 of 4 adapter tensors require a gradient
#   after a look at the base: 4 of 4 adapter tensors require a gradient
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy transformers==5.23.0 peft==0.21.2
cat > "$folder/look.py" <<'PYTHON'
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

config = LlamaConfig(
    vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2
)


def trainable(model):
    adapters = [parameter for name, parameter in model.named_parameters() if "lora_" in name]
    return f"{sum(p.requires_grad for p in adapters)} of {len(adapters)} adapter tensors require a gradient"


get_peft_model(LlamaForCausalLM(config), LoraConfig(r=2, target_modules=["q_proj", "v_proj"])).save_pretrained(sys.argv[1])
model = PeftModel.from_pretrained(LlamaForCausalLM(config), sys.argv[1], is_trainable=False)
print("loaded for inference:", trainable(model))
with model.disable_adapter(), torch.no_grad():
    model(input_ids=torch.tensor([[1, 2, 3]]))
print("after a look at the base:", trainable(model))
PYTHON
seen=$("$folder/venv/bin/python" "$folder/look.py" "$folder/saved" 2>/dev/null)
echo "$seen"
[ "$seen" = "loaded for inference: 0 of 4 adapter tensors require a gradient
after a look at the base: 4 of 4 adapter tensors require a gradient" ]
