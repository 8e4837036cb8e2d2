"""Emu3 as a world model: one vocabulary of words and codes, an internal image tokenizer, and an end id after each row.

`Emu3ForConditionalGeneration` is loaded by name because the automatic class loads the folder as a text model.
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
        """The codes (B, rows, columns) of normalised frames (B, 3, H, W)."""
        sizes = torch.tensor([[self.size, self.size]] * len(images))
        return torch.stack(self.vq.encode(images, sizes).image_tokens)

    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The normalised frames (B, 3, H, W) of codes (B, T)."""
        return self.vq.decode(codes.view(-1, *self.grid))


def emu3_codec(source: str, base: Emu3ForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The codec of a loaded Emu3. Frames are square, with the smallest area that the model's image processor makes.

    Raises SwirlError if the ids of its codes are not consecutive.
    """
    ids, vq = base.vocabulary_mapping.img2bpe, base.model.vqmodel
    first, codes = ids.get(0, -1), vq.config.codebook_size
    if [ids.get(code) for code in range(codes)] != list(range(first, first + codes)):
        raise SwirlError(
            f"The {codes} codes of {source} are not consecutive ids of its vocabulary; choose another Emu3."
        )
    processor = Emu3ImageProcessor.from_pretrained(source)
    factor = vq.spatial_scale_factor
    size = int(processor.min_pixels**0.5) // factor * factor
    images = Emu3Tokenizer(vq, processor, size, codes, factor)
    return ImageCodec(tokenizer, images, first, family="emu3", row_end=base.vocabulary_mapping.eol_token_id)
