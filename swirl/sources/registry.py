"""The formats that can be imported: how each is recognised and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from swirl.errors import SwirlError, UsageError
from swirl.progress import ProgressCallback
from swirl.sources.collections.frame_records import find_frame_records, recorded_clips
from swirl.sources.formats.array_episodes import array_clips, array_outline, is_arrays
from swirl.sources.formats.aurora_bench import is_aurora
from swirl.sources.formats.aurora_bench_sequences import aurora_clips
from swirl.sources.formats.column_episodes import column_clips, column_outline, is_columns
from swirl.sources.formats.content import Source
from swirl.sources.formats.files_beside import files_beside
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.image_files import PICTURE_FORMATS, holds_pictures, picture_clips, picture_outline
from swirl.sources.formats.image_folder import image_folder_clips, is_image_folder
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.inline_pictures import has_inline_pictures, inline_clips
from swirl.sources.formats.lerobot import is_lerobot, lerobot_clips, lerobot_outline
from swirl.sources.formats.minari_columns import is_minari_columns, minari_clips, minari_outline
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.sequence_columns import chosen
from swirl.sources.formats.table import COLUMNS
from swirl.sources.formats.tool_log_sequences import is_tool_logs, tool_sequences
from swirl.sources.formats.webdataset import is_webdataset, webdataset_clips
from swirl.sources.reading import READERS, TEXT_FORMATS, stream_sequences
from swirl.sources.validation import LocatedSequence, Mark, Skipped

Item = LocatedSequence | Clip | Skipped | Mark
Start = tuple[int, ...] | None
Reader = Callable[[Source, ImportOptions, ProgressCallback | None, Start], Iterator[Item]]


@dataclass(frozen=True)
class SourceFormat:
    """A format: its name for `--as`, what it is called on the screen, and its functions.

    `read` yields sequences, what is left out, and marks; given the position of a mark, it goes on from there.
    `outline` tells what is there before it is read, where that is quick; the n-th mark of such a format is at (n,).
    With `takes_all` its sequences are taken as they are, whatever the options say about every N-th state.
    """

    name: str
    title: str
    recognises: Callable[[Source], bool]
    read: Reader
    outline: Callable[[Source, ImportOptions], Outline] | None = None
    takes_all: bool = False


def find_reader(source: Source, name: str | None, options: ImportOptions) -> SourceFormat:
    """The format of a source, as `find_format`. Raises UsageError, too, if it cannot do what the options ask for."""
    found = find_format(source, name)
    if found.takes_all and options.thins_out:
        raise UsageError(f"{source.path} is read as {found.title}, of which every state is taken; leave --every out.")
    return found


def find_format(source: Source, name: str | None = None) -> SourceFormat:
    """The format of a source: the one called `name`, else the first that recognises it.

    Raises UsageError for an unknown name, SwirlError if there is nothing at the path or no format recognises it.
    """
    if name is not None and name not in FORMATS:
        raise UsageError(f"There is no format {name!r}; the formats are: {', '.join(FORMATS)}.")
    path = source.path
    if not path.exists():
        raise SwirlError(f"There is no file or folder {path}; check the path.")
    if name is not None:
        return FORMATS[name]
    found = next((item for item in FORMATS.values() if item.recognises(source)), None)
    if found is None:
        raise SwirlError(f"{path} has an unknown format; choose {TEXT_FORMATS}, or {PICTURE_FORMATS}.")
    return found


def texts(suffix: str | None = None) -> Reader:
    """The reader of texts, in files of the given suffix whatever their names are."""

    def read(source: Source, options: ImportOptions, progress: ProgressCallback | None, start: Start) -> Iterator[Item]:
        own = None if source.is_folder else source.suffix
        # A document of JSON holds sequences as lines do.
        taken = own if suffix is None or (suffix == ".jsonl" and own == ".json") else suffix
        columns = (options.episode_column, options.order_column, options.state_column)
        named = [chosen(name, iter([usual])) for name, usual in zip(columns, COLUMNS, strict=True)]
        if source.is_folder and start is None:
            taken_files = {file for file in source.files if file.suffix.lower() in READERS}
            yield from files_beside(source, taken_files, "texts")
        yield from stream_sequences(source.path, progress, suffix=taken, start=start, columns=named)

    return read


def has_suffix(*suffixes: str) -> Callable[[Source], bool]:
    """Recognises a file by its suffix, which is that of its content."""
    return lambda source: not source.is_folder and source.suffix in suffixes


FORMATS = {
    item.name: item
    for item in (
        SourceFormat(
            "recorded",
            "frames recorded by the studio",
            lambda source: find_frame_records(source.path) is not None,
            lambda source, options, progress, start: recorded_clips(source.path, progress, start),
            takes_all=True,
        ),
        SourceFormat(
            "aurora-bench",
            "AURORA-Bench",
            lambda source: is_aurora(source.path),
            lambda source, options, progress, start: aurora_clips(source.path, progress, start),
            takes_all=True,
        ),
        SourceFormat("lerobot", "a LeRobot dataset", is_lerobot, lerobot_clips, lerobot_outline),
        SourceFormat("minari", "a Minari dataset", is_minari_columns, minari_clips, minari_outline),
        SourceFormat("columns", "a table in Parquet or Arrow", is_columns, column_clips, column_outline),
        SourceFormat("webdataset", "WebDataset archives", is_webdataset, webdataset_clips),
        SourceFormat("imagefolder", "pictures with a metadata table", is_image_folder, image_folder_clips),
        SourceFormat(
            "arrays",
            "arrays of pictures (NumPy, HDF5)",
            is_arrays,
            array_clips,
            array_outline,
        ),
        SourceFormat(
            "pictures",
            "pictures and videos",
            holds_pictures,
            lambda source, options, progress, start: picture_clips(source, options, progress, start),
            picture_outline,
        ),
        SourceFormat(
            "agent-logs",
            "logs of agents",
            is_tool_logs,
            lambda source, options, progress, start: tool_sequences(source, progress, start),
            takes_all=True,
        ),
        SourceFormat(
            "inline-pictures",
            "pictures in lines of JSON",
            has_inline_pictures,
            lambda source, options, progress, start: inline_clips(source, progress, start),
            takes_all=True,
        ),
        SourceFormat(
            "jsonl",
            "texts, a sequence a line of JSON",
            has_suffix(".jsonl", ".ndjson", ".json"),
            texts(".jsonl"),
            takes_all=True,
        ),
        SourceFormat("csv", "texts in a table", has_suffix(".csv", ".tsv"), texts(".csv"), takes_all=True),
        SourceFormat("plain-text", "a plain text", has_suffix(".txt", ".md", ""), texts(".txt"), takes_all=True),
        SourceFormat("texts", "a folder of texts", lambda source: source.is_folder, texts(), takes_all=True),
    )
}
"""The formats by name, in the order in which they are asked."""
