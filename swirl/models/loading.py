"""From a checkpoint's name to a WorldModel: a language model that transformers loads, plus two adapters.

What a plain model needs to be one of pictures:

- Janus and Emu3, in transformers' form: nothing more.
- Liquid, or another causal language model with the codes of a VQModel behind its words and the words `<boi>` and
  `<eoi>`: the VQModel's folder, called `codec`, in the model's own. Liquid's published weights come without theirs:
  `python -m swirl.codecs.vqgan_conversion FOLDER_OF_THE_VQGAN LIQUID/codec` writes it from the original `vqgan.yaml`
  and `vqgan.ckpt`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from swirl.codecs import CODEC_FOLDER, vq
from swirl.codecs.state_codecs import Codec, ImageCodec
from swirl.errors import SwirlError
from swirl.models.checkpoint_files import MANIFEST, UNIFIED_MODEL_TYPES, read_manifest
from swirl.models.checkpoints import base_source, checkpoint_kind, locate_checkpoint
from swirl.models.families.diffusion_editors import DiffusionEditor, is_editor, load_editor
from swirl.models.load_errors import LOADING_ERRORS, first_line
from swirl.models.placement import four_bit, pick_device, pick_dtype
from swirl.models.prompts import PROMPT_FORMATS
from swirl.models.world_model import WorldModel

# Our own progress says enough, and peft calls what transformers has just renamed.
disable_progress_bar()
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)

# The language model's layers of a unified model.
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
    """Load a checkpoint, or a plain model that gets new adapters; a diffusion editor where that is what is named.

    Raises SwirlError in one sentence for what is missing or does not fit. Loading never executes code from a
    checkpoint: weights are safetensors and remote code is off.
    """
    source = locate_checkpoint(home, name)
    place = pick_device(device)
    if isinstance(source, str) or not (source / MANIFEST).is_file():
        if is_editor(source):
            return load_editor(source, device, precision)
        base, tokenizer = load_base(str(source), place, precision)
        codec = find_codec(str(source), base, tokenizer)
        return with_new_adapters(base, tokenizer, name, str(source), lora_rank, share_weights, codec)
    manifest = read_manifest(source)
    shared = bool(manifest.get("shared"))
    base_from = base_source(source, manifest)
    base, tokenizer = load_base(base_from, place, precision)
    codec = load_codec(base_from, base, tokenizer) if checkpoint_kind(source) == "image" else None
    if share_weights and not shared:
        return with_new_adapters(base, tokenizer, name, base_from, lora_rank, share_weights=True, codec=codec)
    try:
        model = PeftModel.from_pretrained(base, str(source / "fwm"), adapter_name="fwm", is_trainable=True)
        if not shared:
            model.load_adapter(str(source / "idm"), adapter_name="idm", is_trainable=True)
    except LOADING_ERRORS as error:
        raise SwirlError(f"The adapters in {source} do not fit the model {base_from} ({first_line(error)}).") from error
    if shared and not share_weights:
        copy_adapter(model, "fwm", "idm")
    return WorldModel(model, tokenizer, name=name, base=base_from, shared=shared and share_weights, codec=codec)


def find_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec | None:
    """The image codec of a plain model; None for a model of texts.

    Raises SwirlError for a model whose words are those of pictures and which has no codec beside it.
    """
    if base.config.model_type in UNIFIED_MODEL_TYPES or (Path(source) / CODEC_FOLDER).is_dir():
        return load_codec(source, base, tokenizer)
    opening = PROMPT_FORMATS["liquid"].picture_start
    if opening not in tokenizer.get_vocab():
        return None
    raise SwirlError(
        f"The model {source} draws pictures ({opening}) and has no image codec; name a folder that holds its weights, "
        f"and in its folder {CODEC_FOLDER} its codec (python -m swirl.codecs.vqgan_conversion writes one)."
    )


def load_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The image codec within a unified model, or beside a base model whose vocabulary ends with its codes.

    Raises SwirlError if it does not.
    """
    if base.config.model_type in UNIFIED_MODEL_TYPES:
        try:
            return inner_codec(source, base, tokenizer)
        except LOADING_ERRORS as error:
            raise SwirlError(
                f"The model {source} does not say how its pictures are scaled ({first_line(error)}); fetch it again."
            ) from error
    images = vq.load_image_tokenizer(Path(source) / CODEC_FOLDER, base.device)
    offset = base.config.get_text_config().vocab_size - images.codebook_size
    if offset < len(tokenizer):
        raise SwirlError(
            f"The model {source} has {base.config.vocab_size} ids, too few for the {len(tokenizer)} of its tokenizer "
            f"and the {images.codebook_size} of its codec; take another checkpoint."
        )
    return ImageCodec(tokenizer, images, offset)


def inner_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The image codec within a Janus or an Emu3."""
    if base.config.model_type == "janus":
        from swirl.models.families.janus import janus_codec

        return janus_codec(source, base, tokenizer)
    from swirl.models.families.emu3 import emu3_codec

    return emu3_codec(source, base, tokenizer)


def load_base(source: str, device: torch.device, precision: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The language model and tokenizer of a folder or Hub id, frozen, on the device."""
    options: dict[str, Any] = {"dtype": pick_dtype(device, precision), "trust_remote_code": False}
    if precision == "4bit":
        options["quantization_config"] = four_bit()
        options["device_map"] = {"": device}
    try:
        config = without_dropout(AutoConfig.from_pretrained(source, trust_remote_code=False))
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model, report = model_class_for(config).from_pretrained(
            source, config=config, use_safetensors=True, output_loading_info=True, **options
        )
    except LOADING_ERRORS as error:
        raise SwirlError(
            f"The model {source} cannot be loaded ({first_line(error)}); name a folder with safetensors weights and a "
            "tokenizer, or a model id on the Hub that this machine can reach."
        ) from error
    if report["missing_keys"]:
        # transformers would fill them with random numbers and go on.
        raise SwirlError(
            f"The model {source} lacks weights ({sorted(report['missing_keys'])[0]}, ...); fetch it again."
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if precision != "4bit":
        model.to(device)
    model.requires_grad_(False)
    return model, tokenizer


def model_class_for(config: PreTrainedConfig) -> Any:
    """The class that loads a model; the automatic ones know unified models only as models of texts."""
    if config.model_type not in UNIFIED_MODEL_TYPES:
        return AutoModelForCausalLM
    from transformers import Emu3ForConditionalGeneration, JanusForConditionalGeneration

    return {"emu3": Emu3ForConditionalGeneration, "janus": JanusForConditionalGeneration}[config.model_type]


def without_dropout(config: PreTrainedConfig) -> PreTrainedConfig:
    """Without the attention's dropout: a trainer's passes, in train mode, must give the sampler's probabilities."""
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
    """Fresh LoRA adapters on every linear layer but the head; they start as the base model itself (B = 0).

    Of a unified model the language model alone gets them, not what reads or draws pictures.
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


def copy_adapter(model: PeftModel, source: str, target: str) -> None:
    """Make `target` a copy of the adapter `source`, adding it where it does not exist; LoRA weights only."""
    if target not in model.peft_config:
        model.add_adapter(target, model.peft_config[source])
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if f".{source}." in name:
            parameters[name.replace(f".{source}.", f".{target}.")].data.copy_(parameter.data)
