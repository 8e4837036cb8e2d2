"""Recognises the logs of agents by their layout, and reads them as tool logs.

A document or a line holds one of these:

- tau-bench: a list of `{"task_id", "trial", "traj": [message, …]}`;
- tau2-bench: `{"simulations": [{"id", "task_id", "trial", "messages": [message, …]}]}`;
- a conversation: `{"messages": [message, …]}` or `{"conversations": [{"from", "value"}, …]}`, or a list of these;
- ATIF, the Agent Trajectory Interchange Format, up to 1.7: `{"steps": [{"source", "message", "tool_calls",
  "observation": {"results": [{"source_call_id", "content"}]}}]}`, and the trajectories of its subagents;
- SWE-agent: `{"trajectory": [{"action", "observation", …}]}`, or in demonstrations `{"history": [message, …]}` alone;
- a coding agent's session: a first line `{"type": "session", "id"}`, then lines `{"type": "message", "message"}`;
- ToolBench and StableToolBench: an answer tree (`swirl.sources.formats.tool_logs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from swirl.sources.formats.messages import content_text, object_list
from swirl.sources.formats.tool_logs import (
    ReadLogs,
    StepCollector,
    ToolLog,
    answer_tree_logs,
    is_answer_tree,
    is_tau_bench,
    message_logs,
    tau_bench_logs,
)


def detect_layout(document: Any) -> str | None:
    """The name of a document's layout, or None if it is unknown."""
    return next((name for name, (fits, _) in LAYOUTS.items() if fits(document)), None)


def read_document(name: str, prefix: str, document: Any) -> ReadLogs | None:
    """The logs of a document; None if its layout is unknown.

    A log of a document that is one session is named `name`, those of several sessions `prefix/` and their own name, or
    that alone if the prefix is empty.
    """
    layout = detect_layout(document)
    return None if layout is None else LAYOUTS[layout][1](name, prefix, document)


def read_session(name: str, lines: Sequence[Any]) -> ReadLogs:
    """The logs of a session file: after its first line, each line is an event, of which messages count."""
    first = lines[0]
    messages = [line["message"] for line in lines if isinstance(line, dict) and isinstance(line.get("message"), dict)]
    return message_logs(str(first.get("id") or name), messages)


def is_session_start(record: Any) -> bool:
    """Whether a line begins a session file of a coding agent."""
    return isinstance(record, dict) and record.get("type") == "session"


def join(found: Sequence[ReadLogs]) -> ReadLogs:
    """The logs of several conversations."""
    return ReadLogs(
        tuple(log for each in found for log in each.logs), tuple(place for each in found for place in each.left_out)
    )


def conversation_messages(record: Any) -> list[Any] | None:
    """The messages of a conversation; None if the record is none."""
    if isinstance(record, dict):
        for key in ("messages", "conversations"):
            messages = record.get(key)
            if isinstance(messages, list) and all(is_message(message) for message in messages):
                return messages
    return None


def is_message(value: Any) -> bool:
    """Whether a value is a message of a conversation."""
    return isinstance(value, dict) and ("role" in value or ("from" in value and "value" in value))


def is_conversation(document: Any) -> bool:
    """Whether a document is a conversation or a list of conversations."""
    first = document[0] if isinstance(document, list) and document else document
    return bool(conversation_messages(first)) or is_bare(document)


def is_bare(document: Any) -> bool:
    """Whether a document is the messages of one conversation, without anything around them."""
    return isinstance(document, list) and bool(document) and all(is_message(message) for message in document)


def is_tau2(document: Any) -> bool:
    """Whether a document has the layout of tau2-bench's results."""
    return isinstance(document, dict) and isinstance(document.get("simulations"), list)


def is_swe_agent(document: Any) -> bool:
    """Whether a document has the layout of SWE-agent's trajectories or demonstrations."""
    if not isinstance(document, dict):
        return False
    steps, history = document.get("trajectory"), document.get("history")
    if isinstance(steps, list) and steps:
        return isinstance(steps[0], dict) and {"action", "observation"} <= steps[0].keys()
    return isinstance(history, list) and bool(history) and is_message(history[0])


def tau_bench(name: str, prefix: str, document: Any) -> ReadLogs:
    """The logs of a file of tau-bench."""
    return join([renamed(prefix, tau_bench_logs(record)) for record in document if isinstance(record, dict)])


def renamed(prefix: str, found: ReadLogs) -> ReadLogs:
    """The logs with `prefix/` before their ids, unless it is empty."""
    if not prefix:
        return found
    return ReadLogs(tuple(ToolLog(f"{prefix}/{log.id}", log.task, log.steps) for log in found.logs), found.left_out)


def tau2(name: str, prefix: str, document: Any) -> ReadLogs:
    """The logs of a file of tau2-bench's results."""
    found = []
    for simulation in object_list(document, "simulations"):
        if isinstance(simulation.get("messages"), list):
            label = f"task-{simulation.get('task_id')}-trial-{simulation.get('trial', 0)}"
            found.append(renamed(prefix, message_logs(label, simulation["messages"])))
    return join(found)


def conversations(name: str, prefix: str, document: Any) -> ReadLogs:
    """The logs of a conversation, or of each of a list."""
    if is_bare(document):
        return message_logs(name, document)
    if not isinstance(document, list):
        label = str(document.get("id") or document.get("conversation_id") or "")
        found = message_logs(label or name, conversation_messages(document) or [])
        return renamed(prefix, found) if label else found
    found = []
    for number, record in enumerate(document):
        messages = conversation_messages(record)
        if messages is not None:
            label = record.get("id") or record.get("conversation_id") or number
            found.append(renamed(prefix, message_logs(str(label), messages)))
    return join(found)


def is_atif(document: Any) -> bool:
    """Whether a document has the layout of ATIF."""
    if not isinstance(document, dict) or not isinstance(document.get("steps"), list):
        return False
    if str(document.get("schema_version", "")).startswith("ATIF"):
        return True
    first = document["steps"][0] if document["steps"] else None
    return isinstance(first, dict) and {"step_id", "source"} <= first.keys()


def atif(name: str, prefix: str, document: Any) -> ReadLogs:
    """The logs of a trajectory in ATIF and of those of its subagents."""
    label = str(document.get("session_id") or document.get("trajectory_id") or "")
    messages = [message for step in object_list(document, "steps") for message in atif_messages(step)]
    found = message_logs(label or name, messages)
    found = renamed(prefix, found) if label else found
    below = [
        atif(f"{name}/{number}", prefix, part)
        for number, part in enumerate(object_list(document, "subagent_trajectories"), start=1)
    ]
    return join([found, *below])


def atif_messages(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a step as messages of OpenAI's interface; one that repeats what an earlier trajectory has gives none."""
    if step.get("is_copied_context"):
        return
    roles = {"agent": "assistant", "user": "user"}
    calls = [
        {"id": call.get("tool_call_id"), "name": call.get("function_name"), "arguments": call.get("arguments")}
        for call in object_list(step, "tool_calls")
    ]
    role = roles.get(str(step.get("source")), "system")
    yield {"role": role, "content": step.get("message"), "tool_calls": calls}
    observation = step.get("observation")
    for result in object_list(observation, "results") if isinstance(observation, dict) else []:
        yield {"role": "tool", "tool_call_id": result.get("source_call_id"), "content": result.get("content")}


def swe_agent(name: str, prefix: str, document: Any) -> ReadLogs:
    """The log of a trajectory of SWE-agent: its actions and observations."""
    history, steps = object_list(document, "history"), object_list(document, "trajectory")
    if not steps and any(message.get("tool_calls") for message in history):
        return message_logs(name, history)
    task = next((content_text(message.get("content")) for message in history if message.get("role") == "user"), "")
    run, seen = StepCollector(), task
    for step in steps or paired_history(history):
        seen = run.add(seen, str(step.get("action") or "").strip(), content_text(step.get("observation")))
    return ReadLogs((ToolLog(name, task, tuple(run.steps)),) if run.steps else ())


def paired_history(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The actions of a history without calls, each with the observation that follows it."""
    steps: list[dict[str, Any]] = []
    for message in history:
        if message.get("role") == "assistant" and message.get("action"):
            steps.append({"action": message["action"], "observation": ""})
        elif message.get("role") == "user" and steps and not steps[-1]["observation"]:
            steps[-1]["observation"] = message.get("content")
    return steps


def answer_trees(name: str, prefix: str, document: Any) -> ReadLogs:
    """The logs of an answer of ToolBench or StableToolBench."""
    return ReadLogs(tuple(answer_tree_logs(name, document)))


LAYOUTS: dict[str, tuple[Callable[[Any], bool], Callable[[str, str, Any], ReadLogs]]] = {
    "tau-bench": (is_tau_bench, tau_bench),
    "toolbench": (is_answer_tree, answer_trees),
    "tau2-bench": (is_tau2, tau2),
    "atif": (is_atif, atif),
    "swe-agent": (is_swe_agent, swe_agent),
    "messages": (is_conversation, conversations),
}
"""The layouts by name: whether a document has it, and how its logs are read."""
