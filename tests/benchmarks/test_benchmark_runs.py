"""`swirl evaluate --benchmark` from the command line to the table, with the tiny models and a fake judge."""

from __future__ import annotations

import json
import sys

import benchmark_files as files
import fake_judge
import pytest
from fake_judge import KEY, request_text

from swirl.cli import main
from swirl.history import History
from swirl.paths import assets

SHIPPED = {
    name: pytest.mark.skipif(not (assets() / name).is_dir(), reason=f"the model {name} is not shipped")
    for name in ("tiny-blocks", "tiny-household")
}
STEP = {"state": "You are in the kitchen.", "action": "go north", "next_state": "You are in the hall."}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("CLIP", "JUDGE_URL", "JUDGE_MODEL", "JUDGE_KEY", "JUDGE_PRICE"):
        monkeypatch.delenv(f"SWIRL_{name}", raising=False)


@pytest.fixture
def swirl(tmp_path, capsys):
    """swirl(*arguments): the exit code, standard output and standard error of a command in a fresh home."""

    def run(*arguments):
        code = main(["--home", str(tmp_path / "home"), *map(str, arguments)])
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


@pytest.fixture
def judge(monkeypatch):
    """A judge, named in the environment, that gives half marks to everything."""

    def answer(request):
        asked = request_text(request)
        if "from 1 to 5" in asked:
            return '{"score": 3}'
        return '{"Score": 50}' if "to 100" in asked else '{"score": [5, 4]}' if "overedit" in asked else '{"score": 5}'

    with fake_judge.serving(answer) as fake:
        monkeypatch.setenv("SWIRL_JUDGE_URL", fake.url)
        monkeypatch.setenv("SWIRL_JUDGE_MODEL", "wise")
        monkeypatch.setenv("SWIRL_JUDGE_KEY", KEY)
        yield fake


PICTURES = {
    "aurora-bench": (files.aurora, {"judge/min": 4.0, "judge/success": 5.0, "judge/inverse": 3.0}, 8),
    "bytemorph": (files.bytemorph, {"judge/score": 50.0}, 10),
    "worldprediction": (lambda f: files.worldprediction(f, {"r": files.procedure(1)}), {"judge/score": 5.0}, 3),
}


@SHIPPED["tiny-blocks"]
@pytest.mark.parametrize("name", list(PICTURES))
def test_a_whole_run_with_a_judge(name, swirl, judge, tmp_path):
    make, expected, calls = PICTURES[name]
    folder = make(tmp_path / "bench")
    asked = ("evaluate", "tiny-blocks", "--benchmark", name, "--data", folder, "--judge")
    code, out, err = swirl(*asked, "--judge-price", "2,8")
    assert code == 0, err
    assert f"will be asked up to {calls} times" in err and "at 2 and 8 per million tokens" in err
    assert f"The judge wise was asked {calls} times ({100 * calls} tokens in, {10 * calls} out" in out
    assert "paper: " in out and "ours" in out and len(judge.requests) == calls
    # With --json, a second time: everything is known by now, and nothing is asked.
    code, out, _ = swirl(*asked, "--json")
    document = json.loads(out)
    assert code == 0 and len(judge.requests) == calls
    assert (document["judge"]["asked"], document["judge"]["kept"], document["judge"]["not_judged"]) == (0, calls, 0)
    for metric, value in expected.items():
        assert document["figures"][metric]["mean"]["value"] == value
    assert {row["metric"] for row in document["paper"]} <= set(document["figures"])
    assert KEY not in out
    kept = History(tmp_path / "home").evaluations("tiny-blocks", f"benchmark:{name}")
    assert len(kept) == 2
    metric = next(iter(expected))
    assert kept[0].metrics[f"{metric}@mean"] == document["figures"][metric]["mean"]
    figure = document["figures"]["forward/psnr"]["mean"]
    assert figure["scored"] <= figure["of"] and figure["low"] <= figure["value"] <= figure["high"]


@SHIPPED["tiny-household"]
@pytest.mark.parametrize("name", ["scienceworld", "mind2web", "stabletoolbench"])
def test_a_whole_run_of_texts(name, swirl, tmp_path):
    if name == "stabletoolbench":
        folder, metric, splits = files.tools(tmp_path / "bench"), "bleu", 5
    else:
        folder, metric, splits = files.lines(tmp_path / "bench" / "dev.jsonl", [STEP, STEP]).parent, "rouge_l", 1
    code, out, err = swirl("evaluate", "tiny-household", "--benchmark", name, "--data", folder, "--limit", 1)
    assert code == 0, err
    assert f"forward/{metric}, paper: warm-up only" in out and f"copy/{metric}, ours" in out
    assert f"({splits} of {2 * splits})" in out
    metrics = History(tmp_path / "home").evaluations("tiny-household", f"benchmark:{name}")[0].metrics
    assert metrics[f"copy/{metric}@mean"]["scored"] == splits


@SHIPPED["tiny-blocks"]
def test_best_of_n_is_stored_separately(swirl, tmp_path):
    folder = files.bytemorph(tmp_path / "bench", [files.motion("interaction", i) for i in range(2)])
    asked = ("evaluate", "tiny-blocks", "--benchmark", "bytemorph", "--data", folder, "--best-of", 2)
    code, out, err = swirl(*asked)
    assert code == 0, err
    assert "tiny-blocks on ByteMorph-Bench, best of 2; the paper's rows" in out
    assert History(tmp_path / "home").evaluations("tiny-blocks", "benchmark:bytemorph") == []
    assert len(History(tmp_path / "home").evaluations("tiny-blocks", "benchmark:bytemorph best of 2")) == 1


@SHIPPED["tiny-blocks"]
def test_a_judge_without_usable_answers_does_not_affect_other_figures(swirl, judge, tmp_path):
    judge.answer = lambda request: "I cannot say."
    folder = files.bytemorph(tmp_path / "bench")
    code, out, err = swirl("evaluate", "tiny-blocks", "--benchmark", "bytemorph", "--data", folder, "--judge", "--yes")
    assert code == 0, err
    row = next(line for line in out.splitlines() if line.startswith("judge/score, ours"))
    assert row.count("– (0 of 2)") == 5 and "– (0 of 10)" in row
    assert "10 items are not judged: the judge's answer is not one JSON object (first: test-00000" in out
    assert "forward/psnr, ours" in out


@SHIPPED["tiny-blocks"]
def test_on_a_terminal_the_cost_is_confirmed_first(swirl, judge, tmp_path, monkeypatch):
    folder = files.bytemorph(tmp_path / "bench")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    asked = ("evaluate", "tiny-blocks", "--benchmark", "bytemorph", "--data", folder, "--judge", "--limit", 1)
    code, out, err = swirl(*asked)
    assert (code, out, judge.requests) == (1, "", [])
    assert "Nothing was sent to the judge and nothing was measured" in err
    assert History(tmp_path / "home").evaluations() == []
    assert swirl(*asked, "--yes")[0] == 0 and len(judge.requests) == 5


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--data", "household", "--judge"], 2, "--judge, --judge-price and --yes belong to --benchmark NAME."),
        (["--data", ".", "--benchmark", "mind2web", "--part", "train"], 2, "--part selects sequences of a collection"),
        (["--data", ".", "--benchmark", "mind2web", "--judge"], 2, "Mind2Web is scored without a judge"),
        (["--data", ".", "--benchmark", "bytemorph", "--judge"], 2, "--judge needs SWIRL_JUDGE_URL and"),
        (
            ["--data", "nowhere", "--benchmark", "bytemorph"],
            1,
            "The folder nowhere does not exist; give the folder with",
        ),
        (["--data", "EMPTY", "--benchmark", "aurora-bench"], 1, "is not a folder of AURORA-Bench"),
        (["--data", "EMPTY", "--benchmark", "worldprediction"], 1, "has no JSON file of WorldPrediction"),
    ],
)
def test_a_mistake_is_one_sentence_before_a_model_is_loaded(swirl, tmp_path, arguments, code, sentence):
    (tmp_path / "empty").mkdir()
    given = [str(tmp_path / "empty") if argument == "EMPTY" else argument for argument in arguments]
    exit_code, out, err = swirl("evaluate", "no-such-model", *given)
    assert (exit_code, out) == (code, "") and sentence in err and "Traceback" not in err


@SHIPPED["tiny-blocks"]
def test_pictures_that_are_all_missing_and_a_model_of_the_other_kind(swirl, tmp_path):
    folder = files.worldprediction(tmp_path / "bench", {"r": files.procedure(1)}, frames=0)
    code, _, err = swirl("evaluate", "tiny-blocks", "--benchmark", "worldprediction", "--data", folder)
    assert code == 1 and "Nothing of WorldPrediction can be scored: 1 frame is missing (" in err
    steps = files.lines(tmp_path / "steps.jsonl", [STEP])
    code, _, err = swirl("evaluate", "tiny-blocks", "--benchmark", "mind2web", "--data", steps)
    assert code == 2 and "Mind2Web needs a model for texts, and tiny-blocks is a model for images." in err
