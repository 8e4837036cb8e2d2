"""Sort actions into kinds by their verbs and into clusters by their words, without a model or the true actions."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CALL = re.compile(
    r"""^\W*(?:(?:name|tool|function|action)["']?\s*:\s*["'](?:\w+\.)*(?P<key>\w+)|(?:\w+\.)*(?P<call>\w+)\()"""
)
"""A named call such as `mv(source="a")` or `{"name": "mv", …}`; its kind is the name."""

WORD = re.compile(r"[^\W_][\w'’-]*")
BEFORE_THE_VERB = frozenset(
    WORD.findall(
        "a an the this that you your i we he she it they to then now next first finally and please is are was were has "
        "have had been be being will would should can could may must do does did agent player user robot person"
    )
)
"""Words that are skipped in the search for the verb."""

EMPTY = "(empty)"
"""The kind of an action without words."""

MOST_CLUSTERS = 12
"""The most clusters that are tried if their number is not given."""

MAX_FITTED = 2000
"""The most distinct actions, the commonest, that the clusters are fitted on; the others join the nearest cluster."""

MAX_SILHOUETTE = 500
"""The most distinct actions, the commonest, by which the number of clusters is chosen."""

RESTARTS = 4

KIND_WEIGHT = 2.0
"""With less weight, the objects of the actions would separate the clusters more than what is done to them."""


def action_kinds(actions: Sequence[str]) -> list[str]:
    """The kind of each action: its verb, or the name of a call.

    The verb is the first word that is not an article, pronoun, auxiliary or actor, in lower case. All forms of a verb
    (by Porter's stemmer) are one kind, named by the form that is commonest here: "takes" and "take" are "take".
    """
    verbs = [_verb(action) for action in actions]
    stems = {word: _stem(word) for word in set(verbs)}
    forms: dict[str, Counter[str]] = defaultdict(Counter)
    for word, times in Counter(verbs).items():
        forms[stems[word]][word] = times
    names = {stem: min(words, key=lambda w: (-words[w], len(w), w)) for stem, words in forms.items()}
    return [names[stems[word]] for word in verbs]


def cluster_actions(actions: Sequence[str], count: int | None = None, seed: int = 0) -> list[int]:
    """The cluster of each action, numbered from 0 in order of size, the largest first.

    The clusters are k-means on the words, where the kind weighs KIND_WEIGHT times as much as all words together. There
    are `count` clusters, or fewer if there are not as many distinct actions; without a `count`, the number from 2 to
    MOST_CLUSTERS with the best silhouette (Rousseeuw 1987) over the commonest actions. Equal actions are always in the
    same cluster, and the same seed gives the same clusters. Raises ValueError if `count` is below 1.
    """
    if count is not None and count < 1:
        raise ValueError(f"Actions are put into 1 cluster or more, not {count}.")
    times = Counter(actions)
    distinct = [action for action, _ in times.most_common()]
    if len(distinct) <= (2 if count is None else count):
        cluster_of = dict(zip(distinct, range(len(distinct)), strict=True))
    else:
        points, weights = _features(distinct), np.array([times[action] for action in distinct], dtype=float)
        cluster_of = dict(zip(distinct, _fit_clusters(points, weights, count, seed), strict=True))
    sizes = Counter(cluster_of[action] for action in actions)
    rank = {cluster: place for place, (cluster, _) in enumerate(sizes.most_common())}
    return [rank[cluster_of[action]] for action in actions]


def split_words(actions: Sequence[str]) -> list[list[str]]:
    """The words of each action in order, in lower case and without punctuation."""
    return [WORD.findall(action.lower()) or [EMPTY] for action in actions]


def _features(actions: Sequence[str]) -> csr_matrix:
    """(N, words + kinds): per action a vector of length 1 for its words and one of length KIND_WEIGHT for its kind."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    def unit_vectors(items: list[list[str]]) -> csr_matrix:
        return normalize(CountVectorizer(analyzer=lambda item: item, binary=True).fit_transform(items))

    kinds = unit_vectors([[kind] for kind in action_kinds(actions)])
    return hstack([unit_vectors(split_words(actions)), KIND_WEIGHT * kinds]).tocsr()


def _fit_clusters(points: csr_matrix, weights: np.ndarray, count: int | None, seed: int) -> list[int]:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.metrics import silhouette_score

    def fit(k: int) -> KMeans:
        with warnings.catch_warnings():
            # Distinct actions with the same words are one point, so there may be fewer points than clusters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            return KMeans(k, n_init=RESTARTS, random_state=seed).fit(
                points[:MAX_FITTED], sample_weight=weights[:MAX_FITTED]
            )

    if count is None:
        common = points[:MAX_SILHOUETTE]
        models = [fit(k) for k in range(2, min(MOST_CLUSTERS, common.shape[0] - 1) + 1)]
        labelled = [(model, model.predict(common)) for model in models]
        best = max(labelled, key=lambda pair: silhouette_score(common, pair[1]) if len(set(pair[1])) > 1 else -1.0)[0]
    else:
        best = fit(count)
    return [int(cluster) for cluster in best.predict(points)]


def _verb(action: str) -> str:
    if call := CALL.match(action):
        return (call["key"] or call["call"]).lower()
    words = WORD.findall(action.lower())
    return next((word for word in words if word not in BEFORE_THE_VERB), words[0] if words else EMPTY)


def _stem(word: str) -> str:
    """The stem of an ASCII word of letters; any other word unchanged."""
    if not (word.isascii() and word.isalpha()):
        return word
    from rouge_score.tokenizers import DefaultTokenizer  # takes seconds, and most commands sort no actions

    return DefaultTokenizer(use_stemmer=True).tokenize(word)[0]
