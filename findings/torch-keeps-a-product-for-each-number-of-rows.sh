#!/usr/bin/env bash
# torch 2.13.0 on a CPU with AVX-512: linear layers in bfloat16 take memory for each new number of rows, and keep it.
#
# The memory that torch.nn.functional.linear takes without gradients should be that of its output. But in bfloat16 it is
# computed by oneDNN, which compiles code for the exact shape of the product and keeps it. A server of a language model
# meets a new number of rows with nearly each prompt, and grows by hundreds of megabytes. It looks like a leak, but
# levels off: 670 to 700 MB after 1000 numbers of rows, 750 MB after 2000. The same shape again costs nothing, nor do
# the same products in float32.
#
# What helps: padding the rows to few numbers. Or ONEDNN_PRIMITIVE_CACHE_CAPACITY and LRU_CACHE_CAPACITY, set before the
# start. It takes both, as there are two caches: with 32 for the first alone it was 415 MB, for the second alone 543 MB.
#
# Output seen, on a processor with avx512_bf16:
#   float32, 1000 numbers of rows: +4 MB
#   bfloat16, one number of rows: +1 MB
#   bfloat16, 1000 numbers of rows: +672 MB
#   bfloat16, 1000 numbers of rows, padded to multiples of 64: +11 MB
#   bfloat16, 1000 numbers of rows, both caches of 32: +33 MB
# With oneDNN held to less there (ONEDNN_MAX_CPU_ISA), the third was 373 and 438 MB for AVX512_CORE, which has no
# bfloat16 of its own, and nothing for AVX2. Fails if the third is not more than 200 MB, or another more than 100 MB.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy psutil==7.2.2
cat > "$folder/rows.py" <<'PYTHON'
import sys

import psutil
import torch

kind = sys.argv[1]
dtype = torch.float32 if kind.startswith("float32") else torch.bfloat16
weight = torch.rand(400, 64).to(dtype)


def product(rows):
    if "padded" in kind:
        rows = -(-rows // 64) * 64
    torch.nn.functional.linear(torch.ones(rows, 64, dtype=dtype), weight)


def memory():
    return psutil.Process().memory_info().rss


torch.set_num_threads(1)
with torch.no_grad():
    # What the first and the largest products take is no growth.
    product(1000)
    start = memory()
    for rows in range(1, 1001):
        product(1000 if "one number" in kind else rows)
grown = max(0, round((memory() - start) / 1e6))
print(f"{kind}: +{grown} MB")
sys.exit(grown <= 200 if kind == "bfloat16, 1000 numbers of rows" else grown > 100)
PYTHON
export CUDA_VISIBLE_DEVICES=""
known=$("$folder/venv/bin/python" -c 'import torch; print(torch.backends.cpu.get_cpu_capability())')
if [ "$known" != AVX512 ]; then
    echo "no AVX-512 here; nothing to see"
    exit 0
fi
"$folder/venv/bin/python" "$folder/rows.py" "float32, 1000 numbers of rows"
"$folder/venv/bin/python" "$folder/rows.py" "bfloat16, one number of rows"
"$folder/venv/bin/python" "$folder/rows.py" "bfloat16, 1000 numbers of rows"
"$folder/venv/bin/python" "$folder/rows.py" "bfloat16, 1000 numbers of rows, padded to multiples of 64"
ONEDNN_PRIMITIVE_CACHE_CAPACITY=32 LRU_CACHE_CAPACITY=32 \
    "$folder/venv/bin/python" "$folder/rows.py" "bfloat16, 1000 numbers of rows, both caches of 32"
