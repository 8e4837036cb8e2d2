#!/usr/bin/env bash
# torch 2.13.0, AdamW(fused=True), the default of transformers' Trainer: a step changes the parameters but not their
# version counter.
#
# Each in-place change of a tensor raises its `_version`, by which autograd notices that a tensor saved for the backward
# pass was overwritten, and by which caches of derived weights (merged adapters, packed or quantised copies) can tell
# that they are stale. The plain and the foreach implementations raise it; the fused one writes to the memory directly
# and leaves it as it was. So a backward pass through weights that a fused step has changed in between raises no error
# and gives gradients of a mixture of old and new weights, and a cache keyed by the counter serves old weights. What
# helps: count steps with torch.optim.optimizer.register_optimizer_step_post_hook.
#
# Output seen:
#   plain: changed True, version 0 -> 2, backward after the step refused
#   foreach: changed True, version 0 -> 2, backward after the step refused
#   fused: changed True, version 0 -> 0, backward after the step allowed
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/step.py" <<'PYTHON'
import torch

for name, options in (("plain", {"foreach": False}), ("foreach", {"foreach": True}), ("fused", {"fused": True})):
    weight = torch.nn.Parameter(torch.ones(4, 4))
    optimizer = torch.optim.AdamW([weight], lr=0.1, **options)
    x = torch.ones(1, 4, requires_grad=True)
    late = (x @ weight).sum()  # its backward pass needs the weight as it is now
    weight.sum().backward()
    before, version = weight.detach().clone(), weight._version
    optimizer.step()
    changed, now = not torch.equal(before, weight), weight._version
    try:
        late.backward()
        backward = "allowed"
    except RuntimeError:
        backward = "refused"
    print(f"{name}: changed {changed}, version {version} -> {now}, backward after the step {backward}")
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/step.py")
echo "$seen"
[ "$seen" = "plain: changed True, version 0 -> 2, backward after the step refused
foreach: changed True, version 0 -> 2, backward after the step refused
fused: changed True, version 0 -> 0, backward after the step allowed" ]
