"""The plan of an experiment: a grid of problems, methods, sizes and seeds, each cell of which is one run."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swirl.errors import UsageError
from swirl.methods import METHODS, Method

DEFAULT_SIZE = 0
"""The size that keeps the number of steps of the problem's preset."""

DEFAULT_LENGTH = 8
"""The number of actions of each sequence that is recorded for a problem."""

WARM_UP = "warm-up"
"""The method whose figures are the start of all others."""

NAME_IN_CELLS = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,99}")
"""What a problem or a method may be called: its name is part of the names of files."""

MOST_RECORDED = 1_000_000
"""The largest number of sequences, and of actions in each."""

MOST_STEPS_TIMES = 10_000
"""The largest multiple of steps."""


@dataclass(frozen=True)
class Problem:
    """What is learnt: a world in one of its regimes, or a collection of the user's own.

    A world is recorded (`sequences` of `length` actions) and its model made by the recipe of the regime where there is
    one. Otherwise each seed's model is the result of its warm-up run on `labels`, or with `shared_warm_up` that of the
    first seed's, which saves time where a warm-up is long. So it is in a regime with `new_adapters`, too: only the base
    is that of the world's shipped model, its adapters are warmed up. `settings` are changes to the `preset`, for all;
    `method_settings` are changes for some methods, by name.
    """

    name: str
    preset: str
    world: str | None = None
    regime: str | None = None
    data: str | None = None
    labels: str | None = None
    model: str | None = None
    sequences: int = 1500
    length: int = DEFAULT_LENGTH
    shared_warm_up: bool = False
    new_adapters: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    method_settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def describe(self) -> str:
        """The problem in words: `Household, weak critic`, `ScienceWorld`, or the name of a collection."""
        from swirl.worlds.registry import world_title

        if self.world is None:
            return self.data or self.name
        title = world_title(self.world)
        regime = self.regime and self.regime.replace("-", " ")
        parts = [title, regime, "new adapters" if self.new_adapters else None]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class OwnMethod:
    """A method that an experiment defines: another one with changed settings, and `steps_times` as many steps.

    `sentence` says what it does; without one, that of the method that it is based on has to do.
    """

    name: str
    title: str
    based_on: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps_times: float = 1.0
    sentence: str = ""


@dataclass(frozen=True)
class Cell:
    """One run of the grid; `size` is the number of transitions of each forward phase, or DEFAULT_SIZE."""

    problem: str
    size: int
    method: str
    seed: int

    @property
    def key(self) -> str:
        """The cell as stored: `problem/size/method/seed`."""
        return f"{self.problem}/{self.size}/{self.method}/{self.seed}"


@dataclass(frozen=True)
class Plan:
    """An experiment: its grid is `problems` × `sizes` × `methods` × `seeds`.

    `test_at_end` is the number of test transitions on which each run is evaluated, `default_method` the method that
    the report compares with the others, `question` what the experiment is to answer, in one sentence.
    """

    name: str
    title: str
    question: str
    problems: tuple[Problem, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    sizes: tuple[int, ...] = (DEFAULT_SIZE,)
    own_methods: tuple[OwnMethod, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    test_at_end: int = 400
    default_method: str | None = None

    def method(self, name: str) -> Method:
        """The method of that name, the experiment's own or one of METHODS, with all its changes."""
        own = next((own for own in self.own_methods if own.name == name), None)
        if own is None:
            return METHODS[name]
        base = METHODS[own.based_on]
        changes = {**base.own_changes, **own.settings}
        own_method = dataclasses.replace(
            base, name=own.name, title=own.title, sentence=own.sentence or base.sentence, own_changes=changes
        )
        return dataclasses.replace(own_method, mutual=base.mutual and own_method.is_trained)

    def steps_times(self, name: str) -> float:
        """By how much a method multiplies the number of steps."""
        return next((own.steps_times for own in self.own_methods if own.name == name), 1.0)

    def sentence_of(self, name: str) -> str:
        """What a method does, and by how much its forward phases are longer where only `steps_times` says it."""
        method, times = self.method(name), self.steps_times(name)
        has_own_steps = {"steps_per_phase", "forward.steps_per_phase"} & method.own_changes.keys()
        if times == 1 or has_own_steps:
            return method.sentence
        return f"{method.sentence} Its forward phases have {times:g} times as many steps."

    def problem(self, name: str) -> Problem:
        """The problem of that name."""
        return next(problem for problem in self.problems if problem.name == name)

    def part(self, problems: Collection[str], methods: Collection[str]) -> Plan:
        """The plan of some problems and methods alone, all of them where none are named.

        The warm-up, which the others start from, always belongs to it.
        """
        kept = tuple(name for name in self.methods if not methods or name == WARM_UP or name in methods)
        return dataclasses.replace(
            self,
            problems=tuple(problem for problem in self.problems if not problems or problem.name in problems),
            methods=kept,
            default_method=self.default_method if self.default_method in kept else None,
        )

    def cells(self) -> Iterator[Cell]:
        """All cells; those that others start from come first, then seed by seed, so that early figures are even."""
        for problem in self.problems:
            if self.needs_warm_up_run(problem) or WARM_UP in self.methods:
                for seed in self.seeds_of(problem, WARM_UP):
                    yield Cell(problem.name, DEFAULT_SIZE, WARM_UP, seed)
        for seed in self.seeds:
            for size in self.sizes:
                for problem in self.problems:
                    for method in self.methods:
                        if method == WARM_UP or seed not in self.seeds_of(problem, method):
                            continue
                        if size != self.sizes[0] and not self.is_trained(method):
                            continue
                        yield Cell(problem.name, size if self.is_trained(method) else DEFAULT_SIZE, method, seed)

    def seeds_of(self, problem: Problem, method: str) -> tuple[int, ...]:
        """The seeds of a method: a start that is given is the same for all of them."""
        is_shared = problem.shared_warm_up or not self.needs_warm_up_run(problem)
        return self.seeds[:1] if method == WARM_UP and is_shared else self.seeds

    def warm_up_of(self, cell: Cell) -> Cell:
        """The warm-up run that a cell of a problem with such runs starts from."""
        seed = self.seeds[0] if self.problem(cell.problem).shared_warm_up else cell.seed
        return Cell(cell.problem, DEFAULT_SIZE, WARM_UP, seed)

    def is_trained(self, method: str) -> bool:
        """Whether a method has training steps, so that it depends on the size."""
        return self.method(method).is_trained

    @staticmethod
    def needs_warm_up_run(problem: Problem) -> bool:
        """Whether the problem's model has to be warmed up on labels first, in a run per seed."""
        return problem.model is None and (problem.regime is None or problem.new_adapters)

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The plan from its JSON, as stored; keys of other versions are left out."""
        known = select_fields(cls, values)
        known["problems"] = tuple(Problem(**select_fields(Problem, row)) for row in values["problems"])
        known["own_methods"] = tuple(
            OwnMethod(**select_fields(OwnMethod, row)) for row in values.get("own_methods", ())
        )
        for name in ("methods", "seeds", "sizes"):
            if name in known:
                known[name] = tuple(known[name])
        return cls(**known)


def select_fields(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of `values` that a dataclass has fields for."""
    names = {f.name for f in dataclasses.fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def part_to_dict(problems: Sequence[str], methods: Sequence[str]) -> dict[str, list[str]] | None:
    """The problems and methods that an experiment is carried out for, as stored; None for all of them."""
    return {"problems": list(problems), "methods": list(methods)} if problems or methods else None


def check_plan(plan: Plan) -> None:
    """Raises UsageError in one sentence if the plan cannot be carried out: an unknown method, an empty axis, …"""
    for axis in ("problems", "methods", "seeds", "sizes"):
        if not getattr(plan, axis):
            raise UsageError(f"The experiment {plan.name} has no {axis}; give at least one.")
    names = [problem.name for problem in plan.problems]
    for values, what in ((names, "problem"), (plan.methods, "method"), (plan.seeds, "seed"), (plan.sizes, "size")):
        repeated = next((value for value in values if list(values).count(value) > 1), None)
        if repeated is not None:
            raise UsageError(f"The experiment {plan.name} has the {what} {repeated!r} twice; remove one.")
    known = {*METHODS, *(own.name for own in plan.own_methods)}
    for method in plan.methods:
        if method not in known:
            raise UsageError(f"There is no method {method!r}; the methods are: {', '.join(sorted(known))}.")
    check_own_methods(plan)
    if plan.default_method is not None and plan.default_method not in plan.methods:
        raise UsageError(f"default_method={plan.default_method!r} is not one of the methods of {plan.name}; add it.")
    if plan.test_at_end < 1:
        raise UsageError(
            f"test_at_end={plan.test_at_end} is too small: the figures of a run are those of so many test transitions; "
            "give 1 or more."
        )
    for name in (*names, *plan.methods):
        if not NAME_IN_CELLS.fullmatch(name):
            raise UsageError(
                f"The name {name!r} cannot be part of the names of files; use up to 100 letters, digits and dashes."
            )
    for problem in plan.problems:
        if not problem.world and not problem.data:
            raise UsageError(f"The problem {problem.name!r} names neither a world nor data; give one of them.")
        if problem.world and problem.data:
            raise UsageError(f"The problem {problem.name!r} names a world and data; give one of them.")
        if problem.regime and not problem.world:
            raise UsageError(
                f"The problem {problem.name!r} has a regime without a world; data have none, so remove it."
            )
        if problem.new_adapters and not problem.regime:
            raise UsageError(
                f"The problem {problem.name!r} has new_adapters, which need a world with a regime; remove them."
            )
        for what, value in (("sequences", problem.sequences), ("length", problem.length)):
            if not 1 <= value <= MOST_RECORDED:
                raise UsageError(
                    f"The problem {problem.name!r} has {what}={value}; give a whole number from 1 to {MOST_RECORDED}."
                )


def check_own_methods(plan: Plan) -> None:
    """Raises UsageError for an own method that is there twice, or whose base or number of steps is of no use."""
    names = [own.name for own in plan.own_methods]
    for own in plan.own_methods:
        if names.count(own.name) > 1:
            raise UsageError(f"The experiment {plan.name} has the own method {own.name!r} twice; remove one.")
        if own.based_on not in METHODS:
            raise UsageError(
                f"The own method {own.name!r} is based on {own.based_on!r}, but it can only be based on one of: "
                f"{', '.join(METHODS)}."
            )
        if not 0 < own.steps_times <= MOST_STEPS_TIMES:  # which is also False of what is not a number
            raise UsageError(
                f"The own method {own.name!r} has steps_times={own.steps_times}; give a number above 0, up to "
                f"{MOST_STEPS_TIMES}."
            )
