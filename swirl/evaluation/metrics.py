"""Compute every metric that the data allow, each with its 95 % interval."""

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
    facts,
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
"""The most transitions whose predicted texts are scored with chrF."""


def compute_metrics(
    rows: EvaluatedRows, columns: Mapping[str, Sequence[float | None]], seed: int = 0
) -> dict[str, Estimate]:
    """All metrics with their intervals, by name; `columns` come from `scores_per_transition`.

    Each metric is defined in the module of its group.
    """
    groups = [transition.sequence_id for transition in rows.transitions]
    metrics: dict[str, Estimate] = {}
    for name, values in columns.items():
        mean = bootstrap.bootstrap_mean(values, groups, seed)
        if mean is not None:
            metrics[name] = mean
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
    """Corpus BLEU and chrF of the predicted texts and of the copy baseline."""
    metrics: dict[str, Estimate] = {}
    for name, predictions in predictions_and_copies(rows):
        metrics[f"{name}/bleu"] = bootstrap.bootstrap_statistic(
            bleu_counts(predictions, rows.next_keys), groups, bleu, seed
        )
        chosen = rows.sample_indices(MAX_CHRF_TEXTS, seed)
        counts = chrf_counts([predictions[i] for i in chosen], [rows.next_keys[i] for i in chosen])
        metrics[f"{name}/chrf"] = bootstrap.bootstrap_statistic(counts, [groups[i] for i in chosen], chrf, seed)
    return metrics


def predictions_and_copies(rows: EvaluatedRows) -> list[tuple[str, list[str]]]:
    """The keys of the predicted next states as "forward", where they are defined, and of the copies as "copy"."""
    predictions = forward.predicted_keys(rows)
    copies = ("copy", copy_baseline.predicted_keys(rows))
    return [copies] if predictions is None else [("forward", predictions), copies]


def corpus_frame_metrics(rows: EvaluatedRows) -> dict[str, Estimate]:
    """The number of codes that the observed frames use; a count, not an estimate, so its interval is the count."""
    codes = float(codec_metrics.count_codes_used(rows.frames.codec, list({*rows.states, *rows.next_states})))
    return {"codec/codes_used": Estimate(codes, codes, codes)}


def scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """The metrics that are means over transitions, as one number per transition (None where undefined)."""
    columns: dict[str, Sequence[float | None]] = {"forward/log_prob": forward.log_prob(rows)}
    predictions = forward.predicted_keys(rows)
    if predictions is not None:
        compared = forward.compare_states(predictions, rows.next_keys, rows.measures)
        columns |= {f"forward/{name}": values for name, values in compared.items()}
        columns |= {f"forward/{name}": values for name, values in facts.score_facts(rows, predictions).items()}
    columns |= {f"copy/{name}": values for name, values in copy_baseline.score_predictions(rows).items()}
    columns |= {f"inverse/{name}": values for name, values in inverse.score_actions(rows).items()}
    columns |= {f"inverse/{name}": values for name, values in action_recovery.probe_actions(rows, seed).items()}
    columns["cycle/exact_match"] = cycle.state_exact_match(rows)
    columns["cycle/action_exact_match"] = cycle.action_exact_match(rows)
    columns["cycle/log_prob"] = cycle.log_prob(rows)
    columns["controllability/log_prob_gain"] = controllability.log_prob_gain(rows, seed)
    columns["health/mean_length"] = action_health.word_counts(rows.inferred_actions)
    if zero_variance := action_health.zero_variance(rows, seed):
        columns["health/zero_variance"] = zero_variance
    columns["leakage/stitch"] = leakage.stitch(rows, seed)
    columns["leakage/foreign_context"] = leakage.foreign_context(rows, seed)
    columns["leakage/state_ablation"] = leakage.state_ablation(rows, seed)
    if rows.true_actions is not None:
        columns["health/mean_length_true"] = action_health.word_counts(rows.true_actions)
    columns |= {f"horizon/{name}": values for name, values in horizon.score_rollouts(rows, seed).items()}
    columns |= {f"copy/{name}": values for name, values in horizon.score_copies(rows, seed).items()}
    return columns | (
        text_scores_per_transition(rows, seed) if rows.kind == "text" else frame_scores_per_transition(rows, seed)
    )


def text_scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """Scores that only texts have: BERTScore, and the overlap of the action's words with the next state's."""
    columns: dict[str, Sequence[float | None]] = {"leakage/overlap": leakage.overlap(rows, rows.inferred_actions)}
    if rows.true_actions is not None:
        columns["leakage/overlap_true"] = leakage.overlap(rows, rows.true_actions)
    return columns | bert_scores_per_transition(rows, seed)


def bert_scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """The BERTScores of predictions and copies of texts; empty for pictures, or without a model for them."""
    if rows.kind != "text" or bert_score.model_folder() is None:
        return {}
    return {
        f"{name}/bertscore": bert_score.score_predictions(rows, predictions, seed)
        for name, predictions in predictions_and_copies(rows)
    }


def frame_scores_per_transition(rows: EvaluatedRows, seed: int) -> dict[str, Sequence[float | None]]:
    """Scores that only pictures have: distances in pixels, and what the codec alone loses."""
    columns: dict[str, Sequence[float | None]] = {
        "cycle/psnr": cycle.score_predictions(rows, "psnr"),
        "controllability/delta_psnr": controllability.delta_psnr(rows, seed),
    }
    quality = codec_metrics.score_reconstructions(rows.frames.codec, rows.next_states, seed)
    return columns | {f"codec/{name}": values for name, values in quality.items()}
