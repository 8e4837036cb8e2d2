"""The view of a run: its progress, verdicts, curves, rollouts and log.

While a run is training, the page asks for updates once a second. It is sent only what is new: the points after the
cursor of each run it shows, and the parts whose HTML has changed. A range of a long curve is fetched again in detail
when the user zooms into it.
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
    "reward", "Rewards", "mean log-probability under the frozen partner, nats per token", "reward",
    "What GRPO maximises: log Q(z | x, ŷ) of the frozen inverse model in forward phases, log P(y | x, z) of the frozen "
    "forward model in inverse phases (section 2 of the paper). With reference_reward, the log-probability that the "
    "trainee gave the rollout at the phase's start counts, too.",
)  # fmt: skip
PROBE = Chart(
    "probe", "Held-out probe", "log-probability of next states never trained on, nats per token; higher is better",
    "probe_log_prob",
    "Every few steps, on the same few held-out transitions. Forward phases: log P(y | x, z) under the true action "
    "where known. Inverse phases: under the action that the model infers. If the reward rises while this falls, "
    "training does harm.", optional=True, sparse=True,
)  # fmt: skip
SCORES = Chart(
    "scores", "Held-out accuracy", "exact match on transitions never used for training", "",
    "After each phase: the next state from the true action, and the action from both states; whole texts must match. "
    "The small open marks between are the probes, on fewer transitions.",
)  # fmt: skip
BOUNDS = Chart(
    "bound", "What the method maximises", "bound on I(Z; Ŷ | X) in forward, ELBO in inverse phases, nats", "bound",
    "Forward phases: E[log Q(z | x, ŷ)], the variational lower bound on I(Z; Ŷ | X) less its constant H(Z | X). "
    "Inverse phases: the ELBO E[log P(y | x, z)] − KL, a lower bound on log P(y | x).",
)  # fmt: skip
KL = Chart(
    "kl", "Distance from the start of the phase", "KL to the reference policy, nats per token", "kl",
    "KL(trainee ‖ reference) by the k3 estimator; the reference policy is the trainee at the start of the phase, with "
    "prior_reference asked without the next state in inverse phases.", True,
)  # fmt: skip
ENTROPY = Chart(
    "entropy", "Entropy of the samples", "how undecided the trainee is, nats per token", "entropy",
    "Mean entropy of the trainee's next-token distribution over its rollouts; near zero it no longer explores.", True,
)  # fmt: skip
LOSS = Chart(
    "loss", "Loss of the supervised phase", "negative log-likelihood of the labels, nats per token", "loss",
    "Cross-entropy of the completion's tokens: on labels in the warm-up and the upper bound, on pseudo-labels in the "
    "baselines.",
    True, True,
)  # fmt: skip
SKIPPED = Chart(
    "skipped", "Easy groups left out", "share of the step's groups whose rewards spread less than min_reward_spread",
    "groups_skipped",
    "All rollouts of such a group are about equally good; it has advantages of 0 and changes nothing.",
    from_zero=True, optional=True,
)  # fmt: skip
CHARTS = (REWARDS, PROBE, SCORES, BOUNDS, KL, ENTROPY, SKIPPED, LOSS)
METRICS = (*(chart.metric for chart in CHARTS if chart.metric), "probe_exact_match")
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
    """The run view, which stays hidden until the address or the start form opens a run."""

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
