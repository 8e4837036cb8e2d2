"""Agents' logs of every layout: which answer belongs to which call, and what is left out when that cannot be told."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.formats.messages import content_text
from swirl.sources.formats.tool_logs import message_logs

DATA = Path(os.environ.get("SWIRL_TOOL_LOGS", Path(__file__).parents[2].parent / "shared" / "data"))
STATES = ["Change my orders.", "W0 is 10", "W1 is 20", "W2 is 30"]
CALLS = ['get(order="W0")', 'get(order="W1")', 'get(order="W2")']


def call(identity: str | None, order: str, **more: Any) -> dict[str, Any]:
    """An assistant's message with one call."""
    function = {"name": "get", "arguments": json.dumps({"order": order})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": identity, "function": function, **more}]}


def answer(identity: str | None, content: Any) -> dict[str, Any]:
    """A tool's message."""
    return {"role": "tool", "tool_call_id": identity, "content": content}


def conversation(ids: list[str | None], user: Any = STATES[0], answers: list[Any] | None = None) -> list[Any]:
    """Three calls, each answered right after it."""
    steps = zip(ids, ("W0", "W1", "W2"), answers or STATES[1:], strict=True)
    return [{"role": "user", "content": user}, *(m for i, w, a in steps for m in (call(i, w), answer(i, a)))]


def read(messages: list[Any]) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """States and calls of each log of a conversation, and the reasons for what was left out."""
    found = message_logs("talk", messages)
    states = [[log.steps[0].context, *(step.observation for step in log.steps)] for log in found.logs]
    return states, [[step.call for step in log.steps] for log in found.logs], [why for _, why in found.left_out]


@pytest.mark.parametrize("ids", [["a", "b", "c"], ["a", "a", "a"], [None, None, None], ["a", None, "a"]])
def test_answers_belong_to_the_call_that_waits_for_them(ids: list[str | None]) -> None:
    assert read(conversation(ids)) == ([STATES], [CALLS], [])


def test_answers_to_calls_made_at_once_are_told_apart_by_id_then_by_name() -> None:
    user = {"role": "user", "content": STATES[0]}
    both = {"role": "assistant", "tool_calls": [*call("a", "W0")["tool_calls"], *call("b", "W1")["tool_calls"]]}
    swapped = [user, both, answer("b", STATES[2]), answer("a", STATES[1])]
    assert read(swapped) == ([[STATES[0], STATES[2], STATES[1]]], [[CALLS[1], CALLS[0]]], [])
    other = {"id": "a", "function": {"name": "list", "arguments": "{}"}}
    named = {"role": "assistant", "tool_calls": [*call("a", "W0")["tool_calls"], other]}
    answers = [{**answer("a", "two"), "name": "list"}, {**answer("a", STATES[1]), "name": "get"}]
    assert read([user, named, *answers])[1:] == ([["list()", CALLS[0]]], [])


def test_what_cannot_be_told_is_said_and_nothing_leads_across_it() -> None:
    user = {"role": "user", "content": STATES[0]}
    twins = {"role": "assistant", "tool_calls": [*call("a", "W0")["tool_calls"], *call("a", "W1")["tool_calls"]]}
    after = [m for i, w, a in zip("cd", ("W1", "W2"), STATES[2:], strict=True) for m in (call(i, w), answer(i, a))]
    states, calls, reasons = read([user, twins, answer("a", STATES[1]), answer("a", STATES[2]), *after])
    assert (states, calls) == ([STATES[2:]], [CALLS[2:]])
    assert reasons and all("cannot be told" in reason for reason in reasons)
    late = [*conversation(["a", "b", "c"]), answer("lost", "W9 is 90")]
    assert read(late)[0] == [STATES] and len(read(late)[2]) == 1


def test_no_step_leads_across_a_call_without_an_answer() -> None:
    messages = conversation(["a", "b", "c"])
    del messages[4]  # the answer to the second call
    states, calls, reasons = read(messages)
    assert (states, calls) == ([STATES[:2]], [CALLS[:1]])
    assert len(reasons) == 1 and "without an answer" in reasons[0]


def test_a_call_that_nothing_answers_is_named() -> None:
    last = conversation(["a", "b", "c"])[:-1]
    assert read(last)[:2] == ([STATES[:3]], [CALLS[:2]])
    said = message_logs("talk", last).left_out
    assert said == (
        ("talk, message 6", "calls a tool that has not answered before the end of the log; the call is left out"),
    )
    interrupted = [*last, {"role": "user", "content": STATES[0]}, call("d", "W0"), answer("d", STATES[1])]
    states, calls, reasons = read(interrupted)
    assert (states, calls) == ([STATES[:3], STATES[:2]], [CALLS[:2], CALLS[:1]])
    assert len(reasons) == 1 and "before the next message of the user" in reasons[0]


def test_contents_are_texts_parts_or_objects() -> None:
    parts = [[{"type": "text", "text": text}] for text in STATES]
    assert read(conversation(["a", "b", "c"], parts[0], [STATES[1], parts[2], parts[3]])) == ([STATES], [CALLS], [])
    states, _, _ = read(conversation(["a", "b", "c"], STATES[0], [{"total": 10, "id": "W0"}, *STATES[2:]]))
    assert states == [[STATES[0], '{"id": "W0", "total": 10}', *STATES[2:]]]
    assert (
        content_text([{"type": "text", "text": "a"}, "b", {"type": "image_url", "image_url": "x"}])
        == "a\nb\n[image_url]"
    )
    assert content_text([{"type": "thinking", "thinking": "hm"}]) == content_text(None) == ""


def anthropic() -> list[dict[str, Any]]:
    """The conversation as content blocks."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": STATES[0]}]
    for number, text in enumerate(STATES[1:]):
        use = {"type": "tool_use", "id": f"t{number}", "name": "get", "input": {"order": f"W{number}"}}
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": [{"type": "text", "text": text}]}
        messages += [{"role": "assistant", "content": [{"type": "text", "text": "hm"}, use]}]
        messages += [{"role": "user", "content": [result]}]
    return messages


def share_gpt() -> list[dict[str, str]]:
    """The conversation with `from` and `value`."""
    messages = [{"from": "human", "value": STATES[0]}]
    for number, text in enumerate(STATES[1:]):
        called = json.dumps({"name": "get", "arguments": {"order": f"W{number}"}})
        messages += [{"from": "function_call", "value": called}, {"from": "observation", "value": text}]
    return messages


def tau2() -> dict[str, Any]:
    """The conversation as a result of tau2-bench, whose last two answers stand in one message."""
    calls = [
        {"id": f"c{n}", "name": "get", "arguments": {"order": f"W{n}"}, "requestor": "assistant"} for n in range(3)
    ]
    answers = [{"id": f"c{n}", "role": "tool", "content": STATES[n + 1], "requestor": "assistant"} for n in range(3)]
    messages = [
        {"role": "user", "content": STATES[0], "turn_idx": 0},
        {"role": "assistant", "content": None, "tool_calls": calls[:1]},
        answers[0],
        {"role": "assistant", "content": None, "tool_calls": calls[1:]},
        {"role": "tool", "tool_messages": answers[1:]},
    ]
    return {"info": {}, "tasks": [], "simulations": [{"id": "s", "task_id": 3, "trial": 1, "messages": messages}]}


def write_lines(path: Path, records: list[Any]) -> Path:
    """A file with one JSON value a line."""
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n")
    return path


def pi_session() -> list[Any]:
    """The lines of a session whose calls and answers have names of their own."""
    messages: list[Any] = [{"role": "user", "content": [{"type": "text", "text": STATES[0]}]}]
    for number, seen in enumerate(STATES[1:]):
        block = {"type": "toolCall", "id": f"c{number}", "name": "get", "arguments": {"order": f"W{number}"}}
        messages.append({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, block]})
        text = [{"type": "text", "text": seen}]
        messages.append({"role": "toolResult", "toolCallId": f"c{number}", "toolName": "get", "content": text})
    return [{"type": "session", "id": "s2"}, *({"type": "message", "message": message} for message in messages)]


def atif(name: str = "run") -> dict[str, Any]:
    """A trajectory in ATIF; its last call is made in one step with a second one that nobody answers by name."""
    steps: list[Any] = [
        {"step_id": 1, "source": "system", "message": "You help."},
        {"step_id": 2, "source": "user", "message": "Old words.", "is_copied_context": True},
        {"step_id": 3, "source": "user", "message": [{"type": "text", "text": STATES[0]}]},
    ]
    for number, seen in enumerate(STATES[1:]):
        calls = [{"tool_call_id": f"c{number}", "function_name": "get", "arguments": {"order": f"W{number}"}}]
        results = [{"source_call_id": f"c{number}", "content": seen}]
        steps.append(
            {
                "step_id": 4 + number,
                "source": "agent",
                "message": "",
                "tool_calls": calls,
                "observation": {"results": results},
            }
        )
    return {
        "schema_version": "ATIF-v1.7",
        "trajectory_id": name,
        "agent": {"name": "a", "version": "1"},
        "steps": steps,
    }


FILES: dict[str, tuple[str, list[Any]]] = {
    "openai lines": ("log.jsonl", [{"id": "one", "messages": conversation(["a", "b", "c"])}]),
    "anthropic lines": ("log.jsonl", [{"messages": anthropic()}]),
    "from and value": ("log.ndjson", [{"conversations": share_gpt()}]),
    "one conversation": ("log.json", [{"messages": conversation(["a", "b", "c"])}]),
    "a list of them": ("log.json", [[{"messages": conversation(["a", "b", "c"])}]]),
    "tau2-bench": ("results.json", [tau2()]),
    "session": (
        "session.jsonl",
        [{"type": "session", "harness": "h", "id": "s1"}, {"type": "model_change"}]
        + [{"type": "message", "message": message} for message in anthropic()],
    ),
    "a session of Pi": ("session.jsonl", pi_session()),
    "atif": ("run.json", [atif()]),
    "atif lines": ("runs.jsonl", [atif()]),
    "a name that says nothing": ("log.dat", [{"id": "one", "messages": conversation(["a", "b", "c"])}]),
    "trajectory": (
        "fix.traj",
        [{"trajectory": [{"action": c, "observation": s} for c, s in zip(CALLS, STATES[1:], strict=True)],
          "history": [{"role": "system", "content": "You fix."}, {"role": "user", "content": STATES[0]}]}],
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", FILES)
def test_every_layout_is_found_by_looking_into_the_file(layout: str, tmp_path: Path) -> None:
    name, records = FILES[layout]
    report = import_collection(tmp_path / "home", write_lines(tmp_path / name, records), "talk")
    assert (report.sequences, report.transitions, report.skipped) == (1, 3, ())
    (sequence,) = load_sequences(tmp_path / "home", "talk")
    assert [state.text for state in sequence.states] == STATES
    assert load_true_actions(tmp_path / "home", "talk") == {sequence.id: CALLS}


def test_a_file_of_many_conversations_keeps_the_good_ones(tmp_path: Path) -> None:
    good = {"messages": conversation(["a", "b", "c"])}
    path = write_lines(tmp_path / "log.jsonl", [good, {"rows": 3}, good])
    path.write_text(path.read_text() + "{broken\n")
    report = import_collection(tmp_path / "home", path, "talk")
    assert [sequence.id for sequence in load_sequences(tmp_path / "home", "talk")] == ["log-1-0", "log-3-0"]
    assert [item.where for item in report.skipped] == ["log.jsonl: line 2", "log.jsonl: line 4"]
    assert "known layout" in report.skipped[0].why and "not valid JSON" in report.skipped[1].why


def test_subagents_have_trajectories_of_their_own(tmp_path: Path) -> None:
    document = {**atif("outer"), "subagent_trajectories": [atif("inner")]}
    import_collection(tmp_path / "home", write_lines(tmp_path / "run.json", [document]), "talk")
    assert [sequence.id for sequence in load_sequences(tmp_path / "home", "talk")] == ["outer-0", "inner-0"]


def sample(messages: list[Any], **more: Any) -> bytes:
    """A sample of an evaluation."""
    return json.dumps({"id": "a", "epoch": 1, "messages": messages, **more}).encode()


def inspect_log(path: Path, members: dict[str, bytes], method: int) -> Path:
    """A log of Inspect, whose members are stored, deflated or, as zipfile cannot, packed with Zstandard."""
    packed = {name: zstandard(data) if method == 93 else data for name, data in members.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if method == 8 else zipfile.ZIP_STORED) as archive:
        for name, data in {"_journal/start.json": b"{}", **packed, "header.json": b"{}"}.items():
            archive.writestr(name, data)
        infos = archive.infolist()
        start = archive.start_dir
    if method == 93:
        raw, at = bytearray(path.read_bytes()), start
        for info in infos:
            if info.filename in members:
                for place in (info.header_offset + 8, at + 10):
                    raw[place : place + 2] = (93).to_bytes(2, "little")
                for place in (info.header_offset + 22, at + 24):
                    raw[place : place + 4] = len(members[info.filename]).to_bytes(4, "little")
            at += 46 + len(info.filename)
        path.write_bytes(raw)
    return path


def zstandard(data: bytes) -> bytes:
    """Data as a frame of Zstandard."""
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("method", [0, 8, 93])
def test_logs_of_inspect(tmp_path: Path, method: int) -> None:
    messages = conversation(["a", "b", "c"])
    messages[2]["content"] = "attachment://abc"
    members = {
        "samples/a_epoch_1.json": sample(messages, attachments={"abc": STATES[1]}),
        "samples/a_epoch_2.json": sample(conversation(["a", "a", "a"])),
        "samples/b_epoch_1.json": b"{broken",
        "samples/c_epoch_1.json": b'{"id": "c"}',
    }
    report = import_collection(tmp_path / "home", inspect_log(tmp_path / "run.eval", members, method), "talk")
    sequences = load_sequences(tmp_path / "home", "talk")
    assert [sequence.id for sequence in sequences] == ["a-epoch-1-0", "a-epoch-2-0"]
    assert all([state.text for state in sequence.states] == STATES for sequence in sequences)
    assert load_true_actions(tmp_path / "home", "talk")["a-epoch-2-0"] == CALLS
    assert ["cannot be read" in str(item) for item in report.skipped] == [True, False]
    assert str(report.skipped[1]) == "run.eval: c-epoch-1 has no messages, and is left out."


def test_a_log_of_inspect_that_is_cut_off(tmp_path: Path) -> None:
    path = inspect_log(tmp_path / "run.eval", {"samples/a_epoch_1.json": sample(conversation(["a", "b", "c"]))}, 93)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SwirlError, match="is not a complete log of Inspect"):
        import_collection(tmp_path / "home", path, "talk")


def test_gaps_are_reported_with_their_place(tmp_path: Path) -> None:
    messages = conversation(["a", "b", "c"])
    del messages[4]
    report = import_collection(tmp_path / "home", write_lines(tmp_path / "log.jsonl", [{"messages": messages}]), "talk")
    assert report.transitions == 1
    assert [item.where for item in report.skipped] == ["log.jsonl:1: log-1, message 5"]


@pytest.mark.parametrize(("name", "steps"), [("function_calling_simple.traj", 5), ("humanevalfix-python-0.traj", 4)])
def test_the_programs_own_files(name: str, steps: int, tmp_path: Path) -> None:
    source = DATA / "swe-agent" / name
    if not source.exists():
        pytest.skip(f"{source} is not there; set SWIRL_TOOL_LOGS to the folder of the benchmarks' files")
    report = import_collection(tmp_path / "home", source, "fix")
    assert (report.sequences, report.transitions) == (1, steps)
    calls = next(iter(load_true_actions(tmp_path / "home", "fix").values()))
    assert calls[0] in ('find_file(file_name="missing_colon.py")', "ls -a")
