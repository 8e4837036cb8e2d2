"""State <-> token ids. After this room a transition is ids, whatever it was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swirl.states import State

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TextCodec:
    """Text states and actions through the language model's own tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without any special token."""
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def decode(self, ids: list[int]) -> str:
        """The text of token ids; special tokens are left out and outer white space is dropped."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()

    def state(self, text: str) -> State:
        """The state that a text stands for."""
        return State(text)
