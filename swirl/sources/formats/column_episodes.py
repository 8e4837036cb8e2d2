"""Reads sequences of tables stored by column: Parquet and Arrow, as Hugging Face datasets are kept.

A row is a state, which belongs to an episode and has a place in it, or a whole sequence: a list of states, or a film.
Rows may lie in any order. A table is read twice: for the order of its rows, and for what is in them.
"""

from __future__ import annotations

import io
import re
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import Entry
from swirl.sources.formats.column_cells import CellReader
from swirl.sources.formats.column_files import BATCH_ROWS, INDEX_ROWS, TEXT_ROWS, open_columns
from swirl.sources.formats.column_layout import ColumnLayout, find_layout
from swirl.sources.formats.column_pictures import cell_bytes, cell_frame
from swirl.sources.formats.content import Source, detect_head
from swirl.sources.formats.episodes import Episode, describe_actions, episode_clips, text_episodes
from swirl.sources.formats.frame_clips import Clip, summarize_names
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.row_order import Restarts, RowOrder, are_steps, name_key, named_runs, split_at_gaps
from swirl.sources.formats.sequence_columns import LOOKED_AT, as_number, holds_steps, mixed_rows_error
from swirl.sources.formats.still_images import PICTURE_SUFFIXES, Frame
from swirl.sources.formats.video import VIDEO_SUFFIXES, video_clips
from swirl.sources.reading import DOCUMENTATION_STEMS, READERS, natural_sort_key
from swirl.sources.text_lines import Meter
from swirl.sources.validation import LocatedSequence, Mark, Skipped, UnusableError

if TYPE_CHECKING:
    import pyarrow

TABLE_SUFFIXES = (".parquet", ".arrow", ".feather")
PROGRESS_SEQUENCES = 16
"""Sequences between two reports of progress."""
Item = Clip | LocatedSequence | Skipped | Mark


@dataclass(frozen=True)
class Table:
    """A file of a dataset and the part of the dataset, such as `train`, that it belongs to."""

    path: Path
    name: str
    part: str


def is_columns(source: Source) -> bool:
    """Whether a source is a table stored by column, or a folder of such tables."""
    if not source.is_folder:
        return source.suffix in TABLE_SUFFIXES
    return bool(find_tables(source))


def find_tables(source: Source) -> list[Table]:
    """The tables of a source in natural order, without those that a library cached beside them."""
    path = source.path
    if not source.is_folder:
        return [Table(path, path.name, "")]
    files = [file for file in source.files if file.suffix.lower() in TABLE_SUFFIXES]
    files = [file for file in files if not file.name.startswith(("cache-", "tmp"))]
    names = {file: file.relative_to(path).as_posix() for file in files}
    return [
        Table(file, names[file], part_name(names[file]))
        for file in sorted(files, key=lambda f: natural_sort_key(names[f]))
    ]


def part_name(name: str) -> str:
    """The part of a dataset that a file belongs to: its name without the number of the shard.

    The library `datasets` writes a hash behind it: `train-00000-of-00002-566cc9b19d7203f8.parquet`.
    """
    stem = PurePosixPath(name).with_suffix("").as_posix()
    stem = re.sub(r"[-_.]?\d+(-of-\d+(-[0-9a-f]+)?)?$", "", stem)
    parts = [part for part in stem.split("/") if part not in ("data", "")]
    return "/".join(parts)


def column_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Item]:
    """Yield the sequences of a table or a folder of tables, what is left out, and marks to go on from.

    Raises SwirlError if no table can be read, or if it cannot be told which columns hold what.
    """
    tables, layout, left_out = usable_tables(source, options)
    if start is None:
        yield from left_out
        yield from (Skipped(source.path.name, note) for note in layout.notes)
    read = row_sequences if layout.is_row_sequence else row_states
    yield from read(source, tables, layout, options, progress, start)


def column_outline(source: Source, options: ImportOptions) -> Outline:
    """The sequences of tables whose rows are states; of others their number is not known before they are read.

    Raises SwirlError as `column_clips` does.
    """
    tables, layout, _ = usable_tables(source, options)
    if layout.is_row_sequence:
        parts = f"{len(tables)} table{'s' * (len(tables) > 1)}"
        return Outline(None, cameras=layout.cameras, parts=parts, can_jump=False)
    order = order_rows(source, tables, layout)
    runs = [
        part
        for rows, places in order.rows.sequences()
        for part in split_at_gaps(rows, places, order.width, order.cuts(rows))
        if not isinstance(part, str)
    ]
    step = options.episode_step(None)
    lengths = tuple(-(-len(rows) // step) for _, rows in runs if len(rows) > step)
    return Outline(len(lengths), lengths, layout.cameras)


def usable_tables(source: Source, options: ImportOptions) -> tuple[list[Table], ColumnLayout, list[Skipped]]:
    """The tables that can be read, what their columns hold, and the tables that are left out.

    Raises SwirlError if there is none, or if it cannot be told which columns hold what.
    """
    tables = find_tables(source)
    usable: list[Table] = []
    layout: ColumnLayout | None = None
    left_out: list[Skipped] = []
    for table in tables:
        try:
            with open_columns(table.path) as opened:
                schema, first = opened.schema, next(opened.batches(opened.schema.names, BATCH_ROWS, 0), None)
        except UnusableError as problem:
            left_out.append(Skipped(table.name, str(problem)))
            continue
        try:
            layout = layout or find_layout(schema, sample_row(first), options, partial(first_rows, table))
        except UnusableError as problem:
            raise SwirlError(f"{source.path} {str(problem).rstrip('.')}.") from problem
        needed = (*layout.columns, layout.episode, layout.order)
        if missing := [name for name in needed if name and name not in schema.names]:
            left_out.append(Skipped(table.name, f"lacks the column {missing[0]}, and is left out"))
        else:
            usable.append(table)
    left_out += missing_shards(tables)
    if source.is_folder:
        left_out += other_files(source, tables)
    if layout is None:
        problem = left_out[0] if left_out else "it holds no table"
        raise SwirlError(f"{source.path} cannot be imported: {str(problem).rstrip('.')}.")
    return usable, layout, left_out


def missing_shards(tables: Sequence[Table]) -> list[Skipped]:
    """What is missing of tables that say how many they are, such as `train-00000-of-00005`."""
    found: dict[str, set[int]] = {}
    totals: dict[str, int] = {}
    for table in tables:
        if match := re.search(r"(.*?)-?(\d{4,6})-of-(\d{4,6})", table.name):
            found.setdefault(match[1], set()).add(int(match[2]))
            totals[match[1]] = int(match[3])
    return [
        Skipped(name or "the dataset", f"has {len(numbers)} of its {totals[name]} files; copy the others, too")
        for name, numbers in found.items()
        if len(numbers) < totals[name]
    ]


def other_files(source: Source, tables: Sequence[Table]) -> list[Skipped]:
    """Files beside the tables that might be meant, too."""
    taken = {table.path for table in tables}
    others = [
        file.name
        for file in source.files
        if file not in taken
        and file.suffix.lower() in READERS.keys() | PICTURE_SUFFIXES | VIDEO_SUFFIXES
        and file.stem.lower() not in DOCUMENTATION_STEMS | {"dataset_info", "state", "dataset_dict", "metadata"}
        and not file.name.startswith(("cache-", "tmp"))
    ]
    verb = "is" if len(others) == 1 else "are"
    return [Skipped(summarize_names(others), f"{verb} beside the tables, and not read")] if others else []


def sample_row(batch: pyarrow.RecordBatch | None) -> dict[str, Any]:
    """The first cell of each column that is not empty, of the first rows of a table."""
    rows = batch.to_pylist() if batch is not None else []
    return {name: next((row[name] for row in rows if row[name]), None) for row in rows[:1] for name in row}


def first_rows(table: Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Some columns of the first rows of a table, as far as it can be read."""
    rows: list[dict[str, Any]] = []
    with suppress(UnusableError), open_columns(table.path) as opened:  # said where the rows themselves are read
        for batch in opened.batches(columns, TEXT_ROWS, 0):
            rows += batch.to_pylist()
            if len(rows) >= LOOKED_AT:
                break
    return rows


def part_label(table: Table, tables: Sequence[Table]) -> str:
    """What the ids of a table's sequences begin with: the name of its part, if the dataset has several."""
    return f"{table.part}/" if table.part and any(each.part != table.part for each in tables) else ""


def row_sequences(
    source: Source,
    tables: Sequence[Table],
    layout: ColumnLayout,
    options: ImportOptions,
    progress: ProgressCallback | None,
    start: tuple[int, ...] | None,
) -> Iterator[Item]:
    """Yield the sequences of tables whose rows are sequences."""
    total = max(1, sum(table.path.stat().st_size for table in tables))
    done = 0
    names = [layout.state, *(n for n in (layout.action, layout.episode) if n)]
    for number, table in enumerate(tables):
        first = start[1] if start and number == start[0] else 0
        if not start or number >= start[0]:
            try:
                yield from table_sequences(
                    table,
                    tables,
                    number,
                    first,
                    names,
                    layout,
                    options,
                    partial(report_share, progress, done, total, table),
                )
            except UnusableError as problem:
                yield Skipped(table.name, str(problem))
        done += table.path.stat().st_size


def report_share(progress: ProgressCallback | None, done: int, total: int, table: Table) -> None:
    """Report the share of the tables that was read before this one."""
    if progress:
        progress(done / total, f"Reading {table.name}")


def table_sequences(
    table: Table,
    tables: Sequence[Table],
    number: int,
    first: int,
    names: Sequence[str],
    layout: ColumnLayout,
    options: ImportOptions,
    tick: Any,
) -> Iterator[Item]:
    """Yield the sequences of one table from row `first` on, a mark after each."""
    at, prefix = first, part_label(table, tables)
    step = options.episode_step(None) if layout.kind != "film" else 1
    with open_columns(table.path) as opened:
        for batch in opened.batches(names, 1 if layout.kind == "film" else BATCH_ROWS, first):
            for row in batch.to_pylist():
                tick()
                name = row.get(layout.episode) if layout.episode else None
                identity = prefix + (str(name) if name not in (None, "") else f"{table.path.stem}-{at}")
                yield from row_items(row, identity, f"{table.name}: row {at + 1}", table, layout, options, step)
                at += 1
                yield Mark((number, at))


def row_items(
    row: dict[str, Any],
    identity: str,
    where: str,
    table: Table,
    layout: ColumnLayout,
    options: ImportOptions,
    step: int,
) -> Iterator[Item]:
    """Yield the sequences of a row that is a list of states, or a film."""
    cell = row.get(layout.state)
    folder = table.path.parent
    if layout.kind == "film":
        try:
            data = cell_bytes(cell, folder)
        except UnusableError as problem:
            yield Skipped(where, str(problem))
            return
        entry = Entry(where, len(data), partial(io.BytesIO, data), content=f".{detect_head(data) or 'mp4'}")
        yield from video_clips(entry, identity, options, Meter(1))
        return
    cells = cell if isinstance(cell, list) else []
    taken = row.get(layout.action) if layout.action else None
    fits = isinstance(taken, list) and len(taken) in (len(cells), len(cells) - 1)
    actions = describe_actions(taken, layout.action_names) if fits and taken else None
    if layout.kind == "text":
        yield from text_episodes(where, identity, cells, actions, step)
        return
    read = partial(list_frames, cells, folder, where)
    yield from episode_clips(Episode(identity, where, len(cells), read, actions), step)


def list_frames(cells: Sequence[Any], folder: Path, where: str, step: int) -> Iterator[Frame | Skipped]:
    """Yield every step-th picture of a list, or why it cannot be read."""
    for number in range(0, len(cells), step):
        yield cell_frame(cells[number], folder, f"{where}, frame {number + 1}")


def row_states(
    source: Source,
    tables: Sequence[Table],
    layout: ColumnLayout,
    options: ImportOptions,
    progress: ProgressCallback | None,
    start: tuple[int, ...] | None,
) -> Iterator[Item]:
    """Yield the sequences of tables whose rows are states."""
    if progress:
        progress(0.0, f"Looking through the rows of {source.path.name}")
    order = order_rows(source, tables, layout)
    if start is None:
        yield from order.problems
    step = options.episode_step(None)
    paths = [table.path for table in tables]
    number, done = 0, 0
    state_rows = TEXT_ROWS if layout.kind == "text" else BATCH_ROWS
    columns = ((layout.state, state_rows), (layout.action, TEXT_ROWS), (layout.episode, TEXT_ROWS))
    with ExitStack() as stack:
        states, actions, episodes = (
            stack.enter_context(CellReader(paths, order.counts, column, order.in_order, batch_rows)) if column else None
            for column, batch_rows in columns
        )
        assert states is not None
        for rows, places in order.rows.sequences():
            try:
                name = order.name(tables, int(order.numbers[rows[0]]), episodes)
            except UnusableError as problem:
                yield Skipped(f"{source.path.name}: row {order.numbers[rows[0]] + 1}", str(problem))
                continue
            where = f"{source.path.name}: {name}"
            for part in named_runs(name, where, rows, places, order.width, order.cuts(rows)):
                number += 1
                if start and number <= start[0]:
                    continue
                if progress and number % PROGRESS_SEQUENCES == 1:
                    progress(done / max(1, len(order.rows)), f"Reading {name}")
                if isinstance(part, Skipped):
                    yield part
                else:
                    identity, inside = part
                    yield from part_items(
                        states, actions, order.numbers[inside], identity, where, layout, tables[0].path.parent, step
                    )
                yield Mark((number,))
            done += len(rows)


def part_items(
    states: CellReader,
    actions: CellReader | None,
    rows: np.ndarray,
    identity: str,
    where: str,
    layout: ColumnLayout,
    folder: Path,
    step: int,
) -> Iterator[Item]:
    """Yield the sequence of some rows, with what was done in each but the last."""
    try:
        taken = [] if actions is None else list(actions.read(rows[:-1]))
        known = None if actions is None or None in taken else describe_actions(taken, layout.action_names)
        if layout.kind == "text":
            yield from text_episodes(where, identity, list(states.read(rows)), known, step)
            return
    except UnusableError as problem:
        yield Skipped(where, str(problem))
        return
    read = partial(row_frames, states, rows, folder, where)
    yield from episode_clips(Episode(identity, where, len(rows), read, known), step)


def row_frames(states: CellReader, rows: np.ndarray, folder: Path, where: str, step: int) -> Iterator[Frame | Skipped]:
    """Yield every step-th frame of some rows, or why it cannot be read."""
    try:
        for number, cell in enumerate(states.read(rows[::step])):
            yield cell_frame(cell, folder, f"{where}, frame {number * step + 1}")
    except UnusableError as problem:
        yield Skipped(where, str(problem))


@dataclass
class OrderedRows:
    """The order of the rows that can be used; `numbers` are their places over all tables, of `counts` rows each.

    `width` is the usual distance of two places, None if no step can be missing; `left_out` are the rows that cannot be
    used, in order.
    """

    rows: RowOrder
    numbers: np.ndarray
    counts: list[int]
    width: float | None
    left_out: np.ndarray
    problems: list[Skipped]
    restarts: dict[int, int] = field(default_factory=dict)

    @cached_property
    def in_order(self) -> bool:
        """Whether the rows of each sequence stand together and in order."""
        return self.rows.is_in_order()

    @cached_property
    def ends(self) -> np.ndarray:
        """The number of rows up to the end of each table."""
        return np.cumsum(self.counts)

    def cuts(self, rows: np.ndarray) -> np.ndarray | None:
        """After which of a sequence's rows one was left out; None where rows do not stand together."""
        if not len(self.left_out) or not self.in_order:
            return None
        before = np.searchsorted(self.left_out, self.numbers[rows])
        return np.concatenate([before[1:] != before[:-1], [False]])

    def name(self, tables: Sequence[Table], row: int, episodes: CellReader | None) -> str:
        """The id of the sequence that begins with a row: what its episode is called, else the table's name."""
        number = int(np.searchsorted(self.ends, row, side="right"))
        table = tables[number]
        if episodes is not None:
            return part_label(table, tables) + str(next(episodes.read(np.array([row]))))
        before = self.restarts[number] = self.restarts.get(number, -1) + 1
        return part_label(table, tables) + (f"{table.path.stem}-{before}" if before else table.path.stem)


def order_rows(source: Source, tables: Sequence[Table], layout: ColumnLayout) -> OrderedRows:
    """Look through the columns of episodes and places of all tables.

    Raises SwirlError if nothing tells the episodes apart.
    """
    names = [name for name in (layout.episode, layout.order) if name]
    rows, numbers = RowOrder(with_fractions=True), array("q")
    counts: list[int] = []
    unusable: list[int] = []
    problems: list[Skipped] = []
    has_steps = layout.order is not None
    for table in tables:
        before, at = sum(counts), 0
        restarts, name = Restarts(), f"{part_label(table, tables)}{table.path.stem}"
        left_out: list[int] = []
        try:
            with open_columns(table.path) as opened:
                for batch in opened.batches(names or [layout.state], INDEX_ROWS if names else BATCH_ROWS, 0):
                    own = np.arange(at, at + batch.num_rows)
                    places = own.astype(float)
                    if layout.order is not None:
                        column = batch.column(layout.order)
                        has_steps = has_steps and counts_steps(layout.order, column)
                        places = as_numbers(column)
                    usable = np.isfinite(places)
                    if layout.episode is not None:
                        keys, named = episode_keys(batch.column(layout.episode), part_label(table, tables))
                        usable &= named
                    elif layout.order is None or layout.is_one:
                        keys = np.full(len(places), name_key(name), dtype=np.uint64)
                    else:
                        are_times = not has_steps or not are_steps(places[usable])
                        keys = restart_keys(name, restarts.count(places, are_times))
                    rows.extend(keys[usable], places[usable])
                    numbers.frombytes((own[usable] + before).tobytes())
                    left_out += (own[~usable] + 1).tolist()
                    unusable += (own[~usable] + before).tolist()
                    at += batch.num_rows
        except UnusableError as problem:
            problems.append(Skipped(table.name, str(problem)))
        if left_out:
            row = f"row {left_out[0]}" + (f" and {len(left_out) - 1} more" if len(left_out) > 1 else "")
            verb = "have" if len(left_out) > 1 else "has"
            problems.append(
                Skipped(f"{table.name}: {row}", f"{verb} no usable value in {' or '.join(names)}; fill it in")
            )
        counts.append(at)
    if layout.episode is None and not layout.is_one and rows.begin_too_often():
        raise mixed_rows_error(source.path, layout.order)
    width = rows.usual_width() if has_steps else None
    left_out_rows = np.array(sorted(unusable), dtype=np.int64)
    return OrderedRows(rows, np.frombuffer(numbers, np.int64), counts, width, left_out_rows, problems)


def restart_keys(name: str, restarts: np.ndarray) -> np.ndarray:
    """The key of each row's sequence, where these are told by how often places began anew."""
    found, inverse = np.unique(restarts, return_inverse=True)
    return np.array([name_key(f"{name}-{number}") for number in found.tolist()], dtype=np.uint64)[inverse]


def episode_keys(column: pyarrow.Array, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """The key of each row's episode, and whether it has one."""
    import pyarrow.compute

    encoded = column if hasattr(column, "indices") else pyarrow.compute.dictionary_encode(column)
    texts = [None if value in (None, "") else prefix + str(value) for value in encoded.dictionary.to_pylist()]
    table = np.array([0 if text is None else name_key(text) for text in (*texts, None)], dtype=np.uint64)
    codes = encoded.indices.cast(pyarrow.int64()).fill_null(len(texts)).to_numpy(zero_copy_only=False)
    named = np.array([text is not None for text in (*texts, None)])
    return table[codes], named[codes]


def counts_steps(name: str, column: pyarrow.Array) -> bool:
    """Whether the values of a column are numbers, and no times."""
    import pyarrow

    return not pyarrow.types.is_temporal(column.type) and holds_steps(name, column.slice(0, 16).to_pylist())


def as_numbers(column: pyarrow.Array) -> np.ndarray:
    """Places in sequences as floating-point numbers; not-a-number where there is none. Times are in seconds."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
        return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    if pyarrow.types.is_timestamp(kind) or pyarrow.types.is_duration(kind):
        numbers = column.cast(pyarrow.int64()).to_numpy(zero_copy_only=False)
        return numbers.astype(np.float64)
    values = (as_number(value) for value in column.to_pylist())
    return np.array([np.nan if value is None else value for value in values])
