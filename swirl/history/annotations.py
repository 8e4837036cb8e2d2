"""Tags, resumptions and origins of runs, and the checkpoints and counts that the table of runs shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swirl.errors import UsageError
from swirl.history.records import Checkpoint, ImportOrigin, Resumption
from swirl.history.runs import VISIBLE, Runs
from swirl.history.training_log import CHECKPOINT_COLUMNS, as_checkpoint

MAX_TAGS = 12
MAX_TAG_LENGTH = 40


class Annotations(Runs):
    """The tables `tags`, `resumptions` and `origins`."""

    def set_tags(self, run_id: str, tags: Iterable[str]) -> tuple[str, ...]:
        """Replace the tags of a run and return them as stored.

        Raises UsageError for a tag that is too long or contains a comma, and for too many tags.
        """
        tidied = tidy_tags(tags)
        with self._writing() as db:
            self._require_run(db, run_id)
            db.execute("DELETE FROM tags WHERE run = ?", [run_id])
            db.conn.executemany("INSERT INTO tags (run, tag) VALUES (?, ?)", [(run_id, tag) for tag in tidied])
        return tidied

    def all_tags(self) -> list[str]:
        """The tags of all runs, in alphabetical order."""
        with self._reading() as db:
            sql = f"SELECT DISTINCT tag FROM tags JOIN runs ON runs.id = tags.run WHERE {VISIBLE} ORDER BY tag"
            return [tag for (tag,) in db.execute(sql)]

    def resumptions(self, run_id: str) -> list[Resumption]:
        """The resumptions of a run, oldest first."""
        with self._reading() as db:
            sql = "SELECT run, phase, step, created FROM resumptions WHERE run = ? ORDER BY id"
            return [Resumption(*row) for row in db.execute(sql, [run_id])]

    def origins(self) -> dict[str, ImportOrigin]:
        """The origin of each imported run, by its id."""
        with self._reading() as db:
            return {row[0]: ImportOrigin(*row) for row in db.execute("SELECT run, file, id, created FROM origins")}

    def run_ids(self) -> list[str]:
        """The ids of all runs, newest first."""
        with self._reading() as db:
            return [run_id for (run_id,) in db.execute(f"SELECT id FROM runs WHERE {VISIBLE} ORDER BY number DESC")]

    def all_checkpoints(self, ids: Sequence[str] | None = None) -> dict[str, list[Checkpoint]]:
        """The checkpoints of all runs, or of those in `ids`, by run and in order; runs without any are left out."""
        among = "" if ids is None else f"WHERE run IN ({', '.join('?' * len(ids))})"
        sql = f'SELECT {CHECKPOINT_COLUMNS} FROM checkpoints {among} ORDER BY run, "index"'
        found: dict[str, list[Checkpoint]] = {}
        with self._reading() as db:
            for row in db.execute(sql, list(ids or ())):
                checkpoint = as_checkpoint(row)
                found.setdefault(checkpoint.run, []).append(checkpoint)
        return found

    def status_counts(self) -> list[tuple[str, int, int]]:
        """Each status with its number of runs and the number of its newest run.

        The result changes when a table of runs would, and is small however many runs there are.
        """
        with self._reading() as db:
            sql = f"SELECT status, count(*), max(number) FROM runs WHERE {VISIBLE} GROUP BY status ORDER BY status"
            return [tuple(row) for row in db.execute(sql)]


def tidy_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Normalise tags: single spaces, no duplicates, in alphabetical order. Raises UsageError for invalid tags."""
    tidied = sorted({" ".join(tag.split()) for tag in tags} - {""})
    for tag in tidied:
        if len(tag) > MAX_TAG_LENGTH or "," in tag or not tag.isprintable():
            raise UsageError(f"The tag {tag[:60]!r} is not valid; use up to {MAX_TAG_LENGTH} characters and no comma.")
    if len(tidied) > MAX_TAGS:
        raise UsageError(f"A run can have at most {MAX_TAGS} tags, not {len(tidied)}; leave some out.")
    return tuple(tidied)
