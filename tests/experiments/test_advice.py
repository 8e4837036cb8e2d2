"""Advice by the nearest problem of an experiment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from swirl.cli import main
from swirl.errors import SwirlError
from swirl.evaluation.bootstrap import Estimate
from swirl.experiments import evidence as evidence_room
from swirl.experiments import probing
from swirl.experiments.advice import EXPERIMENT, FAR, advise, evidence_temperature, with_method
from swirl.experiments.catalog import get_experiment
from swirl.experiments.evidence import MethodResult, ProblemEvidence, read_evidence, write_evidence
from swirl.experiments.known_private_codes import private_code_of
from swirl.history import History
from swirl.presets import get_preset
from swirl.settings import DIRECTIONS

STRONG = {"critic": 0.95, "right": 0.5, "spread": 0.4, "agreement": 0.95, "kept": 0.95, "kept_preferred": 0.96,
          "changed": 0.5, "changed_preferred": 0.8}  # fmt: skip
WEAK = {**STRONG, "critic": 0.6, "agreement": 0.5, "changed_preferred": 0.55}


def method(name: str, value: float, over: dict[str, tuple[float, float]], *, labels: bool = False) -> MethodResult:
    found = {other: Estimate(round((low + high) / 2, 4), low, high) for other, (low, high) in over.items()}
    return MethodResult(
        name, name.title(), Estimate(value, round(value - 0.05, 4), round(value + 0.05, 4)), found, 3, 10.0, labels
    )


EVIDENCE = [
    ProblemEvidence("clean", "Household, clean", STRONG, (
        method("warm-up", 0.5, {}),
        method("supervised", 0.99, {"warm-up": (0.4, 0.5)}),
        method("sft", 0.7, {"warm-up": (0.1, 0.3), "paper": (0.1, 0.2)}),
        method("sft-merged", 0.8, {"warm-up": (0.2, 0.4), "sft": (0.05, 0.15)}, labels=True),
        method("paper", 0.55, {"warm-up": (0.0, 0.1)}),
    )),
    ProblemEvidence("weak", "Household, weak critic", WEAK, (
        method("warm-up", 0.5, {}),
        method("sft", 0.48, {"warm-up": (-0.1, 0.05)}),
        method("paper", 0.6, {"warm-up": (0.05, 0.15), "sft": (-0.01, 0.25)}),
    )),
]  # fmt: skip


def test_the_advice_is_the_best_method_where_the_probe_looks_most_alike() -> None:
    advice = advise({**STRONG, "critic": 0.9}, EVIDENCE)
    assert (advice.method, advice.problem.problem, advice.rivals) == ("sft", "clean", ())
    assert advice.sentence == (
        "Your start is most like Household, clean, where Sft did best. It gained +0.200 [+0.100, +0.300] of exact "
        "match there, 3 seeds."
    )
    assert advise(STRONG, EVIDENCE, has_labels=True).method == "sft-merged"


def test_after_a_private_code_no_method_is_advised_in_which_the_models_teach_each_other(tmp_path: Path) -> None:
    history = History(tmp_path)
    run = history.create_run(preset=None, settings={"model": "m"})
    scores = {"forward/exact_match": 0.5}
    name = history.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path="p", scores=scores)
    history.mark_best(run, 0)
    assert private_code_of(tmp_path, name) is None
    case = {"sequence": "s", "action": "z", "true_action": None, "swapped": None, "shuffling": None, "read_back": True,
            "stitch": None, "ablation": 0.0, "overlap": None,
            "exchange": {"partner_action": "b", "lost": 0.5}}  # fmt: skip
    found = {"cases": [case | {"step": step} for step in range(12)], "partner": "other@0"}
    history.save_health_check(checkpoint=name, data="d", found=found | {"figures": {"private_share": [0.5, 0.3, 0.7]}})
    sentence = private_code_of(tmp_path, run)
    assert sentence is not None and "a private code, which other@0 does not share" in sentence
    agreed = replace(EVIDENCE[1], results=(*EVIDENCE[1].results, method("hard-em-twice", 0.9, {"warm-up": (0.3, 0.5)})))
    assert advise(WEAK, [agreed]).method == "hard-em-twice"
    assert advise(WEAK, [agreed], private_code=sentence).method == "sft"
    advice = advise(WEAK, EVIDENCE, private_code=sentence)
    assert advice.method == "sft" and "Paper" not in advice.sentence
    assert sentence in advice.sentence and "an earlier checkpoint or more labels" in advice.sentence
    history.save_health_check(checkpoint=name, data="d", found=found | {"figures": {"private_share": [0.0, 0.0, 0.1]}})
    assert private_code_of(tmp_path, run) is None


def test_one_lucky_run_is_not_advised_where_others_are_a_mean_over_seeds() -> None:
    lucky = replace(method("anchor", 0.95, {"warm-up": (0.4, 0.5), "sft": (0.2, 0.3)}), seeds=1)
    sft = next(r for r in EVIDENCE[0].results if r.method == "sft")
    below = replace(sft, over={**sft.over, "anchor": Estimate(-0.25, -0.3, -0.2)})
    others = [r for r in EVIDENCE[0].results if r.method != "sft"]
    advice = advise(STRONG, [replace(EVIDENCE[0], results=(*others, below, lucky))])
    assert (advice.method, advice.rivals) == ("sft", ())
    assert "Sft did best of those with more than one seed. It gained +0.200" in advice.sentence
    assert advice.sentence.endswith("Single runs had more: Anchor (0.950).")
    alone = advise(STRONG, [replace(EVIDENCE[0], results=(EVIDENCE[0].results[0], lucky))])
    assert alone.method == "anchor" and alone.sentence.endswith("of exact match there, one seed.")


def test_methods_that_are_not_told_apart_are_named() -> None:
    advice = advise({**WEAK, "critic": 0.55}, EVIDENCE)
    assert (advice.method, advice.rivals) == ("paper", ("Sft",))
    assert advice.sentence.endswith("does not tell it apart from Sft.")


@pytest.mark.parametrize(
    ("seconds", "more"),
    [(3.0, " Sft trained 0.3 times as long."), (0.2, " Sft trained 0.02 times as long."), (8.0, ""), (None, "")],
)
def test_a_much_quicker_method_that_is_not_told_apart_is_named(seconds: float | None, more: str) -> None:
    start, sft, paper = EVIDENCE[1].results
    weak = replace(EVIDENCE[1], results=(start, replace(sft, seconds=seconds), paper))
    sentence = advise({**WEAK, "critic": 0.55}, [weak]).sentence
    assert sentence.endswith(f"does not tell it apart from Sft.{more}")


def test_where_nothing_helped_the_advice_says_so() -> None:
    flat = ProblemEvidence("flat", "Household, noisy", STRONG, (
        method("warm-up", 0.2, {}), method("sft", 0.2, {"warm-up": (-0.05, 0.05)}),
    ))  # fmt: skip
    sentence = advise(STRONG, [flat]).sentence
    assert sentence == (
        "Your start is most like Household, noisy, where no method clearly beat the warm-up; Sft was at best "
        "+0.000 [-0.050, +0.050] of exact match, 3 seeds."
    )


def test_a_start_unlike_all_problems_is_told_so() -> None:
    other = dict.fromkeys(STRONG, 0.0)
    advice = advise(other, EVIDENCE)
    assert advice.distance >= FAR and advice.sentence.endswith("take this as a first guess.")
    assert "first guess" not in advise(STRONG, EVIDENCE).sentence


def test_without_an_experiment_there_is_no_advice() -> None:
    with pytest.raises(SwirlError, match="There is no finished experiment to advise by; run: swirl experiment regimes"):
        advise(STRONG, [])


def test_evidence_survives_its_file(tmp_path: Path) -> None:
    write_evidence(EVIDENCE, tmp_path / "found.json")
    assert read_evidence(tmp_path / "found.json") == EVIDENCE
    assert read_evidence(tmp_path / "none.json") == []


def test_the_command_probes_a_real_model(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    write_evidence(EVIDENCE, tmp_path / "regimes.json")
    monkeypatch.setattr(evidence_room, "EVIDENCE_FILES", [str(tmp_path / "regimes.json")])
    command = ["--home", str(tmp_path), "advise", "tiny-household", "--data", "household", "--limit", "24", "--json"]
    assert main(command) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["method"] == "sft" and document["nearest"] == "clean"
    assert document["probe"]["critic"] > 0.7 and 0.2 < document["probe"]["right"] < 0.8
    assert document["probe"]["changed_preferred"] > document["probe"]["changed"]


def test_a_start_is_probed_at_the_temperature_of_the_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = get_experiment(EXPERIMENT).problems
    assert {probing.probe_temperature(problem) for problem in problems} == {evidence_temperature()} == {0.8}
    asked: list[float] = []
    monkeypatch.setattr(probing, "probe_figures", lambda *given: asked.append(given[3]) or dict(STRONG))
    write_evidence(EVIDENCE, tmp_path / "regimes.json")
    monkeypatch.setattr(evidence_room, "EVIDENCE_FILES", [str(tmp_path / "regimes.json")])
    assert main(["--home", str(tmp_path), "advise", "tiny-household", "--data", "household"]) == 0
    assert asked == [0.8]


def test_an_advised_method_is_what_the_experiment_trained() -> None:
    settings = get_preset("tiny-household").settings.replace({"seed": 5})
    sft = with_method(settings, "sft")
    assert (sft.method, sft.anchor, sft.seed) == ("sft", 0.0, 5)
    longer = with_method(settings, "sft-equal-compute")
    assert [longer.for_phase(direction).steps_per_phase for direction in DIRECTIONS] == [250, 60]
    chosen = with_method(settings, "best-of-n")
    assert (chosen.iterations, chosen.best_of, chosen.test_at_end) == (0, 8, 400)
    for name in get_experiment(EXPERIMENT).methods:
        assert with_method(settings, name).seed == 5
