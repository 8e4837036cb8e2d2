"""Plans of experiments: their cells and settings, files of the user's own, and what is refused."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from swirl.errors import UsageError
from swirl.experiments.catalog import EXPERIMENTS, get_experiment
from swirl.experiments.grid import DEFAULT_SIZE, Cell, OwnMethod, Plan, Problem, check_plan
from swirl.experiments.plan_file import check_settings, read_plan
from swirl.experiments.settings_of_cells import cell_settings
from swirl.methods import METHODS

CLEAN = Problem("clean", "tiny-household", world="household", regime="clean")
PREPARED = {"data": "d", "model": "m", "labels": "labels.jsonl", "true_labels": "true.jsonl"}


def plan_of(*methods: str, **changes: object) -> Plan:
    values = {"name": "p", "title": "P", "question": "?", "problems": (CLEAN,), "methods": methods, "seeds": (0, 1)}
    return Plan(**{**values, **changes})


def test_the_cells_are_the_product_of_the_axes_seed_by_seed() -> None:
    plan = plan_of("warm-up", "sft", "paper", sizes=(800, 1600))
    keys = [cell.key for cell in plan.cells()]
    assert keys == [
        "clean/0/warm-up/0",  # the start is the same for all seeds and sizes
        *(f"clean/{size}/{method}/{seed}" for seed in (0, 1) for size in (800, 1600) for method in ("sft", "paper")),
    ]


def test_a_problem_without_a_start_has_a_warm_up_run_per_seed_even_if_it_is_not_compared() -> None:
    own = Problem("own", "smollm2-135m", data="household", labels="labels.jsonl")
    keys = [cell.key for cell in plan_of("sft", problems=(own,)).cells()]
    assert keys == ["own/0/warm-up/0", "own/0/warm-up/1", "own/0/sft/0", "own/0/sft/1"]


def test_a_shared_warm_up_is_that_of_the_first_seed() -> None:
    own = Problem("own", "smollm2-135m", data="household", labels="labels.jsonl", shared_warm_up=True)
    plan = plan_of("warm-up", "sft", problems=(own,), seeds=(3, 4))
    cells = list(plan.cells())
    assert [cell.key for cell in cells] == ["own/0/warm-up/3", "own/0/sft/3", "own/0/sft/4"]
    assert [plan.warm_up_of(cell).seed for cell in cells] == [3, 3, 3]
    assert [replace_shared(plan).warm_up_of(cell).seed for cell in cells] == [3, 3, 4]


def replace_shared(plan: Plan) -> Plan:
    return dataclasses.replace(plan, problems=(dataclasses.replace(plan.problems[0], shared_warm_up=False),))


def test_a_method_that_only_draws_at_test_time_does_not_depend_on_the_size() -> None:
    keys = [cell.key for cell in plan_of("best-of-n", sizes=(800, 1600), seeds=(0,)).cells()]
    assert keys == ["clean/0/best-of-n/0"]


def test_the_settings_of_a_cell_follow_problem_size_method_and_seed() -> None:
    twice = OwnMethod("twice", "Twice", "sft", steps_times=2.0)
    problem = Problem("c", "tiny-household-anchor", world="household", regime="clean",
                      settings={"forward.batch_size": 16},
                      method_settings={"sft": {"forward.learning_rate": 1e-3}})  # fmt: skip
    plan = plan_of("paper", "sft", "twice", problems=(problem,), own_methods=(twice,), test_at_end=40)
    settings = cell_settings(plan, Cell("c", 801, "twice", 7), PREPARED)
    forward = settings.for_phase("forward")
    assert (settings.seed, settings.method, settings.test_at_end, settings.cores) == (7, "sft", 40, 1)
    assert forward.steps_per_phase == 2 * 51 and forward.learning_rate == 1e-3  # 51 × 16 covers 801
    paper = cell_settings(plan, Cell("c", DEFAULT_SIZE, "paper", 0), PREPARED)
    assert (paper.method, paper.anchor, paper.labels) == ("swirl", 0.0, None)  # the preset's anchor has no influence
    assert paper.for_phase("forward").learning_rate == 1.5e-3


def test_labels_go_only_to_the_methods_that_train_on_them() -> None:
    plan = plan_of("sft", "sft-merged", "supervised", "paper", "shared")
    labels = {m: cell_settings(plan, Cell("clean", 0, m, 0), PREPARED) for m in plan.methods}
    assert {m: s.labels for m, s in labels.items()} == {
        "sft": None, "sft-merged": "labels.jsonl", "supervised": "true.jsonl", "paper": None, "shared": "labels.jsonl",
    }  # fmt: skip
    assert labels["sft-merged"].warm_up_epochs == 0 and labels["supervised"].warm_up_epochs == 0
    assert labels["shared"].warm_up_epochs > 0  # its adapter is new


def test_methods_of_one_iteration_see_as_many_transitions() -> None:
    plan = plan_of("sft", "bootstrap")
    steps = {m: cell_settings(plan, Cell("clean", 800, m, 0), PREPARED) for m in plan.methods}
    seen = {m: s.iterations * s.for_phase("forward").steps_per_phase for m, s in steps.items()}
    assert seen["sft"] == seen["bootstrap"] == 50


def test_a_plan_survives_its_storage() -> None:
    for plan in EXPERIMENTS.values():
        assert Plan.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_the_experiments_of_the_program_are_valid(name: str) -> None:
    plan = get_experiment(name)
    check_plan(plan)
    check_settings(plan)
    assert len({cell.key for cell in plan.cells()}) == len(list(plan.cells()))


FILE = """
methods = ["warm-up", "loud"]
seeds = [3]
[settings]
iterations = 1
[[problems]]
data = "household"
preset = "tiny-household"
labels = "mine.jsonl"
[[own_methods]]
name = "loud"
title = "Loud"
based_on = "anchor"
settings = {anchor = 9}
"""


def test_a_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "my-grid.toml"
    path.write_text(FILE)
    plan = read_plan(path)
    assert (plan.name, plan.seeds, plan.problems[0].name) == ("my-grid", (3,), "household")
    assert plan.problems[0].labels == str(tmp_path / "mine.jsonl")
    assert plan.method("loud").changes["anchor"] == 9 and plan.method("loud").title == "Loud"


def test_settings_for_all_runs_hold_unless_a_method_is_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "summed.toml"
    path.write_text(FILE.replace("iterations = 1", "iterations = 1\nreward = 'sum'\nanchor = 2"))
    plan = read_plan(path)
    prepared = {"data": "household", "model": "tiny-household", "labels": "mine.jsonl", "true_labels": None}
    loud = cell_settings(plan, Cell("household", DEFAULT_SIZE, "loud", 3), prepared)
    assert (loud.reward, loud.for_phase("inverse").reward, loud.anchor) == ("sum", "sum", 9)
    plain = cell_settings(read_plan(write(tmp_path, FILE)), Cell("household", DEFAULT_SIZE, "loud", 3), prepared)
    assert (plain.reward, plain.for_phase("inverse").reward, plain.reward_clamp) == ("mean", "mean", -10)


def write(folder: Path, text: str) -> Path:
    path = folder / "my-grid.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"loud"]', '"quiet"]', "There is no method 'quiet'; the methods are: anchor"),
        (
            'data = "household"',
            'data = "household"\nshared_warm_up = 1',
            "problems 1 has shared_warm_up=1; it takes true or f",
        ),
        ("seeds = [3]", "seeds = [3, 3]", "has the seed 3 twice"),
        ("seeds = [3]", "seeds = [-1]", "must not hold a number below 0"),
        ("seeds = [3]", "seeds = []", "has no seeds; give at least one"),
        ("seeds = [3]", 'seeds = "3"', "must be a list of whole numbers"),
        ("seeds = [3]", "sedes = [3]", "unknown key 'sedes'; it takes: name, title"),
        ("anchor = 9", "anker = 9", "Unknown setting 'anker'"),
        ("iterations = 1", "iterations = -1", "iterations=-1 is out of range"),
        ('preset = "tiny-household"', 'preset = "tiny"', "There is no preset 'tiny'"),
        ('preset = "tiny-household"', "", "has no preset; name one"),
        ('data = "household"', "", "names neither a world nor data"),
        ('data = "household"', 'data = "household"\nworld = "blocks"', "names a world and data"),
        ('data = "household"', 'data = "household"\nregime = "noisy"', "has a regime without a world"),
        ('data = "household"', 'data = "household"\nnew_adapters = true', "which need a world with a regime"),
        ('data = "household"', 'world = "scienceworld"\nnew_adapters = true', "which need a world with a regime"),
        ("[[problems]]", "[problems]", "begun with"),
        ('title = "Loud"', "", "own_methods 1 has no title"),
        ("methods = [", "methods = ][", "is not TOML"),
        (
            'based_on = "anchor"',
            'based_on = "loud"',
            "'loud' is based on 'loud', but it can only be based on one of: warm",
        ),
        (
            'data = "household"',
            'data = "household"\nmethod_settings = {sft = 3}',
            "has sft=3 in its method_settings; it",
        ),
        (
            'data = "household"',
            'data = "household"\nmethod_settings = {anker = {}}',
            "name 'anker', which is no method",
        ),
        (
            'data = "household"',
            'data = "household"\nmethod_settings = {anchor = {method = "sft"}}',
            "make another method of anchor",
        ),
        ("mine.jsonl", "~nosuch/mine.jsonl", "problems 1 has labels='~nosuch/mine.jsonl': no such path; correct it"),
        ("mine.jsonl", "mine\\u0000.jsonl", "labels holds a NUL character"),
        ('"loud"', '"lo\\u0000ud"', "methods holds a NUL character"),
        ('data = "household"', 'data = "household"\nname = "a/b"', "'a/b' cannot be part of the names of files"),
        ('data = "household"', f'data = "household"\nname = "{"a" * 101}"', "cannot be part of the names of files"),
        ("settings = {anchor = 9}", "steps_times = 'two'", "own_methods 1 has steps_times='two'; it takes a number"),
        ("settings = {anchor = 9}", "steps_times = 0", "has steps_times=0; give a number above 0"),
        ("settings = {anchor = 9}", "steps_times = nan", "has steps_times=nan; give a number above 0"),
        ("settings = {anchor = 9}", "steps_times = inf", "has steps_times=inf; give a number above 0"),
        (
            "settings = {anchor = 9}",
            'settings = {"forward.steps_per_phase" = 900_000}\nsteps_times = 9',
            "loud on the problem 'household': forward.steps_per_phase=8100000 is out of range",
        ),
        ("seeds = [3]", "seeds = [3]\ntest_at_end = 0", "test_at_end=0 is too small"),
        ("seeds = [3]", "seeds = [3_000_000_000]", "must not hold a number above 2147483647"),
        ("seeds = [3]", f"seeds = [3]\nsizes = [1{'0' * 400}]", "must not hold a number above 2147483647"),
        (
            'data = "household"',
            'world = "household"\nregime = "loud"',
            "has the unknown regime 'loud'; the regimes are",
        ),
        ('data = "household"', 'world = "minigrid"\nregime = "noisy"', "minigrid has no regimes; omit regime from the"),
        ('data = "household"', 'world = "mars"', "There is no world 'mars'"),
        ('data = "household"', 'data = "household"\nlength = 0', "has length=0; give a whole number from 1"),
        ("iterations = 1", "method = 'sft'", "The settings hold method, which is chosen by `methods` here; remove it"),
        (
            'data = "household"',
            'data = "household"\nsettings = {seed = 2}',
            "The settings of household hold seed, which",
        ),
        ('title = "Loud"', 'title = "Loud"\nsentence = 3', "own_methods 1 has sentence=3; it takes text"),
        ("[[own_methods]]", "[[own_methods]]\nname='loud'\ntitle='L'\nbased_on='sft'\n[[own_methods]]", "'loud' twice"),
        ("seeds = [3]", 'name = "quick"', "quick is the name of an experiment that comes with the program; give"),
    ],
)
def test_a_wrong_file_is_one_sentence_with_its_name(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "grid.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_plan(path)
    assert sentence in str(caught.value) and str(path) in str(caught.value)


def test_settings_of_a_method_that_an_own_one_is_based_on_are_known(tmp_path: Path) -> None:
    text = FILE.replace('data = "household"', 'data = "household"\nmethod_settings = {anchor = {beta = 0.3}}')
    plan = read_plan(write(tmp_path, text))
    assert cell_settings(plan, Cell("household", DEFAULT_SIZE, "loud", 3), PREPARED).beta == 0.3


def test_an_own_method_says_what_it_does(tmp_path: Path) -> None:
    plain = read_plan(write(tmp_path, FILE))
    assert plain.sentence_of("loud") == METHODS["anchor"].sentence
    told = read_plan(write(tmp_path, FILE + "sentence = 'Louder.'\nsteps_times = 1.5\n"))
    assert told.method("loud").sentence == "Louder."
    assert told.sentence_of("loud") == "Louder. Its forward phases have 1.5 times as many steps."
    own_steps = FILE.replace("{anchor = 9}", '{"forward.steps_per_phase" = 3}') + "steps_times = 2\n"
    assert read_plan(write(tmp_path, own_steps)).sentence_of("loud") == METHODS["anchor"].sentence
    assert Plan.from_dict(told.to_dict()) == told


def test_the_programs_own_methods_say_what_they_do() -> None:
    regimes, shared = get_experiment("regimes"), get_experiment("shared-weights")
    default = regimes.sentence_of(regimes.default_method)
    assert "under the actions that both models together find likeliest" in default
    assert "rewards of both models" in default and default.endswith("forward phases have 5 times as many steps.")
    assert "loop" not in shared.sentence_of("shared-warm-up")
    for name in regimes.methods:
        method = regimes.method(name)
        if method.own_changes.get("label_candidates"):
            assert "both models together find likeliest" in method.sentence, name


def test_the_documented_own_method_is_the_default_of_the_program() -> None:
    text = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    example = next(block for block in text.split("```toml\n") if block.startswith("[[own_methods]]")).split("```")[0]
    (row,) = tomllib.loads(example)["own_methods"]
    own = OwnMethod(**row)
    regimes = get_experiment("regimes")
    plan = dataclasses.replace(regimes, methods=(*regimes.methods, own.name), own_methods=(*regimes.own_methods, own))
    assert regimes.default_method == "hybrid-judged-five"
    for seed in regimes.seeds:
        documented, default = (
            cell_settings(plan, Cell("blocks-clean", DEFAULT_SIZE, name, seed), PREPARED)
            for name in (own.name, regimes.default_method)
        )
        assert documented == default


def test_shared_and_separate_weights_are_warmed_up_alike() -> None:
    """On the same labels for the same epochs: each method's gain is over a warm-up of its own kind."""
    plan = get_experiment("shared-weights")
    (problem,) = plan.problems
    prepared = {"data": "d", "model": "m", "labels": "labels.jsonl", "true_labels": None}
    assert plan.needs_warm_up_run(problem) and problem.describe() == "Household, clean, new adapters"
    assert [cell.key.partition("/")[2] for cell in plan.cells()][:3] == ["0/warm-up/0", "0/warm-up/1", "0/warm-up/2"]
    found = {cell.method: cell_settings(plan, cell, prepared) for cell in plan.cells() if cell.seed == 1}
    told = {
        name: (settings.warm_up_epochs, settings.share_weights, settings.iterations, settings.labels)
        for name, settings in found.items()
    }
    assert told == {
        "warm-up": (3, False, 0, "labels.jsonl"),
        "paper": (0, False, 2, None),
        "shared-warm-up": (3, True, 0, "labels.jsonl"),
        "shared": (3, True, 2, "labels.jsonl"),
    }
    assert [plan.method(name).mutual for name in plan.methods] == [False, True, False, True]
    warmed_up = {"labels": "labels.jsonl", "share_weights": True, "warm_up_epochs": 3}
    assert found["paper"].replace(warmed_up) == found["shared"]
