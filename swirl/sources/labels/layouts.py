"""The forms in which labelled transitions come: our own lines, and the training files of AURORA and Pico-Banana."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from swirl.sources.formats.still_images import PICTURES, head
from swirl.sources.validation import Unusable, checked_text, kind
from swirl.states import LabelledTransition, Picture, State

KEYS = ("state", "action", "next_state")
EDITED = ("input", "instruction", "output")
PROMPT = "Editing the given image according to the following prompt:"
"""What the chat layout puts before each action."""
ABOVE = 4
"""How many folders above the labels' own are searched for a picture: some sets name it from the top of their tree."""


def labels_in(record: Any, folder: Path) -> Iterator[LabelledTransition | Unusable]:
    """One record's transitions, or what is wrong with each; pictures are looked for in `folder` and those above it.

    Raises Unusable if the whole record is none.
    """
    if isinstance(record, Unusable):
        raise record
    if not isinstance(record, dict):
        raise Unusable(f"is {kind(record)}, not an object with {', '.join(KEYS)}; correct it")
    if "metadata_edit_turn_prompts" in record:
        yield from turns(record, folder)
    elif "conversations" in record:
        yield chat(record, folder)
    elif "output_image" in record:
        yield pico(record, folder)
    elif "instruction" in record and "input" in record:
        before, action, after = fields(record, EDITED)
        yield edited(before, action, after, folder)
    else:
        yield own(fields(record, KEYS), folder)


def fields(record: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    """The texts under these keys, or Unusable names the first that is missing or no text."""
    if missing := [key for key in keys if key not in record]:
        raise Unusable(f'has no "{missing[0]}"; each line needs {", ".join(keys)}')
    return tuple(checked_text(record[key], f'"{key}"') for key in keys)


def own(texts: tuple[str, ...], folder: Path) -> LabelledTransition:
    """`{"state", "action", "next_state"}`: texts, or the paths of pictures.

    A text is a path if it ends like a picture's and a file is there, or if both states are words that end so.
    """
    state, action, next_state = texts
    there = [ends_like_picture(text) and found(text, folder) is not None for text in (state, next_state)]
    if not any(there) and not all(ends_like_picture(text) and not text.split()[1:] for text in (state, next_state)):
        return LabelledTransition(State(state), action, State(next_state))
    if not all(ends_like_picture(text) for text in (state, next_state)):
        raise Unusable("has a picture on one side and a text on the other; both must be of one kind")
    return edited(state, action, next_state, folder)


def edited(before: str, action: str, after: str, folder: Path) -> LabelledTransition:
    """A transition between two pictures, given by their paths."""
    return LabelledTransition(picture(before, folder), action.strip(), picture(after, folder))


def chat(record: Mapping[str, Any], folder: Path) -> LabelledTransition:
    """`{"images": [a, b], "conversations": [{"value": "<image>\\n…prompt: ACTION"}, …]}`."""
    images, said = record.get("images"), record["conversations"]
    if not isinstance(images, list) or len(images) != 2:
        raise Unusable('needs two pictures as "images", the one before and the one after; correct the line')
    first = said[0] if isinstance(said, list) and said else None
    text = checked_text(first.get("value") if isinstance(first, dict) else None, "the first of its conversations")
    before, after = (checked_text(image, '"images"') for image in images)
    action = text.replace("<image>", "").strip().removeprefix(PROMPT)
    return edited(before, checked_text(action, "the action"), after, folder)


def pico(record: Mapping[str, Any], folder: Path) -> LabelledTransition:
    """Pico-Banana's single turns; a picture known by its address alone is looked for by its file's name."""
    text = record.get("text") or record.get("summarized_text")
    source = record.get("open_image_input_file") or record.get("open_image_input_url")
    before, action, after = (
        checked_text(value, f'"{key}"')
        for key, value in (("open_image_input_file", source), ("text", text), ("output_image", record["output_image"]))
    )
    return edited(before, action, after, folder)


def turns(record: Mapping[str, Any], folder: Path) -> Iterator[LabelledTransition | Unusable]:
    """Pico-Banana's several turns: the original, each turn's picture and the final one, an action between each two."""
    prompts, files = record["metadata_edit_turn_prompts"], record.get("files")
    if not isinstance(prompts, list) or not prompts or not isinstance(files, list):
        raise Unusable('needs lists as "files" and "metadata_edit_turn_prompts"; correct the line')
    places = {
        file["id"]: file.get("url") for file in files if isinstance(file, dict) and isinstance(file.get("id"), str)
    }
    names = ["original_input_image", *(f"edit_turn{turn}" for turn in range(1, len(prompts))), "final_image"]
    for (before, after), prompt in zip(pairwise(names), prompts, strict=True):
        try:
            paths = [checked_text(places.get(name), f"the place of {name}") for name in (before, after)]
            yield edited(paths[0], checked_text(prompt, "an action"), paths[1], folder)
        except Unusable as problem:
            yield problem


def ends_like_picture(text: str) -> bool:
    """Whether a text could be the path of a picture."""
    return len(text) < 1024 and "\n" not in text and PurePosixPath(text).suffix.lower() in PICTURES


def picture(name: str, folder: Path) -> State:
    """The state that a picture's path names; its head is read. Raises Unusable if it is not there or no picture."""
    address = urlsplit(name) if name.startswith(("http://", "https://")) else None
    file = found(PurePosixPath(unquote(address.path)).name if address else name, folder)
    if file is None:
        how = "download it beside this file" if address else "put it there or remove the line"
        raise Unusable(f"names the picture {name[:200]}, which is not there; {how}")
    try:
        with file.open("rb") as opened:
            head(opened, file.stat().st_size)
    except OSError as error:
        raise Unusable(f"names the picture {name[:200]}, which cannot be read ({error.strerror or error})") from error
    except Unusable as problem:
        raise Unusable(f"names the picture {name[:200]}, which {problem}") from problem
    return State(picture=Picture(file=file))


def found(name: str, folder: Path) -> Path | None:
    """The file of that name in a folder, or in one of the ABOVE folders over it; None if there is none."""
    folder = folder.absolute()
    try:
        places = (place / name for place in (folder, *list(folder.parents)[:ABOVE]))
        return next((file for file in places if file.is_file()), None)
    except OSError:
        # A name that is too long for the file system is no file's.
        return None
