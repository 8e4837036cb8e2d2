"""Small tokenizers of the kinds that language models have, each with control tokens, trained or built on the spot."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CONTROL = ("<s>", "</s>", "<|im_start|>", "<|im_end|>")
CORPUS = ["The lamp in the hall is on.", "The door is open; a key lies on the table.", "def f(x):\n    return x\n"]


def _train(model: models.Model, alphabet: list[str], normalizer=None, pre_tokenizer=None, decoder=None) -> Tokenizer:
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=["<unk>", *CONTROL], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    # As in Qwen: one that the template uses, without being listed as special; and words that are added tokens.
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False), AddedToken("lamp in", special=False)])
    return tokenizer


def byte_level(*, prefix: bool) -> Tokenizer:
    """GPT-2's kind; with `prefix` RoBERTa's, which puts a space before a text that begins without one."""
    pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    return _train(models.BPE(), pre_tokenizers.ByteLevel.alphabet(), None, pre_tokenizer, decoders.ByteLevel())


def sentencepiece(*, scheme: str) -> Tokenizer:
    """Llama 2's kind: BPE over spaces as `▁`, with bytes for unknown characters and a space before a text.

    `scheme` is that of `Metaspace`, or `legacy`, which older conversions have.
    """
    decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    legacy = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer = _train(
        models.BPE(byte_fallback=True, unk_token="<unk>"),
        [*map(chr, range(32, 127)), "▁", "\n"],
        legacy if scheme == "legacy" else None,
        None if scheme == "legacy" else pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False),
        decoder,
    )
    return _with_bytes(tokenizer)


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with the 256 byte pieces in its model, as sentencepiece has them."""
    import json

    description = json.loads(tokenizer.to_str())
    vocabulary = description["model"]["vocab"]
    start = len(vocabulary)
    moved = {}
    for byte in range(256):
        vocabulary[f"<0x{byte:02X}>"] = start + byte
    for token in description["added_tokens"]:
        if token["content"] not in vocabulary:
            moved[token["content"]] = token["id"] = start + 256 + len(moved)
    return Tokenizer.from_str(json.dumps(description))


def unigram() -> Tokenizer:
    """T5's kind, with byte pieces: its model holds the control tokens as pieces and would find them in any text."""
    pieces = [("<unk>", 0.0), *((token, 0.0) for token in CONTROL)]
    pieces += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
    pieces += [(word, -4.0) for word in ("▁the", "▁lamp", "▁is", "▁on", "▁door", "▁▁", "▁▁▁▁", "▁")]
    pieces += [(chr(code), -6.0) for code in range(33, 127)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always")])
    tokenizer.add_special_tokens(list(CONTROL))
    return tokenizer


def word_piece() -> Tokenizer:
    """BERT's kind, which loses case and white space and cannot give most texts back."""
    words = ["[UNK]", "a", "the", "lamp", "is", "on", ".", "##s"]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    return tokenizer


def split_digits() -> Tokenizer:
    """Llama 3's kind: a pattern of its own before the byte level, and no space before a text."""
    pattern = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|[^\r\n\p{L}\p{N}]?\p{L}+|\s*[\r\n]+|\s+(?!\S)|\s+"
    pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _train(models.BPE(ignore_merges=True), alphabet, None, pre_tokenizer, decoders.ByteLevel())


LOSSLESS: dict[str, Callable[[], Tokenizer]] = {
    "byte-level": lambda: byte_level(prefix=False),
    "byte-level with a space before": lambda: byte_level(prefix=True),
    "byte-level with a pattern": split_digits,
    "sentencepiece, always": lambda: sentencepiece(scheme="always"),
    "sentencepiece, first": lambda: sentencepiece(scheme="first"),
    "sentencepiece, never": lambda: sentencepiece(scheme="never"),
    "sentencepiece, legacy": lambda: sentencepiece(scheme="legacy"),
    "unigram": unigram,
}
