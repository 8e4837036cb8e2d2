"""Settings that a run or a check advises to change, in the words of the buttons that take them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.view_models.start_form import format_setting

TOKEN_LIMITS = {"max_state_tokens": "a state", "max_prompt_tokens": "a prompt", "max_action_tokens": "an action"}


def format_assignments(changes: Mapping[str, Any], separator: str = ", ") -> str:
    """The changes as NAME=VALUE: `accumulation=8, group_size=4`."""
    return separator.join(f"{name}={format_setting(value)}" for name, value in changes.items())


def describe_limits(changes: Mapping[str, Any]) -> str:
    """`Take 900 tokens a state and 2048 a prompt`; empty if other settings than the token limits are to be changed."""
    if not changes or not changes.keys() <= TOKEN_LIMITS.keys():
        return ""
    first, *others = [f"{value} {TOKEN_LIMITS[name]}" for name, value in changes.items()]
    limits = [first.replace(" ", " tokens ", 1), *others]
    return "Take " + " and ".join(limits if len(limits) < 3 else [", ".join(limits[:-1]), limits[-1]])
