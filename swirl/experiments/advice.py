"""Says which method suits a model and its data: that which did best where the probe looked most alike.

The probe (`swirl.evaluation.reward_probe`) describes a start by a few figures that need no action labels. The problems
of the shipped experiment are described by the same figures, so the nearest of them tells what to expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from swirl.errors import SwirlError
from swirl.experiments.catalog import get_experiment
from swirl.experiments.evidence import MethodResult, ProblemEvidence
from swirl.experiments.grid import DEFAULT_SIZE, Cell, Plan
from swirl.experiments.overall import describe_ratio
from swirl.experiments.probing import probe_temperature
from swirl.experiments.settings_of_cells import UNPREPARED, cell_settings
from swirl.methods import METHODS
from swirl.settings import DIRECTIONS, Settings

EXPERIMENT = "regimes"
"""The experiment that the shipped evidence is of."""

FEATURES = {"critic": 0.5, "right": 1.0, "spread": 1.0, "agreement": 1.0, "selection": 0.5, "drift": 0.1}
"""The figures that two starts are compared by, each with the difference that counts as large.

selection is how much more of what the step changed the preferred prediction has than the average one, drift the same
of what it left as it was.
"""

UNKNOWN_CRITIC = 0.5
"""The critic where no group had both right and wrong predictions: there is nothing that it can tell apart."""

FAR = 1 / 3
"""A distance from which the nearest problem is too different to be relied on: on average, the figures differ by a third
of a large difference."""

QUICKER = 0.75
"""A rival is named as quicker if it trained at most so many times as long."""

NOT_ADVISED = ("warm-up", "supervised", "shared")
"""Methods that are never advised: no training, true actions, and a model that has to be warmed up anew."""


@dataclass(frozen=True)
class Advice:
    """The advised method, the problem that says so, and how far away that is (0 is equal).

    `rivals` are methods that the experiment cannot tell apart from it there; `sentence` says it all.
    """

    method: str
    title: str
    problem: ProblemEvidence
    distance: float
    rivals: tuple[str, ...]
    sentence: str


def evidence_temperature() -> float:
    """The temperature at which the problems of EXPERIMENT were probed, one for all.

    A start is compared with them, so it has to be probed at the same one: figures such as the spread depend on it.
    """
    return probe_temperature(get_experiment(EXPERIMENT).problems[0])


def advise(
    probe: Mapping[str, float | None],
    evidence: Sequence[ProblemEvidence],
    *,
    has_labels: bool = False,
    private_code: str | None = None,
) -> Advice:
    """The advice for a probe's figures.

    `private_code` is the sentence of a health check that found one: methods in which the two models teach each other
    are then left out, for they would go on with it. Raises SwirlError if no experiment has finished runs to advise by.
    """
    evidence = [without_mutual_teaching(problem) for problem in evidence] if private_code else evidence
    known = [problem for problem in evidence if problem.probe and candidates(problem, has_labels)]
    if not known:
        raise SwirlError("There is no finished experiment to advise by; run: swirl experiment regimes")
    nearest = min(known, key=lambda problem: distance(probe, problem.probe))
    results = candidates(nearest, has_labels)
    best = max(of_several_seeds(results), key=lambda result: result.value.value)
    lucky = [result for result in results if result.value.value > best.value.value]
    rivals = [result for result in results if result is not best and is_rival(best, result)]
    away = distance(probe, nearest.probe)
    sentence = sentence_of(best, nearest, rivals, lucky, away)
    if private_code:
        sentence += (
            f" {private_code} So methods in which the models teach each other are left out; inferred actions may mean "
            "something else than they say, and an earlier checkpoint or more labels are worth a try."
        )
    return Advice(best.method, best.title, nearest, away, tuple(rival.title for rival in rivals), sentence)


def without_mutual_teaching(problem: ProblemEvidence) -> ProblemEvidence:
    """The evidence of a problem without the methods in which the models teach each other."""
    plan = get_experiment(EXPERIMENT)
    known = {*plan.methods, *METHODS}
    kept = tuple(
        r for r in problem.results if r.method not in known or not plan.method(r.method).models_teach_each_other
    )
    return replace(problem, results=kept)


def with_method(settings: Settings, name: str, problem: str | None = None) -> Settings:
    """The settings with an advised method of EXPERIMENT instead of their own; all else stays as it is.

    A method with more steps multiplies those of the settings, up to the steps that it had on the experiment's
    `problem` (its first one if that is unknown), and never takes any away. A method that only chooses among
    predictions at test time also needs an evaluation at the end.
    """
    plan = get_experiment(EXPERIMENT)
    method, times = plan.method(name), plan.steps_times(name)
    settings = settings.replace(method.changes)
    if method.best_of > 1:
        settings = settings.replace(
            {"best_of": method.best_of, "test_at_end": settings.test_at_end or plan.test_at_end}
        )
    if times == 1:
        return settings
    known = [each.name for each in plan.problems]
    place = problem if problem in known else known[0]
    return with_more_steps(settings, plan, Cell(place, DEFAULT_SIZE, name, plan.seeds[0]))


def with_more_steps(settings: Settings, plan: Plan, cell: Cell) -> Settings:
    """The settings with the longer phases of a cell's method."""
    trained, times = cell_settings(plan, cell, UNPREPARED), plan.steps_times(cell.method)
    changes = {}
    for direction in DIRECTIONS:
        own = settings.for_phase(direction).steps_per_phase
        most = trained.for_phase(direction).steps_per_phase
        changes[f"{direction}.steps_per_phase"] = max(own, min(round(times * own), most))
    return settings.replace(changes)


def candidates(problem: ProblemEvidence, has_labels: bool) -> list[MethodResult]:
    """The results of a problem that can be advised: those of training that needs no more than there is."""
    return [
        result
        for result in problem.results
        if result.method not in NOT_ADVISED and (has_labels or not result.needs_labels)
    ]


def of_several_seeds(results: Sequence[MethodResult]) -> list[MethodResult]:
    """The results that are a mean over seeds, all of them if none is: one run alone may have been lucky."""
    return [result for result in results if result.seeds > 1] or list(results)


def is_rival(best: MethodResult, other: MethodResult) -> bool:
    """Whether the difference between the best method and another has an interval that reaches zero."""
    difference = best.over.get(other.method)
    return difference is not None and difference.low <= 0 <= difference.high


def distance(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> float:
    """The mean difference of two probes over FEATURES, each in units of a large difference."""
    a, b = features(first), features(second)
    return sum(abs(a[name] - b[name]) / large for name, large in FEATURES.items()) / len(FEATURES)


def features(probe: Mapping[str, float | None]) -> dict[str, float]:
    """The figures of a probe that starts are compared by."""

    def value(name: str, missing: float = 0.0) -> float:
        found = probe.get(name)
        return missing if found is None else found

    return {
        "critic": value("critic", UNKNOWN_CRITIC),
        "right": value("right"),
        "spread": value("spread"),
        "agreement": value("agreement"),
        "selection": value("changed_preferred") - value("changed"),
        "drift": value("kept_preferred") - value("kept"),
    }


def sentence_of(
    best: MethodResult,
    problem: ProblemEvidence,
    rivals: Sequence[MethodResult],
    lucky: Sequence[MethodResult],
    away: float,
) -> str:
    """The advice in words, with the figures behind it; `lucky` are single runs that had more than the best mean."""
    gain, title = best.over.get("warm-up"), join_titles([best.title])
    seeds = "one seed" if best.seeds == 1 else f"{best.seeds} seeds"
    words = f"Your start is most like {problem.description}, where "
    if gain is not None:
        figures = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] of exact match"
        among = " with more than one seed" if lucky else ""
        if gain.low > 0:
            words += f"{title} did best{among and f' of those{among}'}. It gained {figures} there, {seeds}."
        else:
            words += f"no method{among} clearly beat the warm-up; {title} was at best {figures}, {seeds}."
    else:
        words += f"{title} did best."
    if rivals:
        words += f" The experiment does not tell it apart from {join_titles([rival.title for rival in rivals])}."
        words += quickest_of(best, rivals) if gain is None or gain.low > 0 else ""
    if lucky:
        words += f" Single runs had more: {join_titles([f'{r.title} ({r.value.value:.3f})' for r in lucky])}."
    if away >= FAR:
        words += " No problem of the experiment is much like yours, so take this as a first guess."
    return words


def quickest_of(best: MethodResult, rivals: Sequence[MethodResult]) -> str:
    """A sentence about the rival that trained for the shortest time, if that is much less and known."""
    known = [(rival.seconds, rival.title) for rival in rivals if rival.seconds]  # best of N does not train
    if not best.seconds or not known:
        return ""
    seconds, title = min(known)
    share = seconds / best.seconds
    return f" {join_titles([title])} trained {describe_ratio(share)} times as long." if share <= QUICKER else ""


def join_titles(titles: Sequence[str]) -> str:
    """Titles of methods as in a sentence: `A, B and C`; one with a comma in it stands in quotation marks."""
    quoted = [f"“{title}”" if "," in title else title for title in titles]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else quoted[0]
