"""The id layout of the two tasks: what the forward world model and the inverse dynamics model are asked.

A model with a chat template is asked in words (section 3 of method.md: state, instruction, action). A model without
one, such as the tiny ones we train, is asked with tags, the action first in the forward task: so the two states stand
side by side at the same distance in both tasks, and one circuit of copying and comparing serves both. A unified model
is asked about pictures in the manner it was trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from swirl.codecs.state_codecs import Codec, ImageCodec, StateOrIds, TextCodec
from swirl.errors import SwirlError
from swirl.states import State

STATE_TAG, NEXT_TAG, ACTION_TAG, END_TAG, PAD_TAG = "<|state|>", "<|next|>", "<|action|>", "<|end|>", "<|pad|>"
SAME_TAG = "<|same|>"
TAGS = (PAD_TAG, END_TAG, STATE_TAG, NEXT_TAG, ACTION_TAG, SAME_TAG)

SYSTEM_PROMPT = "You are the model of a world. Answer with nothing but what is asked for."
FORWARD_PROMPT = (
    "Current state:\n{state}\n\nAction: {action}\n\n"
    "What is the next state? Write the whole next state in the same form as the current one."
)
INVERSE_PROMPT = (
    "Current state:\n{state}\n\nNext state:\n{next_state}\n\n"
    "Which single action leads from the current state to the next state? Write the action in a few words."
)


class PromptLayout(Protocol):
    """Builds prompts as lists of token ids; completions end with `end_id`."""

    end_id: int

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        ...

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        ...

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z) with the state left empty; the state ablation of the leakage metrics."""
        ...


@dataclass
class TagLayout:
    """Tags around the parts: <|action|> z <|state|> x <|next|> y and <|state|> x <|next|> y <|action|> z.

    Of a picture's next state the inverse prompt holds the codes that changed, and <|same|> for each that did not: what
    a small model takes thousands of steps to find out by comparing is said at once.
    """

    codec: Codec

    def __post_init__(self) -> None:
        to_id = self.codec.tokenizer.convert_tokens_to_ids
        self.state_id, self.next_id, self.action_id = to_id(STATE_TAG), to_id(NEXT_TAG), to_id(ACTION_TAG)
        self.end_id = to_id(END_TAG)
        if self.codec.kind == "image":
            self.same_id = to_id(SAME_TAG)

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z); an empty action is the state-only pretraining's empty slot."""
        return self._forward(self.codec.encode_state(state), action)

    def _forward(self, state: list[int], action: str) -> list[int]:
        return [self.action_id, *self.codec.encode(action), self.state_id, *state, self.next_id]

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        before, after = self.codec.encode_state(state), self.codec.encode_state(next_state)
        if self.codec.kind == "image":
            after = [self.same_id if x == y else y for x, y in zip(before, after, strict=True)]
        return [self.state_id, *before, self.next_id, *after, self.action_id]

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self._forward([], action)


@dataclass
class ChatLayout:
    """A chat model is asked in plain words through its own template."""

    codec: TextCodec

    def __post_init__(self) -> None:
        self.end_id = self.codec.tokenizer.eos_token_id

    def _text(self, state: StateOrIds) -> str:
        """The words of a state, as it is or from its ids."""
        return (state if isinstance(state, State) else self.codec.decode_state(state)).text

    def _ask(self, question: str) -> list[int]:
        messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": question}]
        text = self.codec.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return self.codec.tokenizer(text, add_special_tokens=False)["input_ids"]

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        return self._ask(FORWARD_PROMPT.format(state=self._text(state), action=action))

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        return self._ask(INVERSE_PROMPT.format(state=self._text(state), next_state=self._text(next_state)))

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self.forward_prompt(State("(unknown)"), action)


@dataclass
class PlainLayout(ChatLayout):
    """A base model without a chat template is asked in the same words, as plain text."""

    def _ask(self, question: str) -> list[int]:
        return self.codec.encode(f"{question}\n\nAnswer:\n")


@dataclass(frozen=True)
class PromptFormat:
    """How a family of unified models is spoken to: what stands around a question, and around a picture's ids."""

    question_prefix: str
    question_suffix: str
    picture_start: str
    picture_end: str
    end: str | None = None
    """What closes an answer in words; the tokenizer's end of text if None."""


PROMPT_FORMATS = {
    "liquid": PromptFormat(
        "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", "<boi>", "<eoi>", "<end_of_turn>"
    ),
    "janus": PromptFormat("<|User|>: ", "\n\n<|Assistant|>:", "<begin_of_image>", "<end_of_image>"),
    "emu3": PromptFormat(
        "You are a helpful assistant. USER: ",
        " ASSISTANT:",
        "<|image start|>{rows}*{columns}<|image token|>",
        "<|extra_201|><|image end|>",
    ),
}
PICTURE_FORWARD_PROMPT = "Show the picture after this action: {action}"
PICTURE_INVERSE_PROMPT = "Which single action leads from the first picture to the second one? Answer in a few words."


@dataclass
class PictureLayout:
    """x, newline, instruction and z, for the picture y; x and y, newline, instruction, for the words z.

    One wording, not one drawn from many anew for each rollout, which would add noise within a group.
    """

    codec: ImageCodec
    prompt_format: PromptFormat

    def __post_init__(self) -> None:
        tokenizer, (rows, columns) = self.codec.tokenizer, self.codec.grid
        self.opening = self.codec.encode(self.prompt_format.picture_start.format(rows=rows, columns=columns))
        self.closing = self.codec.encode(self.prompt_format.picture_end)
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self.before = [*begin, *self.codec.encode(self.prompt_format.question_prefix)]
        end = self.prompt_format.end
        self.end_id = tokenizer.eos_token_id if end is None else tokenizer.convert_tokens_to_ids(end)

    def _ask(self, states: list[StateOrIds], question: str) -> list[int]:
        shown = [
            token
            for state in states
            for token in (*self.opening, *self.codec.to_prompt_ids(self.codec.encode_state(state)), *self.closing)
        ]
        text = f"\n{question}" if states else question
        return [*self.before, *shown, *self.codec.encode(text + self.prompt_format.question_suffix)]

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z); ends where a picture begins."""
        return [*self._ask([state], PICTURE_FORWARD_PROMPT.format(action=action)), *self.opening]

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        return self._ask([state, next_state], PICTURE_INVERSE_PROMPT)

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return [*self._ask([], PICTURE_FORWARD_PROMPT.format(action=action)), *self.opening]


def build_layout(codec: Codec) -> PromptLayout:
    """The layout that fits a codec's tokenizer: our tags, a unified model's manner, its chat template, plain text.

    Raises SwirlError for a model of pictures whose tokenizer has no word that opens a picture.
    """
    known = codec.tokenizer.get_vocab()
    if STATE_TAG in known:
        return TagLayout(codec)
    if isinstance(codec, ImageCodec):
        manner = PROMPT_FORMATS[codec.family]
        opening = manner.picture_start.partition("{")[0]
        if opening not in known:
            raise SwirlError(f"The model's tokenizer has no {opening}, which opens a picture; take a model that has.")
        return PictureLayout(codec, manner)
    return ChatLayout(codec) if codec.tokenizer.chat_template else PlainLayout(codec)
