"""The ways to say an action: each has a standard wording and others that mean the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache


class Wordings:
    """A world's wordings, from templates such as `take the {noun}`.

    `templates` maps the template of each standard wording to all templates of that action, itself first. `fields` gives
    the pattern of each field in braces, such as `{"noun": r"\\w+"}`.
    """

    def __init__(self, templates: Mapping[str, Sequence[str]], fields: Mapping[str, str]) -> None:
        self.templates = templates
        self._patterns = [
            (re.compile(_pattern(wording, fields)), standard)
            for standard, wordings in templates.items()
            for wording in wordings
        ]
        self.standard = cache(self._standard)

    def _standard(self, action: str) -> str:
        """The standard wording of an action; words that match no template are returned as they are."""
        return self._match(action)[1]

    def all_of(self, action: str) -> list[str]:
        """All wordings of an action, the standard one first; words that match no template only as they are."""
        template, standard, values = self._match(action)
        return [wording.format(**values) for wording in self.templates.get(template, [standard])]

    def _match(self, action: str) -> tuple[str, str, dict[str, str]]:
        """The template of an action's standard wording, that wording, and the values of its fields."""
        for pattern, template in self._patterns:
            if match := pattern.fullmatch(action):
                return template, template.format(**match.groupdict()), match.groupdict()
        return "", action, {}


def _pattern(wording: str, fields: Mapping[str, str]) -> str:
    return wording.format(**{name: f"(?P<{name}>{pattern})" for name, pattern in fields.items()})
