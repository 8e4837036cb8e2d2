"""The progress of requests in words, kept for the pages that have made them and ask how far they are."""

from __future__ import annotations

import threading
from collections import OrderedDict

from swirl.progress import ProgressCallback

MAX_TICKETS = 64
"""The most requests whose progress is kept."""


class ProgressWords:
    """The last words of progress by ticket, the browser's name for a request."""

    def __init__(self) -> None:
        self._words: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def callback(self, ticket: str) -> ProgressCallback:
        """A progress callback that keeps its words for this ticket."""

        def report(share: float, words: str) -> None:
            with self._guard:
                self._words[ticket] = words
                while len(self._words) > MAX_TICKETS:
                    self._words.popitem(last=False)

        return report

    def words(self, ticket: str) -> str:
        """The last words for this ticket; empty before the first."""
        with self._guard:
            return self._words.get(ticket, "")
