#!/usr/bin/env bash
# torch 2.13.0, torch.distributed.fsdp.fully_shard (FSDP2): the gathered parameter is the same object each time it is
# gathered, and its version counter does not move when it gets new values.
#
# Between two steps an optimiser changes the sharded parameter; `unshard`, or the next forward pass, writes the new
# weights into the memory of the gathered one. The gathered parameter that a module then holds is the same object as in
# the step before, with the same `_version`, though its values differ. A cache of derived weights (merged adapters,
# packed or quantised copies) that compares the object and its counter serves those of the first step for ever. What
# helps: empty such caches whenever weights have been gathered anew.
#
# Output seen:
#   same object True, values changed True, version 0 -> 0
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/gather.py" <<'PYTHON'
import tempfile

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

with tempfile.NamedTemporaryFile() as file:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file.name}", rank=0, world_size=1)
layer = fully_shard(torch.nn.Linear(4, 4), mesh=init_device_mesh("cpu", (1,)))
optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
layer.set_reshard_after_backward(False)

layer(torch.ones(1, 4)).sum().backward()
first = layer.weight
values, version = first.detach().clone(), first._version
layer.reshard()
optimizer.step()
layer.unshard()
second = layer.weight
changed = not torch.equal(values, second.detach())
print(f"same object {first is second}, values changed {changed}, version {version} -> {second._version}")
torch.distributed.destroy_process_group()
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/gather.py" 2> "$folder/errors") || {
    cat "$folder/errors"
    exit 1
}
echo "$seen"
[ "$seen" = "same object True, values changed True, version 0 -> 0" ]
