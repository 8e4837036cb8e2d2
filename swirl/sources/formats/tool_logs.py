"""Reads tool-calling logs, tau-bench trajectories and ToolBench answer trees, as steps.

A step is what was last seen, the call, and the tool's answer. The layouts are those of the benchmarks' own files.
tau-bench (Yao et al. 2024) has a list of `{"task_id", "trial", "traj": [{"role", "content", "tool_calls"?}]}`.
ToolBench (Qin et al. 2023) and StableToolBench (Guo et al. 2024) have one object per file with
`answer_generation.query` and either `tree.tree`, nodes of `{"node_type", "description", "observation"?, "children"}`,
or `trys`, each with a flat `chain`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError
from swirl.sources.formats.messages import Call, answered_call, object_list, read_messages

MAX_LOG_BYTES = 2**28
"""The largest log file, in bytes, as each is read in one go."""
UNPAIRED = "is an answer of which it cannot be told whose call it belongs to; steps across it are left out"
UNANSWERED = "comes after a call without an answer; steps across it are left out"
NEVER_ANSWERED = "calls a tool that has not answered before {end}; the call is left out"
FINISH = "Finish"
"""The name of ToolBench's call that ends an answer; it calls no tool."""


@dataclass(frozen=True, slots=True)
class ToolStep:
    """One call: `context` is what was last seen before it, `observation` the tool's answer, both as logged.

    `call` is written as `name(key="value")`; `earlier` holds the previous calls and answers, oldest first.
    """

    context: str
    call: str
    observation: str
    earlier: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ToolLog:
    """Consecutive steps: each one's context is the previous observation. `task` is what the user asked."""

    id: str
    task: str
    steps: tuple[ToolStep, ...]


def read_answer_tree(path: Path) -> list[ToolLog]:
    """The logs of one answer file of ToolBench or StableToolBench; each call of the tree is in exactly one log.

    A log runs from a node to a leaf; a branch begins where it leaves the previous log. `Finish` does not count as a
    call. Raises SwirlError if the file cannot be read, has another layout, or contains no call.
    """
    document = load_json_file(path)
    if not is_answer_tree(document):
        raise SwirlError(f'{path} is not a ToolBench answer; it needs "answer_generation", and "tree" or "trys".')
    if not (logs := answer_tree_logs(path.stem, document)):
        raise SwirlError(f"{path} contains no tool call with an answer; choose another file.")
    return logs


def is_tau_bench(document: Any) -> bool:
    """Whether a JSON document has tau-bench's layout."""
    first = document[0] if isinstance(document, list) and document else None
    return isinstance(first, dict) and "task_id" in first and isinstance(first.get("traj"), list)


def is_answer_tree(document: Any) -> bool:
    """Whether a JSON document has the layout of ToolBench's answers."""
    if not isinstance(document, dict) or not isinstance(document.get("answer_generation"), dict):
        return False
    return isinstance(document.get("tree"), dict) or isinstance(document.get("trys"), list)


def load_json_file(path: Path) -> Any:
    """Load a JSON file. Raises SwirlError if it cannot be read, is too large, or is not JSON."""
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            raise SwirlError(f"{path} is larger than {MAX_LOG_BYTES >> 20} MB; split it.")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SwirlError(f"{path} cannot be read ({error.strerror or error}); check the path.") from error
    except (ValueError, RecursionError) as error:
        raise SwirlError(f"{path} is not valid JSON ({error}); copy it again.") from error


@dataclass(frozen=True, slots=True)
class ReadLogs:
    """The logs of one conversation, and the places in it that were left out, each with the reason."""

    logs: tuple[ToolLog, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def message_logs(name: str, messages: Sequence[Any]) -> ReadLogs:
    """The logs of a conversation: each run of answered calls between two things that the user says.

    What the user said is the context of the first call. Calls with an empty answer are passed over because they show
    nothing. At a call without an answer, and at an answer of which it cannot be told whose it is, a run ends: what is
    seen after it need not follow from the next call alone.
    """
    said = read_messages(messages)
    task = next((message.user for message in said if message.user.strip()), "")
    logs: list[ToolLog] = []
    left_out: list[tuple[str, str]] = []
    run, seen, is_broken = StepCollector(), "", False
    pending: list[Call] = []
    calling = 0  # the number of the message that made the pending calls

    def end_run() -> None:
        if run.steps:
            logs.append(ToolLog(f"{name}-{len(logs)}", task, tuple(run.steps)))
        run.steps = []

    def end_calls(where: str) -> None:
        if pending:
            left_out.append((f"{name}, message {calling}", NEVER_ANSWERED.format(end=where)))
        pending.clear()

    for number, message in enumerate(said):
        for answer in message.answers:
            call = answered_call(pending, answer)
            if call is None:
                left_out.append((f"{name}, message {number + 1}", UNPAIRED))
                end_run()
                is_broken = True
                pending.clear()
                continue
            pending.remove(call)
            if is_broken and answer.text.strip():
                # The state after the gap; what led to it is not known.
                run.skip(format_call(call.name, call.arguments), answer.text)
                seen, is_broken = answer.text, False
            elif not is_broken:
                seen = run.add(seen, format_call(call.name, call.arguments), answer.text)
        # What the user says beside answers comes after them.
        if message.user.strip():
            end_run()
            end_calls("the next message of the user")
            seen, is_broken = message.user, False
        if message.calls and pending:
            left_out.append((f"{name}, message {number + 1}", UNANSWERED))
            end_run()
            is_broken = True
            pending.clear()
        if message.calls:
            pending += message.calls
            calling = number + 1
    end_run()
    end_calls("the end of the log")
    return ReadLogs(tuple(logs), tuple(left_out))


def tau_bench_logs(record: dict[str, Any]) -> ReadLogs:
    """The logs of one trajectory of tau-bench."""
    traj = record.get("traj")
    name = f"task-{record.get('task_id')}-trial-{record.get('trial', 0)}"
    return message_logs(name, traj if isinstance(traj, list) else [])


class StepCollector:
    """Collects the steps of one log."""

    def __init__(self) -> None:
        self.steps: list[ToolStep] = []
        self.earlier: tuple[tuple[str, str], ...] = ()

    def add(self, context: str, call: str, observation: str) -> str:
        """Add a step if its context and observation are not blank. Returns what is seen after it."""
        before = self.earlier
        self.skip(call, observation)
        if not observation.strip():
            return context
        if context.strip():
            self.steps.append(ToolStep(context, call, observation, before))
        return observation

    def skip(self, call: str, observation: str) -> None:
        """Note a call with its answer without making a step of it."""
        self.earlier = (*self.earlier, (call, observation))


def answer_tree_logs(name: str, document: dict[str, Any]) -> list[ToolLog]:
    """The logs of one answer, in the tree's order, without those that consist of a `Finish` alone."""
    query = str(document["answer_generation"].get("query") or "")
    query = query if query.strip() else "(no question was logged)"
    tree = document.get("tree")
    roots = (
        [tree.get("tree")]
        if isinstance(tree, dict)
        else [chain_to_tree(entry) for entry in object_list(document, "trys")]
    )
    found = [steps for root in roots if isinstance(root, dict) for steps in branches(root, query)]
    return [ToolLog(f"{name}-{number}", query, tuple(steps)) for number, steps in enumerate(found)]


def chain_to_tree(entry: dict[str, Any]) -> dict[str, Any]:
    """A flat chain of nodes as a tree with a single branch."""
    below: list[dict[str, Any]] = []
    for node in reversed(object_list(entry, "chain")):
        below = [{**node, "children": below}]
    return {"node_type": "Action Input", "description": "", "children": below}


def branches(root: dict[str, Any], query: str) -> list[list[ToolStep]]:
    """The runs of steps in a tree; a node's first child continues its run, every other child begins a new one."""
    runs: list[list[ToolStep]] = []
    waiting = [(root, "", query, (), None)]  # node, tool named above it, last seen, earlier calls, run to continue
    while waiting:
        node, tool, seen, earlier, run = waiting.pop()
        kind, description = node.get("node_type"), str(node.get("description") or "")
        if kind == "Action":
            tool = description
        elif kind == "Action Input" and tool and tool != FINISH:
            call, observation = format_call(tool, description), str(node.get("observation") or "")
            if observation.strip():
                if run is None:
                    runs.append(run := [])
                run.append(ToolStep(seen, call, observation, earlier))
                seen = observation
            tool, earlier = "", (*earlier, (call, observation))
        children = object_list(node, "children")
        # Pushed in reverse, because the stack visits the last item first.
        waiting += [(child, tool, seen, earlier, run if at == 0 else None) for at, child in enumerate(children)][::-1]
    return runs


def format_call(name: str, arguments: Any) -> str:
    """Format a call as `name(key="value", other=3)`; arguments that are not a JSON object stay as logged."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return f"{name}({arguments.strip()})"
    if not isinstance(arguments, dict):
        return f"{name}({json.dumps(arguments, ensure_ascii=False)})"
    return f"{name}({', '.join(f'{key}={json.dumps(value, ensure_ascii=False)}' for key, value in arguments.items())})"
