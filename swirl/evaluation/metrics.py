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
from swirl.evaluation.bootstrap import Value
from swirl.evaluation.held_out_transitions import Rows
from swirl.evaluation.text_metrics import bleu, bleu_counts, chrf, chrf_counts

ORDER = ("forward", "copy", "inverse", "cycle", "controllability", "health", "leakage", "horizon", "codec")

LETTERED = 2000
"""Transitions whose predicted texts are compared letter by letter at most."""


def measured(rows: Rows, columns: Mapping[str, Sequence[float | None]], seed: int = 0) -> dict[str, Value]:
    """All metrics with their intervals; `columns` are those of `per_transition`.

    Each metric is defined where it is computed, in the module of its group.
    """
    groups = [transition.sequence_id for transition in rows.transitions]
    metrics: dict[str, Value] = {}
    for name, values in columns.items():
        value = bootstrap.of_mean(values, groups, seed)
        if value is not None:
            metrics[name] = value
    metrics |= of_texts_together(rows, groups, seed) if rows.kind == "text" else of_frames_together(rows)
    for suffix, actions in (("", rows.inferred), ("_true", rows.true_actions)):
        if actions is not None:
            for measure in (action_health.distinct, action_health.effective_number):
                metrics[f"health/{measure.__name__}{suffix}"] = bootstrap.by_jackknife(actions, groups, measure)
    metrics |= {f"inverse/{name}": value for name, value in action_recovery.compared(rows, seed).items()}
    if (ratio := action_perplexity.perplexity_ratio(rows, seed)) is not None:
        metrics["health/perplexity_ratio"] = ratio
    return {name: metrics[name] for name in sorted(metrics, key=lambda name: ORDER.index(name.split("/")[0]))}


def of_texts_together(rows: Rows, groups: Sequence[str], seed: int) -> dict[str, Value]:
    """Corpus BLEU and chrF of the predicted texts, and of copying."""
    found: dict[str, Value] = {}
    for name, predictions in (("forward", forward.predicted(rows)), ("copy", copy_baseline.predicted(rows))):
        if predictions is not None:
            found[f"{name}/bleu"] = bootstrap.of_sums(bleu_counts(predictions, rows.next_keys), groups, bleu, seed)
            chosen = rows.drawn(LETTERED, seed)
            sums = chrf_counts([predictions[i] for i in chosen], [rows.next_keys[i] for i in chosen])
            found[f"{name}/chrf"] = bootstrap.of_sums(sums, [groups[i] for i in chosen], chrf, seed)
    return found


def of_frames_together(rows: Rows) -> dict[str, Value]:
    """How many codes the observed frames take: counted, not estimated, so that the interval is the figure."""
    codes = float(codec_metrics.codes_used(rows.frames.codec, list({*rows.states, *rows.next_states})))
    return {"codec/codes_used": Value(codes, codes, codes)}


def per_transition(rows: Rows, seed: int) -> dict[str, Sequence[float | None]]:
    """The metrics that are means over transitions, as one number a transition."""
    found: dict[str, Sequence[float | None]] = {"forward/log_prob": forward.log_prob(rows)}
    predictions = forward.predicted(rows)
    if predictions is not None:
        compared = forward.compared(predictions, rows.next_keys, rows.measures)
        found |= {f"forward/{name}": values for name, values in compared.items()}
    found |= {f"copy/{name}": values for name, values in copy_baseline.measured(rows).items()}
    found |= {f"inverse/{name}": values for name, values in inverse.measured(rows).items()}
    found |= {f"inverse/{name}": values for name, values in action_recovery.probed(rows, seed).items()}
    found["cycle/exact_match"] = cycle.state_exact_match(rows)
    found["cycle/action_exact_match"] = cycle.action_exact_match(rows)
    found["cycle/log_prob"] = cycle.log_prob(rows)
    found["controllability/log_prob_gain"] = controllability.log_prob_gain(rows, seed)
    found["health/mean_length"] = action_health.lengths(rows.inferred)
    if groups := action_health.zero_variance(rows, seed):
        found["health/zero_variance"] = groups
    found["leakage/stitch"] = leakage.stitch(rows, seed)
    found["leakage/foreign_context"] = leakage.foreign_context(rows, seed)
    found["leakage/state_ablation"] = leakage.state_ablation(rows, seed)
    if rows.true_actions is not None:
        found["health/mean_length_true"] = action_health.lengths(rows.true_actions)
    found |= {f"horizon/{name}": values for name, values in horizon.measured(rows, seed).items()}
    found |= {f"copy/{name}": values for name, values in horizon.copied(rows, seed).items()}
    return found | (of_texts(rows, seed) if rows.kind == "text" else of_frames(rows, seed))


def of_texts(rows: Rows, seed: int) -> dict[str, Sequence[float | None]]:
    """What only texts have: embeddings of their words, and actions that hold words of the next state and so leak it."""
    found: dict[str, Sequence[float | None]] = {"leakage/overlap": leakage.overlap(rows, rows.inferred)}
    if rows.true_actions is not None:
        found["leakage/overlap_true"] = leakage.overlap(rows, rows.true_actions)
    if bert_score.folder() is not None:
        for name, predictions in (("forward", forward.predicted(rows)), ("copy", copy_baseline.predicted(rows))):
            if predictions is not None:
                found[f"{name}/bertscore"] = bert_score.measured(rows, predictions, seed)
    return found


def of_frames(rows: Rows, seed: int) -> dict[str, Sequence[float | None]]:
    """What only pictures have: distances in pixels, and what the codec alone loses."""
    found: dict[str, Sequence[float | None]] = {
        "cycle/psnr": cycle.measured(rows, "psnr"),
        "controllability/delta_psnr": controllability.delta_psnr(rows, seed),
    }
    drawn = codec_metrics.measured(rows.frames.codec, rows.next_states, seed)
    return found | {f"codec/{name}": values for name, values in drawn.items()}
