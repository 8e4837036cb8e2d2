"""How busy the machine is, as meters for the processor, the memory and each GPU."""

from __future__ import annotations

from dataclasses import dataclass

from studio.view_models.formatting import NO_BREAK_SPACE, format_percent, pluralize
from swirl.devices import MachineLoad

FULL = 0.9  # share from which an exhaustible meter is marked as full


@dataclass(frozen=True)
class Meter:
    """One meter: its name, its share from 0 to 1 (None if unknown), its value with the unit, and an explanation."""

    name: str
    share: float | None
    figure: str
    explanation: str
    is_exhaustible: bool = False
    """Whether a full meter means trouble: true of memory, not of a processor."""

    @property
    def is_full(self) -> bool:
        """Whether so little is left that the machine may soon run out."""
        return self.is_exhaustible and self.share is not None and self.share >= FULL


def machine_meters(load: MachineLoad) -> list[Meter]:
    """The meters of the processor, the main memory, and the use and memory of each GPU."""
    meters = [
        Meter(
            "CPU",
            load.cpu_utilization,
            format_percent(load.cpu_utilization),
            f"Average load of {pluralize(load.cores, 'core')}.",
        ),
        Meter(
            "Memory",
            load.memory_used / load.memory_total,
            format_usage(load.memory_used, load.memory_total),
            "Main memory in use by all programs.",
            True,
        ),
    ]
    for gpu in load.gpus:
        busy = "unknown" if gpu.utilization is None else format_percent(gpu.utilization)
        name = "GPU" if len(load.gpus) == 1 else f"GPU{NO_BREAK_SPACE}{gpu.index}"
        meters.append(Meter(name, gpu.utilization, busy, f"{gpu.name}: share of the time it is computing."))
        used = format_usage(gpu.memory_used, gpu.memory_total)
        meters.append(Meter(f"{name} memory", gpu.memory_used / gpu.memory_total, used, f"Memory of {gpu.name}.", True))
    return meters


def format_usage(used: int, total: int) -> str:
    """Bytes used of a total: `3.1 of 24 GB`."""
    gigabytes = total / 1e9
    return f"{used / 1e9:.1f} of {gigabytes:.{0 if gigabytes >= 10 else 1}f}{NO_BREAK_SPACE}GB"


def summarize_load(load: MachineLoad) -> str:
    """The load in one line: `CPU 43 % · 3.1 of 24 GB`; with GPUs, the one whose memory is fullest."""
    if load.gpus:
        gpu = max(load.gpus, key=lambda gpu: gpu.memory_used / gpu.memory_total)
        busy = "" if gpu.utilization is None else f" {format_percent(gpu.utilization)}"
        return f"GPU{busy} · {format_usage(gpu.memory_used, gpu.memory_total)}"
    return f"CPU {format_percent(load.cpu_utilization)} · {format_usage(load.memory_used, load.memory_total)}"
