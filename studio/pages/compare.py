"""Compare: which is better?"""

from __future__ import annotations

from pathlib import Path

from studio.answers import Answer, Request, answers, number, text
from studio.comparing import SHOWN, canonical, known_figures, sampled, tell, told
from studio.components.compare_table import compare_table, metrics_table
from studio.components.html import block, escape
from studio.components.pictures import empty
from studio.components.verdict_list import verdict_list
from studio.evaluating import Evaluator
from studio.inference import shared
from studio.library import first_shown
from studio.page import Page
from studio.store import history
from studio.view_models.comparison import SIDES, order, tallies
from studio.view_models.metric_rows import metric_rows
from studio.view_models.numbers import counted, percent
from swirl.errors import SwirlError
from swirl.paths import assets
from swirl.sources.collection import list_collections

PAGE = Page(path="/compare", title="Compare", question="Which is better?")
PICTURE = (
    '<svg viewBox="0 0 200 96" width="220" fill="none" stroke="var(--truth)" stroke-width="2" stroke-linecap="round" '
    'aria-hidden="true"><rect x="20" y="14" width="66" height="68" rx="8"/><rect x="114" y="14" width="66" height="68" '
    'rx="8"/><path d="M34 34h38M34 48h26M34 62h32M128 34h38M128 62h32"/><path d="M128 48h26" stroke="var(--forward)" '
    'stroke-width="3"/><path d="M95 48h10" stroke-dasharray="2 5"/></svg>'
)


def render(home: Path) -> None:
    """Draw the page over `home`; `assets/compare.js` asks, these functions answer."""
    page = ComparePage(home)
    template, style, script = (
        (assets() / f"compare.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    block(
        template,
        head=f"<style>{style}</style>",
        js_on_load=script,
        server_functions=answers(page.choices, page.ask, page.show, page.evaluate, page.progress),
    )


class ComparePage:
    """The answers of the Compare page. Requests carry the checkpoints `a` and `b`, and `data`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared(home)
        self.evaluator = Evaluator(home)

    def choices(self, request: Request) -> Answer:
        """The checkpoints and collections to choose from, and which of them at first."""
        collections = list_collections(self.home)
        a, b = (canonical(self.home, text(request, side)) for side in SIDES)
        data = text(request, "data") or self.data_of(b or a or self.newest(), first_shown(collections) or "")
        kinds = {c.name: c.kind for c in collections}
        a, b = (a or b, b or a) if a or b else self.first_pair(kinds.get(data, "text"))
        options = {kind: [item.name for item in self.models.available(kind)] for kind in ("text", "image")}
        given = options[kinds.get(data, "text")]
        given += [name for name in (a, b) if name and name not in given]
        titles = {data: data} | {c.name: c.title or c.name for c in collections}
        picture = empty(
            PICTURE,
            "Two checkpoints are needed to compare them; a run leaves one after each phase.",
            '<a class="button button-primary" href="train?new=1">Start a run</a>',
        )
        return {
            "checkpoints": {
                kind: "".join(f'<option value="{escape(n)}">{escape(n)}</option>' for n in names)
                for kind, names in options.items()
            },
            "collections": "".join(f'<option value="{escape(n)}">{escape(t)}</option>' for n, t in titles.items()),
            "chosen": {"a": a, "b": b, "data": data},
            "pairs": {kind: dict(zip(SIDES, self.first_pair(kind), strict=True)) for kind in options},
            "kinds": kinds,
            "parts": {"empty": picture if sum(map(len, options.values())) < 2 else ""},
            "count": SHOWN,
        }

    def newest(self) -> str:
        """The newest run with more than one checkpoint, or ''."""
        runs = history(self.home).runs()
        return next((run.id for run in runs if len(history(self.home).checkpoints(run.id)) > 1), "")

    def first_pair(self, kind: str) -> tuple[str, str]:
        """The start and the best checkpoint of the newest run on such states; else the first and last there are."""
        names = [item.name for item in self.models.available(kind)]
        for run in history(self.home).runs():
            checkpoints = history(self.home).checkpoints(run.id)
            best = canonical(self.home, run.id)
            if len(checkpoints) > 1 and checkpoints[0].name in names:
                return checkpoints[0].name, best if best != checkpoints[0].name else checkpoints[-1].name
        return (names[0], names[-1]) if names else ("", "")

    def data_of(self, checkpoint: str, otherwise: str) -> str:
        """The collection that a checkpoint's run learned from."""
        run_id = checkpoint.partition("@")[0]
        run = next((run for run in history(self.home).runs() if run.id == run_id), None)
        return str(run.settings.get("data")) if run else otherwise

    def ask(self, request: Request) -> Answer:
        """Ask the checkpoint of `side` about the transitions from `start` on, `size` of them."""
        transitions, truths = sampled(self.home, text(request, "data"))
        start, size = number(request, "start", 0, SHOWN), number(request, "size", 1, SHOWN)
        name = text(request, text(request, "side"))
        if not name:
            raise SwirlError("Choose a checkpoint for each side.")
        tell(self.models, name, transitions[start : start + size], truths[start : start + size])
        return {"done": min(start + size, len(transitions)), "of": len(transitions)}

    def show(self, request: Request) -> Answer:
        """The table of what was told so far, who was right how often, and the metrics."""
        names = {side: text(request, side) for side in SIDES}
        data = text(request, "data")
        transitions, truths = sampled(self.home, data)
        found = {side: told(self.models, names[side], transitions) for side in SIDES}
        complete = all(answer is not None for side in SIDES for answer in found[side])
        ordered = order(found, complete and bool(request.get("disputed"))) if complete else range(len(transitions))
        (a, b), source = known_figures(self.home, [names[side] for side in SIDES], data)
        from_truth = all(truth is not None for truth in truths)
        how = "the true action" if from_truth else "each one's own inferred action"
        return {
            "kind": "image" if transitions[0].state.picture else "text",
            "parts": {
                "rows": compare_table(names, transitions, truths, found, ordered),
                "tally": verdict_list(tallies(names, found)) if complete else '<p class="note">Asking both.</p>',
                "how": f"{counted(len(transitions), 'transition')} of the test part; next states imagined from {how}",
                "metrics": metrics_table(metric_rows(a, b), names),
                "source": escape(source or ("measured on different parts: evaluate both" if a and b else "")),
            },
        }

    def evaluate(self, request: Request) -> Answer:
        """Start the full evaluation of both."""
        names = list(dict.fromkeys(text(request, side) for side in SIDES))
        self.evaluator.start(names, text(request, "data"))
        return self.progress(request)

    def progress(self, request: Request) -> Answer:
        """How far the evaluation is."""
        now = self.evaluator.progress()
        bar = f'<span class="bar"><i style="width:{100 * now.share:.0f}%"></i></span>'
        words = f'<p class="note">{escape(now.words)}, {percent(now.share)}</p>{bar}' if now.running else ""
        failed = f'<p class="error" role="alert">{escape(now.error)}</p>' if now.error else ""
        return {"running": now.running, "parts": {"progress": words + failed}}
