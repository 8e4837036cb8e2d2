"""Command-line arguments that several commands share."""

from __future__ import annotations

import argparse

CHECKPOINT_NAMES = "path, shipped name (tiny-household, tiny-blocks), RUN[@iteration], or hub:OWNER/NAME"


def add_json(command: argparse.ArgumentParser) -> None:
    """Add `--json`, which prints the result as one JSON document."""
    command.add_argument("--json", action="store_true", help="print one JSON document on standard output")


def add_figures_only(command: argparse.ArgumentParser) -> None:
    """Add `--figures-only`, which exports runs without what is large."""
    command.add_argument(
        "--figures-only",
        action="store_true",
        help="leave out weights, rollouts, pictures and the log: 10 to 80 kB, to look at and compare, but not to load",
    )


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the checkpoint to load, and the device to load it on."""
    command.add_argument("checkpoint", metavar="CHECKPOINT", help=CHECKPOINT_NAMES)
    add_device(command)


def add_device(command: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    command.add_argument(
        "--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="device to compute on (default: auto)"
    )


def add_seed(command: argparse.ArgumentParser, effect: str) -> None:
    """Add `--seed`, which defaults to 0; `effect` says what stays the same under the same seed."""
    command.add_argument("--seed", metavar="S", type=int, default=0, help=f"random seed; {effect} (default: 0)")


def positive_integer(text: str) -> int:
    """Parse a whole number above 0; argparse reports anything else as a usage error."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return number
