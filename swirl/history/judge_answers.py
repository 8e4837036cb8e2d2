"""A cache of the judge's answers, so that no question is paid for twice."""

from __future__ import annotations

from swirl.history.store import Store, utc_timestamp


class Judgements(Store):
    """The table `judgements`: one answer per hash of endpoint, model, prompt and pictures."""

    def save_judgement(self, key: str, model: str, answer: str) -> None:
        """Store the answer of `model` to the question with this hash, replacing an earlier one."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO judgements (key, model, answer, created) VALUES (?, ?, ?, ?)",
                [key, model, answer, utc_timestamp()],
            )

    def judgement(self, key: str) -> str | None:
        """The stored answer to the question with this hash, or None."""
        with self._reading() as db:
            row = db.execute("SELECT answer FROM judgements WHERE key = ?", [key]).fetchone()
        return row[0] if row else None
