"""How busy the machine is, as meters: what is measured, how full it is, and the figure with its unit."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import NO_BREAK_SPACE, format_percent, pluralize
from swirl.devices import MachineLoad

FULL = 0.9  # share from which a meter is marked: little is left


@dataclass(frozen=True)
class Meter:
    """One meter: its name, its share from 0 to 1 (None where it is not told), the figure, and a sentence on it."""

    name: str
    share: float | None
    figure: str
    explanation: str
    is_exhaustible: bool = False
    """Whether trouble comes when it is full: of memory it does, a busy processor is at work."""

    @property
    def is_full(self) -> bool:
        """Whether so little is left that trouble is near."""
        return self.is_exhaustible and self.share is not None and self.share >= FULL


def machine_meters(load: MachineLoad) -> list[Meter]:
    """The meters of the processor, the memory and each GPU; without a GPU one that says so."""
    found = [
        Meter(
            "CPU",
            load.cpu_utilization,
            format_percent(load.cpu_utilization),
            f"{pluralize(load.cores, 'core')}, all of them together.",
        ),
        Meter(
            "Memory",
            load.memory_used / load.memory_total,
            format_usage(load.memory_used, load.memory_total),
            "Main memory that programs hold.",
            True,
        ),
    ]
    for gpu in load.gpus:
        busy = "not told" if gpu.utilization is None else format_percent(gpu.utilization)
        name = "GPU" if len(load.gpus) == 1 else f"GPU{NO_BREAK_SPACE}{gpu.index}"
        found.append(Meter(name, gpu.utilization, busy, f"{gpu.name}: how much of the time it computes."))
        held = format_usage(gpu.memory_used, gpu.memory_total)
        found.append(Meter(f"{name} memory", gpu.memory_used / gpu.memory_total, held, f"Memory of {gpu.name}.", True))
    return found


def format_usage(used: int, total: int) -> str:
    """`3.1 of 24 GB`."""
    whole = total / 1e9
    return (
        f"{used / 1e9:.1f} of {whole:.0f}{NO_BREAK_SPACE}GB"
        if whole >= 10
        else f"{used / 1e9:.1f} of {whole:.1f}{NO_BREAK_SPACE}GB"
    )


def summarize_load(load: MachineLoad) -> str:
    """The machine on a chip: `CPU 43 % · 3.1 of 24 GB`, or of the busiest GPU."""
    if load.gpus:
        gpu = max(load.gpus, key=lambda one: one.memory_used / one.memory_total)
        busy = "" if gpu.utilization is None else f" {format_percent(gpu.utilization)}"
        return f"GPU{busy} · {format_usage(gpu.memory_used, gpu.memory_total)}"
    return f"CPU {format_percent(load.cpu_utilization)} · {format_usage(load.memory_used, load.memory_total)}"
