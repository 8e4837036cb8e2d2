"""Tool logs: reading both layouts into steps, importing them with their calls, and recording them as a world."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from swirl.errors import SwirlError, UsageError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.formats.tool_log_sequences import load_logs
from swirl.sources.formats.tool_logs import read_answer_tree
from swirl.worlds import registry
from swirl.worlds.base import episode_seed
from swirl.worlds.tool_log_world import shorten_message

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"
DATA = Path(os.environ.get("SWIRL_TOOL_LOGS", BESIDE))


def call(identity, name, **arguments):
    """An assistant's message with one call."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": identity, "function": function}]}


def answer(identity, text):
    """A tool's message."""
    return {"role": "tool", "tool_call_id": identity, "content": text}


TRAJECTORY = [
    {"role": "system", "content": "You are an agent."},
    {"role": "user", "content": "Hello, I am Mia."},
    call("a", "get_user", id="mia"),
    answer("a", '{"name": "Mia"}'),
    call("b", "think", thought="hm"),
    answer("b", ""),
    call("c", "get_order", number=7),
    answer("c", "no such order"),
    {"role": "user", "content": "Cancel it, then."},
    call("d", "cancel", number=7),
    answer("d", "cancelled"),
]


def node(kind, description, *children, observation=""):
    """A node of an answer tree."""
    return {"node_type": kind, "description": description, "observation": observation, "children": list(children)}


def tree(*children):
    """An answer file's document."""
    root = node("Action Input", "", *children)
    return {"answer_generation": {"query": "Find a cat."}, "tree": {"tree": root}}


def asked(tool, arguments, observation, *children):
    """A call with its response."""
    return node("Action", tool, node("Action Input", arguments, *children, observation=observation))


ANSWER = tree(
    asked(
        "search",
        '{"q": "cat"}',
        "two cats",
        node("Thought", "hm", asked("look", '{"id": 1}', "a grey cat", asked("Finish", "{}", "done"))),
        asked("look", "not json", "a red cat"),
    )
)


@pytest.fixture
def tau(tmp_path):
    """A file in tau-bench's layout: six tasks with two trials each."""
    records = [{"task_id": task, "trial": trial, "traj": TRAJECTORY} for task in range(6) for trial in range(2)]
    path = tmp_path / "tau.json"
    path.write_text(json.dumps(records))
    return path


def test_a_trajectory_is_split_at_user_messages(tau):
    first, second = read_logs(tau)[:2]
    assert (first.id, second.id) == ("task-0-trial-0-0", "task-0-trial-0-1")
    assert [(step.context, step.call, step.observation) for step in first.steps] == [
        ("Hello, I am Mia.", 'get_user(id="mia")', '{"name": "Mia"}'),
        ('{"name": "Mia"}', "get_order(number=7)", "no such order"),  # the answer to `think` was empty
    ]
    assert [(step.context, step.call) for step in second.steps] == [("Cancel it, then.", "cancel(number=7)")]
    assert second.steps[0].earlier[0] == ('get_user(id="mia")', '{"name": "Mia"}')


def test_each_call_of_a_tree_is_in_exactly_one_log(tmp_path):
    path = tmp_path / "7_DFS.json"
    path.write_text(json.dumps(ANSWER))
    first, second = read_answer_tree(path)
    assert [(step.context, step.call, step.observation) for step in first.steps] == [
        ("Find a cat.", 'search(q="cat")', "two cats"),
        ("two cats", "look(id=1)", "a grey cat"),
    ]
    assert [(step.context, step.call) for step in second.steps] == [("two cats", "look(not json)")]
    assert second.steps[0].earlier == (('search(q="cat")', "two cats"),)


def test_a_flat_chain_is_read_like_a_tree(tmp_path):
    chain = [node("Action", "search"), node("Action Input", '{"q": "cat"}', observation="two cats")]
    path = tmp_path / "7_CoT.json"
    path.write_text(json.dumps({"answer_generation": {"query": "Find a cat."}, "trys": [{"chain": chain}]}))
    assert [step.call for log in read_answer_tree(path) for step in log.steps] == ['search(q="cat")']


def read_logs(path):
    """The logs of a file whose layout is detected."""
    return load_logs(path, path)


@pytest.mark.parametrize("reader", [read_logs, read_answer_tree])
@pytest.mark.parametrize("text", ["[]", "{}", '[{"id": 1}]', "no json", None])
def test_other_files_give_one_sentence(tmp_path, reader, text):
    path = tmp_path / "file.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SwirlError, match=r"file\.json .*(needs|copy|check|choose)"):
        reader(path)


def test_a_tau_bench_log_is_not_a_toolbench_answer_and_may_have_no_calls(tmp_path, tau):
    with pytest.raises(SwirlError, match="not a ToolBench answer; it needs"):
        read_answer_tree(tau)
    tau.write_text('[{"task_id": 1, "traj": []}]')
    assert read_logs(tau) == ()


def test_an_import_hides_the_calls_and_reports_what_it_leaves_out(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "1.json").write_text(json.dumps(ANSWER))
    (folder / "2.json").write_text("{broken")
    report = import_collection(tmp_path / "home", folder, "cats")
    assert (report.sequences, report.transitions) == (2, 3)
    assert [item.where for item in report.skipped] == ["2.json"] and "not valid JSON" in report.skipped[0].why
    sequences = load_sequences(tmp_path / "home", "cats")
    assert [state.text for state in sequences[0].states] == ["Find a cat.", "two cats", "a grey cat"]
    assert load_true_actions(tmp_path / "home", "cats") == {
        "1-0": ['search(q="cat")', "look(id=1)"],
        "1-1": ["look(not json)"],
    }


def test_logs_are_recorded_like_a_world_and_held_out_by_task(tmp_path, tau):
    with registry.open_world("tau-bench", tau) as world:
        sides = {unseen: {log.id.split("-trial-")[0] for log in logs} for unseen, logs in world.logs.items()}
        assert sides[False] and sides[True] and not sides[False] & sides[True]
        assert world.episode(episode_seed(3, 0), 5) == world.episode(episode_seed(3, 0), 5)
    wanted = {"sequences": 4, "length": 5, "seed": 0, "source": tau}
    report = registry.record("tau-bench", tmp_path / "out", **wanted)
    assert report["sequences"] == 4 and (tmp_path / "out" / "actions.jsonl").exists()
    with pytest.raises(UsageError, match="ask for at most as many"):
        registry.record("tau-bench", tmp_path / "more", **(wanted | {"sequences": 500}))
    with pytest.raises(SwirlError, match="no toolbench log"):
        registry.record("toolbench", tmp_path / "other", **wanted)
    with pytest.raises(SwirlError, match="--from PATH"):
        registry.record("tau-bench", tmp_path / "none", sequences=1, length=1, seed=0)
    with pytest.raises(UsageError, match="omit --from"):
        registry.record("household", tmp_path / "none", **wanted)
    assert not (tmp_path / "none").exists()


def test_answers_are_shortened():
    assert shorten_message('{"a": {"b": 1, "c": true}, "d": [null, "x y"]}') == "a (b 1, c yes), d (none, x y)"
    assert shorten_message("two\n  words") == "two words"
    assert len(shorten_message("word " * 500)) < 210


@pytest.mark.parametrize(
    ("path", "reader", "calls"),
    [("tau-bench/gpt-4o-airline.json", read_logs, 1072), ("toolbench", read_answer_tree, 300),
     ("stabletoolbench", read_answer_tree, 39)],
)  # fmt: skip
def test_the_benchmarks_own_files(path, reader, calls):
    source = DATA / path
    if not source.exists():
        pytest.skip(f"{source} is not there; set SWIRL_TOOL_LOGS to the folder of the benchmarks' files")
    files = [source] if source.is_file() else sorted(source.rglob("*.json"))
    logs = [log for file in files for log in reader(file)]
    assert sum(len(log.steps) for log in logs) == calls
    for log in logs:
        assert all(before.observation == after.context for before, after in pairwise(log.steps))
