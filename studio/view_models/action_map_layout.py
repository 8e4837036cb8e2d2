"""Where each action's point is drawn on the map, and which colour and shape its category has."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 620, 420  # pixels of the map
EDGE, ABOVE = 34, 40  # empty room at the sides and the bottom, and at the top for a name
SPACING = 4.7  # pixels: points of the same words lie like a sunflower's seeds, so many times the root of their number
TURN = math.pi * (3 - math.sqrt(5))  # the golden angle
COLOURS = 8
SHAPES = ("circle", "square", "diamond", "triangle", "cross")
LINE = 15  # pixels between two names that would lie on each other
NEAR = 48  # pixels within which points make a crowd
LETTER = 6.6  # pixels of a name's letter, about


@dataclass(frozen=True)
class MapLabel:
    """A category's name on the map, centred above its points."""

    text: str
    category: int
    x: float
    y: float


def spread_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of [0, 1]² in pixels; those that lie in one place are spread around it, in their order."""
    seen: dict[tuple[float, float], int] = defaultdict(int)
    placed = []
    for x, y in points:
        k = seen[x, y]
        seen[x, y] += 1
        far = SPACING * math.sqrt(k)
        left = EDGE + x * (WIDTH - 2 * EDGE) + far * math.cos(k * TURN)
        top = ABOVE + y * (HEIGHT - ABOVE - EDGE) + far * math.sin(k * TURN)
        placed.append((round(min(max(left, 6), WIDTH - 6), 1), round(min(max(top, 6), HEIGHT - 6), 1)))
    return placed


def category_style(category: int) -> tuple[int, str]:
    """The colour (from 1) and the shape of a category; no two of the first forty have both in common."""
    return category % COLOURS + 1, SHAPES[category % len(SHAPES)]


def place_labels(
    texts: Sequence[str], categories: Sequence[int], placed: Sequence[tuple[float, float]]
) -> list[MapLabel]:
    """Each category's name above the largest crowd of its points, moved up or down where two would meet."""
    found: list[MapLabel] = []
    for category, text in enumerate(texts):
        mine = [place for place, other in zip(placed, categories, strict=True) if other == category]
        if not mine:
            continue
        top = min(densest_crowd(mine), key=lambda place: place[1])
        half = len(text) * LETTER / 2
        x = min(max(top[0], half + 4), WIDTH - half - 4)
        y = max(14.0, top[1] - 10)
        while any(abs(y - n.y) < LINE and abs(x - n.x) < half + len(n.text) * LETTER / 2 for n in found):
            y = y - LINE if y - LINE >= 14 and y <= top[1] - 10 else max(y, top[1] - 10) + LINE
        found.append(MapLabel(text, category, round(x, 1), round(y, 1)))
    return found


def densest_crowd(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points around the one that has the most of them near."""
    return max(([other for other in places if math.dist(place, other) < NEAR] for place in places), key=len)
