"""What a judge is asked: words around an instruction, and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from swirl import pictures
from swirl.states import Picture

LONGEST = 512
"""Pixels on a picture's longer side as it is sent; larger ones are scaled down."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `about` names what is judged, for reports; `task` holds `{instruction}`, and may hold `{answer}`.

    `pictures` are shown in this order, after the words.
    """

    subject: str
    prompt_template: str
    instruction: str
    pictures: tuple[Picture, ...] = ()
    answer: str = ""

    def prompt_text(self) -> str:
        """The text that is sent. Braces in an instruction are its own."""
        parts = {"{instruction}": self.instruction.strip(), "{answer}": self.answer.strip() or "(nothing)"}
        text, found = self.prompt_template, ""
        while text:
            at, name = min(((text.find(name), name) for name in parts if name in text), default=(len(text), ""))
            found += text[:at] + parts.get(name, "")
            text = text[at + len(name) :]
        return found

    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat completion, pictures as `data:` addresses. Raises SwirlError for a broken picture."""
        shown = [pictures.data_uri(pictures.thumbnail(picture, LONGEST)) for picture in self.pictures]
        parts: list[dict[str, Any]] = [{"type": "text", "text": self.prompt_text()}]
        parts += [{"type": "image_url", "image_url": {"url": address}} for address in shown]
        return [{"role": "user", "content": parts if shown else self.prompt_text()}]
