"""How much GPU memory a run needs, estimated before anything is loaded. A plain sum, documented term by term.

The run is ours: one frozen base model, LoRA adapters on every linear layer but the head (the trainee, its partner and
the reference), GRPO with groups whose prompt is computed once, activation checkpointing, and logits for the needed
positions and the allowed ids alone.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

FLOAT = 4  # bytes of float32: adapters, their gradients and Adam's two moments, logits
HALF = 2  # bytes of bfloat16: activations and the cache
ADAPTER_COUNT = 3  # fwm, idm, and the reference copied at the start of a phase
# Times hidden a token that one layer keeps while it is computed again in the backward pass, beside the feed-forward's
# three: the normed inputs of its two halves, queries, keys, values, the attention's answer and its projection, the sum.
LAYER = 8
LOGITS_AT_ONCE = 64_000_000  # numbers in one block of logits; as in swirl.models.scoring
MAX_CACHE_BYTES = 8_000_000_000  # bytes of keys and values of all completions that are drawn at once
COPIES = 3  # of a block: the logits, their log-softmax, and the gradient
OVERHEAD = 0.08  # of everything: the allocator's gaps
CONTEXT = 750_000_000  # bytes: the CUDA context and its kernels
# NF4 keeps 4 bits a weight and one float32 scale for 64 weights, itself quantised: 0.127 bits more.
NF4 = 4.127


@dataclass(frozen=True)
class MemoryEstimate:
    """The parts of an estimate, in bytes."""

    weights: int
    adapters: int
    activations: int
    logits: int
    cache: int
    overhead: int

    @property
    def total(self) -> int:
        """All of it."""
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
    inner: int | None = None,
    lora_rank: int = 16,
    lora_parameters: int | None = None,
    outside: int = 0,
    checkpointing: bool = True,
) -> MemoryEstimate:
    """The memory of one training step, by its parts.

    `parameters` counts the base model with its embeddings, at `bits` a weight (32, 16, 8, or 4 for NF4); `outside`
    counts what stays in 16 bits beside it (an image tokenizer, a vision tower). `vocabulary` is how many ids an answer
    may hold: the codes of a picture, not the whole head. `key_value_width` is heads x head size of the keys, where it
    is not `hidden` (grouped queries), `inner` the feed-forward's width where it is not 8/3 hidden. A step draws
    `group_size` completions for each of `prompts` at once, and learns from them in `micro_batches` parts, one after
    the other. Raises ValueError for other bits.

    - weights: parameters x bits / 8, and `outside` x 2
    - adapters: three of them in float32, and gradient and two moments for the one that is trained: (3 + 3) x 4 bytes a
      parameter; LoRA's parameters, unless given, are those of 7 matrices a layer, four hidden x hidden and three
      hidden x inner: rank x layers x (8 hidden + 3 (hidden + inner))
    - activations: with checkpointing each layer keeps its input, and one layer at a time is computed again and keeps
      8 hidden + 3 inner numbers a token; without it every layer keeps as much. 2 bytes each
    - logits: scored tokens x allowed ids, at most one block of 64 million, three copies of 4 bytes
    - cache: keys and values of the longest time, when completions are drawn: 2 x layers x width x 2 bytes a token, as
      many at once as 8 GB have room for, one at the least

    Drawing and learning are not done at once, and what needs more counts: either activations and logits or the cache
    is given as 0.
    """
    if bits not in (4, 8, 16, 32):
        raise ValueError(f"Weights of {bits} bits are unknown; take 4, 8, 16 or 32.")
    drawn = prompts * group_size
    rows = -(-drawn // micro_batches)
    length = prompt_tokens + completion_tokens
    weights = round(parameters * (NF4 if bits == 4 else bits) / 8) + outside * HALF
    inner = 8 * hidden // 3 if inner is None else inner
    lora = lora_parameters if lora_parameters is not None else lora_rank * layers * (8 * hidden + 3 * (hidden + inner))
    layer = LAYER * hidden + 3 * inner
    kept = layers * hidden + layer if checkpointing else layers * layer
    activations = rows * length * kept * HALF
    cached = length * 2 * layers * (key_value_width or hidden) * HALF
    cache = min(drawn, max(1, MAX_CACHE_BYTES // cached)) * cached
    logits = min(rows * completion_tokens * vocabulary, max(LOGITS_AT_ONCE, vocabulary)) * COPIES * FLOAT
    if activations + logits >= cache:
        cache = 0
    else:
        activations = logits = 0
    adapters = lora * (ADAPTER_COUNT + 3) * FLOAT
    used = weights + adapters + activations + logits + cache
    return MemoryEstimate(weights, adapters, activations, logits, cache, round(used * OVERHEAD) + CONTEXT)
