"""`swirl codec`: train an image tokenizer on a collection of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from swirl.cli.arguments import add_json, positive_integer
from swirl.cli.output import Output


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    codec = commands.add_parser(
        "codec",
        help="train an image codec on a collection of pictures",
        description="Trains a VQ image tokenizer (diffusers' VQModel) and says how well it draws held-out frames "
        "again. Tiles that line up with a world's cells give every cell a code of its own.",
    )
    codec.add_argument("--data", metavar="NAME", required=True, help="a collection of pictures")
    codec.add_argument("--out", metavar="DIR", type=Path, required=True, help="a new or empty folder")
    for name, default, what in (
        ("size", 64, "pixels a side of a frame"),
        ("tile", 16, "pixels a side of a tile that is encoded on its own; the size for whole frames"),
        ("patch", 4, "pixels a side of the patches that a tile enters as"),
        ("down", 2, "how often a tile's patches are halved; 4 by 4 patches halved twice are one code"),
        ("codes", 128, "codes in the codebook"),
        ("channels", 48, "channels of its layers"),
        ("steps", 1800, "training steps"),
    ):
        codec.add_argument(
            f"--{name}", metavar="N", type=positive_integer, default=default, help=f"{what} (default {default})"
        )
    codec.add_argument("--seed", metavar="S", type=int, default=0, help="the same seed, the same codec")
    add_json(codec)
    codec.set_defaults(handler=train_codec)


def train_codec(args: argparse.Namespace, out: Output) -> int:
    """Train a codec and print how well it draws held-out frames."""
    from swirl.codecs.vq_training import CodecShape
    from swirl.recipes.image_codec import train_on_collection

    names = ("size", "tile", "patch", "down", "codes", "channels")
    shape = CodecShape(**{name: getattr(args, name) for name in names})
    steps = (args.steps // 2, args.steps - args.steps // 2)
    codec = train_on_collection(
        args.home, args.data, shape, args.out, seed=args.seed, steps=steps, progress=out.show_progress
    )
    rows, columns = codec.grid
    out.print_document(
        {"codec": str(args.out), "tokens": rows * columns, "codes": codec.codebook_size, **codec.quality}
    )
    said = codec.quality
    out.print_line(
        f"{args.out}: {rows * columns} tokens a frame, {codec.codebook_size} codes; {said['frames']} "
        "held-out frames of "
        f"{args.data} come back at {said['psnr']} dB (PSNR), SSIM {said['ssim']}."
    )
    return 0
