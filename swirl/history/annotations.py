"""What stands beside the runs: tags, resumptions, origins; and all runs' checkpoints at once, for a table of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from swirl.errors import UsageError
from swirl.history.records import Checkpoint, ImportOrigin, Resumption
from swirl.history.runs import VISIBLE, Runs

MAX_TAGS = 12
MAX_TAG_LENGTH = 40


class Annotations(Runs):
    """The tables `tags`, `resumptions` and `origins`."""

    def set_tags(self, run_id: str, tags: Iterable[str]) -> tuple[str, ...]:
        """Give a run these tags in place of its old ones, and return them as they are kept.

        Raises UsageError for a tag that is too long or holds a comma, and for too many of them.
        """
        kept = tidy_tags(tags)
        with self._writing() as db:
            self._require_run(db, run_id)
            db.execute("DELETE FROM tags WHERE run = ?", [run_id])
            db.conn.executemany("INSERT INTO tags (run, tag) VALUES (?, ?)", [(run_id, tag) for tag in kept])
        return kept

    def all_tags(self) -> list[str]:
        """Every tag that a run has, in alphabetical order."""
        with self._reading() as db:
            sql = f"SELECT DISTINCT tag FROM tags JOIN runs ON runs.id = tags.run WHERE {VISIBLE} ORDER BY tag"
            return [tag for (tag,) in db.execute(sql)]

    def resumptions(self, run_id: str) -> list[Resumption]:
        """When a run was resumed, oldest first."""
        with self._reading() as db:
            sql = "SELECT run, phase, step, created FROM resumptions WHERE run = ? ORDER BY id"
            return [Resumption(*row) for row in db.execute(sql, [run_id])]

    def origins(self) -> dict[str, ImportOrigin]:
        """Where each imported run came from, by its id here."""
        with self._reading() as db:
            return {row[0]: ImportOrigin(*row) for row in db.execute("SELECT run, file, id, created FROM origins")}

    def all_checkpoints(self, ids: Sequence[str] | None = None) -> dict[str, list[Checkpoint]]:
        """The checkpoints of all runs, or of those of `ids`, by run and in order; runs without one are left out."""
        among = "" if ids is None else f"WHERE run IN ({', '.join('?' * len(ids))})"
        sql = (
            'SELECT run, "index", name, iteration, phase, path, scores, best, created FROM checkpoints '
            f'{among} ORDER BY run, "index"'
        )
        found: dict[str, list[Checkpoint]] = {}
        with self._reading() as db:
            for row in db.execute(sql, list(ids or ())):
                checkpoint = Checkpoint(*row[:6], scores=json.loads(row[6]), best=bool(row[7]), created=row[8])
                found.setdefault(checkpoint.run, []).append(checkpoint)
        return found

    def status_counts(self) -> list[tuple[str, int, int]]:
        """Each status with its number of runs and the newest of them: it changes when a table of runs would.

        Three numbers a status, however many runs there are.
        """
        with self._reading() as db:
            sql = f"SELECT status, count(*), max(number) FROM runs WHERE {VISIBLE} GROUP BY status ORDER BY status"
            return [tuple(row) for row in db.execute(sql)]


def tidy_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags without needless spaces, each once, in alphabetical order. Raises UsageError for one that cannot be kept."""
    kept = sorted({" ".join(tag.split()) for tag in tags} - {""})
    for tag in kept:
        if len(tag) > MAX_TAG_LENGTH or "," in tag or not tag.isprintable():
            raise UsageError(f"A tag has at most {MAX_TAG_LENGTH} letters and no comma, unlike {tag[:60]!r}.")
    if len(kept) > MAX_TAGS:
        raise UsageError(f"A run has at most {MAX_TAGS} tags, and these are {len(kept)}; leave some out.")
    return tuple(kept)
