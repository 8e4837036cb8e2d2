"""Blind votes on the Compare page: the question, who was who after the vote, and the win rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.share_bar import share_bar
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
    """The question with a button for each choice, or a note when none is left.

    `by_truth` tells whether both next states were imagined from the true action.
    """
    question = now.question
    verb = "is" if now.identical_pairs == 1 else "are"
    identical = f" {pluralize(now.identical_pairs, 'pair')} of identical next states {verb} not asked about."
    identical = identical if now.identical_pairs else ""
    if question is None:
        return f'<p class="note">You have voted on every pair of different next states.{identical}</p>'
    transition = question.transition
    actions = [answer.given_action for answer in question.answers if not answer.is_baseline]
    given = f'Action: <span class="chip">{escape(actions[0])}</span>' if by_truth else ""
    cards = "".join(
        _card(side, transition.state, answer, not by_truth)
        for side, answer in zip(("left", "right"), question.answers, strict=True)
    )
    buttons = "".join(
        f'<button type="button" class="button" data-vote="{choice}"><kbd aria-hidden="true">{key}</kbd> {word}</button>'
        for choice, key, word in CHOICES
    )
    return (
        f'<div class="ballot" data-ticket="{question.ticket}"><div class="transition"><h3>What happened</h3>{given}'
        f"{compact_transition(transition.state, transition.next_state, FRAME_SIZE // 2)}</div><div "
        f'class="cards">{cards}</div></div>'
        f'<div class="row spread keys" role="group" aria-label="Your vote">{buttons}</div>'
        f'<p class="note">{pluralize(now.remaining, "question")} left.{identical}</p>'
    )


def _card(side: str, state: State, answer: CheckpointAnswer, shows_action: bool) -> str:
    """One next state, unnamed; with the action it was imagined from where the two actions may differ."""
    action = ""
    if shows_action and not answer.is_baseline:
        action = f'<p class="small">from <span class="chip inverse">{escape(answer.given_action)}</span></p>'
    if answer.frame is not None:
        content = annotated_picture(answer.frame, f"The {side} next state", FRAME_SIZE)
    else:
        new = changed_tokens(state.text, answer.imagined)[1]
        content = highlight_tokens(answer.imagined, {"ins forward": new}, nothing="nothing changes")
    return f'<section class="card" aria-label="{side}"><h3>{side.capitalize()}</h3>{action}{content}</section>'


def reveal_vote(vote: Preference, labels: Mapping[str, tuple[str, str]]) -> str:
    """Who was who, once the vote is stored; `labels` maps a checkpoint to its side and its name for people."""
    sides = [labels.get(name, ("", name)) for name in (vote.left, vote.right)]
    left, right = (f"<b>{side.upper()}</b> {escape(name)}" for side, name in sides)
    return (
        f'<p class="revealed">{CHOICE_MESSAGES[vote.choice]}. Left was {left}, right was {right}. '
        f'<button type="button" class="button-link small" data-take-back="{vote.id}">Take it back</button></p>'
    )


def win_rates(votes: Sequence[Preference], names: Mapping[str, str]) -> str:
    """How often each of a pair won, with Wilson's interval, and how many votes were ties or skipped.

    `names` maps sides to checkpoints as the votes name them.
    """
    rows = []
    cast = [(vote.left, vote.right, vote.choice) for vote in votes]
    for (a, first), (b, second) in combinations(names.items(), 2):
        counts = tally(cast, first, second)
        if counts.decided + counts.ties + counts.skipped:
            rows.append(_rate(f"{a.upper()} against {b.upper()}", a.upper(), counts))
    if not rows:
        return '<p class="note">No votes yet. The page hides which checkpoint is which until you have voted.</p>'
    head = "".join(
        f'<th scope="col">{word}</th>' for word in ("pair", "win rate, 95\N{NO-BREAK SPACE}% interval", "votes")
    )
    return f'<table class="table rates"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def _rate(pair: str, first: str, votes: Tally) -> str:
    rate = votes.rate
    words = (
        f"{first} wins {format_share(rate)} of {pluralize(votes.decided, 'decided vote')}" if rate else "none decided"
    )
    bar = share_bar(rate.value) if rate else ""
    significant = ""
    if rate and (rate.low > 0.5 or rate.high < 0.5):
        significant = ' <span class="good-text">✓ beyond chance</span>'
    counts = f"{votes.wins} to {votes.losses}, {pluralize(votes.ties, 'tie')}, {votes.skipped} skipped"
    return f'<tr><th scope="row">{pair}</th><td>{bar}{words}{significant}</td><td>{counts}</td></tr>'
