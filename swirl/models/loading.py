"""Loads a WorldModel by name: a language model through transformers, plus two adapters.

A plain model works as an image model under these conditions:

- Janus and Emu3, in the transformers format: nothing else is needed.
- Liquid, or another causal language model whose vocabulary has the words `<boi>` and `<eoi>` and ends with the codes of
  a VQModel: the model's folder must contain that VQModel in the subfolder `codec`. Liquid's published weights lack it;
  `python -m swirl.codecs.vqgan_conversion FOLDER_OF_THE_VQGAN LIQUID/codec` writes it from the original `vqgan.yaml`
  and `vqgan.ckpt`.
"""

from __future__ import annotations

import math
import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GgufConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    modeling_gguf_pytorch_utils,
    set_seed,
)
from transformers.utils.logging import disable_progress_bar

from swirl.codecs import CODEC_FOLDER, vq
from swirl.codecs.state_codecs import Codec, ImageCodec
from swirl.errors import SwirlError, UsageError, first_line
from swirl.models.checkpoint_files import MANIFEST, TOKEN_LIMITS, UNIFIED_MODEL_TYPES, read_manifest
from swirl.models.checkpoints import base_source, checkpoint_kind, locate_checkpoint
from swirl.models.families.diffusion_editors import DiffusionEditor, is_editor, load_editor
from swirl.models.gguf_files import check_loadable, find_in_folder
from swirl.models.load_errors import LOADING_ERRORS
from swirl.models.placement import four_bit_config, pick_device, pick_dtype
from swirl.models.prompts import PROMPT_FORMATS
from swirl.models.world_model import WorldModel

# The studio shows its own progress; that of GGUF files has no setting. And peft calls a method that transformers has
# deprecated.
disable_progress_bar()
modeling_gguf_pytorch_utils.tqdm = partial(modeling_gguf_pytorch_utils.tqdm, disable=True)
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)

SIZE_TOLERANCE = 16
"""How many times as large as its weights a config may be: some formats pack eight numbers into one."""

# The layers of the language model in a unified model.
LANGUAGE_MODEL_LAYERS = r".*(language_model|text_model)\.layers\.\d+\.(self_attn|mlp)\.\w+_proj"


def load_world_model(
    home: Path,
    name: str,
    device: str = "auto",
    precision: str = "auto",
    *,
    lora_rank: int = 16,
    share_weights: bool = False,
) -> WorldModel | DiffusionEditor:
    """Load a checkpoint, a plain model (which gets new adapters), or a diffusion editor.

    Raises UsageError if the device is not available, and SwirlError if anything is missing or does not match. Loading
    never executes code from a checkpoint: weights are safetensors and remote code is off.
    """
    source = locate_checkpoint(home, name)
    torch_device = pick_device(device)
    if isinstance(source, str) or not (source / MANIFEST).is_file():
        if is_editor(source):
            return load_editor(source, device, precision)
        base, tokenizer = load_base(str(source), torch_device, precision)
        codec = find_codec(str(source), base, tokenizer)
        return with_new_adapters(base, tokenizer, name, str(source), lora_rank, share_weights, codec)
    manifest = read_manifest(source)
    shared = bool(manifest.get("shared"))
    base_from = base_source(source, manifest)
    base, tokenizer = load_base(base_from, torch_device, precision)
    codec = load_codec(base_from, base, tokenizer) if checkpoint_kind(source) == "image" else None
    if share_weights and not shared:
        return with_new_adapters(base, tokenizer, name, base_from, lora_rank, share_weights=True, codec=codec)
    try:
        model = PeftModel.from_pretrained(base, str(source / "fwm"), adapter_name="fwm", is_trainable=True)
        if not shared:
            model.load_adapter(str(source / "idm"), adapter_name="idm", is_trainable=True)
    except LOADING_ERRORS as error:
        raise SwirlError(
            f"The adapters in {source} do not fit the model {base_from} ({first_line(error)}); choose another "
            "checkpoint."
        ) from error
    if shared and not share_weights:
        copy_adapter(model, "fwm", "idm")
    world = WorldModel(model, tokenizer, name=name, base=base_from, shared=shared and share_weights, codec=codec)
    for limit in TOKEN_LIMITS:  # or answers as long as those of its training would be cut
        setattr(world, limit, max(getattr(world, limit), manifest.get(limit, 0)))
    return world


def find_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec | None:
    """The image codec of a plain model; None for a text model.

    Raises SwirlError for an image model without a codec.
    """
    if base.config.model_type in UNIFIED_MODEL_TYPES or (Path(source) / CODEC_FOLDER).is_dir():
        return load_codec(source, base, tokenizer)
    opening = PROMPT_FORMATS["liquid"].picture_start
    if opening not in tokenizer.get_vocab():
        return None
    raise SwirlError(
        f"The model {source} draws images ({opening}) but has no image codec; name a folder with its weights and, in "
        f"the subfolder {CODEC_FOLDER}, its codec (python -m swirl.codecs.vqgan_conversion writes one)."
    )


def load_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The image codec inside a unified model, or in the folder of a base model whose vocabulary ends with its codes.

    Raises SwirlError if the codec cannot be loaded or does not match the vocabulary.
    """
    if base.config.model_type in UNIFIED_MODEL_TYPES:
        try:
            return inner_codec(source, base, tokenizer)
        except LOADING_ERRORS as error:
            raise SwirlError(
                f"The image processor of the model {source} cannot be loaded ({first_line(error)}); download it again."
            ) from error
    images = vq.load_image_tokenizer(Path(source) / CODEC_FOLDER, base.device)
    offset = base.config.get_text_config().vocab_size - images.codebook_size
    if offset < len(tokenizer):
        raise SwirlError(
            f"The model {source} has {base.config.vocab_size} ids, too few for the {len(tokenizer)} of its tokenizer "
            f"and the {images.codebook_size} of its codec; choose another checkpoint."
        )
    return ImageCodec(tokenizer, images, offset)


def inner_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The image codec inside a Janus or Emu3 model."""
    if base.config.model_type == "janus":
        from swirl.models.families.janus import janus_codec

        return janus_codec(source, base, tokenizer)
    from swirl.models.families.emu3 import emu3_codec

    return emu3_codec(source, base, tokenizer)


def load_base(source: str, device: torch.device, precision: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the frozen language model and the tokenizer of a folder, a GGUF file or a Hub id onto the device.

    Raises SwirlError if the model cannot be loaded or lacks weights.
    """
    options: dict[str, Any] = {"trust_remote_code": False}
    if precision == "4bit":
        options["quantization_config"] = four_bit_config()
        options["device_map"] = {"": device}
    file = gguf_file_of(source)
    folder, which = (source, {}) if file is None else (str(file.parent), {"gguf_file": file.name})
    if file is not None:
        check_loadable(file)
        if precision == "4bit":
            raise UsageError(f"{file.name} cannot be loaded with precision=4bit; use precision=auto.")
        # Without it the model counts as quantised, even where its weights are unpacked, and transformers refuses to
        # train it or adapters on it.
        options["quantization_config"] = GgufConfig(dequantize=True)
    try:
        with nullcontext() if file is None else gguf_reading():
            config = without_dropout(AutoConfig.from_pretrained(folder, trust_remote_code=False, **which))
            stored = stored_parameters(Path(folder))
            parameters = count_parameters(config) if stored or device.type == "cpu" else 0
            check_size(parameters, stored)
            options["dtype"] = pick_dtype(device, precision, parameters)
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **which)
            model, report = model_class_for(config).from_pretrained(
                folder, config=config, use_safetensors=True, output_loading_info=True, **options, **which
            )
    except LOADING_ERRORS as error:
        if file is not None:
            raise SwirlError(
                f"The GGUF file {file.name} cannot be loaded ({first_line(error)}); choose a model of another "
                "architecture, or a folder with safetensors weights."
            ) from error
        raise SwirlError(
            f"The model {source} cannot be loaded ({first_line(error)}); name a folder with safetensors weights and a "
            "tokenizer, a GGUF file, or a model id on the Hub that this machine can reach."
        ) from error
    if report["missing_keys"]:
        # transformers would initialise them at random and continue.
        raise SwirlError(
            f"The model {source} lacks weights ({sorted(report['missing_keys'])[0]}, ...); download it again."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if precision != "4bit":
        model.to(device)
    model.requires_grad_(False)
    return model, tokenizer


def check_size(described: int, stored: int) -> None:
    """Raise ValueError if a config describes far more parameters than the weights beside it hold, if there are any.

    A damaged config may describe a model that no memory holds, which would be built before its shapes are compared.
    """
    if stored and described > SIZE_TOLERANCE * stored:
        raise ValueError(f"config.json describes {described} parameters, but its weights hold {stored}")


def stored_parameters(folder: Path) -> int:
    """The number of elements of all tensors in a folder's safetensors files, by their headers."""
    count = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as opened:
            count += sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    return count


def gguf_reading() -> AbstractContextManager[None]:
    """`read_once`, imported only where a GGUF file is loaded: the package gguf is an extra."""
    from swirl.models.gguf_reading import read_once

    return read_once()


def gguf_file_of(source: str) -> Path | None:
    """The GGUF file that a source names: itself, or the one in a folder without a config.json; None if it is none."""
    path = Path(source)
    if path.is_file():
        return path
    return find_in_folder(path) if path.is_dir() and not (path / "config.json").is_file() else None


def model_class_for(config: PreTrainedConfig) -> Any:
    """The class that loads a model; the automatic classes load unified models as text models only."""
    if config.model_type not in UNIFIED_MODEL_TYPES:
        return AutoModelForCausalLM
    from transformers import Emu3ForConditionalGeneration, JanusForConditionalGeneration

    model_class = {"emu3": Emu3ForConditionalGeneration, "janus": JanusForConditionalGeneration}[config.model_type]
    # Rounded to bfloat16, the image tokenizer would turn some pictures into other codes.
    model_class._keep_in_fp32_modules_strict = {"vqmodel"}
    return model_class


def base_dtype(source: str, device: torch.device, precision: str) -> torch.dtype:
    """The type that `load_base` gives the weights of this model. Raises SwirlError if its config cannot be read."""
    file = gguf_file_of(source)
    folder, which = (source, {}) if file is None else (str(file.parent), {"gguf_file": file.name})
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, **which)
        return pick_dtype(device, precision, count_parameters(config) if device.type == "cpu" else 0)
    except LOADING_ERRORS as error:
        raise SwirlError(f"The model {source} cannot be read ({first_line(error)}); choose another one.") from error


def count_parameters(config: PreTrainedConfig) -> int:
    """The number of parameters of the model that a config describes; nothing is loaded or allocated."""
    model_class = model_class_for(config)
    build = model_class.from_config if model_class is AutoModelForCausalLM else model_class._from_config
    with torch.device("meta"):
        return build(config).num_parameters()


def without_dropout(config: PreTrainedConfig) -> PreTrainedConfig:
    """The config with attention dropout off: the trainer, in train mode, must get the sampler's probabilities."""
    text = config.get_text_config()
    if getattr(text, "attention_dropout", 0.0):
        text.attention_dropout = 0.0
    return config


def with_new_adapters(
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    source: str,
    lora_rank: int,
    share_weights: bool,
    codec: Codec | None = None,
) -> WorldModel:
    """Add new LoRA adapters to every linear layer except the head; they start without effect (B = 0).

    In a unified model only the language model gets adapters, not the modules that read or draw images.
    """
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora_rank,
        lora_alpha=2 * lora_rank,
        lora_dropout=0.0,
        target_modules=LANGUAGE_MODEL_LAYERS if base.config.model_type in UNIFIED_MODEL_TYPES else "all-linear",
    )
    model = get_peft_model(base, config, adapter_name="fwm")
    if not share_weights:
        model.add_adapter("idm", config)
    return WorldModel(model, tokenizer, name=name, base=source, shared=share_weights, codec=codec)


def reset_adapter(model: PeftModel, name: str, seed: int) -> None:
    """Give the adapter `name` new LoRA weights, which have no effect (B = 0), as if it had never been trained."""
    set_seed(seed)
    for module in model.modules():
        if isinstance(module, LoraLayer) and name in module.lora_A:
            module.reset_lora_parameters(name, True)


def copy_adapter(model: PeftModel, source: str, target: str) -> None:
    """Copy the LoRA weights of the adapter `source` to `target`, which is added if it does not exist."""
    if target not in model.peft_config:
        model.add_adapter(target, model.peft_config[source])
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if f".{source}." in name:
            with torch.no_grad():  # not through `.data`: folded weights go by the version of the parameter
                parameters[name.replace(f".{source}.", f".{target}.")].copy_(parameter)
