"""The table of the settings in which runs differ."""

from __future__ import annotations

from collections.abc import Sequence

from studio.components.shared.html import escape
from studio.view_models.formatting import pluralize
from swirl.history import Run
from swirl.runs.archive.settings_differences import Difference


def difference_table(runs: Sequence[Run], differences: Sequence[Difference]) -> str:
    """The settings that differ as HTML, one column per run; a sentence when none differs."""
    names = [escape(run.name) for run in runs]
    title = f"<h2>Settings that differ between {', '.join(names[:-1])} and {names[-1]}</h2>"
    if not differences:
        return f'{title}<p class="note">No setting differs.</p>'
    rows = "".join(
        f'<tr><th scope="row"><abbr class="mono" title="{escape(d.help)}">{escape(d.name)}</abbr></th>'
        f"{''.join(f'<td>{escape(value)}</td>' for value in d.values)}</tr>"
        for d in differences
    )
    headers = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        f'{title}<div class="scroll" tabindex="0" role="region" aria-label="Settings that differ">'
        f'<table class="table differences"><thead><tr><th scope="col">{pluralize(len(differences), "setting")}</th>'
        f"{headers}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
