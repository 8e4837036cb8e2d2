"""Whether a run will fit, as a verdict, and the settings that bring it down, as they are typed."""

from __future__ import annotations

from studio.view_models.formatting import format_bytes
from studio.view_models.start_form import format_setting
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
    """The verdict on a fit; None is a model whose sizes are not known."""
    if fit is None:
        why = "The model's sizes are known once it was loaded here; the run says in one sentence if memory runs out."
        return Verdict("neutral", "Whether it fits is not known yet", why)
    place = "the GPU" if fit.device.startswith("cuda") else "main memory"
    sizes = (
        f"at most {format_bytes(fit.needed.total)} in {fit.phase} phases ({describe_largest_parts(fit)}); "
        f"{place} has room for {format_bytes(fit.available_bytes)}"
    )
    if fit.fits and not fit.is_tight:
        return Verdict("good", "It fits", f"{sizes[:1].upper()}{sizes[1:]}.")
    claim, tone = ("A tight fit", "inverse") if fit.fits else ("Too large for this machine", "wrong")
    return Verdict(tone, claim, f"{sizes[:1].upper()}{sizes[1:]}. {describe_reduction(fit)}")


def describe_largest_parts(fit: MemoryFit) -> str:
    """The parts that count, the greatest first: `activations 710 MB, logits 327 MB`."""
    sizes = sorted(((getattr(fit.needed, part), words) for part, words in PARTS.items()), reverse=True)
    return ", ".join(f"{words} {format_bytes(size)}" for size, words in sizes[:2])


def describe_reduction(fit: MemoryFit) -> str:
    """Which settings bring it down, and to what."""
    if fit.bytes_after_changes is None:
        return "No setting brings it down; take a smaller model, or a device with more memory."
    changes = format_assignments(fit)
    if fit.fits_after_changes:
        return f"{changes} brings it down to {format_bytes(fit.bytes_after_changes)}."
    return (
        f"Even with {changes} it needs {format_bytes(fit.bytes_after_changes)}; take a smaller model, or a device "
        "with more memory."
    )


def format_assignments(fit: MemoryFit) -> str:
    """`accumulation=8, group_size=4`."""
    return ", ".join(f"{name}={format_setting(value)}" for name, value in fit.suggested_changes.items())
