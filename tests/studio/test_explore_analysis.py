"""Tests of the analysis panels on Explore with table models: rollouts, the map, the drawn metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio.components.explore.analysis import AnalysisPanels
from studio.components.shared.decay_charts import decay_charts
from studio.components.shared.metrics_table import metrics_table
from studio.view_models.action_map_layout import HEIGHT, WIDTH, category_style, place_labels, spread_points
from studio.view_models.decay_curves import curves_by_measure
from studio.view_models.metric_descriptions import baseline_metric, describe_metric, metric_group
from studio.view_models.metric_rows import MetricValue, axis_range, metric_rows
from swirl.errors import SwirlError


@pytest.fixture
def page(home: Path, loaded: list) -> AnalysisPanels:
    return AnalysisPanels(home)


def at(**more: object) -> dict:
    return {"data": "walks", "sequence": 1, "step": 1, **more}


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\N{NO-BREAK SPACE}", " ")


def test_steps_ahead_stop_where_the_sequence_ends(page: AnalysisPanels) -> None:
    answer = page.ahead(at(steps=6, ticket="t"))
    assert answer["steps"] == 2 and answer["actions"] == ["go to attic", "go to hall"]
    html = answer["parts"]["ahead"]
    assert html.count("✓ exact") == 2 and "actions inferred" in html
    assert "2 of 2 states exact" in plain(html) and "would be exact in 1 of 2" in plain(html)
    assert page.going({"ticket": "t"})["words"] == "step 2 of 2" and page.going({"ticket": "u"})["words"] == ""


def test_own_actions_go_past_the_end_and_are_marked_where_they_drift(page: AnalysisPanels) -> None:
    html = page.ahead(at(steps=3, actions=["go to <hall>", "go to hall", "go to attic"]))["parts"]["ahead"]
    assert "✕ 1 word off" in plain(html) and "&lt;hall&gt;" in html and "<hall>" not in html
    assert "first drift is at step 1" in html and "past the end" in html
    with pytest.raises(SwirlError, match="each of the 2 steps"):
        page.ahead(at(steps=2, actions=["go to hall", " "]))


def test_the_map_leads_to_every_transition_and_counts_clusters_against_truth(page: AnalysisPanels) -> None:
    asked = page.ask({"data": "walks", "first": 0, "size": 4})
    assert asked["done"] == 4 and asked["of"] == 6
    answer = page.map({"data": "walks"})
    points = re.findall(r'data-sequence="(\d)" data-at="(\d)"', answer["parts"]["map"])
    assert sorted(points) == [(str(s), str(n)) for s in (1, 2, 3) for n in (1, 2)]
    assert answer["truths"] and "true action: go to attic" in answer["parts"]["map"]
    table = plain(answer["parts"]["confusion"])
    assert "Counts of 6 transitions" in table and "with a single cluster" in table
    coloured = page.map({"data": "walks", "colour": "truth"})["parts"]["map"]
    assert "by kind of the true action" in coloured


def test_nothing_measured_shows_nothing(page: AnalysisPanels) -> None:
    assert page.measured({"data": "walks"})["parts"]["measured"] == ""


def test_points_of_equal_actions_do_not_overlap() -> None:
    placed = spread_points([(0.5, 0.5)] * 40 + [(0.0, 1.0)])
    assert len(set(placed)) == 41
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in placed)
    assert len({category_style(category) for category in range(40)}) == 40


def test_names_on_the_map_do_not_overlap() -> None:
    found = place_labels(["take the cup", "take the key"], [0, 1], [(300.0, 200.0), (302.0, 201.0)])
    assert abs(found[0].y - found[1].y) >= 15 or abs(found[0].x - found[1].x) > 80
    assert len(place_labels(["a", "b"], [0, 0], [(10.0, 10.0), (20.0, 20.0)])) == 1


def ahead_rows() -> list:
    mine = {f"horizon/exact_match@{t}": MetricValue(1 / t, 0.9 / t, 1.1 / t) for t in range(1, 4)}
    copied = {f"copy/exact_match@{t}": MetricValue(0.1, 0.05, 0.15) for t in range(1, 4)}
    return metric_rows([mine | copied, mine])


def test_decay_has_a_curve_per_checkpoint_and_one_for_copying() -> None:
    (found,) = curves_by_measure(ahead_rows(), ["a", "b"])
    assert [curve.side for curve in found.curves] == ["a", "b", ""] and found.steps == [1, 2, 3]
    assert found.curves[2].points[3] == MetricValue(0.1, 0.05, 0.15)
    html = decay_charts(ahead_rows(), {"a": "x", "b": "y"})
    assert html.count("<polyline") == 3 and html.count('class="band"') == 3
    assert "A: 100\N{NO-BREAK SPACE}%, 50\N{NO-BREAK SPACE}%, 33\N{NO-BREAK SPACE}%; B:" in html
    assert decay_charts(metric_rows([{"forward/exact_match": MetricValue(0.5)}]), {"a": "x"}) == ""


def test_a_metric_is_drawn_beside_copying_and_some_groups_are_folded() -> None:
    both = {"forward/exact_match": MetricValue(0.5, 0.4, 0.6), "copy/exact_match": MetricValue(0.07, 0.0, 0.1)}
    html = metrics_table(metric_rows([both | {"health/distinct": MetricValue(0.1)}]), {"a": "x"})
    assert 'class="copying"' in html and "baseline</abbr></th>" in html
    shown, _, folded = html.partition('<div class="folds">')
    assert "Next state right" in shown and "Distinct actions" in folded and "Copying the state right" in folded


def test_every_metric_has_words_a_group_and_an_axis() -> None:
    assert describe_metric("copy/psnr@3").unit == "dB" and metric_group("copy/psnr@3") == "horizon"
    assert "2 steps ahead" in describe_metric("horizon/exact_match@2").title
    best = describe_metric("forward/exact_match_best_of_4")
    assert best.title == "Next state right, best of 4" and baseline_metric("cycle/psnr_best_of_4") == "copy/psnr"
    assert baseline_metric("inverse/probe") == "inverse/probe_commonest"
    assert describe_metric("new/thing").title == "new/thing" and metric_group("new/thing") == "other"
    assert axis_range("share", [MetricValue(0.2)]) == (0.0, 1.0)
    low, high = axis_range("nats", [MetricValue(-2.0, -3.0, -1.0)])
    assert low < -3 and high == 0
    low, high = axis_range("dB", [MetricValue(20.0, 18.0, 22.0)])
    assert 17 < low < 18 and 22 < high < 23
