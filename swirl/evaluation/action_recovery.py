"""Measure whether the inferred actions recover the hidden true actions, whatever words they use.

A latent action may be sound and yet share no word with the true one. So the clusters of the inferred actions are
compared with the classes of the true ones, and a linear probe predicts the class from the inferred action. Every metric
is from 0 to 1 (ari: −1 to 1), has no unit, and higher is better. All need the true actions. There is no copy baseline;
compare the probes with the share of the commonest class, and the cluster metrics with 0, which a constant action has.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from swirl.evaluation import bootstrap
from swirl.evaluation.action_clusters import action_kinds, cluster_actions, split_words
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows

__all__ = ["action_kinds", "cluster_actions", "compare_clusters", "probe_actions"]

MAX_PROBED = 2000
"""The most transitions that the probe is trained and tested on."""

FOLDS = 5

MOST_CLASSES = 30
"""The most classes. If there are more, all but the commonest MOST_CLASSES − 1 are merged into one."""

OTHERS = "(others)"


def true_action_classes(true_actions: Sequence[str]) -> list[str] | None:
    """The class of each true action: its kind, or the action itself if all actions are of one kind.

    At most MOST_CLASSES classes; None if all actions are the same, since there is then nothing to distinguish.
    """
    for named in (action_kinds(true_actions), list(true_actions)):
        times = Counter(named)
        if len(times) > MOST_CLASSES:
            common = {name for name, _ in times.most_common(MOST_CLASSES - 1)}
            return [name if name in common else OTHERS for name in named]
        if len(times) > 1:
            return named
    return None


def compare_clusters(rows: EvaluatedRows, seed: int = 0) -> dict[str, Estimate]:
    """nmi, v_measure and ari of the inferred actions' clusters against the true actions' classes.

    - nmi: normalised mutual information, I / √(H(clusters) H(classes)) (Strehl and Ghosh 2002).
    - v_measure: the harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007), which is the mutual
      information over the mean of both entropies.
    - ari: the adjusted Rand index (Hubert and Arabie 1985): 0 for random clusters, which nmi and v_measure are not.

    There are as many clusters as classes. Computed by scikit-learn's definitions from the table of clusters by classes.
    The intervals are for these clusters, which are not fitted again in each draw. Empty without true actions or with a
    single class.
    """
    truth = None if rows.true_actions is None else true_action_classes(rows.true_actions)
    if truth is None:
        return {}
    names, columns = np.unique(truth, return_inverse=True)
    clusters = np.array(cluster_actions(rows.inferred_actions, len(names), seed))
    cells = np.zeros((len(truth), (clusters.max() + 1) * len(names)))
    cells[np.arange(len(truth)), clusters * len(names) + columns] = 1
    groups = [transition.sequence_id for transition in rows.transitions]

    def estimate(measure: Callable[[np.ndarray], float]) -> Estimate:
        return bootstrap.bootstrap_statistic(cells, groups, lambda sums: measure(sums.reshape(-1, len(names))), seed)

    return {"nmi": estimate(nmi), "v_measure": estimate(v_measure), "ari": estimate(ari)}


def nmi(table: np.ndarray) -> float:
    """Mutual information over the geometric mean of the entropies, from a table of counts (clusters, classes), 0 to 1.

    1 if there is only one cluster and one class, 0 if only one of the two has a single group.
    """
    shared, ours, theirs = _information(table)
    if ours <= 0 or theirs <= 0:
        return float(ours <= 0 and theirs <= 0)
    return min(1.0, shared / float(np.sqrt(ours * theirs)))


def v_measure(table: np.ndarray) -> float:
    """Mutual information over the mean of the entropies, from a table of counts (clusters, classes), 0 to 1."""
    shared, ours, theirs = _information(table)
    return min(1.0, 2 * shared / (ours + theirs)) if ours + theirs > 0 else 1.0


def ari(table: np.ndarray) -> float:
    """The adjusted Rand index from a table of counts (clusters, classes), at most 1; 1 if both are a single group."""

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    both, ours, theirs = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    everything = pairs(table.sum())
    expected = ours * theirs / everything if everything else 0.0
    most = (ours + theirs) / 2
    return (both - expected) / (most - expected) if most != expected else 1.0


def _information(table: np.ndarray) -> tuple[float, float, float]:
    """Mutual information and both entropies, in nats."""
    joint = table / table.sum()

    def entropy(shares: np.ndarray) -> float:
        positive = shares[shares > 0]
        # With a single share, rounding could leave a tiny entropy instead of 0.
        return float(-(positive * np.log(positive)).sum()) if len(positive) > 1 else 0.0

    ours, theirs = entropy(joint.sum(axis=1)), entropy(joint.sum(axis=0))
    return max(0.0, ours + theirs - entropy(joint)), ours, theirs


def probe_actions(rows: EvaluatedRows, seed: int = 0) -> dict[str, list[float | None]]:
    """probe, probe_across and probe_commonest: 1 where a linear probe predicts the true class, else 0.

    The probe is a logistic regression on the words of the inferred action (present or not), trained on four fifths of
    MAX_PROBED drawn transitions and tested on the remaining fifth, in turn. For `probe` the fifths are of transitions,
    so that other transitions of the same sequence are trained on; for `probe_across` they are of sequences, so that it
    is tested on unseen sequences. An action that names its context instead of the change does well in the first and
    badly in the second. `probe_commonest` is the baseline without the action: 1 where the class is the commonest one.
    None for transitions that are not drawn. Empty without true actions, with a single class, or with fewer transitions
    than FOLDS; `probe_across` is left out if there is only one sequence.
    """
    truth = None if rows.true_actions is None else true_action_classes(rows.true_actions)
    if truth is None or len(truth) < FOLDS:
        return {}
    chosen = rows.sample_indices(MAX_PROBED, seed)
    labels = [truth[i] for i in chosen]
    commonest = Counter(truth).most_common(1)[0][0]
    actions = [rows.inferred_actions[i] for i in chosen]
    hits = {
        "probe": _probe_hits(actions, labels, [str(i) for i in chosen], seed),
        "probe_commonest": [float(label == commonest) for label in labels],
    }
    groups = [rows.transitions[i].sequence_id for i in chosen]
    if len(set(groups)) > 1:
        hits["probe_across"] = _probe_hits(actions, labels, groups, seed)
    return {name: rows.one_per_transition(dict(zip(chosen, values, strict=True))) for name, values in hits.items()}


def _probe_hits(actions: Sequence[str], labels: Sequence[str], groups: Sequence[str], seed: int) -> list[float]:
    """For each action 1 if the probe predicts its label when trained without its fold (of whole groups), else 0."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    points = CountVectorizer(analyzer=lambda item: item, binary=True).fit_transform(split_words(actions)).astype(float)
    truth, predicted = np.array(labels), np.empty(len(labels), dtype=object)
    folds = GroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    for training, test in folds.split(points, truth, groups):
        if len(set(truth[training])) == 1:
            predicted[test] = truth[training][0]
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            probe = LogisticRegression(C=10.0, max_iter=1000).fit(points[training], truth[training])
        predicted[test] = probe.predict(points[test])
    return [float(ours == theirs) for ours, theirs in zip(predicted, labels, strict=True)]
