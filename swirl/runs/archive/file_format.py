"""The format of an exported run: a zip file with run.json, settings.json, two JSONL files and the run's own files.

    run.json         the run, its phases, checkpoints, evaluations (with their results per transition), note and tags;
                     the experiment and cell that it is for; the SHA-256 of each member
    settings.json    its settings, as accepted by `swirl train --config`
    metrics.jsonl    [phase, step, name, value or null] per line
    rollouts.jsonl   [phase, step, state, next_state, action, samples, rewards, advantages] per line
    log.txt, media/  its log and pictures
    checkpoints/     the adapters of each checkpoint as safetensors, with their swirl.json

A checkpoint whose row in run.json has `"weights": false` is listed with its scores but has no files; an export of the
figures alone lists all of them so, and has neither rollouts, pictures nor a log.
Nothing in it is ever executed: pickles, such as an optimiser's state, are neither exported nor imported.
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
    (re.compile(r"run\.json"), 256 * MEGABYTE),
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
"""The allowed names of members, and the largest size of each in bytes."""
MAX_MEMBERS = 100_000
MAX_TOTAL_BYTES = 64 * 1024 * MEGABYTE


def max_member_bytes(name: str) -> int | None:
    """The largest allowed size of a member, in bytes; None if its name is not allowed."""
    return next((most for pattern, most in ALLOWED_MEMBERS if pattern.fullmatch(name)), None)


def checkpoint_folder(index: int, phase: str) -> str:
    """The path of a checkpoint in the file and in the run's folder."""
    return f"checkpoints/{index:02d}-{phase}"
