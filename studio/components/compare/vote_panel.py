"""A blind question on the screen, who was who after the vote, and the rates at which checkpoints win."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.services.votes import VoteRound
from studio.view_models.comparison import CheckpointAnswer
from studio.view_models.formatting import pluralize
from studio.view_models.health import format_share
from studio.view_models.text_difference import changed_tokens
from swirl.evaluation.preferences import Tally, tally
from swirl.history import Preference
from swirl.states import State

FRAME_SIZE = 192  # pixels: the room for a frame that is judged
CHOICES = (("left", "←", "Left"), ("tie", "↓", "Tie"), ("skip", "S", "Skip"), ("right", "→", "Right"))
CHOICE_MESSAGES = {
    "left": "You chose left",
    "right": "You chose right",
    "tie": "You called it a tie",
    "skip": "You skipped",
}


def vote_question(now: VoteRound, by_truth: bool) -> str:
    """The question with its four keys; or what there is to say when none is left."""
    asked = now.question
    verb = "is" if now.identical_pairs == 1 else "are"
    alike = f" {pluralize(now.identical_pairs, 'pair')} of equal next states {verb} not asked."
    alike = alike if now.identical_pairs else ""
    if asked is None:
        return f'<p class="note">Every pair of different next states here has your vote.{alike}</p>'
    transition = asked.transition
    given = f'Action: <span class="chip">{escape(asked.answers[0].given_action)}</span>' if by_truth else ""
    cards = "".join(
        _card(side, transition.state, told, not by_truth)
        for side, told in zip(("left", "right"), asked.answers, strict=True)
    )
    buttons = "".join(
        f'<button type="button" class="button" data-vote="{choice}"><kbd aria-hidden="true">{key}</kbd> {word}</button>'
        for choice, key, word in CHOICES
    )
    return (
        f'<div class="ballot" data-ticket="{asked.ticket}"><div class="transition"><h3>What happened</h3>{given}'
        f"{compact_transition(transition.state, transition.next_state, FRAME_SIZE // 2)}</div><div "
        f'class="cards">{cards}</div></div>'
        f'<div class="row spread keys" role="group" aria-label="Your vote">{buttons}</div>'
        f'<p class="note">{pluralize(now.remaining, "question")} left.{alike}</p>'
    )


def _card(side: str, state: State, told: CheckpointAnswer, own_action: bool) -> str:
    """One next state, without a name; with its own action where the two were imagined from different ones."""
    action = (
        f'<p class="small">from <span class="chip inverse">{escape(told.given_action)}</span></p>' if own_action else ""
    )
    if told.frame is not None:
        shown = annotated_picture(told.frame, f"The {side} next state", FRAME_SIZE)
    else:
        _, came = changed_tokens(state.text, told.imagined)
        shown = highlight_tokens(told.imagined, {"ins forward": came}, nothing="nothing changes")
    return f'<section class="card" aria-label="{side}"><h3>{side.capitalize()}</h3>{action}{shown}</section>'


def reveal_vote(vote: Preference, sides: Mapping[str, str]) -> str:
    """Who was who, now that the vote is kept; `sides` maps checkpoints to A, B, …"""
    left, right = (f"<b>{sides.get(name, '')}</b> {escape(name)}" for name in (vote.left, vote.right))
    return (
        f'<p class="revealed">{CHOICE_MESSAGES[vote.choice]}. Left was {left}, right was {right}. '
        f'<button type="button" class="button-link small" data-take-back="{vote.id}">Take it back</button></p>'
    )


def win_rates(votes: Sequence[Preference], names: Mapping[str, str]) -> str:
    """How often each of a pair won, with Wilson's interval; ties and skipped questions beside it."""
    rows = []
    cast = [(vote.left, vote.right, vote.choice) for vote in votes]
    for (a, first), (b, second) in combinations(names.items(), 2):
        counted_ = tally(cast, first, second)
        if counted_.decided + counted_.ties + counted_.skipped:
            rows.append(_rate(f"{a.upper()} against {b.upper()}", a.upper(), counted_))
    if not rows:
        return '<p class="note">No vote yet. Names and sides stay hidden until you have voted.</p>'
    head = "".join(
        f'<th scope="col">{word}</th>' for word in ("pair", "win rate, 95\N{NO-BREAK SPACE}% interval", "votes")
    )
    return f'<table class="table rates"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _rate(pair: str, first: str, votes: Tally) -> str:
    rate = votes.rate
    said = (
        f"{first} wins {format_share(rate)} of {pluralize(votes.decided, 'decided vote')}" if rate else "none decided"
    )
    bar = f'<span class="bar"><i style="width:{round(100 * rate.value)}%"></i></span>' if rate else ""
    sure = ""
    if rate and (rate.low > 0.5 or rate.high < 0.5):
        sure = ' <span class="good-text">✓ beyond chance</span>'
    figures = f"{votes.wins} to {votes.losses}, {pluralize(votes.ties, 'tie')}, {votes.skipped} skipped"
    return f'<tr><th scope="row">{pair}</th><td>{bar}{said}{sure}</td><td>{figures}</td></tr>'
