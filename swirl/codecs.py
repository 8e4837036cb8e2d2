"""State <-> token ids. After this room a transition is ids, whatever it was before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from swirl import pictures
from swirl.errors import SwirlError
from swirl.states import State

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from swirl.models.vq import ImageTokenizer

Observed = State | Sequence[int]
"""A state as a prompt takes it: itself, or its ids where they are known already."""

REMEMBERED = 65_536
FRAMES_AT_ONCE = 64


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

    def encode_state(self, state: Observed) -> list[int]:
        """Token ids of a state."""
        ...

    def decode_state(self, ids: Sequence[int]) -> State:
        """The state of token ids."""
        ...

    def observed(self, ids: Sequence[int]) -> Observed:
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

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without any special token."""
        return self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids; special tokens are left out and outer white space is dropped."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()

    def encode_state(self, state: Observed) -> list[int]:
        """Token ids of a text state. Raises SwirlError for a picture."""
        if not isinstance(state, State):
            return list(state)
        if state.picture is not None:
            raise SwirlError("This model reads texts, and the state is a picture; choose a model of pictures.")
        return self.encode(state.text)

    def decode_state(self, ids: Sequence[int]) -> State:
        """The text state of token ids."""
        return State(self.decode(ids))

    def observed(self, ids: Sequence[int]) -> State:
        """A sampled state, as text: a chat template takes words."""
        return self.decode_state(ids)

    def prepare(self, states: Sequence[State]) -> None:
        """Nothing to do: texts are encoded at once."""


class ImageCodec(TextCodec):
    """Pictures through a VQ image tokenizer whose codes follow the words in the vocabulary; actions as text.

    A frame is `length` = rows x columns ids in reading order, `offset` + code. Frames of another size are scaled to
    the codec's; encoded frames are remembered.
    """

    kind = "image"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, images: ImageTokenizer, offset: int) -> None:
        super().__init__(tokenizer)
        self.images, self.offset = images, offset
        self.size, self.grid, self.codes = (images.size, images.size), images.grid, images.codes
        self.length = self.grid[0] * self.grid[1]
        self._known: OrderedDict[str, list[int]] = OrderedDict()

    def encode_state(self, state: Observed) -> list[int]:
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
        return pictures.key(state)

    def prepare(self, states: Sequence[State]) -> None:
        """Encode the frames that are not known yet, in batches."""
        new = {self._key(state): state for state in states if self._key(state) not in self._known}
        rows = list(new.items())
        for start in range(0, len(rows), FRAMES_AT_ONCE):
            part = rows[start : start + FRAMES_AT_ONCE]
            found = self.images.encode([pictures.pixels(state.picture, self.size) for _, state in part])
            for (key, _), codes in zip(part, found, strict=True):
                self._known[key] = [self.offset + code for code in codes]
        while len(self._known) > max(REMEMBERED, len(rows)):
            self._known.popitem(last=False)

    def decode_state(self, ids: Sequence[int]) -> State:
        """The picture of `length` ids; an id that is no code of this model counts as code 0."""
        codes = [token - self.offset if 0 <= token - self.offset < self.codes else 0 for token in ids]
        codes = (codes + [0] * self.length)[: self.length]
        state = State(picture=pictures.from_pixels(self.images.decode([codes])[0]))
        # What was just drawn is read as what it was drawn from.
        self._known[pictures.key(state)] = [self.offset + code for code in codes]
        return state

    def observed(self, ids: Sequence[int]) -> Sequence[int]:
        """A sampled frame by its ids: no pixel is needed to read it again."""
        return list(ids)

    def reconstruct(self, state: State) -> State:
        """The frame as the codec draws it again; how far it is off bounds what the model can show."""
        return self.decode_state(self.encode_state(state))
