"""Stored collections of sequences: importing, listing, reading and splitting them."""
