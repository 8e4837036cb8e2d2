"""The type of the function that long work calls to report its progress."""

from collections.abc import Callable

ProgressCallback = Callable[[float, str], None]
"""Called with the share of the work that is done, from 0 to 1, and a few words on the current step."""
