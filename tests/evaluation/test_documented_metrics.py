"""docs/metrics.md defines every metric that a report can have, and no others."""

import re
from pathlib import Path

import pytest
import toy
import toy_pictures

from studio.view_models.metric_descriptions import describe_metric
from swirl.evaluation import bert_score, best_of_metrics, frame_comparison
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.evaluation.metrics import ORDER, compute_metrics, scores_per_transition
from swirl.evaluation.report import align_true_actions
from swirl.planning.plan_success import METHODS, Attempt, PlanTask, method_metrics
from swirl.planning.policy_success import share_metrics
from swirl.states import StateSequence

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "metrics.md"
HEADER = ["metric", "what it is", "unit, range", "better", "source"]


def documented() -> dict[str, list[str]]:
    """By metric, the other four cells of its row, from all tables with HEADER."""
    definitions: dict[str, list[str]] = {}
    inside = False
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        inside = cells == HEADER or (inside and len(cells) == len(HEADER))
        if inside and cells != HEADER and not set(cells[0]) <= {"-"}:
            for name in re.findall(r"`([^`]+)`", cells[0]):
                assert name not in definitions, f"{name} is defined twice"
                definitions[name] = cells[1:]
    return definitions


def pattern(name: str) -> str:
    """A name as the document writes it: @3 as @T, best_of_8 as best_of_N, inferred_50 as inferred_N."""
    return re.sub(r"_\d+(?=@|$)", "_N", re.sub(r"@\d$", "@T", name))


class Choosing(toy.Knowing):
    """Samples its own greedy predictions."""

    def sample_next_states(self, states, actions, n, *, temperature=1.0, seed=0):
        return [[state] * n for state in self.imagine_batch(states, actions)]


class ChoosingPictures(toy_pictures.Knowing):
    sample_next_states = Choosing.sample_next_states


@pytest.fixture
def reported(monkeypatch) -> set[str]:
    """The names in reports on texts and on pictures, with all scoring models available and best of 2."""
    monkeypatch.setattr(
        frame_comparison, "perceptual_measures", lambda: dict.fromkeys(["lpips", "clip_similarity"], likeness)
    )
    monkeypatch.setattr(bert_score, "model_folder", lambda: DOCUMENT)
    monkeypatch.setattr(bert_score, "bertscore", lambda ours, theirs: [1.0] * len(ours))
    names: set[str] = set()
    for world, model in ((toy, Choosing()), (toy_pictures, ChoosingPictures())):
        sequences, actions = world.collection(4)
        transitions = [transition for sequence in sequences for transition in sequence.transitions()]
        rows = EvaluatedRows(transitions, align_true_actions(transitions, actions), ModelAnswers(model))
        names |= compute_metrics(
            rows, {**scores_per_transition(rows, 0), **best_of_metrics.score_best_of_n(rows, 2)}
        ).keys()
    searched = PlanTask(StateSequence("a", ()), 0, 3), Attempt(True, ("go",), True, 0.5, 9, 1.0)
    names |= {name for method in METHODS for name, _ in method_metrics(method, 3, [searched])}
    for policy in ("idm", "random", "inferred_50", "true_50", "difference_50"):
        names |= share_metrics(policy, [searched[0]], [1.0]).keys()
    return names


def likeness(ours, theirs) -> float:
    return 1.0


def test_the_document_defines_the_reported_metrics_and_no_others(reported):
    assert {"horizon/psnr@6", "forward/bertscore", "copy/lpips", "cycle/psnr_best_of_2"} < reported
    assert {pattern(name) for name in reported} == documented().keys()


def test_each_definition_is_complete():
    for name, cells in documented().items():
        assert all(cells), f"{name} has an empty cell"
        assert len(cells[0].split()) >= 5 or cells[0].startswith("SSIM"), f"{name} is not defined"
        assert name.split("/")[0] in (*ORDER, "plan", "policy")


def test_the_studio_describes_each_metric(reported):
    undescribed = {name for name in reported if not describe_metric(name).help and "best_of" not in name}
    assert undescribed == set()
