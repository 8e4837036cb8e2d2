"""The Chameleon VQGAN's original checkpoint, key by key, as the `diffusers.VQModel` that the image codec uses.

The original is a taming-transformers VQGAN: `vqgan.yaml` with the sizes and `vqgan.ckpt` with the weights. The layers
are the same in both, so the conversion is a matter of names: levels of the decoder are counted from the highest
resolution there and from the lowest here, and the middle's attention is four 1×1 convolutions there and four linear
layers here.

`python -m swirl.codecs.vqgan_conversion SOURCE OUT` converts from the command line.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import VQModel

from swirl.errors import SwirlError

CONFIG, WEIGHTS = "vqgan.yaml", "vqgan.ckpt"
IGNORED = "loss."  # the discriminator and the perceptual loss, which only its training needed
# Options that would change the network; anything but these values has no counterpart here.
SUPPORTED_OPTIONS = {
    "double_z": False,
    "attn_type": "vanilla",
    "use_linear_attn": False,
    "resamp_with_conv": True,
    "tanh_out": False,
    "give_pre_end": False,
}
# What torch.load raises for a file that is no checkpoint, or that holds more than tensors.
UNREADABLE = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, EOFError, AttributeError, AssertionError),
    pickle.UnpicklingError,
)

# Names here and there; numbers are kept.
NAMES = (
    (r"mid_block\.resnets\.0\.", "mid.block_1."),
    (r"mid_block\.resnets\.1\.", "mid.block_2."),
    (r"mid_block\.attentions\.0\.group_norm\.", "mid.attn_1.norm."),
    (r"mid_block\.attentions\.0\.to_([qkv])\.", r"mid.attn_1.\1."),
    (r"mid_block\.attentions\.0\.to_out\.0\.", "mid.attn_1.proj_out."),
    (r"down_blocks\.(\d+)\.resnets\.(\d+)\.", r"down.\1.block.\2."),
    (r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample."),
    (r"up_blocks\.(\d+)\.resnets\.(\d+)\.", r"up.\1.block.\2."),
    (r"up_blocks\.(\d+)\.upsamplers\.0\.", r"up.\1.upsample."),
    (r"\.conv_norm_out\.", ".norm_out."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
)


def convert(source: Path | tuple[Path, Path], out: Path) -> None:
    """Write the original checkpoint as a diffusers VQModel folder (config.json and safetensors) at `out`.

    `source` is the folder that holds `vqgan.yaml` and `vqgan.ckpt`, or those two files. Every weight of the original
    is used once and every weight of the VQModel filled once; else SwirlError names the first that is not, and `out`
    is left as it was.
    """
    config, weights = (source / CONFIG, source / WEIGHTS) if isinstance(source, Path) else source
    sizes = read_config(config)
    with torch.device("meta"):
        model = VQModel(**sizes)
    model.load_state_dict(convert_weights(read_weights(weights), model, str(weights)), assign=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        model.save_pretrained(str(temporary))
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def read_config(file: Path) -> dict[str, Any]:
    """The arguments of VQModel from the original's yaml. Raises SwirlError for what it cannot express."""
    try:
        parameters = yaml.safe_load(file.read_text(encoding="utf-8"))["model"]["params"]
        network = dict(parameters["ddconfig"])
        multipliers, base = list(network["ch_mult"]), int(network["ch"])
        sizes = {
            "in_channels": int(network["in_channels"]),
            "out_channels": int(network["out_ch"]),
            "block_out_channels": tuple(base * int(multiplier) for multiplier in multipliers),
            "layers_per_block": int(network["num_res_blocks"]),
            "latent_channels": int(network["z_channels"]),
            "sample_size": int(network["resolution"]),
            "num_vq_embeddings": int(parameters["n_embed"]),
            "vq_embed_dim": int(parameters["embed_dim"]),
        }
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise SwirlError(
            f"{file} is not the configuration of a VQGAN ({reason(error)}); it needs model.params with ddconfig, "
            "n_embed and embed_dim."
        ) from error
    check_supported(file, network, parameters)
    levels = len(multipliers)
    return {
        **sizes,
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "norm_num_groups": 32,
        "mid_block_add_attention": True,
        "lookup_from_codebook": True,
    }


def check_supported(file: Path, network: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Refuse a network that a VQModel with attention in its middle alone cannot be."""
    for option, expected in SUPPORTED_OPTIONS.items():
        # The original's own default of double_z is True.
        found = network.get(option, True if option == "double_z" else expected)
        if found != expected:
            raise SwirlError(f"{file} sets {option}={found}; only {option}={expected} can be converted.")
    if network.get("attn_resolutions"):
        raise SwirlError(
            f"{file} has attention at the resolutions {network['attn_resolutions']}; only networks with attention "
            "in the middle alone can be converted."
        )
    if parameters.get("remap") is not None:
        raise SwirlError(f"{file} renumbers its codes (remap); only a codebook that is used as it is can be converted.")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The original's weights by their names; nothing but tensors and plain values is ever loaded."""
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise SwirlError(
            f"{file} cannot be read as a checkpoint of plain tensors ({reason(error)}); fetch the original again."
        ) from error
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise SwirlError(f"{file} holds no weights by name (state_dict); fetch the original again.")
    return {name: value for name, value in weights.items() if not name.startswith(IGNORED)}


def convert_weights(original: Mapping[str, torch.Tensor], model: VQModel, said: str) -> dict[str, torch.Tensor]:
    """The original's weights under VQModel's names, float32. Raises SwirlError that names the first misfit."""
    levels, left, result = len(model.config.block_out_channels), dict(original), {}
    for name, wanted in model.state_dict().items():
        there = original_name(name, levels)
        if there not in left:
            raise SwirlError(f"{said} lacks the weight {there}; it does not belong to this configuration.")
        weight = left.pop(there)
        linear = ".mid_block.attentions." in name and tuple(weight.shape) == (*wanted.shape, 1, 1)
        if not linear and weight.shape != wanted.shape:
            raise SwirlError(
                f"{said} has the weight {there} in the shape {tuple(weight.shape)}, where the configuration says "
                f"{tuple(wanted.shape)}; take the configuration that came with it."
            )
        result[name] = weight.reshape(wanted.shape).float().contiguous()
    if left:
        raise SwirlError(f"{said} has the weight {next(iter(left))}, for which this configuration has no place.")
    return result


def original_name(name: str, levels: int) -> str:
    """What the original calls the VQModel weight `name`; `levels` is the number of resolutions."""
    name = re.sub(r"up_blocks\.(\d+)\.", lambda found: f"up_blocks.{levels - 1 - int(found[1])}.", name)
    for here, there in NAMES:
        name = re.sub(here, there, name)
    return name


def reason(error: BaseException) -> str:
    """An error in a few words."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}".rstrip(".: ")[:200] if text else type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 with one sentence where the original cannot be converted."""
    parser = argparse.ArgumentParser(
        prog="python -m swirl.codecs.vqgan_conversion", description=__doc__.splitlines()[0]
    )
    parser.add_argument("source", type=Path, help=f"the folder that holds {CONFIG} and {WEIGHTS}")
    parser.add_argument("out", type=Path, help="the folder to write: codec/ in that of the language model")
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.out)
    except SwirlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
