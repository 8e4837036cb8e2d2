"""Masks what looks like a key, a token or a password in agents' logs, which are often shared as they are."""

from __future__ import annotations

import re

MASK = "[masked]"
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"  # PEM
    r"|\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and others
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}|\bglpat-[A-Za-z0-9_-]{20,}"
    r"|\bhf_[A-Za-z0-9]{30,}|\bAIza[A-Za-z0-9_-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web tokens
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*"
    r"|(?<=://)[^\s/:@]+:[^\s/@]{3,}(?=@)",  # a login in an address
    re.DOTALL,
)
ASSIGNED = re.compile(
    r"((?:api|access|secret|private|auth)[_-]?(?:key|token)|passw(?:or)?d|secret)(\"?\s*[:=]\s*\"?)([^\s\"',;]{8,})",
    re.IGNORECASE,
)
"""A name that announces a secret, and its value."""


def mask_secrets(text: str) -> tuple[str, int]:
    """The text with every passage that looks like a secret replaced by MASK, and the number of these."""
    text, found = SECRETS.subn(MASK, text)
    masked = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal masked
        value = match[3]
        # A word such as `required` or a variable's name is no secret.
        if MASK in value or not (re.search(r"\d", value) and re.search(r"[A-Za-z]", value)):
            return match[0]
        masked += 1
        return f"{match[1]}{match[2]}{MASK}"

    return ASSIGNED.sub(replace, text), found + masked
