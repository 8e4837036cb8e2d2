"""Each metric's title, one-sentence description and unit, as shown on screen; `docs/metrics.md` has the definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

METRIC_GROUPS = {
    "forward": "The next state",
    "inverse": "The action",
    "cycle": "Cycle: infer, then imagine",
    "controllability": "Does the action matter?",
    "horizon": "Several steps ahead",
    "plan": "Plans carried out in the simulator",
    "policy": "Policies trained on the actions",
    "health": "Have the actions collapsed?",
    "leakage": "Do the actions leak the next state?",
    "codec": "What the image codec alone loses",
    "copy": "Copying the state (baseline)",
    "other": "Other metrics",
}
"""The groups of metrics, in the order in which they are shown."""

FOLDED = ("horizon", "plan", "policy", "health", "leakage", "codec", "copy", "other")
"""Groups that are collapsed until opened."""

BEST_OF = re.compile(r"_best_of_(\d+)$")
"""The ending of metrics computed on the best of N draws, ranked by the inverse model."""

STEPS_AHEAD = re.compile(r"(?P<measure>.+)@(?P<steps>\d+)")
"""The names of metrics measured several steps ahead: MEASURE@STEPS."""


@dataclass(frozen=True)
class MetricDescription:
    """A metric in words; `unit` is one of "share", "dB", "nats", "index" (up to 1), "score" (0 to 100), "number".

    `is_comparable` is False for metrics that describe the data or the baseline, so that no model is better or worse.
    """

    title: str
    help: str
    unit: str = "share"
    lower_is_better: bool = False
    is_comparable: bool = True


_STATE_MEASURES = {
    "exact_match": ("right", "equals the true state: every character of a text, every token of a picture", "share"),
    "token_accuracy": ("tokens right", "has this share of its tokens (words of a text) right", "share"),
    "changed_facts": ("changed facts right", "has this share of the facts that the step changed right", "share"),
    "kept_facts": ("facts kept", "keeps this share of the facts that the step left as they were", "share"),
    "rouge_l": ("ROUGE-L", "overlaps the true state in its longest common subsequence of words, as F1", "share"),
    "bleu": ("BLEU", "shares 1- to 4-grams of words with the true state, over all texts together; 0 to 100", "score"),
    "chrf": ("chrF", "shares character n-grams with the true state, as an F-score; 0 to 100", "score"),
    "bertscore": ("BERTScore", "matches the true state's tokens in a language model's embeddings, as F1", "index"),
    "psnr": ("PSNR", "is this close to the true state: 10 log10(255² / mean squared error)", "dB"),
    "ssim": ("SSIM", "is structurally this similar to the true state; 1 at most", "index"),
    "lpips": ("LPIPS", "is this far from the true state in AlexNet's features; lower is better", "index"),
    "clip_similarity": ("CLIP similarity", "has this cosine similarity to the true state in CLIP embeddings", "index"),
}
"""How a predicted state is compared with the true one: a title, the predicate of a sentence about it, the unit."""

_DESCRIPTIONS = {
    "forward/log_prob": MetricDescription(
        "log P(y | x, z)", "Log-probability of the true next state, in nats per token.", "nats"
    ),
    "inverse/exact_match": MetricDescription("Action right", "The inferred action is the true one, word for word."),
    "inverse/rouge_l": MetricDescription(
        "Action, ROUGE-L", "Longest common subsequence of words of the inferred and the true action, as F1."
    ),
    "inverse/log_prob": MetricDescription(
        "log Q(z | x, y)", "Log-probability of the true action, in nats per token.", "nats"
    ),
    "inverse/nmi": MetricDescription(
        "Actions recovered, NMI",
        "Normalised mutual information of clusters of inferred actions and kinds of true actions; 0 if all inferred "
        "actions are the same.",
    ),
    "inverse/v_measure": MetricDescription(
        "Actions recovered, V-measure",
        "Harmonic mean of homogeneity and completeness of the clusters against the kinds of true actions.",
    ),
    "inverse/ari": MetricDescription(
        "Actions recovered, adjusted Rand",
        "Agreement of the clusters with the kinds of true actions on pairs of transitions, adjusted for chance: 0 by "
        "chance, 1 at best.",
        "index",
    ),
    "inverse/probe": MetricDescription(
        "Kind read from the inferred action", "A linear probe on its words predicts the kind of the true action."
    ),
    "inverse/probe_across": MetricDescription(
        "Kind read from it in other contexts", "The same probe, tested on sequences it was not trained on."
    ),
    "inverse/probe_commonest": MetricDescription(
        "Commonest kind",
        "Share of the commonest kind of true action: the baseline of the probe.",
        is_comparable=False,
    ),
    "cycle/exact_match": MetricDescription(
        "Next state from the inferred action", "Infer the action, imagine with it, compare with the true next state."
    ),
    "cycle/action_exact_match": MetricDescription(
        "Action read back", "The action inferred from the imagined state is the one it was imagined with."
    ),
    "cycle/log_prob": MetricDescription(
        "log P(y | x, inferred z)",
        "The reconstruction term of the ELBO, in nats per token (section 3 of the paper).",
        "nats",
    ),
    "cycle/psnr": MetricDescription(
        "Next frame from the inferred action, PSNR",
        "Infer the action, imagine with it, compare with the true next frame, in dB.",
        "dB",
    ),
    "controllability/log_prob_gain": MetricDescription(
        "Gain over a shuffled action",
        "log P(y|x,z) minus log P(y|x,z′), z′ the action of another transition, in nats per token.",
        "nats",
    ),
    "controllability/delta_psnr": MetricDescription(
        "ΔPSNR over a shuffled action", "PSNR with the transition's own action minus PSNR with another's, in dB.", "dB"
    ),
    "health/distinct": MetricDescription("Distinct actions", "Distinct inferred actions as a share of all."),
    "health/distinct_true": MetricDescription(
        "Distinct true actions", "Distinct true actions as a share of all.", is_comparable=False
    ),
    "health/effective_number": MetricDescription(
        "Effective number of actions", "exp(entropy) of the inferred actions.", "number"
    ),
    "health/effective_number_true": MetricDescription(
        "Effective number of true actions", "exp(entropy) of the true actions.", "number", is_comparable=False
    ),
    "health/mean_length": MetricDescription(
        "Length of an action", "Mean number of words in an inferred action.", "number", is_comparable=False
    ),
    "health/mean_length_true": MetricDescription(
        "Length of a true action", "Mean number of words in a true action.", "number", is_comparable=False
    ),
    "health/perplexity_ratio": MetricDescription(
        "Perplexity ratio",
        "Perplexity of the inferred actions over that of the true actions under a language model; at 1 they are "
        "worded alike.",
        "number",
        is_comparable=False,
    ),
    "health/zero_variance": MetricDescription(
        "Groups without variance",
        "Share of sampled groups whose rewards are all equal, so that they teach nothing.",
        lower_is_better=True,
    ),
    "leakage/overlap": MetricDescription(
        "Next state's words in the action",
        "Share of the new n-grams of y that appear in z; lower is better.",
        lower_is_better=True,
    ),
    "leakage/overlap_true": MetricDescription(
        "Next state's words in the true action",
        "Share of the new n-grams of y that appear in the true action.",
        is_comparable=False,
    ),
    "leakage/stitch": MetricDescription(
        "Loss when y is from another sequence",
        "Stitch test: what log P loses when y is replaced by a state of another sequence and z is inferred again, in "
        "nats per token; with a leak it loses little.",
        "nats",
    ),
    "leakage/state_ablation": MetricDescription(
        "Loss without the state",
        "What log P(y | x, z) loses without x, in nats per token; with a leak it loses little.",
        "nats",
    ),
    "leakage/foreign_context": MetricDescription(
        "The action in another context",
        "The action applied to a state of another sequence: at 1 the prediction is that state, at −1 it is the "
        "action's own next state (a leak).",
        "index",
    ),
    "codec/codes_used": MetricDescription(
        "Codes in use", "Number of different codes that the frames use.", "number", is_comparable=False
    ),
}


def describe_metric(name: str) -> MetricDescription:
    """Describe a metric (`group/name`, perhaps with `@T` or `_best_of_N`); an unknown metric keeps its name."""
    best_of = BEST_OF.search(name)
    if best_of is not None:
        greedy = describe_metric(name[: best_of.start()])
        draws = best_of[1]
        explanation = f"{greedy.help} Of {draws} drawn next states, the one the inverse model scores highest counts."
        return replace(greedy, title=f"{greedy.title}, best of {draws}", help=explanation)
    ahead = STEPS_AHEAD.fullmatch(name)
    if ahead is not None and name.startswith("plan/"):
        return _describe_plan(ahead["measure"].removeprefix("plan/"), int(ahead["steps"]))
    if name.startswith("policy/"):
        return _describe_policy(name.removeprefix("policy/"))
    if ahead is not None:
        return _describe_steps_ahead(ahead["measure"], int(ahead["steps"]))
    return (
        _DESCRIPTIONS.get(name)
        or _describe_state_measure(name)
        or MetricDescription(name, "", "number", is_comparable=False)
    )


def metric_group(name: str) -> str:
    """The group of METRIC_GROUPS in which a metric is shown; all metrics measured at T steps are in `horizon`."""
    group = name.partition("/")[0]
    if group not in ("plan", "policy") and STEPS_AHEAD.fullmatch(name):
        group = "horizon"
    return group if group in METRIC_GROUPS else "other"


def baseline_metric(name: str) -> str:
    """The metric shown as a metric's baseline, or "": `copy/psnr` for `forward/psnr` and `cycle/psnr`."""
    group, _, measure = BEST_OF.sub("", name).partition("/")
    if name in ("inverse/probe", "inverse/probe_across"):
        return "inverse/probe_commonest"
    return f"copy/{measure}" if group in ("forward", "cycle", "horizon") else ""


def _describe_state_measure(name: str) -> MetricDescription | None:
    group, _, measure = name.partition("/")
    if measure not in _STATE_MEASURES or group not in ("forward", "copy", "codec"):
        return None
    label, predicate, unit = _STATE_MEASURES[measure]
    subject, title = {
        "forward": ("The next state imagined from the true action", "Next state"),
        "copy": ("The current state, copied as the next one,", "Copying the state"),
        "codec": ("A frame encoded and decoded by the codec", "Reconstructed frame"),
    }[group]
    return MetricDescription(
        f"{title}{'' if label in ('right', 'tokens right') else ','} {label}",
        f"{subject} {predicate}.",
        unit,
        lower_is_better=measure == "lpips",
        is_comparable=group == "forward",
    )


_PLAN_FIGURES = {
    "success": ("Goals met", "The share of goals that the plan meets when it is carried out.", "share", True),
    "imagined": ("Goals reached in imagination", "The share that the plan reaches in imagination.", "share", False),
    "honest": (
        "Imagined successes that come true",
        "Of the plans that reach their goal in imagination, the share that meets it in the simulator, too.",
        "share",
        True,
    ),
    "expected": (
        "Success that the models expect",
        "The mean probability that the models give a plan to reach its goal as imagined.",
        "share",
        False,
    ),
    "replan": (
        "Goals met, planning again",
        "The share that is met where a plan is made again whenever the truth is not as imagined.",
        "share",
        True,
    ),
    "greedy_replan": (
        "Goals met by greedy steps, planning again",
        "The share met without a search, by the best step each time, seen from the true state.",
        "share",
        False,
    ),
    "greedy": (
        "Goals met by greedy steps",
        "The share met without a search, by the best step each time.",
        "share",
        False,
    ),
    "random": ("Goals met by chance", "The share that as many random actions meet.", "share", False),
    "true_labels": (
        "Goals met with the true actions",
        "The share met by the same search among the actions that the world lists.",
        "share",
        False,
    ),
    "oracle": ("Goals met by the simulator", "The share met by a search in the simulator itself.", "share", False),
    "states": ("States imagined", "How many next states a search imagines.", "number", False),
    "seconds": ("Seconds of a search", "How long a search takes.", "number", False),
    "replan_states": ("States imagined, planning again", "How many all searches for a goal imagine.", "number", False),
    "replan_seconds": ("Seconds of a goal, planning again", "How long all its searches take.", "number", False),
}
"""The figures of plans: title, sentence, unit, and whether they say which model is better."""


def _describe_plan(measure: str, steps: int) -> MetricDescription:
    title, sentence, unit, is_comparable = _PLAN_FIGURES.get(measure, (measure, "", "number", False))
    away = f"{steps} step{'' if steps == 1 else 's'} away"
    return MetricDescription(f"{title}, {away}", sentence, unit, is_comparable=is_comparable)


_POLICY_FIGURES = {
    "idm": ("Goals reached by the inverse model", "The share of goals that it reaches when it acts itself."),
    "random": ("Goals reached by chance", "The share that random actions reach."),
    "inferred": ("Goals reached, inferred actions", "The share that a policy reaches which was trained on them."),
    "true": ("Goals reached, true actions", "The share that a policy reaches which was trained on them."),
    "difference": ("Inferred minus true actions", "The difference between these two policies, goal by goal."),
}
"""The figures of policies: title and sentence."""


def _describe_policy(measure: str) -> MetricDescription:
    measure, _, steps = measure.partition("@")
    kind, _, sequences = measure.partition("_")
    title, sentence = _POLICY_FIGURES.get(kind, (measure, ""))
    trained = f" of {sequences} sequences" if sequences else ""
    away = f", {steps} step{'' if steps == '1' else 's'} away" if steps else ""
    return MetricDescription(title + trained + away, sentence, "share", is_comparable=kind in ("idm", "inferred"))


def _describe_steps_ahead(name: str, steps: int) -> MetricDescription:
    group, _, measure = name.partition("/")
    label, predicate, unit = _STATE_MEASURES.get(measure, (measure, "", "number"))
    distance = f"{steps} step{'' if steps == 1 else 's'} ahead"
    if group == "copy":
        return MetricDescription(
            f"Copying the start, {distance}: {label}",
            f"The start state, copied as the state {distance}.",
            unit,
            is_comparable=False,
        )
    explanation = f"The state imagined {distance} from the model's own predictions, with inferred actions, {predicate}."
    return MetricDescription(f"State {distance} {label}", explanation, unit)
