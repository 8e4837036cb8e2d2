"""Divides the pictures of a folder into sequences by the numbers at the end of their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import PurePosixPath

from swirl.sources.archive_entries import Entry
from swirl.sources.formats.frame_clips import MAX_LISTED_PLACES, summarize_names
from swirl.sources.validation import Skipped

COUNT = re.compile(r"(?P<before>.*?)(?P<number>\d{1,15})")
FRACTION = re.compile(r"(?:(?P<before>.*\D)(?=\d{10}\.))?(?P<number>(?P<whole>\d{1,15})(?:\.(?P<fraction>\d{1,15}))?)")
"""A number with a fraction, alone or, if it is a time in seconds since 1970, after something else."""
DATE = r"(?:19|20)\d\d-?[01]\d-?[0-3]\d"
TIME = r"(?!0000)[0-2]\d[-_.]?[0-5]\d[-_.]?[0-5]\d(?:[-_.]?\d{1,9})?"
MOMENT = re.compile(rf"(?P<before>(?:.*\D)?)(?P<number>{DATE}(?:(?:[-_ T]| at ){TIME})?)")
"""A date, alone or with a time of day. What begins with 0000 after a date is more likely a count than such a time."""
NEARLY_ALL = 0.9
"""The share of the numbered names of a folder that must be times or have a fraction to be read so."""


@dataclass(frozen=True)
class NumberedNames:
    """What stands before the number at the end of each name, None without one, and these numbers as text.

    They are counts, numbers with a fraction, or moments in time; `are_fractions` and `are_counts` tell which.
    """

    before: list[str | None]
    numbers: list[str]
    are_counts: bool = True
    are_fractions: bool = False


@dataclass(frozen=True)
class Division:
    """The sequences of a folder's pictures by name, and what is to be said about them."""

    parts: list[tuple[str, Sequence[Entry]]]
    notes: list[Skipped] = field(default_factory=list)


def read_numbers(names: Sequence[str]) -> NumberedNames:
    """The numbers at the end of the names of a folder's pictures, without their suffixes.

    A date with a time of day is one number, and so is a number with a fraction: `1305031102.1753` is a time.
    """
    counts = [COUNT.fullmatch(name) for name in names]
    fractions = [FRACTION.fullmatch(name) for name in names]
    moments = [MOMENT.fullmatch(name) for name in names]
    numbered = len(names) - counts.count(None)

    def are_usual(matches: list[re.Match[str] | None]) -> bool:
        return len(matches) - matches.count(None) >= NEARLY_ALL * max(1, numbered)

    are_fractions = are_usual(fractions) and have_fractions(fractions)
    are_moments = not are_fractions and are_usual(moments)
    special = fractions if are_fractions else moments if are_moments else counts
    found = [match or count for match, count in zip(special, counts, strict=True)]
    return NumberedNames(
        [(match["before"] or "").rstrip("-_. ") if match else None for match in found],
        [match["number"] if match else "" for match in found],
        are_counts=special is counts,
        are_fractions=are_fractions,
    )


def have_fractions(matches: Sequence[re.Match[str] | None]) -> bool:
    """Whether some numbers have fractions, rather than that what stands after their points counts on, as in `2.0017`.

    With one digit after the point that cannot be told; it is then a fraction.
    """
    below: dict[str, list[str]] = defaultdict(list)
    for match in matches:
        if match and match["fraction"]:
            below[match["whole"]].append(match["fraction"])
    widths = {len(digits) for each in below.values() for digits in each}
    steps = [after - before for each in below.values() for before, after in pairwise(sorted(map(int, each)))]
    counts_on = max(widths, default=0) > 1 and steps.count(1) * 2 > len(steps)
    return bool(below) and not counts_on


def divide(folder: str, shown: str, pictures: Sequence[Entry]) -> Division:
    """The pictures of a folder by sequence, one for what stands before the numbers in their names.

    The folder is called `shown` in reports. Pictures that are alone in this are left out if they are fewer than the
    others; else all pictures are one sequence, in the order of their names.
    """
    found = read_numbers([PurePosixPath(entry.name).stem for entry in pictures])
    named: dict[str | None, list[tuple[str, Entry]]] = defaultdict(list)
    for before, number, entry in zip(found.before, found.numbers, pictures, strict=True):
        named[before].append((number, entry))
    if found.are_fractions:
        # The order of names is that of whole numbers, in which .21 comes before .1753.
        named = {key: sorted(each, key=lambda item: Decimal(item[0] or 0)) for key, each in named.items()}
    groups = {
        before: [entry for _, entry in each] for before, each in named.items() if before is not None and len(each) > 1
    }
    kept = {entry.name for each in groups.values() for entry in each}
    strays = [entry for entry in pictures if entry.name not in kept]
    listed = describe_groups(list(groups))
    if len(kept) <= len(strays):
        why = f"has numbered pictures ({listed}) among others and is one sequence all the same; use a folder for each"
        return Division([(folder, pictures)], [Skipped(shown, why)] if len(groups) > 1 else [])
    notes = []
    if strays:
        verb = "fit" if len(strays) > 1 else "fits"
        why = f"{verb} no group of numbered pictures and {'were' if len(strays) > 1 else 'was'} left out"
        notes.append(Skipped(summarize_names([entry.name for entry in strays]), f"{why}; rename what belongs to one"))
    if found.are_fractions:
        why = "has pictures named by numbers with a fraction, and is in the order of these numbers"
        notes.append(Skipped(shown, why))
    if len(groups) == 1:
        return Division([(folder, next(iter(groups.values())))], notes)
    why = f"was divided into {len(groups)} sequences by what stands before the numbers in its names: {listed}"
    below = "" if folder == "." else f"{folder}/"
    return Division(
        [(below + name if name else folder, each) for name, each in groups.items()], [Skipped(shown, why), *notes]
    )


def describe_groups(names: Sequence[str]) -> str:
    """The names of groups for a report: the first ones, and how many more."""
    more = len(names) - MAX_LISTED_PLACES
    words = [name or "(numbers alone)" for name in names[:MAX_LISTED_PLACES]]
    return ", ".join(words) + (f" and {more} more" if more > 0 else "")


def jumps(pictures: Sequence[Entry]) -> str:
    """A predicate on numbers that are missing in the names of a sequence's pictures; empty if there are none."""
    names = [PurePosixPath(entry.name).stem for entry in pictures]
    found = read_numbers(names)
    if not found.are_counts or None in found.before or len(names) < 3:
        return ""
    numbers = [int(number) for number in found.numbers]
    widths = [after - before for before, after in pairwise(numbers)]
    usual = max(set(widths), key=widths.count)
    places = [number for number, width in enumerate(widths) if width > usual]
    if not places or widths.count(usual) * 2 <= len(widths):
        return ""
    more = f" and at {len(places) - 1} more places" if len(places) > 1 else ""
    return f"jumps from {names[places[0]]} to {names[places[0] + 1]}{more}; its pictures are one sequence all the same"
