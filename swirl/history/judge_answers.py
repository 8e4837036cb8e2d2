"""Answers of a judge that were paid for once, kept for the next time the same is asked."""

from __future__ import annotations

from swirl.history.store import Store, utc_timestamp


class Judgements(Store):
    """The table `judgements`: an answer for each hash of endpoint, model, prompt and pictures."""

    def save_judgement(self, key: str, model: str, answer: str) -> None:
        """Keep what `model` answered to the question with this hash, in place of an earlier answer."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO judgements (key, model, answer, created) VALUES (?, ?, ?, ?)",
                [key, model, answer, utc_timestamp()],
            )

    def judgement(self, key: str) -> str | None:
        """The answer that is kept for the question with this hash; None where it was never asked."""
        with self._reading() as db:
            row = db.execute("SELECT answer FROM judgements WHERE key = ?", [key]).fetchone()
        return row[0] if row else None
