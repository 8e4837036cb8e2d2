"""Very small real models, made on the spot (nothing here is downloaded), and how tests are spread over the cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

TESTS = Path(__file__).parent

os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Each worker has one core: two threads each would wait for one another. The processes that tests start compute with the
# same number, so that their weights are the same to the last bit. Set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LONGEST_FIRST = ("browser", "robustness", "training", "cli", "runs", "recipes", "sharing")
"""Folders that take longest; started first, so that no worker is left alone with one of them in the end."""
MAX_WORKERS = 4
SECONDS_TO_END = 30.0
"""That a process has whose work is done; Python itself takes a while to end."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One worker a core, up to MAX_WORKERS; none for single files, where starting them takes longer than it saves."""
    return 0 if any(".py" in argument for argument in config.args) else min(MAX_WORKERS, os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; the tests of a file stay together and in their order."""
    order = {folder: place for place, folder in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.relative_to(TESTS).parts[0], len(order)))


@pytest.fixture(scope="module", autouse=True)
def nothing_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails a file whose servers or trainings outlive it: they would take a core from all tests after it."""
    yield
    folder = tmp_path_factory.getbasetemp()
    psutil.wait_procs(processes_over(folder), timeout=SECONDS_TO_END)
    left = processes_over(folder)
    for process in left:
        process.kill()
    assert list(left.values()) == []


def processes_over(folder: Path) -> dict[psutil.Process, str]:
    """The processes whose command names something in a folder, with their command lines."""
    found = {}
    for process in psutil.process_iter(["cmdline", "status"]):
        command = " ".join(process.info["cmdline"] or ())
        if f"{folder}{os.sep}" in command and process.info["status"] != psutil.STATUS_ZOMBIE:
            found[process] = command
    return found


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained tag model of a few thousand weights and its tokenizer."""
    from tiny_base import make_tiny_base

    return make_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random Qwen2 of a real configuration class, a byte-level tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("qwen") / "tiny-qwen2"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(["the lamp is on", "the lamp is off", "press the switch"], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.chat_template = CHAT_TEMPLATE
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(fast) + 5,  # real checkpoints pad their vocabulary
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained image world model: words, a random VQ codec of 32 codes, 4 × 4 codes a frame."""
    import torch

    from swirl.codecs.state_codecs import ImageCodec
    from swirl.codecs.vq_training import CodecShape, new_codec
    from swirl.models.loading import with_new_adapters
    from swirl.models.tiny_language_model import build_model, build_tokenizer
    from swirl.worlds.blocks import Blocks

    folder = tmp_path_factory.mktemp("pictures") / "tiny-pictures"
    tokenizer = build_tokenizer([action for seed in range(60) for action in Blocks().episode(seed, 8).actions], 320)
    torch.manual_seed(0)
    images = new_codec(CodecShape(codes=32, width=4, channels=8))
    base = build_model(tokenizer, width=32, layers=2, heads=2, inner=48, codes=32)
    codec = ImageCodec(tokenizer, images, len(tokenizer))
    with_new_adapters(base, tokenizer, "tiny-pictures", "base", 4, share_weights=False, codec=codec).save(
        folder, with_base=True
    )
    return folder
