"""The kinds of actions, by their verbs, and clusters of them, by their words. No model and no truth is asked."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rouge_score.tokenizers import DefaultTokenizer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CALL = re.compile(
    r"""^\W*(?:(?:name|tool|function|action)["']?\s*:\s*["'](?:\w+\.)*(?P<key>\w+)|(?:\w+\.)*(?P<call>\w+)\()"""
)
"""A named call, as `mv(source="a")` or `{"name": "mv", …}`: its kind is the name."""

WORD = re.compile(r"[^\W_][\w'’-]*")
BEFORE_THE_VERB = frozenset(
    WORD.findall(
        "a an the this that you your i we he she it they to then now next first finally and please is are was were has "
        "have had been be being will would should can could may must do does did agent player user robot person"
    )
)
"""Words that are passed over in search of the verb."""

EMPTY = "(empty)"
"""The kind of an action without a word."""

MOST_CLUSTERS = 12
"""The most clusters that are tried where their number is not given."""

MAX_FITTED = 2000
"""Different actions, the commonest, that the clusters are made of at most; the others join the nearest one."""

MAX_SILHOUETTE = 500
"""Different actions, the commonest, by which the number of clusters is chosen."""

RESTARTS = 4

KIND_WEIGHT = 2.0
"""Less, and the things that are acted upon part the actions more than what is done to them."""


def action_kinds(actions: Sequence[str]) -> list[str]:
    """The kind of each action: its verb, or the name of a call.

    The verb is taken to be the first word that is no article, pronoun, auxiliary or actor, in lower case. Forms of one
    verb (Porter's stemmer) have one kind, called by the form that is commonest here: "takes" and "take" are "take".
    """
    found = [_verb(action) for action in actions]
    stems = {word: _stem(word) for word in set(found)}
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for word, times in Counter(found).items():
        forms[stems[word]][word] = times
    called = {stem: min(words, key=lambda w: (-words[w], len(w), w)) for stem, words in forms.items()}
    return [called[stems[word]] for word in found]


def cluster_actions(actions: Sequence[str], count: int | None = None, seed: int = 0) -> list[int]:
    """The cluster of each action, from 0, the largest first: k-means on the words, in which the kind weighs
    KIND_WEIGHT times as much as all words together.

    `count` clusters, or fewer where there are not as many different actions; without it the number from 2 to
    MOST_CLUSTERS with the best silhouette (Rousseeuw 1987) over the commonest actions. Equal actions are always
    together, and the same seed gives the same clusters. Raises ValueError for a `count` below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"Actions are put into 1 cluster or more, not {count}.")
    times = Counter(actions)
    different = [action for action, _ in times.most_common()]
    if len(different) <= (2 if count is None else count):
        placed = dict(zip(different, range(len(different)), strict=True))
    else:
        points, weights = _features(different), np.array([times[action] for action in different], dtype=float)
        placed = dict(zip(different, _clustered(points, weights, count, seed), strict=True))
    sizes = Counter(placed[action] for action in actions)
    rank = {cluster: place for place, (cluster, _) in enumerate(sizes.most_common())}
    return [rank[placed[action]] for action in actions]


def words_of(actions: Sequence[str]) -> list[list[str]]:
    """The words of each action, in lower case, without punctuation; all of them, in their order."""
    return [WORD.findall(action.lower()) or [EMPTY] for action in actions]


def _features(actions: Sequence[str]) -> csr_matrix:
    """(N, words + kinds): which words an action has, of length 1, beside its kind, of length KIND_WEIGHT."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    def of_length_1(items: list[list[str]]) -> csr_matrix:
        return normalize(CountVectorizer(analyzer=lambda item: item, binary=True).fit_transform(items))

    kind = of_length_1([[kind] for kind in action_kinds(actions)])
    return hstack([of_length_1(words_of(actions)), KIND_WEIGHT * kind]).tocsr()


def _clustered(points: csr_matrix, weights: np.ndarray, count: int | None, seed: int) -> list[int]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import silhouette_score

    def fitted(k: int) -> KMeans:
        with warnings.catch_warnings():
            # Different actions of the same words are one point, so that there may be fewer points than clusters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return KMeans(k, n_init=RESTARTS, random_state=seed).fit(
                points[:MAX_FITTED], sample_weight=weights[:MAX_FITTED]
            )

    if count is None:
        few = points[:MAX_SILHOUETTE]
        tried = [fitted(k) for k in range(2, min(MOST_CLUSTERS, few.shape[0] - 1) + 1)]
        found = [(means, means.predict(few)) for means in tried]
        best = max(found, key=lambda pair: silhouette_score(few, pair[1]) if len(set(pair[1])) > 1 else -1.0)[0]
    else:
        best = fitted(count)
    return [int(cluster) for cluster in best.predict(points)]


def _verb(action: str) -> str:
    if call := CALL.match(action):
        return (call["key"] or call["call"]).lower()
    words = WORD.findall(action.lower())
    return next((word for word in words if word not in BEFORE_THE_VERB), words[0] if words else EMPTY)


def _stem(word: str) -> str:
    """The stem of a plain word; anything else is its own."""
    return DefaultTokenizer(use_stemmer=True).tokenize(word)[0] if word.isascii() and word.isalpha() else word
