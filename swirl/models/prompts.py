"""Builds the prompts of the forward world model and the inverse dynamics model as token ids.

A model with a chat template gets a prompt in words: state, instruction, action. A model with our tag tokens, such as
the tiny ones that we train, gets tags. There the action comes first in the forward task, so that the two states are
adjacent, at the same distance, in both tasks, and one circuit for copying and comparing serves both. A unified model
gets image prompts in the format that it was trained with.

Only the control tokens of a template are control tokens; those that a state or an action quotes are ordinary text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jinja2 import TemplateError

from swirl.codecs.state_codecs import Codec, ImageCodec, StateOrIds, TextCodec
from swirl.errors import SwirlError, first_line
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
    """Builds prompts as lists of token ids; text completions end with `end_id`."""

    end_id: int

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        ...

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        ...

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z), with the state left empty, for the state ablation of the leakage metrics."""
        ...

    def prompt_without_next_state(self, state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x), with the next state left empty, for the prior reference."""
        ...


@dataclass
class TagLayout:
    """Tags around the parts: <|action|> z <|state|> x <|next|> y and <|state|> x <|next|> y <|action|> z.

    For images, the inverse prompt replaces each code of the next state that did not change by <|same|>. A small
    model would otherwise need thousands of steps to learn this comparison.
    """

    codec: Codec

    def __post_init__(self) -> None:
        to_id = self.codec.tokenizer.convert_tokens_to_ids
        self.state_id, self.next_id, self.action_id = to_id(STATE_TAG), to_id(NEXT_TAG), to_id(ACTION_TAG)
        self.end_id = to_id(END_TAG)
        if self.codec.kind == "image":
            self.same_id = to_id(SAME_TAG)

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z); an empty action gives the empty slot of the state-only pretraining."""
        return self._forward(self.codec.encode_state(state), action)

    def _forward(self, state: list[int], action: str) -> list[int]:
        return [self.action_id, *self.codec.encode(action), self.state_id, *state, self.next_id]

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        before, after = self.codec.encode_state(state), self.codec.encode_state(next_state)
        if self.codec.kind == "image":
            after = [self.same_id if x == y else y for x, y in zip(before, after, strict=True)]
        return self._inverse(before, after)

    def _inverse(self, before: list[int], after: list[int]) -> list[int]:
        return [self.state_id, *before, self.next_id, *after, self.action_id]

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self._forward([], action)

    def prompt_without_next_state(self, state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x)."""
        return self._inverse(self.codec.encode_state(state), [])


UNKNOWN_STATE = State("(unknown)")
"""Stands for a state that a prompt in words leaves empty."""
TEMPLATE_ERRORS = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What applying a chat template raises; it is a program that came with the model, and runs in a sandbox."""
QUESTION_PLACE = "THE-QUESTION-OF-SWIRL-STANDS-HERE"
"""Stands for the question while the chat template is applied."""


@dataclass
class ChatLayout:
    """Prompts in words through the chat template of the model.

    The template is applied only once, around a placeholder, so that it never sees what a state says: some templates
    trim a message, or search it for markers.
    """

    codec: TextCodec

    def __post_init__(self) -> None:
        self.end_id = self.codec.tokenizer.eos_token_id
        self.before, self.after = self._surroundings()

    def _surroundings(self) -> tuple[str, str]:
        """The text of a prompt before and after the question. Raises SwirlError if the template cannot take one."""
        messages = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": QUESTION_PLACE}]
        options = {"tokenize": False, "add_generation_prompt": True}
        try:
            text = self.codec.tokenizer.apply_chat_template(messages, **options)
        except TEMPLATE_ERRORS:  # the templates of some models, such as Gemma 2, refuse a system message
            messages = [{"role": "user", "content": f"{SYSTEM_PROMPT}\n\n{QUESTION_PLACE}"}]
            try:
                text = self.codec.tokenizer.apply_chat_template(messages, **options)
            except TEMPLATE_ERRORS as error:  # also one that reaches for what a template must not touch
                raise SwirlError(
                    f"The model's chat template cannot be used ({first_line(error)}); choose another model."
                ) from error
        before, place, after = text.partition(QUESTION_PLACE)
        if not place or QUESTION_PLACE in after:
            raise SwirlError("The model's chat template does not show a question exactly once; choose another model.")
        return before, after

    def _text(self, state: StateOrIds) -> str:
        """The text of a state or of its ids."""
        return (state if isinstance(state, State) else self.codec.decode_state(state)).text

    def _ask(self, question: str) -> list[int]:
        return self.codec.encode_between(self.before, question, self.after)

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z)."""
        return self._ask(FORWARD_PROMPT.format(state=self._text(state), action=action))

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        return self._ask(INVERSE_PROMPT.format(state=self._text(state), next_state=self._text(next_state)))

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return self.forward_prompt(UNKNOWN_STATE, action)

    def prompt_without_next_state(self, state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x)."""
        return self.inverse_prompt(state, UNKNOWN_STATE)


@dataclass
class PlainLayout(ChatLayout):
    """The prompts of `ChatLayout` as plain text, for a base model without a chat template."""

    def _surroundings(self) -> tuple[str, str]:
        return "", "\n\nAnswer:\n"


@dataclass(frozen=True)
class PromptFormat:
    """The prompt format of a family of unified models: the text around a question and around the ids of an image."""

    question_prefix: str
    question_suffix: str
    picture_start: str
    picture_end: str
    end: str | None = None
    """The token that ends a text answer; None means the tokenizer's end-of-text token."""


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
    """Forward: image x, newline, instruction with z; inverse: images x and y, newline, instruction.

    The wording is fixed. Sampling one of several wordings for each rollout would add noise within a group.
    """

    codec: ImageCodec
    prompt_format: PromptFormat

    def __post_init__(self) -> None:
        tokenizer, (rows, columns) = self.codec.tokenizer, self.codec.grid
        self.opening = self._encode_template(self.prompt_format.picture_start.format(rows=rows, columns=columns))
        self.closing = self._encode_template(self.prompt_format.picture_end)
        begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        self.before = [*begin, *self._encode_template(self.prompt_format.question_prefix)]
        end = self.prompt_format.end
        self.end_id = tokenizer.eos_token_id if end is None else tokenizer.convert_tokens_to_ids(end)

    def _encode_template(self, text: str) -> list[int]:
        return self.codec.encode_between(text, "", "")

    def _ask(self, states: list[StateOrIds], question: str) -> list[int]:
        image_ids = [
            token
            for state in states
            for token in (*self.opening, *self.codec.to_prompt_ids(self.codec.encode_state(state)), *self.closing)
        ]
        text = f"\n{question}" if states else question
        return [*self.before, *image_ids, *self.codec.encode_between("", text, self.prompt_format.question_suffix)]

    def forward_prompt(self, state: StateOrIds, action: str) -> list[int]:
        """The prompt of P(y | x, z); it ends with the ids that open an image."""
        return [*self._ask([state], PICTURE_FORWARD_PROMPT.format(action=action)), *self.opening]

    def inverse_prompt(self, state: StateOrIds, next_state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x, y)."""
        return self._ask([state, next_state], PICTURE_INVERSE_PROMPT)

    def prompt_without_state(self, action: str) -> list[int]:
        """The prompt of P(y | z)."""
        return [*self._ask([], PICTURE_FORWARD_PROMPT.format(action=action)), *self.opening]

    def prompt_without_next_state(self, state: StateOrIds) -> list[int]:
        """The prompt of Q(z | x)."""
        return self._ask([state], PICTURE_INVERSE_PROMPT)


def build_layout(codec: Codec) -> PromptLayout:
    """The prompt layout for a codec's tokenizer: our tags, a unified model's format, its chat template, or plain text.

    Raises SwirlError for an image model whose tokenizer has no token that opens an image.
    """
    vocabulary = codec.tokenizer.get_vocab()
    if STATE_TAG in vocabulary:
        return TagLayout(codec)
    if isinstance(codec, ImageCodec):
        prompt_format = PROMPT_FORMATS[codec.family]
        opening = prompt_format.picture_start.partition("{")[0]
        if opening not in vocabulary:
            raise SwirlError(f"The model's tokenizer has no {opening} to open an image; choose another model.")
        return PictureLayout(codec, prompt_format)
    return ChatLayout(codec) if codec.tokenizer.chat_template else PlainLayout(codec)
