"""Converts the original checkpoint of the Chameleon VQGAN to the `diffusers.VQModel` that the image codec uses.

The original is a taming-transformers VQGAN: `vqgan.yaml` with the sizes and `vqgan.ckpt` with the weights. Both models
have the same layers, so only names and some shapes change. The original counts the levels of the decoder from the
highest resolution, diffusers from the lowest, and the attention in the middle is four 1×1 convolutions in the original
and four linear layers in diffusers.

Command line: `python -m swirl.codecs.vqgan_conversion SOURCE OUT`.
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from diffusers import VQModel

from swirl.errors import SwirlError
from swirl.paths import replace_folder

CONFIG, WEIGHTS = "vqgan.yaml", "vqgan.ckpt"
IGNORED = "loss."  # the discriminator and the perceptual loss, which only training uses
# Options that change the network; VQModel has no counterpart for other values.
SUPPORTED_OPTIONS = {
    "double_z": False,
    "attn_type": "vanilla",
    "use_linear_attn": False,
    "resamp_with_conv": True,
    "tanh_out": False,
    "give_pre_end": False,
}
# What torch.load raises for a file that is not a checkpoint, or that contains more than tensors.
READ_ERRORS = (
    *(OSError, RuntimeError, ValueError, TypeError, LookupError, EOFError, AttributeError, AssertionError),
    pickle.UnpicklingError,
)

# Name patterns of diffusers and their replacements in the original; numbers stay.
NAME_PATTERNS = (
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

    `source` is the folder with `vqgan.yaml` and `vqgan.ckpt`, or these two files. Every weight of the original must be
    used once and every weight of the VQModel filled once. Otherwise raises SwirlError that names the first mismatch and
    leaves `out` unchanged.
    """
    config, weights = (source / CONFIG, source / WEIGHTS) if isinstance(source, Path) else source
    sizes = read_config(config)
    with torch.device("meta"):
        model = VQModel(**sizes)
    model.load_state_dict(convert_weights(read_weights(weights), model, str(weights)), assign=True)
    with replace_folder(out) as temporary:
        model.save_pretrained(str(temporary))


def read_config(file: Path) -> dict[str, Any]:
    """The arguments of VQModel from the original's YAML file. Raises SwirlError if VQModel cannot represent them."""
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
            f"{file} is not the configuration of a VQGAN ({describe_error(error)}); it needs model.params with "
            "ddconfig, n_embed and embed_dim."
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
    """Raise SwirlError for a network that a VQModel with attention only in the middle cannot represent."""
    for option, expected in SUPPORTED_OPTIONS.items():
        # In the original, double_z is True by default.
        value = network.get(option, True if option == "double_z" else expected)
        if value != expected:
            raise SwirlError(f"{file} sets {option}={value}; only {option}={expected} can be converted.")
    if network.get("attn_resolutions"):
        raise SwirlError(
            f"{file} has attention at the resolutions {network['attn_resolutions']}; only networks with attention in "
            "the middle alone can be converted."
        )
    if parameters.get("remap") is not None:
        raise SwirlError(f"{file} renumbers its codes (remap); only a codebook without remap can be converted.")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The original's weights by name; only tensors and plain values are ever loaded.

    Raises SwirlError if the file is not a checkpoint of plain tensors.
    """
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except READ_ERRORS as error:
        raise SwirlError(
            f"{file} cannot be read as a checkpoint of plain tensors ({describe_error(error)}); download the original "
            "again."
        ) from error
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise SwirlError(f"{file} contains no weights by name (state_dict); download the original again.")
    return {name: value for name, value in weights.items() if not name.startswith(IGNORED)}


def convert_weights(original: Mapping[str, torch.Tensor], model: VQModel, file: str) -> dict[str, torch.Tensor]:
    """The original's weights under VQModel's names, as float32. Raises SwirlError that names the first mismatch."""
    levels, remaining, converted = len(model.config.block_out_channels), dict(original), {}
    for name, target in model.state_dict().items():
        source_name = original_name(name, levels)
        if source_name not in remaining:
            raise SwirlError(f"{file} lacks the weight {source_name}; use the configuration that came with it.")
        weight = remaining.pop(source_name)
        linear = ".mid_block.attentions." in name and tuple(weight.shape) == (*target.shape, 1, 1)
        if not linear and weight.shape != target.shape:
            raise SwirlError(
                f"{file} has the weight {source_name} in the shape {tuple(weight.shape)}, but the configuration says "
                f"{tuple(target.shape)}; use the configuration that came with it."
            )
        converted[name] = weight.reshape(target.shape).float().contiguous()
    if remaining:
        raise SwirlError(
            f"{file} has the weight {next(iter(remaining))}, which this configuration does not have; use the "
            "configuration that came with it."
        )
    return converted


def original_name(name: str, levels: int) -> str:
    """The original's name of the VQModel weight `name`; `levels` is the number of resolutions."""
    name = re.sub(r"up_blocks\.(\d+)\.", lambda match: f"up_blocks.{levels - 1 - int(match[1])}.", name)
    for pattern, replacement in NAME_PATTERNS:
        name = re.sub(pattern, replacement, name)
    return name


def describe_error(error: BaseException) -> str:
    """The type of an error and the first line of its text."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}".rstrip(".: ")[:200] if lines else type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns 1 and prints one sentence if the original cannot be converted."""
    parser = argparse.ArgumentParser(
        prog="python -m swirl.codecs.vqgan_conversion", description=__doc__.splitlines()[0]
    )
    parser.add_argument("source", type=Path, help=f"folder with {CONFIG} and {WEIGHTS}")
    parser.add_argument("out", type=Path, help="folder to write, usually codec/ in the folder of the language model")
    options = parser.parse_args(arguments)
    try:
        convert(options.source, options.out)
    except SwirlError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
