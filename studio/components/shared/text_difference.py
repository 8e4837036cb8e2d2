"""A text state as HTML: the sentences with marked words, and the other sentences on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import groupby

from studio.components.shared.html import escape
from studio.view_models.text_difference import Span, sentence_spans, tokenize
from swirl.text_units import has_layout, writing_of


def highlight_tokens(text: str, marks: Mapping[str, Set[int]], *, nothing: str = "nothing changed") -> str:
    """The text as HTML: sentences with a mark are visible, the others only below an element with the class `whole`.

    `marks` maps a tag with an optional class (`ins`, `del`, `ins wrong`) to token indices; later entries win. `nothing`
    is the note for a text without marks.
    """
    words = tokenize(text)
    joins_spaces = writing_of(text) != "cells"
    style = {index: name for name, indices in marks.items() for index in indices}
    parts = []
    any_visible = False
    shows_all = bool(style) and writing_of(text) == "cells"  # a map says nothing without the lines around a change

    def is_hidden(span: Span) -> bool:
        return not shows_all and not any(i in style for i in range(*span))

    for hidden, group in groupby(sentence_spans(words), key=is_hidden):
        html = "".join(_sentence(words, span, style, joins_spaces) for span in group)
        any_visible |= not hidden
        parts.append(f'<span class="gap">… </span><span class="same">{html}</span>' if hidden else html)
    note = "" if any_visible else f'<span class="nothing">{escape(nothing)}</span>'
    classes = f"state-text diff{'' if any_visible else ' unchanged'}{layout_class(text)}"
    return f'<span class="{classes}">{note}{"".join(parts)}</span>'


def layout_class(text: str) -> str:
    """The class of a text that must not be reflowed, with a space before it; empty for others."""
    return " layout" if has_layout(text) else ""


def _sentence(words: Sequence[str], span: Span, style: Mapping[int, str], joins_spaces: bool) -> str:
    """One sentence; each run of equally marked words gets one tag, with the spaces inside it if they are joined."""
    html = []
    index = span[0]
    while index < span[1]:
        name = style.get(index)
        end = index + 1
        while name and end < span[1]:
            next_word = next((i for i in range(end, span[1]) if not (joins_spaces and words[i].isspace())), None)
            if next_word is None or style.get(next_word) != name:
                break
            end = next_word + 1
        chunk = "".join(words[index:end])
        html.append(_marked(chunk, name) if name else escape(chunk))
        index = end
    return "".join(html)


def _marked(chunk: str, name: str) -> str:
    """A run of words in its tag; white space gets the class `space`, and `line-end`, by which it can be seen."""
    tag, *classes = name.split()
    if chunk.isspace():
        classes += ["space", "line-end"] if "\n" in chunk else ["space"]
    class_attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<{tag}{class_attribute}>{escape(chunk)}</{tag}>"


def opening(text: str, limit: int = 3) -> str:
    """The first `limit` sentences of a text as HTML, with an ellipsis if there are more."""
    words = tokenize(text)
    spans = sentence_spans(words)
    if len(spans) <= limit:
        return f'<span class="state-text{layout_class(text)}">{escape(text)}</span>'
    start = "".join(words[: spans[limit - 1][1]]).rstrip()
    return f'<span class="state-text{layout_class(start)}">{escape(start)} …</span>'
