"""Map latent actions to points in the plane by their words, and compare their clusters with the true actions.

No model is used; only the words of an action count. Actions with the same words lie at the same point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swirl.evaluation.action_clusters import action_kinds, cluster_actions, split_words
from swirl.evaluation.action_recovery import true_action_classes

OTHERS = "others"
"""The column of a confusion that holds the true actions too rare for a column of their own."""

COMPONENTS = 30
"""The most principal components that t-SNE takes the neighbourhoods from."""

MIN_TSNE_ACTIONS = 8
"""The number of distinct actions below which there are no meaningful neighbourhoods for t-SNE."""

NAMING_WORDS = 2
"""The most words in a cluster's name, unless all its actions are the same."""


@dataclass(frozen=True)
class ActionMap:
    """The positions and clusters of N actions.

    Each coordinate is from 0 to 1. Clusters are numbered from 0, the largest first; `names` holds for each the words
    that distinguish it from the others.
    """

    points: tuple[tuple[float, float], ...]
    clusters: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Confusion:
    """How often each cluster of inferred actions coincides with each class of true actions: `counts[cluster][column]`.

    `column_of_action` holds the column of each action.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    column_of_action: tuple[int, ...]


def action_map(actions: Sequence[str], count: int | None = None, seed: int = 0) -> ActionMap:
    """Place actions in the plane by their words and sort them into `count` clusters, by default a suitable number.

    The coordinates are a t-SNE (van der Maaten and Hinton 2008) of the first principal components of the distinct
    actions' TF-IDF vectors (Spärck Jones 1972) over words and kinds, by scikit-learn, each scaled to [0, 1]; with fewer
    than MIN_TSNE_ACTIONS distinct actions they are the first two components. Neighbouring actions say much the same;
    large distances mean nothing. Deterministic for a seed, and equal actions get equal points. Raises ValueError if
    there is no action.
    """
    if not actions:
        raise ValueError("A map of actions needs at least one action.")
    clusters = cluster_actions(actions, count, seed)
    return ActionMap(_points(actions, seed), tuple(clusters), cluster_names(actions, clusters))


def _points(actions: Sequence[str], seed: int) -> tuple[tuple[float, float], ...]:
    distinct = list(dict.fromkeys(actions))
    # The verb counts twice, as a word and as the kind, because it says most about what was done.
    rows = [[*words, f"kind {kind}"] for words, kind in zip(split_words(distinct), action_kinds(distinct), strict=True)]
    plane = np.round(_project(rows, seed), 9)
    low, extent = plane.min(axis=0), np.ptp(plane, axis=0)
    scaled = np.where(extent > 0, (plane - low) / np.where(extent > 0, extent, 1.0), 0.5)
    points = {action: (float(x), float(y)) for action, (x, y) in zip(distinct, scaled, strict=True)}
    return tuple(points[action] for action in actions)


def _project(rows: Sequence[Sequence[str]], seed: int) -> np.ndarray:
    """The coordinates (N, 2) of N distinct actions, given by their words."""
    from sklearn.decomposition import PCA
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.manifold import TSNE

    vectors = TfidfVectorizer(analyzer=lambda words: words).fit_transform(rows).toarray()
    count = min(COMPONENTS, *vectors.shape)
    components = PCA(count, svd_solver="full").fit_transform(vectors) if len(rows) > 1 else np.zeros((1, 2))
    if len(rows) < MIN_TSNE_ACTIONS:
        return np.pad(components, ((0, 0), (0, max(0, 2 - count))))[:, :2]
    neighbours = min(30.0, (len(rows) - 1) / 3)
    start = components[:, :2] / (components[:, 0].std() or 1.0) * 1e-4
    return TSNE(2, perplexity=neighbours, init=start, method="exact", max_iter=500, random_state=seed).fit_transform(
        components
    )


def cluster_names(actions: Sequence[str], clusters: Sequence[int]) -> tuple[str, ...]:
    """The name of each cluster: its only action, or else the words that are common in it and rare elsewhere.

    The words are in the order of the cluster's commonest action. No two clusters have the same name.
    """
    words = [set(row) for row in split_words(actions)]
    everywhere = Counter(word for row in words for word in row)
    names: list[str] = []
    for cluster in range(max(clusters) + 1):
        members = [i for i, other in enumerate(clusters) if other == cluster]
        distinct = Counter(actions[i] for i in members)
        name = (
            distinct.most_common(1)[0][0]
            if len(distinct) == 1
            else _distinctive_words(actions, words, members, everywhere)
        )
        names.append(name if name not in names else f"{name} ({cluster + 1})")
    return tuple(names)


def _distinctive_words(
    actions: Sequence[str], words: Sequence[set[str]], members: Sequence[int], everywhere: Counter[str]
) -> str:
    inside = Counter(word for i in members for word in words[i])
    # The share of the cluster that has the word, times the share of the word's uses that are in the cluster.
    scores = {word: inside[word] / len(members) * inside[word] / everywhere[word] for word in inside}
    commonest = Counter(actions[i] for i in members).most_common(1)[0][0]
    order = {word: place for place, word in reversed(list(enumerate(split_words([commonest])[0])))}
    verb = action_kinds([commonest])[0]
    best = sorted(scores, key=lambda word: (-scores[word], word != verb, order.get(word, len(order)), word))
    # Add a second word only if it is about as distinctive as the first: "go to", but "take".
    chosen = [word for word in best[:NAMING_WORDS] if scores[word] >= 0.8 * scores[best[0]]]
    return " ".join(sorted(chosen, key=lambda word: order.get(word, len(order))))


def confusion(clusters: Sequence[int], names: Sequence[str], true_actions: Sequence[str], most: int = 12) -> Confusion:
    """Count the clusters of inferred actions against the classes of the true ones, with the `most` frequent as columns.

    The classes are those of `action_recovery.true_action_classes`: the kinds, or the actions themselves if all are of
    one kind. A class is placed by the first cluster that holds most of it, so that high counts lie near the diagonal.
    """
    truths = true_action_classes(true_actions) or list(true_actions)
    frequent = [kind for kind, _ in Counter(truths).most_common(most)]
    columns = [kind if kind in frequent else OTHERS for kind in truths]
    pairs = Counter(zip(clusters, columns, strict=True))
    home = {kind: max(range(len(names)), key=lambda cluster: pairs[cluster, kind]) for kind in frequent}
    order = sorted(frequent, key=lambda kind: (home[kind], -pairs[home[kind], kind]))
    order += [OTHERS] if OTHERS in columns and OTHERS not in order else []
    counts = tuple(tuple(pairs[cluster, kind] for kind in order) for cluster in range(len(names)))
    return Confusion(tuple(names), tuple(order), counts, tuple(order.index(column) for column in columns))
