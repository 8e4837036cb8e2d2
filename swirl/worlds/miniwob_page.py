"""Reads MiniWoB++ pages, from `dom_elements`, into widgets and writes them as one short line.

Other text on a page is left out, as no model could predict what a closed tab or section hides. The `data-wob_*`
attributes that the simulator adds to elements are not part of `dom_elements`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KINDS = {"input_checkbox": "checkbox", "input_radio": "option", "input_text": "field", "input_password": "field"}
Element = Mapping[str, Any]


@dataclass(frozen=True)
class Widget:
    """A widget on a page: `ref` is its element's number, `state` what it shows: `on`, `open`, `"abc"`."""

    kind: str
    name: str
    ref: int
    state: str

    def text(self) -> str:
        """The widget as text, such as `checkbox "zeaq": on`."""
        return f'{self.kind} "{self.name}": {self.state}'


def parse_widgets(elements: Sequence[Element]) -> list[Widget]:
    """The widgets in the order of the page; a widget without a name gets its number among those of its kind."""
    parents = {int(element["ref"]): element for element in elements}
    found: list[Widget] = []
    for place, element in enumerate(elements):
        ref = int(element["ref"])
        if ref < 0:
            continue  # a text node, which belongs to its parent and cannot be clicked
        parent = parents.get(int(element["parent"]), {})
        kind, state = widget_kind_and_state(element, parent)
        if kind:
            number = sum(widget.kind == kind for widget in found) + 1
            found.append(Widget(kind, widget_name(elements, place) or str(number), ref, state))
    return found


def widget_kind_and_state(element: Element, parent: Element) -> tuple[str, str]:
    """An element's kind of widget and its state; both are empty if it is not a widget."""
    tag, classes = str(element["tag"]), str(element["classes"])
    if tag in ("input_checkbox", "input_radio"):
        return KINDS[tag], "on" if str(element["value"]) in ("True", "true", "on") else "off"
    if tag in KINDS:
        return KINDS[tag], f'"{element["value"]}"'
    if "ui-tabs-anchor" in classes:
        return "tab", "open" if "ui-tabs-active" in str(parent.get("classes", "")) else "closed"
    if tag == "h3" and "ui-accordion-header" in classes:
        return "section", "closed" if "collapsed" in classes else "open"
    return "", ""


def widget_name(elements: Sequence[Element], place: int) -> str:
    """The name of the element at an index: its own text, the text node after it, or the label right before it."""
    element, after, before = elements[place], elements[place + 1 : place + 2], elements[place - 1]
    if element["text"]:
        return str(element["text"]).strip()
    if after and int(after[0]["ref"]) < 0 and after[0]["parent"] == element["parent"]:
        return str(after[0]["text"]).strip()
    return str(before["text"]).strip() if before["tag"] == "label" else ""


def format_page(found: Sequence[Widget]) -> str:
    """The state of a page as text: its widgets in order."""
    return "; ".join(widget.text() for widget in found) + "."
