"""CLIP similarity and LPIPS: available only with their weights, which are never downloaded."""

import importlib.machinery
import sys
import types

import numpy as np
import pytest
import torch

from swirl.errors import SwirlError
from swirl.evaluation import perceptual_metrics
from swirl.evaluation.clip import CLIP_VARIABLE
from swirl.evaluation.perceptual_metrics import perceptual_measures

DARK, NOISE = np.zeros((16, 24, 3), np.uint8), np.random.default_rng(0).integers(0, 256, (16, 24, 3)).astype(np.uint8)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.delenv(CLIP_VARIABLE, raising=False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with a random CLIP of a few thousand weights."""
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("clip")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = CLIPConfig(
        text_config={**sizes, "vocab_size": 10}, vision_config={**sizes, "image_size": 32, "patch_size": 8}
    )
    CLIPModel(config).save_pretrained(folder)
    side = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side).save_pretrained(folder)
    return folder


def test_without_weights_there_is_no_clip_similarity():
    assert "clip_similarity" not in perceptual_measures()


def test_clip_from_the_named_folder(clip, monkeypatch):
    monkeypatch.setenv(CLIP_VARIABLE, str(clip))
    similarity = perceptual_measures()["clip_similarity"]
    assert similarity(NOISE, NOISE) == pytest.approx(1.0, abs=1e-5)
    assert similarity(DARK, NOISE) < 0.999
    assert similarity(DARK, NOISE) == pytest.approx(similarity(NOISE, DARK), abs=1e-6)


def test_a_folder_without_clip_is_reported_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv(CLIP_VARIABLE, str(tmp_path))
    with pytest.raises(SwirlError, match=f"{CLIP_VARIABLE} names .* holds no CLIP model; .*unset"):
        perceptual_measures()["clip_similarity"](DARK, DARK)


class Distance(torch.nn.Module):
    """A stand-in for the package's network: it checks its inputs and returns their mean difference."""

    def __init__(self, net, verbose):
        super().__init__()
        assert net == "alex" and not verbose

    def forward(self, a, b):
        assert a.shape == b.shape and a.shape[:2] == (1, 3) and min(a.shape[2:]) >= 64
        assert a.dtype == torch.float32 and a.min() >= -1 and a.max() <= 1
        return (a - b).abs().mean().reshape(1, 1, 1, 1)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Stand-ins for the packages lpips and torchvision; yields the folder of weights."""
    lpips, vision = types.ModuleType("lpips"), types.ModuleType("torchvision.models")
    lpips.__spec__ = importlib.machinery.ModuleSpec("lpips", None)
    lpips.LPIPS = Distance
    weights = types.SimpleNamespace(url="https://example.org/models/alexnet-owt-0.pth")
    vision.AlexNet_Weights = types.SimpleNamespace(IMAGENET1K_V1=weights)
    monkeypatch.setitem(sys.modules, "lpips", lpips)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", vision)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    yield tmp_path / "checkpoints"
    perceptual_metrics._lpips.cache_clear()


def test_lpips_only_with_its_weights(packages):
    assert "lpips" not in perceptual_measures()
    (packages / "alexnet-owt-0.pth").write_bytes(b"weights")
    lpips = perceptual_measures()["lpips"]
    assert lpips(NOISE, NOISE) == 0.0
    assert lpips(DARK, np.full_like(DARK, 255)) == pytest.approx(2.0)
