"""Where states are too long for a run, the Train page says so and offers the limits that take most of them."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.components.shared.run_header import header_parts
from studio.components.train.start_form import check_form, initial_form
from studio.services.history_store import history
from studio.view_models.advised_settings import describe_limits, format_assignments
from studio.view_models.formatting import format_percent
from studio.view_models.start_form import field_values
from swirl.settings import Settings
from swirl.sources.collections.importing import import_collection
from swirl.training.length_check import check_lengths


def offered(parts: dict[str, str]) -> dict[str, dict[str, str]]:
    """The buttons below the verdicts: label to the values that it puts into the fields."""
    buttons = re.findall(r'data-use="([^"]+)">([^<]+)</button>', parts["fitting"])
    return {label: json.loads(html.unescape(values)) for values, label in buttons}


def check(home: Path, settings: Settings) -> dict[str, str]:
    return answer(home, settings)["parts"]


def answer(home: Path, settings: Settings) -> dict[str, Any]:
    """What the check of the form answers."""
    return check_form(home, {"values": field_values(settings) | {"labels": settings.labels or ""}})


def trouble(home: Path, run_id: str) -> str:
    run = history(home).run(run_id)
    return header_parts(run, Settings(), [], sequences=None, step_seconds=None, now=datetime.now(UTC))["trouble"]


def test_the_limits_are_named_in_words() -> None:
    assert describe_limits({"max_state_tokens": 900}) == "Take 900 tokens a state"
    assert describe_limits({"max_prompt_tokens": 4000}) == "Take 4000 tokens a prompt"
    both = {"max_state_tokens": 900, "max_prompt_tokens": 4000}
    assert describe_limits(both) == "Take 900 tokens a state and 4000 a prompt"
    assert (
        describe_limits(both | {"max_action_tokens": 40}) == "Take 900 tokens a state, 4000 a prompt and 40 an action"
    )
    assert describe_limits({}) == describe_limits({"accumulation": 4, "max_state_tokens": 9}) == ""
    assert format_assignments({"reward_clamp": None, "learning_rate": 2e-05}) == "reward_clamp=none, learning_rate=2e-5"


def test_before_the_start_a_button_sets_a_limit_that_fits(home: Path, tiny_base: Path) -> None:
    settings = Settings(model=str(tiny_base), data="walks", max_state_tokens=2, device="cpu")
    parts = check(home, settings)
    assert "No transition is short enough to train on" in parts["before"]
    ((label, values),) = offered(parts).items()
    assert label == f"Take {values['max_state_tokens']} tokens a state"
    after = settings.replace(values)
    assert check_lengths(home, after, tiny_base) is None
    parts = check(home, after)
    assert offered(parts) == {} and "tokens" not in parts["before"]


def test_a_share_that_is_left_out_is_a_warning(tmp_path: Path, tiny_base: Path) -> None:
    source = tmp_path / "talk.jsonl"
    rows = [{"id": f"s{n}", "states": ["hall " * n, "hall " * n + "lit"]} for n in range(1, 41)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_collection(tmp_path / "home", source, "talk")
    settings = Settings(model=str(tiny_base), data="talk", max_state_tokens=20, device="cpu")
    left_out = check_lengths(tmp_path / "home", settings, tiny_base)
    assert left_out is not None and 0 < left_out.too_long < left_out.total
    parts = check(tmp_path / "home", settings)
    share = format_percent(left_out.too_long / left_out.total)
    assert 'class="verdict inverse"' in parts["before"]
    assert f"{share} of the transitions are too long and are left out" in parts["before"]
    assert list(offered(parts)) == [f"Take {left_out.suggested_limits['max_state_tokens']} tokens a state"]
    parts = check(tmp_path / "home", settings.replace(left_out.suggested_limits))
    assert "of the transitions are too long" in parts["before"] and offered(parts) == {}


def test_labels_that_are_too_long_are_told_before_the_start(home: Path, tiny_base: Path, tmp_path: Path) -> None:
    actions = ["go", *["walk slowly to the hall and wait there"] * 3]
    rows = [{"state": "hall", "action": action, "next_state": "hall lit"} for action in actions]
    file = tmp_path / "my.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = Settings(model=str(tiny_base), data="walks", labels=str(file), max_action_tokens=4, device="cpu")
    parts = check(home, settings)
    assert f"{format_percent(0.75)} of the labels are too long and are left out" in parts["before"]
    ((label, values),) = offered(parts).items()
    assert label == f"Take {values['max_action_tokens']} tokens an action"
    parts = check(home, settings.replace(values))
    assert "of the labels" not in parts["before"] and offered(parts) == {}
    file.write_text('{"state": 3}\n')
    errors = answer(home, settings)["errors"]
    assert set(errors) == {"labels"} and "my.jsonl" in errors["labels"]


def test_a_failed_run_offers_the_limit_and_opens_the_form_with_it(home: Path) -> None:
    past, settings = history(home), Settings(data="walks", max_state_tokens=16)
    run = past.create_run(preset=None, settings=settings.to_dict())
    past.update_run(run, status="failed", error="No transition is short.", advised_changes={"max_state_tokens": 57})
    assert f'href="train?new=1&amp;from={run}&amp;set=max_state_tokens=57">Take 57 tokens a state</a>' in trouble(
        home, run
    )
    assert initial_form(home, {"from": run, "set": "max_state_tokens=57"})["values"]["max_state_tokens"] == "57"


def test_a_run_that_leaves_much_out_says_so_while_it_trains(home: Path) -> None:
    past = history(home)
    run = past.create_run(preset=None, settings=Settings(data="walks").to_dict())
    past.update_run(run, status="running")
    assert trouble(home, run) == ""
    past.update_run(run, left_out="3 of 6 transitions are too long.", advised_changes={"max_state_tokens": 900})
    assert 'class="notice">3 of 6 transitions are too long.' in trouble(home, run)
    assert "Take 900 tokens a state" in trouble(home, run)


def test_without_the_tokenizer_the_form_repeats_what_an_earlier_run_found(home: Path) -> None:
    past, settings = history(home), Settings(model="Qwen/Qwen2.5-0.5B-Instruct", data="walks", max_state_tokens=16)
    assert offered(check(home, settings)) == {}
    run = past.create_run(preset=None, settings=settings.to_dict())
    past.update_run(run, status="failed", error="Nothing is short.", advised_changes={"max_state_tokens": 57})
    parts = check(home, settings)
    assert f"{run} found: Nothing is short." in parts["before"]
    assert offered(parts)["Take 57 tokens a state"] == {"max_state_tokens": "57"}
    assert "Nothing is short." not in check(home, settings.replace({"max_state_tokens": 57}))["before"]
    # Advice to take less, after memory ran out, is not about states that are too long.
    past.update_run(run, advised_changes={"max_state_tokens": 8})
    assert offered(check(home, settings.replace({"max_state_tokens": 4}))) == {}
