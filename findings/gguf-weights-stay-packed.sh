#!/usr/bin/env bash
# transformers 5.23.0, gguf 0.19.0: a GGUF model loads packed, says it is float32, and cannot be trained, LoRA included.
#
# One would expect from_pretrained(folder, gguf_file=NAME, dtype=torch.float32) to give an ordinary float32 model, as
# model.dtype says. Its linear layers keep the file's blocks instead: PackedLinear, whose weight is packed bytes.
