"""Every metric that the data allow, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from swirl.evaluation import (
    action_health,
    action_perplexity,
    action_recovery,
    bert_score,
    bootstrap,
    codec_metrics,
    controllability,
    copy_baseline,
    cycle,
    forward,
    horizon,
    inverse,
    leakage,
)
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.text_metrics import bleu, bleu_counts, chrf, chrf_counts

ORDER = ("forward", "copy", "inverse", "cycle", "controllability", "health", "leakage", "horizon", "codec")

MAX_CHRF_TEXTS = 2000
"""Transitions whose predicted texts are compared letter by letter at most."""


def compute_metrics(
    rows: EvaluatedRows, columns: Mapping[str, Sequence[float | None]], seed: int = 0
) -> dict[str, Estimate]:
    """All metrics with their intervals; `columns` are those of `per_transition`.

    Each metric is defined where it is computed, in the module of its group.
    """
    groups = [transition.sequence_id for transition in rows.transitions]
    metrics: dict[str, Estimate] = {}
    for name, values in columns.items():
        value = bootstrap.bootstrap_mean(values, groups, seed)
        if value is not None:
            metrics[name] = value
    metrics |= corpus_text_metrics(rows, groups, seed) if rows.kind == "text" else corpus_frame_metrics(rows)
    for suffix, actions in (("", rows.inferred_actions), ("_true", rows.true_actions)):
        if actions is not None:
            for measure in (action_health.distinct, action_health.effective_number):
                metrics[f"health/{measure.__name__}{suffix}"] = bootstrap.jackknife_statistic(actions, groups, measure)
    metrics |= {f"inverse/{name}": value for name, value in action_recovery.compare_clusters(rows, seed).items()}
    if (ratio := action_perplexity.perplexity_ratio(rows, seed)) is not None:
        metrics["health/perplexity_ratio"] = ratio
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: ORDER.index(name.split("/")[0]))}


def corpus_text_metrics(rows: EvaluatedRows, groups: Sequence[str], seed: int) -> dict[str, Estimate]:
    """Corpus BLEU and chrF of the predicted texts, and of copying."""
    found: dict[str, Estimate] = {}
    for name, predictions in (("forward", forward.predicted_keys(rows)), ("copy", copy_baseline.predicted_keys(rows))):
        if predictions is not None:
            found[f"{name}/bleu"] = bootstrap.bootstrap_statistic(
                bleu_counts(predictions, rows.next_keys), groups, bleu, seed
            )
            chosen = rows.sample_indices(MAX_CHRF_TEXTS, seed)
            sums = chrf_counts([predictions[i] for i in chosen], [rows.next_keys[i] for i in chosen])
            found[f"{name}/chrf"] = bootstrap.bootstrap_statistic(sums, [groups[i] for i in chosen], chrf, seed)
    return found


def corpus_frame_metrics(rows: EvaluatedRows) -> dict[str, Estimate]:
    """How many codes the observed frames take: counted, not estimated, so that the interval is the figure."""
    codes = float(codec_metrics.count_codes_used(rows.frames.codec, list({*rows.states, *rows.next_states})))
    return {"codec/codes_used": Estimate(codes, codes, codes)}


def scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """The metrics that are means over transitions, as one number a transition."""
    found: dict[str, Sequence[float | None]] = {"forward/log_prob": forward.log_prob(rows)}
    predictions = forward.predicted_keys(rows)
    if predictions is not None:
        compared = forward.compare_states(predictions, rows.next_keys, rows.measures)
        found |= {f"forward/{name}": values for name, values in compared.items()}
    found |= {f"copy/{name}": values for name, values in copy_baseline.score_predictions(rows).items()}
    found |= {f"inverse/{name}": values for name, values in inverse.score_actions(rows).items()}
    found |= {f"inverse/{name}": values for name, values in action_recovery.probe_actions(rows, seed).items()}
    found["cycle/exact_match"] = cycle.state_exact_match(rows)
    found["cycle/action_exact_match"] = cycle.action_exact_match(rows)
    found["cycle/log_prob"] = cycle.log_prob(rows)
    found["controllability/log_prob_gain"] = controllability.log_prob_gain(rows, seed)
    found["health/mean_length"] = action_health.word_counts(rows.inferred_actions)
    if groups := action_health.zero_variance(rows, seed):
        found["health/zero_variance"] = groups
    found["leakage/stitch"] = leakage.stitch(rows, seed)
    found["leakage/foreign_context"] = leakage.foreign_context(rows, seed)
    found["leakage/state_ablation"] = leakage.state_ablation(rows, seed)
    if rows.true_actions is not None:
        found["health/mean_length_true"] = action_health.word_counts(rows.true_actions)
    found |= {f"horizon/{name}": values for name, values in horizon.score_rollouts(rows, seed).items()}
    found |= {f"copy/{name}": values for name, values in horizon.score_copies(rows, seed).items()}
    return found | (
        text_scores_per_transition(rows, seed) if rows.kind == "text" else frame_scores_per_transition(rows, seed)
    )


def text_scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """What only texts have: embeddings of their words, and actions that hold words of the next state and so leak it."""
    found: dict[str, Sequence[float | None]] = {"leakage/overlap": leakage.overlap(rows, rows.inferred_actions)}
    if rows.true_actions is not None:
        found["leakage/overlap_true"] = leakage.overlap(rows, rows.true_actions)
    if bert_score.model_folder() is not None:
        for name, predictions in (
            ("forward", forward.predicted_keys(rows)),
            ("copy", copy_baseline.predicted_keys(rows)),
        ):
            if predictions is not None:
                found[f"{name}/bertscore"] = bert_score.score_predictions(rows, predictions, seed)
    return found


def frame_scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """What only pictures have: distances in pixels, and what the codec alone loses."""
    found: dict[str, Sequence[float | None]] = {
        "cycle/psnr": cycle.score_predictions(rows, "psnr"),
        "controllability/delta_psnr": controllability.delta_psnr(rows, seed),
    }
    drawn = codec_metrics.score_reconstructions(rows.frames.codec, rows.next_states, seed)
    return found | {f"codec/{name}": values for name, values in drawn.items()}
