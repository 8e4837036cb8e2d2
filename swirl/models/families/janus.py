"""Janus as a world model: a vision tower reads images, and codes with a head of their own draw them.

To represent transitions as ids here too, the codes get ids beyond the vocabulary: V words, then C codes for drawing,
then C codes for reading. To read a frame, the vision tower looks at the image that its codes decode to, so observed and
predicted frames are treated alike.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch.nn.functional import normalize
from transformers import JanusForConditionalGeneration, PreTrainedTokenizerBase
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from swirl.codecs.state_codecs import ImageCodec
from swirl.codecs.unified_tokenizers import FRAMES_AT_ONCE, UnifiedImageTokenizer
from swirl.errors import SwirlError
from swirl.models.token_interface import TokenInterface, TokenSupport

CACHED_FRAMES = 128  # frames whose features are cached: 2 MB each at 576 features of 2048 numbers


class JanusTokenizer(UnifiedImageTokenizer):
    """Janus's image tokenizer."""

    def quantise_images(self, images: torch.Tensor) -> torch.Tensor:
        """The codes (B, T) of normalised frames, nearest by angle as in training; transformers compares by distance."""
        latents = self.vq.quant_conv(self.vq.encoder(images)).flatten(2).transpose(1, 2)
        return (normalize(latents, dim=-1) @ normalize(self.vq.quantize.embedding.weight, dim=-1).T).argmax(dim=-1)

    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The normalised frames (B, 3, H, W) of codes (B, T)."""
        return self.vq.decode(codes)


class JanusTokenInterface(TokenInterface):
    """Takes ids of words, of codes to draw and of codes to read; gives logits of words and codes."""

    reads_whole_frames = True

    def __init__(self, images: JanusTokenizer, words: int) -> None:
        self.images, self.words = images, words
        self._features: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def model_inputs(self, base: JanusForConditionalGeneration, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The embeddings (B, T, D) of ids (B, T)."""
        first, beyond = self.words, self.words + self.images.codebook_size
        is_drawn, is_read = (ids >= first) & (ids < beyond), ids >= beyond
        embedded = base.get_input_embeddings()(ids.masked_fill(ids >= first, 0))
        if is_drawn.any():
            values = base.prepare_embeddings_for_image_generation(ids[is_drawn] - first)
            embedded = embedded.masked_scatter(is_drawn.unsqueeze(-1), values.to(embedded.dtype))
        if is_read.any():
            # A prompt contains only whole frames, so the codes split evenly into frames.
            frames = (ids[is_read] - beyond).view(-1, self.images.grid[0] * self.images.grid[1])
            values = self.features(base, frames)
            embedded = embedded.masked_scatter(is_read.unsqueeze(-1), values.to(embedded.dtype))
        return {"inputs_embeds": embedded}

    @torch.no_grad()
    def features(self, base: JanusForConditionalGeneration, frames: torch.Tensor) -> torch.Tensor:
        """The features (N, T, D) that the vision tower extracts from frames of codes (N, T); cached."""
        keys = [frame.tobytes() for frame in frames.cpu().numpy()]
        new = [i for i, key in enumerate(keys) if key not in self._features and key not in keys[:i]]
        base.model.vision_model.eval()
        for start in range(0, len(new), FRAMES_AT_ONCE):
            part = new[start : start + FRAMES_AT_ONCE]
            pixels = self.images.normalise_images(self.images.codes_to_images(frames[part]))
            computed = base.model.get_image_features(pixels.to(base.dtype)).pooler_output
            self._features.update({keys[i]: features for i, features in zip(part, computed, strict=True)})
        result = torch.stack([self._features[key] for key in keys])
        for key in keys:
            self._features.move_to_end(key)
        while len(self._features) > CACHED_FRAMES:
            self._features.popitem(last=False)
        return result

    def plain_head(self, base: JanusForConditionalGeneration, support: TokenSupport) -> None:
        """None: words and codes have different heads."""

    def logits(self, base: JanusForConditionalGeneration, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
        """Logits (…, high - low) of hidden states (…, D), in float32: words first, then codes."""
        parts, end = [], self.words + self.images.codebook_size if support.high is None else support.high
        if support.low < self.words:
            parts.append(super().logits(base, hidden, TokenSupport(support.low, min(end, self.words))))
        if end > self.words:
            codes = base.model.generation_head(hidden).float()
            parts.append(codes[..., max(0, support.low - self.words) : end - self.words])
        return torch.cat(parts, dim=-1)

    def support_size(self, base: JanusForConditionalGeneration, support: TokenSupport) -> int:
        """The number of ids in the support."""
        return len(range(self.words + self.images.codebook_size)[support.low : support.high])


def janus_codec(source: str, base: JanusForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The codec of a loaded Janus; also attaches to the model the token interface that understands ids of codes.

    Raises SwirlError if a frame has a different number of codes than of features.
    """
    vision, vq = base.config.vision_config, base.config.vq_config
    processor = JanusImageProcessorPil.from_pretrained(source)
    factor = 2 ** (len(vq.channel_multiplier) - 1)
    images = JanusTokenizer(base.model.vqmodel, processor, vision.image_size, vq.num_embeddings, factor)
    words, length = base.config.text_config.vocab_size, images.grid[0] * images.grid[1]
    if length != vision.num_image_tokens:
        raise SwirlError(
            f"{source} reads a frame as {vision.num_image_tokens} features but draws it with {length} codes; choose a "
            "Janus with equal numbers."
        )
    base.swirl_token_interface = JanusTokenInterface(images, words)
    return ImageCodec(tokenizer, images, words, family="janus", prompt_offset=words + images.codebook_size)
