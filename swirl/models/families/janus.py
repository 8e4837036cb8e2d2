"""Janus as a world model: a picture is read by a vision tower, and drawn with codes that have a head of their own.

So that a transition is ids as everywhere, its codes get ids beyond the vocabulary: V words, then C codes as they are
drawn, then C codes as they are read. A frame that is read is the frame as its codes draw it, seen by the vision tower:
an observed frame and a predicted one are seen alike.
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

REMEMBERED = 128  # frames whose features are kept: 2 MB each at 576 features of 2048 numbers


class JanusTokenizer(UnifiedImageTokenizer):
    """Janus's image tokenizer."""

    def quantise_images(self, images: torch.Tensor) -> torch.Tensor:
        """The codes (B, T) of frames, nearest by angle, as it was trained; transformers' own compares by distance."""
        latents = self.vq.quant_conv(self.vq.encoder(images)).flatten(2).transpose(1, 2)
        return (normalize(latents, dim=-1) @ normalize(self.vq.quantize.embedding.weight, dim=-1).T).argmax(dim=-1)

    def decode_codes(self, codes: torch.Tensor) -> torch.Tensor:
        """The frames (B, 3, H, W), scaled as the model takes them, of codes (B, T)."""
        return self.vq.decode(codes)


class JanusTokenInterface(TokenInterface):
    """Ids of three kinds in, logits of words and of codes out."""

    def __init__(self, images: JanusTokenizer, words: int) -> None:
        self.images, self.words = images, words
        self._seen: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def model_inputs(self, base: JanusForConditionalGeneration, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        """The embeddings (B, T, D) of ids (B, T)."""
        first, beyond = self.words, self.words + self.images.codebook_size
        drawn, read = (ids >= first) & (ids < beyond), ids >= beyond
        embedded = base.get_input_embeddings()(ids.masked_fill(ids >= first, 0))
        if drawn.any():
            values = base.prepare_embeddings_for_image_generation(ids[drawn] - first)
            embedded = embedded.masked_scatter(drawn.unsqueeze(-1), values.to(embedded.dtype))
        if read.any():
            # Frames stand in a prompt whole, so each run of codes is one.
            frames = (ids[read] - beyond).view(-1, self.images.grid[0] * self.images.grid[1])
            values = self.features(base, frames)
            embedded = embedded.masked_scatter(read.unsqueeze(-1), values.to(embedded.dtype))
        return {"inputs_embeds": embedded}

    @torch.no_grad()
    def features(self, base: JanusForConditionalGeneration, frames: torch.Tensor) -> torch.Tensor:
        """What the vision tower sees in frames of codes (N, T): (N, T, D)."""
        keys = [frame.tobytes() for frame in frames.cpu().numpy()]
        new = [i for i, key in enumerate(keys) if key not in self._seen and key not in keys[:i]]
        base.model.vision_model.eval()
        for start in range(0, len(new), FRAMES_AT_ONCE):
            part = new[start : start + FRAMES_AT_ONCE]
            pixels = self.images.normalise_images(self.images.codes_to_images(frames[part]))
            seen = base.model.get_image_features(pixels.to(base.dtype)).pooler_output
            self._seen.update({keys[i]: features for i, features in zip(part, seen, strict=True)})
        found = torch.stack([self._seen[key] for key in keys])
        for key in keys:
            self._seen.move_to_end(key)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return found

    def logits(self, base: JanusForConditionalGeneration, hidden: torch.Tensor, support: TokenSupport) -> torch.Tensor:
        """Logits (…, high - low) of hidden states (…, D), in float32: those of words, then those of codes."""
        parts, end = [], self.words + self.images.codebook_size if support.high is None else support.high
        if support.low < self.words:
            parts.append(super().logits(base, hidden, TokenSupport(support.low, min(end, self.words))))
        if end > self.words:
            codes = base.model.generation_head(hidden).float()
            parts.append(codes[..., max(0, support.low - self.words) : end - self.words])
        return torch.cat(parts, dim=-1)

    def support_size(self, base: JanusForConditionalGeneration, support: TokenSupport) -> int:
        """How many ids the support holds."""
        return len(range(self.words + self.images.codebook_size)[support.low : support.high])


def janus_codec(source: str, base: JanusForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> ImageCodec:
    """The codec of a loaded Janus, which learns here to take the ids of codes.

    Raises SwirlError when a frame has not as many codes as it has features.
    """
    vision, vq = base.config.vision_config, base.config.vq_config
    processor = JanusImageProcessorPil.from_pretrained(source)
    factor = 2 ** (len(vq.channel_multiplier) - 1)
    images = JanusTokenizer(base.model.vqmodel, processor, vision.image_size, vq.num_embeddings, factor)
    words, length = base.config.text_config.vocab_size, images.grid[0] * images.grid[1]
    if length != vision.num_image_tokens:
        raise SwirlError(
            f"{source} sees {vision.num_image_tokens} features in a frame and draws it with {length} codes; take a "
            "Janus that has as many of both."
        )
    base.swirl_body = JanusTokenInterface(images, words)
    return ImageCodec(tokenizer, images, words, family="janus", reading=words + images.codebook_size)
