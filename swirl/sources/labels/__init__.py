"""Labelled transitions for the supervised warm-up: read from files, made by hand, written to files."""
