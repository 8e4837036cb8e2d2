"""A run as it goes: what it does, whether it helps, its curves, its rollouts and its log.

The page asks for news once a second and is sent only what is new: points above the cursor of each run it shows, and
the parts whose HTML differs from what it shows. A stretch of a long curve is fetched again when it is zoomed into.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from studio.components.shared import run_header
from studio.components.shared.html import scripted_block
from studio.components.shared.page_requests import Answer, Request, get_text
from studio.components.train import chart_toolbar, live_chart
from studio.components.train.live_chart import Chart
from studio.components.train.run_curves import curve_detail, overlay_options
from studio.components.train.run_updates import perform_action, run_updates

REWARDS = Chart(
    "reward", "Rewards", "mean log-probability under the frozen partner, nats a token", "reward",
    "What GRPO maximises: log Q(z | x, ŷ) of the frozen inverse model in forward phases, log P(y | x, z) of the frozen "
    "forward model in inverse phases (section 2 of the paper).",
)  # fmt: skip
SCORES = Chart(
    "scores", "Held-out accuracy", "exact match on transitions that no training sees", "",
    "After each phase: the next state from the true action, and the action from both states; whole texts must match.",
)  # fmt: skip
BOUNDS = Chart(
    "bound", "What the method raises", "bound on I(Z; Ŷ | X) in forward, ELBO in inverse phases, nats", "bound",
    "Forward phases: E[log Q(z | x, ŷ)], the variational lower bound on I(Z; Ŷ | X) less its constant H(Z | X). "
    "Inverse phases: the ELBO E[log P(y | x, z)] − KL, a lower bound on log P(y | x).",
)  # fmt: skip
KL = Chart(
    "kl", "Distance from the phase's start", "KL to the reference policy, nats a token", "kl",
    "KL(trainee ‖ reference) by the k3 estimator; the reference is the trainee as it was when the phase began.", True,
)  # fmt: skip
ENTROPY = Chart(
    "entropy", "Entropy of the samples", "how undecided the trained model is, nats a token", "entropy",
    "Mean entropy of the trainee's next-token distribution over its rollouts; near nought it explores no more.", True,
)  # fmt: skip
LOSS = Chart(
    "loss", "Loss of the supervised phase", "negative log-likelihood of the labels, nats a token", "loss",
    "Cross entropy of the answer's tokens: in the warm-up of the labelled ones, in the SFT baseline of pseudo-labels.",
    True, True,
)  # fmt: skip
CHARTS = (SCORES, REWARDS, BOUNDS, KL, ENTROPY, LOSS)
METRICS = tuple(chart.metric for chart in CHARTS if chart.metric)
TEMPLATE = f"""<div class="studio run-view" hidden>
{run_header.HEADER_TEMPLATE}
{chart_toolbar.TOOLBAR}
<div class="run-grid">
<section class="panel"><h2>Is it helping?</h2><div data-part="verdicts" aria-live="polite"></div></section>
{"".join(live_chart.panel(chart) for chart in CHARTS)}
<section class="panel wide"><h2 data-part="rollouts-title">What it is trying</h2>
<div class="scroll" data-part="rollouts"></div></section>
<section class="panel whole-row"><details class="log">
<summary><h2>Log</h2> <span class="muted small">the end of log.txt</span></summary>
<pre class="mono" data-part="log" tabindex="0" aria-label="The end of the log"></pre></details></section>
</div></div>"""


def render(home: Path) -> gr.HTML:
    """The run view; hidden until a run is opened, by the address or by the start form."""

    def news(request: Request) -> Answer:
        return run_updates(home, request, METRICS)

    def detail(request: Request) -> Answer:
        return curve_detail(home, request, METRICS)

    def others(request: Request) -> Answer:
        return overlay_options(home, request)

    def act(request: Request) -> Answer:
        return perform_action(home, get_text(request, "run"), get_text(request, "do"))

    functions = (news, detail, others, act)
    return scripted_block(TEMPLATE, "run_view", functions, styles=("train",), given=live_chart.given(CHARTS))
