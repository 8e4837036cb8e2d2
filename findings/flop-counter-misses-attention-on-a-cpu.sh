#!/usr/bin/env bash
# torch 2.13.0, torch.utils.flop_counter.FlopCounterMode: attention on a CPU counts as no operations at all.
#
# On a GPU scaled_dot_product_attention is counted. On a CPU it runs as another operator, which the counter does not
# know and passes over without a word, forwards and backwards, so that the total of a transformer is that of its linear
# layers alone. The same call with the MATH backend is counted. What helps: give the counter formulas for
# aten._scaled_dot_product_flash_attention_for_cpu and its backward pass as custom_mapping.
#
# Output seen:
#   default: 0
#   MATH: 2304
# (2 products x 2 operations x 2 heads x 6 x 6 x 8.) Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/count.py" <<'PYTHON'
import contextlib

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

states = torch.rand(1, 2, 6, 8)
for name, backend in (("default", contextlib.nullcontext()), ("MATH", sdpa_kernel(SDPBackend.MATH))):
    with FlopCounterMode(display=False) as counter, backend:
        scaled_dot_product_attention(states, states, states)
    print(f"{name}: {counter.get_total_flops()}")
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/count.py")
echo "$seen"
[ "$seen" = "default: 0
MATH: 2304" ]
