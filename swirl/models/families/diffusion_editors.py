"""Diffusion editors as forward models to look at: they show next states, but give no log-probabilities.

An editor is a diffusers pipeline that changes a picture by an instruction. It takes the part of P(y | x, z) on the
pages that only look at predictions; it cannot infer actions and cannot be trained here. torch and diffusers are loaded
when an editor is.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from swirl import pictures
from swirl.errors import SwirlError
from swirl.models.checkpoint_files import PIPELINE_INDEX_FILE
from swirl.models.hub import HUB_ID, hub_file
from swirl.models.results import Prediction
from swirl.progress import ProgressCallback
from swirl.states import State

if TYPE_CHECKING:
    import torch
    from diffusers import DiffusionPipeline

SIDE = 512  # pixels on a frame's long side while it is edited: frames are not stored any larger
SHORTEST = 64  # and on its short side: Flux2 Klein takes no less, and an eighth of 512 is what it takes at most


@dataclass(frozen=True)
class PipelineConfig:
    """How a pipeline is asked: `settings` in full, `distilled` in their place where the pipeline says it is."""

    text_encoder: str  # its class in transformers
    settings: dict[str, Any]
    distilled: dict[str, Any] = field(default_factory=dict)
    unwanted: tuple[str, ...] = ()  # parts that are neither fetched nor loaded


PIPELINE_CONFIGS = {
    "StableDiffusionInstructPix2PixPipeline": PipelineConfig(
        "CLIPTextModel",
        {"num_inference_steps": 20, "guidance_scale": 7.5, "image_guidance_scale": 1.5},
        unwanted=("safety_checker", "feature_extractor", "image_encoder"),
    ),
    "Flux2KleinPipeline": PipelineConfig(
        "Qwen3ForCausalLM",
        {"num_inference_steps": 28, "guidance_scale": 4.0},
        distilled={"num_inference_steps": 4, "guidance_scale": 1.0},
    ),
}


def is_editor(source: Path | str) -> bool:
    """Whether a folder, or a model id on the Hub, is a diffusers pipeline. A Hub id costs a look at one small file."""
    if isinstance(source, Path) or Path(source).expanduser().is_dir():
        return (Path(source).expanduser() / PIPELINE_INDEX_FILE).is_file()
    return bool(HUB_ID.fullmatch(source)) and hub_file(source, PIPELINE_INDEX_FILE) is not None


def load_editor(
    source: Path | str, device: str = "auto", precision: str = "auto", *, side: int = SIDE
) -> DiffusionEditor:
    """Load a pipeline from a folder or the Hub; `side` is the long side in pixels at which it works.

    Only safetensors weights are read, no code of the checkpoint runs, and a safety checker is neither fetched nor
    loaded. Raises SwirlError in one sentence for what is missing or is no editor.
    """
    # torch comes with these: it waits until an editor is loaded.
    from swirl.models.load_errors import LOADING_ERRORS, first_line
    from swirl.models.placement import pick_device, pick_dtype

    source = str(Path(source).expanduser()) if Path(source).expanduser().is_dir() else str(source)
    kind, place = pipeline_class(source), pick_device(device)
    try:
        pipeline = load_pipeline(source, kind, pick_dtype(place, precision))
    except (*LOADING_ERRORS, AttributeError, ImportError) as error:
        raise SwirlError(
            f"The editor {source} cannot be loaded ({first_line(error)}); name a folder of a diffusers pipeline with "
            "safetensors weights, or a model id on the Hub that this machine can reach."
        ) from error
    pipeline.to(place)
    pipeline.set_progress_bar_config(disable=True)
    return DiffusionEditor(pipeline, name=source, side=side)


def load_pipeline(source: str, kind: str, dtype: torch.dtype) -> DiffusionPipeline:
    """The pipeline on the CPU. Raises SwirlError when weights are missing: both libraries would go on without them."""
    import diffusers
    import transformers

    recipe = PIPELINE_CONFIGS[kind]
    options: dict[str, Any] = dict.fromkeys(recipe.unwanted)
    if "safety_checker" in recipe.unwanted:
        options["requires_safety_checker"] = False
    diffusers.utils.logging.disable_progress_bar()
    text_encoder, report = getattr(transformers, recipe.text_encoder).from_pretrained(
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
        raise SwirlError(f"The editor {source} lacks weights ({missing[0]}, ...); fetch it again.")
    return pipeline


def pipeline_class(source: str) -> str:
    """The class that a pipeline's index names. Raises SwirlError unless it is one that edits a picture by words."""
    folder = Path(source)
    file = folder / PIPELINE_INDEX_FILE if folder.is_dir() else hub_file(source, PIPELINE_INDEX_FILE)
    if file is None or not file.is_file():
        raise SwirlError(
            f"{source} has no {PIPELINE_INDEX_FILE} that this machine can reach; name a diffusers pipeline."
        )
    try:
        index = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SwirlError(f"{file} cannot be read as JSON ({error}); take another pipeline.") from error
    kind = index.get("_class_name") if isinstance(index, dict) else None
    if not isinstance(kind, str) or kind not in PIPELINE_CONFIGS:
        raise SwirlError(f"{source} is a pipeline of the kind {kind}; it takes {' or '.join(PIPELINE_CONFIGS)}.")
    parts = [name for name, part in index.items() if isinstance(part, list) and part[:1] != [None]]
    gone = [
        name
        for name in parts
        if name not in PIPELINE_CONFIGS[kind].unwanted and not any((file.parent / name).glob("*"))
    ]
    if folder.is_dir() and gone:
        # A tokenizer, for one, would be made up from nothing.
        raise SwirlError(f"{source} lacks the part {gone[0]}; fetch the whole pipeline again.")
    return kind


class DiffusionEditor:
    """A diffusion editor with the face of a world model, for as much as it can do."""

    kind = "image"
    is_trainable = False
    is_small = False

    def __init__(self, pipeline: DiffusionPipeline, *, name: str, side: int = SIDE) -> None:
        recipe = PIPELINE_CONFIGS[type(pipeline).__name__]
        self.pipeline, self.name, self.side = pipeline, name, side
        self.settings = recipe.distilled if pipeline.config.get("is_distilled") else recipe.settings
        denoiser = getattr(pipeline, "unet", None)
        levels = len(denoiser.config.block_out_channels) if denoiser is not None else 2
        # What both sides must be whole multiples of: the autoencoder's factor, times the denoiser's.
        self.multiple = pipeline.vae_scale_factor * 2 ** (levels - 1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pipeline.device

    def imagine(
        self, state: State, action: str, *, n: int = 4, temperature: float = 1.0, seed: int = 0
    ) -> list[Prediction]:
        """`n` next states, each the size of the frame, without scores; the i-th depends on seed + i alone.

        `temperature` is for models that draw tokens and is not used.
        """
        return [Prediction(self.edit(state, action, seed + i), None, None) for i in range(n)]

    def imagine_batch(
        self,
        states: Sequence[State],
        actions: Sequence[str],
        temperature: float = 0.0,
        progress: ProgressCallback | None = None,
    ) -> list[State]:
        """One next state for each row, always the same for the same row; `temperature` is not used."""
        imagined: list[State] = []
        for state, action in zip(states, actions, strict=True):
            imagined.append(self.edit(state, action, 0))
            if progress is not None:
                progress(len(imagined) / len(states), "imagining next states")
        return imagined

    def edit(self, state: State, action: str, seed: int) -> State:
        """The frame as the pipeline changes it by the instruction. Raises SwirlError for a text state."""
        import numpy as np
        import torch
        from PIL import Image

        if state.picture is None:
            raise SwirlError(f"{self.name} edits pictures, and the state is a text; choose a model of texts.")
        height, width = pictures.pixels(state.picture).shape[:2]
        frame = Image.fromarray(pictures.pixels(state.picture, self.working_size(width, height)))
        generator = torch.Generator("cpu").manual_seed(seed)  # the CPU's numbers are the same on every machine
        made = self.pipeline(prompt=action, image=frame, generator=generator, output_type="pil", **self.settings)
        drawn = pictures.from_pixels(np.asarray(made.images[0].convert("RGB")))
        return State(picture=pictures.from_pixels(pictures.pixels(drawn, (width, height))))

    def working_size(self, width: int, height: int) -> tuple[int, int]:
        """The size at which a frame is edited: the same shape, `side` long, in whole multiples."""
        scale = self.side / max(width, height)
        wide, high = (
            max(SHORTEST, self.multiple, round(length * scale / self.multiple) * self.multiple)
            for length in (width, height)
        )
        return wide, high

    def describe(self) -> dict[str, Any]:
        """What was loaded, for people."""
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
        """Give the memory back; the object is of no use afterwards."""
        import torch

        device = self.device
        del self.pipeline
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()

    def raise_no_log_probs(self, *_: Any, **__: Any) -> NoReturn:
        """Every question that needs log-probabilities ends here."""
        raise SwirlError(
            f"{self.name} is a diffusion editor: it can show next states but has no log-probabilities, so it cannot "
            "infer actions or be trained here; choose a world model such as tiny-blocks."
        )

    infer = forward_log_prob = inverse_log_prob = log_prob_without_state = raise_no_log_probs
    suggest_actions = sample = log_prob = save = raise_no_log_probs
