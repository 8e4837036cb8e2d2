"""Parses the layouts of labelled transitions: SWIRL's own lines and the training files of AURORA and Pico-Banana."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from swirl.sources.formats.still_images import PICTURE_SUFFIXES, read_image_size
from swirl.sources.validation import UnusableError, json_type_name, validate_text
from swirl.states import LabelledTransition, Picture, State

LABEL_KEYS = ("state", "action", "next_state")
EDIT_KEYS = ("input", "instruction", "output")
PROMPT = "Editing the given image according to the following prompt:"
"""The prefix of each action in the chat layout."""
PARENT_FOLDERS_SEARCHED = 4
"""How many parent folders of the labels are searched for a picture, as some data sets give paths from their root."""


def parse_labels(record: Any, folder: Path) -> Iterator[LabelledTransition | UnusableError]:
    """Yield the transitions of a record, or an UnusableError for each that is not valid.

    Pictures are looked for in `folder` and its parents. Raises UnusableError if the whole record is not valid.
    """
    if isinstance(record, UnusableError):
        raise record
    if not isinstance(record, dict):
        raise UnusableError(f"is {json_type_name(record)}, not an object with {', '.join(LABEL_KEYS)}; correct it")
    if "metadata_edit_turn_prompts" in record:
        yield from parse_multi_turn_record(record, folder)
    elif "conversations" in record:
        yield parse_chat_record(record, folder)
    elif "output_image" in record:
        yield parse_pico_banana_record(record, folder)
    elif "instruction" in record and "input" in record:
        before, action, after = required_texts(record, EDIT_KEYS)
        yield picture_transition(before, action, after, folder)
    else:
        yield parse_swirl_record(required_texts(record, LABEL_KEYS), folder)


def required_texts(record: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The texts under these keys. Raises UnusableError for the first that is missing or not text."""
    if missing := [key for key in keys if key not in record]:
        raise UnusableError(f'has no "{missing[0]}"; each line needs {", ".join(keys)}')
    return tuple(validate_text(record[key], f'"{key}"') for key in keys)


def parse_swirl_record(texts: tuple[str, ...], folder: Path) -> LabelledTransition:
    """Parse `{"state", "action", "next_state"}`; the states are texts or paths of pictures.

    The states are paths if one has a picture's suffix and its file exists, or if both are single words with such a
    suffix.
    """
    state, action, next_state = texts
    exist = [has_picture_suffix(text) and find_file(text, folder) is not None for text in (state, next_state)]
    if not any(exist) and not all(has_picture_suffix(text) and not text.split()[1:] for text in (state, next_state)):
        return LabelledTransition(State(state), action, State(next_state))
    if not all(has_picture_suffix(text) for text in (state, next_state)):
        raise UnusableError("has a picture as one state and a text as the other; both must be of the same kind")
    return picture_transition(state, action, next_state, folder)


def picture_transition(before: str, action: str, after: str, folder: Path) -> LabelledTransition:
    """A transition between two pictures, given as paths."""
    return LabelledTransition(picture_state(before, folder), action.strip(), picture_state(after, folder))


def parse_chat_record(record: Mapping[str, Any], folder: Path) -> LabelledTransition:
    """Parse `{"images": [a, b], "conversations": [{"value": "<image>\\n…prompt: ACTION"}, …]}`."""
    images, messages = record.get("images"), record["conversations"]
    if not isinstance(images, list) or len(images) != 2:
        raise UnusableError('needs two pictures as "images", before and after the action; correct the line')
    first = messages[0] if isinstance(messages, list) and messages else None
    text = validate_text(first.get("value") if isinstance(first, dict) else None, "the first of its conversations")
    before, after = (validate_text(image, '"images"') for image in images)
    action = text.replace("<image>", "").strip().removeprefix(PROMPT)
    return picture_transition(before, validate_text(action, "the action"), after, folder)


def parse_pico_banana_record(record: Mapping[str, Any], folder: Path) -> LabelledTransition:
    """Parse a single turn of Pico-Banana; for a picture with only a URL, the URL's file name is looked for."""
    text = record.get("text") or record.get("summarized_text")
    source = record.get("open_image_input_file") or record.get("open_image_input_url")
    before, action, after = (
        validate_text(value, f'"{key}"')
        for key, value in (("open_image_input_file", source), ("text", text), ("output_image", record["output_image"]))
    )
    return picture_transition(before, action, after, folder)


def parse_multi_turn_record(record: Mapping[str, Any], folder: Path) -> Iterator[LabelledTransition | UnusableError]:
    """Parse a multi-turn edit of Pico-Banana: the original, each turn's picture and the final one, with the actions."""
    prompts, files = record["metadata_edit_turn_prompts"], record.get("files")
    if not isinstance(prompts, list) or not prompts or not isinstance(files, list):
        raise UnusableError('needs lists as "files" and "metadata_edit_turn_prompts"; correct the line')
    places = {
        file["id"]: file.get("url") for file in files if isinstance(file, dict) and isinstance(file.get("id"), str)
    }
    names = ["original_input_image", *(f"edit_turn{turn}" for turn in range(1, len(prompts))), "final_image"]
    for (before, after), prompt in zip(pairwise(names), prompts, strict=True):
        try:
            paths = [validate_text(places.get(name), f"the place of {name}") for name in (before, after)]
            yield picture_transition(paths[0], validate_text(prompt, "an action"), paths[1], folder)
        except UnusableError as problem:
            yield problem


def has_picture_suffix(text: str) -> bool:
    """Whether a text could be the path of a picture file."""
    return len(text) < 1024 and "\n" not in text and PurePosixPath(text).suffix.lower() in PICTURE_SUFFIXES


def picture_state(name: str, folder: Path) -> State:
    """The state of a picture given by path or URL; only its header is read. Raises UnusableError if it is unusable."""
    address = urlsplit(name) if name.startswith(("http://", "https://")) else None
    file = find_file(PurePosixPath(unquote(address.path)).name if address else name, folder)
    if file is None:
        advice = "download it beside this file" if address else "add it or remove the line"
        raise UnusableError(f"names the picture {name[:200]}, which does not exist; {advice}")
    try:
        with file.open("rb") as opened:
            read_image_size(opened, file.stat().st_size)
    except OSError as error:
        raise UnusableError(
            f"names the picture {name[:200]}, which cannot be read ({error.strerror or error})"
        ) from error
    except UnusableError as problem:
        raise UnusableError(f"names the picture {name[:200]}, which {problem}") from problem
    return State(picture=Picture(file=file))


def find_file(name: str, folder: Path) -> Path | None:
    """Find a file by name in a folder or its next PARENT_FOLDERS_SEARCHED parents; None if there is none."""
    folder = folder.absolute()
    try:
        places = (place / name for place in (folder, *list(folder.parents)[:PARENT_FOLDERS_SEARCHED]))
        return next((file for file in places if file.is_file()), None)
    except OSError:
        # The name is too long for the file system.
        return None
