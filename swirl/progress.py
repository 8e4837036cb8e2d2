"""The type of the function that long work calls to report its progress, and the time left in words."""

from collections.abc import Callable

ProgressCallback = Callable[[float, str], None]
"""Called with the share of the work that is done, from 0 to 1, and a few words on the current step."""


def describe_seconds(seconds: float) -> str:
    """`40 s`, `2.5 min`, `12 min` or `1.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    value, unit = (seconds / 60, "min") if seconds < 90 * 60 else (seconds / 3600, "h")
    return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
