"""The table of a run's newest rollouts: their samples with rewards and advantages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from studio.components.shared.compact_transition import compact_transition
from studio.components.shared.html import escape
from studio.components.shared.picture_frame import annotated_picture
from studio.components.shared.text_difference import highlight_tokens
from studio.components.train.stored_state import parse_stored_state
from studio.view_models.formatting import format_signed
from studio.view_models.picture_difference import picture_difference
from studio.view_models.text_difference import changed_tokens
from swirl.history import Rollout
from swirl.states import State

MAX_GROUPS = 2
SAMPLES = 4
THUMBNAIL = 64  # pixels


def rollout_table(
    rollouts: Sequence[Rollout], direction: str, run_folder: Path | None = None, *, partner_alone: bool = True
) -> str:
    """The groups of one step as an HTML table, the best sample of each first; a sentence when there are none yet.

    `direction` is "forward" or "inverse". Pictures may lie in `run_folder`/media. `partner_alone` says that the rewards
    are the partner's log-probabilities, without extensions.
    """
    if not rollouts:
        return '<p class="note">Rollouts appear here from the first step of a forward or inverse phase.</p>'
    forward = direction == "forward"
    sampled = "imagined next state" if forward else "sampled action"
    partner = "log Q(action | imagined)" if forward else "log P(next | action)"
    reward = partner if partner_alone else "reward"
    help_text = _reward_help(forward) if partner_alone else f"{partner} with the run's extensions of the reward."
    rows = "".join(_group(rollout, forward, run_folder) for rollout in rollouts[:MAX_GROUPS])
    return (
        f'<table class="table rollouts"><thead><tr><th scope="col">transition</th><th scope="col">{sampled}</th>'
        f'<th scope="col" class="number"><abbr title="{help_text}">{reward}</abbr></th>'
        '<th scope="col" class="number"><abbr title="How far the reward lies from the mean of its group, in '
        'standard deviations of the group: (R − mean) / (std + 1e-4).">advantage</abbr></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _reward_help(forward: bool) -> str:
    if forward:
        return (
            "The frozen inverse model's log-probability of the action, given the imagined next state, in nats: "
            "the reward of Phase I."
        )
    return (
        "The frozen forward model's log-probability of the real next state under the sampled action, in nats: "
        "the reward of Phase II."
    )


def _group(rollout: Rollout, forward: bool, folder: Path | None) -> str:
    order = sorted(range(len(rollout.samples)), key=lambda k: rollout.rewards[k], reverse=True)
    shown = order if len(order) <= SAMPLES else [*order[: SAMPLES - 1], order[-1]]
    action = f'<span class="chip inverse">{escape(rollout.action)}</span>' if forward else ""
    happened = compact_transition(
        parse_stored_state(rollout.state, folder), parse_stored_state(rollout.next_state, folder), THUMBNAIL
    )
    transition = f'<td rowspan="{len(shown)}" class="transition" data-label="transition">{action}{happened}</td>'
    return "".join(
        f"<tr>{transition if place == 0 else ''}<td data-label='sample'>{_sample(rollout, k, forward, folder)}</td>"
        f"<td class='number' data-label='reward'>{format_signed(rollout.rewards[k])}</td>"
        f"<td class='number {_tone(rollout.advantages[k])}' data-label='advantage'>"
        f"{format_signed(rollout.advantages[k], 1, plus=True)}</td></tr>"
        for place, k in enumerate(shown)
    )


def _sample(rollout: Rollout, k: int, forward: bool, folder: Path | None) -> str:
    """A sampled action; or what an imagined state changes, in red where it differs from the observed state."""
    sample = rollout.samples[k]
    if not forward:
        return escape(sample) or '<span class="muted">empty action</span>'
    imagined, observed = parse_stored_state(sample, folder), parse_stored_state(rollout.next_state, folder)
    if imagined.picture is not None and observed.picture is not None:
        return _picture(imagined, observed, sample == rollout.next_state)
    if sample == rollout.next_state:
        return '<span class="good-text">✓ as observed</span>'
    _, changed = changed_tokens(rollout.state, sample)
    _, wrong = changed_tokens(rollout.next_state, sample)
    return '<span class="wrong-text">✕</span> ' + highlight_tokens(
        sample, {"ins": changed, "ins wrong": wrong}, nothing="leaves out part of what was observed"
    )


def _picture(imagined: State, observed: State, equal: bool) -> str:
    """A sampled frame, with the cells that differ from the observed frame marked, and a verdict."""
    marks = picture_difference(observed, imagined)
    is_right = equal or not marks.marked_cells
    verdict = '<span class="good-text">✓ as observed</span>' if is_right else '<span class="wrong-text">✕</span>'
    picture = annotated_picture(
        imagined, "An imagined next state", THUMBNAIL, marks=None if is_right else marks, tone="wrong"
    )
    return f'<span class="frames">{picture}{verdict}</span>'


def _tone(advantage: float) -> str:
    if advantage >= 0.5:
        return "good-text"
    return "wrong-text" if advantage <= -0.5 else "muted"
