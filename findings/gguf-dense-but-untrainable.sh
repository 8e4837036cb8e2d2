#!/usr/bin/env bash
# transformers 5.23.0, gguf 0.19.0: a GGUF model that is loaded as ordinary float32 weights is refused for training.
#
# Without the package kernels, from_pretrained(folder, gguf_file=NAME) unpacks all weights: plain Linear layers, four
# bytes a weight, gradients flow. One would expect to train such a model, or LoRA adapters on it. But it still counts as
# quantised: model.is_quantized is true, model.float() raises, and Trainer refuses the model and a LoRA on it ("that
# quantization method do not support training"). The refusal names no way out. What helps: pass
# quantization_config=GgufConfig(dequantize=True); the weights are the same, and the model trains.
#
# Output seen: "default: 4 bytes a weight, Linear; float refused; Trainer refused; LoRA refused" and
# "dequantize: 4 bytes a weight, Linear; float fine; Trainer fine; LoRA fine". Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q \
    torch==2.13.0 transformers==5.23.0 accelerate==1.15.0 peft==0.21.2 gguf==0.19.0 numpy
cat > "$folder/train.py" <<'PYTHON'
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GgufConfig, Trainer, TrainingArguments

folder = Path(sys.argv[1])
hidden, inner, words = 32, 64, 64


def write_model():
    writer = gguf.GGUFWriter(str(folder / "tiny.gguf"), "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(words)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"word{number}" for number in range(words)])
    writer.add_token_types([1] * words)
    writer.add_token_merges([])
    shapes = {"token_embd": (words, hidden), "output": (words, hidden), "output_norm": (hidden,)}
    shapes |= {f"blk.0.{name}_norm": (hidden,) for name in ("attn", "ffn")}
    shapes |= {f"blk.0.attn_{name}": (hidden, hidden) for name in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate": (inner, hidden), "blk.0.ffn_up": (inner, hidden), "blk.0.ffn_down": (hidden, inner)}
    for name, shape in shapes.items():
        values = np.ones(shape, np.float32) / hidden
        kind = gguf.GGMLQuantizationType.Q8_0 if len(shape) == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def outcome(action):
    try:
        action()
    except ValueError:
        return "refused"
    return "fine"


def make_trainer(model):
    arguments = TrainingArguments(str(folder / "run"), use_cpu=True, report_to=[], disable_tqdm=True)
    return Trainer(model, arguments, train_dataset=[{"input_ids": [1, 2], "labels": [1, 2]}])


def describe(name, **options):
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file="tiny.gguf", dtype=torch.float32, **options)
    layer = model.model.layers[0].mlp.up_proj
    bytes_each = layer.weight.untyped_storage().nbytes() // (inner * hidden)
    told = [f"{name}: {bytes_each} bytes a weight, {type(layer).__name__}", f"float {outcome(model.float)}"]
    told.append(f"Trainer {outcome(lambda: make_trainer(model))}")
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear"))
    told.append(f"LoRA {outcome(lambda: make_trainer(adapted))}")
    print("; ".join(told))


write_model()
describe("default")
describe("dequantize", quantization_config=GgufConfig(dequantize=True))
PYTHON
seen=$(CUDA_VISIBLE_DEVICES="" "$folder/venv/bin/python" "$folder/train.py" "$folder" 2>/dev/null | grep ": 4 bytes")
echo "$seen"
[ "$seen" = "default: 4 bytes a weight, Linear; float refused; Trainer refused; LoRA refused
dequantize: 4 bytes a weight, Linear; float fine; Trainer fine; LoRA fine" ]
