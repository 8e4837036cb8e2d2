"""States to token ids and back: of texts, and of pictures by an image tokenizer."""

CODEC_FOLDER = "codec"
"""The image codec's folder beside its language model."""
