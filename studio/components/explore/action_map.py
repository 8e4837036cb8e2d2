"""The map of latent actions: a point each, coloured by cluster or by truth, which leads to its transition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.components.shared.html import escape
from studio.components.shared.interval_dots import marker
from studio.view_models.action_map_layout import HEIGHT, WIDTH, category_style, place_labels, spread_points
from studio.view_models.formatting import format_count, format_percent

if TYPE_CHECKING:
    from swirl.evaluation.action_map import Confusion

SIZE = 4.2  # pixels: half a point's width
LONGEST = 28  # letters of a category's name on the map
KEYBOARD_HINT = "arrow keys go to the next point, Enter shows its transition"
STRONGEST = 42  # per cent of amber in the fullest cell: the number on it stays readable


@dataclass(frozen=True)
class MapPoint:
    """One transition on the map: where it lies (0 to 1), where it is to be found (both from 1), what was said of it."""

    position: tuple[float, float]
    sequence: int
    step: int
    action: str
    truth: str | None


def action_map(points: Sequence[MapPoint], categories: Sequence[int], called: Sequence[str], coloured: str) -> str:
    """The map and its legend; `categories` are indices of `called`, `coloured` says what they are."""
    placed = spread_points([point.position for point in points])
    marks = "".join(
        _point(number, point, category, called[category], place)
        for number, (point, category, place) in enumerate(zip(points, categories, placed, strict=True))
    )
    words = "".join(
        f'<text class="name c{category_style(name.category)[0]}" x="{name.x}" y="{name.y}" text-anchor="middle" '
        f'aria-hidden="true">{escape(name.text)}</text>'
        for name in place_labels([shorten_name(text) for text in called], categories, placed)
    )
    sizes = Counter(categories)
    legend = "".join(
        f"<li>{legend_key(number)} {escape(text)} <small>{format_count(sizes[number])}</small></li>"
        for number, text in enumerate(called)
        if sizes[number]
    )
    return (
        '<div class="scroll map-frame" tabindex="-1">'
        f'<svg class="action-map" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" tabindex="0" '
        f'role="listbox" aria-label="{format_count(len(points))} actions by {coloured}; {KEYBOARD_HINT}">'
        f"{marks}{words}</svg></div>"
        f'<ul class="legend" aria-label="{coloured}">{legend}</ul>'
    )


def _point(number: int, point: MapPoint, category: int, called: str, place: tuple[float, float]) -> str:
    colour, shape = category_style(category)
    said = point.action or "(no words)"
    truth = "" if point.truth is None else f" · true action: {point.truth}"
    words = f"{said}{truth} · sequence {point.sequence}, step {point.step}"
    return (
        f'<g role="option" id="map-point-{number}" aria-selected="false" aria-label="{escape(f"{words} · {called}")}" '
        f'class="point c{colour}" data-x="{place[0]}" data-y="{place[1]}" data-sequence="{point.sequence}" '
        f'data-at="{point.step}">{mark(shape, *place)}</g>'
    )


def mark(shape: str, x: float, y: float) -> str:
    """A point's mark."""
    if shape != "cross":
        return marker(shape, x, y, SIZE)
    far, near = round(SIZE * 1.2, 1), round(SIZE * 0.42, 1)
    arm = round(far - near, 1)
    path = (
        f"M{-near} {-far}h{2 * near}v{arm}h{arm}v{2 * near}h{-arm}v{arm}h{-2 * near}v{-arm}h{-arm}v{-2 * near}h{arm}z"
    )
    return f'<path class="mark" transform="translate({x} {y})" d="{path}"/>'


def legend_key(category: int) -> str:
    """A category's colour and shape, as a legend shows it."""
    colour, shape = category_style(category)
    return (
        f'<svg class="key c{colour}" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
        f"{mark(shape, 7, 7)}</svg>"
    )


def shorten_name(text: str) -> str:
    """A name that finds room on the map."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"


def confusion_table(found: Confusion) -> str:
    """Counts of clusters against true actions as a heat map; how pure the clusters are, beside naming one alone."""
    heads = "".join(f'<th scope="col"><span>{escape(column)}</span></th>' for column in found.columns)
    rows = "".join(
        f'<tr><th scope="row">{legend_key(number)} {escape(name)}</th>'
        f"{''.join(_cell(n, sum(counts)) for n in counts)}</tr>"
        for number, (name, counts) in enumerate(zip(found.rows, found.counts, strict=True))
    )
    total = sum(map(sum, found.counts))
    pure = sum(max(counts) for counts in found.counts) / total
    alone = max(map(sum, zip(*found.counts, strict=True))) / total
    return (
        f"<p>{format_percent(pure)} lie where their cluster’s commonest true action is; one cluster for all would have "
        f"{format_percent(alone)}.</p>"
        '<div class="scroll heat-frame" tabindex="0" role="group" aria-label="Clusters against true actions">'
        '<table class="heat-map"><thead><tr><th scope="col" class="corner">cluster / true action</th>'
        f"{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        f'<p class="note">Counts of {format_count(total)} transitions; the stronger the colour, the larger '
        "the share of the "
        "cluster. Clusters are of the inferred actions’ words alone.</p>"
    )


def _cell(times: int, of: int) -> str:
    share = times / of if of else 0.0
    style = f' style="--share:{round(STRONGEST * share)}%"' if times else ' class="none"'
    return f"<td{style}>{format_count(times)}</td>"
