"""Codecs between states and token ids, so that other code treats text and image transitions alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from swirl import pictures
from swirl.codecs.exact_text import FastTextTokenizer, SlowTextTokenizer, TextTokenizer
from swirl.codecs.token_cache import TokenCache
from swirl.errors import SwirlError
from swirl.states import State

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from swirl.pictures import Pixels

StateOrIds = State | Sequence[int]
"""A state as prompts take it: the state itself, or its ids if they are already known."""

CACHED_TEXT_BYTES = 4 * 2**20
"""The most that ids of texts take; tokenizing a text again takes little."""

CACHED_FRAME_BYTES = 256 * 2**20
"""The most that ids of frames take, about 60 000 of 1024 ids; encoding a frame again takes a pass of a model."""

FRAMES_AT_ONCE, FRAMES_DECODED_AT_ONCE = 64, 16


class ImageTokenizer(Protocol):
    """Converts pixels to codes and back. `size` is in pixels per side, `grid` in codes (rows, columns)."""

    @property
    def size(self) -> int: ...

    @property
    def grid(self) -> tuple[int, int]: ...

    @property
    def codebook_size(self) -> int: ...

    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order; the frames must have the tokenizer's size."""
        ...

    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames that codes in reading order decode to."""
        ...

    def save_to_base_folder(self, base: Path) -> None:
        """Write the files that the base model's own files in the folder do not cover."""
        ...


class Codec(Protocol):
    """Turns states and actions into token ids and back. `end_ids` are the tokens that end an answer."""

    kind: str
    tokenizer: PreTrainedTokenizerBase
    text_tokenizer: TextTokenizer
    end_ids: set[int]
    states_have_one_length: bool
    """Whether all states have equally many tokens, as frames do."""

    def encode(self, text: str) -> list[int]:
        """Token ids of an action or another text; control tokens that it quotes are ordinary text."""
        ...

    def encode_between(self, before: str, text: str, after: str) -> list[int]:
        """Token ids of a text between two parts of a prompt template, whose control tokens are control tokens."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, with all its white space."""
        ...

    def decode_action(self, ids: Sequence[int]) -> str:
        """The action of token ids, without white space around it."""
        ...

    def encode_state(self, state: StateOrIds) -> list[int]:
        """Token ids of a state."""
        ...

    def decode_state(self, ids: Sequence[int]) -> State:
        """The state of token ids."""
        ...

    def decode_states(self, answers: Sequence[Sequence[int]]) -> list[State]:
        """The state of each answer, in batches."""
        ...

    def to_prompt_state(self, ids: Sequence[int]) -> StateOrIds:
        """A sampled state in the form that prompts take."""
        ...

    def prepare(self, states: Sequence[State]) -> None:
        """Encode many states in advance, in batches, and cache the result."""
        ...


class TextCodec:
    """Text states and actions through the language model's own tokenizer."""

    kind = "text"
    states_have_one_length = False

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.text_tokenizer = build_text_tokenizer(tokenizer)
        self.end_ids = {index for index in (tokenizer.eos_token_id, tokenizer.pad_token_id) if index is not None}
        # The same states recur often, and a tokenizer takes up to a tenth of a millisecond for each.
        self._text_ids = TokenCache(CACHED_TEXT_BYTES)

    def encode(self, text: str) -> list[int]:
        """Token ids of a text; control tokens that it quotes are ordinary text."""
        ids = self._text_ids.get(text)
        if ids is None:
            ids = list(self.text_tokenizer.encode(text))
            self._text_ids.put(text, ids)
        return ids

    def encode_between(self, before: str, text: str, after: str) -> list[int]:
        """Token ids of a text between two parts of a prompt template, whose control tokens are control tokens."""
        return self.text_tokenizer.encode_between(before, text, after)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, with all its white space.

        The tokens that end an answer are left out at its end. Control tokens elsewhere are mistakes of the model, which
        are spelled out, so that an answer with one is not taken for one without.
        """
        end = len(ids)
        while end and ids[end - 1] in self.end_ids:
            end -= 1
        return self.text_tokenizer.decode(ids[:end])

    def decode_action(self, ids: Sequence[int]) -> str:
        """The action of token ids, without white space around it, which says nothing in an action."""
        return self.decode(ids).strip()

    def encode_state(self, state: StateOrIds) -> list[int]:
        """Token ids of a text state. Raises SwirlError for an image state."""
        if not isinstance(state, State):
            return list(state)
        if state.picture is not None:
            raise SwirlError("This model reads texts, but the state is a picture; choose an image model.")
        return self.encode(state.text)

    def decode_state(self, ids: Sequence[int]) -> State:
        """The text state of token ids, with all its white space."""
        return State(self.decode(ids))

    def decode_states(self, answers: Sequence[Sequence[int]]) -> list[State]:
        """The text state of each answer."""
        return [self.decode_state(ids) for ids in answers]

    def to_prompt_state(self, ids: Sequence[int]) -> State:
        """A sampled state as text, because chat templates take text."""
        return self.decode_state(ids)

    def prepare(self, states: Sequence[State]) -> None:
        """Does nothing: texts are fast to encode."""


def build_text_tokenizer(tokenizer: PreTrainedTokenizerBase) -> TextTokenizer:
    """The exact form of one of transformers' tokenizers."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return SlowTextTokenizer(tokenizer)
    template = tokenizer.chat_template or ""
    return FastTextTokenizer(backend, template if isinstance(template, str) else "\n".join(template.values()))


class ImageCodec(TextCodec):
    """Image states through an image tokenizer, whose codes have ids besides those of the words; actions as text.

    A frame becomes `length` = rows x columns ids in reading order, each `offset` + code. Frames of another size are
    scaled to the codec's, and encoded frames are cached. `family` selects the prompt format (swirl.models.prompts).
    `row_end` is the id that ends each row of a frame in a sequence, if any. `prompt_offset` is the offset of the ids
    with which prompts show a frame, if they differ from those with which the model draws it.
    """

    kind = "image"
    states_have_one_length = True

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        images: ImageTokenizer,
        offset: int,
        *,
        family: str = "liquid",
        row_end: int | None = None,
        prompt_offset: int | None = None,
    ) -> None:
        super().__init__(tokenizer)
        self.image_tokenizer, self.offset, self.family, self.row_end = images, offset, family, row_end
        self.prompt_offset = offset if prompt_offset is None else prompt_offset
        self.size, self.grid, self.codebook_size = (images.size, images.size), images.grid, images.codebook_size
        self.length = self.grid[0] * self.grid[1]
        self._frame_ids = TokenCache(CACHED_FRAME_BYTES)

    def to_completion_ids(self, ids: Sequence[int]) -> list[int]:
        """The ids of a frame as the model draws them, with row ends if it uses them."""
        if self.row_end is None:
            return list(ids)
        columns = self.grid[1]
        return [
            token for start in range(0, len(ids), columns) for token in (*ids[start : start + columns], self.row_end)
        ]

    def to_prompt_ids(self, ids: Sequence[int]) -> list[int]:
        """The ids of a frame as prompts show them."""
        return self.to_completion_ids([token - self.offset + self.prompt_offset for token in ids])

    @property
    def completion_length(self) -> int:
        """The number of ids in a drawn frame, including row ends."""
        return self.length + (0 if self.row_end is None else self.grid[0])

    def encode_state(self, state: StateOrIds) -> list[int]:
        """The `length` ids of an image state. Raises SwirlError for a text state or an unreadable file."""
        if not isinstance(state, State):
            return list(state)
        key = self._key(state)
        ids = self._frame_ids.get(key)
        if ids is None:
            self.prepare([state])
            ids = self._frame_ids.get(key)
            assert ids is not None  # what was put last is known
        return ids

    def _key(self, state: State) -> str:
        if state.picture is None:
            raise SwirlError("This model reads pictures, but the state is a text; choose a text model.")
        return pictures.state_key(state)

    def prepare(self, states: Sequence[State]) -> None:
        """Encode the frames that are not cached yet, in batches."""
        distinct = {self._key(state): state for state in states}
        rows = [(key, state) for key, state in distinct.items() if key not in self._frame_ids]
        for start in range(0, len(rows), FRAMES_AT_ONCE):
            part = rows[start : start + FRAMES_AT_ONCE]
            encoded = self.image_tokenizer.encode([pictures.pixels(state.picture, self.size) for _, state in part])
            for (key, _), codes in zip(part, encoded, strict=True):
                self._frame_ids.put(key, [self.offset + code for code in codes])

    def decode_state(self, ids: Sequence[int]) -> State:
        """The picture that `length` ids decode to, without row ends; ids that are not codes count as code 0."""
        return self.decode_states([ids])[0]

    def decode_states(self, answers: Sequence[Sequence[int]]) -> list[State]:
        """The picture of each answer; equal answers are decoded once."""
        frames = [tuple(self._codes(ids)) for ids in answers]
        distinct = list(dict.fromkeys(frames))
        states: dict[tuple[int, ...], State] = {}
        for start in range(0, len(distinct), FRAMES_DECODED_AT_ONCE):
            part = distinct[start : start + FRAMES_DECODED_AT_ONCE]
            for codes, pixels in zip(part, self.image_tokenizer.decode(part), strict=True):
                states[codes] = state = State(picture=pictures.from_pixels(pixels))
                # Encoding this frame again must give the codes that it was decoded from.
                self._frame_ids.put(pictures.state_key(state), [self.offset + code for code in codes])
        return [states[codes] for codes in frames]

    def _codes(self, ids: Sequence[int]) -> list[int]:
        codes = [token - self.offset for token in self.to_prompt_state(ids)]
        codes = [code if 0 <= code < self.codebook_size else 0 for code in codes]
        return (codes + [0] * self.length)[: self.length]

    def to_prompt_state(self, ids: Sequence[int]) -> Sequence[int]:
        """A sampled frame as ids without row ends, so that it need not be decoded to be read again."""
        return [token for token in ids if token != self.row_end]

    def reconstruct(self, state: State) -> State:
        """The frame after encoding and decoding; its error bounds how well the model can draw."""
        return self.decode_state(self.encode_state(state))
