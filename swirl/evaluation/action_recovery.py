"""Are the hidden true actions recovered by the inferred ones, whatever words those use? Defined only with true actions.

A latent action may be sound and yet share no word with the true one. So its clusters are compared with the true
actions' classes, and a linear probe is asked to tell the class from it. Every measure is 0 to 1 (ari: -1 to 1), higher
is better, and has no unit. There is nothing to copy here; what stands beside the probe is the share of the commonest
class, and for clusters the value that a constant action has, 0.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from swirl.evaluation import bootstrap
from swirl.evaluation.action_clusters import action_kinds, cluster_actions, words_of
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows

__all__ = ["action_kinds", "cluster_actions", "compare_clusters", "probe_actions"]

MAX_PROBED = 2000
"""Transitions that the probe is trained and tested on at most."""

FOLDS = 5

MOST_CLASSES = 30
"""Classes that are told apart: of more, the commonest ones less one, and all others together."""

OTHERS = "(others)"


def true_action_classes(true_actions: Sequence[str]) -> list[str] | None:
    """What is to be recovered: the true actions' kinds, or where all are of one kind, the actions themselves.

    At most MOST_CLASSES; None where even the actions are all one: then there is nothing to tell apart.
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
    """nmi, v_measure and ari of the inferred actions' clusters, as many as there are classes, against the classes.

    - nmi: normalised mutual information, I / √(H(clusters) H(classes)) (Strehl and Ghosh 2002).
    - v_measure: the harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007), which is the mutual
      information over the mean of both entropies.
    - ari: the adjusted Rand index (Hubert and Arabie 1985): 0 for clusters by chance, which nmi and v_measure are not.

    Computed by scikit-learn's definitions from the table of clusters by classes. The intervals are of the figure with
    these clusters; the clusters are not made anew. Empty without true actions, or with one class alone.
    """
    truth = None if rows.true_actions is None else true_action_classes(rows.true_actions)
    if truth is None:
        return {}
    names, columns = np.unique(truth, return_inverse=True)
    found = np.array(cluster_actions(rows.inferred_actions, len(names), seed))
    cells = np.zeros((len(truth), (found.max() + 1) * len(names)))
    cells[np.arange(len(truth)), found * len(names) + columns] = 1
    groups = [transition.sequence_id for transition in rows.transitions]

    def told(measure: Callable[[np.ndarray], float]) -> Estimate:
        return bootstrap.bootstrap_statistic(cells, groups, lambda sums: measure(sums.reshape(-1, len(names))), seed)

    return {"nmi": told(nmi), "v_measure": told(v_measure), "ari": told(ari)}


def nmi(table: np.ndarray) -> float:
    """Mutual information over the geometric mean of the entropies, of a table of counts (clusters, classes), 0 to 1.

    1 where neither tells anything apart, 0 where one of them alone does.
    """
    shared, ours, theirs = _information(table)
    if ours <= 0 or theirs <= 0:
        return float(ours <= 0 and theirs <= 0)
    return min(1.0, shared / float(np.sqrt(ours * theirs)))


def v_measure(table: np.ndarray) -> float:
    """Mutual information over the mean of the entropies, of a table of counts (clusters, classes), 0 to 1."""
    shared, ours, theirs = _information(table)
    return min(1.0, 2 * shared / (ours + theirs)) if ours + theirs > 0 else 1.0


def ari(table: np.ndarray) -> float:
    """The adjusted Rand index of a table of counts (clusters, classes), at most 1; 1 where both are one group."""

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
        some = shares[shares > 0]
        return float(-(some * np.log(some)).sum()) if len(some) > 1 else 0.0  # where rounding would leave a trace

    ours, theirs = entropy(joint.sum(axis=1)), entropy(joint.sum(axis=0))
    return max(0.0, ours + theirs - entropy(joint)), ours, theirs


def probe_actions(rows: EvaluatedRows, seed: int = 0) -> dict[str, list[float | None]]:
    """probe, probe_across and probe_commonest: 1 where a linear probe on the inferred action tells the true class.

    The probe is a logistic regression on the action's words (present or not), trained on four fifths of PROBED drawn
    transitions and tested on the other fifth, in turn. For `probe` the fifths are of transitions (in contexts: others
    of the same sequence are trained on); for `probe_across` of sequences (across contexts: tested on unseen ones). An
    action that names its context instead of the change does well in and ill across. `probe_commonest` is the baseline
    without the action: 1 where the class is the commonest one. None for a transition that is not drawn. Empty without
    true actions or with one class; `probe_across` is left out where there is one sequence.
    """
    truth = None if rows.true_actions is None else true_action_classes(rows.true_actions)
    if truth is None or len(truth) < FOLDS:
        return {}
    chosen = rows.sample_indices(MAX_PROBED, seed)
    labels = [truth[i] for i in chosen]
    commonest = Counter(truth).most_common(1)[0][0]
    right = {
        "probe": _probe_hits([rows.inferred_actions[i] for i in chosen], labels, [str(i) for i in chosen], seed),
        "probe_commonest": [float(label == commonest) for label in labels],
    }
    groups = [rows.transitions[i].sequence_id for i in chosen]
    if len(set(groups)) > 1:
        right["probe_across"] = _probe_hits([rows.inferred_actions[i] for i in chosen], labels, groups, seed)
    placed = {name: dict(zip(chosen, values, strict=True)) for name, values in right.items()}
    return {name: [values.get(i) for i in range(len(truth))] for name, values in placed.items()}


def _probe_hits(actions: Sequence[str], labels: Sequence[str], groups: Sequence[str], seed: int) -> list[float]:
    """For each action whether the probe that was trained without its fold, of whole groups, tells its label."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    points = CountVectorizer(analyzer=lambda item: item, binary=True).fit_transform(words_of(actions)).astype(float)
    wanted, told = np.array(labels), np.empty(len(labels), dtype=object)
    folds = GroupKFold(min(FOLDS, len(set(groups))), shuffle=True, random_state=seed)
    for trained, tested in folds.split(points, wanted, groups):
        if len(set(wanted[trained])) == 1:
            told[tested] = wanted[trained][0]
            continue
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)
            probe = LogisticRegression(C=10.0, max_iter=1000).fit(points[trained], wanted[trained])
        told[tested] = probe.predict(points[tested])
    return [float(ours == theirs) for ours, theirs in zip(told, labels, strict=True)]
