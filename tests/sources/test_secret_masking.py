"""Keys, tokens and passwords in agents' logs are masked, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import import_collection, load_sequences
from swirl.sources.secret_masking import mask_secrets

# Put together here, so that no file of the project looks as if it held a secret.
KEY = "sk-" + "a1B2" * 8
SECRETS = [
    KEY,
    "sk-ant-api03-" + "Zx9_" * 8,
    "ghp_" + "a1B2c3" * 6,
    "github_pat_" + "a1B2c3_" * 5,
    "hf_" + "aBcDeF" * 6,
    "AKIA" + "ABCD1234" * 2,
    "xoxb-" + "1234567890-abc",
    "eyJ" + "hbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".SflKxwRJSMeKKF2QT4",
    "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE\nabc\n-----END RSA PRIVATE " + "KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_masked_wherever_they_stand(secret: str) -> None:
    assert mask_secrets(f"the key is {secret}\nand that is all") == ("the key is [masked]\nand that is all", 1)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [masked]"),
        ('{"api_key": "q8w7e6r5t4y3"}', '{"api_key": "[masked]"}'),
        ("PASSWORD=hunter2hunter2 make", "PASSWORD=[masked] make"),
        ("git clone https://ann:s3cr3tpw@host/repo", "git clone https://[masked]@host/repo"),
    ],
)
def test_values_that_are_announced_are_masked(text: str, masked: str) -> None:
    assert mask_secrets(text) == (masked, 1)


@pytest.mark.parametrize(
    "text",
    [
        "password: required", "api_key = os.environ", "the secret of the castle", "sk-learn is a package",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b", "secret_token_name=None", "https://host:8080/path",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert mask_secrets(text) == (text, 0)


def test_an_import_masks_states_and_calls_and_counts(tmp_path: Path) -> None:
    function = {"name": "login", "arguments": json.dumps({"key": KEY})}
    messages = [
        {"role": "user", "content": f"my key is {KEY}"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": function}]},
        {"role": "tool", "tool_call_id": "a", "content": f"ok, {KEY}"},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"messages": messages}))
    report = import_collection(tmp_path / "home", path, "talk")
    assert [str(item) for item in report.skipped] == [
        "log.jsonl has 3 passages that look like keys or tokens, masked as [masked]."
    ]
    (sequence,) = load_sequences(tmp_path / "home", "talk")
    assert [state.text for state in sequence.states] == ["my key is [masked]", "ok, [masked]"]
    assert load_true_actions(tmp_path / "home", "talk") == {sequence.id: ['login(key="[masked]")']}
    assert all(KEY not in file.read_text() for file in (tmp_path / "home" / "collections" / "talk").glob("*.json*"))
