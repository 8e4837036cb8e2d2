"""Converting the original VQGAN to diffusers' VQModel: names, shapes, and equal results of both models."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from diffusers import VQModel
from torch.nn.functional import conv2d, group_norm, interpolate, pad, silu

from swirl.codecs.vqgan_conversion import convert, convert_weights, original_name, read_config
from swirl.errors import SwirlError

Weights = dict[str, torch.Tensor]

FULL = {
    "embed_dim": 256,
    "n_embed": 8192,
    "ddconfig": {
        "double_z": False,
        "z_channels": 256,
        "resolution": 512,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": [1, 1, 2, 2, 4],
        "num_res_blocks": 2,
        "attn_resolutions": [],
        "dropout": 0.0,
    },
    "lossconfig": {"target": "somewhere.else"},
}
# Few channels and codes, and an embedding whose width differs from that of the latents.
SMALL = {
    **FULL,
    "embed_dim": 6,
    "n_embed": 40,
    "ddconfig": {**FULL["ddconfig"], "ch": 32, "ch_mult": [1, 1, 2], "z_channels": 10, "resolution": 32},
}


def shapes(parameters: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the original's weights, as its constructor makes them."""
    network, found = parameters["ddconfig"], {}
    base, multipliers, blocks = network["ch"], network["ch_mult"], network["num_res_blocks"]
    latent, embedding = network["z_channels"], parameters["embed_dim"]

    def conv(name: str, into: int, out: int, size: int = 3) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = (out, into, size, size), (out,)

    def norm(name: str, width: int) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = (width,), (width,)

    def block(name: str, into: int, out: int) -> None:
        norm(f"{name}.norm1", into)
        conv(f"{name}.conv1", into, out)
        norm(f"{name}.norm2", out)
        conv(f"{name}.conv2", out, out)
        if into != out:
            conv(f"{name}.nin_shortcut", into, out, 1)

    def middle(name: str, width: int) -> None:
        block(f"{name}.block_1", width, width)
        norm(f"{name}.attn_1.norm", width)
        for part in ("q", "k", "v", "proj_out"):
            conv(f"{name}.attn_1.{part}", width, width, 1)
        block(f"{name}.block_2", width, width)

    conv("encoder.conv_in", network["in_channels"], base)
    width = base
    for level, multiplier in enumerate(multipliers):
        for number in range(blocks):
            block(f"encoder.down.{level}.block.{number}", width, base * multiplier)
            width = base * multiplier
        if level < len(multipliers) - 1:
            conv(f"encoder.down.{level}.downsample.conv", width, width)
    middle("encoder.mid", width)
    norm("encoder.norm_out", width)
    conv("encoder.conv_out", width, latent)
    conv("decoder.conv_in", latent, width)
    middle("decoder.mid", width)
    for level in reversed(range(len(multipliers))):
        for number in range(blocks + 1):
            block(f"decoder.up.{level}.block.{number}", width, base * multipliers[level])
            width = base * multipliers[level]
        if level > 0:
            conv(f"decoder.up.{level}.upsample.conv", width, width)
    norm("decoder.norm_out", width)
    conv("decoder.conv_out", width, network["out_ch"])
    found["quantize.embedding.weight"] = (parameters["n_embed"], embedding)
    conv("quant_conv", latent, embedding, 1)
    conv("post_quant_conv", embedding, latent, 1)
    return found


def random_weights(parameters: dict[str, Any], seed: int = 0) -> Weights:
    """Random weights under the original's names, scaled to keep activations of order one."""
    generator, made = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes(parameters).items():
        numbers = torch.randn(shape, generator=generator)
        fan_in = torch.Size(shape[1:]).numel() if len(shape) == 4 else 1
        made[name] = numbers / fan_in**0.5 if len(shape) == 4 else numbers
    return made


class Original:
    """The original model's computation, written against its own weight names."""

    def __init__(self, weights: Weights, parameters: dict[str, Any]) -> None:
        self.weights, self.network = weights, parameters["ddconfig"]
        self.levels, self.blocks = len(self.network["ch_mult"]), self.network["num_res_blocks"]

    def conv(self, name: str, x: torch.Tensor, **how: int) -> torch.Tensor:
        return conv2d(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], **how)

    def norm(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return group_norm(x, 32, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"], 1e-6)

    def block(self, name: str, x: torch.Tensor) -> torch.Tensor:
        inside = self.conv(f"{name}.conv1", silu(self.norm(f"{name}.norm1", x)), padding=1)
        inside = self.conv(f"{name}.conv2", silu(self.norm(f"{name}.norm2", inside)), padding=1)
        shortcut = f"{name}.nin_shortcut"
        return inside + (self.conv(shortcut, x) if f"{shortcut}.weight" in self.weights else x)

    def attention(self, name: str, x: torch.Tensor) -> torch.Tensor:
        normed = self.norm(f"{name}.norm", x)
        q, k, v = (self.conv(f"{name}.{part}", normed).flatten(2) for part in "qkv")
        seen = torch.einsum("bci,bcj->bij", q, k).div(q.shape[1] ** 0.5).softmax(dim=-1)
        return x + self.conv(f"{name}.proj_out", torch.einsum("bij,bcj->bci", seen, v).reshape(x.shape))

    def middle(self, name: str, x: torch.Tensor) -> torch.Tensor:
        x = self.attention(f"{name}.attn_1", self.block(f"{name}.block_1", x))
        return self.block(f"{name}.block_2", x)

    def last(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.conv(f"{name}.conv_out", silu(self.norm(f"{name}.norm_out", x)), padding=1)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """Latents (B, embedding, h, w) before quantisation."""
        x = self.conv("encoder.conv_in", x, padding=1)
        for level in range(self.levels):
            for number in range(self.blocks):
                x = self.block(f"encoder.down.{level}.block.{number}", x)
            if level < self.levels - 1:  # pads one row below and one column to the right only
                x = self.conv(f"encoder.down.{level}.downsample.conv", pad(x, (0, 1, 0, 1)), stride=2)
        return self.conv("quant_conv", self.last("encoder", self.middle("encoder.mid", x)))

    def ids(self, x: torch.Tensor) -> torch.Tensor:
        latents = self.encode(x).permute(0, 2, 3, 1).flatten(0, 2)
        return torch.cdist(latents, self.weights["quantize.embedding.weight"]).argmin(dim=-1)

    def decode(self, ids: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
        codes = self.weights["quantize.embedding.weight"][ids].reshape(-1, rows, columns, self.embedding)
        x = self.conv("post_quant_conv", codes.permute(0, 3, 1, 2))
        x = self.middle("decoder.mid", self.conv("decoder.conv_in", x, padding=1))
        for level in reversed(range(self.levels)):
            for number in range(self.blocks + 1):
                x = self.block(f"decoder.up.{level}.block.{number}", x)
            if level > 0:
                x = self.conv(f"decoder.up.{level}.upsample.conv", interpolate(x, scale_factor=2.0), padding=1)
        return self.last("decoder", x)

    @property
    def embedding(self) -> int:
        return self.weights["quantize.embedding.weight"].shape[1]


def store(folder: Path, weights: Weights, parameters: dict[str, Any]) -> Path:
    """A folder with the files of the published original."""
    folder.mkdir()
    (folder / "vqgan.yaml").write_text(yaml.safe_dump({"model": {"target": "x.VQModel", "params": parameters}}))
    torch.save({"state_dict": weights, "global_step": 7}, folder / "vqgan.ckpt")
    return folder


@pytest.fixture(scope="module")
def small() -> Weights:
    return random_weights(SMALL)


def test_both_compute_the_same(small: Weights, tmp_path: Path) -> None:
    source = store(tmp_path / "original", {**small, "loss.discriminator.main.0.weight": torch.ones(3)}, SMALL)
    convert(source, tmp_path / "codec")
    assert sorted(file.name for file in (tmp_path / "codec").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]
    model, original = VQModel.from_pretrained(str(tmp_path / "codec")).eval(), Original(small, SMALL)
    pixels = torch.rand(2, 3, 36, 24, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        latents = model.encode(pixels).latents
        assert latents.shape == (2, 6, 9, 6)
        assert latents.std() > 0.1
        torch.testing.assert_close(latents, original.encode(pixels), atol=1e-4, rtol=1e-4)
        ids = model.quantize(latents)[2][2]
        assert torch.equal(ids, original.ids(pixels))
        assert len(set(ids.tolist())) >= 10
        picture = model.decode(ids, force_not_quantize=True, shape=(2, 9, 6, 6)).sample
        torch.testing.assert_close(picture, original.decode(ids, 9, 6), atol=1e-4, rtol=1e-4)
        assert picture.shape == pixels.shape


def test_padding_on_the_other_side_would_show(small: Weights, tmp_path: Path, monkeypatch) -> None:
    convert(store(tmp_path / "original", small, SMALL), tmp_path / "codec")
    pixels = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    monkeypatch.setitem(globals(), "pad", lambda x, _: torch.nn.functional.pad(x, (1, 0, 1, 0)))
    with torch.no_grad():
        latents = VQModel.from_pretrained(str(tmp_path / "codec")).encode(pixels).latents
        assert (latents - Original(small, SMALL).encode(pixels)).abs().max() > 1e-2


def test_the_two_files_may_lie_apart(small: Weights, tmp_path: Path) -> None:
    source = store(tmp_path / "original", small, SMALL)
    torch.save(small, tmp_path / "plain.pt")  # weights alone, without the trainer's other entries
    convert((source / "vqgan.yaml", tmp_path / "plain.pt"), tmp_path / "codec")
    loaded = VQModel.from_pretrained(str(tmp_path / "codec"))
    assert torch.equal(loaded.quantize.embedding.weight, small["quantize.embedding.weight"])


def test_every_name_and_shape_of_the_full_size_has_its_place(tmp_path: Path) -> None:
    (tmp_path / "vqgan.yaml").write_text(yaml.safe_dump({"model": {"params": FULL}}))
    with torch.device("meta"):
        model = VQModel(**read_config(tmp_path / "vqgan.yaml"))
        original = {name: torch.empty(shape) for name, shape in shapes(FULL).items()}
    assert model.config.block_out_channels == (128, 128, 256, 256, 512)
    assert (model.config.num_vq_embeddings, model.config.vq_embed_dim) == (8192, 256)
    result = convert_weights(original, model, "vqgan.ckpt")
    assert {name: weight.shape for name, weight in result.items()} == {
        name: weight.shape for name, weight in model.state_dict().items()
    }
    assert {original_name(name, 5) for name in result} == set(original)
    assert len(result) == len(original)


def drop(weights: Weights) -> None:
    del weights["decoder.up.2.upsample.conv.bias"]


def add(weights: Weights) -> None:
    weights["encoder.down.0.attn.0.q.weight"] = torch.ones(32, 32, 1, 1)


def reshape(weights: Weights) -> None:
    weights["encoder.down.1.block.0.conv1.weight"] = torch.ones(32, 32, 1, 1)


def flatten(weights: Weights) -> None:
    weights["quant_conv.weight"] = weights["quant_conv.weight"].flatten(1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop, "lacks the weight decoder.up.2.upsample.conv.bias"),
        (add, "has the weight encoder.down.0.attn.0.q.weight, which this configuration does not have"),
        (reshape, "encoder.down.1.block.0.conv1.weight in the shape (32, 32, 1, 1)"),
        (flatten, "quant_conv.weight in the shape (6, 10)"),
    ],
)
def test_the_first_misfit_is_named(small: Weights, tmp_path: Path, spoil, said: str) -> None:
    weights = dict(small)
    spoil(weights)
    source = store(tmp_path / "original", weights, SMALL)
    with pytest.raises(SwirlError) as caught:
        convert(source, tmp_path / "codec")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["original"]  # nothing half-written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attn_resolutions": [16]}, "attention at the resolutions [16]"),
        ({"double_z": True}, "double_z=True"),
        ({"resamp_with_conv": False}, "resamp_with_conv=False"),
        ({"ch_mult": None}, "is not the configuration of a VQGAN"),
    ],
)
def test_networks_without_a_counterpart_are_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    parameters = {**SMALL, "ddconfig": {**SMALL["ddconfig"], **change}}
    (tmp_path / "vqgan.yaml").write_text(yaml.safe_dump({"model": {"params": parameters}}))
    with pytest.raises(SwirlError) as caught:
        read_config(tmp_path / "vqgan.yaml")
    assert said in str(caught.value) and "vqgan.yaml" in str(caught.value)


class Harmful:
    """Runs code if it is unpickled without precautions."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("run",)


def pickled(thing: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a text", "cannot be read as a checkpoint"),
        (b"", "cannot be read as a checkpoint"),
        (pickled({"state_dict": {"a": torch.ones(64, 64)}})[:900], "cannot be read as a checkpoint"),
        (pickled({"state_dict": Harmful()}), "cannot be read as a checkpoint"),
        (pickled([1, 2]), "contains no weights by name"),
        (pickled({"state_dict": {"a": 1}}), "contains no weights by name"),
    ],
    ids=["text", "empty", "truncated", "code", "list", "numbers"],
)
def test_what_is_no_checkpoint_is_named(small: Weights, tmp_path: Path, content: bytes, said: str, capsys) -> None:
    source = store(tmp_path / "original", small, SMALL)
    (source / "vqgan.ckpt").write_bytes(content)
    with pytest.raises(SwirlError) as caught:
        convert(source, tmp_path / "codec")
    assert said in str(caught.value) and "vqgan.ckpt" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "run" not in capsys.readouterr().out
    with pytest.raises(SwirlError, match="nowhere"):
        convert(tmp_path / "nowhere", tmp_path / "codec")
