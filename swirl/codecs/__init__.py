"""Codecs: convert text and image states to token ids and back."""

CODEC_FOLDER = "codec"
"""The subfolder of a language model's folder that holds its image codec."""
