"""A text state as HTML: the sentences with marked words, and the other sentences on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import groupby

from studio.components.shared.html import escape
from studio.view_models.text_difference import Span, sentence_spans, tokenize


def highlight_tokens(text: str, marks: Mapping[str, Set[int]], *, nothing: str = "nothing changed") -> str:
    """The text as HTML: sentences with a mark are visible, the others only below an element with the class `whole`.

    `marks` maps a tag with an optional class (`ins`, `del`, `ins wrong`) to token indices; later entries win. `nothing`
    is the note for a text without marks.
    """
    words = tokenize(text)
    style = {index: name for name, indices in marks.items() for index in indices}
    parts = []
    any_visible = False
    for hidden, group in groupby(sentence_spans(words), key=lambda span: not any(i in style for i in range(*span))):
        html = "".join(_sentence(words, span, style) for span in group)
        any_visible |= not hidden
        parts.append(f'<span class="gap">… </span><span class="same">{html}</span>' if hidden else html)
    note = "" if any_visible else f'<span class="nothing">{escape(nothing)}</span>'
    return f'<span class="state-text diff{"" if any_visible else " unchanged"}">{note}{"".join(parts)}</span>'


def _sentence(words: Sequence[str], span: Span, style: Mapping[int, str]) -> str:
    """One sentence; each run of equally marked words, with the spaces inside it, gets one tag."""
    html = []
    index = span[0]
    while index < span[1]:
        name = style.get(index)
        end = index + 1
        while name and end < span[1]:
            next_word = next((i for i in range(end, span[1]) if not words[i].isspace()), None)
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
        return f'<span class="state-text">{escape(text)}</span>'
    start = "".join(words[: spans[limit - 1][1]]).rstrip()
    return f'<span class="state-text">{escape(start)} …</span>'
