"""Builds tiny random versions of the real unified models, saved like their published checkpoints, without downloads.

How each model turns an image into ids, and where the logits of image ids come from:

Liquid (`build_liquid`): a plain `GemmaForCausalLM`. Words are ids below `len(tokenizer)` (256 000 in the original, with
    `<boi>` and `<eoi>` among them: their ids come from the tokenizer); the code c of the VQ tokenizer is the id
    `len(tokenizer) + c`, and `vocab_size` is the sum. `embed_tokens` and `lm_head` (tied) cover both. The VQ tokenizer
    is a separate model (`codec/` here; `swirl.codecs.vqgan_conversion` converts the original's): a frame is scaled to
    512 x 512 and becomes 32 x 32 codes in reading order. The original first pads to a square with (122, 116, 104).
    Reading: `<bos><start_of_turn>user\\n<boi>` codes `<eoi>\\n` text `<end_of_turn>\\n<start_of_turn>model\\n`, answer
    up to `<end_of_turn>`. Drawing an image: the prompt ends with `<boi>`, exactly 1024 codes follow, then `<eoi>`.
    Original sampling: classifier-free guidance 7 against `<unconditional><boi>`, temperature 0.99, top-k 4096, top-p
    0.96. Logits of codes: `lm_head.weight[len(tokenizer):]` alone.

Janus (`build_janus`): separate paths for reading and drawing. To read an image, the vision tower and the aligner
    (`model.get_image_features(pixel_values).pooler_output`, (B, num_image_tokens, hidden)) give features, which replace
    the placeholders between `<begin_of_image>` and `<end_of_image>`; there are no ids. A drawn image consists of ids of
    the VQ tokenizer, 0 ... num_embeddings - 1, which are NOT in the vocabulary: they enter through
    `prepare_embeddings_for_image_generation(ids)` ((B, T) to (B, T, hidden)), and `model.generation_head(hidden)` gives
    their logits, (..., num_embeddings). Text logits: `lm_head`. So log P(image) feeds `inputs_embeds` = [prompt,
    `<begin_of_image>`, all ids but the last] to `model.language_model` and uses the hidden states from
    `<begin_of_image>` on. Pixels: `vqmodel.decode(ids)` is NCHW in [-1, 1] (`decode_image_tokens` is the same in
    NHWC). Ids of an image: the quantizer of transformers compares without normalising, while the original, and
    `get_codebook_entry`, which decodes, normalise both sides: use `janus_ids` below, not `vqmodel.encode(...)`.

Emu3 (`build_emu3`): one vocabulary. `model.get_image_tokens(pixel_values, image_sizes)` gives the ids of all images,
    flat and int32, each row of codes followed by the end of line `<|extra_200|>`: height x (width + 1) ids. In a prompt
    they appear as `<|image start|>4*4<|image token|>` ids `<|extra_201|><|image end|>`, height and width in codes as
    text. The code c is the id of `<|visual token 00000c|>`, 6 digits: `vocabulary_mapping` reads
    `config.vocabulary_map`, names to ids of the whole vocabulary. Given ids, the placeholder `<image>` is not needed.
    Logits: `lm_head` at the ids of visual tokens, consecutive at the end of the vocabulary; the ends of lines are
    forced and inserted by hand. Decoding: `decode_image_tokens(image_tokens=, height=, width=)` wants (B, height x
    (width + 1) + 3), the last three (`<|extra_201|>`, `<|image end|>`, end of text) of any value, and returns NCHW in
    about [-1, 1]. The image processor keeps the shape of an image: make it square first, or the number of ids varies.
    In train mode, batch norms make the image tokenizer's codes wrong and overwrite their own statistics.
    `AutoModelForCausalLM` maps an Emu3 folder to the text-only class and fills it with random numbers: load
    `Emu3ForConditionalGeneration` by name.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import VQModel
from editing import letters
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch.nn.functional import normalize
from transformers import (
    Emu3Config,
    Emu3ForConditionalGeneration,
    Emu3Processor,
    GemmaConfig,
    GemmaForCausalLM,
    GemmaTokenizer,
    GPT2Tokenizer,
    JanusConfig,
    JanusForConditionalGeneration,
    JanusProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.emu3.image_processing_emu3 import Emu3ImageProcessor
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

CODES = 64
GEMMA_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
JANUS_TEMPLATE = (
    "{% for m in messages %}{{ '<|User|>' if m.role == 'user' else '<|Assistant|>' }}: {{ m.content }}\n\n"
    "{% endfor %}{% if add_generation_prompt %}<|Assistant|>:{% endif %}"
)
EMU3_TEMPLATE = (
    "{% for m in messages %}{{ 'USER' if m.role == 'user' else 'ASSISTANT' }}: {{ m.content }} "
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def build_liquid(folder: Path) -> Path:
    """A Gemma whose vocabulary is words, then 64 codes; `codec/` makes 4 x 4 codes of 32 x 32 pixels."""
    torch.manual_seed(0)
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<boi>", "<eoi>", "<unconditional>"]
    special += ["<start_of_turn>", "<end_of_turn>", "\n", "▁"]
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *(chr(code) for code in range(33, 127))]
    tokenizer = GemmaTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)}, merges=[], add_bos_token=True
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": ["<boi>", "<eoi>", "<unconditional>", "<start_of_turn>", "<end_of_turn>"]}
    )
    tokenizer.chat_template = GEMMA_TEMPLATE
    config = GemmaConfig(
        vocab_size=len(tokenizer) + CODES,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    GemmaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    build_codec(folder / "codec")
    return folder


def build_codec(folder: Path) -> None:
    """A VQModel in the shape of the Chameleon VQGAN: attention in the middle, factor 8, 32 pixels per side."""
    VQModel(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=8,
        sample_size=32,
        num_vq_embeddings=CODES,
        vq_embed_dim=8,
        lookup_from_codebook=True,
    ).save_pretrained(folder)


def build_janus(folder: Path) -> Path:
    """A Janus that reads and draws 64 x 64 pixels as 4 x 4 features or codes."""
    torch.manual_seed(0)
    tokenizer = janus_tokenizer()
    hidden, side, patch = 32, 64, 16
    count = (side // patch) ** 2
    config = JanusConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": hidden,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": side,
            "patch_size": patch,
            "projection_dim": hidden,
            "num_image_tokens": count,
        },
        vq_config={
            "base_channels": 32,
            "channel_multiplier": [1, 1, 1, 1, 1],  # four halvings: 16 pixels per code
            "num_res_blocks": 1,
            "embed_dim": 8,
            "latent_channels": 32,
            "num_embeddings": CODES,
            "projection_dim": hidden,
            "image_token_embed_dim": hidden,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<image_placeholder>"),
        tie_word_embeddings=False,  # its language model has a head of its own
    )
    model = JanusForConditionalGeneration(config)
    model.generation_config.generation_kwargs = {"boi_token_id": tokenizer.convert_tokens_to_ids("<begin_of_image>")}
    model.save_pretrained(folder)
    pictures = JanusImageProcessorPil(
        size={"height": side, "width": side}, image_mean=[0.5] * 3, image_std=[0.5] * 3, do_resize=True
    )
    processor = JanusProcessor(pictures, tokenizer, chat_template=JANUS_TEMPLATE, num_image_tokens=count)
    processor.save_pretrained(folder)
    return folder


def janus_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer with the special tokens under the names that the processor expects."""
    named = {"image_token": "<image_placeholder>", "boi_token": "<begin_of_image>", "eoi_token": "<end_of_image>"}
    inner = Tokenizer(models.BPE(vocab={piece: number for number, piece in enumerate(letters())}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|begin▁of▁sentence|>",
        eos_token="<|end▁of▁sentence|>",
        pad_token="<|▁pad▁|>",
        padding_side="left",
        extra_special_tokens=named,
    )


@torch.no_grad()
def janus_ids(model: JanusForConditionalGeneration, pixel_values: torch.Tensor) -> torch.Tensor:
    """The ids (B, T) of images (B, 3, H, W) in [-1, 1], quantised by angle as in the original, not by distance."""
    vq = model.model.vqmodel
    latents = vq.quant_conv(vq.encoder(pixel_values)).flatten(2).transpose(1, 2)
    return (normalize(latents, dim=-1) @ normalize(vq.quantize.embedding.weight, dim=-1).T).argmax(dim=-1)


def build_emu3(folder: Path) -> Path:
    """An Emu3 that makes 4 x 4 codes of 32 x 32 pixels; its processor assumes a factor of 8."""
    torch.manual_seed(0)
    tokenizer = emu3_tokenizer()
    config = Emu3Config(
        vq_config={
            "codebook_size": CODES,
            "base_channels": 32,
            "channel_multiplier": [1, 1, 1, 1],  # three halvings: 8 pixels per code
            "num_res_blocks": 1,
            "hidden_size": 32,
            "attn_resolutions": [3],
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "attention_dropout": 0.0,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vocabulary_map=tokenizer.get_vocab(),
    )
    Emu3ForConditionalGeneration(config).save_pretrained(folder)
    pictures = Emu3ImageProcessor(min_pixels=32 * 32, max_pixels=32 * 32, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    Emu3Processor(pictures, tokenizer, chat_template=EMU3_TEMPLATE).save_pretrained(folder)
    return folder


def emu3_tokenizer() -> GPT2Tokenizer:
    """A byte-level tokenizer with the original's special tokens and the visual tokens at the end."""
    named = {
        "image_token": "<image>",
        "boi_token": "<|image start|>",
        "eoi_token": "<|image end|>",
        "image_wrapper_token": "<|image token|>",
        "eof_token": "<|extra_201|>",
    }
    visual = [f"<|visual token {code:06d}|>" for code in range(CODES)]
    tokenizer = GPT2Tokenizer(
        vocab={piece: number for number, piece in enumerate(letters())},
        merges=[],
        unk_token="<|endoftext|>",
        bos_token="<|extra_203|>",
        eos_token="<|extra_204|>",
        pad_token="<|endoftext|>",
        padding_side="left",
        extra_special_tokens=named,
    )
    tokenizer.add_tokens(["<|extra_200|>", *visual], special_tokens=True)
    return tokenizer
