"""Finds out which columns of a table hold what: states, episodes, their order, and actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.sequence_columns import (
    EPISODE_NAMES,
    ID,
    NAME_EPISODES,
    NO_PLACES,
    NONE,
    ORDER_NAMES,
    Rows,
    chosen,
    find_sequence_columns,
)
from swirl.sources.validation import UnusableError

if TYPE_CHECKING:
    import pyarrow

STATE_NAMES = (
    "state", "states", "observation", "observations", "text", "texts", "image", "images", "frame", "frames",
    "picture", "pictures", "video", "content", "page", "html", "obs", "caption", "captions", "screenshot",
)  # fmt: skip
ACTION_NAMES = ("actions", "action")
NOT_STATES = frozenset(
    {
        "task", "tasks", "instruction", "language_instruction", "prompt", "label", "labels", "category", "file_name",
        "filename", "file", "path", "url", "name", "title", "question", "answer", "source", "split",
    }
)  # fmt: skip
"""Columns of texts that say something about states but are none, unless they are named."""

StateKind = Literal["picture", "film", "text"]


@dataclass(frozen=True)
class ColumnLayout:
    """What the columns hold. With `is_list` a row is a whole sequence, else one state; a film is always a sequence.

    `action_names` are the names of discrete actions, or of a vector's numbers.
    """

    state: str
    kind: StateKind
    is_list: bool
    episode: str | None = None
    order: str | None = None
    action: str | None = None
    action_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    """The columns of pictures or films, of which `state` is one."""
    is_one: bool = False
    """Whether all rows are one sequence, as an option says."""

    @property
    def is_row_sequence(self) -> bool:
        """Whether each row is a sequence of its own."""
        return self.is_list or self.kind == "film"

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [name for name in (self.state, self.action) if name]


def find_layout(
    schema: pyarrow.Schema,
    sample: Mapping[str, Any],
    options: ImportOptions,
    look: Callable[[Sequence[str]], Rows],
) -> ColumnLayout:
    """The layout of a table; `sample` is its first row, `look` gives the first rows of some columns.

    Raises UnusableError, which names the columns and the option that mends it, if it cannot be told.
    """
    features = hub_features(schema)
    kinds = {name: cell_kind(schema.field(name).type, features.get(name), sample.get(name)) for name in schema.names}
    # What is seen one step later is no state of its own.
    states = {name: kind for name, kind in kinds.items() if kind is not None and not name.startswith("next_")}
    if options.state_column is not None:
        require_column(schema, options.state_column, "--state-column")
        state = options.state_column
        if state not in states:
            raise UnusableError(f"has the column {state!r}, which holds neither pictures nor texts; name another one")
    else:
        state, states = choose_state(states, schema.names, options.camera)
    kind, is_list = states[state]
    for asked, option in ((options.episode_column, "--episode-column"), (options.order_column, "--order-column")):
        if asked not in (None, NONE):
            require_column(schema, asked, option)
    episode, order = None, None
    if is_list or kind == "film":
        usual = (name for name in (*EPISODE_NAMES, ID) if name in schema.names and name != state)
        episode = chosen(options.episode_column, usual)
    else:
        episode, order = find_sequence_columns(schema.names, options, {state}, look)
        if episode is None and order is None and options.episode_column != NONE:
            raise UnusableError(
                f"does not say which rows follow each other; its columns are {', '.join(schema.names)}. {NAME_EPISODES}"
            )
    action = next((name for name in ACTION_NAMES if name in schema.names and name != state), None)
    notes = []
    alike = [name for name, found in states.items() if found == (kind, is_list) and name != state]
    cameras = tuple(sorted([state, *alike])) if kind != "text" else ()
    if options.state_column is None and options.camera is None and len(cameras) > 1:
        named = ", ".join(cameras)
        notes.append(f"has the columns of pictures {named}; {state} was taken, --camera takes another")
    if order is None and episode is not None and not is_list and kind != "film":
        notes.append(NO_PLACES)
    names = action_value_names(features.get(action)) if action else ()
    is_one = options.episode_column == NONE
    return ColumnLayout(state, kind, is_list, episode, order, action, names, tuple(notes), cameras, is_one)


def choose_state(
    states: Mapping[str, tuple[StateKind, bool]], names: Iterable[str], camera: str | None
) -> tuple[str, Mapping[str, tuple[StateKind, bool]]]:
    """The column of states: pictures before texts, by the usual names, else the first by name."""
    pictures = {name: found for name, found in states.items() if found[0] != "text"}
    if camera is not None:
        chosen = next((name for name in pictures if camera in (name, name.rpartition(".")[2])), None)
        if chosen is None:
            has = f"it has {', '.join(pictures)}" if pictures else "it has no column of pictures"
            raise UnusableError(f"has no camera {camera!r}; {has}")
        return chosen, states
    if pictures:
        return next((name for name in STATE_NAMES if name in pictures), min(pictures)), states
    reserved = {*EPISODE_NAMES, *ORDER_NAMES, *ACTION_NAMES, *NOT_STATES, "id"}
    texts = {name: found for name, found in states.items() if name in STATE_NAMES or name not in reserved}
    usual = [name for name in STATE_NAMES if name in texts]
    if usual:
        return usual[0], states
    if len(texts) == 1:
        return next(iter(texts)), states
    what = "has several columns of texts" if texts else "has no column of pictures or texts"
    raise UnusableError(f"{what}; its columns are {', '.join(names)}. Name the one of the states with --state-column")


def require_column(schema: pyarrow.Schema, name: str, option: str) -> None:
    """Raise UnusableError if a table lacks a column that an option names."""
    if name not in schema.names:
        raise UnusableError(f"has no column {name!r}; its columns are {', '.join(schema.names)}. Correct {option}")


def hub_features(schema: pyarrow.Schema) -> dict[str, Any]:
    """What a Hugging Face dataset says about its columns, in the schema's metadata."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def cell_kind(kind: pyarrow.DataType, feature: Any, cell: Any) -> tuple[StateKind, bool] | None:
    """What a column's cells hold, and whether each is a list of it; None for anything but pictures, films and texts."""
    import pyarrow

    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        inner = feature[0] if isinstance(feature, list) and feature else feature
        inner = inner.get("feature", inner) if isinstance(inner, dict) else None
        found = cell_kind(kind.value_type, inner, cell[0] if isinstance(cell, list) and cell else None)
        return None if found is None or found[1] else (found[0], True)
    if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind):
        return "text", False
    if pyarrow.types.is_dictionary(kind) and pyarrow.types.is_string(kind.value_type):
        return "text", False
    label = feature.get("_type") if isinstance(feature, dict) else None
    if label == "Video":
        return "film", False
    if label == "Image":
        return "picture", False
    if pyarrow.types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        data, name = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (None, None)
    elif pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        data, name = cell, None
    else:
        return None
    return encoded_kind(data, name)


def encoded_kind(data: Any, name: Any) -> tuple[StateKind, bool] | None:
    """Whether bytes, or the file of a name, are a picture or a film."""
    from pathlib import PurePosixPath

    from swirl.sources.formats.content import detect_head
    from swirl.sources.formats.still_images import PICTURE_SUFFIXES
    from swirl.sources.formats.video import VIDEO_SUFFIXES

    suffix = f".{detect_head(data)}" if isinstance(data, bytes) else PurePosixPath(str(name)).suffix.lower()
    if suffix in PICTURE_SUFFIXES:
        return "picture", False
    return ("film", False) if suffix in VIDEO_SUFFIXES else None


def action_value_names(feature: Any) -> tuple[str, ...]:
    """The names of discrete actions, as a Hugging Face dataset has them."""
    inner = feature[0] if isinstance(feature, list) and feature else feature
    inner = inner.get("feature", inner) if isinstance(inner, dict) else {}
    names = inner.get("names") if isinstance(inner, dict) else None
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
