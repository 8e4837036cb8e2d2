"""The file that holds a run: a zip file with run.json, settings.json, two JSONL files and the run's own files.

    run.json         what the run was, its phases, checkpoints, evaluations, note and tags; each member's SHA-256
    settings.json    its settings, as `swirl train --config` takes them
    metrics.jsonl    [phase, step, name, value or null] a line
    rollouts.jsonl   [phase, step, state, next_state, action, samples, rewards, advantages] a line
    log.txt, media/  its log and pictures
    checkpoints/     the adapters of each checkpoint as safetensors, with their swirl.json

Nothing in it is ever executed: pickles, such as an optimiser's state, are neither put in nor taken out.
"""

from __future__ import annotations

import re

FORMAT = 1
KIND = "swirl run"
SUFFIX = ".swirl.zip"
RUN_JSON, SETTINGS_JSON, METRICS_JSONL, ROLLOUTS_JSONL, LOG_FILE = (
    "run.json",
    "settings.json",
    "metrics.jsonl",
    "rollouts.jsonl",
    "log.txt",
)
MEGABYTE = 2**20
ALLOWED_MEMBERS = (
    (re.compile(r"run\.json"), 64 * MEGABYTE),
    (re.compile(r"settings\.json"), MEGABYTE),
    (re.compile(r"metrics\.jsonl"), 4096 * MEGABYTE),
    (re.compile(r"rollouts\.jsonl"), 4096 * MEGABYTE),
    (re.compile(r"log\.txt"), 256 * MEGABYTE),
    (re.compile(r"media/[\w-][\w.-]{0,99}\.(png|jpe?g|gif|webp)"), 64 * MEGABYTE),
    (re.compile(r"checkpoints/\d{2,6}-(warm-up|forward|inverse)/swirl\.json"), MEGABYTE),
    (re.compile(r"checkpoints/\d{2,6}-(warm-up|forward|inverse)/(fwm|idm)/adapter_config\.json"), MEGABYTE),
    (
        re.compile(r"checkpoints/\d{2,6}-(warm-up|forward|inverse)/(fwm|idm)/adapter_model\.safetensors"),
        16384 * MEGABYTE,
    ),
)
"""What a member may be called, and the most bytes it may have."""
MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 64 * 1024 * MEGABYTE


def max_member_bytes(name: str) -> int | None:
    """The most bytes that a member of this name may have; None when there is no place for it."""
    return next((most for pattern, most in ALLOWED_MEMBERS if pattern.fullmatch(name)), None)


def checkpoint_folder(index: int, phase: str) -> str:
    """Where a checkpoint lies in the file, and in the folder of the run."""
    return f"checkpoints/{index:02d}-{phase}"
