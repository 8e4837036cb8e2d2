"""State <-> token ids. After this room a transition is ids, whatever it was before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import State

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from swirl.pictures import Pixels

StateOrIds = State | Sequence[int]
"""A state as a prompt takes it: itself, or its ids where they are known already."""

REMEMBERED = 65_536
FRAMES_AT_ONCE = 64


class ImageTokenizer(Protocol):
    """Pixels to codes and back; `size` in pixels a side, `grid` in codes (rows, columns), `codes` to choose from."""

    @property
    def size(self) -> int: ...

    @property
    def grid(self) -> tuple[int, int]: ...

    @property
    def codebook_size(self) -> int: ...

    def encode(self, frames: Sequence[Pixels]) -> list[list[int]]:
        """The codes of each frame in reading order; the frames have the tokenizer's size."""
        ...

    def decode(self, codes: Sequence[Sequence[int]]) -> list[Pixels]:
        """The frames of codes in reading order."""
        ...

    def save_to_base_folder(self, base: Path) -> None:
        """Write what the base model's own files in the folder do not hold."""
        ...


class Codec(Protocol):
    """Turns states and actions into token ids and back."""

    kind: str
    tokenizer: PreTrainedTokenizerBase

    def encode(self, text: str) -> list[int]:
        """Token ids of an action or another text, without any special token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        ...

    def encode_state(self, state: StateOrIds) -> list[int]:
        """Token ids of a state."""
        ...

    def decode_state(self, ids: Sequence[int]) -> State:
        """The state of token ids."""
        ...

    def to_prompt_state(self, ids: Sequence[int]) -> StateOrIds:
        """A sampled state as a prompt takes it."""
        ...

    def prepare(self, states: Sequence[State]) -> None:
        """Encode many states ahead, in batches."""
        ...


class TextCodec:
    """Text states and actions through the language model's own tokenizer."""

    kind = "text"

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        # The same states are asked about again and again, and a tokenizer takes a tenth of a millisecond for each.
        self._encoded = lru_cache(maxsize=REMEMBERED)(self._tokenized)

    def _tokenized(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without any special token."""
        return list(self._encoded(text))

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; special tokens are left out and outer white space is dropped."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()

    def encode_state(self, state: StateOrIds) -> list[int]:
        """Token ids of a text state. Raises SwirlError for a picture."""
        if not isinstance(state, State):
            return list(state)
        if state.picture is not None:
            raise SwirlError("This model reads texts, and the state is a picture; choose a model of pictures.")
        return self.encode(state.text)

    def decode_state(self, ids: Sequence[int]) -> State:
        """The text state of token ids."""
        return State(self.decode(ids))

    def to_prompt_state(self, ids: Sequence[int]) -> State:
        """A sampled state, as text: a chat template takes words."""
        return self.decode_state(ids)

    def prepare(self, states: Sequence[State]) -> None:
        """Nothing to do: texts are encoded at once."""


class ImageCodec(TextCodec):
    """Pictures through an image tokenizer whose codes are ids beside the words; actions as text.

    A frame is `length` = rows x columns ids in reading order, `offset` + code. Frames of another size are scaled to
    the codec's; encoded frames are remembered. `family` says how the model is asked (swirl.models.prompts). `row_end`
    closes each row of a frame where it stands in a sequence; `reading` is the offset of the ids by which a picture is
    read, where they are not those by which it is drawn.
    """

    kind = "image"

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        images: ImageTokenizer,
        offset: int,
        *,
        family: str = "liquid",
        row_end: int | None = None,
        reading: int | None = None,
    ) -> None:
        super().__init__(tokenizer)
        self.image_tokenizer, self.offset, self.family, self.row_end = images, offset, family, row_end
        self.prompt_offset = offset if reading is None else reading
        self.size, self.grid, self.codebook_size = (images.size, images.size), images.grid, images.codebook_size
        self.length = self.grid[0] * self.grid[1]
        self._known: OrderedDict[str, list[int]] = OrderedDict()

    def to_completion_ids(self, ids: Sequence[int]) -> list[int]:
        """The ids of a frame as a model draws them: each row with its end, if it has one."""
        if self.row_end is None:
            return list(ids)
        columns = self.grid[1]
        return [token for at in range(0, len(ids), columns) for token in (*ids[at : at + columns], self.row_end)]

    def to_prompt_ids(self, ids: Sequence[int]) -> list[int]:
        """The ids of a frame as a prompt holds them."""
        return self.to_completion_ids([token - self.offset + self.prompt_offset for token in ids])

    @property
    def completion_length(self) -> int:
        """How many ids a drawn frame has, row ends included."""
        return self.length + (0 if self.row_end is None else self.grid[0])

    def encode_state(self, state: StateOrIds) -> list[int]:
        """The `length` ids of a picture. Raises SwirlError for a text, or a file that is no image."""
        if not isinstance(state, State):
            return list(state)
        key = self._key(state)
        if key not in self._known:
            self.prepare([state])
        return list(self._known[key])

    def _key(self, state: State) -> str:
        if state.picture is None:
            raise SwirlError("This model reads pictures, and the state is a text; choose a model of texts.")
        return pictures.state_key(state)

    def prepare(self, states: Sequence[State]) -> None:
        """Encode the frames that are not known yet, in batches."""
        asked = {self._key(state): state for state in states}
        rows = [(key, state) for key, state in asked.items() if key not in self._known]
        for start in range(0, len(rows), FRAMES_AT_ONCE):
            part = rows[start : start + FRAMES_AT_ONCE]
            found = self.image_tokenizer.encode([pictures.pixels(state.picture, self.size) for _, state in part])
            for (key, _), codes in zip(part, found, strict=True):
                self._known[key] = [self.offset + code for code in codes]
        while len(self._known) > max(REMEMBERED, len(rows)):
            self._known.popitem(last=False)

    def decode_state(self, ids: Sequence[int]) -> State:
        """The picture of `length` ids, row ends aside; an id that is no code of this model counts as code 0."""
        codes = [token - self.offset for token in self.to_prompt_state(ids)]
        codes = [code if 0 <= code < self.codebook_size else 0 for code in codes]
        codes = (codes + [0] * self.length)[: self.length]
        state = State(picture=pictures.from_pixels(self.image_tokenizer.decode([codes])[0]))
        # What was just drawn is read as what it was drawn from.
        self._known[pictures.state_key(state)] = [self.offset + code for code in codes]
        return state

    def to_prompt_state(self, ids: Sequence[int]) -> Sequence[int]:
        """A sampled frame by its ids, without row ends: no pixel is needed to read it again."""
        return [token for token in ids if token != self.row_end]

    def reconstruct(self, state: State) -> State:
        """The frame as the codec draws it again; how far it is off bounds what the model can show."""
        return self.decode_state(self.encode_state(state))
