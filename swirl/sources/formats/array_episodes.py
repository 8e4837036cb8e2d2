"""Reads episodes of files of arrays: npy and npz, and HDF5 as Minari, robomimic and D4RL write it.

An array of pictures is (T, height, width, channels), or (T, channels, height, width), or a list of JPEG or PNG files.
npy and npz may hold (N, T, …). Where one episode ends is told by groups, or by `is_first`, `terminals` and `timeouts`
in arrays that hold many. Nothing that a file could make Python execute is read, and no other file that it names is
opened.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from swirl.errors import SwirlError, UsageError
from swirl.progress import ProgressCallback
from swirl.sources.archive_entries import READ_ERRORS, error_reason
from swirl.sources.environment_names import Names
from swirl.sources.formats.array_pictures import array_frames, holds_pictures, is_picture_shape
from swirl.sources.formats.content import Source
from swirl.sources.formats.episodes import (
    ActionKind,
    Episode,
    camera_labels,
    choose_camera,
    episode_clips,
    text_episodes,
)
from swirl.sources.formats.files_beside import files_beside
from swirl.sources.formats.frame_clips import Clip
from swirl.sources.formats.import_options import ImportOptions
from swirl.sources.formats.minari_metadata import find_minari, minari_action_names, names_of_actions
from swirl.sources.formats.npz_arrays import NpzArray, npz_arrays
from swirl.sources.formats.outline import Outline
from swirl.sources.formats.still_images import PICTURE_SUFFIXES
from swirl.sources.formats.video import VIDEO_SUFFIXES
from swirl.sources.reading import natural_sort_key
from swirl.sources.validation import LocatedSequence, Mark, Skipped, UnusableError

NUMPY_SUFFIXES, HDF5_SUFFIXES = (".npy", ".npz"), (".hdf5", ".h5", ".hdf")
INSTALL_H5PY = "run: pip install h5py"
FILE_ERRORS = (*READ_ERRORS, KeyError)
OUTLINED = 200
"""Of how many episodes a preview tells the length, as each has to be looked into."""
ACTION_NAMES = ("actions", "action")
OBSERVATION_NAMES = ("observations", "obs")
EPISODE_GROUP = re.compile(r"[A-Za-z]*[-_ ]?\d+")
"""The name of the group of an episode, such as `demo_3` or `traj-0`."""
MAX_DEPTH = 2
"""How many levels further down groups of episodes are looked for."""
FIRST_NAMES = ("is_first",)
LAST_NAMES = ("is_last", "terminals", "terminal", "terminated", "terminations", "timeouts", "timeout", "truncated")
LAST_NAMES += ("truncations", "dones", "done")
NUMBER_NAMES = ("episode_index", "episode_id", "episode_ids", "episode", "ep_idx")
ENDS_NAMES = ("episode_ends",)
LENGTH_NAMES = ("length", "lengths", "episode_length", "episode_lengths")
"""What tells where episodes end: flags at the first or last step, a number at each step, ends, or lengths."""
ACTIONS_NEEDED = "save one for each state, or for each but the last of an episode"
NO_PICTURES = "holds no pictures: no array of the shape (time, height, width, channels)"


@dataclass
class ArrayFile:
    """The episodes of a file, its cameras, and what is to be said about it; reading frames adds to that.

    `actions` yields those of each episode as they are in the file.
    """

    episodes: Sequence[Episode | TextEpisode]
    actions: Callable[[], Iterable[Iterable[Any]]]
    notes: list[str] = field(default_factory=list)
    cameras: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextEpisode:
    """An episode whose observations are texts."""

    id: str
    where: str
    texts: Any
    actions: list[str] | None


def is_arrays(source: Source) -> bool:
    """Whether a source is a file of arrays, a folder of such files, or that of a Minari dataset in HDF5."""
    if source.is_folder:
        return find_minari(source.path, "main_data.hdf5") is not None or bool(find_array_files(source))
    return source.suffix in (*NUMPY_SUFFIXES, *HDF5_SUFFIXES)


def find_array_files(source: Source) -> list[Source]:
    """The files of arrays in a folder, as replays of one episode a file are kept; none if it holds pictures, too."""
    suffixes = {file.suffix.lower() for file in source.files}
    if suffixes & (PICTURE_SUFFIXES | VIDEO_SUFFIXES):
        return []
    found = [file for file in source.files if file.suffix.lower() in (*NUMPY_SUFFIXES, *HDF5_SUFFIXES)]
    ordered = sorted(found, key=lambda file: natural_sort_key(str(file)))
    return [Source(file, file.suffix.lower()) for file in ordered]


def array_outline(source: Source, options: ImportOptions) -> Outline:
    """The episodes of a file, or the files of a folder. Raises SwirlError if it cannot be read or holds no pictures."""
    if is_array_folder(source):
        files = find_array_files(source)
        return Outline(None, parts=f"{len(files)} file{'s' * (len(files) > 1)} of arrays")
    with open_arrays(source, options) as found:
        lengths = []
        step = options.episode_step(None)
        for number in range(min(len(found.episodes), OUTLINED)):
            with suppress(UnusableError, *FILE_ERRORS):  # said where the episode is read
                episode = found.episodes[number]
                length = len(episode.texts) if isinstance(episode, TextEpisode) else episode.length
                lengths.append(-(-length // step))
        usable = [length for length in lengths if length > 1]
        return Outline(len(found.episodes) - len(lengths) + len(usable), tuple(usable), found.cameras)


def is_array_folder(source: Source) -> bool:
    """Whether a source is a folder of files of arrays."""
    return source.is_folder and find_minari(source.path, "main_data.hdf5") is None


def array_clips(
    source: Source,
    options: ImportOptions,
    progress: ProgressCallback | None = None,
    start: tuple[int, ...] | None = None,
) -> Iterator[Clip | LocatedSequence | Skipped | Mark]:
    """Yield the episodes of a file or folder as they are read, what is to be said about them, and a mark after each.

    Raises SwirlError if the file cannot be read or holds no pictures.
    """
    if not is_array_folder(source):
        yield from file_clips(source, options, "", progress, start[0] if start else 0, ())
        return
    kind = ActionKind(partial(folder_actions, source, options))
    files = find_array_files(source)
    if start is None:
        yield from files_beside(source, {file.path for file in files}, "arrays")
    first, *inside = start or (0,)
    for number, file in enumerate(files):
        if number < first:
            continue
        if progress:
            progress(number / len(files), f"Reading {file.path.name}")
        name = file.path.relative_to(source.path).with_suffix("").as_posix()
        try:
            done = inside[0] if inside and number == first else 0
            yield from file_clips(file, options, name, None, done, (number,), kind)
        except UsageError:
            raise
        except SwirlError as problem:
            yield Skipped(file.path.name, str(problem).removeprefix(f"{file.path} ").rstrip("."))
        yield Mark((number + 1,))


def folder_actions(source: Source, options: ImportOptions) -> Iterator[Iterable[Any]]:
    """Yield the actions of each episode in a folder; what cannot be read is passed over, as it is said later."""
    for file in find_array_files(source):
        with suppress(SwirlError), open_arrays(file, options) as found:
            yield from found.actions()


def file_clips(
    source: Source,
    options: ImportOptions,
    name: str,
    progress: ProgressCallback | None,
    done: int,
    position: tuple[int, ...],
    kind: ActionKind | None = None,
) -> Iterator[Clip | LocatedSequence | Skipped | Mark]:
    """Yield the episodes of one file, which is called `name` in a folder, from number `done` on.

    Positions of marks begin with `position`; `kind` describes the actions of the folder.
    """
    path = source.path
    with open_arrays(source, options, name, kind) as found:
        step = options.episode_step(None)
        said: set[str] = set()
        for number in range(done, len(found.episodes)):
            if progress:
                progress(number / len(found.episodes), f"Reading {path.name}")
            yield from read_episode(path, found.episodes, number, step)
            yield from (Skipped(path.name, note) for note in dict.fromkeys(found.notes) if note not in said)
            said |= set(found.notes)
            found.notes.clear()
            yield Mark((*position, number + 1))


def read_episode(
    path: Path, episodes: Sequence[Episode | TextEpisode], number: int, step: int
) -> Iterator[Clip | LocatedSequence | Skipped]:
    """Yield one episode, or why it cannot be read."""
    try:
        episode = episodes[number]
        texts = list(episode.texts[()]) if isinstance(episode, TextEpisode) else []
    except UnusableError as problem:
        yield Skipped(f"{path.name}: episode {number + 1}", str(problem))
        return
    except FILE_ERRORS as error:
        yield Skipped(f"{path.name}: episode {number + 1}", f"cannot be read ({error_reason(error)}); copy it again")
        return
    if isinstance(episode, TextEpisode):
        yield from text_episodes(episode.where, episode.id, texts, episode.actions, step)
    else:
        yield from episode_clips(episode, step)


@contextmanager
def open_arrays(
    source: Source, options: ImportOptions, name: str = "", kind: ActionKind | None = None
) -> Iterator[ArrayFile]:
    """Open a file, which is called `name` in a folder, and find its episodes.

    `kind` describes the actions, by default as those of this file alone. Raises SwirlError if the file cannot be read
    or holds no pictures.
    """
    path = source.path
    with ExitStack() as stack:
        try:
            found = find_episodes(source, options, name, kind, stack)
        except UnusableError as problem:
            raise SwirlError(f"{path} {problem}.") from problem
        except FILE_ERRORS as error:
            raise SwirlError(
                f"{path} is not a readable file of arrays ({error_reason(error)}); copy it again."
            ) from error
        yield found


def find_episodes(
    source: Source, options: ImportOptions, name: str, kind: ActionKind | None, stack: ExitStack
) -> ArrayFile:
    """The episodes of a file, which stays open as long as `stack`. Raises UnusableError if it holds none."""
    path = source.path
    file = (find_minari(path, "main_data.hdf5") or path) if source.is_folder else path
    if source.suffix == ".npy":
        frames = np.load(file, mmap_mode="r", allow_pickle=False)
        return numpy_episodes(path, name, {"frames": frames}, options.camera, kind)
    if source.suffix == ".npz":
        archive = stack.enter_context(zipfile.ZipFile(file))
        return numpy_episodes(path, name, npz_arrays(archive), options.camera, kind)
    try:
        import h5py
    except ImportError:
        raise SwirlError(f"{file} is an HDF5 file, which needs the package h5py; {INSTALL_H5PY}.") from None
    opened = stack.enter_context(h5py.File(file, "r"))
    return hdf5_episodes(path, name, opened, options.camera, minari_action_names(file.parent), kind)


def picture_episode(
    identity: str, where: str, pictures: Any, bounds: tuple[int, int], actions: list[str] | None, notes: list[str]
) -> Episode:
    """The episode of an array of pictures from its first to before its last index."""

    def read(step: int) -> Iterator[Any]:
        return array_frames(pictures, *bounds, step, where, notes)

    return Episode(identity, where, bounds[1] - bounds[0], read, actions)


def numpy_episodes(
    path: Path, name: str, arrays: Mapping[str, Any], camera: str | None, kind: ActionKind | None
) -> ArrayFile:
    """The episodes of NumPy arrays."""
    arrays = {key: array for key, array in arrays.items() if array.ndim and len(array)}
    many = [key for key, array in arrays.items() if array.ndim == 5 and is_picture_shape(array.shape[2:])]
    many = [key for key in many if is_camera(key)]
    if not many:
        return flat_episodes(path, name, arrays, camera, kind)
    chosen, _ = choose_camera(path, many, camera)
    count, length = arrays[str(chosen)].shape[:2]
    flat = {
        key: array.reshape((count * length, *array.shape[2:]))
        for key, array in arrays.items()
        if array.ndim > 1 and tuple(array.shape[:2]) == (count, length)
    }
    for key in ACTION_NAMES:
        if key in arrays and tuple(arrays[key].shape[:2]) == (count, length - 1):
            flat[key] = aligned_actions(load(arrays[key]), at_start=has_firsts(arrays))
        elif key in arrays:
            flat.setdefault(key, arrays[key])  # said to fit no frames
    lengths = next((load(arrays[n]) for n in LENGTH_NAMES if n in arrays and arrays[n].shape == (count,)), None)
    ends = [length] * count if lengths is None else [min(int(each), length) for each in lengths]
    spans = [(number * length, number * length + end) for number, end in enumerate(ends)]
    return flat_episodes(path, name, flat, camera, kind, spans)


def aligned_actions(actions: np.ndarray, *, at_start: bool) -> np.ndarray:
    """Actions (episodes, frames - 1, …) as one for each frame of all episodes; one that is never read fills each up."""
    parts = [actions[:, :1], actions] if at_start else [actions, actions[:, -1:]]
    filled = np.concatenate(parts, axis=1)
    return filled.reshape((-1, *filled.shape[2:]))


def has_firsts(arrays: Mapping[str, Any]) -> bool:
    """Whether first frames are marked; an action then stands at the frame that it led to."""
    return any(key in arrays for key in FIRST_NAMES)


def is_camera(name: str) -> bool:
    """Whether an array of this name may be what a camera saw: no action, and not what is seen one step later."""
    parts = re.split(r"[/.]", name.lower())
    return not any(part.startswith("next_") or part == "next" or part in ACTION_NAMES for part in parts)


def flat_episodes(
    path: Path,
    name: str,
    arrays: Mapping[str, Any],
    camera: str | None,
    kind: ActionKind | None,
    spans: Sequence[tuple[int, int]] | None = None,
) -> ArrayFile:
    """The episodes of arrays whose first axis is time, divided where one ends; `spans` are parts known before.

    Raises UnusableError if what marks the ends does not fit the pictures.
    """
    cameras = [key for key, array in arrays.items() if holds_pictures(array) and is_camera(key)]
    chosen, notes = choose_camera(path, cameras, camera)
    if chosen is None:
        raise UnusableError(NO_PICTURES)
    pictures, stem = arrays[chosen], name or path.stem
    bounds = episode_bounds(arrays, len(pictures), spans or [(0, len(pictures))])
    known, why = flat_actions(arrays, len(pictures), bounds)
    notes += [why] if why else []
    kind = kind or ActionKind(lambda: known or [])
    episodes = []
    for number, (start, end) in enumerate(bounds):
        identity = stem if len(bounds) == 1 else f"{stem}-{number}"
        said = None if known is None else kind.describe(known[number])
        episodes.append(picture_episode(identity, f"{path.name}: {identity}", pictures, (start, end), said, notes))
    return ArrayFile(episodes, lambda: known or [], notes, camera_labels(cameras))


def flat_actions(
    arrays: Mapping[str, Any], count: int, bounds: Sequence[tuple[int, int]]
) -> tuple[list[np.ndarray] | None, str]:
    """The actions of each episode among `count` frames, one for each frame but its last, or why they are left out."""
    names = sorted((name for name in ACTION_NAMES if name in arrays), key=lambda name: len(arrays[name]) != count)
    for name in names:
        if (spans := action_spans(len(arrays[name]), count, bounds, has_firsts(arrays))) is not None:
            actions = np.asarray(load(arrays[name]))
            return [actions[start:end] for start, end in spans], ""
    if not names:
        return None, ""
    why = f"has {len(arrays[names[0]])} values of {names[0]} for {count} frames, which were left out"
    return None, f"{why}; {ACTIONS_NEEDED}"


def action_spans(
    length: int, count: int, bounds: Sequence[tuple[int, int]], lead_to_frames: bool
) -> list[tuple[int, int]] | None:
    """Where the actions of each episode lie among `length`; None if these fit neither the frames nor the steps.

    With `lead_to_frames` an action stands at the frame that it led to, else at the one that it was taken in.
    """
    if length == count and lead_to_frames:
        return [(start + 1, end) for start, end in bounds]
    if length in (count, count - 1):  # of the last frame no step leads on
        return [(start, end - 1) for start, end in bounds]
    ends = list(accumulate(end - start - 1 for start, end in bounds))
    return list(pairwise([0, *ends])) if length == ends[-1] else None


def episode_bounds(arrays: Mapping[str, Any], count: int, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where each episode begins and ends among `count` frames, within `spans`.

    Raises UnusableError if an array that marks them has another length.
    """
    starts: set[int] = set()

    def flags(key: str, shortest: int) -> np.ndarray:
        values = first_column(arrays[key])
        if not shortest <= len(values) <= count:
            raise UnusableError(f"has {len(values)} values of {key} for {count} frames; correct it or leave it out")
        return np.flatnonzero(values)

    for key in FIRST_NAMES:
        if key in arrays:
            starts |= set(flags(key, count).tolist())
    for key in LAST_NAMES:
        if key in arrays:
            # There may be none for the last frame, as no step follows it.
            starts |= {index + 1 for index in flags(key, count - 1).tolist()}
    for key in NUMBER_NAMES:
        if key in arrays:
            numbers = first_column(arrays[key])
            if len(numbers) != count:
                raise UnusableError(f"has {len(numbers)} values of {key} for {count} frames; correct it")
            starts |= {index + 1 for index in np.flatnonzero(numbers[1:] != numbers[:-1]).tolist()}
    for key in ENDS_NAMES:
        if key in arrays:
            starts |= {int(end) for end in first_column(arrays[key])}
    bounds: list[tuple[int, int]] = []
    for start, end in spans:
        inside = sorted(each for each in starts if start < each < end)
        bounds += list(pairwise([start, *inside, end]))
    return bounds


def load(array: Any) -> Any:
    """An array, in memory if it lies in an npz file."""
    return array.load() if isinstance(array, NpzArray) else array


def first_column(array: Any) -> np.ndarray:
    """The first of the numbers that stand at each time."""
    numbers = np.asarray(load(array))
    return numbers.reshape(len(numbers), -1)[:, 0]


def hdf5_episodes(
    path: Path, name: str, opened: Any, camera: str | None, names: Names, kind: ActionKind | None
) -> ArrayFile:
    """The episodes of an HDF5 file: groups (Minari, robomimic), else flat arrays (D4RL)."""
    inside = own_items(opened)
    holder = inside["data"] if hasattr(inside.get("data"), "keys") else opened
    groups = episode_groups(holder)
    if not groups:
        arrays = {key: data for key, data in datasets(opened).items() if data.shape}
        return flat_episodes(path, name, arrays, camera, kind)
    found = ArrayFile([], lambda: (group_actions(holder[group]) for group in groups))
    read = partial(
        group_episode,
        path,
        holder,
        prefix=f"{name}/" if name else "",
        camera=camera,
        names=names,
        found=found,
        kind=kind or ActionKind(found.actions),
    )
    found.episodes = LazyEpisodes(groups, read)
    return found


def episode_groups(holder: Any, depth: int = MAX_DEPTH, prefix: str = "") -> list[str]:
    """The paths of the groups of episodes in a group, and in groups below it, as in `train/demo_0`."""
    found = []
    for name, item in own_items(holder).items():
        if not hasattr(item, "keys") or name in OBSERVATION_NAMES:
            continue
        has_observations = any(key in item for key in OBSERVATION_NAMES)
        below = [] if has_observations or not depth else episode_groups(item, depth - 1, f"{prefix}{name}/")
        # Further down other things have numbers, too, such as cameras.
        if not below and EPISODE_GROUP.fullmatch(name) and (has_observations or not prefix):
            below = [prefix + name]
        found += below
    return sorted(found, key=natural_sort_key)


def group_actions(group: Any) -> Any:
    """The actions of an episode but one of its last state; none if they cannot be read, which is said where it is."""
    try:
        seen, actions = group_arrays(group)
        length = max((len(data) for data in seen.values()), default=0)
        return () if actions is None else np.asarray(actions[: max(0, length - 1)])
    except (UnusableError, *FILE_ERRORS):
        return ()


def group_arrays(group: Any) -> tuple[dict[str, Any], Any]:
    """The observations of an episode by their paths, and its actions, None without any.

    Raises UnusableError if something lies in another file.
    """
    arrays = {key: data for key, data in datasets(group).items() if data.shape}
    seen = {key: data for key, data in arrays.items() if key.split("/")[0] in OBSERVATION_NAMES}
    return seen, next((arrays[key] for key in ACTION_NAMES if key in arrays), None)


class LazyEpisodes(Sequence):
    """Episodes of groups, each looked into only when it is its turn, as there may be thousands."""

    def __init__(self, groups: list[str], read: Any) -> None:
        self.groups, self.read = groups, read

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: Any) -> Any:
        return self.read(self.groups[index])


def group_episode(
    path: Path,
    holder: Any,
    name: str,
    prefix: str,
    camera: str | None,
    names: Names,
    kind: ActionKind,
    found: ArrayFile,
) -> Episode | TextEpisode:
    """The episode of a group: its pictures, else its texts. Raises UnusableError if it has neither."""
    seen, actions = group_arrays(holder[name])
    where = f"{path.name}: {name}"

    def known(length: int) -> list[str] | None:
        if actions is None:
            return None
        if len(actions) not in (length, length - 1):
            why = f"has {len(actions)} actions for the {length} states of {name}, which were left out"
            found.notes.append(f"{why}; {ACTIONS_NEEDED}")
            return None
        taken = np.asarray(actions[: length - 1])
        return kind.describe(taken, names_of_actions(names, taken))

    cameras = [key for key, data in seen.items() if holds_pictures(data) and is_camera(key)]
    chosen, notes = choose_camera(path, cameras, camera)
    found.notes += notes
    found.cameras = camera_labels(cameras)
    if chosen is not None:
        pictures = seen[chosen]
        length = len(pictures)
        return picture_episode(prefix + name, where, pictures, (0, length), known(length), found.notes)
    texts, notes = choose_camera(path, [key for key, data in seen.items() if holds_texts(data)], camera)
    if texts is None:
        shapes = ", ".join(f"{key.rpartition('/')[2]} {data.shape[1:]}" for key, data in seen.items())
        raise UnusableError(f"has no pictures or texts as observations, but {shapes or 'none'}; choose other data")
    found.notes += notes
    return TextEpisode(prefix + name, where, seen[texts], known(len(seen[texts])))


def holds_texts(data: Any) -> bool:
    """Whether a dataset holds texts, one for each time."""
    import h5py

    return data.ndim == 1 and h5py.check_string_dtype(data.dtype) is not None


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
