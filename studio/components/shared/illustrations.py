"""Line drawings for empty pages and the guided tour, in the colours of the page."""

from __future__ import annotations

from studio.components.shared.html import escape


def empty_page(picture: str, sentence: str, button: str) -> str:
    """An empty page: a picture (one of the functions below), one sentence and one button (HTML, or '' for none)."""
    return f'<div class="empty">{picture}<p>{escape(sentence)}</p>{button}</div>'


def states_without_actions() -> str:
    """Two states with a question mark in place of the action."""
    return _svg(
        '<rect x="6" y="20" width="62" height="56" rx="8"/><rect x="132" y="20" width="62" height="56" rx="8"/>'
        '<path d="M18 36h38M18 48h28M18 60h34M144 36h38M144 60h34"/>'
        '<path d="M144 48h20" stroke="var(--inverse)" stroke-width="3"/>'
        '<path d="M76 48h14M110 48h14m-5-5 5 5-5 5"/>'
        '<text x="100" y="55" text-anchor="middle" fill="var(--inverse)" stroke="none" font-size="20">?</text>'
    )


def branching_path() -> str:
    """One state with three futures branching from it."""
    return _svg(
        '<rect x="8" y="34" width="40" height="28" rx="6"/>'
        '<path d="M48 48h50M60 48c20 0 14-30 38-30M60 48c20 0 14 30 38 30" stroke="var(--line)" stroke-width="2.5"/>'
        '<rect x="98" y="6" width="40" height="24" rx="6"/><rect x="98" y="66" width="40" height="24" rx="6"/>'
        '<rect x="98" y="36" width="40" height="24" rx="6" stroke="var(--accent)" stroke-width="3"/>'
        '<path d="M138 48h26" stroke="var(--line)" stroke-width="2.5"/>'
        '<rect x="164" y="36" width="30" height="24" rx="6" stroke-dasharray="4 4"/>'
    )


def two_answers() -> str:
    """Two answers to one question that differ in a word."""
    return _svg(
        '<rect x="20" y="14" width="66" height="68" rx="8"/><rect x="114" y="14" width="66" height="68" rx="8"/>'
        '<path d="M34 34h38M34 48h26M34 62h32M128 34h38M128 62h32"/>'
        '<path d="M128 48h26" stroke="var(--forward)" stroke-width="3"/>'
        '<path d="M95 48h10" stroke-dasharray="2 5"/>'
    )


def step_between() -> str:
    """Two states with the amber chip of an action between them."""
    return _svg(
        '<rect x="4" y="22" width="56" height="52" rx="8"/><rect x="140" y="22" width="56" height="52" rx="8"/>'
        '<circle cx="22" cy="40" r="7"/><circle cx="178" cy="58" r="7"/>'
        '<rect x="66" y="36" width="68" height="24" rx="8" fill="var(--inverse-soft)" stroke="var(--inverse)"/>'
        '<path d="M80 48h38m-6-5 6 5-6 5" stroke="var(--inverse)"/>'
    )


def rising_curve() -> str:
    """A curve that rises over a forward and an inverse phase."""
    return _svg(
        '<path d="M16 10v72h172" stroke="var(--line)"/>'
        '<path d="M20 70c24-2 30-30 80-34" stroke="var(--forward)" stroke-width="3"/>'
        '<path d="M100 36c22-2 34-18 84-20" stroke="var(--inverse)" stroke-width="3"/>'
        '<path d="M100 14v66" stroke-dasharray="3 5"/>'
    )


def before_and_after() -> str:
    """Two answers side by side; the second gets a line right that the first gets wrong."""
    return _svg(
        '<rect x="14" y="14" width="74" height="68" rx="8"/><rect x="112" y="14" width="74" height="68" rx="8"/>'
        '<path d="M28 34h46M28 62h34M126 34h46M126 62h34"/>'
        '<path d="M28 48h28" stroke="var(--wrong)" stroke-width="3" stroke-dasharray="5 5"/>'
        '<path d="M126 48h28" stroke="var(--good)" stroke-width="3"/>'
    )


def list_of_runs() -> str:
    """Three rows, each with a name and a small curve."""
    return _svg(
        '<rect x="12" y="10" width="176" height="76" rx="8"/><path d="M12 36h176M12 60h176" stroke="var(--line)"/>'
        '<path d="M26 23h44M26 48h56M26 73h36"/>'
        '<path d="M120 28c20 0 24-10 54-10M120 53c20 0 24-10 54-11M120 78c20 0 24-6 54-8" stroke="var(--forward)"/>'
    )


def grid_of_runs() -> str:
    """A grid of squares, some of them done, beside dots with their intervals."""
    done, waiting = 'fill="var(--line)"', 'stroke-dasharray="3 3"'
    grid = [(row, column) for row in range(3) for column in range(3)]
    places = [(14 + 22 * c, 12 + 26 * r, done if r + c < 2 else waiting) for r, c in grid]
    squares = "".join(f'<rect x="{x}" y="{y}" width="16" height="16" rx="3" {look}/>' for x, y, look in places)
    return _svg(
        f'{squares}<path d="M112 10v76" stroke-dasharray="3 5"/><path d="M100 20h36M112 46h30"/>'
        '<path d="M136 72h46" stroke="var(--forward)" stroke-width="3"/>'
        '<circle cx="118" cy="20" r="4" fill="var(--truth)"/><circle cx="128" cy="46" r="4" fill="var(--truth)"/>'
        '<circle cx="160" cy="72" r="5" fill="var(--forward)" stroke="none"/>'
    )


def _svg(shapes: str) -> str:
    return (
        '<svg viewBox="0 0 200 96" width="220" fill="none" stroke="var(--truth)" stroke-width="2" '
        f'stroke-linecap="round" aria-hidden="true">{shapes}</svg>'
    )
