"""Labelled transitions for the warm-up: read from files, made by hand, written."""
