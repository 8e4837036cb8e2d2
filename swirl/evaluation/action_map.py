"""A map of latent actions: each action's words as a point in the plane, and its cluster against the true actions.

Nothing is asked of a model here: what an action says is all that counts. Actions of the same words lie in one point.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swirl.evaluation.action_clusters import action_kinds, cluster_actions, words_of
from swirl.evaluation.action_recovery import true_action_classes

OTHERS = "others"
"""The column of a confusion that holds the true actions too rare for one of their own."""

COMPONENTS = 30
"""Principal components that the neighbourhoods are taken from."""

MIN_TSNE_ACTIONS = 8
"""Different actions below which there are no neighbourhoods to speak of."""

NAMING_WORDS = 2
"""Words by which a cluster is called at most, besides an action that all of it has."""


@dataclass(frozen=True)
class ActionMap:
    """Where N actions lie, each coordinate 0 to 1, in which cluster (from 0, the largest first), and what the clusters
    are called: by the words that tell them from the others."""

    points: tuple[tuple[float, float], ...]
    clusters: tuple[int, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Confusion:
    """How often each cluster of inferred actions met each class of true ones: `counts[cluster][column]`.

    `of` is the column of each action.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    column_of_action: tuple[int, ...]


def action_map(actions: Sequence[str], count: int | None = None, seed: int = 0) -> ActionMap:
    """Lay actions out in the plane by their words and put them into `count` clusters, by default a sensible number.

    The coordinates are a t-SNE (van der Maaten and Hinton 2008) of the first principal components of the different
    actions' TF-IDF vectors (Spärck Jones 1972) over words and kinds, by scikit-learn, each scaled to [0, 1]; of fewer
    than FEW the first two components. What lies near says much the same; far distances mean nothing. Deterministic for
    a seed, and equal actions get equal points. Raises ValueError for no action at all.
    """
    if not actions:
        raise ValueError("A map of actions needs at least one action.")
    found = cluster_actions(actions, count, seed)
    return ActionMap(_placed(actions, seed), tuple(found), cluster_names(actions, found))


def _placed(actions: Sequence[str], seed: int) -> tuple[tuple[float, float], ...]:
    different = list(dict.fromkeys(actions))
    # The kind counts twice, as a word and as a kind, because it says most of what was done.
    rows = [[*words, f"kind {kind}"] for words, kind in zip(words_of(different), action_kinds(different), strict=True)]
    plane = np.round(_plane(rows, seed), 9)
    low, extent = plane.min(axis=0), np.ptp(plane, axis=0)
    scaled = np.where(extent > 0, (plane - low) / np.where(extent > 0, extent, 1.0), 0.5)
    places = {action: (float(x), float(y)) for action, (x, y) in zip(different, scaled, strict=True)}
    return tuple(places[action] for action in actions)


def _plane(rows: Sequence[Sequence[str]], seed: int) -> np.ndarray:
    """Different actions, given by their words, in the plane, (N, 2)."""
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


def cluster_names(actions: Sequence[str], found: Sequence[int]) -> tuple[str, ...]:
    """What each cluster is called: its one action, else the words that most of it and few others have, else its kind.

    Words stand in the order in which the cluster's commonest action has them. No two clusters have the same name.
    """
    words = [set(row) for row in words_of(actions)]
    everywhere = Counter(word for row in words for word in row)
    names: list[str] = []
    for cluster in range(max(found) + 1):
        mine = [i for i, other in enumerate(found) if other == cluster]
        different = Counter(actions[i] for i in mine)
        name = (
            different.most_common(1)[0][0]
            if len(different) == 1
            else _distinctive_words(actions, words, mine, everywhere)
        )
        names.append(name if name not in names else f"{name} ({cluster + 1})")
    return tuple(names)


def _distinctive_words(
    actions: Sequence[str], words: Sequence[set[str]], mine: Sequence[int], everywhere: Counter[str]
) -> str:
    inside = Counter(word for i in mine for word in words[i])
    # How much of the cluster has the word, times how much of the word's use lies in the cluster.
    telling = {word: inside[word] / len(mine) * inside[word] / everywhere[word] for word in inside}
    commonest = Counter(actions[i] for i in mine).most_common(1)[0][0]
    order = {word: place for place, word in reversed(list(enumerate(words_of([commonest])[0])))}
    verb = action_kinds([commonest])[0]
    best = sorted(telling, key=lambda word: (-telling[word], word != verb, order.get(word, len(order)), word))
    # A second word only where it tells about as much as the first: "go to", but "take".
    kept = [word for word in best[:NAMING_WORDS] if telling[word] >= 0.8 * telling[best[0]]]
    return " ".join(sorted(kept, key=lambda word: order.get(word, len(order))))


def confusion(found: Sequence[int], names: Sequence[str], true_actions: Sequence[str], most: int = 12) -> Confusion:
    """Count the clusters of inferred actions against the classes of the true ones, the `most` frequent in columns.

    The classes are those of `recovery`: kinds, or where all are of one kind the actions themselves. Each stands beside
    the first cluster that holds most of it, so that the counts lie near the diagonal.
    """
    truths = true_action_classes(true_actions) or list(true_actions)
    frequent = [kind for kind, _ in Counter(truths).most_common(most)]
    columns = [kind if kind in frequent else OTHERS for kind in truths]
    met = Counter(zip(found, columns, strict=True))
    home = {kind: max(range(len(names)), key=lambda cluster: met[cluster, kind]) for kind in frequent}
    order = sorted(frequent, key=lambda kind: (home[kind], -met[home[kind], kind]))
    order += [OTHERS] if OTHERS in columns and OTHERS not in order else []
    counts = tuple(tuple(met[cluster, kind] for kind in order) for cluster in range(len(names)))
    return Confusion(tuple(names), tuple(order), counts, tuple(order.index(column) for column in columns))
