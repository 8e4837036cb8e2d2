"""Settings that apply to both directions, overrides for one of them, and which takes precedence."""

from __future__ import annotations

from swirl.presets import PRESETS
from swirl.settings import Settings


def steps(settings: Settings) -> tuple[int, int]:
    """The number of steps of a forward and of an inverse phase."""
    return settings.for_phase("forward").steps_per_phase, settings.for_phase("inverse").steps_per_phase


def test_an_override_holds_for_its_phase_alone() -> None:
    assert steps(Settings().replace({"steps_per_phase": 9, "inverse.steps_per_phase": 3})) == (9, 3)
    assert steps(Settings().replace({"inverse.steps_per_phase": 3, "steps_per_phase": 9})) == (9, 3)


def test_a_later_value_for_both_phases_holds_for_both() -> None:
    before = Settings().replace({"forward.steps_per_phase": 40, "inverse.steps_per_phase": 12, "inverse.beta": 0.5})
    after = before.replace({"steps_per_phase": "6"})
    assert steps(after) == (6, 6)
    assert after.for_phase("inverse").beta == 0.5
    assert steps(before.replace({"seed": 1})) == (40, 12)


def test_every_preset_survives_being_written_and_read() -> None:
    for preset in PRESETS.values():
        assert Settings.from_dict(preset.settings.to_dict()) == preset.settings
