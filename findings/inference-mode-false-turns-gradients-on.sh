#!/usr/bin/env bash
# torch 2.13.0, torch.inference_mode(False): inside torch.no_grad() it turns gradients on.
#
# A tensor that is made once and kept (a cache of derived weights) must not be one of inference mode, or it cannot be
# used in training later. So one leaves inference mode while making it, with torch.inference_mode(False). Called in a
# function that runs under torch.no_grad(), as a decorator or from its caller, this also undoes the no_grad: the kept
# tensor has a graph, the second backward pass through it fails ("Trying to backward through the graph a second
# time"), and the memory of the graph is never freed. What helps: torch.no_grad() once more inside.
#
# Output seen:
#   no_grad: gradients False
#   no_grad, inference_mode(False): gradients True, made with a graph
#   no_grad, inference_mode(False), no_grad: gradients False, made without a graph
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cat > "$folder/modes.py" <<'PYTHON'
import torch

weight = torch.nn.Parameter(torch.ones(2))
with torch.no_grad():
    print(f"no_grad: gradients {torch.is_grad_enabled()}")
    with torch.inference_mode(False):
        made = "with" if (weight * 2).requires_grad else "without"
        print(f"no_grad, inference_mode(False): gradients {torch.is_grad_enabled()}, made {made} a graph")
        with torch.no_grad():
            made = "with" if (weight * 2).requires_grad else "without"
            print(f"no_grad, inference_mode(False), no_grad: gradients {torch.is_grad_enabled()}, made {made} a graph")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/modes.py")
echo "$seen"
[ "$seen" = "no_grad: gradients False
no_grad, inference_mode(False): gradients True, made with a graph
no_grad, inference_mode(False), no_grad: gradients False, made without a graph" ]
