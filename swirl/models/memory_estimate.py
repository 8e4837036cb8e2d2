"""Estimates the GPU memory of a run before anything is loaded, as a plain sum documented term by term.

A run has one frozen base model, LoRA adapters on every linear layer except the head (the trainee, its partner and the
reference), GRPO groups whose prompt is computed once, activation checkpointing, and logits only for the positions
that are scored and the ids that are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

FLOAT = 4  # bytes of float32: adapters, their gradients and Adam's two moments, logits
HALF = 2  # bytes of bfloat16: activations and the cache
ADAPTER_COUNT = 3  # fwm, idm, and the reference that is copied at the start of a phase
# Activations per token, in multiples of `hidden`, that a layer keeps while the backward pass recomputes it (besides
# three of the feed-forward width): the normalised inputs of its two halves, queries, keys, values, the attention
# output and its projection, and the residual sum.
HIDDEN_ACTIVATIONS_PER_LAYER = 8
LOGITS_AT_ONCE = 8_000_000  # numbers in one block of logits: bounds memory, does not affect speed
MAX_CACHE_BYTES = {"cpu": 500_000_000, "cuda": 8_000_000_000}  # keys and values of completions sampled at once
LOGIT_COPIES = 3  # the logits of a block, their log-softmax, and the gradient
OVERHEAD = 0.08  # share of the sum that the allocator's gaps add
CONTEXT_BYTES = 750_000_000  # the CUDA context and its kernels
# NF4 stores 4 bits per weight and one float32 scale per 64 weights, which is itself quantised: 0.127 bits more.
NF4_BITS = 4.127

# Bytes of activations that one pass with gradient may keep, and the least number of tokens of such a pass: below it
# the products become slow. Passes without gradient keep one layer's activations only.
UPDATE_ACTIVATION_BYTES = {"cpu": 128_000_000, "cuda": 4_000_000_000}
MIN_UPDATE_TOKENS = {"cpu": 1024, "cuda": 4096}
SCORING_TOKENS = {"cpu": 4096, "cuda": 32_768}
MAX_CACHE_SHARE = 0.2


def max_cache_bytes(device: str, device_memory: int | None = None) -> int:
    """Bytes that keys and values may take of completions that are sampled at once on a device of this type.

    At most MAX_CACHE_SHARE of its memory, if that is known.
    """
    limit = MAX_CACHE_BYTES.get(device, MAX_CACHE_BYTES["cuda"])
    return limit if device_memory is None else min(limit, int(MAX_CACHE_SHARE * device_memory))


def scoring_token_limit(device: str) -> int:
    """The most tokens of a pass without gradient on a device of this type: bounds memory, does not affect speed."""
    return SCORING_TOKENS.get(device, SCORING_TOKENS["cuda"])


def update_token_limit(layers: int, hidden: int, inner: int, bytes_per_number: int, device: str) -> int:
    """The most tokens of a pass with gradient; a single row may be longer.

    On a GPU activations are checkpointed: each layer keeps its input only, and one at a time is recomputed.
    """
    kind = "cpu" if device.startswith("cpu") else "cuda"
    layer = HIDDEN_ACTIVATIONS_PER_LAYER * hidden + 3 * inner
    kept = layers * layer if kind == "cpu" else layers * hidden + layer
    return max(MIN_UPDATE_TOKENS[kind], UPDATE_ACTIVATION_BYTES[kind] // (kept * bytes_per_number))


@dataclass(frozen=True)
class MemoryEstimate:
    """A memory estimate by its parts, in bytes."""

    weights: int
    adapters: int
    activations: int
    logits: int
    cache: int
    overhead: int

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return sum(getattr(self, part.name) for part in fields(self))

    @property
    def gigabytes(self) -> float:
        """The total in GB of 10^9 bytes."""
        return self.total / 1e9


def estimate_memory(
    *,
    parameters: int,
    layers: int,
    hidden: int,
    vocabulary: int,
    prompts: int,
    group_size: int,
    prompt_tokens: int,
    completion_tokens: int,
    micro_batches: int = 1,
    bits: int = 16,
    key_value_width: int | None = None,
    feed_forward_width: int | None = None,
    lora_rank: int = 16,
    lora_parameters: int | None = None,
    vision_parameters: int = 0,
    device: str = "cuda",
    device_memory: int | None = None,
) -> MemoryEstimate:
    """Estimate the memory of one training step.

    `parameters` counts the base model with its embeddings, at `bits` per weight (32, 16, 8, or 4 for NF4);
    `vision_parameters` counts the parts that stay in 16 bits (an image tokenizer, a vision tower). `vocabulary` is the
    number of ids that a completion may contain: the codes of an image, not the whole head. `key_value_width` is key
    heads x head size if that differs from `hidden` (grouped queries), `feed_forward_width` the width of the
    feed-forward layers if that differs from 8/3 hidden. A step samples `group_size` completions for each of `prompts`,
    and learns from them in passes of at most `update_token_limit` tokens, at least `micro_batches` of them, so memory
    hardly grows with the group. Raises ValueError for other values of `bits`.

    - weights: parameters x bits / 8, and `vision_parameters` x 2
    - adapters: three of them in float32, plus the gradient and two moments of the one in training: (3 + 3) x 4 bytes
      per parameter; unless given, the LoRA parameters are those of 7 matrices per layer, four hidden x hidden and three
      hidden x feed-forward: rank x layers x (8 hidden + 3 (hidden + feed-forward))
    - activations of one pass: on a GPU each layer keeps its input, and one layer at a time is recomputed and keeps
      8 hidden + 3 feed-forward numbers per token; on a CPU every layer keeps that much; 2 bytes each
    - folded weights: two sets of the weights that have adapters, on a CPU
    - logits: scored tokens x allowed ids, at most one block of 8 million, three copies of 4 bytes
    - cache: keys and values at the end of sampling: 2 x layers x key-value width x 2 bytes per token, for as many
      completions at once as fit into 8 GB and a fifth of `device_memory` (500 MB on a CPU), at least one

    Sampling and learning do not happen at the same time, so only the larger one counts: either the activations and
    logits or the cache are 0 in the result.
    """
    if bits not in (4, 8, 16, 32):
        raise ValueError(f"Weights of {bits} bits are not supported; use 4, 8, 16 or 32.")
    completions = prompts * group_size
    on_cpu = device.startswith("cpu")
    rows = -(-completions // micro_batches)
    length = prompt_tokens + completion_tokens
    weights = round(parameters * (NF4_BITS if bits == 4 else bits) / 8) + vision_parameters * HALF
    inner = 8 * hidden // 3 if feed_forward_width is None else feed_forward_width
    lora = lora_parameters if lora_parameters is not None else lora_rank * layers * (8 * hidden + 3 * (hidden + inner))
    layer = HIDDEN_ACTIVATIONS_PER_LAYER * hidden + 3 * inner
    kept = layers * layer if on_cpu else layers * hidden + layer
    limit = max(length, update_token_limit(layers, hidden, inner, 4 if bits == 32 else HALF, device))
    tokens = min(limit, -(-rows // group_size) * prompt_tokens + rows * completion_tokens)
    activations = tokens * kept * HALF
    cache_per_row = length * 2 * layers * (key_value_width or hidden) * HALF
    cache = (
        min(completions, max(1, max_cache_bytes(device.partition(":")[0], device_memory) // cache_per_row))
        * cache_per_row
    )
    logits = (
        min(min(tokens, rows * completion_tokens) * vocabulary, max(LOGITS_AT_ONCE, vocabulary)) * LOGIT_COPIES * FLOAT
    )
    if activations + logits >= cache:
        cache = 0
    else:
        activations = logits = 0
    if on_cpu:
        weights += 2 * round(layers * (4 * hidden * hidden + 3 * hidden * inner) * bits / 8)
    adapters = lora * (ADAPTER_COUNT + 3) * FLOAT
    used = weights + adapters + activations + logits + cache
    return MemoryEstimate(weights, adapters, activations, logits, cache, round(used * OVERHEAD) + CONTEXT_BYTES)
