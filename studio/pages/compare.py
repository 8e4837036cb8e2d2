"""The Compare page: up to four checkpoints answer the same transitions, side by side."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from studio.components.compare.comparison import CheckpointComparison, baseline_judge, load_comparison
from studio.components.compare.comparison_choices import (
    KINDS,
    Selection,
    checkpoint_options,
    empty_comparison,
    first_pair,
    initial_selection,
    invitation,
    model_offers,
    repeated_side,
    selection_note,
)
from studio.components.compare.vote_panel import reveal_vote, vote_question
from studio.components.shared.html import escape, load_template, scripted_block
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text
from studio.components.shared.share_bar import share_bar
from studio.services.checkpoint_answers import SAMPLE_SIZES, ask_checkpoint, infers_actions
from studio.services.copy_baseline import COPY_BASELINE, measure_copied_frames
from studio.services.evaluations import EvaluationProgress, Evaluator
from studio.services.health_checks import check_actions
from studio.services.history_store import history
from studio.services.inference import shared_models
from studio.services.model_choices import inspect_model
from studio.services.votes import Votes
from studio.view_models.comparison import SIDES
from studio.view_models.formatting import format_percent
from studio.view_models.page import Page
from swirl.errors import SwirlError
from swirl.sources.collections.catalog import list_collections

PAGE = Page(path="/compare", title="Compare", question="Which is better?")


def render(home: Path) -> None:
    """Draw the page over `home`; `assets/scripts/compare.js` calls the functions below."""
    page = ComparePage(home)
    asked = (page.choices, page.offer, page.ask, page.show, page.evaluate, page.stop, page.progress, page.look)
    functions = (*asked, page.question, page.vote, page.take_back, page.report)
    scripted_block(load_template("compare"), "compare", functions, styles=("compare", "measurements"))


class ComparePage:
    """The answers to the page's requests.

    A request carries the checkpoints `a` to `d` (or COPY_BASELINE), the collection `data`, and how many transitions to
    compare (`count`).
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared_models(home)
        self.evaluator = Evaluator(home)
        self.votes = Votes(home)

    def choices(self, request: Request) -> Answer:
        """The checkpoints and collections to choose from, and the first selection."""
        asked = {side: get_text(request, side) for side in SIDES}
        selection = initial_selection(self.home, self.models, asked, get_text(request, "data"))
        collections = list_collections(self.home)
        titles = {selection.data: selection.data} | {c.name: c.title or c.name for c in collections}
        offers = model_offers(self.home, self.models, list(selection.names.values()))
        options = checkpoint_options(self.models, offers)
        pairs = {kind: dict(zip(SIDES, first_pair(self.home, self.models, kind), strict=False)) for kind in KINDS}
        empty = empty_comparison(any(options.values()), bool(collections))
        return {
            "checkpoints": options,
            "collections": "".join(f'<option value="{escape(n)}">{escape(t)}</option>' for n, t in titles.items()),
            "chosen": selection.names | {"data": selection.data, "count": str(self.sample_size(request))},
            "pairs": pairs,
            "notes": {kind: selection_note(self.models, Selection(pair, "", kind)) for kind, pair in pairs.items()},
            "kinds": {c.name: c.kind for c in collections},
            "counts": "".join(f'<option value="{n}">{n}</option>' for n in SAMPLE_SIZES),
            "parts": {
                "empty": empty,
                "choice-note": selection_note(self.models, selection),
                "invitation": "" if empty else invitation(),
            },
        }

    def offer(self, request: Request) -> Answer:
        """A model that is not in the lists: a folder, or a model on the Hub."""
        name = get_text(request, "name").strip()
        if not name:
            raise SwirlError("Name a folder with a model, or a model id on the Hub such as owner/model.")
        offer = inspect_model(self.home, self.models, name)
        option = f'<option value="{escape(offer.name)}">{escape(offer.words)}</option>'
        return {"kind": offer.kind, "name": offer.name, "option": option}

    def sample_size(self, request: Request) -> int:
        """How many transitions to compare: one of SAMPLE_SIZES."""
        wanted = get_integer(request, "count", SAMPLE_SIZES[0], SAMPLE_SIZES[-1])
        return wanted if wanted in SAMPLE_SIZES else SAMPLE_SIZES[0]

    def requested_comparison(self, request: Request) -> CheckpointComparison:
        """The comparison that the request is about.

        Raises SwirlError unless A and B are chosen, and if one checkpoint is chosen on two sides.
        """
        names = {side: get_text(request, side) for side in SIDES if get_text(request, side)}
        if not {"a", "b"} <= names.keys():
            raise SwirlError("Choose a checkpoint for A and one for B.")
        if repeated := repeated_side(names):
            first = next(side for side in names if names[side] == names[repeated])
            raise SwirlError(
                f"{repeated.upper()} is the same checkpoint as {first.upper()}. Choose a different one for "
                f"{repeated.upper()}{'' if repeated in 'ab' else ', or none'}."
            )
        return load_comparison(self.home, self.models, names, get_text(request, "data"), self.sample_size(request))

    def ask(self, request: Request) -> Answer:
        """Ask the checkpoint of `side` about `size` transitions from index `first` on."""
        now = self.requested_comparison(request)
        first, size = (
            get_integer(request, "first", 0, SAMPLE_SIZES[-1]),
            get_integer(request, "size", 1, SAMPLE_SIZES[-1]),
        )
        side = get_text(request, "side")
        if side not in now.names:
            raise SwirlError("Choose a checkpoint for each side.")
        if now.names[side] == COPY_BASELINE:
            measure_copied_frames(self.models, now.transitions, baseline_judge(now.names))
            return {"done": len(now.transitions), "of": len(now.transitions)}
        others = [name for other, name in now.checkpoints.items() if other != side]
        # An image editor takes long for each picture, so its progress is reported after every one.
        end = first + (size if infers_actions(self.models, now.names[side]) else 1)
        ask_checkpoint(self.models, now.names[side], now.transitions[first:end], now.truths[first:end], others)
        return {"done": min(end, len(now.transitions)), "of": len(now.transitions)}

    def show(self, request: Request) -> Answer:
        """The page's parts with the answers so far."""
        now = self.requested_comparison(request)
        return {
            "kind": "image" if now.transitions[0].state.picture else "text",
            "complete": now.is_complete,
            "unloaded": [side for side in now.checkpoints if self.must_be_loaded(now, side)],
            "parts": now.parts(bool(request.get("disputed"))) | {"invitation": ""},
        }

    def must_be_loaded(self, now: CheckpointComparison, side: str) -> bool:
        """Whether the checkpoint of `side` must be loaded before it can answer what it has not answered yet."""
        return now.names[side] not in self.models.loaded() and None in now.answers[side]

    def look(self, request: Request) -> Answer:
        """Check the actions that the checkpoint of `side` infers."""
        now, side = self.requested_comparison(request), get_text(request, "side")
        if side not in now.checkpoints:
            raise SwirlError("Choose a checkpoint for each side.")
        check_actions(self.home, self.models, now.names[side], now.data)
        return {"parts": {f"health-{side}": now.health(side)}}

    def question(self, request: Request) -> Answer:
        """A blind question, and the win rates so far."""
        now = self.requested_comparison(request)
        vote_round = self.votes.ask(list(now.names.values()), now.data, now.transitions, list(now.answers.values()))
        asked = vote_round.question
        by_truth = asked is not None and now.knows_true_action(asked.transition)
        return {"parts": {"question": vote_question(vote_round, by_truth), "rates": now.rates()}}

    def vote(self, request: Request) -> Answer:
        """Store a vote, reveal who was who, and ask the next question."""
        vote = self.votes.vote(get_text(request, "ticket"), get_text(request, "choice"))
        now = self.requested_comparison(request)
        labels = {name: (side, now.short_names[side]) for side, name in now.names.items()}
        answer = self.question(request)
        answer["parts"]["revealed"] = reveal_vote(vote, labels)
        return answer

    def take_back(self, request: Request) -> Answer:
        """Delete a vote."""
        history(self.home).remove_preference(get_integer(request, "vote", 0, 2**53))
        answer = self.question(request)
        answer["parts"]["revealed"] = '<p class="revealed">Taken back.</p>'
        return answer

    def report(self, request: Request) -> Answer:
        """The comparison as one HTML file."""
        now = self.requested_comparison(request)
        name = "-".join(["compare", now.data, *now.short_names.values()])
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
        return {"html": now.report(datetime.now()), "name": f"{safe[:120]}.html"}

    def evaluate(self, request: Request) -> Answer:
        """Start the full evaluation of the checkpoints that infer actions."""
        now = self.requested_comparison(request)
        names = [name for side, name in now.checkpoints.items() if not now.is_preview(side)]
        self.evaluator.start(names, now.data)
        return self.progress(request)

    def stop(self, request: Request) -> Answer:
        """Ask the evaluation to stop."""
        self.evaluator.stop()
        return self.progress(request)

    def progress(self, request: Request) -> Answer:
        """The progress of the evaluation."""
        now = self.evaluator.progress()
        return {"running": now.is_running, "parts": {"progress": evaluation_bar(now)}}


def evaluation_bar(now: EvaluationProgress) -> str:
    """The progress of an evaluation with a button that stops it, or why the last one failed or was stopped."""
    if now.is_running:
        return (
            f'<div class="row spread between"><p class="note">{escape(now.words)}, {format_percent(now.fraction)}</p>'
            '<button type="button" class="button-link small" data-stop-evaluation>Stop</button></div>'
            f"{share_bar(now.fraction)}"
        )
    if now.error:
        return f'<p class="error" role="alert">{escape(now.error)}</p>'
    return f'<p class="note">{escape(now.note)}</p>' if now.note else ""
