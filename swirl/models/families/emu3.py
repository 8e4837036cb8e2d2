"""Emu3 as a world model: words and codes in one vocabulary, the image tokenizer within, an end after each row of codes.

`Emu3ForConditionalGeneration` is loaded by name: the automatic class takes the folder for a model of texts.
"""

from __future__ import annotations

import torch
from transformers import Emu3ForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.emu3.image_processing_emu3 import Emu3ImageProcessor

from swirl.codecs.state_codecs import ImageCodec
from swirl.codecs.unified_tokenizers import UnifiedImageTokenizer
from swirl.errors import SwirlError


class Emu3Tokenizer(UnifiedImageTokenizer):
    """Emu3's image tokenizer."""

    def quantise_images(self, images: torch.Tensor) -> torch.Tensor:
        """The codes (B, rows, columns) of frames as the model takes them."""
        sizes = torch.tensor([[self.size, self.size]] * len(images))
        return torch.stack(self.vq.encode(images, sizes).image_tokens)

    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The frames (B, 3, H, W), scaled as the model takes them, of codes (B, T)."""
        return self.vq.decode(codes.view(-1, *self.grid))


def emu3_codec(source: str, base: Emu3ForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The codec of a loaded Emu3. Frames are square, of the least area that the model's image processor makes.

    Raises SwirlError when the ids of its codes are not one run at the vocabulary's end.
    """
    ids, vq = base.vocabulary_mapping.img2bpe, base.model.vqmodel
    first, codes = ids.get(0, -1), vq.config.codebook_size
    if [ids.get(code) for code in range(codes)] != list(range(first, first + codes)):
        raise SwirlError(f"The {codes} codes of {source} are not one run of its vocabulary; take another Emu3.")
    processor = Emu3ImageProcessor.from_pretrained(source)
    factor = vq.spatial_scale_factor
    size = int(processor.min_pixels**0.5) // factor * factor
    images = Emu3Tokenizer(vq, processor, size, codes, factor)
    return ImageCodec(tokenizer, images, first, family="emu3", row_end=base.vocabulary_mapping.eol_token_id)
