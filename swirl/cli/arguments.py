"""Arguments that several commands share."""

from __future__ import annotations

import argparse

CHECKPOINT_NAMES = "a path, a shipped name, RUN[@iteration], or hub:OWNER/NAME"


def add_json(command: argparse.ArgumentParser) -> None:
    """The switch that turns a command's result into one JSON document."""
    command.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """The trained model that a command works with, and where to compute."""
    command.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="a path, a shipped name (tiny-household), RUN[@iteration] or hub:OWNER/NAME",
    )
    command.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="where to compute")


def positive_integer(text: str) -> int:
    """A whole number above 0, else argparse's usage error."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
