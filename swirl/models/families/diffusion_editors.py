"""Diffusion editors as forward models for viewing: they predict next states but have no log-probabilities.

An editor is a diffusers pipeline that edits an image by an instruction. On the pages that only show predictions it
stands in for P(y | x, z). It cannot infer actions and cannot be trained here. Importing this module does not import
torch or diffusers; loading an editor does.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from swirl import pictures
from swirl.errors import SwirlError, first_line
from swirl.models.checkpoint_files import PIPELINE_INDEX_FILE
from swirl.models.hub import HUB_ID, hub_file
from swirl.models.results import Prediction
from swirl.progress import ProgressCallback
from swirl.states import State

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

SIDE = 512  # pixels on the long side of a frame while it is edited; stored frames are no larger
MIN_SIDE = 64  # pixels on its short side: Flux2 Klein takes no less, and no frame narrower than an eighth of 512


@dataclass(frozen=True)
class PipelineConfig:
    """How to load and call a class of pipelines; a distilled pipeline uses `distilled` instead of `settings`."""

    text_encoder: str  # class name in transformers
    settings: dict[str, Any]
    distilled: dict[str, Any] = field(default_factory=dict)
    excluded_parts: tuple[str, ...] = ()  # parts that are neither downloaded nor loaded


PIPELINE_CONFIGS = {
    "StableDiffusionInstructPix2PixPipeline": PipelineConfig(
        "CLIPTextModel",
        {"num_inference_steps": 20, "guidance_scale": 7.5, "image_guidance_scale": 1.5},
        excluded_parts=("safety_checker", "feature_extractor", "image_encoder"),
    ),
    "Flux2KleinPipeline": PipelineConfig(
        "Qwen3ForCausalLM",
        {"num_inference_steps": 28, "guidance_scale": 4.0},
        distilled={"num_inference_steps": 4, "guidance_scale": 1.0},
    ),
}


def is_editor(source: Path | str) -> bool:
    """Whether a folder or a Hub id is a diffusers pipeline. For a Hub id this downloads one small file."""
    if isinstance(source, Path) or Path(source).expanduser().is_dir():
        return (Path(source).expanduser() / PIPELINE_INDEX_FILE).is_file()
    return bool(HUB_ID.fullmatch(source)) and hub_file(source, PIPELINE_INDEX_FILE) is not None


def load_editor(
    source: Path | str, device: str = "auto", precision: str = "auto", *, side: int = SIDE
) -> DiffusionEditor:
    """Load a pipeline from a folder or the Hub; it works on frames whose long side has `side` pixels.

    Only safetensors weights are read, no code of the checkpoint runs, and a safety checker is neither downloaded nor
    loaded. Raises UsageError if the device is not available, and SwirlError if parts are missing or this is no editor.
    """
    # These import torch.
    from swirl.models.load_errors import LOADING_ERRORS
    from swirl.models.placement import pick_device, pick_dtype

    source = str(Path(source).expanduser()) if Path(source).expanduser().is_dir() else str(source)
    kind, torch_device = pipeline_class(source), pick_device(device)
    try:
        pipeline = load_pipeline(source, kind, pick_dtype(torch_device, precision))
    except (*LOADING_ERRORS, AttributeError, ImportError) as error:
        raise SwirlError(
            f"The editor {source} cannot be loaded ({first_line(error)}); name the folder of a diffusers pipeline with "
            "safetensors weights, or a model id on the Hub that this machine can reach."
        ) from error
    pipeline.to(torch_device)
    pipeline.set_progress_bar_config(disable=True)
    return DiffusionEditor(pipeline, name=source, side=side)


def load_pipeline(source: str, kind: str, dtype: torch.dtype) -> DiffusionPipeline:
    """Load the pipeline on the CPU. Raises SwirlError if weights are missing, which both libraries would ignore."""
    import diffusers
    import transformers

    config = PIPELINE_CONFIGS[kind]
    options: dict[str, Any] = dict.fromkeys(config.excluded_parts)
    if "safety_checker" in config.excluded_parts:
        options["requires_safety_checker"] = False
    diffusers.utils.logging.disable_progress_bar()
    text_encoder, report = getattr(transformers, config.text_encoder).from_pretrained(
        source, subfolder="text_encoder", dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    pipeline = getattr(diffusers, kind).from_pretrained(
        source, text_encoder=text_encoder, dtype=dtype, use_safetensors=True, trust_remote_code=False, **options
    )
    parts = {name: part for name, part in pipeline.components.items() if hasattr(part, "named_parameters")}
    empty = [
        f"{name}.{key}" for name, part in parts.items() for key, weight in part.named_parameters() if weight.is_meta
    ]
    missing = [f"text_encoder.{key}" for key in sorted(report["missing_keys"])] + empty
    if missing:
        raise SwirlError(f"The editor {source} lacks weights ({missing[0]}, ...); download it again.")
    return pipeline


def pipeline_class(source: str) -> str:
    """The class name in a pipeline's index. Raises SwirlError if it is not a supported editor or parts are missing."""
    folder = Path(source)
    file = folder / PIPELINE_INDEX_FILE if folder.is_dir() else hub_file(source, PIPELINE_INDEX_FILE)
    if file is None or not file.is_file():
        raise SwirlError(
            f"{source} has no {PIPELINE_INDEX_FILE} that this machine can reach; name a diffusers pipeline."
        )
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); choose another pipeline.") from error
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(kind, str) or kind not in PIPELINE_CONFIGS:
        raise SwirlError(f"{source} is a pipeline of the class {kind}; use {' or '.join(PIPELINE_CONFIGS)}.")
    parts = [name for name, part in index.items() if isinstance(part, list) and part[:1] != [None]]
    missing = [
        name
        for name in parts
        if name not in PIPELINE_CONFIGS[kind].excluded_parts and not any((file.parent / name).glob("*"))
    ]
    if folder.is_dir() and missing:
        # diffusers would create, for example, a missing tokenizer from nothing.
        raise SwirlError(f"{source} lacks the part {missing[0]}; download the whole pipeline again.")
    return kind


class DiffusionEditor:
    """A diffusion editor with the interface of a world model; methods that need log-probabilities raise SwirlError."""

    kind = "image"
    is_trainable = False
    is_small = False

    def __init__(self, pipeline: DiffusionPipeline, *, name: str, side: int = SIDE) -> None:
        config = PIPELINE_CONFIGS[type(pipeline).__name__]
        self.pipeline, self.name, self.side = pipeline, name, side
        self.settings = config.distilled if pipeline.config.get("is_distilled") else config.settings
        denoiser = getattr(pipeline, "unet", None)
        levels = len(denoiser.config.block_out_channels) if denoiser is not None else 2
        # Both sides must be multiples of the autoencoder's factor times the denoiser's.
        self.multiple = pipeline.vae_scale_factor * 2 ** (levels - 1)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.pipeline.device

    def imagine(
        self,
        state: State,
        action: str,
        *,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        with_log_probs: bool = True,
    ) -> list[Prediction]:
        """Predict `n` next states, each of the frame's size, without scores; the i-th depends only on seed + i.

        `temperature` and `with_log_probs` apply to models that sample tokens; they are ignored here.
        """
        return [Prediction(self.edit(state, action, seed + i), None, None) for i in range(n)]

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: ProgressCallback | None = None,
    ) -> list[State]:
        """Predict one next state for each row, always the same for the same row; `temperature` is ignored."""
        imagined: list[State] = []
        for state, action in zip(states, actions, strict=True):
            imagined.append(self.edit(state, action, 0))
            if progress is not None:
                progress(len(imagined) / len(states), "imagining next states")
        return imagined

    def edit(self, state: State, action: str, seed: int) -> State:
        """Edit the frame by the instruction; the result has the frame's size. Raises SwirlError for a text state."""
        import numpy as np
        import torch
        from PIL import Image

        if state.picture is None:
            raise SwirlError(f"{self.name} edits images, but the state is a text; choose a text model.")
        height, width = pictures.pixels(state.picture).shape[:2]
        frame = Image.fromarray(pictures.pixels(state.picture, self.working_size(width, height)))
        generator = torch.Generator("cpu").manual_seed(
            seed
        )  # the CPU generator gives the same numbers on every machine
        output = self.pipeline(prompt=action, image=frame, generator=generator, output_type="pil", **self.settings)
        edited = pictures.from_pixels(np.asarray(output.images[0].convert("RGB")))
        return State(picture=pictures.from_pixels(pictures.pixels(edited, (width, height))))

    def working_size(self, width: int, height: int) -> tuple[int, int]:
        """The (width, height) at which a frame is edited: its shape with `side` pixels on the long side, rounded."""
        scale = self.side / max(width, height)
        new_width, new_height = (
            max(MIN_SIDE, self.multiple, round(length * scale / self.multiple) * self.multiple)
            for length in (width, height)
        )
        return new_width, new_height

    def describe(self) -> dict[str, Any]:
        """What was loaded, as a JSON-serialisable dictionary."""
        parts = [part for part in self.pipeline.components.values() if hasattr(part, "parameters")]
        return {
            "name": self.name,
            "kind": self.kind,
            "trainable": self.is_trainable,
            "pipeline": type(self.pipeline).__name__,
            "parameters": sum(parameter.numel() for part in parts for parameter in part.parameters()),
            "side": self.side,
            "steps": self.settings["num_inference_steps"],
            "device": str(self.device),
            "precision": str(self.pipeline.dtype).removeprefix("torch."),
        }

    def unload(self) -> None:
        """Free the memory; the object cannot be used afterwards."""
        import torch

        device = self.device
        del self.pipeline
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()

    def raise_no_log_probs(self, *_: Any, **__: Any) -> NoReturn:
        """Raise SwirlError; stands in for all methods that need log-probabilities."""
        raise SwirlError(
            f"{self.name} is a diffusion editor: it can show next states but has no log-probabilities, so it cannot "
            "infer actions or be trained here; choose a world model such as tiny-blocks."
        )

    infer = forward_log_prob = inverse_log_prob = log_prob_without_state = raise_no_log_probs
    suggest_actions = sample = log_prob = save = raise_no_log_probs
