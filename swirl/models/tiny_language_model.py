"""The tiny language model that is trained from scratch: a byte-level BPE tokenizer and a small Llama."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from swirl.models.prompts import END_TAG, PAD_TAG, TAGS

# A word keeps the space before it and one punctuation mark after it, so that " box," is one token and states stay
# short; everything else falls back to bytes.
WORD = r" ?[\p{L}']+[.,:;]?|\p{N}| ?[^\s\p{L}\p{N}]|\s+(?!\S)|\s+"


def build_tokenizer(texts: Iterable[str], vocabulary: int = 2048) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on `texts`; it encodes any text and decodes it unchanged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")  # makes the first word of a text the same token as later ones
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(TAGS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD_TAG, eos_token=END_TAG)


def build_model(
    tokenizer: PreTrainedTokenizerFast,
    *,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    inner: int = 256,
    codes: int = 0,
) -> LlamaForCausalLM:
    """A newly initialised model over the tokenizer's vocabulary plus `codes` image codes, with tied embeddings."""
    return build_llama(
        len(tokenizer) + codes,
        tokenizer.pad_token_id,
        tokenizer.eos_token_id,
        width=width,
        layers=layers,
        heads=heads,
        inner=inner,
    )


def build_llama(
    vocabulary: int,
    pad_id: int,
    end_id: int,
    *,
    width: int = 128,
    layers: int = 4,
    heads: int = 4,
    inner: int = 256,
) -> LlamaForCausalLM:
    """A newly initialised Llama with tied embeddings."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end_id,
        pad_token_id=pad_id,
    )
    return LlamaForCausalLM(config)
