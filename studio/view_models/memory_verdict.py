"""The verdict on whether a run fits in memory, and the settings that would make it smaller."""

from __future__ import annotations

from studio.view_models.advised_settings import format_assignments
from studio.view_models.formatting import format_bytes
from studio.view_models.training_verdicts import Verdict
from swirl.training.memory_check import MemoryFit

PARTS = {
    "weights": "weights",
    "adapters": "adapters and their optimiser",
    "activations": "activations",
    "logits": "logits",
    "cache": "cache",
}


def memory_verdict(fit: MemoryFit | None) -> Verdict:
    """The verdict on a memory check; `fit` is None for a model whose sizes are unknown."""
    if fit is None:
        why = "The model's sizes are known once it has been loaded here; if memory runs out, the run stops and says so."
        return Verdict("neutral", "Not known yet whether it fits", why)
    place = "the GPU" if fit.device.startswith("cuda") else "main memory"
    sizes = (
        f"Needs at most {format_bytes(fit.needed.total)} in {fit.phase} phases ({describe_largest_parts(fit)}); "
        f"{place} has room for {format_bytes(fit.available_bytes)}."
    )
    if fit.fits and not fit.is_tight:
        return Verdict("good", "It fits in memory", sizes)
    claim, tone = ("A tight fit in memory", "inverse") if fit.fits else ("Too large for this machine", "wrong")
    return Verdict(tone, claim, f"{sizes} {describe_reduction(fit)}")


def describe_largest_parts(fit: MemoryFit) -> str:
    """The two largest parts, largest first: `activations 710 MB, logits 327 MB`."""
    sizes = sorted(((getattr(fit.needed, part), label) for part, label in PARTS.items()), reverse=True)
    return ", ".join(f"{label} {format_bytes(size)}" for size, label in sizes[:2])


def describe_reduction(fit: MemoryFit) -> str:
    """Which settings would reduce the memory, and to how much."""
    if fit.bytes_after_changes is None:
        return "No setting reduces it; choose a smaller model or a device with more memory."
    changes = format_assignments(fit.suggested_changes)
    if fit.fits_after_changes:
        return f"Setting {changes} brings it down to {format_bytes(fit.bytes_after_changes)}."
    return (
        f"Even with {changes} it needs {format_bytes(fit.bytes_after_changes)}; choose a smaller model or a device "
        "with more memory."
    )
