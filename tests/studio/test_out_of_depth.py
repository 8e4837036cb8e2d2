"""A model of texts that does not know what it is shown is said to be out of its depth, with the next thing to do."""

from __future__ import annotations

from studio.components.shared.out_of_distribution_note import text_note


def test_only_texts_that_are_unlikely_token_by_token_are_warned_of() -> None:
    assert text_note(-0.03) == text_note(-2.9) == ""
    warning = text_note(-7.25)
    assert "does not know texts like these" in warning and "−7.2 nats" in warning.replace("−7.3", "−7.2")
    assert "Train on this data" in warning
