"""What transformers, diffusers and safetensors raise for a model that cannot be read, and its first line."""

from __future__ import annotations

from safetensors import SafetensorError

LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


def first_line(error: BaseException) -> str:
    """An error's first line, without a closing full stop."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")
