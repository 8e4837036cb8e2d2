"""The database schema as named migrations. A released migration is never edited; changes are appended as new ones.

sqlite-utils records the name and time of each in `_sqlite_migrations`, in the transaction that applies it.
"""

from __future__ import annotations

import json
import re

from sqlite_utils import Database, Migrations

from swirl.history.metric_bins import COUNT_ALL, COUNT_NEW, FINITE

MIGRATIONS = Migrations("swirl")


@MIGRATIONS()
def m001_runs(db: Database) -> None:
    """Runs, requests to them and notes on them. `number` orders runs that start in the same millisecond."""
    db.executescript("""
        CREATE TABLE runs (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            name TEXT,
            preset TEXT,
            settings TEXT NOT NULL,
            status TEXT NOT NULL,
            pid INTEGER,
            pid_started REAL,
            heartbeat TEXT,
            phase TEXT,
            phase_index INTEGER,
            step INTEGER,
            phase_steps INTEGER,
            seconds_left REAL,
            memory_bytes INTEGER,
            device TEXT,
            error TEXT,
            warning TEXT,
            parent TEXT REFERENCES runs (id) ON DELETE SET NULL,
            created TEXT NOT NULL,
            started TEXT,
            finished TEXT
        );
        CREATE INDEX runs_parent ON runs (parent);
        -- The last number given to a run of each data name: an id is never used twice, not even after a deletion.
        CREATE TABLE run_counters (
            stem TEXT PRIMARY KEY,
            last INTEGER NOT NULL
        );
        CREATE TABLE requests (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            kind TEXT NOT NULL,
            created TEXT NOT NULL,
            UNIQUE (run, kind)
        );
        CREATE TABLE notes (
            run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            text TEXT NOT NULL,
            updated TEXT NOT NULL
        );
    """)


@MIGRATIONS()
def m002_training(db: Database) -> None:
    """What a run records while it trains: phases, metrics, rollouts and checkpoints.

    AUTOINCREMENT never reuses an id and a replaced metric gets a new id, so `id > after` finds everything that changed.
    An index on `run` ends with the id, which makes this a range look-up however many rows there are.
    """
    db.executescript("""
        CREATE TABLE phases (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            "index" INTEGER NOT NULL,
            iteration INTEGER NOT NULL,
            direction TEXT NOT NULL,
            steps INTEGER NOT NULL,
            started TEXT NOT NULL,
            finished TEXT,
            PRIMARY KEY (run, "index")
        );
        CREATE TABLE metrics (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            phase INTEGER NOT NULL,
            step INTEGER NOT NULL,
            name TEXT NOT NULL,
            value REAL,
            UNIQUE (run, name, phase, step)
        );
        CREATE INDEX metrics_run ON metrics (run);
        CREATE TABLE rollouts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            phase INTEGER NOT NULL,
            step INTEGER NOT NULL,
            state TEXT NOT NULL,
            next_state TEXT NOT NULL,
            action TEXT NOT NULL,
            samples TEXT NOT NULL,
            rewards TEXT NOT NULL,
            advantages TEXT NOT NULL
        );
        CREATE INDEX rollouts_run ON rollouts (run, phase, step);
        CREATE TABLE checkpoints (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            "index" INTEGER NOT NULL,
            name TEXT NOT NULL,
            iteration INTEGER NOT NULL,
            phase TEXT NOT NULL,
            path TEXT NOT NULL,
            scores TEXT NOT NULL,
            best INTEGER NOT NULL DEFAULT 0,
            created TEXT NOT NULL,
            PRIMARY KEY (run, "index")
        );
    """)


@MIGRATIONS()
def m003_evaluations_and_collections(db: Database) -> None:
    """Evaluations (`run` is null for checkpoints that belong to no run) and the registered collections."""
    db.executescript("""
        CREATE TABLE evaluations (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            checkpoint TEXT NOT NULL,
            data TEXT NOT NULL,
            metrics TEXT NOT NULL,
            created TEXT NOT NULL
        );
        CREATE INDEX evaluations_run ON evaluations (run);
        CREATE INDEX evaluations_checkpoint ON evaluations (checkpoint, data);
        CREATE TABLE collections (
            name TEXT PRIMARY KEY,
            path TEXT NOT NULL,
            source TEXT NOT NULL,
            builtin INTEGER NOT NULL,
            fingerprint TEXT NOT NULL,
            sequences INTEGER NOT NULL,
            transitions INTEGER NOT NULL,
            has_actions INTEGER NOT NULL,
            created TEXT
        );
    """)


@MIGRATIONS()
def m004_control_room(db: Database) -> None:
    """The place of a run in the queue, and which rollouts were drawn on request."""
    db.executescript("""
        ALTER TABLE runs ADD COLUMN place REAL;
        ALTER TABLE rollouts ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
    """)


@MIGRATIONS()
def metric_bins(db: Database) -> None:
    """Bins of metric values: existing values are counted once, new ones as they are inserted."""
    db.executescript(f"""
        CREATE TABLE metric_bins (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            phase INTEGER NOT NULL,
            bin INTEGER NOT NULL,
            points INTEGER NOT NULL,
            total REAL NOT NULL,
            low REAL NOT NULL,
            high REAL NOT NULL,
            last INTEGER NOT NULL,
            PRIMARY KEY (run, name, phase, bin)
        ) WITHOUT ROWID;
        {COUNT_ALL.format(which="")};
        CREATE TRIGGER metrics_into_bins AFTER INSERT ON metrics WHEN NEW.value {FINITE} BEGIN
            {COUNT_NEW};
        END;
        CREATE INDEX runs_status ON runs (status);
    """)


@MIGRATIONS()
def tags_resumptions_origins(db: Database) -> None:
    """Tags, resumptions, and the origins of imported runs, for the table of runs.

    `hidden` lists the runs that are being deleted or imported, which happens in batches; they are invisible until it is
    complete. The process is recorded so that others can clean up if it dies.
    """
    db.executescript("""
        CREATE TABLE tags (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (run, tag)
        ) WITHOUT ROWID;
        CREATE TABLE resumptions (
            id INTEGER PRIMARY KEY,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            phase TEXT,
            step INTEGER,
            created TEXT NOT NULL
        );
        CREATE INDEX resumptions_run ON resumptions (run);
        CREATE TABLE origins (
            run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            file TEXT NOT NULL,
            id TEXT NOT NULL,
            created TEXT NOT NULL
        );
        CREATE TABLE hidden (
            run TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
            pid INTEGER NOT NULL,
            pid_started REAL NOT NULL
        );
    """)


@MIGRATIONS()
def hand_labels(db: Database) -> None:
    """Labels of a collection's transitions made by hand; `action` is null for skipped transitions.

    They are a person's work and remain when a collection is deleted; a new import of it has them again.
    """
    db.executescript("""
        CREATE TABLE hand_labels (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            data TEXT NOT NULL,
            sequence TEXT NOT NULL,
            step INTEGER NOT NULL,
            shows TEXT NOT NULL,
            action TEXT,
            created TEXT NOT NULL,
            UNIQUE (data, sequence, step)
        );
    """)


@MIGRATIONS()
def comparisons(db: Database) -> None:
    """Blind votes, health checks of a checkpoint's actions, and evaluation results per transition."""
    db.executescript("""
        CREATE TABLE preferences (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            data TEXT NOT NULL,
            sequence TEXT NOT NULL,
            step INTEGER NOT NULL,
            "left" TEXT NOT NULL,
            "right" TEXT NOT NULL,
            left_run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            right_run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'tie', 'skip')),
            created TEXT NOT NULL
        );
        CREATE INDEX preferences_data ON preferences (data, "left", "right");
        CREATE INDEX preferences_left_run ON preferences (left_run);
        CREATE INDEX preferences_right_run ON preferences (right_run);
        CREATE TABLE looks (
            checkpoint TEXT NOT NULL,
            data TEXT NOT NULL,
            run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            found TEXT NOT NULL,
            created TEXT NOT NULL,
            PRIMARY KEY (checkpoint, data)
        );
        CREATE INDEX looks_run ON looks (run);
        CREATE TABLE evaluation_cases (
            evaluation INTEGER PRIMARY KEY REFERENCES evaluations (id) ON DELETE CASCADE,
            cases TEXT NOT NULL
        );
    """)


@MIGRATIONS()
def judgements(db: Database) -> None:
    """A judge's answers by the hash of the question, so that nothing is paid for twice."""
    db.executescript("""
        CREATE TABLE judgements (
            key TEXT PRIMARY KEY,
            model TEXT NOT NULL,
            answer TEXT NOT NULL,
            created TEXT NOT NULL
        ) WITHOUT ROWID;
    """)


@MIGRATIONS()
def step_benchmarks(db: Database) -> None:
    """Benchmarks of a training step, so that versions of this program can be compared."""
    db.executescript("""
        CREATE TABLE step_benchmarks (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            title TEXT NOT NULL,
            version TEXT NOT NULL,
            machine TEXT NOT NULL,
            figures TEXT NOT NULL,
            created TEXT NOT NULL
        );
        CREATE INDEX step_benchmarks_title ON step_benchmarks (title, machine);
    """)


@MIGRATIONS()
def run_activity(db: Database) -> None:
    """The share of a run that is done, by time, and in words what it does between its steps."""
    for column, type_name in (("share_done", "REAL"), ("activity", "TEXT")):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column} {type_name}")


@MIGRATIONS()
def run_computing(db: Database) -> None:
    """The number format of a run's base model, and with how many threads it computes on a CPU."""
    for column, type_name in (("precision", "TEXT"), ("threads", "INTEGER")):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column} {type_name}")


@MIGRATIONS()
def advised_changes(db: Database) -> None:
    """Transitions that a run leaves out, and the settings that it advises to change.

    Until now these settings were found in the error's sentence, so those of earlier runs are taken from there.
    """
    for column in ("left_out", "advised_changes"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column} TEXT")
    advice = "%start another run like this with%"
    for run_id, error in db.execute("SELECT id, error FROM runs WHERE error LIKE ?", [advice]).fetchall():
        found = re.findall(r"\b((?:forward\.|inverse\.)?[a-z_]+)=([\w.+-]*\w)", error)
        changes = {name: number_or_text(value) for name, value in found}
        db.execute("UPDATE runs SET advised_changes = ? WHERE id = ?", [json.dumps(changes), run_id])


@MIGRATIONS()
def experiments(db: Database) -> None:
    """Experiments: their plans, the process that carries one out, and which run belongs to which cell of the grid."""
    db.executescript("""
        CREATE TABLE experiments (
            name TEXT PRIMARY KEY,
            "plan" TEXT NOT NULL,
            pid INTEGER,
            pid_started REAL,
            activity TEXT,
            error TEXT,
            created TEXT NOT NULL,
            finished TEXT
        ) WITHOUT ROWID;
        CREATE TABLE experiment_runs (
            experiment TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
            cell TEXT NOT NULL,
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            PRIMARY KEY (experiment, cell)
        ) WITHOUT ROWID;
        CREATE INDEX experiment_runs_run ON experiment_runs (run);
    """)


@MIGRATIONS()
def held_out_probes(db: Database) -> None:
    """What the held-out probe of a run says of its reward, and why a run ended itself early."""
    for column in ("probe_outcome", "probe_verdict", "ended_early"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {column} TEXT")


@MIGRATIONS()
def run_parallelism(db: Database) -> None:
    """How the processes of a run really share its work."""
    db.execute("ALTER TABLE runs ADD COLUMN parallelism TEXT")


@MIGRATIONS()
def run_rollout_engine(db: Database) -> None:
    """What samples the rollouts of a run."""
    db.execute("ALTER TABLE runs ADD COLUMN rollout_engine TEXT")


@MIGRATIONS()
def evaluated_parts(db: Database) -> None:
    """The part of a collection that an evaluation is of, and whether the run made it itself at its end."""
    db.execute("ALTER TABLE evaluations ADD COLUMN part TEXT")
    db.execute("ALTER TABLE evaluations ADD COLUMN at_end INTEGER NOT NULL DEFAULT 0")


@MIGRATIONS()
def experiment_part(db: Database) -> None:
    """The part of its grid that an experiment's process carries out, as JSON; NULL for all of it."""
    db.execute("ALTER TABLE experiments ADD COLUMN part TEXT")


@MIGRATIONS()
def collection_contents(db: Database) -> None:
    """A digest of what each collection contains, and since when its name stands for that; NULL if it always did."""
    db.execute("CREATE TABLE collection_contents (name TEXT PRIMARY KEY, digest TEXT NOT NULL, since TEXT)")


def number_or_text(value: str) -> float | str:
    """A value from a sentence as a number if it is one."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


# The names of all migrations: on an empty database, all of them are pending.
MIGRATION_NAMES = frozenset(step.name for step in MIGRATIONS.pending(Database(memory=True)))
