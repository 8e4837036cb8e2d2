"""Stored collections of sequences: imported, listed, read and split."""
