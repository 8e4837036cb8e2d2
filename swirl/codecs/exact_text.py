"""Texts to token ids and back without loss, whatever a text quotes and however its white space lies.

Three habits of tokenizers would change what a state says:

- A *control token* that a text quotes, such as `<|im_end|>` or our `<|state|>`, becomes that control token: the answer
  ends in its middle, and decoding drops it. Here only prompt templates have control tokens; in any other text they are
  ordinary pieces.
- Many tokenizers put a space before a text, so that its first word is the same token as later ones. Decoded, the text
  begins with a space that was not there, or has lost one that was.
- Decoders treat the first token of a text in their own ways. Here a text is decoded behind a known word.

What a tokenizer's own normalisation destroys, such as case, cannot be restored: `TextTokenizer.gives_back` finds such
texts. Needs neither torch nor transformers, so that a run can be judged before anything is loaded.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tokenizers import Tokenizer, models

CONTROL_SPELLING = re.compile(r"<[|｜].*[|｜]>", re.DOTALL)
"""How most models spell control tokens; some list a few as ordinary added tokens, for example Qwen `<|fim_prefix|>`."""

ANCHOR = "a"
"""The word behind which texts are decoded: one that every tokenizer gives back."""


EXAMPLE_CHARACTERS = 12
"""How much of a text is shown on both sides of where a tokenizer first changes it."""


class TextTokenizer(Protocol):
    """Turns texts into token ids and back."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, in which everything is ordinary text."""
        ...

    def encode_between(self, before: str, text: str, after: str) -> list[int]:
        """Token ids of a text between two parts of a prompt template, whose control tokens are control tokens."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, with its white space, and control tokens spelled out."""
        ...

    def gives_back(self, text: str) -> bool:
        """Whether encoding and decoding a text gives it unchanged."""
        ...


class FastTextTokenizer:
    """A `TextTokenizer` around a tokenizer of the package `tokenizers`.

    Encodes with a copy in which control tokens go by secret names. Prompt templates are written with these names, so a
    template and the text that it quotes are encoded in one piece, and as long as the text quotes no control token they
    get the ids that the original gives them.
    """

    def __init__(self, backend: Tokenizer, template: str = "") -> None:
        """`template` is the chat template, which shows which of the other added tokens are control tokens."""
        self._backend = backend
        added = sorted(backend.get_added_tokens_decoder().items())
        self._secret = secrets.token_hex(8)  # no text can quote what nobody knows
        self._names = {
            token.content: self._secret_name(index)
            for index, token in added
            if is_control_token(token.content, token.special, template)
        }
        self._control_ids = {index for index, token in added if token.content in self._names}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._control_pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._encoder, self._original_ids = self._build_encoder()
        self._anchor = self._to_ids(ANCHOR)
        self._anchor_text = backend.decode(self._anchor, skip_special_tokens=False)
        self._prefix = " " if self._decode_anchored(self._anchor) == f" {ANCHOR}" else ""
        # Such a tokenizer adds its space only where none is, so that " a" and "a" would be the same.
        self._drops_space = bool(self._prefix) and self._to_ids(f" {ANCHOR}") == self._anchor

    def _secret_name(self, index: int) -> str:
        # The noncharacters keep the name apart from any word beside it.
        return f"\ufdd0{self._secret}-{index}\ufdd1"

    def _build_encoder(self) -> tuple[Tokenizer, dict[int, int]]:
        """The encoding copy, and the original ids of the added tokens whose ids differ in it."""
        from tokenizers import AddedToken, Tokenizer

        backend = self._backend
        encoder = Tokenizer(model_without_pieces(backend, self._names))
        if backend.normalizer is not None:
            encoder.normalizer = backend.normalizer
        if backend.pre_tokenizer is not None:
            encoder.pre_tokenizer = backend.pre_tokenizer
        vocabulary = encoder.get_vocab(with_added_tokens=False)
        # New tokens are numbered from the size of the vocabulary, which is too low if its ids have gaps.
        gaps = 1 + max(vocabulary.values(), default=-1) - len(vocabulary)
        encoder.add_tokens([AddedToken(self._secret_name(-index), normalized=False) for index in range(1, gaps + 1)])
        copies = {}
        for index, token in sorted(backend.get_added_tokens_decoder().items()):
            name = self._names.get(token.content)
            options = {"single_word": token.single_word, "lstrip": token.lstrip, "rstrip": token.rstrip}
            copies[index] = AddedToken(name or token.content, normalized=token.normalized and name is None, **options)
        encoder.add_tokens(list(copies.values()))
        ids = {index: encoder.token_to_id(token.content) for index, token in copies.items()}
        return encoder, {copy: index for index, copy in ids.items() if copy is not None and copy != index}

    def _to_ids(self, text: str) -> list[int]:
        ids = self._encoder.encode(text, add_special_tokens=False).ids
        return [self._original_ids.get(index, index) for index in ids] if self._original_ids else ids

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, in which everything is ordinary text."""
        return self._to_ids(f" {text}" if self._drops_space and text.startswith(" ") else text)

    def encode_between(self, before: str, text: str, after: str) -> list[int]:
        """Token ids of a text between two parts of a prompt template, whose control tokens are control tokens."""
        return self._to_ids(f"{self._rename(before)}{text}{self._rename(after)}")

    def _rename(self, template: str) -> str:
        """A template with the secret names of its control tokens."""
        return self._control_pattern.sub(lambda found: self._names[found[0]], template)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, with its white space, and control tokens spelled out; broken UTF-8 becomes U+FFFD."""
        return self._decode_anchored(ids).removeprefix(self._prefix)

    def _decode_anchored(self, ids: Sequence[int]) -> str:
        text = self._backend.decode([*self._anchor, *ids], skip_special_tokens=False)
        return text.removeprefix(self._anchor_text)

    def gives_back(self, text: str) -> bool:
        """Whether encoding and decoding a text gives it unchanged."""
        ids = self.encode(text)
        return self.decode(ids) == text and self._control_ids.isdisjoint(ids)


class SlowTextTokenizer:
    """A `TextTokenizer` around one of transformers' tokenizers that are written in Python.

    Their texts are encoded in pieces, and their white space is kept as far as they keep it themselves.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, in which everything is ordinary text."""
        return self._to_ids(text, split_special_tokens=True)

    def encode_between(self, before: str, text: str, after: str) -> list[int]:
        """Token ids of a text between two parts of a prompt template, whose control tokens are control tokens."""
        return [*self._to_ids(before), *self.encode(text), *self._to_ids(after)]

    def _to_ids(self, text: str, *, split_special_tokens: bool = False) -> list[int]:
        options = {"add_special_tokens": False, "split_special_tokens": split_special_tokens, "verbose": False}
        return list(self._tokenizer(text, **options)["input_ids"]) if text else []

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, with control tokens spelled out."""
        return self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)

    def gives_back(self, text: str) -> bool:
        """Whether encoding and decoding a text gives it unchanged."""
        return self.decode(self.encode(text)) == text


def is_control_token(content: str, is_special: bool, template: str) -> bool:
    """Whether an added token is a control token: a special one, or one that is spelled or used by a template as such.

    White space is never one, though templates contain it and some vocabularies list it as added tokens.
    """
    return bool(content.strip()) and (is_special or content in template or bool(CONTROL_SPELLING.fullmatch(content)))


def model_without_pieces(backend: Tokenizer, names: dict[str, str]) -> models.Model:
    """The model of a tokenizer; in a Unigram model, which finds control tokens as pieces, they get other names."""
    from tokenizers import models

    if not isinstance(backend.model, models.Unigram):
        return backend.model
    model = json.loads(backend.to_str())["model"]
    vocabulary = [(names.get(piece, piece), score) for piece, score in model["vocab"]]
    return models.Unigram(vocabulary, model["unk_id"], model.get("byte_fallback", False))


@dataclass(frozen=True)
class TextLoss:
    """The share of texts, above 0 up to 1, that a tokenizer changes; a part of one of them, and what it becomes."""

    share: float
    before: str
    after: str


def measure_loss(tokenizer: TextTokenizer, texts: Sequence[str]) -> TextLoss | None:
    """What a tokenizer changes in texts when it encodes and decodes them; None if every text comes back."""
    changed = [text for text in texts if not tokenizer.gives_back(text)]
    if not changed:
        return None
    before, after = changed[0], tokenizer.decode(tokenizer.encode(changed[0]))
    # The first character that differs; past the shorter text's end if all of it is the same.
    first = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(after))
    part = slice(max(0, first - EXAMPLE_CHARACTERS), first + EXAMPLE_CHARACTERS)
    return TextLoss(len(changed) / len(texts), before[part], after[part])


def spread_sample(texts: Iterable[str], most: int) -> list[str]:
    """At most `most` of the distinct texts, spread evenly over their order."""
    distinct = list(dict.fromkeys(texts))
    return distinct[:: max(1, -(-len(distinct) // most))]
