"""From a checkpoint's name to a WorldModel: any causal language model that transformers loads, plus two adapters."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from swirl.codecs import Codec, ImageCodec
from swirl.errors import SwirlError, UsageError
from swirl.models import vq
from swirl.models.checkpoints import MANIFEST, base_source, kind_of, read_manifest, resolve_checkpoint
from swirl.models.world_model import WorldModel

# Our own progress says enough, and peft calls what transformers has just renamed.
disable_progress_bar()
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)

# What the engines raise for folders that are not what they should be.
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError)


def load_world_model(
    home: Path,
    name: str,
    device: str = "auto",
    precision: str = "auto",
    *,
    lora_rank: int = 16,
    share_weights: bool = False,
) -> WorldModel:
    """Load a checkpoint, or a plain language model that gets new adapters.

    Raises SwirlError in one sentence for what is missing or does not fit. Loading never executes code from a
    checkpoint: weights are safetensors and remote code is off.
    """
    source = resolve_checkpoint(home, name)
    place = pick_device(device)
    if isinstance(source, str) or not (source / MANIFEST).is_file():
        base, tokenizer = load_base(str(source), place, precision)
        return with_new_adapters(base, tokenizer, name, str(source), lora_rank, share_weights)
    manifest = read_manifest(source)
    shared = bool(manifest.get("shared"))
    base_from = base_source(source, manifest)
    base, tokenizer = load_base(base_from, place, precision)
    codec = load_codec(base_from, base, tokenizer) if kind_of(source) == "image" else None
    if share_weights and not shared:
        return with_new_adapters(base, tokenizer, name, base_from, lora_rank, share_weights=True, codec=codec)
    try:
        model = PeftModel.from_pretrained(base, str(source / "fwm"), adapter_name="fwm", is_trainable=True)
        if not shared:
            model.load_adapter(str(source / "idm"), adapter_name="idm", is_trainable=True)
    except UNREADABLE as error:
        raise SwirlError(f"The adapters in {source} do not fit the model {base_from} ({first_line(error)}).") from error
    if shared and not share_weights:
        copy_adapter(model, "fwm", "idm")
    return WorldModel(model, tokenizer, name=name, base=base_from, shared=shared and share_weights, codec=codec)


def load_codec(source: str, base: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The image codec beside a base model whose vocabulary ends with its codes. Raises SwirlError if it does not."""
    images = vq.load(Path(source) / vq.CODEC, base.device)
    offset = base.config.get_text_config().vocab_size - images.codes
    if offset < len(tokenizer):
        raise SwirlError(
            f"The model {source} has {base.config.vocab_size} ids, too few for the {len(tokenizer)} of its tokenizer "
            f"and the {images.codes} of its codec; take another checkpoint."
        )
    return ImageCodec(tokenizer, images, offset)


def load_base(source: str, device: torch.device, precision: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The language model and tokenizer of a folder or Hub id, frozen, on the device."""
    options: dict[str, Any] = {"dtype": pick_dtype(device, precision), "trust_remote_code": False}
    if precision == "4bit":
        options["quantization_config"] = four_bit()
        options["device_map"] = {"": device}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        model, report = AutoModelForCausalLM.from_pretrained(
            source, use_safetensors=True, output_loading_info=True, **options
        )
    except UNREADABLE as error:
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


def with_new_adapters(
    base: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    source: str,
    lora_rank: int,
    share_weights: bool,
    codec: Codec | None = None,
) -> WorldModel:
    """Fresh LoRA adapters on every linear layer but the head; they start as the base model itself (B = 0)."""
    config = LoraConfig(
        task_type="CAUSAL_LM", r=lora_rank, lora_alpha=2 * lora_rank, lora_dropout=0.0, target_modules="all-linear"
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


def pick_device(wanted: str) -> torch.device:
    """CUDA, Apple's MPS or the CPU, found by itself unless named; LOCAL_RANK picks a process's own GPU."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    if not available.get(wanted, False):
        usable = ", ".join(kind for kind, there in available.items() if there)
        raise UsageError(f"device={wanted} is not to be had on this machine; it takes auto, {usable}.")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if wanted == "cuda" else torch.device(wanted)


def pick_dtype(device: torch.device, precision: str) -> torch.dtype:
    """float32 on a CPU and on MPS, bfloat16 on a GPU that has it, unless named."""
    if precision in ("float32", "bfloat16"):
        return getattr(torch, precision)
    return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32


def four_bit() -> Any:
    """The NF4 configuration of QLoRA; needs bitsandbytes."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("precision=4bit needs the package bitsandbytes; install it or take precision=auto.")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16)


def first_line(error: BaseException) -> str:
    """An error's first line, without a closing full stop."""
    text = str(error).strip().splitlines()
    return (text[0] if text else type(error).__name__).rstrip(".")
