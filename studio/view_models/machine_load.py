"""How busy the machine is, as meters: what is measured, how full it is, and the figure with its unit."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.numbers import THIN, counted, percent
from swirl.devices import Load

FULL = 0.9  # share from which a meter is marked: little is left


@dataclass(frozen=True)
class Meter:
    """One meter: its name, its share from 0 to 1 (None where it is not told), the figure, and a sentence on it."""

    name: str
    share: float | None
    figure: str
    why: str
    runs_out: bool = False
    """Whether trouble comes when it is full: of memory it does, a busy processor is at work."""

    @property
    def full(self) -> bool:
        """Whether so little is left that trouble is near."""
        return self.runs_out and self.share is not None and self.share >= FULL


def meters(load: Load) -> list[Meter]:
    """The meters of the processor, the memory and each GPU; without a GPU one that says so."""
    found = [
        Meter("CPU", load.busy, percent(load.busy), f"{counted(load.cores, 'core')}, all of them together."),
        Meter("Memory", load.used / load.total, of(load.used, load.total), "Main memory that programs hold.", True),
    ]
    for gpu in load.gpus:
        busy = "not told" if gpu.busy is None else percent(gpu.busy)
        name = "GPU" if len(load.gpus) == 1 else f"GPU{THIN}{gpu.index}"
        found.append(Meter(name, gpu.busy, busy, f"{gpu.name}: how much of the time it computes."))
        held = of(gpu.used, gpu.total)
        found.append(Meter(f"{name} memory", gpu.used / gpu.total, held, f"Memory of {gpu.name}.", True))
    return found


def of(used: int, total: int) -> str:
    """`3.1 of 24 GB`."""
    whole = total / 1e9
    return f"{used / 1e9:.1f} of {whole:.0f}{THIN}GB" if whole >= 10 else f"{used / 1e9:.1f} of {whole:.1f}{THIN}GB"


def in_short(load: Load) -> str:
    """The machine on a chip: `CPU 43 % · 3.1 of 24 GB`, or of the busiest GPU."""
    if load.gpus:
        gpu = max(load.gpus, key=lambda one: one.used / one.total)
        busy = "" if gpu.busy is None else f" {percent(gpu.busy)}"
        return f"GPU{busy} · {of(gpu.used, gpu.total)}"
    return f"CPU {percent(load.busy)} · {of(load.used, load.total)}"
