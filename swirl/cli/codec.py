"""`swirl codec`: train an image tokenizer on a collection of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from swirl.cli.arguments import add_json, add_seed, positive_integer
from swirl.cli.output import Output
from swirl.errors import UsageError

FEWEST_STEPS = 4
"""Half of the steps train without the codebook, half with it."""


def add_command(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    codec = commands.add_parser(
        "codec",
        help="train an image tokenizer on a collection of pictures",
        description="Trains a VQ image tokenizer (diffusers' VQModel) and reports how well it reconstructs held-out "
        "frames. When the tiles line up with the cells of a world, every cell gets its own code.",
    )
    codec.add_argument("--data", metavar="NAME", required=True, help="collection of pictures")
    codec.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder")
    for name, default, description in (
        ("size", 64, "pixels along a side of a frame"),
        (
            "tile",
            16,
            "pixels along a side of a tile, which is encoded on its own; set it to --size to encode whole frames",
        ),
        ("patch", 4, "pixels along a side of the patches that a tile is divided into"),
        (
            "down",
            2,
            "number of times that the grid of patches is halved; a grid of 4 by 4, halved twice, gives one code",
        ),
        ("codes", 128, "codes in the codebook"),
        ("channels", 48, "channels of the layers"),
        ("steps", 1800, "training steps"),
    ):
        codec.add_argument(
            f"--{name}", metavar="N", type=positive_integer, default=default, help=f"{description} (default: {default})"
        )
    add_seed(codec, "the same seed gives the same codec")
    add_json(codec)
    codec.set_defaults(handler=train_codec)


def train_codec(args: argparse.Namespace, out: Output) -> int:
    """Train a codec, and print how well it reconstructs held-out frames."""
    from swirl.codecs.vq_training import CodecShape
    from swirl.recipes.image_codec import train_on_collection

    names = ("size", "tile", "patch", "down", "codes", "channels")
    shape = CodecShape(**{name: getattr(args, name) for name in names})
    if args.steps < FEWEST_STEPS:
        raise UsageError(f"--steps {args.steps} is too few to train both halves; take {FEWEST_STEPS} or more.")
    steps = (args.steps // 2, args.steps - args.steps // 2)
    codec = train_on_collection(
        args.home, args.data, shape, args.out, seed=args.seed, steps=steps, progress=out.show_progress
    )
    rows, columns = codec.grid
    out.print_document(
        {"codec": str(args.out), "tokens": rows * columns, "codes": codec.codebook_size, **codec.quality}
    )
    quality = codec.quality
    frames = "held-out frames" if quality["held_out"] else "training frames, as no sequence is held out,"
    out.print_line(
        f"{args.out}: {rows * columns} tokens a frame, {codec.codebook_size} codes; reconstructs {quality['frames']} "
        f"{frames} of {args.data} with PSNR {quality['psnr']} dB and SSIM {quality['ssim']}."
    )
    return 0
