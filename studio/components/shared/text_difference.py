"""A text state as HTML: the words that changed, marked in their sentences; the whole on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import groupby

from studio.components.shared.html import escape
from studio.view_models.text_difference import Span, sentence_spans, tokenize


def highlight_tokens(text: str, marks: Mapping[str, Set[int]], *, nothing: str = "nothing changed") -> str:
    """The text as HTML: sentences with a mark are shown, the others wait for `.whole` on an element above.

    `marks` maps an opening tag's name and class (`ins`, `del`, `ins wrong`) to token indices; later entries win.
    """
    words = tokenize(text)
    style = {index: name for name, indices in marks.items() for index in indices}
    parts = []
    shown = False
    for hidden, group in groupby(sentence_spans(words), key=lambda span: not any(i in style for i in range(*span))):
        html = "".join(_sentence(words, span, style) for span in group)
        shown |= not hidden
        parts.append(f'<span class="gap">… </span><span class="same">{html}</span>' if hidden else html)
    note = "" if shown else f'<span class="nothing">{escape(nothing)}</span>'
    return f'<span class="state-text diff{"" if shown else " unchanged"}">{note}{"".join(parts)}</span>'


def _sentence(words: Sequence[str], span: Span, style: Mapping[int, str]) -> str:
    """One sentence, with runs of equally marked words, and the space within a run, in one tag."""
    html = []
    index = span[0]
    while index < span[1]:
        name = style.get(index)
        end = index + 1
        while name and end < span[1]:
            onward = next((i for i in range(end, span[1]) if not words[i].isspace()), None)
            if onward is None or style.get(onward) != name:
                break
            end = onward + 1
        chunk = escape("".join(words[index:end]))
        if name:
            tag, _, extra = name.partition(" ")
            chunk = f"<{tag}{f' class={extra}' if extra else ''}>{chunk}</{tag}>"
        html.append(chunk)
        index = end
    return "".join(html)


def opening(text: str, limit: int = 3) -> str:
    """The first sentences of a text as HTML, and a sign when there are more."""
    words = tokenize(text)
    spans = sentence_spans(words)
    start = escape("".join(words[: spans[min(limit, len(spans)) - 1][1]]).strip()) if spans else ""
    return f'<span class="state-text">{start}{" …" if len(spans) > limit else ""}</span>'
