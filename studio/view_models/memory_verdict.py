"""Whether a run will fit, as a verdict, and the settings that bring it down, as they are typed."""

from __future__ import annotations

from studio.view_models.numbers import memory
from studio.view_models.start_form import typed
from studio.view_models.training_verdicts import Verdict
from swirl.training.memory_check import Fit

PARTS = {
    "weights": "weights",
    "adapters": "adapters and their optimiser",
    "activations": "activations",
    "logits": "logits",
    "cache": "cache",
}


def fit_verdict(fit: Fit | None) -> Verdict:
    """The verdict on a fit; None is a model whose sizes are not known."""
    if fit is None:
        why = "The model's sizes are known once it was loaded here; the run says in one sentence if memory runs out."
        return Verdict("neutral", "Whether it fits is not known yet", why)
    place = "the GPU" if fit.device.startswith("cuda") else "main memory"
    sizes = f"at most {memory(fit.needed.total)} in {fit.phase} phases ({largest(fit)}); {place} has room for "
    sizes += memory(fit.room)
    if fit.fits and not fit.tight:
        return Verdict("good", "It fits", f"{sizes[:1].upper()}{sizes[1:]}.")
    claim, tone = ("A tight fit", "inverse") if fit.fits else ("Too large for this machine", "wrong")
    return Verdict(tone, claim, f"{sizes[:1].upper()}{sizes[1:]}. {way_down(fit)}")


def largest(fit: Fit) -> str:
    """The parts that count, the greatest first: `activations 710 MB, logits 327 MB`."""
    sizes = sorted(((getattr(fit.needed, part), words) for part, words in PARTS.items()), reverse=True)
    return ", ".join(f"{words} {memory(size)}" for size, words in sizes[:2])


def way_down(fit: Fit) -> str:
    """Which settings bring it down, and to what."""
    if fit.after is None:
        return "No setting brings it down; take a smaller model, or a device with more memory."
    changes = assignments(fit)
    if fit.mended:
        return f"{changes} brings it down to {memory(fit.after)}."
    return f"Even with {changes} it needs {memory(fit.after)}; take a smaller model, or a device with more memory."


def assignments(fit: Fit) -> str:
    """`accumulation=8, group_size=4`."""
    return ", ".join(f"{name}={typed(value)}" for name, value in fit.changes.items())
