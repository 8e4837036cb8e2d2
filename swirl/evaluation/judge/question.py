"""A question for a judge: a prompt with an instruction, and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swirl import pictures
from swirl.states import Picture

LONGEST = 512
"""Pixels on the longer side of a picture that is sent; larger pictures are scaled down."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `subject` names what is judged, for messages.

    `prompt_template` contains `{instruction}` and may contain `{answer}`. The `pictures` follow the text in this order.
    """

    subject: str
    prompt_template: str
    instruction: str
    pictures: tuple[Picture, ...] = ()
    answer: str = ""

    def prompt_text(self) -> str:
        """The text that is sent. Braces inside an instruction or answer are left as they are."""
        parts = {"{instruction}": self.instruction.strip(), "{answer}": self.answer.strip() or "(nothing)"}
        rest, filled = self.prompt_template, ""
        while rest:
            at, name = min(((rest.find(name), name) for name in parts if name in rest), default=(len(rest), ""))
            filled += rest[:at] + parts.get(name, "")
            rest = rest[at + len(name) :]
        return filled

    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat completion, with pictures as `data:` URIs. Raises SwirlError for a broken picture."""
        addresses = [pictures.data_uri(pictures.thumbnail(picture, LONGEST)) for picture in self.pictures]
        parts: list[dict[str, Any]] = [{"type": "text", "text": self.prompt_text()}]
        parts += [{"type": "image_url", "image_url": {"url": address}} for address in addresses]
        return [{"role": "user", "content": parts if addresses else self.prompt_text()}]
