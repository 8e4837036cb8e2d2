"""The map of inferred actions: one point per transition, coloured by cluster or by true action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.components.shared.html import escape
from studio.components.shared.inferred_actions import action_text
from studio.components.shared.interval_dots import marker
from studio.view_models.action_map_layout import HEIGHT, WIDTH, category_style, place_labels, spread_points
from studio.view_models.formatting import format_count, format_percent

if TYPE_CHECKING:
    from swirl.evaluation.action_map import Confusion

POINT_SIZE = 4.2  # pixels: half a point's width
MAX_NAME_LENGTH = 28  # characters of a category's name on the map
KEYBOARD_HINT = "arrow keys move to the next point, Enter shows its transition"
MAX_AMBER = 42  # percent of amber in a full cell, so that the number on it stays readable


@dataclass(frozen=True)
class MapPoint:
    """One transition on the map: its position (0 to 1), its sequence and step (both from 1), and its actions.

    `truth` is None where the true action is unknown.
    """

    position: tuple[float, float]
    sequence: int
    step: int
    action: str
    truth: str | None


def action_map(points: Sequence[MapPoint], categories: Sequence[int], names: Sequence[str], meaning: str) -> str:
    """The map and its legend; `categories` are indices into `names`, and `meaning` says what a category is."""
    placed = spread_points([point.position for point in points])
    marks = "".join(
        _point(number, point, category, names[category], place)
        for number, (point, category, place) in enumerate(zip(points, categories, placed, strict=True))
    )
    labels = "".join(
        f'<text class="name c{category_style(name.category)[0]}" x="{name.x}" y="{name.y}" text-anchor="middle" '
        f'aria-hidden="true">{escape(name.text)}</text>'
        for name in place_labels([shorten_name(text) for text in names], categories, placed)
    )
    sizes = Counter(categories)
    legend = "".join(
        f"<li>{legend_key(number)} {escape(text)} <small>{format_count(sizes[number])}</small></li>"
        for number, text in enumerate(names)
        if sizes[number]
    )
    return (
        '<div class="scroll map-frame" tabindex="-1">'
        f'<svg class="action-map" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" tabindex="0" '
        f'role="listbox" aria-label="{format_count(len(points))} actions by {meaning}; {KEYBOARD_HINT}">'
        f"{marks}{labels}</svg></div>"
        f'<ul class="legend" aria-label="{meaning}">{legend}</ul>'
    )


def _point(number: int, point: MapPoint, category: int, name: str, place: tuple[float, float]) -> str:
    colour, shape = category_style(category)
    truth = "" if point.truth is None else f" · true action: {point.truth}"
    place_words = f"sequence {point.sequence}, step {point.step}"
    label = action_text(point.action) + escape(f"{truth} · {place_words} · {name}")
    return (
        f'<g role="option" id="map-point-{number}" aria-selected="false" aria-label="{label}" '
        f'class="point c{colour}" data-x="{place[0]}" data-y="{place[1]}" data-sequence="{point.sequence}" '
        f'data-at="{point.step}">{mark(shape, *place)}</g>'
    )


def mark(shape: str, x: float, y: float) -> str:
    """A point's marker as SVG: one of SHAPES, or a cross."""
    if shape != "cross":
        return marker(shape, x, y, POINT_SIZE)
    far, near = round(POINT_SIZE * 1.2, 1), round(POINT_SIZE * 0.42, 1)
    arm = round(far - near, 1)
    path = (
        f"M{-near} {-far}h{2 * near}v{arm}h{arm}v{2 * near}h{-arm}v{arm}h{-2 * near}v{-arm}h{-arm}v{-2 * near}h{arm}z"
    )
    return f'<path class="mark" transform="translate({x} {y})" d="{path}"/>'


def legend_key(category: int) -> str:
    """A category's colour and shape as a small SVG for a legend."""
    colour, shape = category_style(category)
    return (
        f'<svg class="key c{colour}" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        f"{mark(shape, 7, 7)}</svg>"
    )


def shorten_name(text: str) -> str:
    """A name cut to MAX_NAME_LENGTH characters."""
    return text if len(text) <= MAX_NAME_LENGTH else f"{text[: MAX_NAME_LENGTH - 1].rstrip()}…"


def confusion_table(confusion: Confusion) -> str:
    """Counts of clusters against true actions as a heat map, and the purity of the clusters beside its baseline."""
    heads = "".join(f'<th scope="col"><span>{escape(column)}</span></th>' for column in confusion.columns)
    rows = "".join(
        f'<tr><th scope="row">{legend_key(number)} {escape(name)}</th>'
        f"{''.join(_cell(n, sum(counts)) for n in counts)}</tr>"
        for number, (name, counts) in enumerate(zip(confusion.rows, confusion.counts, strict=True))
    )
    total = sum(map(sum, confusion.counts))
    purity = sum(max(counts) for counts in confusion.counts) / total
    baseline = max(map(sum, zip(*confusion.counts, strict=True))) / total
    return (
        f"<p>{format_percent(purity)} have the most common true action of their cluster; with a single cluster it "
        f"would be {format_percent(baseline)}.</p>"
        '<div class="scroll heat-frame" tabindex="0" role="group" aria-label="Clusters against true actions">'
        '<table class="heat-map"><thead><tr><th scope="col" class="corner">cluster / true action</th>'
        f"{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="note">Counts of {format_count(total)} transitions; the stronger the colour, the larger the share '
        "of its cluster. The clusters are made from the words of the inferred actions alone.</p>"
    )


def _cell(count: int, total: int) -> str:
    share = count / total if total else 0.0
    style = f' style="--share:{round(MAX_AMBER * share)}%"' if count else ' class="none"'
    return f"<td{style}>{format_count(count)}</td>"
