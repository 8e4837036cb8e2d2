"""The exceptions that transformers, diffusers and safetensors raise for a model that cannot be read."""

from __future__ import annotations

from safetensors import SafetensorError

LOADING_ERRORS = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)
