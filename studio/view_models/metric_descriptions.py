"""What each metric is called here, what it says in a sentence, and its unit; `docs/metrics.md` says it in full."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

METRIC_GROUPS = {
    "forward": "The next state",
    "inverse": "The action",
    "cycle": "There and back",
    "controllability": "Does the action matter?",
    "horizon": "Several steps ahead",
    "health": "Have the actions collapsed?",
    "leakage": "Do they give the next state away?",
    "codec": "What the image codec alone loses",
    "copy": "Copying the state, the baseline",
    "other": "Others",
}
"""The groups of metrics, in the order in which they are read."""

FOLDED = ("horizon", "health", "leakage", "codec", "copy", "other")
"""Groups that are read on request."""

BEST_OF = re.compile(r"_best_of_(\d+)$")
"""Ends the name of a metric of the best of so many draws, by the inverse model's score."""

STEPS_AHEAD = re.compile(r"(?P<measure>.+)@(?P<steps>\d+)")


@dataclass(frozen=True)
class MetricDescription:
    """A metric in words; `unit` is one of "share", "dB", "nats", "index" (up to 1), "score" (0 to 100), "number".

    `low` says that less is better. `contest` is False for what describes the data or the baseline, and no model.
    """

    title: str
    help: str
    unit: str = "share"
    lower_is_better: bool = False
    is_comparable: bool = True


_COMPARED = {
    "exact_match": ("right", "matches the true one to the letter, or in all its tokens if it is a picture", "share"),
    "token_accuracy": ("tokens right", "has this share of its tokens as in the true one", "share"),
    "rouge_l": ("ROUGE-L", "has the longest word sequence in common with the true one, as F1", "share"),
    "bleu": ("BLEU", "shares 1- to 4-grams of words with the true one, over all texts together, 0 to 100", "score"),
    "chrf": ("chrF", "shares n-grams of letters with the true one, as an F score, 0 to 100", "score"),
    "bertscore": ("BERTScore", "is near the true one in a language model's embeddings, token by token, as F1", "index"),
    "psnr": ("PSNR", "is this far from the true one: 10 log10(255² / mean squared error)", "dB"),
    "ssim": ("SSIM", "is like the true one in structure, at most 1", "index"),
    "lpips": ("LPIPS", "is this far from the true one in a network's eyes; low is good", "index"),
    "clip_similarity": ("CLIP similarity", "has an embedding near the true one's: their cosine", "index"),
}
"""How a predicted state is compared: a name, the end of a sentence about it, the unit."""

_DESCRIPTIONS = {
    "forward/log_prob": MetricDescription(
        "log P(y | x, z)", "Log-probability of the true next state, nats a token.", "nats"
    ),
    "inverse/exact_match": MetricDescription("Action right", "The inferred action is the true one, to the letter."),
    "inverse/rouge_l": MetricDescription(
        "Action, ROUGE-L", "Longest common word sequence of inferred and true action, F1."
    ),
    "inverse/log_prob": MetricDescription(
        "log Q(z | x, y)", "Log-probability of the true action, nats a token.", "nats"
    ),
    "inverse/nmi": MetricDescription(
        "Actions recovered, NMI",
        "Normalised mutual information of clusters of inferred actions and kinds of true ones; 0 for one action alone.",
    ),
    "inverse/v_measure": MetricDescription(
        "Actions recovered, V-measure",
        "Harmonic mean of homogeneity and completeness of the clusters against the kinds of true actions.",
    ),
    "inverse/ari": MetricDescription(
        "Actions recovered, adjusted Rand",
        "Pairs that clusters and kinds of true actions put alike, less what chance would: 0 by chance, 1 at best.",
        "index",
    ),
    "inverse/probe": MetricDescription(
        "Kind read from the inferred action", "A linear probe on its words finds the kind of the true action."
    ),
    "inverse/probe_across": MetricDescription(
        "Kind read from it in other contexts", "The same, the probe trained on other sequences' contexts."
    ),
    "inverse/probe_commonest": MetricDescription(
        "Commonest kind",
        "The share of the commonest kind: the probe's baseline without the action.",
        is_comparable=False,
    ),
    "cycle/exact_match": MetricDescription(
        "Next state from the inferred action", "Infer the action, imagine with it, compare."
    ),
    "cycle/action_exact_match": MetricDescription(
        "Action read back", "The action inferred from the imagined state is the one it was imagined with."
    ),
    "cycle/log_prob": MetricDescription(
        "log P(y | x, inferred z)",
        "The reconstruction term of the ELBO, nats a token (section 3 of the paper).",
        "nats",
    ),
    "cycle/psnr": MetricDescription(
        "Next frame from the inferred action, PSNR", "Infer, imagine, compare, in dB.", "dB"
    ),
    "controllability/log_prob_gain": MetricDescription(
        "Gain over a shuffled action", "log P(y|x,z) less log P(y|x,z of another transition), nats a token.", "nats"
    ),
    "controllability/delta_psnr": MetricDescription(
        "ΔPSNR over a shuffled action", "PSNR with the own action less PSNR with another transition's, dB.", "dB"
    ),
    "health/distinct": MetricDescription("Distinct actions", "Share of inferred actions that differ from one another."),
    "health/distinct_true": MetricDescription(
        "Distinct true actions", "The same of the true ones.", is_comparable=False
    ),
    "health/effective_number": MetricDescription(
        "Effective number of actions", "exp(entropy) of the inferred actions.", "number"
    ),
    "health/effective_number_true": MetricDescription(
        "Effective number of true actions", "exp(entropy) of the true ones.", "number", is_comparable=False
    ),
    "health/mean_length": MetricDescription(
        "Length of an action", "Words in an inferred action.", "number", is_comparable=False
    ),
    "health/mean_length_true": MetricDescription(
        "Length of a true action", "Words in a true action.", "number", is_comparable=False
    ),
    "health/perplexity_ratio": MetricDescription(
        "Perplexity ratio",
        "Perplexity of the inferred actions over that of the true ones under a language model; 1 is worded alike.",
        "number",
        is_comparable=False,
    ),
    "health/zero_variance": MetricDescription(
        "Groups without variance",
        "Share of sampled groups whose rewards are all equal and teach nothing.",
        lower_is_better=True,
    ),
    "leakage/overlap": MetricDescription(
        "Next state's words in the action",
        "Share of y's new n-grams that stand in z; low is good.",
        lower_is_better=True,
    ),
    "leakage/overlap_true": MetricDescription(
        "Next state's words in the true action", "The same of the true action.", is_comparable=False
    ),
    "leakage/stitch": MetricDescription(
        "Loss when y comes from elsewhere",
        "Stitch test: what log P loses for a next state of another sequence; a leak loses little. Nats a token.",
        "nats",
    ),
    "leakage/state_ablation": MetricDescription(
        "Loss without the state", "What log P(y | z) loses without x; a leak loses little. Nats a token.", "nats"
    ),
    "leakage/foreign_context": MetricDescription(
        "The action in another context",
        "Taken to a state of another sequence: 1 leads to that state, -1 to the action's own next state, a leak.",
        "index",
    ),
    "codec/codes_used": MetricDescription(
        "Codes in use", "Different codes that the frames take.", "number", is_comparable=False
    ),
}


def describe_metric(name: str) -> MetricDescription:
    """What a metric (`group/name`, perhaps with `@T`) means; one that is not known keeps its name."""
    drawn = BEST_OF.search(name)
    if drawn is not None:
        greedy = describe_metric(name[: drawn.start()])
        says = f"{greedy.help} Of {drawn[1]} drawn next states the one whose action the inverse model scores highest."
        return replace(greedy, title=f"{greedy.title}, best of {drawn[1]}", help=says)
    ahead = STEPS_AHEAD.fullmatch(name)
    if ahead is not None:
        return _ahead(ahead["measure"], int(ahead["steps"]))
    return _DESCRIPTIONS.get(name) or _by_measure(name) or MetricDescription(name, "", "number", is_comparable=False)


def metric_group(name: str) -> str:
    """The group of GROUPS in which a metric is read; what copying reaches so many steps ahead is read there, too."""
    found = "horizon" if STEPS_AHEAD.fullmatch(name) else name.partition("/")[0]
    return found if found in METRIC_GROUPS else "other"


def baseline_metric(name: str) -> str:
    """The metric that stands beside a metric as its baseline: `copy/psnr` for `forward/psnr` and `cycle/psnr`."""
    where, _, measure = BEST_OF.sub("", name).partition("/")
    if name in ("inverse/probe", "inverse/probe_across"):
        return "inverse/probe_commonest"
    return f"copy/{measure}" if where in ("forward", "cycle", "horizon") else ""


def _by_measure(name: str) -> MetricDescription | None:
    where, _, measure = name.partition("/")
    if measure not in _COMPARED or where not in ("forward", "copy", "codec"):
        return None
    words, sentence, unit = _COMPARED[measure]
    subject, title = {
        "forward": ("The next state imagined from the true action", "Next state"),
        "copy": ("The state before, taken for the next one,", "Copying the state"),
        "codec": ("A frame that was encoded and drawn again", "Frame drawn again"),
    }[where]
    says = f"{subject} {sentence}."
    return MetricDescription(
        f"{title}{'' if words in ('right', 'tokens right') else ','} {words}",
        says,
        unit,
        measure == "lpips",
        where == "forward",
    )


def _ahead(name: str, steps: int) -> MetricDescription:
    where, _, measure = name.partition("/")
    words, sentence, unit = _COMPARED.get(measure, (measure, "", "number"))
    far = f"{steps} step{'' if steps == 1 else 's'} ahead"
    if where == "copy":
        return MetricDescription(
            f"Copying the start, {far}: {words}", f"The start in place of the state {far}.", unit, is_comparable=False
        )
    says = f"The state imagined {far} on the model's own predictions, with inferred actions, {sentence}."
    return MetricDescription(f"State {far} {words}", says, unit)
