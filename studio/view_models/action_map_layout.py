"""Layout of the action map: the position of each point, the style of each category, and the labels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 620, 420  # pixels of the map
MARGIN, TOP_MARGIN = 34, 40  # pixels left empty at the sides and bottom, and at the top for a label
SPACING = 4.7  # pixels; point k of a pile lies this many times √k from its centre, like the seeds of a sunflower
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))
COLOURS = 8
SHAPES = ("circle", "square", "diamond", "triangle", "cross")
LINE_HEIGHT = 15  # pixels between two labels that would otherwise overlap
CROWD_RADIUS = 48  # pixels within which points count as one crowd
LETTER_WIDTH = 6.6  # pixels, approximately


@dataclass(frozen=True)
class MapLabel:
    """A category's name on the map, centred at `x` above its points; pixels."""

    text: str
    category: int
    x: float
    y: float


def spread_points(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Convert points of [0, 1]² to pixels; points that coincide are spread around their place, in order."""
    seen: dict[tuple[float, float], int] = defaultdict(int)
    placed = []
    for x, y in points:
        k = seen[x, y]
        seen[x, y] += 1
        radius = SPACING * math.sqrt(k)
        left = MARGIN + x * (WIDTH - 2 * MARGIN) + radius * math.cos(k * GOLDEN_ANGLE)
        top = TOP_MARGIN + y * (HEIGHT - TOP_MARGIN - MARGIN) + radius * math.sin(k * GOLDEN_ANGLE)
        placed.append((round(min(max(left, 6), WIDTH - 6), 1), round(min(max(top, 6), HEIGHT - 6), 1)))
    return placed


def category_style(category: int) -> tuple[int, str]:
    """The colour (from 1) and the shape of a category; the first forty combinations are all different."""
    return category % COLOURS + 1, SHAPES[category % len(SHAPES)]


def place_labels(
    texts: Sequence[str], categories: Sequence[int], placed: Sequence[tuple[float, float]]
) -> list[MapLabel]:
    """Place each category's name above its largest crowd of points, moved up or down to avoid other labels."""
    labels: list[MapLabel] = []
    for category, text in enumerate(texts):
        mine = [place for place, other in zip(placed, categories, strict=True) if other == category]
        if not mine:
            continue
        top = min(densest_crowd(mine), key=lambda place: place[1])
        half = len(text) * LETTER_WIDTH / 2
        x = min(max(top[0], half + 4), WIDTH - half - 4)
        y = max(14.0, top[1] - 10)
        while any(
            abs(y - other.y) < LINE_HEIGHT and abs(x - other.x) < half + len(other.text) * LETTER_WIDTH / 2
            for other in labels
        ):
            y = y - LINE_HEIGHT if y - LINE_HEIGHT >= 14 and y <= top[1] - 10 else max(y, top[1] - 10) + LINE_HEIGHT
        labels.append(MapLabel(text, category, round(x, 1), round(y, 1)))
    return labels


def densest_crowd(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points within CROWD_RADIUS of the point that has the most neighbours."""
    return max(([other for other in places if math.dist(place, other) < CROWD_RADIUS] for place in places), key=len)
