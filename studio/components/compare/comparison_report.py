"""A comparison as one self-contained HTML file: styles and pictures included, no scripts, no requests.

Folder names are cut to their last part, so that the file reveals nothing about the machine it was made on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from studio.components.shared.html import escape
from studio.components.shared.logo import logo
from studio.services import frames
from swirl import pictures
from swirl.paths import assets
from swirl.states import Picture

ADDRESS = re.compile(rf"{frames.ROUTE}/([0-9a-f]{{64}})")
DARK_RULE = re.compile(r":root \.dark, :root\.dark (\{[^}]*\})")
CONTROLS = re.compile(r"<button\b.*?</button>", re.DOTALL)
MISSING_PICTURE = "data:,"


@dataclass(frozen=True)
class Section:
    """A part of the report: its heading, its content as HTML, and a sentence below the heading."""

    title: str
    html: str
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What goes into the file. `names` maps sides to checkpoints; `facts` are short lines about how it was made."""

    title: str
    names: Mapping[str, str]
    facts: list[str]
    sections: list[Section] = field(default_factory=list)


def report_page(report: Report, now: datetime) -> str:
    """The report as a complete HTML document."""
    names = "".join(
        f'<span class="chip"><b>{side.upper()}</b> {escape(name)}</span> ' for side, name in report.names.items()
    )
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in (*report.facts, f"made on {now.day} {now:%B %Y}"))
    parts = "".join(map(_section, report.sections))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(report.title)}</title><style>{style()}</style></head>"
        f'<body class="report"><main class="studio"><div class="stack"><header class="panel">'
        f"<h1>{logo()}{escape(report.title)}</h1>"
        f'<p>{names}</p><ul class="facts">{facts}</ul></header>{make_self_contained(parts)}</div></main>'
        "</body></html>\n"
    )


def _section(section: Section) -> str:
    title = escape(section.title)
    note = f'<p class="note">{escape(section.note)}</p>' if section.note else ""
    content = f'<div class="scroll" tabindex="0" role="group" aria-label="{title}">{section.html}</div>'
    return f'<section class="panel" data-marks="outline"><h2>{title}</h2>{note}{content}</section>'


POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""No request leaves the file, whatever HTML a state's text may contain."""


STYLESHEETS = ("studio", "compare", "measurements")


def style() -> str:
    """The studio's styles; the dark theme follows the reader's system, as no script can switch it."""
    css = "".join((assets() / "styles" / f"{name}.css").read_text(encoding="utf-8") for name in STYLESHEETS)
    return DARK_RULE.sub(r"@media (prefers-color-scheme: dark) { :root \1 }", css) + REPORT_STYLE


REPORT_STYLE = """
body.report { margin: 0; padding: 24px; font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.report main { max-width: 1384px; margin: 0 auto; } .report * { box-sizing: border-box; }
.report h1 { display: flex; align-items: center; gap: 10px; font-size: 20px; margin: 0 0 12px; }
.report .facts { margin: 8px 0 0; padding-left: 18px; color: var(--muted); font-size: 12.5px; }
@media (max-width: 760px) { body.report { padding: 10px; } }
@media print { .report .panel { break-inside: avoid-page; } }
"""


def make_self_contained(html: str) -> str:
    """Parts of a page as HTML that needs no server: without buttons, and with their pictures as data addresses."""
    return ADDRESS.sub(_inline_picture, CONTROLS.sub("", html))


def _inline_picture(address: re.Match[str]) -> str:
    data = frames.read_frame(address[1])
    return MISSING_PICTURE if data is None else pictures.data_uri(Picture(encoded=data))
