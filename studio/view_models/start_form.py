"""The start form's fields as checked settings, or as one error sentence for each invalid field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError
from swirl.models.checkpoints import short_name
from swirl.presets import PRESETS, Preset
from swirl.runs.archive.settings_differences import Difference, settings_difference
from swirl.settings import DIRECTIONS, PER_PHASE, SETTING_FIELDS, Settings
from swirl.training import trackers
from swirl.training.batch_checks import require_fitting_batches
from swirl.training.length_check import sample_labels
from swirl.training.requirements import missing_requirements
from swirl.training.schedule import plan_phases

MAIN_SETTINGS = ("iterations", "steps_per_phase", "seed")
EXTENSION_SETTINGS = ("anchor", "observed_in_group")
"""The extensions of the paper's loop that are always shown."""
SETTING_GROUPS = {
    "Model and machine": ("model", "share_weights", "lora_rank", "device", "precision", "cores"),
    "Rollouts": ("batch_size", "group_size", "accumulation", "temperature", "top_p", "top_k", "rollout_server"),
    "Objective": ("beta", "reward", "reward_clamp"),
    "More extensions": (
        "inverse_first",
        "reference_reward",
        "observed_reward",
        "drift_penalty",
        "overlap_penalty",
        "action_cap",
        "min_reward_spread",
        "label_candidates",
        "label_passes",
        "prior_reference",
    ),
    "Optimiser": ("learning_rate", "learning_rate_warmup", "scheduler", "max_grad_norm"),
    "Lengths": ("max_prompt_tokens", "max_action_tokens", "max_state_tokens"),
    "Warm-up on labels": ("warm_up_epochs", "warm_up_learning_rate", "warm_up_batch_size"),
    "Scores and saving": (
        *("held_out", "probe_every", "probe_size", "stop_when_harmful"),
        *("test_at_end", "best_of", "save_every", "report_to"),
    ),
}
"""Every setting that is hidden at first, by subject. Data, labels and method have fields of their own."""


@dataclass(frozen=True)
class ParsedForm:
    """The form's settings, or an error sentence by field; `settings` is None if there are errors."""

    settings: Settings | None
    errors: dict[str, str] = field(default_factory=dict)


def parse_form(values: Mapping[str, Any]) -> ParsedForm:
    """Check each field on its own, so that each error appears beside its field; empty overrides are ignored."""
    changes: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name, value in values.items():
        value = value.strip() if isinstance(value, str) else value
        if value in ("", None) and name in PER_PHASE:
            given = [bool(str(values.get(phase_name) or "").strip()) for phase_name in phase_fields(name)]
            if all(given):
                continue  # each phase has a value of its own
            if any(given):
                errors[name] = "Give one value for both phases, or one for each."
                continue
        if "." in name and value in ("", None):
            continue
        try:
            Settings().replace({name: value})
        except UsageError as error:
            errors[name] = shorten_error(name, str(error))
        else:
            changes[name] = value
    for name in ("model", "data"):
        if not str(values.get(name) or "").strip():
            errors[name] = "Choose one."
    if errors:
        return ParsedForm(None, errors)
    return ParsedForm(Settings.from_dict(changes))


def shorten_error(name: str, sentence: str) -> str:
    """Shorten an error of `Settings` to what the field takes, since its name is already shown beside it."""
    tail = sentence.rpartition("; it takes ")[2] if "; it takes " in sentence else sentence.rpartition(" is not ")[2]
    return f"Takes {tail}" if tail and tail != sentence else sentence


def check_references(home: Path, settings: Settings) -> dict[str, str]:
    """Errors, by field, for what the settings name or need but is missing.

    That is the collection, the model, labels and what else the method needs, or the package of a tracker. So are
    batches that cannot be split as the settings say.
    """
    from swirl.models.checkpoints import checkpoint_kind, resolve_loadable
    from swirl.sources.collections.catalog import get_collection

    errors: dict[str, str] = {}
    resolved: dict[str, Any] = {}
    for name, resolve in (("data", get_collection), ("model", resolve_loadable)):
        try:
            resolved[name] = resolve(home, getattr(settings, name))
        except SwirlError as error:
            errors[name] = str(error)
    if not errors and checkpoint_kind(resolved["model"]) != resolved["data"].kind:
        errors["model"] = kind_mismatch_error(settings, resolved["data"].kind)
    if "model" not in errors:
        errors |= missing_requirements(home, settings)
    if settings.labels and not Path(settings.labels).is_file():
        errors["labels"] = f"The labels file {settings.labels} no longer exists; choose it again."
    elif "data" in resolved:
        try:
            sample_labels(home, settings)
        except SwirlError as error:
            errors["labels"] = str(error)
    try:
        require_fitting_batches(settings, plan_phases(settings, 0), processes=1)
    except UsageError as error:
        errors["accumulation"] = str(error)
    try:
        trackers.require_tracker_package(settings.report_to)
    except UsageError as error:
        errors["report_to"] = str(error)
    return errors


def kind_mismatch_error(settings: Settings, kind: str) -> str:
    """The error for a model that cannot read the chosen collection; it names a model that can."""
    model_kind, data_kind = ("texts", "pictures") if kind == "image" else ("pictures", "texts")
    suitable = next((preset.settings.model for preset in PRESETS.values() if preset_kind(preset) == kind), None)
    mend = f"choose {suitable}" if suitable else f"choose a model of {data_kind}"
    return f"{short_name(settings.model)} reads {model_kind}, but {settings.data} contains {data_kind}; {mend}."


def preset_kind(preset: Preset) -> str:
    """The kind of states a preset trains on, "text" or "image", as its shipped collection says; else "text"."""
    from swirl.sources.collections.stored_collection import builtin_collections_folder, collection_kind

    return collection_kind(builtin_collections_folder() / preset.settings.data)


def preset_differences(preset: str, settings: Settings) -> list[Difference]:
    """How `settings` differ from a preset's, apart from data, labels and seed, which each run chooses anyway."""
    if preset not in PRESETS:
        return []
    differences = settings_difference(PRESETS[preset].settings.to_dict(), settings.to_dict())
    return [difference for difference in differences if difference.name not in ("data", "labels", "seed")]


def field_values(settings: Settings) -> dict[str, Any]:
    """The form's fields for these settings: booleans, and everything else as typed text.

    A setting that both phases override is empty: its own value holds nowhere.
    """
    flat = settings.to_dict() | dict.fromkeys(overridden_settings(settings), "")
    return {
        name: value if isinstance(value, bool) else format_setting(value)
        for name, value in flat.items()
        if name != "labels"
    }


def overridden_settings(settings: Settings) -> list[str]:
    """The settings whose own value holds nowhere, for both phases override it."""
    flat = settings.to_dict()
    return [name for name in PER_PHASE if all(phase_name in flat for phase_name in phase_fields(name))]


def describe_phase_values(settings: Settings, name: str) -> str:
    """`50 forward, 12 inverse`: what holds in each phase, where a phase overrides the setting; else empty."""
    if not any(name in overrides for overrides in settings.overrides.values()):
        return ""
    return ", ".join(
        f"{format_setting(getattr(settings.for_phase(direction), name))} {direction}" for direction in DIRECTIONS
    )


def format_setting(value: Any) -> str:
    """A value as it is typed: `2e-5` rather than `0.00002`, and `none` for None."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:g}".replace("e-0", "e-").replace("e+0", "e")
    return str(value)


def describe_range(name: str) -> str:
    """The range of a setting: `1 to 65536`, `0 or more`; empty for settings without one."""
    meta = SETTING_FIELDS[name].metadata
    low, high = meta["low"], meta["high"]
    if low is None:
        return ""
    if high >= 1_000_000:
        return f"{format_setting(float(low))} or more"
    return f"{format_setting(float(low))} to {format_setting(float(high))}"


def is_per_phase(name: str) -> bool:
    """Whether a setting may differ between forward and inverse phases."""
    return name in PER_PHASE


def phase_fields(name: str) -> list[str]:
    """The fields that override a setting in one direction: `forward.beta` and `inverse.beta`."""
    return [f"{direction}.{name}" for direction in DIRECTIONS]
