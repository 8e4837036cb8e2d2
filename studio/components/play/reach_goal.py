"""Reach a goal on Play: choosing the goal, searching for a plan, doing it for real, and saving it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from studio.components.play.plan_strip import plan_strip, plan_verdicts
from studio.components.shared.filmstrip import state_card
from studio.components.shared.html import escape
from studio.components.shared.model_for_states import requested_checkpoint
from studio.components.shared.out_of_distribution_note import out_of_distribution_note
from studio.components.shared.page_requests import Answer, Request, get_integer, get_text
from studio.components.shared.picture_frame import image_tag
from studio.services.collection_cache import default_collection, sequences
from studio.services.frame_similarity import measure_reconstruction
from studio.services.frame_store import FrameStore, is_picture_key
from studio.services.goal_searches import BUDGETS, GoalSearch, GoalSearches, Origin, Start
from studio.services.inference import choose_checkpoint, shared_models
from studio.services.trajectory_export import export_plan
from studio.services.uploads import resolve_upload
from studio.view_models.frame_size import PANEL_SIZE
from studio.view_models.play_path import parse_path
from swirl import pictures
from swirl.errors import SwirlError
from swirl.planning.real_games import looks_same
from swirl.planning.search import Plan
from swirl.sources.collections.catalog import list_collections
from swirl.states import Picture, State

MAX_LATER_STATES = 24  # the farthest goal that the strip offers
USUAL_GOAL = 3  # steps: the goal that is chosen at first
GOAL_FRAME = 80  # pixels: a goal in the strip
LONGEST_GOAL = 8000  # characters; about the context length of the larger models
PHRASE_SEPARATOR = ";"


class ReachGoal:
    """The answers to what `assets/scripts/play_goal.js` asks; a search is known by the name that `seek` returns.

    Requests carry the `path` that the browser keeps, and its `origin`: the recorded state that it began in, if so.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.models = shared_models(home)
        self.frame_store = FrameStore(home)
        self.searches = GoalSearches(home, self.models)

    def functions(self) -> tuple[Callable[[Request], Answer], ...]:
        """What the page may call."""
        asked = (self.goals, self.drop_picture, self.seek, self.advance, self.found)
        return (*asked, self.carry_out, self.replan, self.save_plan)

    def goals(self, request: Request) -> Answer:
        """The later states of the sequence that the path began in, as choices; none for a start of one's own.

        Each shows what must change for it in the current `state`; one that is the same state is left out. Also what a
        visitor may do here: the largest budget, and whether pictures can be dropped.
        """
        origin = self.origin(request)
        allowed = {"most": self.searches.largest_budget, "drops": not self.searches.is_demo}
        if origin is None:
            return {"parts": {"goals": ""}, "later": 0, **allowed}
        here = self.frame_store.load_state(get_text(request, "state"))
        states = sequences(self.home, origin.data)[origin.sequence - 1].states
        shown = range(origin.step + 1, min(len(states), origin.step + 1 + MAX_LATER_STATES))
        later = [number for number in shown if not looks_same(states[number], here)]
        chosen = next((number for number in later if number >= origin.step + USUAL_GOAL), later[-1] if later else 0)
        cards = "".join(
            f'<label class="goal-choice"><input type="radio" name="goal-step" value="{number}"'
            f'{" checked" if number == chosen else ""} aria-label="The state {number - origin.step} steps later">'
            f"{state_card(here, states[number], 'ins', GOAL_FRAME)}"
            f"<small>+{number - origin.step}</small></label>"
            for number in later
        )
        pictured = " pictured" if states[0].picture is not None else ""
        return {
            "parts": {"goals": f'<div class="goal-choices{pictured}">{cards}</div>'},
            "later": len(later),
            **allowed,
        }

    def origin(self, request: Request) -> Origin | None:
        """Where the path began; None for a text of one's own, and for paths that earlier versions kept.

        None, too, where that collection cannot be read any more: a path outlives it.
        """
        origin = self.kept_origin(request)
        data = get_text(origin, "data")
        try:
            chain = sequences(self.home, data) if data else []
        except SwirlError:
            return None
        if not chain:
            return None
        sequence = get_integer(origin, "sequence", 1, len(chain))
        return Origin(data, sequence, get_integer(origin, "step", 1, len(chain[sequence - 1].states)) - 1)

    def kept_origin(self, request: Request) -> dict[str, Any]:
        """Where the path began, as the browser keeps it, whether that is still here or not."""
        value = request.get("origin")
        return value if isinstance(value, dict) else {}

    def drop_picture(self, request: Request) -> Answer:
        """Take an uploaded picture as the goal. Raises SwirlError if it is no picture."""
        file = resolve_upload(get_text(request, "path"))
        goal = State(picture=pictures.from_pixels(pictures.pixels(Picture(file=file))))
        name = choose_checkpoint(self.home, requested_checkpoint(request, "image"), "image")
        note = out_of_distribution_note(goal, measure_reconstruction(self.models, name, goal))
        return {
            "state": self.frame_store.store(goal),
            "parts": {"goal-picture": image_tag(goal, "The goal", PANEL_SIZE) + note, "goal-error": ""},
        }

    def seek(self, request: Request) -> Answer:
        """Begin a search from the current state of the path; its name, and its first news."""
        start = self.start(request)
        kind = "image" if start.state.picture is not None else "text"
        checkpoint = choose_checkpoint(self.home, requested_checkpoint(request, kind), kind)
        budget = min(BUDGETS, key=lambda offered: abs(offered - get_integer(request, "budget", 1, max(BUDGETS))))
        name, found = self.searches.begin(checkpoint, start, self.goal(request), budget)
        return {"search": name, **found.news(found.search.tree.nodes)}

    def start(self, request: Request) -> Start:
        """The current state of the path, and how the visitor came there."""
        path = parse_path(request.get("path"))
        indices = path.indices_to_current()
        data = get_text(self.kept_origin(request), "data") or get_text(request, "data")
        return Start(
            self.frame_store.load_state(path.nodes[path.current_index].state),
            data or default_collection(list_collections(self.home)) or "",
            self.origin(request),
            tuple(path.nodes[index].action for index in indices[1:]),
        )

    def goal(self, request: Request) -> State | list[str]:
        """The goal that was chosen: a later state, a text, a dropped picture, or phrases. Raises SwirlError if none."""
        by = get_text(request, "by")
        if by == "step":
            origin = self.origin(request)
            if origin is not None:
                states = sequences(self.home, origin.data)[origin.sequence - 1].states
                return states[get_integer(request, "step", 0, len(states) - 1)]
            raise SwirlError("This path began in no sequence that is here; edit the state instead, or drop a picture.")
        wanted = get_text(request, "goal")
        if len(wanted) > LONGEST_GOAL:
            raise SwirlError(f"The goal has {len(wanted)} characters; shorten it to {LONGEST_GOAL}.")
        if by == "words":
            phrases = [" ".join(phrase.split()) for phrase in wanted.split(PHRASE_SEPARATOR) if phrase.strip()]
            if not phrases:
                raise SwirlError("Write the words that the state shall have, such as: cup in attic.")
            return phrases
        if by == "picture" and not is_picture_key(wanted):
            raise SwirlError("Drop a picture first: it is the goal.")
        if not wanted.strip():
            raise SwirlError("Write the state that you want to reach.")
        return self.frame_store.load_state(wanted)

    def advance(self, request: Request) -> Answer:
        """Explore the next batch of states."""
        found, nodes = self.searches.advance(get_text(request, "search"))
        return found.news(nodes)

    def found(self, request: Request) -> Answer:
        """The plan so far, as a filmstrip."""
        return self._show(self.searches.find(get_text(request, "search")))

    def carry_out(self, request: Request) -> Answer:
        """Do the plan for real, and show both."""
        return self._show(self.searches.carry_out(get_text(request, "search")))

    def replan(self, request: Request) -> Answer:
        """Begin to search for the same goal where imagination and truth parted; its name, and its first news."""
        name, found = self.searches.replan(get_text(request, "search"))
        return {"search": name, **found.news(found.search.tree.nodes)}

    def _show(self, found: GoalSearch) -> Answer:
        plan = found.search.plan()
        distances = self.searches.distances(found, found.done.states) if found.done else []
        reason = self.searches.why_not_real(found.start.data) if found.start.data else ""
        notes = [reason] if reason and plan.actions else []
        if not plan.is_reached:
            notes.insert(0, "Let it imagine more states, or choose a goal that is fewer steps away.")
        return {
            "parts": {
                "verdicts": plan_verdicts(found, plan, distances),
                "plan": plan_strip(found) if plan.actions or found.walked else "",
                "plan-note": "".join(f'<p class="note">{escape(note)}</p>' for note in notes),
            },
            "steps": self._steps(found.whole_plan()),
            "real": bool(plan.actions) and not reason,
            "done": found.done is not None,
            "again": bool(distances) and 0 not in distances,
        }

    def _steps(self, plan: Plan) -> Sequence[dict[str, str]]:
        """The plan as steps that the browser can add to its path."""
        return [
            {"action": action, "state": self.frame_store.store(state)}
            for action, state in zip(plan.actions, plan.states[1:], strict=True)
        ]

    def save_plan(self, request: Request) -> Answer:
        """The plan, and what came of it, as a file in a `data:` address."""
        found = self.searches.find(get_text(request, "search"))
        goal = found.search.goal
        form, wanted = get_text(request, "form"), goal.state or goal.describe()
        file, address = export_plan(form, "plan", found.whole_plan(), wanted, found.true_states())
        return {"name": file, "address": address}
