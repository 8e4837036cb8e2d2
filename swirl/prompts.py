"""The id layout of the two tasks: what the forward world model and the inverse dynamics model are asked.

A model with a chat template is asked in words (section 3 of method.md: state, instruction, action). A model without
one, such as the tiny ones we train, is asked with tags, the action first in the forward task: so the two states stand
side by side at the same distance in both tasks, and one circuit of copying and comparing serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from swirl.codecs import Codec, Observed, TextCodec
from swirl.states import State

if TYPE_CHECKING:
    pass

STATE, NEXT, ACTION, END, PAD = "<|state|>", "<|next|>", "<|action|>", "<|end|>", "<|pad|>"
TAGS = (PAD, END, STATE, NEXT, ACTION)

SYSTEM = "You are the model of a world. Answer with nothing but what is asked for."
FORWARD = (
    "Current state:\n{state}\n\nAction: {action}\n\n"
    "What is the next state? Write the whole next state in the same form as the current one."
)
INVERSE = (
    "Current state:\n{state}\n\nNext state:\n{next_state}\n\n"
    "Which single action leads from the current state to the next state? Write the action in a few words."
)


class Layout(Protocol):
    """Builds prompts as lists of token ids; completions end with `end_id`."""

    end_id: int

    def forward(self, state: Observed, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        ...

    def inverse(self, state: Observed, next_state: Observed) -> list[int]:
        """The prompt of Q(z | x, y)."""
        ...

    def without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z) with the state left empty; the state ablation of the leakage metrics."""
        ...


@dataclass
class TagLayout:
    """Tags around the parts: <|action|> z <|state|> x <|next|> y and <|state|> x <|next|> y <|action|> z."""

    codec: Codec

    def __post_init__(self) -> None:
        to_id = self.codec.tokenizer.convert_tokens_to_ids
        self.state_id, self.next_id, self.action_id = to_id(STATE), to_id(NEXT), to_id(ACTION)
        self.end_id = to_id(END)

    def forward(self, state: Observed, action: str) -> list[int]:
        """The prompt of P(y | x, z); an empty action is the state-only pretraining's empty slot."""
        return self._forward(self.codec.encode_state(state), action)

    def _forward(self, state: list[int], action: str) -> list[int]:
        return [self.action_id, *self.codec.encode(action), self.state_id, *state, self.next_id]

    def inverse(self, state: Observed, next_state: Observed) -> list[int]:
        """The prompt of Q(z | x, y)."""
        encode = self.codec.encode_state
        return [self.state_id, *encode(state), self.next_id, *encode(next_state), self.action_id]

    def without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self._forward([], action)


@dataclass
class ChatLayout:
    """A chat model is asked in plain words through its own template."""

    codec: TextCodec

    def __post_init__(self) -> None:
        self.end_id = self.codec.tokenizer.eos_token_id

    def _text(self, state: Observed) -> str:
        """The words of a state, as it is or from its ids."""
        return (state if isinstance(state, State) else self.codec.decode_state(state)).text

    def _ask(self, question: str) -> list[int]:
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        text = self.codec.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.codec.tokenizer(text, add_special_tokens=False)["input_ids"]

    def forward(self, state: Observed, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        return self._ask(FORWARD.format(state=self._text(state), action=action))

    def inverse(self, state: Observed, next_state: Observed) -> list[int]:
        """The prompt of Q(z | x, y)."""
        return self._ask(INVERSE.format(state=self._text(state), next_state=self._text(next_state)))

    def without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self.forward(State("(unknown)"), action)


@dataclass
class PlainLayout(ChatLayout):
    """A base model without a chat template is asked in the same words, as plain text."""

    def _ask(self, question: str) -> list[int]:
        return self.codec.encode(f"{question}\n\nAnswer:\n")


def layout_for(codec: Codec) -> Layout:
    """The layout that fits a codec's tokenizer: our tags if it has them, else its chat template, else plain text."""
    tokenizer = codec.tokenizer
    if STATE in tokenizer.get_vocab():
        return TagLayout(codec)
    return ChatLayout(codec) if tokenizer.chat_template else PlainLayout(codec)
