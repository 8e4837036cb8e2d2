"""Recovery of hidden actions: kinds and clusters by hand, metrics against scikit-learn, probes on toy models."""

from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import toy
from sklearn import metrics as reference

from swirl.evaluation import action_recovery
from swirl.evaluation.action_recovery import action_kinds, cluster_actions
from swirl.evaluation.answers import ModelAnswers
from swirl.evaluation.evaluated_rows import EvaluatedRows
from swirl.states import State, Transition

WALKS = ["go to the hall", "go to the attic", "take the cup", "take the key", "drop the cup", "drop the key"]


def mean(values):
    return fmean(value for value in values if value is not None)


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("go to the hall", "go"),
        ("You are taking the lamp.", "taking"),
        ("the agent Moves left", "moves"),
        ("mv(source='a', destination='b')", "mv"),
        ('{"name": "cd", "arguments": {"folder": "x"}}', "cd"),
        ("[GorillaFileSystem.touch(file_name='x')]", "touch"),
        ("don't move", "don't"),
        ("the", "the"),
        ("", "(empty)"),
    ],
)
def test_the_kind_is_the_verb_or_the_name_of_the_call(action, kind):
    assert action_kinds([action]) == [kind]


def test_all_forms_of_a_verb_are_one_kind_named_by_the_commonest_form():
    assert action_kinds(["take it", "takes it", "taking it", "take that", "open it"]) == ["take"] * 4 + ["open"]
    assert action_kinds(["opens it", "opened it"]) == ["opens"] * 2  # equally common, but shorter


def test_clusters_follow_the_verbs_and_are_numbered_by_size():
    actions = WALKS * 3 + ["take the lamp"] * 4
    clusters = cluster_actions(actions, 3)
    by_kind = {
        kind: {c for c, k in zip(clusters, action_kinds(actions), strict=True) if k == kind}
        for kind in action_kinds(actions)
    }
    assert by_kind == {"take": {0}, "go": {1}, "drop": {2}} or by_kind == {"take": {0}, "go": {2}, "drop": {1}}
    assert cluster_actions(actions) == clusters == cluster_actions(actions, seed=0)  # three has the best silhouette


def test_each_of_a_few_distinct_actions_is_a_cluster():
    assert cluster_actions(["b", "a", "b"]) == cluster_actions(["b", "a", "b"], 5) == [0, 1, 0]
    assert cluster_actions(["a", "a"]) == [0, 0] and cluster_actions([]) == []
    assert cluster_actions(WALKS, 1) == [0] * 6
    with pytest.raises(ValueError, match="1 cluster"):
        cluster_actions(WALKS, 0)


def test_the_metrics_of_a_table_equal_scikit_learns():
    rng = np.random.default_rng(0)
    for _ in range(20):
        ours, theirs = rng.integers(0, rng.integers(1, 6), 40), rng.integers(0, 4, 40)
        table = np.zeros((6, 4))
        np.add.at(table, (ours, theirs), 1)
        expected = reference.normalized_mutual_info_score(theirs, ours, average_method="geometric")
        assert action_recovery.nmi(table) == pytest.approx(expected, abs=1e-9)
        assert action_recovery.v_measure(table) == pytest.approx(reference.v_measure_score(theirs, ours), abs=1e-9)
        assert action_recovery.ari(table) == pytest.approx(reference.adjusted_rand_score(theirs, ours), abs=1e-9)


def test_the_metrics_of_a_table_by_hand():
    halves = np.array([[2, 0], [0, 2]])
    assert (
        action_recovery.nmi(halves)
        == action_recovery.v_measure(halves)
        == action_recovery.ari(halves)
        == pytest.approx(1.0)
    )
    unrelated = np.array([[1, 1], [1, 1]])
    assert action_recovery.nmi(unrelated) == action_recovery.v_measure(unrelated) == 0.0
    assert action_recovery.ari(unrelated) == pytest.approx(-0.5)  # no pair is together in both; by chance 2/3 would be
    finer = np.array([[2, 0], [0, 1], [0, 1]])  # I = ln 2, H = 1.5 ln 2 and ln 2
    assert action_recovery.nmi(finer) == pytest.approx(1 / np.sqrt(1.5))
    assert action_recovery.v_measure(finer) == pytest.approx(2 / 2.5)
    assert action_recovery.nmi(np.array([[2, 2]])) == action_recovery.nmi(np.array([[2], [2]])) == 0.0


def test_sound_actions_are_recovered_and_a_constant_one_is_not(rows):
    sound, constant = rows(toy.Knowing()), rows(toy.Copying())
    assert [value.value for value in action_recovery.compare_clusters(sound).values()] == pytest.approx([1.0] * 3)
    assert [value.value for value in action_recovery.compare_clusters(constant).values()] == pytest.approx([0.0] * 3)
    assert all(v.low <= v.value <= v.high for v in action_recovery.compare_clusters(rows(toy.Leaking())).values())
    right, wrong = action_recovery.probe_actions(sound), action_recovery.probe_actions(constant)
    assert mean(right["probe"]) == mean(right["probe_across"]) == 1.0
    assert mean(wrong["probe"]) <= mean(wrong["probe_commonest"]) == mean(right["probe_commonest"]) < 0.7


def test_the_same_actions_in_other_words_are_recovered(rows):
    class Translating(toy.Knowing):
        def action(self, x, y):
            words = {"go": "walk into", "press": "toggle", "take": "grab", "drop": "leave"}
            verb, _, rest = super().action(x, y).partition(" ")
            return f"{words[verb]} the {rest}"

    asked = rows(Translating())
    assert action_recovery.compare_clusters(asked)["nmi"].value == pytest.approx(1.0)
    assert mean(action_recovery.probe_actions(asked)["probe_across"]) == 1.0


def test_an_action_that_only_names_its_context_fails_across_sequences():
    """Within a sequence all true actions are of one kind, and the inferred action is the name of the sequence."""
    names = ["go to the hall", "take the cup", "drop the cup"]
    transitions = [
        Transition(f"s{i}", k, State(f"{i} {k}"), State(f"{i} {k + 1}")) for i in range(15) for k in range(6)
    ]
    truth = [names[int(t.sequence_id[1:]) % 3] for t in transitions]

    class Naming(toy.Knowing):
        def action(self, x, y):
            return f"context {x.split()[0]}"

    probes = action_recovery.probe_actions(EvaluatedRows(transitions, truth, ModelAnswers(Naming())))
    assert mean(probes["probe"]) == 1.0 and mean(probes["probe_across"]) < 0.5


def test_undefined_metrics_are_left_out(rows):
    asked = rows(toy.Knowing())
    for unknown in (rows(toy.Knowing(), known=False), replace(asked, true_actions=["wait"] * 96)):
        assert action_recovery.compare_clusters(unknown) == action_recovery.probe_actions(unknown) == {}
    one_kind = ["go north", "go south"]
    assert action_recovery.true_action_classes(one_kind) == one_kind  # so the classes are the actions themselves
    assert "probe_across" not in action_recovery.probe_actions(rows(toy.Knowing(), sequences=1))


def test_rare_classes_are_merged_if_there_are_too_many():
    named = action_recovery.true_action_classes([f"verb{i} it" for i in range(40)] + ["go on"] * 2)
    assert len(set(named)) == action_recovery.MOST_CLASSES and named.count("go") == 2
    assert named.count(action_recovery.OTHERS) == 42 - 2 - (action_recovery.MOST_CLASSES - 2)


def test_the_probe_uses_a_limited_number_of_transitions(rows, monkeypatch):
    monkeypatch.setattr(action_recovery, "MAX_PROBED", 30)
    probes = action_recovery.probe_actions(rows(toy.Knowing()))
    assert {name: sum(v is not None for v in values) for name, values in probes.items()} == dict.fromkeys(probes, 30)
