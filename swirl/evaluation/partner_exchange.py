"""Exchange the partners of two models, to see whether each pair has agreed on a code of its own.

A forward model and an inverse model that train each other may settle on actions that only they understand. Write
S(F, I) for how well the forward model of F predicts under the actions that the inverse model of I infers. Two models A
and B give four scores on the same transitions. What A loses with B's actions, S(A, A) − S(A, B), mixes two causes: B's
inverse model may be worse, or A's forward model may only understand its own partner. As in a two-way analysis of
variance (Fisher 1925), the sum of both losses tells them apart:

    interaction = [S(A, A) + S(B, B) − S(A, B) − S(B, A)] / 2
    S(A, A) − S(A, B) = inverse_skill + interaction
    inverse_skill = [S(A, A) + S(B, A) − S(A, B) − S(B, B)] / 2

`inverse_skill` is how much better A's actions are than B's, on average over both forward models. The interaction is the
mean of what both forward models lose by the exchange, each measured by itself, so models with different tokens can be
compared. It is 0 if the actions are a common language and the skills of the four models add up, whatever they are.

Skills do not add up where they fail together: if both models of B fail on a transition, three of the four scores are 0
and the interaction there is ½, although nothing is private. Therefore the verdict rests on the *private share*: of the
transitions on which both pairs predict the observed next state with their own actions, the share of predictions that
fail with the other's. There all four models have shown their skill, so what is lost is the understanding. Transitions
that change nothing are left out, since any action predicts them. A forward model that ignores its action loses nothing
either; `controllability/log_prob_gain` tells it from a common language.

Both models only exchange actions as words, so they need not have the same base, and one is loaded at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swirl.evaluation import bootstrap
from swirl.evaluation.answer_cache import AnswerCache
from swirl.evaluation.bootstrap import Estimate
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.paired_differences import mean_difference
from swirl.evaluation.private_code import PrivateCodeVerdict, private_code_verdict
from swirl.evaluation.text_metrics import same_words
from swirl.evaluation.visited_models import OpenModel, VisitedModels
from swirl.progress import ProgressCallback
from swirl.states import Transition

MEASURES = ("exact_match", "log_prob")


@dataclass(frozen=True)
class ForwardScores:
    """How well a forward model predicts each of N transitions under given actions.

    `exact_match` is 1 where the greedy prediction is the observed next state, else 0 (pictures: in all tokens of the
    model's codec). `log_prob` is log P(y | x, z) in nats per token.
    """

    exact_match: tuple[float, ...]
    log_prob: tuple[float, ...]


@dataclass(frozen=True)
class Exchange:
    """Two models on the same transitions: A, which was asked about, and its `partner` B.

    `own` is S(A, A), `partner_own` S(B, B), `own_exchanged` S(A, B) and `partner_exchanged` S(B, A). `actions` are
    those of A's inverse model, `partner_actions` those of B's, and `changed` says whether y differs from x.
    """

    partner: str
    transitions: Sequence[Transition]
    changed: Sequence[bool]
    actions: Sequence[str]
    partner_actions: Sequence[str]
    own: ForwardScores
    partner_own: ForwardScores
    own_exchanged: ForwardScores
    partner_exchanged: ForwardScores

    def lost(self) -> list[float | None]:
        """Of the two predictions with exchanged partners, the share that fails (0, ½ or 1).

        None where a pair fails with its own actions already, or the transition changes nothing.
        """
        scores = (self.own, self.partner_own, self.own_exchanged, self.partner_exchanged)
        rows = zip(self.changed, *(score.exact_match for score in scores), strict=True)
        return [1 - (ab + ba) / 2 if changed and aa == bb == 1 else None for changed, aa, bb, ab, ba in rows]

    @property
    def mastered(self) -> int:
        """How many transitions the private share is measured on."""
        return sum(value is not None for value in self.lost())

    def figures(self, seed: int = 0) -> dict[str, Estimate]:
        """All figures with 95 % intervals over sequences, by name.

        For `exact_match` and `log_prob` each: `…/own`, `…/partner_own`, `…/own_exchanged` and `…/partner_exchanged`,
        the four means; `…/own_loss`, own minus own_exchanged, and `…/partner_loss`, both paired; `…/interaction` and
        `…/inverse_skill`. Besides, `same_words`, the share of transitions for which both infer the same words, and
        `private_share`, which is left out if no transition is mastered by both.
        """
        places = [(t.sequence_id, t.step) for t in self.transitions]
        groups = [sequence for sequence, _ in places]
        found: dict[str, Estimate | None] = {}
        for measure in MEASURES:
            columns = {
                name: getattr(getattr(self, name), measure)
                for name in ("own", "partner_own", "own_exchanged", "partner_exchanged")
            }
            found |= {f"{measure}/{name}": bootstrap.bootstrap_mean(c, groups, seed) for name, c in columns.items()}
            aa, bb, ab, ba = columns.values()
            found[f"{measure}/own_loss"] = mean_difference(ab, aa, places, seed)
            found[f"{measure}/partner_loss"] = mean_difference(ba, bb, places, seed)
            rows = list(zip(aa, bb, ab, ba, strict=True))
            interaction = [(a + b - c - d) / 2 for a, b, c, d in rows]
            skill = [(a + d - c - b) / 2 for a, b, c, d in rows]
            found[f"{measure}/interaction"] = bootstrap.bootstrap_mean(interaction, groups, seed)
            found[f"{measure}/inverse_skill"] = bootstrap.bootstrap_mean(skill, groups, seed)
        same = [same_words(ours, theirs) for ours, theirs in zip(self.actions, self.partner_actions, strict=True)]
        found["same_words"] = bootstrap.bootstrap_mean(same, groups, seed)
        found["private_share"] = bootstrap.bootstrap_mean(self.lost(), groups, seed)
        return {name: value for name, value in found.items() if value is not None}

    def verdict(self, partner: str = "", truth_gap: Estimate | None = None) -> PrivateCodeVerdict:
        """Whether the actions are a private code; `partner` names B in the sentence, by default by its name."""
        share = bootstrap.bootstrap_mean(self.lost(), [t.sequence_id for t in self.transitions])
        return private_code_verdict(share, self.mastered, partner or self.partner, truth_gap)


@dataclass(frozen=True)
class Exchanges:
    """A model's exchanges with each partner, in order.

    `under_truth` are the scores of its forward model under the true actions; None where they are unknown.
    """

    exchanges: tuple[Exchange, ...]
    transitions: Sequence[Transition]
    own: ForwardScores
    under_truth: ForwardScores | None

    def truth_figures(self, seed: int = 0) -> dict[str, Estimate]:
        """The means under the true actions, and own minus true; empty without true actions.

        By name: `exact_match/truth`, `log_prob/truth`, `exact_match/truth_gap` and `log_prob/truth_gap`, with 95 %
        intervals over sequences. A gap above 0 says that the forward model understands its partner better than the
        truth: the actions are a private code, or they leak the next state.
        """
        if self.under_truth is None:
            return {}
        places = [(t.sequence_id, t.step) for t in self.transitions]
        found: dict[str, Estimate | None] = {}
        for measure in MEASURES:
            own, truth = getattr(self.own, measure), getattr(self.under_truth, measure)
            found[f"{measure}/truth"] = bootstrap.bootstrap_mean(truth, [sequence for sequence, _ in places], seed)
            found[f"{measure}/truth_gap"] = mean_difference(truth, own, places, seed)
        return {name: value for name, value in found.items() if value is not None}


def exchange_partners(
    open_model: OpenModel,
    name: str,
    partners: Sequence[str],
    transitions: Sequence[Transition],
    true_actions: Sequence[str] | None = None,
    *,
    progress: ProgressCallback | None = None,
    watch: Callable[[], None] | None = None,
    caches: Mapping[str, AnswerCache] | None = None,
) -> Exchanges:
    """Exchange the partner of the model `name` with each of `partners`, on at least one transition.

    One model is open at a time; `name` is opened twice. `progress` receives the share that is done and what is being
    computed. `watch` is called before each pass of a model; an exception from it ends the work. With `caches`, by name,
    the answers of an earlier attempt are used, and new ones are written to them.
    """
    n, known = len(transitions), true_actions is not None
    predictions = {name: n * (1 + known + len(partners))} | {partner: 2 * n for partner in partners}
    expected = {one: {"actions": n, "states": count, "scores": count} for one, count in predictions.items()}
    models = VisitedModels(open_model, transitions, true_actions, expected, progress, watch, caches or {})
    with models.visit(name) as rows:
        actions = list(rows.inferred_actions)
        changed = [x != y for x, y in zip(rows.keys(rows.states), rows.next_keys, strict=True)]
        own = score_predictions(rows, actions)
        truth = None if true_actions is None else score_predictions(rows, true_actions)
    theirs: dict[str, tuple[list[str], ForwardScores, ForwardScores]] = {}
    for partner in partners:
        with models.visit(partner) as rows:
            inferred = list(rows.inferred_actions)
            theirs[partner] = inferred, score_predictions(rows, inferred), score_predictions(rows, actions)
        models.finish(partner)
    with models.visit(name) as rows:
        found = tuple(
            Exchange(
                partner,
                transitions,
                changed,
                actions,
                inferred,
                own,
                partner_own,
                score_predictions(rows, inferred),
                partner_exchanged,
            )
            for partner, (inferred, partner_own, partner_exchanged) in theirs.items()
        )
    models.finish(name)
    return Exchanges(found, transitions, own, truth)


def score_predictions(rows: EvaluatedRows, actions: Sequence[str]) -> ForwardScores:
    """How well the rows' forward model predicts the observed next states under these actions, one per row."""
    predicted = rows.keys(rows.answers.next_states(rows.states, actions))
    exact = rows.measures["exact_match"]
    scores = rows.answers.forward_log_prob(rows.states, actions, rows.next_states)
    return ForwardScores(
        tuple(float(exact(ours, theirs)) for ours, theirs in zip(predicted, rows.next_keys, strict=True)),
        tuple(score.mean for score in scores),
    )
