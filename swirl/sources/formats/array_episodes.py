"""Reads episodes of pictures from files of arrays: npy and npz, and HDF5 as Minari, robomimic and D4RL write it.

An array of pictures is (T, height, width, channels), or (T, channels, height, width), or a list of JPEG or PNG files.
npy may hold (N, T, …). Where one episode ends is told by groups, or by `is_first`, `terminals` and `timeouts` in arrays
that hold many. Nothing that a file could make Python execute is read, and no other file that it names is opened.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from swirl.errors import SwirlError
from swirl.progress import ProgressCallback
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.still_images import Frame, decode_frame, encode_frame, limit_size
from swirl.sources.reading import natural_sort_key
from swirl.sources.validation import Skipped, UnusableError

NUMPY_SUFFIXES, HDF5_SUFFIXES = (".npy", ".npz"), (".hdf5", ".h5", ".hdf")
ARRAY_SUFFIXES = frozenset((*NUMPY_SUFFIXES, *HDF5_SUFFIXES))
INSTALL_H5PY = "run: pip install h5py"
CHANNELS = (1, 3, 4)
ACTION_NAMES = ("actions", "action")
FIRST_NAMES, LAST_NAMES = ("is_first",), ("is_last", "terminals", "timeouts", "terminations", "truncations", "dones")
MINIGRID_ACTIONS = ("turn left", "turn right", "move forward", "pick up", "drop", "toggle", "done")
MIN_SIDE = 8
"""The smallest side of an array that counts as pictures, in pixels."""


@dataclass(frozen=True)
class ArrayEpisode:
    """One episode: its pictures, one by one when they are read, and its actions if they are known, one per step."""

    id: str
    pictures: Any
    """An array or dataset whose first axis is time."""
    start: int
    end: int
    actions: list[str] | None

    def frames(self, notes: list[str]) -> Iterator[Frame | Skipped]:
        """The frames to store; adds to `notes` how numbers were made into colours."""
        low, high = picture_range(self.pictures, self.start, self.end, notes)
        for index in range(self.start, self.end):
            try:
                yield to_frame(self.pictures[index], low, high)
            except UnusableError as problem:
                yield Skipped(f"{self.id}: frame {index - self.start + 1}", str(problem))


@dataclass(frozen=True)
class ArrayFile:
    """The episodes of a file, and what is to be said about it."""

    episodes: list[ArrayEpisode]
    notes: list[str]


def is_array_file(path: Path) -> bool:
    """Whether a path is a file of arrays, or the folder of a Minari dataset."""
    return path.suffix.lower() in ARRAY_SUFFIXES if path.is_file() else find_minari(path) is not None


def find_minari(path: Path) -> Path | None:
    """The HDF5 file of a Minari dataset at a folder."""
    for folder in (path, path / "data"):
        file = folder / "main_data.hdf5"
        if file.is_file():
            return file
    return None


def array_clips(
    path: Path, camera: str | None = None, progress: ProgressCallback | None = None
) -> Iterator[Clip | Skipped]:
    """Yield the episodes of a file as they are read, and what is to be said about them.

    `camera` is the array of pictures to take, by default the first by name. Raises SwirlError if the file cannot be
    read or holds no pictures.
    """
    with open_arrays(path, camera) as found:
        notes = list(found.notes)
        for number, episode in enumerate(found.episodes):
            if progress:
                progress(number / len(found.episodes), f"Reading {path.name}")
            if episode.end - episode.start < 2:
                yield Skipped(f"{path.name}: {episode.id}", "has one frame; a sequence needs two")
                continue
            yield Clip(f"{path.name}: {episode.id}", episode.id, episode.frames(notes))
        for note in dict.fromkeys(notes):
            yield Skipped(path.name, note)


def write_array_actions(path: Path, target: Path, lengths: Mapping[str, int], camera: str | None = None) -> bool:
    """Write the actions of the episodes that became sequences. Returns whether there are any."""
    with open_arrays(path, camera) as found:
        known = [episode for episode in found.episodes if episode.actions is not None and episode.id in lengths]
        # Where a frame was left out, actions would belong to other steps.
        whole = [episode for episode in known if lengths[episode.id] == episode.end - episode.start]
        lines = [json.dumps({"id": each.id, "actions": each.actions}, ensure_ascii=False) + "\n" for each in whole]
    target.write_text("".join(lines), encoding="utf-8")
    return bool(lines)


@contextmanager
def open_arrays(path: Path, camera: str | None) -> Iterator[ArrayFile]:
    """Open a file and find its episodes. Raises SwirlError if it cannot be read or holds no pictures."""
    file = (find_minari(path) or path) if path.is_dir() else path
    try:
        if file.suffix.lower() in NUMPY_SUFFIXES:
            loaded = np.load(file, mmap_mode="r", allow_pickle=False)
            arrays = {"frames": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
            yield numpy_episodes(file, arrays, camera)
            return
        try:
            import h5py
        except ImportError:
            raise SwirlError(f"{file} is an HDF5 file, which needs the package h5py; {INSTALL_H5PY}.") from None
        with h5py.File(file, "r") as opened:
            yield hdf5_episodes(file, opened, camera, minari_action_names(file))
    except UnusableError as problem:
        raise SwirlError(f"{path} {problem}.") from problem
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise SwirlError(f"{path} is not a readable file of arrays ({error}); copy it again.") from error


def numpy_episodes(file: Path, arrays: Mapping[str, Any], camera: str | None) -> ArrayFile:
    """The episodes of NumPy arrays."""
    arrays = {name: array for name, array in arrays.items() if getattr(array, "ndim", 0)}
    many = {name: array for name, array in arrays.items() if array.ndim == 5 and is_picture_shape(array.shape[2:])}
    if many:
        name, notes = choose_camera(list(many), camera)
        count = len(many[name])
        ids = [f"{file.stem}-{number}" for number in range(count)]
        return ArrayFile(
            [ArrayEpisode(ids[n], many[name][n], 0, len(many[name][n]), None) for n in range(count)], notes
        )
    return flat_episodes(file.stem, arrays, camera)


def flat_episodes(stem: str, arrays: Mapping[str, Any], camera: str | None) -> ArrayFile:
    """The episodes of arrays whose first axis is time, divided where one ends."""
    name, notes = choose_camera([name for name, array in arrays.items() if holds_pictures(array)], camera)
    pictures = arrays[name]
    firsts = next((np.asarray(arrays[n]) for n in FIRST_NAMES if n in arrays), None)
    if firsts is not None:
        starts = [0, *(int(index) for index in np.flatnonzero(firsts.reshape(len(firsts), -1)[:, 0]) if index > 0)]
    else:
        lasts = np.zeros(len(pictures), dtype=bool)
        for each in LAST_NAMES:
            if each in arrays and len(arrays[each]) == len(pictures):
                lasts |= np.asarray(arrays[each]).reshape(len(pictures), -1)[:, 0].astype(bool)
        starts = [0, *(int(index) + 1 for index in np.flatnonzero(lasts) if index + 1 < len(pictures))]
    actions = next((arrays[n] for n in ACTION_NAMES if n in arrays and len(arrays[n]) == len(pictures)), None)
    episodes = []
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(pictures)], strict=True)):
        identity = stem if len(starts) == 1 else f"{stem}-{number}"
        known = None
        if actions is not None:
            # With `is_first` an action stands at the frame that it led to, else at the one that it was taken in.
            taken = actions[start + 1 : end] if firsts is not None else actions[start : end - 1]
            known = [describe_action(action) for action in np.asarray(taken)]
        episodes.append(ArrayEpisode(identity, pictures, start, end, known))
    return ArrayFile(episodes, notes)


def hdf5_episodes(file: Path, opened: Any, camera: str | None, names: Sequence[str]) -> ArrayFile:
    """The episodes of an HDF5 file: groups (Minari, robomimic), else flat arrays (D4RL)."""
    inside = own_items(opened)
    holder = inside["data"] if hasattr(inside.get("data"), "keys") else opened
    groups = [name for name in own_items(holder) if re.fullmatch(r"(episode|demo|traj)_?\d+", name)]
    if not groups:
        return flat_episodes(file.stem, {name: data for name, data in datasets(opened).items() if data.shape}, camera)
    episodes, notes = [], []
    for name in sorted(groups, key=natural_sort_key):
        arrays = datasets(holder[name])
        seen = {key: data for key, data in arrays.items() if key.split("/")[0] in ("observations", "obs")}
        chosen, notes = choose_camera([key for key, data in seen.items() if holds_pictures(data)], camera)
        pictures = seen[chosen]
        actions = next((arrays[key] for key in ACTION_NAMES if key in arrays), None)
        known = None
        if actions is not None and len(actions) in (len(pictures), len(pictures) - 1):
            known = [describe_action(action, names) for action in actions[: len(pictures) - 1]]
        episodes.append(ArrayEpisode(name, pictures, 0, len(pictures), known))
    return ArrayFile(episodes, notes)


def own_items(group: Any) -> dict[str, Any]:
    """What stands in a group itself; links to other files or places are passed over."""
    import h5py

    return {name: group[name] for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink)}


def datasets(group: Any) -> dict[str, Any]:
    """The datasets below a group, by their path from it. Raises UnusableError if one lies in another file."""
    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        if not hasattr(item, "shape"):
            return
        if item.external or item.is_virtual:
            raise UnusableError(f"keeps {name} in another file, which is not opened; save both as one file")
        found[name] = item

    group.visititems(note)  # does not follow links
    return found


def choose_camera(names: Sequence[str], camera: str | None) -> tuple[str, list[str]]:
    """The array of pictures to take, and a note on others. Raises UnusableError if there is none, or not this one."""
    ordered = sorted(names, key=natural_sort_key)
    if not ordered:
        raise UnusableError("holds no pictures: no array of the shape (time, height, width, channels)")
    labels = {name: name.rpartition("/")[2] for name in ordered}
    if camera is not None:
        chosen = next((name for name in ordered if camera in (name, labels[name])), None)
        if chosen is None:
            raise UnusableError(f"has no camera {camera!r}; it has {', '.join(labels.values())}")
        return chosen, []
    note = f"has the cameras {', '.join(labels.values())}; {labels[ordered[0]]} was taken, --camera takes another"
    return ordered[0], [note] if len(ordered) > 1 else []


def holds_pictures(array: Any) -> bool:
    """Whether an array or dataset holds pictures, one for each time."""
    if array.dtype == object and array.ndim == 1 and len(array):
        return is_encoded(array[0])
    return array.ndim in (3, 4) and array.dtype.kind in "uif" and is_picture_shape(array.shape[1:])


def is_picture_shape(shape: Sequence[int]) -> bool:
    """Whether a picture may have this shape: (height, width), or with channels last or first."""
    sides = shape
    if len(shape) == 3:
        sides = shape[:2] if shape[2] in CHANNELS else shape[1:] if shape[0] in CHANNELS else ()
    return len(sides) == 2 and min(sides) >= MIN_SIDE


def is_encoded(item: Any) -> bool:
    """Whether an element of a list is a JPEG or PNG file."""
    data = bytes(np.asarray(item, dtype=np.uint8)[:4]) if isinstance(item, np.ndarray) else item
    return isinstance(data, bytes) and data.startswith((b"\xff\xd8", b"\x89PNG"))


def picture_range(pictures: Any, start: int, end: int, notes: list[str]) -> tuple[float, float]:
    """The numbers that become black and white in an episode; adds a note if they are its own extremes."""
    if pictures.dtype == object:
        if bytes(np.asarray(pictures[start], dtype=np.uint8)[:2]) == b"\xff\xd8":
            notes.append("holds its pictures as JPEG, which is lossy: flat colours come back with small errors")
        return 0.0, 255.0
    if pictures.dtype == np.uint8:
        return 0.0, 255.0
    extremes = [(float(np.nanmin(part)), float(np.nanmax(part))) for part in (pictures[i] for i in range(start, end))]
    low, high = min(each for each, _ in extremes), max(each for _, each in extremes)
    if pictures.dtype.kind == "f" and low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= 0 and 1 < high <= 255:
        return 0.0, 255.0
    notes.append(f"has {pictures.dtype} pictures, scaled by each sequence's own range")
    return low, high if high > low else low + 1.0


def to_frame(picture: Any, low: float, high: float) -> Frame:
    """One picture as a frame to store. Raises UnusableError if an encoded one is damaged."""
    if isinstance(picture, bytes) or (isinstance(picture, np.ndarray) and picture.ndim == 1):
        return decode_frame(bytes(np.asarray(picture, dtype=np.uint8)) if isinstance(picture, np.ndarray) else picture)
    array = np.asarray(picture)
    if array.ndim == 3 and array.shape[2] not in CHANNELS:
        array = array.transpose(1, 2, 0)
    if array.dtype != np.uint8:
        scaled = (np.nan_to_num(array.astype(np.float64), nan=low) - low) * (255 / (high - low))
        array = scaled.round().clip(0, 255).astype(np.uint8)
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    image = Image.fromarray(np.ascontiguousarray(array[..., :3]))
    return encode_frame(image, limit_size(image.size), ".png")


def describe_action(action: Any, names: Sequence[str] = ()) -> str:
    """An action in words: its name, else its number; a vector as its numbers."""
    values = np.asarray(action)
    if isinstance(action, bytes | str):
        return action.decode(errors="replace") if isinstance(action, bytes) else action
    if values.ndim == 0:
        if values.dtype.kind in "iu" and 0 <= int(values) < len(names):
            return names[int(values)]
        return f"action {values.item():g}"
    if values.ndim == 1 and len(values) > 1 and sorted(values.tolist()) == [0] * (len(values) - 1) + [1]:
        return f"action {int(values.argmax())}"  # one of several, as zeros and a one
    return "(" + ", ".join(f"{value:.3g}" for value in values.ravel().tolist()) + ")"


def minari_action_names(file: Path) -> Sequence[str]:
    """The names of a Minari dataset's discrete actions, where its environment is known to have some."""
    try:
        metadata = json.loads((file.parent / "metadata.json").read_text(encoding="utf-8"))
        spec = json.loads(metadata.get("env_spec") or "{}")
    except (OSError, ValueError, AttributeError, TypeError):
        return ()
    identity = str(spec.get("id", "")) if isinstance(spec, dict) else ""
    return MINIGRID_ACTIONS if identity.startswith("MiniGrid-") else ()
