"""The Experiments page: its list, the grid of an experiment with its words, and what its buttons ask for."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import psutil
import pytest
from made_up_experiment import PLACES, make_experiment, plan_of, start_cell

from studio.pages import experiments
from studio.pages.experiments import ExperimentsPage
from studio.pages.runs import RunsPage
from studio.services import downloads
from studio.services import published_runs as published
from studio.view_models.experiment_grid import MethodFigures, MethodRow, PanelKey
from studio.view_models.experiment_overall import Overall, describe_overall
from studio.view_models.experiment_words import competes, join_names
from swirl.errors import SwirlError, UsageError
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments.catalog import EXPERIMENTS
from swirl.experiments.exchange import export_cells
from swirl.experiments.grid import OwnMethod, Problem
from swirl.experiments.overall import compare_overall, overall_difference
from swirl.experiments.results import Row, SeedResult, collect_rows
from swirl.experiments.runner import STOPPING
from swirl.history import History


def plain(html: str) -> str:
    """The text of HTML, with ordinary spaces."""
    text = re.sub(r"<[^>]+>", " ", html).replace("\N{NO-BREAK SPACE}", " ").replace("\N{NON-BREAKING HYPHEN}", "-")
    return " ".join(text.split())


def read(page: ExperimentsPage, **request: object) -> dict[str, str]:
    """All parts of an experiment's page, after everything was read."""
    while True:
        answer = page.look(request)
        if answer["pause"] > 100:
            return answer["parts"]


def alive(history: History, name: str, activity: str) -> None:
    """Make this process the one that carries the experiment out."""
    started = psutil.Process().create_time()
    history.update_experiment(name, pid=os.getpid(), pid_started=started, activity=activity, finished=None)


def test_an_empty_home_offers_the_small_experiment_and_lists_the_others(tmp_path: Path) -> None:
    html = ExperimentsPage(tmp_path).overview({})["parts"]["overview"]
    empty = html[html.index('class="empty"') : html.index("Not started yet")]
    assert (empty.count("<svg"), empty.count("<p>"), empty.count("<button")) == (
        1,
        1,
        1,
    ) and 'data-start="quick"' in empty
    for plan in EXPERIMENTS.values():
        assert f'href="experiments?name={plan.name}"' in html and plan.question in plain(html)
    assert re.search(r"quick · 9 runs · roughly \d+ min on this machine", plain(html))


def test_the_experiments_of_the_home_come_first_with_what_is_finished(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of("mine"), finished=3)
    words = plain(ExperimentsPage(tmp_path).overview({})["parts"]["overview"])
    assert words.index("mine · 3 of 11 runs finished") < words.index("Not started yet")
    assert "Start" not in words and words.count("mine ·") == 1


def test_the_legend_says_how_much_longer_the_forward_phases_of_a_method_are(tmp_path: Path) -> None:
    own = OwnMethod(
        "long", "Long", "sft", settings={"inverse.steps_per_phase": 1}, steps_times=3, sentence="It is long."
    )
    make_experiment(
        tmp_path, replace(plan_of(), methods=("sft", "long"), default_method=None, own_methods=(own,)), finished=0
    )
    legend = plain(read(ExperimentsPage(tmp_path), name="made-up")["legend"])
    assert "It is long. Its forward phases have 3 times as many steps." in legend


def test_the_time_left_is_that_of_the_part_which_is_carried_out(tmp_path: Path) -> None:
    history = make_experiment(tmp_path, plan_of(), finished=2)  # 60 seconds each
    page = ExperimentsPage(tmp_path)
    alive(history, "made-up", "2 of 11 runs finished")
    whole = plain(read(page, name="made-up")["progress"])
    history.update_experiment("made-up", part={"problems": [], "methods": ["best-of-n"]})
    part = plain(read(page, name="made-up")["progress"])
    assert "2 of 11 runs finished" in part and "about 1 min left" in part
    assert "about 1 min left" not in whole and "left" in whole


def test_what_the_program_has_added_to_an_experiment_of_its_own_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_experiment(tmp_path / "theirs", plan_of())
    publish(tmp_path / "files", tmp_path / "theirs", monkeypatch)
    older = replace(plan_of(), methods=("warm-up", "sft"), default_method="sft")
    history = make_experiment(tmp_path / "home", older)
    page = ExperimentsPage(tmp_path / "home")
    assert "made-up · 3 of 11 runs finished" in plain(page.overview({})["parts"]["overview"])
    assert "Show 8 published runs" in plain(read(page, name="made-up")["title"])
    load_published(page)
    parts = read(page, name="made-up")
    assert plain(parts["progress"]) == "11 of 11 runs finished"
    assert plain(parts["row-0-anchor"]).startswith("Anchor default 0.85 [")
    history.save_experiment("made-up", older.to_dict())
    alive(history, "made-up", "3 of 3 runs finished")
    assert "3 of 3 runs finished" in plain(read(page, name="made-up")["progress"])


def test_the_figures_and_the_words_of_a_finished_experiment(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    parts = read(ExperimentsPage(tmp_path), name="made-up")
    assert "11 of 11 runs finished" in plain(parts["progress"]) and "✓ finished" in plain(parts["title"])
    anchor = plain(parts["row-0-anchor"])
    assert anchor.startswith("Anchor default 0.85 [") and "▲ above: +0.35" in anchor  # 68 and 40 of 80
    assert "▲ above: +0.28" in anchor  # over the 46 of SFT: 0.275, rounded to even
    assert "▼ below: −0.25" in plain(parts["row-0-paper"])
    assert plain(parts["row-0-warm-up"]).endswith("– – ✓")
    assert "80 test transitions · copying the state: 0.10" in plain(parts["about-0"])
    words = plain(parts["summary"])
    assert "Household, clean: Anchor is best, 0.85 [" in words  # not the supervised upper bound, which has 1.00
    assert "+0.35 over the warm-up; +0.28 over SFT; SWIRL loses 0.25." in words


def publish(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the figures of the runs of a home those that come with the program, and their plan one of its own."""
    monkeypatch.setitem(EXPERIMENTS, "made-up", plan_of())
    export_cells(home, plan_of(), folder, lambda share, words: None, figures_only=True)
    monkeypatch.setattr(published, "published_runs", lambda plan: folder if plan.name == "made-up" else None)


def load_published(page: ExperimentsPage) -> None:
    """Load the published runs, and wait until it is done."""
    page.published({"name": "made-up"})
    deadline = time.monotonic() + 60
    while page.published_runs.state("made-up").is_running:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_published_runs_are_loaded_into_an_empty_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path / "theirs", plan_of(), finished=7)
    publish(tmp_path / "files", tmp_path / "theirs", monkeypatch)
    page = ExperimentsPage(tmp_path / "home")
    assert "7 published runs to look at" in plain(page.overview({})["parts"]["overview"])
    assert "Show 7 published runs" in plain(read(page, name="made-up")["title"])
    load_published(page)
    parts = read(page, name="made-up")
    assert "stopped and saved" in plain(parts["title"]) and plain(parts["progress"]) == "7 of 11 runs finished"
    assert "published" not in plain(parts["title"])
    theirs = read(ExperimentsPage(tmp_path / "theirs"), name="made-up")
    for method in ("warm-up", "sft"):
        mine, other = (plain(of[f"row-0-{method}"]) for of in (parts, theirs))
        assert mine == other and "[" in mine


def test_published_runs_that_do_not_fit_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = make_experiment(tmp_path / "theirs", plan_of(), finished=2)
    run = history.runs()[0].id
    with history._writing() as db:
        db.execute("UPDATE runs SET settings = json_set(settings, '$.beta', 0.77) WHERE id = ?", [run])
    publish(tmp_path / "files", tmp_path / "theirs", monkeypatch)
    page = ExperimentsPage(tmp_path / "home")
    load_published(page)
    said = plain(read(page, name="made-up")["progress"])
    assert "1 of 11 runs finished" in said and "1 run was left out; the first: made-up.clean.0." in said
    assert "its settings differ from those of the cell" in said
    with pytest.raises(SwirlError, match=r"No runs of quick come with the program\."):
        page.published({"name": "quick"})


def test_unlike_starts_are_said_above_their_panel(tmp_path: Path) -> None:
    history = make_experiment(tmp_path, plan_of())
    for number, run in enumerate(history.runs()):
        with history._writing() as db:
            scores = f'{{"forward/exact_match": {0.5 + 0.01 * number}}}'
            db.execute("UPDATE checkpoints SET scores = ? WHERE run = ?", [scores, run.id])
    grid = plain(read(ExperimentsPage(tmp_path), name="made-up")["grid"])
    assert "Not all of these runs started from the same model" in grid and "0.500 to 0.600" in grid


def test_methods_without_runs_are_left_out_unless_they_are_wanted_or_may_come(tmp_path: Path) -> None:
    page, history = ExperimentsPage(tmp_path), make_experiment(tmp_path, plan_of(seeds=(0,)), finished=3)

    def rows(**request: str) -> tuple[list[str], str]:
        parts = read(page, name="made-up", **request)
        pressed = re.findall(r'data-methods="(\w+)" aria-pressed="true"', parts["choice"])
        return [key.removeprefix("row-0-") for key in parts if key.startswith("row-0-")], "".join(pressed)

    everything = ["warm-up", "best-of-n", "sft", "supervised", "paper", "anchor"]
    assert rows() == (everything[:3], "begun")
    assert rows(methods="all") == (everything, "all")
    alive(history, "made-up", "training")
    assert rows() == rows(methods="of another version") == (everything, "all")
    alive(history, "made-up", STOPPING)
    assert rows() == (everything, "all")
    assert rows(methods="begun") == (everything[:3], "begun")


def test_where_all_methods_have_runs_there_is_nothing_to_choose(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    parts = read(ExperimentsPage(tmp_path), name="made-up")
    assert "data-last" in parts["choice"] and "data-methods" not in parts["choice"]


def test_all_methods_are_shown_until_a_run_has_finished(tmp_path: Path) -> None:
    history = make_experiment(tmp_path, plan_of(), finished=0)
    run = start_cell(history, plan_of(), next(plan_of().cells()))
    history.update_run(run, status="stopped")
    parts = read(ExperimentsPage(tmp_path), name="made-up")
    assert sum(key.startswith("row-0-") for key in parts) == 6 and not parts["choice"]


def test_methods_of_mutual_rewards_have_another_shape(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    parts = read(ExperimentsPage(tmp_path), name="made-up")
    drawn = {m: re.findall(r"<(circle|polygon)", parts[f"row-0-{m}"]) for m in ("anchor", "paper", "sft", "best-of-n")}
    assert drawn == {
        "anchor": ["circle"] * 2,
        "paper": ["circle"] * 2,
        "sft": ["polygon"] * 2,
        "best-of-n": ["polygon"] * 2,
    }


def test_a_method_without_training_is_not_called_the_best() -> None:
    """A warm-up of the experiment's own is a start, as the warm-up is; drawing several predictions is a method."""
    plan = EXPERIMENTS["shared-weights"]
    figures = MethodFigures(Estimate(0.7, 0.6, 0.8))
    names = (*plan.methods, "best-of-n", "supervised")
    rows = [MethodRow(name, plan.method(name), (), figures, is_default=False, is_best=False) for name in names]
    assert [row.key for row in rows if competes(row)] == ["paper", "shared", "best-of-n"]


def test_what_overlaps_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("made_up_experiment").RIGHT, "sft", range(1, 69))
    make_experiment(tmp_path, plan_of())
    words = plain(read(ExperimentsPage(tmp_path), name="made-up")["summary"])
    assert "“SFT, continued” is ahead" in words or "Anchor is ahead" in words
    assert "not told apart from" in words and "over SFT" not in words


def test_another_metric_and_the_last_checkpoint(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    page = ExperimentsPage(tmp_path)
    parts = read(page, name="made-up", metric="inverse/exact_match")
    assert plain(parts["row-0-anchor"]).startswith("Anchor default 1.00 [1.00, 1.00]")
    assert "copying" not in plain(parts["about-0"]) and "Inverse exact match" in plain(parts["summary"])
    assert 'value="forward/psnr"' not in parts["choice"]  # no run has it
    last = read(page, name="made-up", last="1")
    assert "0.42 [" in plain(last["row-0-anchor"]) and 'data-last="1" aria-pressed="true"' in last["choice"]


def test_every_state_of_a_run_is_seen_and_leads_to_it(tmp_path: Path) -> None:
    plan = plan_of()
    history = make_experiment(tmp_path, plan, finished=4)
    waiting, training, failed = (start_cell(history, plan, cell) for cell in list(plan.cells())[4:7])
    started = psutil.Process().create_time()
    history.update_run(training, status="running", pid=os.getpid(), pid_started=started)
    progress = {"phase": "forward", "phase_index": 0, "step": 2, "phase_steps": 8, "memory_bytes": None}
    history.heartbeat(training, **progress, seconds_left=42, share_done=0.4)
    history.update_run(failed, status="failed", error="The loss is <NaN>.")
    alive(history, plan.name, "4 of 11 runs finished, training one")
    parts = read(ExperimentsPage(tmp_path), name=plan.name)
    grid = "".join(parts[f"row-0-{method}"] for method in plan.methods)
    assert f'<a class="seed queued" href="train?run={waiting}"' in grid
    square = re.search(f'<a class="seed running" href="train.run={training}" title="([^"]*)".*?</a>', grid)
    assert square and "training, 40 % done, 42 s left" in plain(square.group(1)) and "height:40%" in square.group(0)
    assert "failed: The loss is &lt;NaN&gt;." in grid and grid.count('class="seed finished"') == 4
    assert grid.count('class="seed waiting" role="img"') == 4
    assert "4 of 11 runs finished · about" in plain(parts["progress"]) and "training one" in plain(parts["progress"])
    assert 'data-do="stop"' in parts["title"] and "so far" in plain(parts["summary"])


def test_a_refresh_sends_only_what_has_changed(tmp_path: Path) -> None:
    plan = plan_of()
    history = make_experiment(tmp_path, plan, finished=9)
    page = ExperimentsPage(tmp_path)
    read(page, name=plan.name)
    first = page.look({"name": plan.name})
    assert page.look({"name": plan.name, "seen": first["seen"]})["parts"] == {}
    start_cell(history, plan, list(plan.cells())[9])
    again = page.look({"name": plan.name, "seen": first["seen"]})
    assert set(again["parts"]) == {"row-0-paper"}
    history.delete_run(history.runs()[0].id)
    assert page.look({"name": plan.name, "seen": first["seen"]})["parts"] == {}


def evaluate_anew(history: History, checkpoint: str, cases: dict[str, Any]) -> None:
    """Replace what a run measured of its checkpoint at its end."""
    with sqlite3.connect(history.home / "studio.db") as db:
        db.execute("DELETE FROM evaluations WHERE checkpoint = ?", [checkpoint])
    history.add_evaluation(checkpoint=checkpoint, data="household", metrics={}, cases=cases, part="test", at_end=True)


@pytest.mark.parametrize("transitions", [20, 80])
def test_later_evaluations_of_a_run_do_not_change_its_grid(transitions: int, tmp_path: Path) -> None:
    """They may be of another part, of fewer transitions, or with the best of several predictions."""
    plan = plan_of()
    history = make_experiment(tmp_path, plan)
    page = ExperimentsPage(tmp_path)
    before = read(page, name=plan.name)["row-0-sft"]
    assert plain(before).startswith("SFT, continued 0.57 [")
    for seed in plan.seeds[:1]:
        run = history.experiment_runs(plan.name)[f"clean/0/sft/{seed}"]
        places = [[f"selected {i // 4}", i % 4] for i in range(transitions)]
        cases = {"places": places, "values": {"forward/exact_match": [1.0] * transitions}}
        name = history.checkpoints(run)[0].name
        history.add_evaluation(checkpoint=name, data="household", metrics={}, cases=cases, part="selection")
    assert read(page, name=plan.name)["row-0-sft"] == before


def test_a_run_that_was_tested_on_other_transitions_is_left_out(tmp_path: Path) -> None:
    plan = plan_of()
    history = make_experiment(tmp_path, plan)
    run = history.experiment_runs(plan.name)["clean/0/sft/0"]
    for checkpoint in history.checkpoints(run):
        evaluate_anew(history, checkpoint.name, {"places": [["other", 0]], "values": {"forward/exact_match": [1.0]}})
    rows = collect_rows(tmp_path, plan)
    seeds = {row.method: [result.seed for result in row.results] for row in rows if row.problem == "clean"}
    assert seeds["sft"] == list(plan.seeds[1:]) and seeds["paper"] == list(plan.seeds)
    assert plain(read(ExperimentsPage(tmp_path), name=plan.name)["row-0-sft"]).startswith("SFT, continued 0.")


def test_a_large_grid_answers_soon_and_refreshes_at_once(tmp_path: Path) -> None:
    plan = plan_of(seeds=range(8), problems=("clean", "noisy", "ambiguous"))  # 123 runs
    make_experiment(tmp_path, plan, transitions=400)
    page, begun = ExperimentsPage(tmp_path), time.perf_counter()
    answer = page.look({"name": plan.name})
    assert time.perf_counter() - begun < 10 * experiments.SECONDS_OF_READING
    read(page, name=plan.name)
    answer = page.look({"name": plan.name})
    cpu = time.process_time()
    assert page.look({"name": plan.name, "seen": answer["seen"]})["parts"] == {}
    assert time.process_time() - cpu < 0.3


def test_figures_that_are_not_read_yet_are_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_experiment(tmp_path, plan_of())
    monkeypatch.setattr(experiments, "SECONDS_OF_READING", -1.0)
    answer = ExperimentsPage(tmp_path).look({"name": "made-up"})
    assert "Reading the figures: 0 of 11 runs" in answer["parts"]["reading"] and answer["pause"] < 100
    assert answer["parts"]["summary"] == ""


def test_an_experiment_whose_process_died_can_be_continued(tmp_path: Path) -> None:
    history = make_experiment(tmp_path, plan_of(), finished=4)
    history.update_experiment("made-up", pid=2**22 + 1, pid_started=1.0, finished=None)
    parts = read(ExperimentsPage(tmp_path), name="made-up")
    assert "interrupted" in plain(parts["title"]) and "Continue" in plain(parts["title"])
    assert "killed" in plain(parts["progress"])


def test_an_unknown_experiment_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no experiment .none.; the experiments are: regimes, variants"):
        ExperimentsPage(tmp_path).look({"name": "none"})
    with pytest.raises(SwirlError, match="not being carried out"):
        make_experiment(tmp_path, plan_of())
        ExperimentsPage(tmp_path).stop({"name": "made-up"})


def test_the_report_is_a_file_to_download(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    address = ExperimentsPage(tmp_path).report({"name": "made-up"})["address"]
    file = downloads._ready[address.partition("/")[2]]
    with ZipFile(file) as archive:
        assert archive.namelist() == ["made-up/made-up.json", "made-up/made-up.md", "made-up/made-up.svg"]
        text = archive.read("made-up/made-up.md").decode()
    assert file.name == "made-up-report.zip" and "| Anchor (default) | 0.850 [" in text


def test_a_run_says_which_experiment_it_belongs_to(tmp_path: Path) -> None:
    plan = plan_of()
    history = make_experiment(tmp_path, plan, finished=2)
    other = history.create_run(preset=None, settings={"data": "household"})
    html = RunsPage(tmp_path).runs({})["parts"]["runs"]
    assert html.count('href="experiments?name=made-up"') == 2
    assert 'href="experiments' not in html[html.index(f'data-run="{other}"') : html.index("</tr>", html.index(other))]


def test_several_problems_are_summed_up(tmp_path: Path) -> None:
    plan = plan_of(problems=("clean", "noisy"))
    make_experiment(tmp_path, plan, finished=len(list(plan.cells())) - 1)
    words = plain(read(ExperimentsPage(tmp_path), name="made-up")["summary"])
    assert "So far Anchor is ahead on 2 of 2 problems, and above SFT beyond chance on 2 of them." in words
    assert words.count("so far Anchor is best, 0.85") == 1  # one panel is complete


def test_a_baseline_counts_only_where_it_was_run(tmp_path: Path) -> None:
    plan = plan_of(problems=("clean", "noisy"))
    history = make_experiment(tmp_path, plan)
    said = []
    for problem in plan.problems:
        for seed in plan.seeds:
            history.clear_experiment_run(plan.name, f"{problem.name}/0/sft/{seed}")
        said.append(plain(read(ExperimentsPage(tmp_path), name="made-up")["summary"]))
    assert "is ahead on 2 of 2 problems, and above SFT beyond chance on 1 of 1 with both." in said[0]
    assert "So far Anchor is ahead on 2 of 2 problems. " in said[1]


def test_what_is_not_above_the_warm_up_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for method in ("anchor", "sft", "best-of-n"):
        monkeypatch.setitem(__import__("made_up_experiment").RIGHT, method, range(1, 42))
    make_experiment(tmp_path, plan_of(problems=("clean", "noisy")))
    words = plain(read(ExperimentsPage(tmp_path), name="made-up")["summary"])
    assert "No method is clearly above the warm-up on any of the 2 problems." in words
    assert "is ahead" not in words


def test_problems_are_called_as_their_worlds_and_collections_are() -> None:
    assert Problem("a", "tiny-household", world="household", regime="noisy").describe() == "Household, noisy"
    assert Problem("b", "smollm2-135m", world="scienceworld").describe() == "ScienceWorld"
    assert PanelKey(0, Problem("c", "tiny-household", data="my-logs"), 0).title == "my-logs"


def test_names_are_joined() -> None:
    assert join_names(["A"]) == "A" and join_names(["A", "B"]) == "A and B"
    assert join_names(["A, b", *"CDEFG"]) == "“A, b”, C, D and 3 more"


def test_methods_are_compared_over_all_problems(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of(problems=("clean", "noisy")))
    html = read(ExperimentsPage(tmp_path), name="made-up")["overall"]
    words = plain(html)
    assert "Over all problems Forward exact match minus that of the default" in words
    assert "No method that trains without true actions is above the default beyond chance." in words
    rows = [plain(row) for row in re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", html)]
    # 80 and 68 of 80, in the same sequences of both problems, which are drawn together.
    assert rows[0].startswith("Supervised upper bound +0.150 [0.000, +0.300]")
    assert rows[1] == "Anchor default – ▲ above: +0.350 1.0× 2 of 2 problems"
    assert rows[-1].startswith("SWIRL \N{MINUS SIGN}0.600 [")
    assert rows[-1].endswith("▼ below: \N{MINUS SIGN}0.250 1.0× 2 of 2 problems , below on ▼ 2")
    assert len(rows) == 6 and "Left out" not in words
    last = plain(read(ExperimentsPage(tmp_path), name="made-up", last="1")["overall"])
    assert "Anchor default – ▲ above: +0.175 1.0× 2 of 2 problems" in last


def test_figures_over_all_problems_stay_while_a_new_run_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(problems=("clean", "noisy"))
    history = make_experiment(tmp_path, plan)
    page = ExperimentsPage(tmp_path)
    before = read(page, name="made-up")["overall"]
    run = history.experiment_runs("made-up")["clean/0/sft/0"]
    checkpoint = history.checkpoints(run)[0].name
    cases = {"places": PLACES, "values": {"forward/exact_match": [1.0] * 80}}
    evaluate_anew(history, checkpoint, cases)
    with monkeypatch.context() as patch:
        patch.setattr(experiments, "SECONDS_OF_READING", -1.0)
        answer = page.look({"name": "made-up"})
        assert answer["pause"] < 100 and answer["parts"]["overall"] == before
    assert read(page, name="made-up")["overall"] != before


@pytest.mark.parametrize(
    ("methods", "default", "sentence"),
    [
        (("warm-up", "sft", "anchor"), None, "Anchor is above SFT beyond chance."),
        (("warm-up", "sft", "anchor"), "anchor", "No method is above the default beyond chance."),
        (("warm-up", "sft"), None, ""),
        (("warm-up", "sft", "sft-twice"), None, "No method is above SFT beyond chance; “SFT, twice” is not told apart"),
        (
            ("warm-up", "sft", "sft-twice"),
            "sft-twice",
            "No method is above the default beyond chance; “SFT, continued” is not told",
        ),
    ],
)
def test_what_is_said_over_all_problems(methods: tuple[str, ...], default: str | None, sentence: str) -> None:
    own = OwnMethod("sft-twice", "SFT, twice", "sft", steps_times=2)
    plan = replace(plan_of(problems=("clean", "noisy")), methods=methods, own_methods=(own,), default_method=default)
    shares = {"warm-up": 20, "sft": 40, "sft-twice": 40, "anchor": 60}
    rows = []
    for problem in plan.problems:
        for name in methods:
            cases = {"places": PLACES, "values": {"forward/exact_match": [float(i < shares[name]) for i in range(80)]}}
            results = tuple(SeedResult(seed, f"{problem.name}-{name}", cases, cases, 1.0) for seed in (0, 1))
            rows.append(Row(problem.name, 0, name, results))
    found = compare_overall(plan, rows, lambda pairs: overall_difference(plan, pairs))
    assert found is not None
    words = describe_overall(Overall(plan, found))
    assert words.startswith(sentence) and bool(words) == bool(sentence)
    assert Overall(plan, found).axis[0] <= 0 <= Overall(plan, found).axis[-1]


def test_one_problem_is_not_compared_over_all(tmp_path: Path) -> None:
    make_experiment(tmp_path, plan_of())
    assert read(ExperimentsPage(tmp_path), name="made-up")["overall"] == ""
