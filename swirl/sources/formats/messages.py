"""What the messages of a chat say, call and answer, whichever program logged them, and which answer is whose.

Read are the messages of OpenAI's interface (`tool_calls`, role `tool`; `content` as a text or a list of parts),
Anthropic's (`tool_use` and `tool_result` blocks), tau-bench and tau2-bench (calls without `function`, several answers
in `tool_messages`), SWE-agent (`tool_call_ids`), and the older `from` and `value`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

SHARE_GPT_ROLES = {"human": "user", "gpt": "assistant", "function_call": "call", "observation": "tool"}
"""The roles of messages with `from` and `value`, by the name there; others are as in OpenAI's interface."""
SILENT_PARTS = frozenset({"tool_use", "tool_result", "toolCall", "thinking", "redacted_thinking", "reasoning"})
"""Parts of a message that are not its text."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool; `arguments` as logged, a JSON text or an object; `id` None if none was logged."""

    id: str | None
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answered; `id` is that of its call, `name` that of the tool, each None if not logged."""

    id: str | None
    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message: what the user said (empty otherwise), the calls that it makes, and the answers that it brings."""

    user: str
    calls: tuple[Call, ...]
    answers: tuple[Answer, ...]


def read_messages(messages: Sequence[Any]) -> list[Said]:
    """What each message says, in order; what is not a message is passed over."""
    return [read_message(message) for message in messages if isinstance(message, dict)]


def read_message(message: dict[str, Any]) -> Said:
    """What one message says."""
    if "role" not in message and "from" in message:
        message = from_share_gpt(message)
    role, content = message.get("role"), message.get("content")
    blocks = [*parts(content, "tool_use"), *parts(content, "toolCall")]
    calls = [*logged_calls(message), *(block_call(block) for block in blocks)]
    answers = [block_answer(block) for block in parts(content, "tool_result")]
    if role in ("tool", "function", "toolResult"):
        several = message.get("tool_messages")
        answers += [tool_answer(each) for each in several] if isinstance(several, list) else [tool_answer(message)]
    user = content_text(content) if role == "user" else ""
    return Said(user, tuple(calls), tuple(answers))


def content_text(content: Any) -> str:
    """The text of a message's content: a text, parts whose texts are joined, or an object as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text for part in content if (text := part_text(part)))
    return json.dumps(content, ensure_ascii=False, sort_keys=True)


def part_text(part: Any) -> str:
    """The text of one part of a content; pictures and files are only named."""
    if not isinstance(part, dict):
        return content_text(part)
    kind = part.get("type")
    if kind in SILENT_PARTS:
        return ""
    if isinstance(part.get("text"), str):
        return part["text"]
    if isinstance(kind, str) and kind != "text":
        return f"[{kind}]"
    return content_text(part)


def parts(content: Any, kind: str) -> Iterator[dict[str, Any]]:
    """The parts of a content of one kind."""
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") == kind:
            yield part


def logged_calls(message: dict[str, Any]) -> Iterator[Call]:
    """The calls of a message beside its content."""
    for call in object_list(message, "tool_calls"):
        function = call["function"] if isinstance(call.get("function"), dict) else call
        name = function.get("name") or function.get("function")
        yield Call(text_or_none(call.get("id")), str(name), function.get("arguments"))
    single = message.get("function_call")
    if isinstance(single, dict):
        yield Call(None, str(single.get("name")), single.get("arguments"))


def block_call(block: dict[str, Any]) -> Call:
    """The call of a `tool_use` or `toolCall` block."""
    return Call(text_or_none(block.get("id")), str(block.get("name")), block.get("input", block.get("arguments")))


def block_answer(block: dict[str, Any]) -> Answer:
    """The answer of a `tool_result` block."""
    return Answer(text_or_none(block.get("tool_use_id")), None, content_text(block.get("content")))


def tool_answer(message: Any) -> Answer:
    """The answer of a tool's message."""
    message = message if isinstance(message, dict) else {"content": message}
    ids = message.get("tool_call_ids")
    identity = message.get("tool_call_id", message.get("toolCallId", message.get("id")))
    if identity is None and isinstance(ids, list) and len(ids) == 1:
        identity = ids[0]
    name = message.get("name") or message.get("toolName") or message.get("function")
    return Answer(text_or_none(identity), text_or_none(name), content_text(message.get("content")))


def from_share_gpt(message: dict[str, Any]) -> dict[str, Any]:
    """A message with `from` and `value` in the form of OpenAI's interface."""
    said, value = str(message.get("from")), message.get("value")
    role = SHARE_GPT_ROLES.get(said, said)
    if role != "call":
        return {"role": role, "content": value}
    try:
        call = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        call = None
    if not isinstance(call, dict):
        call = {"name": content_text(value)}
    return {"role": "assistant", "content": None, "function_call": call}


def object_list(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in the list under a key; none if there is no list."""
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_or_none(value: Any) -> str | None:
    """A logged id or name as text; None if there is none."""
    return None if value is None or value == "" else str(value)


def answered_call(pending: Sequence[Call], answer: Answer) -> Call | None:
    """The waiting call that an answer belongs to; None if that cannot be told, which is never guessed."""
    if answer.id is not None:
        named = [call for call in pending if call.id == answer.id]
        candidates = named or [call for call in pending if call.id is None]
    else:
        candidates = list(pending)
    if len(candidates) > 1 and answer.name is not None:
        candidates = [call for call in candidates if call.name == answer.name]
    return candidates[0] if len(candidates) == 1 else None
