"""The guided tour of a first visit: on each page, a strip that says what to try and notices when it was done.

The strip covers nothing, and the tour can be left at any time. The browser keeps which steps are done and whether the
tour is over (`assets/scripts/guided_tour.js`). The link of `render_footer` starts it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from studio.components.shared.html import escape, html_block, scripted_block
from studio.components.shared.illustrations import (
    before_and_after,
    branching_path,
    list_of_runs,
    rising_curve,
    step_between,
)
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.services import practice_run
from studio.services.history_store import history
from studio.view_models.page import Page


@dataclass(frozen=True)
class GuideStep:
    """What to try on a page, what to say once it was done (both as HTML), and the next page."""

    picture: str
    task: str
    done_message: str
    next_path: str
    next_title: str


START = '<button type="button" class="button button-primary" data-guide-start>Start a short run</button>'
COMPARE_LINK = '<a class="button button-primary" data-guide-pair hidden>Compare its start and its end</a>'
OWN_DATA_LINK = '<a class="button" href="./" data-guide-finish>Bring my own data</a>'
STEPS = {
    "/": GuideStep(
        step_between(),
        "This is a sequence of states without labels. Press <kbd>→</kbd> or pick a later step: the amber chip between "
        "two states is the action that the inverse model inferred.",
        "You moved on<span data-guide-quote></span>.",
        "play",
        "Play",
    ),
    "/play": GuideStep(
        branching_path(),
        "Now act yourself. Press <kbd>1</kbd> or pick one of the actions: the forward model imagines the next state.",
        "That state was never recorded: the forward model imagined it from your action.",
        "train",
        "Train",
    ),
    "/train": GuideStep(
        rising_curve(),
        "Here each model teaches the other, still without labels. A short run of both phases takes about a minute and "
        "is real training.",
        "These are its first rollouts: what one model samples, with the rewards that the other model gives.",
        "compare",
        "Compare",
    ),
    "/compare": GuideStep(
        before_and_after(),
        "Two checkpoints answer the same inputs, side by side: did training help?",
        "Both have answered. A short run changes little; what counts is how often each one is right.",
        "runs",
        "Runs",
    ),
    "/runs": GuideStep(
        list_of_runs(),
        "Every run stays here with its settings, scores and files. That was the whole tour; now try your own pictures, "
        "video or text.",
        "",
        "",
        "",
    ),
}


def render(home: Path, page: Page, *, read_only: bool = False) -> None:
    """Draw the strip of `page`, hidden until the browser knows that the path is under way; nothing on pages aside."""
    if page.path not in STEPS:
        return

    def begin(request: Request) -> Answer:
        return {"run": practice_run.begin(home)}

    def standing(request: Request) -> Answer:
        status = practice_run.practice_status(home, get_text(request, "run"))
        return {"words": status.words, "pair": status.pair}

    html = guide_strip(page, recorded_run_link(home) if read_only else "")
    scripted_block(html, "guided_tour", (begin, standing), classes="guide-block", styles=("guided_tour",))


def recorded_run_link(home: Path) -> str:
    """A link to a recorded run, for a read-only demonstration, which cannot start one; '' if there is no run."""
    link = '<a class="button button-primary" href="train?run={}">Look at a recorded run</a>'
    return "".join(link.format(run.id) for run in history(home).runs(limit=1))


def guide_strip(page: Page, instead: str = "") -> str:
    """The strip of a page as HTML; `instead` replaces the button that starts a run."""
    step, number = STEPS[page.path], list(STEPS).index(page.path) + 1
    own = {"/train": instead or START, "/compare": COMPARE_LINK, "/runs": OWN_DATA_LINK}.get(page.path, "")
    onward = (
        f'<a class="button" data-guide-next href="{step.next_path}">Next: {step.next_title}</a>'
        if step.next_path
        else '<button type="button" class="button button-primary" data-guide-finish>Finish</button>'
    )
    leave = '<button type="button" class="button-link small" data-guide-finish>Leave the tour</button>'
    return f"""<section class="studio guide" data-guide="{page.title.lower()}" aria-labelledby="guide-title" hidden>
<div class="guide-picture">{step.picture}</div>
<div class="guide-words"><h2 id="guide-title" tabindex="-1">{number} of {len(STEPS)} · {escape(page.title)}</h2>
<p>{step.task}</p><div aria-live="polite"><p class="guide-noticed" data-guide-noticed hidden>{step.done_message}</p>
<p class="note" data-part="guide-news"></p></div></div>
<div class="guide-buttons">{own}{onward}{leave if step.next_path else ""}</div></section>"""


def render_footer() -> None:
    """The last line of every page: a link that starts the tour again."""
    html_block(
        '<footer class="studio guide-foot"><button type="button" class="button-link small" data-guide-again '
        'title="A two-minute tour of Explore, Play, Train and Compare">Show me around</button></footer>',
        classes="guide-foot-block",
    )
